/* SPDX-License-Identifier: Apache-2.0
 * The shell of a combiner: starting, stopping, and carrying out the engine's actions. */
#include "roles/combiner/service.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include "rpc/parts.h"
#include <math.h>
#include <string.h>

#define RETRY_MS INT64_C(100) /* after a lack of memory */

/* ---- the engine's actions ---- */

static void on_begun(const fedn__fold_result *result, const char *round_id, void *user_data)
{
    fedn__combiner_service *service = user_data;

    if (result->status == FEDN_OK || service->stopping)
        return;
    fedn__combiner_engine_begin_failed(service->engine, fedn__clock_ms(), round_id,
                                       result->err.message);
    fedn__combiner_service_drain(service);
}

static fedn_status resume_aggregate(fedn__combiner_service *service, const fedn__round_plan *plan)
{
    char *path = fedn__shelf_partial_path(service->shelf, service->checkpoint.durable_id);
    fedn_status rc = path
                         ? fedn__fold_resume(service->fold, path, plan->round_id, on_begun, service)
                         : FEDN_ERR_NOMEM;

    fedn__free(path);
    return rc;
}

static void begin(fedn__combiner_service *service, int32_t resumed)
{
    const fedn__round_plan *plan = fedn__combiner_engine_plan(service->engine);
    fedn__blob *global = NULL;
    fedn_error err = {0};

    if (!plan->server_functions)
        fedn__combiner_keep_for_functions(service, 0);
    fedn__shelf_pin_models(service->shelf, plan->recent, plan->recent_count);
    fedn_status rc = fedn__shelf_model(service->shelf, plan->model_id, &global, &err);
    if (rc == FEDN_OK && !resumed)
        rc = fedn__combiner_write_begin(service, global, &err);
    if (rc == FEDN_OK)
        rc = fedn__fold_begin(service->fold, plan->aggregator, plan->aggregator_kwargs,
                              plan->helper_type, global, plan->round_id, on_begun, service);
    if (rc == FEDN_OK && resumed && service->checkpoint.durable_id[0])
        rc = resume_aggregate(service, plan);
    if (rc != FEDN_OK)
        fedn__combiner_engine_begin_failed(service->engine, fedn__clock_ms(), plan->round_id,
                                           rc == FEDN_ERR_NOMEM ? "out of memory" : err.message);
    fedn__blob_unref(global);
}

typedef struct folding {
    fedn__combiner_service *service;
    char client_id[];
} folding;

static void on_folded(const fedn__fold_result *result, const char *update_id, void *user_data)
{
    folding *f = user_data;
    fedn__combiner_service *service = f->service;

    if (!service->stopping) {
        fedn__combiner_engine_folded(service->engine, fedn__clock_ms(), f->client_id, update_id,
                                     result->status == FEDN_OK ? NULL : result->err.message);
        fedn__combiner_service_drain(service);
    }
    fedn__shelf_folded(service->shelf, update_id); /* which may be kept by now */
    fedn__free(f);
}

/* What an update of an earlier model is moved by. */
typedef struct bases {
    fedn__blob *base;
    fedn__blob *global;
} bases;

static fedn_status find_bases(fedn__combiner_service *service, const fedn__participant *client,
                              bases *ret, fedn_error *err)
{
    const fedn__round_plan *plan = fedn__combiner_engine_plan(service->engine);

    *ret = (bases){0};
    if (client->staleness == 0)
        return FEDN_OK;
    fedn_status rc = fedn__shelf_model(service->shelf, client->base_id, &ret->base, err);
    if (rc == FEDN_OK)
        rc = fedn__shelf_model(service->shelf, plan->model_id, &ret->global, err);
    return rc;
}

/* Its examples, and less the more models ago it started: the polynomial of FedAsync (Xie et al.
 * 2019). */
static double weight_of(const fedn__combiner_service *service, const fedn__participant *client)
{
    const fedn__round_plan *plan = fedn__combiner_engine_plan(service->engine);

    if (client->staleness == 0)
        return client->num_examples;
    return client->num_examples * pow(1.0 + client->staleness, -plan->staleness_exponent);
}

