/* SPDX-License-Identifier: Apache-2.0
 * The life of a reducer: opening its parts in order, and taking them down in the other one. */
#include "roles/reducer/service.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include "roles/reducer/api/api.h"
#include "roles/reducer/expiry.h"
#include "rpc/parts.h"
#include <unistd.h>

/* ---- directories and stores ---- */

/* "<state_dir>/<name>". */
static fedn_status open_dir(fedn__reducer_service *service, const char *name, char **ret,
                            fedn_error *err)
{
    *ret = fedn__fs_join(service->state_dir, name);
    return *ret ? fedn__fs_mkdirs(*ret, err) : fedn__error_nomem(err);
}

/* The same, empty. */
static fedn_status fresh_dir(fedn__reducer_service *service, const char *name, char **ret,
                             fedn_error *err)
{
    fedn_status rc = open_dir(service, name, ret, err);

    if (rc == FEDN_OK)
        rc = fedn__fs_remove_tree(*ret, err);
    return rc == FEDN_OK ? fedn__fs_mkdirs(*ret, err) : rc;
}

static fedn_status open_dirs(fedn__reducer_service *service, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    service->state_dir = fedn__strdup(fedn__config_string(service->config, "reducer.state_dir"));
    if (!service->state_dir)
        return fedn__error_nomem(err);
    rc = fedn__fs_mkdirs(service->state_dir, err);
    if (rc == FEDN_OK)
        rc = fedn__fs_lock(service->state_dir, &service->lock_fd, err);
    if (rc != FEDN_OK)
        return fedn__error_prefix(err, rc, "reducer.state_dir");
    service->parts = fedn__fs_join(service->state_dir, "parts");
    rc = service->parts ? fedn__parts_open(service->parts, FEDN__LIMIT_PARTS, err)
                        : fedn__error_nomem(err);
    if (rc == FEDN_OK)
        rc = open_dir(service, "partials", &service->partials, err);
    if (rc == FEDN_OK)
        rc = open_dir(service, "states", &service->states, err);
    return rc == FEDN_OK ? fresh_dir(service, "uploads", &service->uploads, err) : rc;
}

static fedn_status open_stores(fedn__reducer_service *service, fedn_error *err)
{
    const char *url = fedn__config_string(service->config, "reducer.store");
    char *own = *url ? NULL : fedn__strf("sqlite:%s/store.db", service->state_dir);
    char *models = fedn__fs_join(service->state_dir, "models");
    char *packages = fedn__fs_join(service->state_dir, "packages");
    fedn_status rc = FEDN_ERR_NOMEM;

    if (!models || !packages || (!*url && !own)) {
        fedn__error_nomem(err);
        goto out;
    }
    rc = fedn__store_open(own ? own : url, &service->store, err);
    if (rc != FEDN_OK)
        fedn__error_prefix(err, rc, "reducer.store");
    else
        rc = fedn__blobs_open(models, &service->blobs, err);
    if (rc == FEDN_OK)
        rc = fedn__blobs_open(packages, &service->packages, err);
    if (rc == FEDN_OK)
        fedn__blobs_set_limit(service->blobs, (uint64_t)fedn__config_integer(
                                                  service->config, "reducer.max_store_bytes"));
out:
    fedn__free(own);
    fedn__free(models);
    fedn__free(packages);
    return rc;
}

/* ---- the parts on the loop ---- */

static void on_settled(void *user_data)
{
    fedn__reducer_service *service = user_data;

    if (!service->stopping)
        fedn__tier_settled(service->tier);
    else if (fedn__recorder_is_idle(service->recorder) && fedn__merger_is_idle(service->merger))
        fedn__flag_set(&service->settled);
}

static fedn_status open_lanes(fedn__reducer_service *service, fedn_error *err)
{
    fedn__recorder_options recorder = {.loop = service->loop,
                                       .pool = service->pool,
                                       .store = service->store,
                                       .log = service->log,
                                       .settled = on_settled,
                                       .user_data = service};
    fedn__merger_options merger = {.loop = service->loop,
                                   .pool = service->pool,
                                   .blobs = service->blobs,
                                   .states = service->states,
                                   .merged = fedn__service_merged,
                                   .finished = fedn__service_finished,
                                   .settled = on_settled,
                                   .user_data = service};
    fedn__tier_options tier = {.loop = service->loop,
                               .pool = service->pool,
                               .blobs = service->blobs,
                               .store = service->store,
                               .partials = service->partials,
                               .parts = service->parts,
                               .max_model_bytes = (uint64_t)fedn__config_integer(
                                   service->config, "reducer.max_model_bytes"),
                               .log = service->log};
    fedn_status rc = fedn__recorder_new(&recorder, &service->recorder, err);

    if (rc == FEDN_OK)
        rc = fedn__merger_new(&merger, &service->merger, err);
    if (rc == FEDN_OK)
        rc = fedn__tier_new(&tier, &fedn__service_tier_events, service, &service->tier, err);
    return rc;
}

