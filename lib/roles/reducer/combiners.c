/* SPDX-License-Identifier: Apache-2.0
 * What combiners say: greetings, rosters, records, progress, reports; into the engine, the store
 * and the event stream. On the loop. */
#include "roles/reducer/ledger.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/text.h"
#include <stdio.h>
#include <string.h>

#define TELEMETRY_S     5  /* one record per client, key and so many seconds */
#define TELEMETRY_SLOTS 60 /* after which the oldest is written over */

/* Follows a message until its records are durable. */
typedef struct receipt {
    fedn__reducer_service *service;
    fedn__tier_link *link;
    uint64_t seq;
    uint32_t epoch;
} receipt;

static void on_written(void *user_data, fedn_status status, const fedn_error *err)
{
    receipt *done = user_data;

    if (status != FEDN_OK)
        fedn__log_write(done->service->log, FEDN_LOG_ERROR, "reducer",
                        "records of combiner %s could not be written: %s",
                        done->link->combiner->name, err->message);
    if (!done->service->stopping)
        fedn__tier_written(done->link, done->epoch, done->seq, status);
    fedn__free(done);
}

static fedn__ticket *new_receipt(fedn__reducer_service *service, fedn__tier_link *link,
                                 uint64_t seq)
{
    receipt *fresh = fedn__alloc_zero(sizeof *fresh);
    fedn__ticket *ticket = fresh ? fedn__ticket_new(on_written, fresh) : NULL;

    if (!ticket) {
        fedn__free(fresh);
        return NULL;
    }
    *fresh = (receipt){service, link, seq, link->epoch};
    return ticket;
}

/* ---- coming and going ---- */

static fedn_status on_attach(void *user_data, fedn__tier_link *link,
                             const fedn__reducer_hello *hello, int32_t *ret_resumed,
                             fedn_error *err)
{
    fedn__reducer_service *service = user_data;
    fedn__reducer_combiner *combiner = NULL;

    if (service->stopping)
        return fedn__error(err, FEDN_ERR_UNAVAILABLE, "the reducer is stopping");
    fedn_status rc = fedn__reducer_engine_attach(service->engine, fedn__clock_ms(), hello,
                                                 &combiner, ret_resumed, err);
    if (rc == FEDN_OK)
        link->combiner = combiner;
    return rc;
}

static void on_attached(void *user_data, fedn__tier_link *link, int32_t resumed)
{
    fedn__reducer_service *service = user_data;
    const char *id = link->combiner->combiner_id;
    fedn__ticket *ticket = fedn__ticket_new(NULL, NULL);

    fedn__ticket_add(ticket, FEDN__RECORD_RENAME, FEDN__KIND_COMBINER, id,
                     json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:i}", "combiner_id", id, "name",
                               link->combiner->name, "address", link->host, "fqdn",
                               link->fqdn[0] ? link->fqdn : NULL, "ip", link->ip, "parent",
                               "localhost", "port", (int)link->port));
    if (!resumed)
        fedn__ticket_add(ticket, FEDN__RECORD_OFFLINE, FEDN__KIND_CLIENT, link->combiner->name,
                         NULL);
    fedn__recorder_submit(service->recorder, ticket);
    fedn__log_write(service->log, FEDN_LOG_INFO, "reducer", "combiner %s is attached from %s%s",
                    link->combiner->name, link->ip, resumed ? " again" : "");
    fedn__service_drain(service);
}

static void on_detached(void *user_data, fedn__tier_link *link, uint64_t attachment)
{
    fedn__reducer_service *service = user_data;
    fedn__ticket *ticket = NULL;

    if (service->stopping)
        return;
    fedn__log_write(service->log, FEDN_LOG_INFO, "reducer", "combiner %s is gone",
                    link->combiner->name);
    ticket = fedn__ticket_new(NULL, NULL);
    fedn__ticket_add(ticket, FEDN__RECORD_OFFLINE, FEDN__KIND_CLIENT, link->combiner->name, NULL);
    fedn__recorder_submit(service->recorder, ticket);
    if (fedn__reducer_engine_detach(service->engine, fedn__clock_ms(), link->combiner,
                                    attachment) != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_ERROR, "reducer",
                        "combiner %s counts as attached: out of memory", link->combiner->name);
    fedn__service_drain(service);
}

/* ---- rosters ---- */

