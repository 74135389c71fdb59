/* SPDX-License-Identifier: Apache-2.0
 * Partials into a model, a model into the trail. */
#include "roles/reducer/commit.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/text.h"
#include "roles/reducer/ledger.h"
#include "roles/reducer/retention.h"
#include <string.h>

void fedn__commit_merge(fedn__reducer_service *service, const fedn__reducer_action *action)
{
    char *path = fedn__tier_partial(service->tier, action->text);
    fedn_status rc =
        path ? fedn__merger_merge(service->merger, action->round->id, action->part, path)
             : FEDN_ERR_NOMEM;

    if (rc != FEDN_OK)
        fedn__reducer_engine_merged(service->engine, fedn__clock_ms(), action->round->id,
                                    action->part, rc, "out of memory at the reducer");
    fedn__free(path);
}

void fedn__commit_drop(fedn__reducer_service *service, const char *partial_id)
{
    char *path = fedn__fs_join(service->partials, partial_id);

    if (path)
        fedn__fs_unlink(path, NULL);
    fedn__free(path);
}

void fedn__commit_begin(fedn__reducer_service *service, const fedn__reducer_round *round)
{
    if (fedn__merger_finish(service->merger, round->id) != FEDN_OK)
        fedn__reducer_engine_committed(service->engine, fedn__clock_ms(), round->id, FEDN_ERR_NOMEM,
                                       "", "out of memory at the reducer");
}

void fedn__service_merged(void *user_data, const fedn__merge_result *result)
{
    fedn__reducer_service *service = user_data;

    if (service->stopping)
        return;
    service->course.merging += result->seconds;
    if (result->status != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_WARNING, "reducer",
                        "a partial of round %llu is not merged: %s",
                        (unsigned long long)result->round, result->err.message);
    fedn__reducer_engine_merged(service->engine, fedn__clock_ms(), result->round, result->part,
                                result->status, result->err.message);
    fedn__service_drain(service);
}

typedef struct commitment {
    fedn__reducer_service *service;
    uint64_t round;
    char model_id[FEDN__UUID_TEXT];
} commitment;

static void on_committed(void *user_data, fedn_status status, const fedn_error *err)
{
    commitment *done = user_data;
    fedn__reducer_service *service = done->service;

    if (status == FEDN_OK) {
        uint64_t place = service->trained_count++ % FEDN__TRAINED;
        memcpy(service->trained[place].model_id, done->model_id, FEDN__UUID_TEXT);
        service->trained[place].round = done->round;
        service->course.named++;
        fedn__retention_apply(service, done->model_id);
    }
    if (!service->stopping && (status == FEDN_OK || !service->closing)) {
        fedn__reducer_engine_committed(service->engine, fedn__clock_ms(), done->round, status,
                                       done->model_id, err->message);
        fedn__service_drain(service);
    }
    fedn__free(done);
}

/* Model, session and round in one transaction: the trail has no model without its round. */
static void record_commit(fedn__reducer_service *service, const fedn__merge_result *result)
{
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);
    const fedn__reducer_round *round = fedn__reducer_engine_round(service->engine);
    fedn__course *course = &service->course;
    commitment *done = fedn__alloc_zero(sizeof *done);
    fedn__ticket *ticket = done ? fedn__ticket_new(on_committed, done) : NULL;
    char *name = course->prefix
                     ? fedn__strf("%s_%llu", course->prefix, (unsigned long long)course->named + 1)
                     : NULL;

    if (!ticket || (course->prefix && !name)) {
        fedn__reducer_engine_committed(service->engine, fedn__clock_ms(), result->round,
                                       FEDN_ERR_NOMEM, "", "out of memory at the reducer");
        fedn__free(done);
    } else {
        done->service = service;
        done->round = result->round;
        memcpy(done->model_id, result->model_id, FEDN__UUID_TEXT);
        fedn__ticket_add(
            ticket, FEDN__RECORD_PUT, FEDN__KIND_MODEL, result->model_id,
            fedn__trail_model(result->model_id, name, round->model_id, session->session_id));
        fedn__ledger_session(service, ticket, result->model_id, round, 1);
        fedn__ledger_round(service, ticket, round, FEDN__ROUND_FINISHED);
        fedn__recorder_submit(service->recorder, ticket);
    }
    fedn__free(name);
}

/* Said once for each round; the engine has it tried again. */
static void complain(fedn__reducer_service *service, const fedn__merge_result *result)
{
    if (service->complained == result->round)
        return;
    service->complained = result->round;
    fedn__log_write(
        service->log, FEDN_LOG_ERROR, "reducer", "the model of round %llu cannot be stored: %s%s",
        (unsigned long long)result->round, result->err.message,
        result->status == FEDN_ERR_LIMIT && result->err.detail != 0 ? ": free space on its disk"
                                                                    : "");
}

void fedn__service_finished(void *user_data, const fedn__merge_result *result)
{
    fedn__reducer_service *service = user_data;
    const fedn__reducer_round *round = fedn__reducer_engine_round(service->engine);

    if (service->stopping || !round || round->id != result->round)
        return;
    service->course.committing = result->seconds;
    if (result->status != FEDN_OK)
        complain(service, result);
    if (result->status != FEDN_OK)
        fedn__reducer_engine_committed(service->engine, fedn__clock_ms(), result->round,
                                       result->status, "", result->err.message);
    else
        record_commit(service, result);
    fedn__service_drain(service);
}
