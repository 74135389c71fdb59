/* SPDX-License-Identifier: Apache-2.0
 * What combiners say: greetings, rosters, records, progress, reports; into the engine, the store
 * and the event stream. On the loop. */
#include "roles/reducer/ledger.h"
#include "roles/reducer/messages.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/text.h"
#include <stdio.h>
#include <string.h>

/* Follows a message until its records are durable. */
typedef struct receipt {
    fedn__reducer_service *service;
    fedn__tier_link *link;
    uint64_t seq;
    uint32_t epoch;
    json_t *told; /* events that follow, see fedn__messages_tell_later(); NULL: none */
} receipt;

static void on_written(void *user_data, fedn_status status, const fedn_error *err)
{
    receipt *done = user_data;

    if (status != FEDN_OK)
        fedn__log_write(done->service->log, FEDN_LOG_ERROR, "reducer",
                        "records of combiner %s could not be written: %s",
                        done->link->combiner->name, err->message);
    if (status == FEDN_OK)
        fedn__messages_tell(done->service, done->told);
    if (!done->service->stopping)
        fedn__tier_written(done->link, done->epoch, done->seq, status);
    json_decref(done->told);
    fedn__free(done);
}

static fedn__ticket *new_receipt(fedn__reducer_service *service, fedn__tier_link *link,
                                 uint64_t seq, receipt **ret)
{
    receipt *fresh = fedn__alloc_zero(sizeof *fresh);
    fedn__ticket *ticket = fresh ? fedn__ticket_new(on_written, fresh) : NULL;

    if (!ticket) {
        fedn__free(fresh);
        return NULL;
    }
    *fresh = (receipt){service, link, seq, link->epoch, NULL};
    if (ret)
        *ret = fresh;
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

static void add_client(const fedn__tier_link *link, fedn__ticket *ticket,
                       const Fedn__Tier__V1__RosterChange *change, json_t *told)
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
    fedn__messages_tell_later(told, "",
                              json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "client", "client_id",
                                        change->client_id, "name", name, "combiner", combiner,
                                        "status", status));
}

static fedn__ticket *on_roster(fedn__reducer_service *service, fedn__tier_link *link,
                               const Fedn__Tier__V1__Roster *roster, uint64_t seq)
{
    receipt *fresh = NULL;
    fedn__ticket *ticket = new_receipt(service, link, seq, &fresh);

    if (fresh && roster->n_changes <= FEDN__LIMIT_ROSTER_EVENTS)
        fresh->told = json_array();
    for (size_t i = 0; i < roster->n_changes; i++)
        add_client(link, ticket, roster->changes[i], fresh ? fresh->told : NULL);
    fedn__reducer_engine_roster(service->engine, fedn__clock_ms(), link->combiner, roster->active);
    return ticket;
}

/* ---- records ---- */

static fedn__ticket *on_events(fedn__reducer_service *service, fedn__tier_link *link,
                               const Fedn__Tier__V1__Events *events, uint64_t seq)
{
    receipt *fresh = NULL;
    fedn__ticket *ticket = new_receipt(service, link, seq, &fresh);

    if (fresh)
        fresh->told = json_array();
    for (size_t i = 0; i < events->n_events; i++)
        fedn__messages_take(service, link->combiner->name, events->events[i], ticket,
                            fresh ? fresh->told : NULL);
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
    fedn__ticket *ticket = new_receipt(service, link, seq, NULL);
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