static void add_client(fedn__reducer_service *service, fedn__tier_link *link, fedn__ticket *ticket,
                       const Fedn__Tier__V1__RosterChange *change, int32_t tell)
{
    const char *status = change->online ? "online" : "offline";
    const char *combiner = link->combiner->name;
    const char *name = fedn__text_is_line(change->name, FEDN__LIMIT_NAME_BYTES) ? change->name : "";
    char seen[FEDN__TIME_TEXT];

    if (!fedn__text_is_line(change->client_id, FEDN__LIMIT_NAME_BYTES))
        return;
    fedn__text_iso_time(change->last_seen_ms > 0 && change->last_seen_ms < 253402300800000
                            ? change->last_seen_ms * 1000
                            : fedn__clock_wall_us(),
                        seen);
    json_t *patch = json_pack("{s:s, s:s, s:s, s:s}", "client_id", change->client_id, "combiner",
                              combiner, "status", status, "last_seen", seen);
    if (patch && *name)
        json_object_set_new(patch, "name", json_string(name));
    fedn__ticket_add(ticket, change->online ? FEDN__RECORD_PATCH : FEDN__RECORD_LEAVE,
                     FEDN__KIND_CLIENT, change->client_id, patch);
    if (tell)
        fedn__events_add(service->events, NULL,
                         json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "client", "client_id",
                                   change->client_id, "name", name, "combiner", combiner, "status",
                                   status));
}

static fedn__ticket *on_roster(fedn__reducer_service *service, fedn__tier_link *link,
                               const Fedn__Tier__V1__Roster *roster, uint64_t seq)
{
    fedn__ticket *ticket = new_receipt(service, link, seq);

    for (size_t i = 0; i < roster->n_changes; i++)
        add_client(service, link, ticket, roster->changes[i],
                   roster->n_changes <= FEDN__LIMIT_ROSTER_EVENTS);
    fedn__reducer_engine_roster(service->engine, fedn__clock_ms(), link->combiner, roster->active);
    return ticket;
}

/* ---- records ---- */

static const int32_t taken_kinds[] = {FEDN__KIND_STATUS,     FEDN__KIND_VALIDATION,
                                      FEDN__KIND_PREDICTION, FEDN__KIND_METRIC,
                                      FEDN__KIND_TELEMETRY,  FEDN__KIND_ATTRIBUTE};

static int32_t taken_kind(const char *entity)
{
    int32_t kind = fedn__kind_find(entity);

    for (uint32_t i = 0; i < sizeof taken_kinds / sizeof taken_kinds[0]; i++)
        if (taken_kinds[i] == kind)
            return kind;
    return -1;
}

/* The known fields of a record; those that the reducer stamps are its own. */
static json_t *known_fields(const fedn__kind *kind, const json_t *given)
{
    json_t *record = json_object();

    for (const fedn__kind_field *field = kind->fields; record && field->name; field++) {
        json_t *value = json_object_get(given, field->name);
        if (!value || field->type == FEDN__FIELD_DATE)
            continue;
        if (json_object_set(record, field->name, value) != 0) {
            json_decref(record);
            return NULL;
        }
    }
    return record;
}

void fedn__ledger_telemetry_id(const json_t *record, char id[FEDN__LIMIT_NAME_BYTES + 1])
{
    const char *client = fedn__json_string(json_object_get(record, "sender"), "client_id", "");
    const char *key = fedn__json_string(record, "key", "");
    int64_t slot = fedn__clock_wall_us() / 1000000 / TELEMETRY_S % TELEMETRY_SLOTS;

    int length = snprintf(id, FEDN__LIMIT_NAME_BYTES + 1, "%s.%s.%d", client, key, (int)slot);
    if (length > FEDN__LIMIT_NAME_BYTES || !fedn__text_is_line(id, FEDN__LIMIT_NAME_BYTES))
        fedn__uuid_new_text(id);
}

/* The id of a record: its own if it is fit for one. */
static void record_id(int32_t kind, const json_t *given, const json_t *record,
                      char id[FEDN__LIMIT_NAME_BYTES + 1])
{
    const char *key = fedn__kind_get(kind)->key;
    const char *own = fedn__json_string(given, "id", fedn__json_string(given, key, ""));

    if (kind == FEDN__KIND_TELEMETRY)
        fedn__ledger_telemetry_id(record, id);
    else if (fedn__text_is_line(own, FEDN__LIMIT_NAME_BYTES))
        snprintf(id, FEDN__LIMIT_NAME_BYTES + 1, "%s", own);
    else
        fedn__uuid_new_text(id);
}