static void fold(fedn__combiner_service *service, const fedn__participant *client)
{
    size_t bytes = strlen(client->id) + 1;
    folding *f = fedn__alloc(sizeof *f + bytes);
    fedn__blob *update = fedn__shelf_take(service->shelf, client->update_id);
    fedn_error err = {.message = "out of memory"};
    bases b = {0};
    fedn_status rc = f ? FEDN_OK : FEDN_ERR_NOMEM;

    if (!update) /* it waited for this round */
        rc = fedn__error(&err, FEDN_ERR_NOT_FOUND, "its bytes are not here any more");
    if (rc == FEDN_OK)
        rc = find_bases(service, client, &b, &err);
    if (f) {
        f->service = service;
        memcpy(f->client_id, client->id, bytes);
    }
    if (rc == FEDN_OK)
        rc = fedn__fold_add(service->fold, update, client->update_id, weight_of(service, client),
                            b.base, b.global, on_folded, f);
    fedn__blob_unref(b.base);
    fedn__blob_unref(b.global);
    if (rc == FEDN_OK)
        return;
    fedn__free(f);
    fedn__combiner_engine_folded(service->engine, fedn__clock_ms(), client->id, client->update_id,
                                 err.message);
    fedn__shelf_folded(service->shelf, client->update_id);
}

static void end_stream(const fedn__combiner_action *action)
{
    fedn__held_call *held = (fedn__held_call *)(uintptr_t)action->token;

    /* UNAVAILABLE: FEDN's clients come back after it, and exit after any other */
    fedn__call_finish(held->call, FEDN__RPC_UNAVAILABLE, action->text);
}

static void act(fedn__combiner_service *service, const fedn__combiner_action *action)
{
    switch (action->type) {
    case FEDN__COMBINER_FETCH_MODEL:
        fedn__combiner_fetch(service, action->text);
        break;
    case FEDN__COMBINER_BEGIN:
        begin(service, action->ok);
        break;
    case FEDN__COMBINER_SEND_TASK:
        fedn__combiner_send_task(service, action);
        break;
    case FEDN__COMBINER_FOLD:
        fold(service, action->client);
        break;
    case FEDN__COMBINER_JOURNAL:
        fedn__combiner_write_update(service, action->client);
        break;
    case FEDN__COMBINER_FORGET:
        fedn__combiner_write_end(service);
        break;
    case FEDN__COMBINER_REPLY:
        fedn__combiner_reply(service, action);
        break;
    case FEDN__COMBINER_DROP_UPDATE:
        fedn__shelf_drop(service->shelf, action->text);
        break;
    case FEDN__COMBINER_SAVE:
        fedn__combiner_save(service);
        break;
    case FEDN__COMBINER_ABANDON:
        fedn__fold_reset(service->fold); /* if it cannot: the next round begins with it */
        fedn__combiner_write_end(service);
        fedn__combiner_abandon_partial(service);
        break;
    case FEDN__COMBINER_REPORT:
        fedn__combiner_send_report(service, action->text);
        break;
    case FEDN__COMBINER_PROGRESS:
        fedn__combiner_note_progress(service);
        break;
    case FEDN__COMBINER_ROSTER:
        fedn__combiner_note_roster(service, action->client);
        break;
    default:
        end_stream(action);
        break;
    }
}

void fedn__combiner_service_drain(fedn__combiner_service *service)
{
    fedn__combiner_action action;

    if (service->draining)
        return; /* an action's own event: the loop below goes on with what it added */
    service->draining = 1;
    while (fedn__combiner_engine_next(service->engine, &action))
        if (!service->stopping)
            act(service, &action);
    service->draining = 0;
    int64_t deadline = fedn__combiner_engine_deadline(service->engine);
    if (deadline == INT64_MAX || service->stopping)
        fedn__loop_timer_cancel(service->loop, &service->engine_timer);
    else
        fedn__loop_timer_set(service->loop, &service->engine_timer, deadline * 1000000);
}

static void on_tick(fedn__timer *timer, void *user_data)
{
    fedn__combiner_service *service = user_data;

    fedn_status rc = fedn__combiner_engine_tick(service->engine, fedn__clock_ms());
    fedn__combiner_service_drain(service);
    if (rc != FEDN_OK) /* not again at once, which would be for ever */
        fedn__loop_timer_set(service->loop, timer, fedn__clock_ns() + RETRY_MS * 1000000);
}

/* ---- models for and from clients ---- */

static fedn_status accept_upload(void *user_data, fedn__call *call, const char *id, char **ret_path,
                                 uint64_t *ret_max_bytes, fedn_error *err)
{
    fedn__combiner_service *service = user_data;
    const char *owner = fedn__call_metadata(call, "client");

    *ret_max_bytes = service->options.max_model_bytes;
    return fedn__shelf_accept(service->shelf, id, owner ? owner : "", ret_path, err);
}

