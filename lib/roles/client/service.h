/* SPDX-License-Identifier: Apache-2.0
 * The shell around the client's engine: threads, files, calls. */
#ifndef FEDN__CLIENT_SERVICE_H
#define FEDN__CLIENT_SERVICE_H

#include "core/log.h"
#include "roles/client/note.h"
#include <fedn/task.h>

typedef struct fedn__client_service fedn__client_service;

typedef struct fedn__callback {
    fedn_task_fn fn;
    void *user_data;
} fedn__callback;

/* The client.* properties, and what was set on the handle. Texts outlive the service. */
typedef struct fedn__client_options {
    const char *api_url;
    const char *combiner;
    const char *name;
    const char *id;
    const char *preferred_combiner;
    const char *token;
    const char *tls_ca;
    const char *state_dir;
    const char *package;
    const char *model_format;
    int64_t heartbeat_ms;
    int64_t call_timeout_ms;
    int64_t reconnect_min_ms;
    int64_t reconnect_max_ms;
    int64_t keep_after_ms;
    int64_t telemetry_ms; /* 0: none */
    uint64_t max_model_bytes;
    fedn__callback train;
    fedn__callback validate;
    fedn__callback predict;
    fedn__log log;
} fedn__client_options;

/* Directories and identity; no thread. `options` is borrowed, and read again at the start. */
fedn_status fedn__client_service_new(const fedn__client_options *options,
                                     fedn__client_service **ret, fedn_error *err);
fedn_status fedn__client_service_start(fedn__client_service *service, fedn_error *err);
/* Any thread, at any time before the free. Does not wait. */
void fedn__client_service_stop(fedn__client_service *service);
/* Any thread, at any time before the free: on to the combiner, once there is one. FEDN_ERR_INVALID;
 * FEDN_ERR_LIMIT: too many wait; FEDN_ERR_NOMEM. */
fedn_status fedn__client_service_note(fedn__client_service *service, const fedn__note *what,
                                      fedn_error *err);
/* Waits for a task and runs its callback here. FEDN_ERR_TIMEOUT; FEDN_ERR_CANCELLED: there will be
 * no more. One thread at a time. */
fedn_status fedn__client_service_work(fedn__client_service *service, int64_t deadline_ns);
/* Waits until it has stopped or failed for good; FEDN_OK: stopped. */
fedn_status fedn__client_service_wait(fedn__client_service *service, fedn_error *err);
/* Nobody is in _work() any more, or will leave it soon: a started service has to be stopped and
 * waited for before. NULL allowed. */
void fedn__client_service_free(fedn__client_service *service);

#endif
