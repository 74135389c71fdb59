/* SPDX-License-Identifier: Apache-2.0
 * Messages between a combiner and the tier above: orders that come, changes and reports that go. */
#include "roles/combiner/service.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "roles/combiner/round_start.h"
#include <stdio.h>
#include <string.h>

#define PACE_MS      100
#define MOST_CHANGES 1000                             /* in one roster message */
#define REPORT_BYTES (2 * FEDN__MIB - 64 * FEDN__KIB) /* of the clients in a report */
#define FIELD_BYTES  4                                /* before each of them */

static fedn_status send_up(fedn__combiner_service *service, const Fedn__Tier__V1__Up *up,
                           const char *what)
{
    fedn_status rc = fedn__uplink_send(service->uplink, up);

    if (rc != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_ERROR, "combiner", "%s is not sent: %s", what,
                        fedn_status_string(rc));
    return rc;
}

/* ---- roster ---- */

static void fill_change(const fedn__combiner_service *service, const char *client_id,
                        Fedn__Tier__V1__RosterChange *change, int64_t now_ms)
{
    const fedn__participant *client =
        fedn__roster_find(fedn__combiner_engine_roster(service->engine), client_id);

    fedn__tier__v1__roster_change__init(change);
    change->client_id = (char *)(uintptr_t)client_id;
    if (!client)
        return;
    change->name = client->name;
    change->online = client->online;
    change->last_seen_ms = fedn__clock_wall_us() / 1000 - (now_ms - client->last_seen_ms);
}

/* All that changed, in messages of bounded size. What cannot be sent now stays changed. */
static fedn_status send_changes(fedn__combiner_service *service,
                                Fedn__Tier__V1__RosterChange *changes,
                                Fedn__Tier__V1__RosterChange **places)
{
    int64_t now = fedn__clock_ms();
    uint64_t place = 0;
    const char *id = NULL;
    int32_t more = 1;
    fedn_status rc = FEDN_OK;
    Fedn__Tier__V1__Roster message = FEDN__TIER__V1__ROSTER__INIT;
    Fedn__Tier__V1__Up up = FEDN__TIER__V1__UP__INIT;

    up.body_case = FEDN__TIER__V1__UP__BODY_ROSTER;
    up.roster = &message;
    message.active = fedn__combiner_engine_roster(service->engine)->online;
    message.changes = places;
    while (more && rc == FEDN_OK) {
        more = fedn__map_next(&service->changed, &place, &id, NULL);
        if (more) {
            fill_change(service, id, &changes[message.n_changes], now);
            places[message.n_changes] = &changes[message.n_changes];
            message.n_changes++;
        }
        if (!more || message.n_changes == MOST_CHANGES) {
            rc = send_up(service, &up, "the roster");
            message.n_changes = 0;
        }
    }
    if (rc == FEDN_OK)
        fedn__map_done(&service->changed);
    return rc;
}

static void send_roster(fedn__combiner_service *service)
{
    Fedn__Tier__V1__RosterChange *changes = fedn__alloc_array(MOST_CHANGES, sizeof *changes);
    Fedn__Tier__V1__RosterChange **places = fedn__alloc_array(MOST_CHANGES, sizeof *places);

    if (!changes || !places || send_changes(service, changes, places) != FEDN_OK)
        service->roster_pacer.dirty = 1; /* with the next change */
    fedn__free(changes);
    fedn__free(places);
}

static void send_progress(fedn__combiner_service *service)
{
    const fedn__round_plan *plan = fedn__combiner_engine_plan(service->engine);
    fedn__combiner_counts counts = fedn__combiner_engine_counts(service->engine);
    Fedn__Tier__V1__RoundProgress message = FEDN__TIER__V1__ROUND_PROGRESS__INIT;
    Fedn__Tier__V1__Up up = FEDN__TIER__V1__UP__INIT;

    if (fedn__combiner_engine_is_idle(service->engine))
        return; /* the report has said it all */
    message.session_id = (char *)(uintptr_t)plan->session_id;
    message.round_id = (char *)(uintptr_t)plan->round_id;
    message.asked = counts.asked;
    message.accepted = counts.accepted;
    message.refused = counts.refused;
    message.failed = counts.failed;
    up.body_case = FEDN__TIER__V1__UP__BODY_PROGRESS;
    up.progress = &message;
    (void)send_up(service, &up, "the progress of the round");
}

/* ---- pacing: the first change goes at once, later ones together ---- */

static void pace(fedn__combiner_service *service, fedn__pacer *pacer,
                 void (*send)(fedn__combiner_service *))
{
    int64_t now = fedn__clock_ms();

    pacer->dirty = 1;
    if (pacer->timer.place != 0 || !fedn__uplink_is_up(service->uplink))
        return;
    int64_t due = pacer->sent_at_ms + PACE_MS;
    if (due > now && fedn__loop_timer_set(service->loop, &pacer->timer, due * 1000000) == FEDN_OK)
        return;
    pacer->dirty = 0; /* which sending may take back */
    pacer->sent_at_ms = now;
    send(service);
}

