/* SPDX-License-Identifier: Apache-2.0
 * What of a combiner's round outlives its process, written to the journal as it happens. replay.c
 * takes it up again. */
#include "roles/combiner/service.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "fedn_journal.pb-c.h"
#include "roles/combiner/round_start.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fedn_status pack(const Fedn__Journal__V1__Record *record, uint8_t **ret, uint64_t *ret_bytes)
{
    *ret_bytes = fedn__journal__v1__record__get_packed_size(record);
    *ret = fedn__alloc(*ret_bytes);
    if (!*ret)
        return FEDN_ERR_NOMEM;
    fedn__journal__v1__record__pack(record, *ret);
    return FEDN_OK;
}

/* Of what is in memory the journal keeps the bytes, of a file its name. */
static fedn_status inline_bytes(fedn__blob *blob, ProtobufCBinaryData *ret)
{
    const uint8_t *data = NULL;

    if (fedn__blob_fd(blob) >= 0)
        return FEDN_OK;
    fedn_status rc = fedn__blob_map(blob, &data, NULL);
    *ret = (ProtobufCBinaryData){fedn__blob_bytes(blob), (uint8_t *)(uintptr_t)data};
    return rc;
}

static void on_retired(const char *key, void *user_data)
{
    fedn__combiner_service *service = user_data;

    fedn__shelf_forget(service->shelf, strtoull(key, NULL, 10));
    const char *ids = strchr(key, ' ') + 1;
    char id[FEDN__UUID_TEXT];
    for (uint32_t i = 0; i < 2 && strlen(ids) >= FEDN__UUID_TEXT - 1; i++) {
        memcpy(id, ids, FEDN__UUID_TEXT - 1);
        id[FEDN__UUID_TEXT - 1] = 0;
        fedn__combiner_checkpoint_remove(service, id);
        ids += FEDN__UUID_TEXT - 1;
    }
}

/* The journal begins anew: with `record`, or with none. What the last round kept goes after it. */
static fedn_status begin_anew(fedn__combiner_service *service, const uint8_t *record,
                              uint64_t bytes)
{
    char ids[2][FEDN__UUID_TEXT];
    char retired[24 + 2 * FEDN__UUID_TEXT];

    fedn__combiner_checkpoint_end(service, ids);
    snprintf(retired, sizeof retired, "%llu %s%s",
             (unsigned long long)fedn__shelf_retire(service->shelf), ids[0], ids[1]);
    return fedn__journal_begin(service->journal, record, bytes, retired, on_retired, service);
}

/* Everything that a Begin points to. */
typedef struct beginning {
    Fedn__Tier__V1__RoundStart start;
    char *recent_ids[FEDN__LIMIT_STALENESS + 1];
    uint8_t digest[FEDN__DIGEST_BYTES];
    Fedn__Journal__V1__Begin begin;
    Fedn__Journal__V1__Asked *asked;
    Fedn__Journal__V1__Asked **asked_places;
    Fedn__Journal__V1__Counted *counted;
    Fedn__Journal__V1__Counted **counted_places;
    Fedn__Journal__V1__Model recent[FEDN__LIMIT_STALENESS + 1];
    Fedn__Journal__V1__Model *recent_places[FEDN__LIMIT_STALENESS + 1];
    uint8_t recent_digests[FEDN__LIMIT_STALENESS + 1][FEDN__DIGEST_BYTES];
    fedn__blob *recent_blobs[FEDN__LIMIT_STALENESS + 1];
} beginning;

static void beginning_free(beginning *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->begin.n_recent; i++)
        fedn__blob_unref(b->recent_blobs[i]);
    fedn__free(b->asked);
    fedn__free(b->asked_places);
    fedn__free(b->counted);
    fedn__free(b->counted_places);
    fedn__free(b);
}

static fedn_status fill_asked(fedn__combiner_service *service, beginning *b)
{
    uint32_t count = 0;
    fedn__participant *const *clients = fedn__combiner_engine_asked(service->engine, &count);

    b->asked = fedn__alloc_array(count + 1, sizeof *b->asked);
    b->asked_places = fedn__alloc_array(count + 1, sizeof *b->asked_places);
    if (!b->asked || !b->asked_places)
        return FEDN_ERR_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        fedn__journal__v1__asked__init(&b->asked[i]);
        b->asked[i].client_id = clients[i]->id;
        b->asked[i].name = clients[i]->name;
        b->asked[i].task_id = clients[i]->task_id;
        b->asked_places[i] = &b->asked[i];
    }
    b->begin.asked = b->asked_places;
    b->begin.n_asked = count;
    return FEDN_OK;
}

