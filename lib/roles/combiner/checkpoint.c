/* SPDX-License-Identifier: Apache-2.0
 * Writing a combiner's aggregate down in the midst of a round, so that the updates in it need not
 * be kept any longer: what a round takes on disk does not grow with its clients. */
#include "roles/combiner/service.h"

#include "core/alloc.h"
#include "core/error.h"
#include "fedn_journal.pb-c.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEAST_MODELS 4 /* it is worth writing two models for so many updates */

void fedn__combiner_checkpoint_remove(fedn__combiner_service *service, const char *id)
{
    char *path = *id ? fedn__shelf_partial_path(service->shelf, id) : NULL;

    if (path)
        unlink(path);
    fedn__free(path);
}

/* The journal has it: the updates before it, and the checkpoint before it, are of no use. Unless
 * the round is over: then all of them go with it. */
static void on_noted(const char *key, void *user_data)
{
    fedn__combiner_service *service = user_data;
    fedn__checkpoint *c = &service->checkpoint;

    if (service->stopping || !c->running || strcmp(strchr(key, ' ') + 1, c->id) != 0)
        return;
    fedn__shelf_forget(service->shelf, strtoull(key, NULL, 10));
    fedn__combiner_checkpoint_remove(service, c->durable_id);
    memcpy(c->durable_id, c->id, sizeof c->id);
    c->running = 0;
}

static fedn_status note(fedn__combiner_service *service)
{
    Fedn__Journal__V1__Checkpoint checkpoint = FEDN__JOURNAL__V1__CHECKPOINT__INIT;
    Fedn__Journal__V1__Record record = FEDN__JOURNAL__V1__RECORD__INIT;
    fedn__checkpoint *c = &service->checkpoint;
    uint8_t packed[FEDN__UUID_TEXT + 16];
    char key[24 + FEDN__UUID_TEXT];

    checkpoint.partial_id = c->id;
    record.body_case = FEDN__JOURNAL__V1__RECORD__BODY_CHECKPOINT;
    record.checkpoint = &checkpoint;
    snprintf(key, sizeof key, "%llu %s", (unsigned long long)c->retired, c->id);
    size_t bytes = fedn__journal__v1__record__pack(&record, packed);
    return fedn__journal_add(service->journal, packed, bytes, key, on_noted, service);
}

static void on_written(const fedn__fold_result *result, const char *id, void *user_data)
{
    fedn__combiner_service *service = user_data;
    fedn__checkpoint *c = &service->checkpoint;

    if (service->stopping || !c->running || strcmp(c->id, id) != 0) {
        fedn__combiner_checkpoint_remove(service, id); /* of a round that is over */
        return;
    }
    if (result->status == FEDN_OK && note(service) == FEDN_OK)
        return;
    fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner",
                    "updates are kept although they are folded: %s",
                    result->status == FEDN_OK ? "out of memory" : result->err.message);
    c->running = 0;
}

void fedn__combiner_checkpoint(fedn__combiner_service *service, uint64_t update_bytes)
{
    fedn__checkpoint *c = &service->checkpoint;
    uint64_t kept = fedn__shelf_kept_bytes(service->shelf);

    uint64_t most = service->options.max_spool_bytes;
    int32_t is_due =
        kept >= service->options.checkpoint_bytes && kept / LEAST_MODELS >= update_bytes;

    int32_t is_full = most > 0 && kept >= most / 2;

    if (c->running || (!is_full && (!is_due || service->aggregates)))
        return;
    if (service->aggregates) {
        fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner",
                        "built-in aggregate: updates of %llu bytes are half of "
                        "combiner.max_spool_bytes and are not kept for the server function",
                        (unsigned long long)kept);
        fedn__combiner_keep_for_functions(service, 0);
    }
    fedn__uuid_new_text(c->id);
    char *path = fedn__shelf_partial_path(service->shelf, c->id);
    c->running =
        path && fedn__fold_checkpoint(service->fold, path, c->id, on_written, service) == FEDN_OK;
    if (c->running)
        c->retired = fedn__shelf_retire(service->shelf);
    fedn__free(path);
}

void fedn__combiner_checkpoint_end(fedn__combiner_service *service,
                                   char ret_ids[2][FEDN__UUID_TEXT])
{
    fedn__checkpoint *c = &service->checkpoint;

    memcpy(ret_ids[0], c->durable_id, sizeof c->durable_id);
    memcpy(ret_ids[1], c->running ? c->id : "", c->running ? sizeof c->id : 1);
    c->running = 0;
    c->durable_id[0] = 0;
}
