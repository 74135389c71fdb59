/* SPDX-License-Identifier: Apache-2.0
 * What HTTP handlers ask of the loop: each call runs there while the handler's thread waits. */
#include "roles/reducer/ledger.h"

#include "core/alloc.h"
#include "core/buffer.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/text.h"
#include <fedn/version.h>
#include <stdio.h>
#include <string.h>

/* ---- a client's combiner ---- */

typedef struct assigning {
    fedn__reducer_service *service;
    const char *preferred;
    fedn__assignment *ret;
    int32_t found;
} assigning;

static void do_assign(void *arg)
{
    assigning *call = arg;
    fedn__reducer_combiner *combiner =
        fedn__reducer_engine_choose(call->service->engine, call->preferred);
    const fedn__tier_link *link = combiner ? fedn__tier_find(call->service->tier, combiner) : NULL;

    if (!link)
        return;
    call->found = 1;
    call->ret->port = link->port;
    snprintf(call->ret->name, sizeof call->ret->name, "%s", combiner->name);
    snprintf(call->ret->host, sizeof call->ret->host, "%s", link->host);
    snprintf(call->ret->fqdn, sizeof call->ret->fqdn, "%s", link->fqdn);
}

fedn_status fedn__service_assign(fedn__reducer_service *service, const char *preferred,
                                 fedn__assignment *ret, fedn_error *err)
{
    assigning call = {service, preferred, ret, 0};

    fedn__loop_call(service->loop, do_assign, &call);
    return call.found ? FEDN_OK : fedn__error(err, FEDN_ERR_UNAVAILABLE, "No combiner available.");
}

/* ---- starting and stopping a session ---- */

typedef struct beginning {
    fedn__reducer_service *service;
    fedn__session_order *order;
    fedn_status status;
    fedn_error *err;
} beginning;

static void do_begin(void *arg)
{
    beginning *call = arg;
    fedn__reducer_service *service = call->service;
    const json_t *config = json_object_get(call->order->record, "session_config");

    if (fedn__reducer_engine_is_running(service->engine)) {
        call->status = fedn__error(call->err, FEDN_ERR_STATE, "A session is already running!");
        return;
    }
    call->status = fedn__merger_session(service->merger, call->order->aggregator,
                                        fedn__json_string(config, "helper_type", "numpyhelper"),
                                        call->order->run_id);
    if (call->status != FEDN_OK) {
        fedn__error_nomem(call->err);
        return;
    }
    call->order->aggregator = NULL;
    fedn__order_take(service, call->order);
    call->status = fedn__reducer_engine_start(service->engine, fedn__clock_ms(),
                                              &call->order->session, call->err);
    fedn__service_drain(service);
}

fedn_status fedn__service_begin(fedn__reducer_service *service, fedn__session_order *order,
                                fedn_error *err)
{
    beginning call = {service, order, FEDN_OK, err};

    fedn__loop_call(service->loop, do_begin, &call);
    return call.status;
}

typedef struct ending {
    fedn__reducer_service *service;
    const char *session_id;
    fedn_status status;
} ending;

/* Its commit goes on, and the end follows, if need be after a restart. */
static void note_stop(fedn__reducer_service *service)
{
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);
    fedn__ticket *ticket = fedn__ticket_new(NULL, NULL);

    fedn__ledger_session(service, ticket, session->model_id,
                         fedn__reducer_engine_round(service->engine), 0);
    fedn__recorder_submit(service->recorder, ticket);
}

static void do_end(void *arg)
{
    ending *call = arg;

    call->status = fedn__reducer_engine_stop(call->service->engine, fedn__clock_ms(),
                                             call->session_id, "terminated on request");
    if (call->status == FEDN_OK && fedn__reducer_engine_is_running(call->service->engine))
        note_stop(call->service);
    fedn__service_drain(call->service);
}

fedn_status fedn__service_end(fedn__reducer_service *service, const char *session_id)
{
    ending call = {service, session_id, FEDN_OK};

    fedn__loop_call(service->loop, do_end, &call);
    return call.status;
}

/* ---- writing a record ---- */

typedef struct writing {
    fedn__reducer_service *service;
    fedn__ticket *ticket;
    fedn__flag done;
    int32_t patient; /* waits while the store cannot be written */
    fedn_status status;
    fedn_error *err;
} writing;

