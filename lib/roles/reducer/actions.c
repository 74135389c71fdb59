/* SPDX-License-Identifier: Apache-2.0
 * What the engine decides, carried out: messages to combiners, merges, records, events. */
#include "roles/reducer/service.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/text.h"
#include "roles/reducer/pace.h"
#include "roles/reducer/plan.h"
#include <stdio.h>
#include <string.h>

#define ROUND_EVENT_MS 100 /* between two events of a round that goes on */

static void complain(fedn__reducer_service *service, const char *what)
{
    fedn__log_write(service->log, FEDN_LOG_ERROR, "reducer", "%s: out of memory", what);
}

/* ---- events ---- */

static void send_round_event(fedn__reducer_service *service, const fedn__reducer_round *round)
{
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);

    service->round_dirty = 0;
    service->round_event_ms = fedn__clock_ms();
    fedn__events_add(service->events, session->session_id,
                     fedn__trail_round_event(session, round, service->round_event_ms));
}

static void on_round_timer(fedn__timer *timer, void *user_data)
{
    fedn__reducer_service *service = user_data;
    const fedn__reducer_round *round = fedn__reducer_engine_round(service->engine);

    (void)timer;
    if (service->round_dirty && round && !round->ended_ms)
        send_round_event(service, round);
}

/* Its start at once, then at most ten a second while the round goes on. */
static void note_round(fedn__reducer_service *service, const fedn__reducer_round *round)
{
    int64_t due = service->round_event_ms + ROUND_EVENT_MS;
    int32_t begins = service->announced != round->id && round->state == FEDN__ROUND_RUNNING;

    service->round_dirty = 1;
    if (begins)
        service->announced = round->id;
    else if (service->round_timer.place != 0)
        return;
    if (!begins && due > fedn__clock_ms() &&
        fedn__loop_timer_set(service->loop, &service->round_timer, due * 1000000) == FEDN_OK)
        return;
    send_round_event(service, round);
}

/* ---- records ---- */

/* The members that a running session changes; its name may be changed from outside meanwhile. */
static void add_session(fedn__reducer_service *service, fedn__ticket *ticket, const char *model_id,
                        int32_t status, const char *message)
{
    json_t *record = service->course.session;
    json_t *config = json_object_get(record, "session_config");
    const char *id = fedn__json_string(record, "session_id", "");

    /* a later start goes on from there */
    json_object_set_new(config, "model_id", json_string(model_id));
    fedn__ticket_add(ticket, FEDN__RECORD_PATCH, FEDN__KIND_SESSION, id,
                     json_pack("{s:s, s:s, s:s?, s:o}", "session_id", id, "status",
                               fedn__session_status(status), "message", *message ? message : NULL,
                               "session_config", json_deep_copy(config)));
}

static void add_run(fedn__reducer_service *service, fedn__ticket *ticket, const char *model_id)
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

static void add_round(fedn__reducer_service *service, fedn__ticket *ticket,
                      const fedn__reducer_round *round, int32_t state)
{
    char id[FEDN__ROUND_ID_TEXT];

    fedn__trail_round_id(round->id, id);
    fedn__ticket_add(ticket, FEDN__RECORD_PATCH, FEDN__KIND_ROUND, id,
                     fedn__trail_round(&service->course, round, state));
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

/* Whoever hears of a session's end finds it in the records: the event follows them. */
static fedn__ticket *new_farewell(fedn__reducer_service *service,
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

static void on_session_changed(fedn__reducer_service *service)
{
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);
    json_t *event = fedn__trail_session_event(&service->course, session);
    fedn__ticket *ticket = NULL;

    if (session->status == FEDN__SESSION_STARTED) {
        fedn__events_add(service->events, session->session_id, event);
        ticket = fedn__ticket_new(NULL, NULL);
        add_run(service, ticket, NULL);
    } else {
        ticket = new_farewell(service, session, event);
        add_run(service, ticket, session->model_id);
    }
    add_session(service, ticket, session->model_id, session->status, session->message);
    fedn__recorder_submit(service->recorder, ticket);
    fedn__log_write(service->log,
                    session->status == FEDN__SESSION_FAILED ? FEDN_LOG_WARNING : FEDN_LOG_INFO,
                    "reducer", "session %s: %s, %u of %u rounds%s%s", session->session_id,
                    fedn__session_status(session->status), (unsigned)session->done,
                    (unsigned)session->rounds, session->message[0] ? ": " : "", session->message);
}

/* ---- a round begins ---- */

static void on_round_opened(fedn__reducer_service *service, const fedn__reducer_round *round)
{
    fedn__course *course = &service->course;
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);
    fedn__ticket *ticket = fedn__ticket_new(NULL, NULL);
    char id[FEDN__ROUND_ID_TEXT];

    fedn__trail_round_id(round->id, id);
    json_decref(course->round_config);
    json_decref(course->entries);
    fedn__free(course->task_text);
    course->merging = 0;
    course->committing = 0;
    course->entries = json_object();
    course->round_config =
        fedn__plan_round(json_object_get(course->session, "session_config"), session->session_id,
                         id, round->model_id, course->client_ids);
    json_t *task = course->round_config ? fedn__plan_task(course->round_config) : NULL;
    course->task_text = task ? fedn__json_text(task) : NULL;
    json_decref(course->task);
    course->task = task;
    if (!course->task_text || !course->entries ||
        fedn__pace_note_model(course, round->model_id) != FEDN_OK ||
        fedn__merger_round(service->merger, round->id, round->model_id) != FEDN_OK)
        complain(service, "a round begins without its settings");
    add_round(service, ticket, round, round->state);
    fedn__recorder_submit(service->recorder, ticket);
}