/* In an asynchronous session a repeated update is told by the one that counted last. */
static fedn_status fill_counted(fedn__combiner_service *service, beginning *b)
{
    const fedn__roster *roster = fedn__combiner_engine_roster(service->engine);
    size_t count = 0;

    b->counted = fedn__alloc_array(roster->count + 1, sizeof *b->counted);
    b->counted_places = fedn__alloc_array(roster->count + 1, sizeof *b->counted_places);
    if (!b->counted || !b->counted_places)
        return FEDN_ERR_NOMEM;
    for (uint32_t list = 0; list < 2; list++) {
        for (fedn__participant *c = roster->lists[list].oldest; c; c = c->newer) {
            if (!c->counted_id[0])
                continue;
            fedn__journal__v1__counted__init(&b->counted[count]);
            b->counted[count].client_id = c->id;
            b->counted[count].update_id = c->counted_id;
            b->counted_places[count] = &b->counted[count];
            count++;
        }
    }
    b->begin.counted = b->counted_places;
    b->begin.n_counted = count;
    return FEDN_OK;
}

static fedn_status fill_recent(fedn__combiner_service *service, beginning *b)
{
    const fedn__round_plan *plan = fedn__combiner_engine_plan(service->engine);
    fedn_status rc = FEDN_OK;

    b->begin.recent = b->recent_places;
    for (uint32_t i = 1; rc == FEDN_OK && i < plan->recent_count; i++) {
        size_t at = b->begin.n_recent;
        Fedn__Journal__V1__Model *model = &b->recent[at];
        if (fedn__shelf_model(service->shelf, plan->recent[i], &b->recent_blobs[at], NULL) !=
            FEDN_OK)
            continue; /* of before this combiner took part */
        b->begin.n_recent++;
        fedn__journal__v1__model__init(model);
        model->model_id = plan->recent[i];
        b->recent_places[at] = model;
        model->digest = (ProtobufCBinaryData){FEDN__DIGEST_BYTES, b->recent_digests[at]};
        rc = fedn__blob_digest(b->recent_blobs[at], b->recent_digests[at], NULL);
        if (rc == FEDN_OK)
            rc = inline_bytes(b->recent_blobs[at], &model->model);
    }
    return rc;
}

static fedn_status fill_begin(fedn__combiner_service *service, fedn__blob *global, beginning *b)
{
    const fedn__round_plan *plan = fedn__combiner_engine_plan(service->engine);

    fedn__journal__v1__begin__init(&b->begin);
    fedn__round_start_write(plan, b->recent_ids, &b->start);
    b->begin.round = &b->start;
    b->begin.model_digest = (ProtobufCBinaryData){sizeof b->digest, b->digest};
    fedn_status rc = fedn__blob_digest(global, b->digest, NULL);
    if (rc == FEDN_OK)
        rc = inline_bytes(global, &b->begin.model);
    if (rc == FEDN_OK)
        rc = fill_asked(service, b);
    if (rc == FEDN_OK && plan->async)
        rc = fill_counted(service, b);
    return rc == FEDN_OK && plan->async ? fill_recent(service, b) : rc;
}

static fedn_status pack_begin(fedn__combiner_service *service, fedn__blob *global, uint8_t **ret,
                              uint64_t *ret_bytes, fedn_error *err)
{
    Fedn__Journal__V1__Record record = FEDN__JOURNAL__V1__RECORD__INIT;
    beginning *b = fedn__alloc_zero(sizeof *b);
    fedn_status rc = b ? fill_begin(service, global, b) : FEDN_ERR_NOMEM;

    if (rc == FEDN_OK) {
        record.body_case = FEDN__JOURNAL__V1__RECORD__BODY_BEGIN;
        record.begin = &b->begin;
        rc = pack(&record, ret, ret_bytes);
    }
    beginning_free(b);
    return rc == FEDN_OK ? rc
                         : fedn__error(err, rc, "the round cannot be written down: %s",
                                       fedn_status_string(rc));
}

fedn_status fedn__combiner_write_begin(fedn__combiner_service *service, fedn__blob *global,
                                       fedn_error *err)
{
    uint8_t *record = NULL;
    uint64_t bytes = 0;
    fedn_status rc = pack_begin(service, global, &record, &bytes, err);

    if (rc == FEDN_OK && begin_anew(service, record, bytes) != FEDN_OK)
        rc = fedn__error_nomem(err);
    fedn__free(record);
    return rc;
}

/* "<update id> <client id>" */
static void on_written(const char *key, void *user_data)
{
    fedn__combiner_service *service = user_data;
    char update_id[FEDN__UUID_TEXT];

    if (service->stopping)
        return;
    memcpy(update_id, key, FEDN__UUID_TEXT - 1);
    update_id[FEDN__UUID_TEXT - 1] = 0;
    (void)fedn__combiner_engine_journaled(service->engine, fedn__clock_ms(), key + FEDN__UUID_TEXT,
                                          update_id);
    fedn__combiner_service_drain(service);
}