static const char *round_of_model(const fedn__reducer_service *service, const char *model_id,
                                  char text[FEDN__ROUND_ID_TEXT])
{
    for (uint32_t i = 0; i < FEDN__TRAINED; i++) {
        if (service->trained[i].round == 0 || strcmp(service->trained[i].model_id, model_id) != 0)
            continue;
        fedn__trail_round_id(service->trained[i].round, text);
        return text;
    }
    return NULL;
}

static void tell_validation(fedn__reducer_service *service, const json_t *record)
{
    char round[FEDN__ROUND_ID_TEXT];
    const char *session = fedn__json_string(record, "session_id", "");
    const char *model = fedn__json_string(record, "model_id", "");

    fedn__events_add(service->events, *session ? session : NULL,
                     fedn__trail_validation_event(record, round_of_model(service, model, round)));
}

static void add_event(fedn__reducer_service *service, const fedn__tier_link *link,
                      fedn__ticket *ticket, const Fedn__Tier__V1__Event *event)
{
    int32_t kind = taken_kind(event->kind);
    char id[FEDN__LIMIT_NAME_BYTES + 1];
    json_t *given = NULL;
    fedn_error err = {0};
    fedn_status rc =
        kind < 0 ? fedn__error(&err, FEDN_ERR_INVALID, "kind \"%.64s\" is not taken", event->kind)
                 : fedn__json_parse(event->json, strlen(event->json), 0, "record", &given, &err);

    if (rc != FEDN_OK) {
        fedn__log_write(service->log, FEDN_LOG_WARNING, "reducer",
                        "a record of combiner %s is dropped: %s", link->combiner->name,
                        err.message);
        return;
    }
    const char *key = fedn__kind_get(kind)->key;
    json_t *record = known_fields(fedn__kind_get(kind), given);
    record_id(kind, given, record, id);
    if (record && !json_object_get(record, key))
        json_object_set_new(record, key, json_string(id));
    if (kind == FEDN__KIND_VALIDATION)
        tell_validation(service, record);
    if (kind == FEDN__KIND_PREDICTION)
        fedn__events_add(service->events, NULL, fedn__trail_prediction_event(record));
    fedn__ticket_add(ticket, FEDN__RECORD_PUT, kind, id, record);
    json_decref(given);
}

static fedn__ticket *on_events(fedn__reducer_service *service, fedn__tier_link *link,
                               const Fedn__Tier__V1__Events *events, uint64_t seq)
{
    fedn__ticket *ticket = new_receipt(service, link, seq);

    for (size_t i = 0; i < events->n_events; i++)
        add_event(service, link, ticket, events->events[i]);
    return ticket;
}

/* ---- rounds ---- */

static void on_progress(fedn__reducer_service *service, fedn__tier_link *link,
                        const Fedn__Tier__V1__RoundProgress *progress)
{
    fedn__reducer_report report = {.partial_id = "",
                                   .error = "",
                                   .expected = progress->asked,
                                   .accepted = progress->accepted,
                                   .refused = progress->refused,
                                   .failed = progress->failed};

    if (fedn__text_to_u64(progress->round_id, &report.round))
        fedn__reducer_engine_progress(service->engine, fedn__clock_ms(), link->combiner, &report);
}

/* A report of very many clients does not list them all. */
static void count_outcomes(const Fedn__Tier__V1__RoundReport *from, fedn__reducer_report *to)
{
    if (from->n_clients < from->expected) {
        to->accepted = from->accepted;
        to->refused = from->refused;
        to->failed = from->failed;
        return;
    }
    for (size_t i = 0; i < from->n_clients; i++) {
        const char *outcome = from->clients[i]->outcome;
        to->accepted += strcmp(outcome, "accepted") == 0;
        to->refused += strcmp(outcome, "refused") == 0;
        to->failed += strcmp(outcome, "failed") == 0 || strcmp(outcome, "lost") == 0;
    }
    if (from->n_clients == 0)
        to->accepted = from->count;
}