static void stored_upload(void *user_data, const char *id, fedn_status status, fedn__blob *blob,
                          const fedn_error *err)
{
    fedn__combiner_service *service = user_data;

    const char *why = err && err->message[0] ? err->message : fedn_status_string(status);
    if (status == FEDN_ERR_IO && !service->disk_failed)
        fedn__log_write(service->log, FEDN_LOG_ERROR, "combiner",
                        "%s: clients are told to try again until it can be written", why);
    else if (status != FEDN_OK && status != FEDN_ERR_IO)
        fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner", "upload of %s: %s", id, why);
    if (status == FEDN_OK || status == FEDN_ERR_IO)
        service->disk_failed = status != FEDN_OK;
    fedn__shelf_stored(service->shelf, id, status == FEDN_OK ? blob : NULL);
}

static fedn_status find_model(void *user_data, fedn__call *call, const char *id, fedn__blob **ret,
                              fedn_error *err)
{
    fedn__combiner_service *service = user_data;

    (void)call;
    fedn_status rc = fedn__shelf_model(service->shelf, id, ret, err);
    if (rc == FEDN_ERR_NOT_FOUND && fedn__shelf_is_coming(service->shelf, id))
        rc = fedn__error(err, FEDN_ERR_STATE, "model %s is still being uploaded", id);
    return rc;
}

static int32_t has_whole(void *user_data, fedn__call *call, const char *id,
                         uint8_t ret_digest[FEDN__DIGEST_BYTES])
{
    const fedn__combiner_service *service = user_data;
    const char *owner = fedn__call_metadata(call, "client");

    fedn_status rc = owner ? fedn__shelf_check(service->shelf, id, owner, NULL) : FEDN_ERR_DENIED;

    /* STATE: it is being folded, or uploaded, and then has no digest */
    return (rc == FEDN_OK || rc == FEDN_ERR_STATE) &&
           fedn__shelf_digest(service->shelf, id, ret_digest, NULL) == FEDN_OK;
}

/* ---- life ---- */

static fedn_status open_hooks(fedn__combiner_service *service, fedn_error *err)
{
    service->partials = fedn__fs_join(service->options.state_dir, "partials");
    const fedn__hooks_options options = {.target = service->options.hooks,
                                         .dir = service->partials,
                                         .max_bytes = service->options.max_model_bytes};

    return service->partials
               ? fedn__hooks_new(service->loop, service->pool, &options,
                                 &fedn__combiner_hooks_events, service, &service->hooks, err)
               : fedn__error_nomem(err);
}

static fedn_status open_parts(fedn__combiner_service *service, fedn_error *err)
{
    const fedn__combiner_options *o = &service->options;
    fedn__shelf_limits limits = {.max_uploads = o->max_uploads,
                                 .max_waiting = o->max_clients,
                                 .max_bytes = o->max_spool_bytes};
    fedn__combiner_settings settings = {.max_clients = o->max_clients,
                                        .liveness_ms = o->liveness_ms};
    fedn__uplink_options uplink = {.target = o->reducer,
                                   .name = o->name,
                                   .combiner_id = service->combiner_id,
                                   .host = o->host,
                                   .fqdn = o->fqdn,
                                   .max_clients = o->max_clients,
                                   .reconnect_max_ms = o->reconnect_max_ms,
                                   .log = service->log};
    static const fedn__uplink_events events = {.up = fedn__combiner_link_up,
                                               .message = fedn__combiner_from_above,
                                               .report_taken = fedn__combiner_report_taken,
                                               .held_round = fedn__combiner_held_round};

    fedn_status rc = fedn__shelf_open(o->state_dir, &limits, &service->shelf, err);
    if (rc == FEDN_OK && !(service->parts = fedn__fs_join(o->state_dir, "parts")))
        rc = fedn__error_nomem(err);
    if (rc == FEDN_OK)
        rc = fedn__parts_open(service->parts, FEDN__LIMIT_PARTS, err);
    if (rc != FEDN_OK)
        rc = fedn__error_prefix(err, rc, "combiner.state_dir");
    if (rc == FEDN_OK)
        rc = fedn__loop_new("fedn-combiner", service->log, &service->loop, err);
    if (rc == FEDN_OK)
        rc = fedn__pool_new(o->workers, "fedn-combiner-w", &service->pool, err);
    if (rc == FEDN_OK)
        rc = fedn__fold_new(service->loop, service->pool, &service->fold, err);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_new(&settings, &service->engine, err);
    if (rc == FEDN_OK)
        rc = fedn__uplink_new(service->loop, &uplink, &events, service, &service->uplink, err);
    if (rc == FEDN_OK && *o->hooks)
        rc = open_hooks(service, err);
    if (rc == FEDN_OK)
        rc =
            fedn__records_new(service->loop, service->uplink, service->log, &service->records, err);
    return rc;
}