static fedn_status add_update(fedn__combiner_service *service, const fedn__participant *client)
{
    Fedn__Journal__V1__Accept accept = FEDN__JOURNAL__V1__ACCEPT__INIT;
    Fedn__Journal__V1__Record record = FEDN__JOURNAL__V1__RECORD__INIT;
    uint8_t *packed = NULL;
    uint64_t bytes = 0;
    char *key = fedn__strf("%s %s", client->update_id, client->id);
    fedn_status rc = key ? FEDN_OK : FEDN_ERR_NOMEM;

    record.body_case = FEDN__JOURNAL__V1__RECORD__BODY_ACCEPT;
    record.accept = &accept;
    accept.client_id = client->id;
    accept.update_id = (char *)(uintptr_t)client->update_id;
    accept.num_examples = client->num_examples;
    accept.model_id = (char *)(uintptr_t)client->base_id;
    accept.training_metadata = (char *)(uintptr_t) "";
    if (fedn__shelf_description(service->shelf, client->update_id))
        accept.training_metadata =
            (char *)(uintptr_t)fedn__shelf_description(service->shelf, client->update_id);
    accept.digest =
        (ProtobufCBinaryData){sizeof client->digest, (uint8_t *)(uintptr_t)client->digest};
    if (rc == FEDN_OK)
        rc = inline_bytes(fedn__shelf_take(service->shelf, client->update_id), &accept.model);
    if (rc == FEDN_OK)
        rc = pack(&record, &packed, &bytes);
    if (rc == FEDN_OK)
        rc = fedn__journal_add(service->journal, packed, bytes, key, on_written, service);
    fedn__free(packed);
    fedn__free(key);
    return rc;
}

void fedn__combiner_write_update(fedn__combiner_service *service, const fedn__participant *client)
{
    if (add_update(service, client) != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_ERROR, "combiner",
                        "update %s is not acknowledged: out of memory", client->update_id);
    uint64_t bytes = fedn__blob_bytes(fedn__shelf_take(service->shelf, client->update_id));
    fedn__shelf_keep(service->shelf, client->update_id);
    fedn__combiner_checkpoint(service, bytes);
}

static void on_closed(const char *key, void *user_data)
{
    fedn__combiner_partial_may_go(user_data, key);
}

fedn_status fedn__combiner_write_close(fedn__combiner_service *service, const char *round_id)
{
    Fedn__Journal__V1__Close close = FEDN__JOURNAL__V1__CLOSE__INIT;
    Fedn__Journal__V1__Record record = FEDN__JOURNAL__V1__RECORD__INIT;
    uint8_t *packed = NULL;
    uint64_t bytes = 0;

    close.round_id = (char *)(uintptr_t)round_id;
    record.body_case = FEDN__JOURNAL__V1__RECORD__BODY_CLOSE;
    record.close = &close;
    fedn_status rc = pack(&record, &packed, &bytes);
    if (rc == FEDN_OK)
        rc = fedn__journal_add(service->journal, packed, bytes, round_id, on_closed, service);
    fedn__free(packed);
    return rc;
}

/* Between two rounds of an asynchronous session: a Begin of nothing but who counted last. */
static fedn_status pack_counted(fedn__combiner_service *service, uint8_t **ret, uint64_t *ret_bytes)
{
    Fedn__Journal__V1__Record record = FEDN__JOURNAL__V1__RECORD__INIT;
    beginning *b = fedn__alloc_zero(sizeof *b);
    fedn_status rc = FEDN_ERR_NOMEM;

    if (b) {
        fedn__journal__v1__begin__init(&b->begin);
        rc = fill_counted(service, b);
    }
    if (rc == FEDN_OK) {
        record.body_case = FEDN__JOURNAL__V1__RECORD__BODY_BEGIN;
        record.begin = &b->begin;
        rc = pack(&record, ret, ret_bytes);
    }
    beginning_free(b);
    return rc;
}

void fedn__combiner_write_end(fedn__combiner_service *service)
{
    uint8_t *record = NULL;
    uint64_t bytes = 0;
    fedn_status rc = FEDN_OK;

    if (fedn__combiner_engine_plan(service->engine)->async)
        rc = pack_counted(service, &record, &bytes);
    if (rc == FEDN_OK)
        rc = begin_anew(service, record, bytes);
    fedn__free(record);
    if (rc != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner",
                        "the journal is emptied with the next round: out of memory");
}