/* What the message says, as the engine takes it; `partial` and `error` hold its texts. */
static fedn__reducer_report read_report(const fedn__tier_link *link,
                                        const Fedn__Tier__V1__RoundReport *from,
                                        char partial[FEDN__UUID_TEXT],
                                        char error[FEDN__REASON_TEXT])
{
    fedn__reducer_report report = {
        .partial_id = partial, .error = error, .expected = from->expected};
    fedn__uuid uuid;

    partial[0] = 0;
    snprintf(error, FEDN__REASON_TEXT, "%s", from->error);
    fedn__text_to_line(error);
    if (*from->partial_id && fedn__uuid_parse(from->partial_id, &uuid))
        fedn__uuid_format(&uuid, partial);
    if (*from->partial_id && !(partial[0] && fedn__tier_has_partial(link, partial))) {
        partial[0] = 0;
        snprintf(error, FEDN__REASON_TEXT, "its report names a partial that it did not upload");
    }
    count_outcomes(from, &report);
    if (!fedn__text_to_u64(from->round_id, &report.round))
        report.round = 0;
    return report;
}

/* It is acknowledged when what it has led to is recorded; one that is not taken when what the one
 * before it has led to is. */
static fedn__ticket *on_report(fedn__reducer_service *service, fedn__tier_link *link,
                               const Fedn__Tier__V1__RoundReport *from, uint64_t seq)
{
    char partial[FEDN__UUID_TEXT];
    char error[FEDN__REASON_TEXT];
    fedn__reducer_report report = read_report(link, from, partial, error);
    fedn__ticket *ticket = new_receipt(service, link, seq);
    int32_t taken = 0;

    if (fedn__reducer_engine_report(service->engine, fedn__clock_ms(), link->combiner, &report,
                                    &taken) != FEDN_OK)
        fedn__ticket_break(ticket);
    if (taken)
        json_object_set_new(service->course.entries, link->combiner->name,
                            fedn__trail_entry(from, link->combiner->name, service->course.task));
    const fedn__reducer_round *round = fedn__reducer_engine_round(service->engine);
    /* while it is being committed only what made it so: its end may be on its way to the records */
    int32_t open =
        round && round->id == report.round &&
        (round->state <= FEDN__ROUND_RUNNING || (round->state == FEDN__ROUND_COMMITTING && taken));
    if (open) {
        fedn__ledger_round(service, ticket, round, FEDN__ROUND_RUNNING);
        fedn__recorder_submit(service->recorder, ticket);
    }
    fedn__service_drain(service); /* which records the end of a round that is over by it */
    if (!open)
        fedn__recorder_submit(service->recorder, ticket);
    return ticket;
}

static int32_t on_message(void *user_data, fedn__tier_link *link, const Fedn__Tier__V1__Up *message)
{
    fedn__reducer_service *service = user_data;
    fedn__ticket *ticket = NULL;
    int32_t records = 0;

    if (service->stopping)
        return 0;
    switch (message->body_case) {
    case FEDN__TIER__V1__UP__BODY_ROSTER:
        ticket = on_roster(service, link, message->roster, message->seq);
        records = 1;
        break;
    case FEDN__TIER__V1__UP__BODY_EVENTS:
        ticket = on_events(service, link, message->events, message->seq);
        records = 1;
        break;
    case FEDN__TIER__V1__UP__BODY_PROGRESS:
        on_progress(service, link, message->progress);
        break;
    case FEDN__TIER__V1__UP__BODY_REPORT:
        return on_report(service, link, message->report, message->seq) != NULL;
    default:
        break;
    }
    if (records)
        fedn__recorder_submit(service->recorder, ticket);
    fedn__service_drain(service);
    return ticket != NULL;
}

static void on_upload(void *user_data, fedn__tier_link *link, int32_t running)
{
    fedn__reducer_service *service = user_data;

    if (service->stopping)
        return;
    fedn__reducer_engine_upload(service->engine, fedn__clock_ms(), link->combiner, running);
    fedn__service_drain(service);
}

static int32_t is_busy(void *user_data)
{
    const fedn__reducer_service *service = user_data;
    return fedn__recorder_backlog(service->recorder) > FEDN__LIMIT_BACKLOG;
}

const fedn__tier_events fedn__service_tier_events = {.attach = on_attach,
                                                     .attached = on_attached,
                                                     .detached = on_detached,
                                                     .message = on_message,
                                                     .upload = on_upload,
                                                     .is_busy = is_busy};
