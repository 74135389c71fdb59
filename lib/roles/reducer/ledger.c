/* SPDX-License-Identifier: Apache-2.0
 * What has become of sessions and rounds, as records. */
#include "roles/reducer/ledger.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/text.h"
#include "roles/reducer/resumption.h"
#include <string.h>

/* The members that a running session changes; its name may be changed from outside meanwhile. */
static void add_session(fedn__reducer_service *service, fedn__ticket *ticket, const char *model_id,
                        int32_t status, const char *message, json_t *resumption)
{
    json_t *record = service->course.session;
    json_t *config = json_object_get(record, "session_config");
    const char *id = fedn__json_string(record, "session_id", "");

    /* a later start goes on from there */
    json_object_set_new(config, "model_id", json_string(model_id));
    fedn__ticket_add(ticket, FEDN__RECORD_PATCH, FEDN__KIND_SESSION, id,
                     json_pack("{s:s, s:s, s:s?, s:o, s:o}", "session_id", id, "status",
                               fedn__session_status(status), "message", *message ? message : NULL,
                               "session_config", json_deep_copy(config), FEDN__RESUMPTION,
                               resumption));
}

/* Who was asked last, for a restart between two rounds. */
static void note_combiners(fedn__course *course, const fedn__reducer_round *round)
{
    json_t *names = round && round->count ? json_array() : NULL;

    for (uint32_t i = 0; names && i < round->count; i++)
        json_array_append_new(names, json_string(round->parts[i].combiner->name));
    if (!names)
        return;
    json_decref(course->combiners);
    course->combiners = names;
}

void fedn__ledger_session(fedn__reducer_service *service, fedn__ticket *ticket,
                          const char *model_id, const fedn__reducer_round *round, int32_t committed)
{
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);

    note_combiners(&service->course, round);
    add_session(service, ticket, model_id, FEDN__SESSION_STARTED, "",
                fedn__resumption_of_session(&service->course, session, round, committed));
}

void fedn__ledger_session_end(fedn__reducer_service *service, fedn__ticket *ticket)
{
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);

    add_session(service, ticket, session->model_id, session->status, session->message, json_null());
}

void fedn__ledger_round(fedn__reducer_service *service, fedn__ticket *ticket,
                        const fedn__reducer_round *round, int32_t state)
{
    char id[FEDN__ROUND_ID_TEXT];
    json_t *record = fedn__trail_round(&service->course, round, state);
    json_t *resumption =
        state <= FEDN__ROUND_RUNNING ? fedn__resumption_of_round(round) : json_null();

    fedn__trail_round_id(round->id, id);
    if (record && json_object_set_new(record, FEDN__RESUMPTION, resumption) != 0) {
        json_decref(record);
        record = NULL;
    }
    fedn__ticket_add(ticket, FEDN__RECORD_PATCH, FEDN__KIND_ROUND, id, record);
}

void fedn__ledger_run(fedn__reducer_service *service, fedn__ticket *ticket, const char *model_id)
{
    char time[FEDN__TIME_TEXT];
    json_t *run = service->course.run;

    if (model_id) {
        fedn__text_iso_time(fedn__clock_wall_us(), time);
        json_object_set_new(run, "completed_at_model_id", json_string(model_id));
        json_object_set_new(run, "completed_at", json_string(time));
    }
    fedn__ticket_add(ticket, FEDN__RECORD_PUT, FEDN__KIND_RUN, service->course.run_id,
                     json_deep_copy(run));
}

typedef struct farewell {
    fedn__reducer_service *service;
    char session_id[FEDN__LIMIT_ID_BYTES + 1];
    json_t *event;
} farewell;

static void on_end_written(void *user_data, fedn_status status, const fedn_error *err)
{
    farewell *end = user_data;

    end->service->ends_owed--;
    if (status != FEDN_OK)
        fedn__log_write(end->service->log, FEDN_LOG_ERROR, "reducer",
                        "the end of session %s could not be written: %s", end->session_id,
                        err->message);
    fedn__events_add(end->service->events, end->session_id, end->event);
    fedn__free(end);
}

/* Whoever hears of the end finds it in the records. */
fedn__ticket *fedn__ledger_farewell(fedn__reducer_service *service,
                                    const fedn__reducer_session *session, json_t *event)
{
    farewell *end = fedn__alloc_zero(sizeof *end);
    fedn__ticket *ticket = end ? fedn__ticket_new(on_end_written, end) : NULL;

    if (!ticket) {
        json_decref(event);
        fedn__free(end);
        return NULL;
    }
    service->ends_owed++;
    end->service = service;
    end->event = event;
    memcpy(end->session_id, session->session_id, sizeof end->session_id);
    return ticket;
}