static void on_roster_due(fedn__timer *timer, void *user_data)
{
    fedn__combiner_service *service = user_data;

    (void)timer;
    if (service->roster_pacer.dirty)
        pace(service, &service->roster_pacer, send_roster);
}

static void on_progress_due(fedn__timer *timer, void *user_data)
{
    fedn__combiner_service *service = user_data;

    (void)timer;
    if (service->progress_pacer.dirty)
        pace(service, &service->progress_pacer, send_progress);
}

void fedn__combiner_pacers_init(fedn__combiner_service *service)
{
    service->roster_pacer.timer.fn = on_roster_due;
    service->roster_pacer.timer.user_data = service;
    service->progress_pacer.timer.fn = on_progress_due;
    service->progress_pacer.timer.user_data = service;
    fedn__map_init(&service->changed);
}

void fedn__combiner_note_roster(fedn__combiner_service *service, const fedn__participant *client)
{
    if (fedn__map_set(&service->changed, client->id, service) == FEDN_OK)
        pace(service, &service->roster_pacer, send_roster);
}

void fedn__combiner_note_progress(fedn__combiner_service *service)
{
    pace(service, &service->progress_pacer, send_progress);
}

/* ---- the report of a round ---- */

static void fill_outcome(const fedn__participant *client, Fedn__Tier__V1__ClientOutcome *outcome)
{
    fedn__tier__v1__client_outcome__init(outcome);
    outcome->client_id = client->id;
    outcome->name = client->name;
    outcome->outcome = (char *)(uintptr_t)fedn__outcome_name(client->outcome);
    outcome->reason = (char *)(uintptr_t)client->reason;
    outcome->num_examples = client->num_examples;
    outcome->staleness = client->staleness;
    outcome->seconds = (double)(client->answered_at_ms - client->asked_at_ms) / 1000;
}

/* What became of each client: those first whose update does not count, with the reason, and as many
 * as the message has room for. */
static void fill_clients(fedn__participant *const *clients, uint32_t asked,
                         Fedn__Tier__V1__ClientOutcome *outcomes,
                         Fedn__Tier__V1__RoundReport *report)
{
    uint64_t bytes = 0;

    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < asked; i++) {
            if ((clients[i]->outcome == FEDN__OUTCOME_ACCEPTED) != (pass == 1))
                continue;
            Fedn__Tier__V1__ClientOutcome *outcome = &outcomes[report->n_clients];
            fill_outcome(clients[i], outcome);
            if (outcome->seconds > report->seconds_training)
                report->seconds_training = outcome->seconds;
            bytes += fedn__tier__v1__client_outcome__get_packed_size(outcome) + FIELD_BYTES;
            if (bytes <= REPORT_BYTES)
                report->clients[report->n_clients++] = outcome;
        }
    }
}

static void fill_report(const fedn__combiner_service *service, const char *error,
                        Fedn__Tier__V1__RoundReport *report)
{
    const fedn__round_plan *plan = fedn__combiner_engine_plan(service->engine);
    const fedn__handover *handover = service->handover;
    fedn__combiner_counts counts = fedn__combiner_engine_counts(service->engine);

    report->session_id = (char *)(uintptr_t)plan->session_id;
    report->round_id = (char *)(uintptr_t)plan->round_id;
    report->expected = counts.asked;
    report->required = plan->clients_required;
    report->accepted = counts.accepted;
    report->refused = counts.refused;
    report->failed = counts.failed;
    if (error)
        report->error = (char *)(uintptr_t)error;
    if (!error && handover && strcmp(handover->round_id, plan->round_id) == 0) {
        report->partial_id = (char *)(uintptr_t)handover->partial_id;
        report->weight = handover->folded.weight;
        report->count = (uint32_t)handover->folded.count;
        report->seconds_aggregation = handover->folded.seconds;
    }
}

void fedn__combiner_send_report(fedn__combiner_service *service, const char *error)
{
    uint32_t asked = 0;
    fedn__participant *const *clients = fedn__combiner_engine_asked(service->engine, &asked);
    Fedn__Tier__V1__ClientOutcome *outcomes = fedn__alloc_array(asked, sizeof *outcomes);
    Fedn__Tier__V1__ClientOutcome **places = fedn__alloc_array(asked, sizeof *places);
    Fedn__Tier__V1__RoundReport report = FEDN__TIER__V1__ROUND_REPORT__INIT;
    Fedn__Tier__V1__Up up = FEDN__TIER__V1__UP__INIT;

    report.clients = places;
    fill_report(service, error, &report);
    if (outcomes && places)
        fill_clients(clients, asked, outcomes, &report);
    up.body_case = FEDN__TIER__V1__UP__BODY_REPORT;
    up.report = &report;
    fedn_status rc = fedn__uplink_send_report(service->uplink, &up);
    snprintf(service->reported, sizeof service->reported, "%s",
             rc == FEDN_OK ? report.round_id : "");
    if (rc != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_ERROR, "combiner",
                        "the report of round %s is not sent: %s", report.round_id,
                        fedn_status_string(rc));
    fedn__log_write(service->log, error ? FEDN_LOG_WARNING : FEDN_LOG_INFO, "combiner",
                    "round %s of session %s: %u of %u updates%s%s", report.round_id,
                    report.session_id, (unsigned)report.count, (unsigned)asked, error ? ": " : "",
                    error ? error : "");
    fedn__free(outcomes);
    fedn__free(places);
}

