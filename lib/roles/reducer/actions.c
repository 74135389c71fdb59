/* SPDX-License-Identifier: Apache-2.0
 * What the engine decides, carried out: merges, records, orders, events. */
#include "roles/reducer/commit.h"
#include "roles/reducer/ledger.h"
#include "roles/reducer/orders.h"

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

static void on_session_changed(fedn__reducer_service *service)
{
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);
    json_t *event = fedn__trail_session_event(&service->course, session);
    fedn__ticket *ticket = NULL;

    if (session->status == FEDN__SESSION_STARTED) {
        fedn__events_add(service->events, session->session_id, event);
        ticket = fedn__ticket_new(NULL, NULL);
        fedn__ledger_run(service, ticket, NULL);
        fedn__ledger_session(service, ticket, session->model_id, NULL, 0);
    } else {
        ticket = fedn__ledger_farewell(service, session, event);
        fedn__ledger_run(service, ticket, session->model_id);
        fedn__ledger_session_end(service, ticket);
    }
    fedn__recorder_submit(service->recorder, ticket);
    fedn__log_write(service->log,
                    session->status == FEDN__SESSION_FAILED ? FEDN_LOG_WARNING : FEDN_LOG_INFO,
                    "reducer", "session %s: %s, %u of %u rounds%s%s", session->session_id,
                    fedn__session_status(session->status), (unsigned)session->done,
                    (unsigned)session->rounds, session->message[0] ? ": " : "", session->message);
}

/* ---- a round begins ---- */

/* What the round's orders and records are made of, and the aggregate. */
static void get_ready(fedn__reducer_service *service, const fedn__reducer_round *round)
{
    fedn__course *course = &service->course;
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);
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
        fedn__merger_round(service->merger, round->id, round->model_id, session->done == 0) !=
            FEDN_OK)
        complain(service, "a round begins without its settings");
}

/* Its record is written with that of who was asked, most often at once. */
static void on_round_opened(fedn__reducer_service *service, const fedn__reducer_round *round)
{
    get_ready(service, round);
    service->opened = round->id;
}

/* What combiners reported before the restart is in the record of the round. */
static void on_round_resumed(fedn__reducer_service *service, const fedn__reducer_round *round)
{
    const json_t *entry = NULL;
    size_t i = 0;

    get_ready(service, round);
    json_array_foreach(json_object_get(service->resumed_round, "combiners"), i, entry)
    {
        if (strcmp(fedn__json_string(entry, "status", ""), "Pending") != 0)
            json_object_set(service->course.entries, fedn__json_string(entry, "name", ""),
                            (json_t *)(uintptr_t)entry);
    }
}

/* Its partials are of no use any more. */
static void on_end_recorded(void *user_data, fedn_status status, const fedn_error *err)
{
    fedn__reducer_service *service = user_data;

    if (status == FEDN_OK)
        fedn__tier_sweep(service->tier);
    else
        fedn__log_write(service->log, FEDN_LOG_ERROR, "reducer",
                        "the end of a round could not be written: %s", err->message);
}

static void on_round_ended(fedn__reducer_service *service, const fedn__reducer_round *round)
{
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);
    fedn__ticket *ticket = NULL;

    fedn__loop_timer_cancel(service->loop, &service->round_timer);
    send_round_event(service, round);
    if (round->state == FEDN__ROUND_FINISHED) {
        fedn__tier_sweep(service->tier);
        return; /* its record was written with its model */
    }
    ticket = fedn__ticket_new(on_end_recorded, service);
    fedn__ledger_session(service, ticket, session->model_id, round, 0);
    fedn__ledger_round(service, ticket, round, round->state);
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
    case FEDN__REDUCER_ROUND_RESUMED:
        on_round_resumed(service, action->round);
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
        fedn__orders_start(service, action);
        break;
    case FEDN__REDUCER_SEND_CANCEL:
        fedn__orders_cancel(service, action);
        break;
    case FEDN__REDUCER_SEND_VALIDATE:
        fedn__orders_validate(service, action);
        break;
    case FEDN__REDUCER_MERGE:
        fedn__commit_merge(service, action);
        break;
    case FEDN__REDUCER_DROP:
        fedn__commit_drop(service, action->text);
        break;
    case FEDN__REDUCER_COMMIT:
        fedn__commit_begin(service, action->round);
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
    fedn__orders_flush(service);
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