static char **selected_clients(const json_t *ids, size_t *ret_count)
{
    char **list = fedn__alloc_array(json_array_size(ids) + 1, sizeof *list);
    const json_t *id = NULL;
    size_t i = 0;

    *ret_count = list ? json_array_size(ids) : 0;
    json_array_foreach(ids, i, id)
    {
        if (list)
            list[i] = (char *)(uintptr_t)json_string_value(id);
    }
    return list;
}

static void send_start(fedn__reducer_service *service, const fedn__reducer_action *action)
{
    const fedn__course *course = &service->course;
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);
    const json_t *config = json_object_get(course->session, "session_config");
    fedn__tier_link *link = fedn__tier_find(service->tier, action->combiner);
    Fedn__Tier__V1__RoundStart start = FEDN__TIER__V1__ROUND_START__INIT;
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;
    char id[FEDN__ROUND_ID_TEXT];
    char *recent[FEDN__LIMIT_STALENESS + 1];
    char *kwargs = fedn__plan_kwargs(config);

    fedn__trail_round_id(action->round->id, id);
    start.session_id = (char *)(uintptr_t)session->session_id;
    start.round_id = id;
    start.model_id = (char *)(uintptr_t)action->round->model_id;
    start.aggregator = (char *)(uintptr_t)fedn__json_string(config, "aggregator", "fedavg");
    start.aggregator_kwargs = kwargs;
    start.clients_required = session->clients_required;
    start.buffer_size = (int32_t)fedn__json_integer(config, "buffer_size", -1);
    start.round_timeout_ms =
        (uint32_t)(session->round_timeout_ms < UINT32_MAX ? session->round_timeout_ms : UINT32_MAX);
    fedn__pace_fill(course, config, recent, &start);
    start.selected_clients = selected_clients(course->client_ids, &start.n_selected_clients);
    start.helper_type = (char *)(uintptr_t)fedn__json_string(config, "helper_type", "");
    start.round_config = course->task_text;
    down.body_case = FEDN__TIER__V1__DOWN__BODY_START;
    down.start = &start;
    /* without memory for the message the round goes on without this combiner, at its time-out */
    if (kwargs && start.selected_clients && course->task_text)
        fedn__tier_send(link, &down);
    else
        complain(service, "a combiner is not asked");
    fedn__free(start.selected_clients);
    fedn__free(kwargs);
}

static void send_cancel(fedn__reducer_service *service, const fedn__reducer_action *action)
{
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);
    Fedn__Tier__V1__RoundCancel cancel = FEDN__TIER__V1__ROUND_CANCEL__INIT;
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;
    char id[FEDN__ROUND_ID_TEXT];

    fedn__trail_round_id(action->round_id, id);
    cancel.session_id = (char *)(uintptr_t)session->session_id;
    cancel.round_id = id;
    cancel.reason = (char *)(uintptr_t)action->text;
    down.body_case = FEDN__TIER__V1__DOWN__BODY_CANCEL;
    down.cancel = &cancel;
    fedn__tier_send(fedn__tier_find(service->tier, action->combiner), &down);
}

static void send_validate(fedn__reducer_service *service, const fedn__reducer_action *action)
{
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);
    Fedn__Tier__V1__ModelTask task = FEDN__TIER__V1__MODEL_TASK__INIT;
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;
    char id[FEDN__ROUND_ID_TEXT];

    fedn__trail_round_id(action->round->id, id);
    task.session_id = (char *)(uintptr_t)session->session_id;
    task.round_id = id;
    task.model_id = (char *)(uintptr_t)action->text;
    task.type = 4; /* fedn.StatusType.MODEL_VALIDATION */
    task.selected_clients = selected_clients(service->course.client_ids, &task.n_selected_clients);
    down.body_case = FEDN__TIER__V1__DOWN__BODY_TASK;
    down.task = &task;
    fedn__tier_send(fedn__tier_find(service->tier, action->combiner), &down);
    fedn__free(task.selected_clients);
}