/* A round that cannot even be begun. */
static void decline(fedn__combiner_service *service, const Fedn__Tier__V1__RoundStart *start,
                    fedn_status status)
{
    Fedn__Tier__V1__RoundReport report = FEDN__TIER__V1__ROUND_REPORT__INIT;
    Fedn__Tier__V1__Up up = FEDN__TIER__V1__UP__INIT;

    report.session_id = start->session_id;
    report.round_id = start->round_id;
    report.error = (char *)(uintptr_t)fedn_status_string(status);
    up.body_case = FEDN__TIER__V1__UP__BODY_REPORT;
    up.report = &report;
    (void)send_up(service, &up, "the report of a round");
}

/* ---- orders from above ---- */

static fedn_status round_start(fedn__combiner_service *service,
                               const Fedn__Tier__V1__RoundStart *start)
{
    fedn__round_plan plan = {0};

    fedn_status rc = fedn__round_start_read(start, &plan);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_round_start(service->engine, fedn__clock_ms(), &plan);
    fedn__round_plan_done(&plan);
    if (rc != FEDN_OK)
        decline(service, start, rc);
    return rc;
}

static fedn_status model_task(fedn__combiner_service *service,
                              const Fedn__Tier__V1__ModelTask *order)
{
    fedn__model_task task = {.type = order->type};
    fedn_status rc = fedn__copy_id(order->session_id, task.session_id, sizeof task.session_id);

    if (rc == FEDN_OK &&
        (order->type == FEDN__STATUS_TYPE__MODEL_UPDATE ||
         !protobuf_c_enum_descriptor_get_value(&fedn__status_type__descriptor, order->type)))
        rc = FEDN_ERR_PROTOCOL;
    if (rc == FEDN_OK)
        rc = fedn__copy_model_id(order->model_id, task.model_id);
    if (rc == FEDN_OK && !(task.data = fedn__strdup(order->data)))
        rc = FEDN_ERR_NOMEM;
    if (rc == FEDN_OK)
        rc = fedn__selection_copy((const char *const *)order->selected_clients,
                                  order->n_selected_clients, &task.selected);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_model_task(service->engine, fedn__clock_ms(), &task);
    fedn__model_task_done(&task);
    return rc;
}

void fedn__combiner_from_above(void *user_data, const Fedn__Tier__V1__Down *message)
{
    fedn__combiner_service *service = user_data;
    fedn_status rc = FEDN_OK;

    switch (message->body_case) {
    case FEDN__TIER__V1__DOWN__BODY_START:
        rc = round_start(service, message->start);
        break;
    case FEDN__TIER__V1__DOWN__BODY_CANCEL:
        rc = fedn__combiner_engine_round_cancel(service->engine, fedn__clock_ms(),
                                                message->cancel->session_id,
                                                message->cancel->round_id);
        break;
    case FEDN__TIER__V1__DOWN__BODY_TASK:
        rc = model_task(service, message->task);
        break;
    default:
        break;
    }
    if (rc != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_ERROR, "combiner",
                        "an order of the reducer is not carried out: %s", fedn_status_string(rc));
    fedn__combiner_service_drain(service);
}

void fedn__combiner_report_taken(void *user_data)
{
    fedn__combiner_service *service = user_data;

    (void)fedn__combiner_engine_report_taken(service->engine, service->reported);
    fedn__combiner_service_drain(service);
}

const char *fedn__combiner_held_round(void *user_data)
{
    const fedn__combiner_service *service = user_data;

    return fedn__combiner_engine_held_round(service->engine);
}

void fedn__combiner_link_up(void *user_data)
{
    fedn__combiner_service *service = user_data;
    const fedn__roster *roster = fedn__combiner_engine_roster(service->engine);

    for (const fedn__participant *c = fedn__roster_oldest(roster); c; c = c->newer)
        if (c->online && fedn__map_set(&service->changed, c->id, service) != FEDN_OK)
            fedn__log_write(service->log, FEDN_LOG_ERROR, "combiner",
                            "the reducer does not hear of client %s: out of memory", c->id);
    service->roster_pacer.dirty = 0;
    send_roster(service);
    if (service->progress_pacer.dirty)
        pace(service, &service->progress_pacer, send_progress);
    fedn__combiner_retry_models(service);
}