static fedn_status open_engine(fedn__reducer_service *service, fedn_error *err)
{
    fedn__reducer_settings settings = {.grace_ms = FEDN__LIMIT_REPORT_GRACE_MS,
                                       .gone_ms = FEDN__LIMIT_COMBINER_GONE_MS,
                                       .max_failures = FEDN__LIMIT_FAILED_ROUNDS};
    fedn_status rc = fedn__service_recover(service, &settings.first_round, err);

    if (rc == FEDN_OK)
        rc = fedn__events_new(&service->events, err);
    return rc == FEDN_OK ? fedn__reducer_engine_new(&settings, &service->engine, err) : rc;
}

static fedn_status open_threads(fedn__reducer_service *service, fedn_error *err)
{
    uint32_t workers = (uint32_t)fedn__config_integer(service->config, "reducer.workers");
    fedn_status rc = fedn__loop_new("fedn-reducer", service->log, &service->loop, err);

    if (rc == FEDN_OK)
        rc = fedn__pool_new(workers, "fedn-reducer-w", &service->pool, err);
    return rc;
}

static fedn_status listen_all(fedn__reducer_service *service, fedn_error *err)
{
    fedn__server_options grpc = {.listen = fedn__config_string(service->config, "reducer.listen"),
                                 .wide_windows = 1};
    fedn__http_options http = {
        .listen = fedn__config_string(service->config, "reducer.http_listen"),
        .upload_dir = service->uploads,
        .max_upload_bytes =
            (uint64_t)fedn__config_integer(service->config, "reducer.max_model_bytes"),
        .prefix = fedn__config_string(service->config, "reducer.url_prefix"),
        .log = service->log};
    fedn__method methods[FEDN__TIER_METHODS];

    fedn__tier_methods(service->tier, methods);
    fedn_status rc =
        fedn__server_new(service->loop, &grpc, methods, FEDN__TIER_METHODS, &service->server, err);
    if (rc != FEDN_OK)
        return fedn__error_prefix(err, rc, "reducer.listen");
    rc = fedn__http_server_new(&http, fedn__api_routes, fedn__api_route_count(), service,
                               &service->http, err);
    return rc == FEDN_OK ? rc : fedn__error_prefix(err, rc, "reducer.http_listen");
}

fedn_status fedn__service_start(fedn__reducer_service *service, fedn_error *err)
{
    service->lock_fd = -1;
    service->began_us = fedn__clock_wall_us();
    fedn__flag_init(&service->settled);
    fedn__service_timers_init(service);
    fedn_status rc = open_dirs(service, err);
    if (rc == FEDN_OK)
        rc = open_stores(service, err);
    if (rc == FEDN_OK)
        rc = open_engine(service, err);
    if (rc == FEDN_OK)
        rc = open_threads(service, err);
    if (rc == FEDN_OK)
        rc = open_lanes(service, err);
    if (rc != FEDN_OK)
        return rc;
    fedn__service_resume(service);
    fedn__loop_call(service->loop, fedn__expiry_start, service);
    return listen_all(service, err);
}

/* ---- the end ---- */

/* Nobody waits for a store that cannot be written any more. */
static void close_recorder(void *arg)
{
    fedn__reducer_service *service = arg;

    service->closing = 1;
    if (service->recorder)
        fedn__recorder_close(service->recorder);
}

static void begin_stop(void *arg)
{
    fedn__reducer_service *service = arg;

    service->stopping = 1;
    fedn__loop_timer_cancel(service->loop, &service->timer);
    fedn__loop_timer_cancel(service->loop, &service->round_timer);
    fedn__loop_timer_cancel(service->loop, &service->expiry_timer);
    if (service->tier)
        fedn__tier_close(service->tier);
    if ((!service->recorder || fedn__recorder_is_idle(service->recorder)) &&
        (!service->merger || fedn__merger_is_idle(service->merger)))
        fedn__flag_set(&service->settled);
}

void fedn__service_stop(fedn__reducer_service *service)
{
    /* handlers wait for the loop and the recorder, so they end first */
    if (service->events)
        fedn__events_close(service->events);
    if (service->loop)
        fedn__loop_call(service->loop, close_recorder, service);
    fedn__http_server_free(service->http);
    if (service->loop) {
        fedn__loop_call(service->loop, begin_stop, service);
        fedn__server_free(service->server,
                          fedn__config_integer(service->config, "reducer.drain_ms"));
        fedn__flag_wait(&service->settled, INT64_MAX);
    }
    fedn__pool_free(service->pool);
    fedn__loop_free(service->loop);
    fedn__tier_free(service->tier);
    fedn__merger_free(service->merger);
    fedn__recorder_free(service->recorder);
    fedn__course_done(&service->course);
    json_decref(service->resumed);
    json_decref(service->resumed_round);
    fedn__free(service->asking);
    fedn__reducer_engine_free(service->engine);
    fedn__events_free(service->events);
    fedn__blobs_close(service->blobs);
    fedn__blobs_close(service->packages);
    fedn__store_close(service->store);
    if (service->lock_fd >= 0)
        close(service->lock_fd);
    fedn__free(service->uploads);
    fedn__free(service->partials);
    fedn__free(service->states);
    fedn__free(service->parts);
    fedn__free(service->state_dir);
    fedn__flag_done(&service->settled);
}