/* ---- merging and committing ---- */

static void merge(fedn__reducer_service *service, const fedn__reducer_action *action)
{
    fedn__tier_link *link =
        fedn__tier_find(service->tier, action->round->parts[action->part].combiner);
    char *path = fedn__tier_partial(link, action->text);
    fedn_status rc =
        path ? fedn__merger_merge(service->merger, action->round->id, action->part, path)
             : FEDN_ERR_NOMEM;

    if (rc != FEDN_OK)
        fedn__reducer_engine_merged(service->engine, fedn__clock_ms(), action->round->id,
                                    action->part, rc, "out of memory at the reducer");
    fedn__free(path);
}

static void drop(fedn__reducer_service *service, const char *partial_id)
{
    char *path = fedn__fs_join(service->partials, partial_id);

    if (path)
        fedn__fs_unlink(path, NULL);
    fedn__free(path);
}

static void commit(fedn__reducer_service *service, const fedn__reducer_round *round)
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
    }
    if (!service->stopping) {
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
        add_session(service, ticket, result->model_id, session->status, "");
        add_round(service, ticket, round, FEDN__ROUND_FINISHED);
        fedn__recorder_submit(service->recorder, ticket);
    }
    fedn__free(name);
}

void fedn__service_finished(void *user_data, const fedn__merge_result *result)
{
    fedn__reducer_service *service = user_data;
    const fedn__reducer_round *round = fedn__reducer_engine_round(service->engine);

    if (service->stopping || !round || round->id != result->round)
        return;
    service->course.committing = result->seconds;
    if (result->status != FEDN_OK)
        fedn__reducer_engine_committed(service->engine, fedn__clock_ms(), result->round,
                                       result->status, "", result->err.message);
    else
        record_commit(service, result);
    fedn__service_drain(service);
}

static void on_round_ended(fedn__reducer_service *service, const fedn__reducer_round *round)
{
    fedn__ticket *ticket = NULL;

    fedn__loop_timer_cancel(service->loop, &service->round_timer);
    send_round_event(service, round);
    if (round->state == FEDN__ROUND_FINISHED)
        return; /* its record was written with its model */
    ticket = fedn__ticket_new(NULL, NULL);
    add_round(service, ticket, round, round->state);
    fedn__recorder_submit(service->recorder, ticket);
    fedn__log_write(service->log, FEDN_LOG_WARNING, "reducer", "round %llu: %s: %s",
                    (unsigned long long)round->id, fedn__round_status(round->state),
                    round->message);
}

/* ---- all of them ---- */

static void act(fedn__reducer_service *service, const fedn__reducer_action *action)
{
    switch (action->type) {
    case FEDN__REDUCER_ROUND_OPENED:
        on_round_opened(service, action->round);
        break;
    case FEDN__REDUCER_ROUND_CHANGED:
        if (!action->round->ended_ms)
            note_round(service, action->round);
        break;
    case FEDN__REDUCER_ROUND_ENDED:
        on_round_ended(service, action->round);
        break;
    case FEDN__REDUCER_SESSION_CHANGED:
        on_session_changed(service);
        break;
    case FEDN__REDUCER_SEND_START:
        send_start(service, action);
        break;
    case FEDN__REDUCER_SEND_CANCEL:
        send_cancel(service, action);
        break;
    case FEDN__REDUCER_SEND_VALIDATE:
        send_validate(service, action);
        break;
    case FEDN__REDUCER_MERGE:
        merge(service, action);
        break;
    case FEDN__REDUCER_DROP:
        drop(service, action->text);
        break;
    case FEDN__REDUCER_COMMIT:
        commit(service, action->round);
        break;
    default:
        fedn__events_add(service->events, NULL, fedn__trail_combiner_event(action->combiner));
        break;
    }
}

void fedn__service_drain(fedn__reducer_service *service)
{
    fedn__reducer_action action;

    if (service->draining || service->stopping)
        return; /* an action's own event: the loop below goes on with what it added */
    service->draining = 1;
    while (fedn__reducer_engine_next(service->engine, &action))
        act(service, &action);
    service->draining = 0;
    int64_t deadline = fedn__reducer_engine_deadline(service->engine);
    if (deadline == INT64_MAX)
        fedn__loop_timer_cancel(service->loop, &service->timer);
    else
        fedn__loop_timer_set(service->loop, &service->timer, deadline * 1000000);
}

static void on_timer(fedn__timer *timer, void *user_data)
{
    fedn__reducer_service *service = user_data;

    (void)timer;
    fedn__reducer_engine_tick(service->engine, fedn__clock_ms());
    fedn__service_drain(service);
}

void fedn__service_timers_init(fedn__reducer_service *service)
{
    service->timer.fn = on_timer;
    service->timer.user_data = service;
    service->round_timer.fn = on_round_timer;
    service->round_timer.user_data = service;
}