static void on_written(void *user_data, fedn_status status, const fedn_error *err)
{
    writing *call = user_data;

    call->status = status;
    if (status != FEDN_OK && call->err)
        *call->err = *err;
    fedn__flag_set(&call->done);
}

static void do_write(void *arg)
{
    writing *call = arg;

    if (call->patient)
        fedn__recorder_submit(call->service->recorder, call->ticket);
    else
        fedn__recorder_try(call->service->recorder, call->ticket);
}

static fedn_status submit_and_wait(writing *call)
{
    if (!call->ticket)
        return fedn__error_nomem(call->err);
    fedn__flag_init(&call->done);
    fedn__loop_call(call->service->loop, do_write, call);
    fedn__flag_wait(&call->done, INT64_MAX);
    fedn__flag_done(&call->done);
    return call->status;
}

fedn_status fedn__service_write(fedn__reducer_service *service, int32_t op, int32_t kind,
                                const char *id, json_t *document, fedn_error *err)
{
    writing call = {.service = service, .err = err};

    call.ticket = fedn__ticket_new(on_written, &call);
    fedn__ticket_add(call.ticket, op, kind, id, document);
    return submit_and_wait(&call);
}

fedn_status fedn__service_flush(fedn__reducer_service *service, fedn_error *err)
{
    writing call = {.service = service, .patient = 1, .err = err};

    call.ticket = fedn__ticket_new(on_written, &call);
    return submit_and_wait(&call);
}

/* ---- what goes on ---- */

static const char *state_of(const fedn__reducer_engine *engine)
{
    if (!fedn__reducer_engine_is_running(engine))
        return "idle";
    return fedn__reducer_engine_round(engine)->state == FEDN__ROUND_WAITING ? "instructing"
                                                                            : "monitoring";
}

static void round_message(const fedn__reducer_session *session, const fedn__reducer_round *round,
                          char text[FEDN__REASON_TEXT])
{
    uint32_t open = 0;

    for (uint32_t i = 0; i < round->count; i++)
        open += round->parts[i].state == FEDN__PART_ASKED;
    if (round->state == FEDN__ROUND_WAITING)
        snprintf(text, FEDN__REASON_TEXT, "round %u of %u %.300s", (unsigned)round->number,
                 (unsigned)session->rounds, session->message);
    else if (open > 0)
        snprintf(text, FEDN__REASON_TEXT, "round %u of %u waits for %u of %u combiners",
                 (unsigned)round->number, (unsigned)session->rounds, (unsigned)open,
                 (unsigned)round->count);
    else
        snprintf(text, FEDN__REASON_TEXT, "round %u of %u is being merged", (unsigned)round->number,
                 (unsigned)session->rounds);
}

static json_t *combiner_status(const fedn__reducer_service *service,
                               const fedn__reducer_combiner *combiner)
{
    const fedn__tier_link *link = fedn__tier_find(service->tier, combiner);
    char since[FEDN__TIME_TEXT];

    fedn__text_iso_time(link->since_us, since);
    return json_pack("{s:s, s:s, s:i, s:b, s:I, s:s, s:s}", "name", combiner->name, "address",
                     link->host, "port", (int)link->port, "online", combiner->attachment != 0,
                     "active_clients", (json_int_t)(combiner->attachment ? combiner->active : 0),
                     "since", since, "version", link->version);
}

typedef struct looking {
    fedn__reducer_service *service;
    json_t *status;
    const char *state;
} looking;

static void do_status(void *arg)
{
    looking *call = arg;
    const fedn__reducer_service *service = call->service;
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);
    json_t *combiners = json_array();
    json_t *running = NULL;
    fedn__reducer_combiner *combiner = NULL;
    char message[FEDN__REASON_TEXT] = "";

    for (uint32_t i = 0;
         combiners && (combiner = fedn__reducer_engine_combiner(service->engine, i)); i++)
        json_array_append_new(combiners, combiner_status(service, combiner));
    if (fedn__reducer_engine_is_running(service->engine)) {
        running = fedn__trail_session_event(&service->course, session);
        json_object_del(running, "type");
        round_message(session, fedn__reducer_engine_round(service->engine), message);
    }
    call->status =
        json_pack("{s:s, s:{s:s, s:s, s:f}, s:o, s:o?, s:s}", "state", state_of(service->engine),
                  "reducer", "name", fedn__config_string(service->config, "reducer.network_id"),
                  "version", fedn_version_string(), "uptime_s",
                  (double)(fedn__clock_wall_us() - service->began_us) / 1e6, "combiners", combiners,
                  "session", running, "message", message);
}