static fedn_status listen_for_clients(fedn__combiner_service *service, fedn_error *err)
{
    fedn__server_options options = {.listen = service->options.listen};
    fedn__method methods[FEDN__COMBINER_METHODS];

    service->host = (fedn__transfer_host){.loop = service->loop,
                                          .pool = service->pool,
                                          .accept = accept_upload,
                                          .stored = stored_upload,
                                          .find = find_model,
                                          .whole = has_whole,
                                          .memory_bytes = FEDN__LIMIT_MEMORY_MODEL,
                                          .parts = service->parts,
                                          .owner_key = "client",
                                          .durable = 1,
                                          .service = service};
    uint32_t count = fedn__combiner_methods(service, methods);
    fedn_status rc =
        fedn__server_new(service->loop, &options, methods, count, &service->server, err);
    return rc == FEDN_OK ? rc : fedn__error_prefix(err, rc, "combiner.listen");
}

static void start_uplink(void *arg)
{
    fedn__combiner_service *service = arg;

    fedn__uplink_start(service->uplink, (uint32_t)fedn__server_port(service->server));
    fedn__combiner_service_drain(service); /* a round that goes on */
}

fedn_status fedn__combiner_service_start(fedn__combiner_service *service,
                                         const fedn__combiner_options *options,
                                         const fedn__log *log, fedn_error *err)
{
    memset(service, 0, sizeof *service);
    service->options = *options;
    service->log = log;
    fedn__uuid_new_text(service->combiner_id);
    fedn__flag_init(&service->quiet);
    service->engine_timer.fn = on_tick;
    service->engine_timer.user_data = service;
    fedn__combiner_pacers_init(service);
    fedn_status rc = open_parts(service, err);
    if (rc == FEDN_OK)
        rc = fedn__combiner_replay(service, err);
    if (rc == FEDN_OK)
        rc = listen_for_clients(service, err);
    if (rc == FEDN_OK)
        fedn__loop_call(service->loop, start_uplink, service);
    return rc;
}

static void uplink_gone(void *user_data)
{
    fedn__combiner_service *service = user_data;

    service->uplink = NULL;
    service->uplink_gone = 1;
    if (service->transfers == 0)
        fedn__flag_set(&service->quiet);
}

/* Task streams and watches are open for life: without this a stop would wait for its bound every
 * time. */
static void end_streams(void *arg)
{
    fedn__combiner_service *service = arg;
    const fedn__roster *roster =
        service->engine ? fedn__combiner_engine_roster(service->engine) : NULL;

    fedn__health_stop(&service->health);
    for (int32_t list = 0; roster && list < 2; list++) {
        for (fedn__participant *c = roster->lists[list].oldest; c; c = c->newer) {
            fedn__held_call *held = (fedn__held_call *)(uintptr_t)c->stream;
            if (held)
                fedn__call_finish(held->call, FEDN__RPC_UNAVAILABLE, FEDN__COMBINER_STOPPING);
        }
    }
}

static void begin_stop(void *arg)
{
    fedn__combiner_service *service = arg;

    service->stopping = 1;
    fedn__loop_timer_cancel(service->loop, &service->engine_timer);
    fedn__loop_timer_cancel(service->loop, &service->roster_pacer.timer);
    fedn__loop_timer_cancel(service->loop, &service->progress_pacer.timer);
    fedn__records_free(service->records); /* sends what it has */
    service->records = NULL;
    fedn__combiner_models_stop(service);
    fedn__hooks_free(service->hooks);
    service->hooks = NULL;
    fedn__journal_stop(service->journal); /* the pool goes before the loop does */
    if (service->uplink)
        fedn__uplink_close(service->uplink, service->options.drain_ms, uplink_gone, service);
    else
        uplink_gone(service);
}

void fedn__combiner_service_stop(fedn__combiner_service *service)
{
    if (service->loop) {
        fedn__loop_call(service->loop, end_streams, service);
        fedn__server_free(service->server, service->options.drain_ms);
        fedn__loop_call(service->loop, begin_stop, service);
        fedn__flag_wait(&service->quiet, INT64_MAX);
    }
    fedn__pool_free(service->pool);
    fedn__loop_free(service->loop);
    fedn__fold_free(service->fold);
    fedn__combiner_engine_free(service->engine);
    fedn__map_done(&service->changed);
    fedn__journal_close(service->journal);
    fedn__shelf_close(service->shelf);
    fedn__free(service->parts);
    fedn__free(service->partials);
    fedn__flag_done(&service->quiet);
}