json_t *fedn__service_status(fedn__reducer_service *service)
{
    looking call = {.service = service};

    fedn__loop_call(service->loop, do_status, &call);
    return call.status;
}

static void do_state(void *arg)
{
    looking *call = arg;
    call->state = state_of(call->service->engine);
}

const char *fedn__service_state(fedn__reducer_service *service)
{
    looking call = {.service = service};

    fedn__loop_call(service->loop, do_state, &call);
    return call.state;
}

/* ---- the beginning of an event stream ---- */

typedef struct snapping {
    fedn__reducer_service *service;
    const char *session_id;
    uint64_t seq;
    int32_t told; /* of the session */
    fedn__buffer text;
    fedn_status status;
} snapping;

static void add_line(snapping *call, json_t *event)
{
    char *line = fedn__events_line(call->seq, event);

    if (!line)
        call->status = FEDN_ERR_NOMEM;
    else if (call->status == FEDN_OK)
        call->status = fedn__buffer_add_text(&call->text, line);
    fedn__free(line);
}

static void do_snapshot(void *arg)
{
    snapping *call = arg;
    const fedn__reducer_service *service = call->service;
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);
    fedn__reducer_combiner *combiner = NULL;

    call->seq = fedn__events_last(service->events);
    for (uint32_t i = 0; (combiner = fedn__reducer_engine_combiner(service->engine, i)); i++)
        add_line(call, fedn__trail_combiner_event(combiner));
    int32_t named =
        call->session_id && session && strcmp(call->session_id, session->session_id) == 0;
    if (!named && (call->session_id || !fedn__reducer_engine_is_running(service->engine)))
        return;
    call->told = 1;
    if (service->ends_owed > 0 && !fedn__reducer_engine_is_running(service->engine))
        return; /* the event of its end follows */
    add_line(call, fedn__trail_session_event(&service->course, session));
    if (fedn__reducer_engine_is_running(service->engine))
        add_line(call, fedn__trail_round_event(session, fedn__reducer_engine_round(service->engine),
                                               fedn__clock_ms()));
}

/* A session that ended long ago, or has not begun: whoever follows it is told how it stands. */
static void add_recorded(snapping *call)
{
    json_t *record = NULL;
    json_t *id = json_string(call->session_id);
    json_t *finished = json_string("Finished");
    const fedn__filter filters[] = {{"round_config.session_id", FEDN__OP_EQ, id},
                                    {"status", FEDN__OP_EQ, finished}};
    const fedn__query query = {.filters = filters, .filter_count = 2};
    uint64_t rounds = 0;

    if (id && finished &&
        fedn__store_list(call->service->store, FEDN__KIND_ROUND, &query, NULL, &rounds, NULL) ==
            FEDN_OK &&
        fedn__store_get(call->service->store, FEDN__KIND_SESSION, call->session_id, &record,
                        NULL) == FEDN_OK)
        add_line(call, fedn__trail_recorded_event(record, rounds));
    json_decref(record);
    json_decref(finished);
    json_decref(id);
}

fedn_status fedn__service_snapshot(fedn__reducer_service *service, const char *session_id,
                                   char **ret, uint64_t *ret_seq)
{
    snapping call = {.service = service, .session_id = session_id};

    fedn__buffer_init(&call.text, FEDN__LIMIT_EVENT_BYTES);
    fedn__loop_call(service->loop, do_snapshot, &call);
    if (session_id && !call.told)
        add_recorded(&call);
    *ret = call.status == FEDN_OK ? fedn__buffer_take(&call.text) : NULL;
    *ret_seq = call.seq;
    fedn__buffer_done(&call.text);
    return *ret ? FEDN_OK : FEDN_ERR_NOMEM;
}
