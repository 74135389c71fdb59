/* SPDX-License-Identifier: Apache-2.0
 * The public handle of the client role: its properties, and on which thread callbacks run. */
#include <fedn/client.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/error.h"
#include "core/thread.h"
#include "roles/client/assign.h"
#include "roles/client/service.h"
#include <assert.h>

enum { MODE_NONE, MODE_THREADS, MODE_POLL, MODE_FAILED };

struct fedn_client {
    fedn_config *config; /* holds the texts of options */
    fedn__client_options options;
    fedn__client_service *service;
    int32_t mode;
    int32_t has_worker;
    pthread_t worker;
};

/* Whose callback runs on this thread: fedn_client_free() in there would wait for itself. */
static _Thread_local const fedn_client *working_for;

static void read_options(fedn_client *client)
{
    const fedn_config *config = client->config;
    fedn__client_options *options = &client->options;

    options->api_url = fedn__config_string(config, "client.api_url");
    options->combiner = fedn__config_string(config, "client.combiner");
    options->name = fedn__config_string(config, "client.name");
    options->id = fedn__config_string(config, "client.id");
    options->preferred_combiner = fedn__config_string(config, "client.preferred_combiner");
    options->token = fedn__config_string(config, "client.token");
    options->tls_ca = fedn__config_string(config, "client.tls_ca");
    options->state_dir = fedn__config_string(config, "client.state_dir");
    options->package = fedn__config_string(config, "client.package");
    options->model_format = fedn__config_string(config, "client.model_format");
    options->heartbeat_ms = fedn__config_integer(config, "client.heartbeat_ms");
    options->call_timeout_ms = fedn__config_integer(config, "client.call_timeout_ms");
    options->reconnect_min_ms = fedn__config_integer(config, "client.reconnect_min_ms");
    options->keep_after_ms = fedn__config_integer(config, "client.keep_after_ms");
    options->reconnect_max_ms = fedn__config_integer(config, "client.reconnect_max_ms");
    options->telemetry_ms = fedn__config_integer(config, "client.telemetry_ms");
    options->max_model_bytes = (uint64_t)fedn__config_integer(config, "client.max_model_bytes");
    options->log.level = fedn__log_level(fedn__config_string(config, "log.level"));
}

static fedn_status check_options(const fedn__client_options *options, fedn_error *err)
{
    char *url = NULL;

    for (const char *c = options->token; *c; c++)
        if (*c <= ' ' || *c > '~')
            return fedn__error(err, FEDN_ERR_INVALID,
                               "client.token has a character that is not printable ASCII");
    if (options->reconnect_min_ms > options->reconnect_max_ms)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "client.reconnect_min_ms %lld is over client.reconnect_max_ms %lld",
                           (long long)options->reconnect_min_ms,
                           (long long)options->reconnect_max_ms);
    if (options->combiner[0])
        return FEDN_OK;
    fedn_status rc = fedn__assign_url(options->api_url, &url, err);
    fedn__free(url);
    return rc;
}

fedn_status fedn_client_new(const fedn_config *config, fedn_client **ret, fedn_error *err)
{
    if (!config || !ret)
        return fedn__error(err, FEDN_ERR_INVALID, "config and ret must not be NULL");
    *ret = NULL;
    fedn_client *client = fedn__alloc_zero(sizeof *client);
    if (!client)
        return fedn__error_nomem(err);
    fedn_status rc = fedn__config_copy(config, &client->config, err);
    if (rc == FEDN_OK) {
        read_options(client);
        rc = check_options(&client->options, err);
    }
    if (rc == FEDN_OK)
        rc = fedn__client_service_new(&client->options, &client->service, err);
    if (rc != FEDN_OK) {
        fedn_client_free(client);
        return rc;
    }
    *ret = client;
    return FEDN_OK;
}

static fedn_status set_callback(fedn_client *client, fedn__callback *to, fedn_task_fn fn,
                                void *user_data)
{
    if (client->mode != MODE_NONE)
        return FEDN_ERR_STATE;
    to->fn = fn;
    to->user_data = user_data;
    return FEDN_OK;
}

fedn_status fedn_client_set_train(fedn_client *client, fedn_task_fn fn, void *user_data)
{
    return client ? set_callback(client, &client->options.train, fn, user_data) : FEDN_ERR_INVALID;
}

fedn_status fedn_client_set_validate(fedn_client *client, fedn_task_fn fn, void *user_data)
{
    return client ? set_callback(client, &client->options.validate, fn, user_data)
                  : FEDN_ERR_INVALID;
}

fedn_status fedn_client_set_predict(fedn_client *client, fedn_task_fn fn, void *user_data)
{
    return client ? set_callback(client, &client->options.predict, fn, user_data)
                  : FEDN_ERR_INVALID;
}

fedn_status fedn_client_set_log(fedn_client *client, fedn_log_fn fn, void *user_data)
{
    if (!client)
        return FEDN_ERR_INVALID;
    if (client->mode != MODE_NONE)
        return FEDN_ERR_STATE;
    client->options.log.fn = fn;
    client->options.log.user_data = user_data;
    return FEDN_OK;
}

static fedn_status note(fedn_client *client, const fedn__note *what, fedn_error *err)
{
    return client ? fedn__client_service_note(client->service, what, err)
                  : fedn__error(err, FEDN_ERR_INVALID, "client must not be NULL");
}

fedn_status fedn_client_log_metric(fedn_client *client, const char *name, double value,
                                   fedn_error *err)
{
    const fedn__note what = {.kind = FEDN__NOTE_METRIC, .name = name, .value = value};

    return note(client, &what, err);
}

fedn_status fedn_client_log_attribute(fedn_client *client, const char *name, const char *value,
                                      fedn_error *err)
{
    const fedn__note what = {.kind = FEDN__NOTE_ATTRIBUTE, .name = name, .text = value};

    return note(client, &what, err);
}

fedn_status fedn_client_log_telemetry(fedn_client *client, const char *name, double value,
                                      fedn_error *err)
{
    const fedn__note what = {.kind = FEDN__NOTE_TELEMETRY, .name = name, .value = value};

    return note(client, &what, err);
}

static fedn_status work(fedn_client *client, int64_t deadline_ns)
{
    const fedn_client *before = working_for;

    working_for = client;
    fedn_status rc = fedn__client_service_work(client->service, deadline_ns);
    working_for = before;
    return rc;
}

static void *work_on(void *arg)
{
    fedn_client *client = arg;

    while (work(client, INT64_MAX) == FEDN_OK)
        ;
    return NULL;
}

static fedn_status begin(fedn_client *client, int32_t mode, fedn_error *err)
{
    if (client->mode != MODE_NONE)
        return fedn__error(err, FEDN_ERR_STATE,
                           client->mode == MODE_FAILED
                               ? "the client could not be started before: make a new one"
                               : "the client was started before");
    client->mode = MODE_FAILED;
    fedn_status rc = fedn__client_service_start(client->service, err);
    if (rc == FEDN_OK && mode == MODE_THREADS) {
        rc = fedn__thread_start(&client->worker, "fedn-worker", work_on, client, err);
        client->has_worker = rc == FEDN_OK;
    }
    if (rc == FEDN_OK)
        client->mode = mode;
    return rc;
}

fedn_status fedn_client_start(fedn_client *client, fedn_error *err)
{
    return client ? begin(client, MODE_THREADS, err)
                  : fedn__error(err, FEDN_ERR_INVALID, "client must not be NULL");
}

fedn_status fedn_client_run(fedn_client *client, fedn_error *err)
{
    fedn_status rc = fedn_client_start(client, err);

    return rc == FEDN_OK ? fedn__client_service_wait(client->service, err) : rc;
}

static fedn_status check_poll(const fedn_client *client, int64_t timeout_ms, fedn_error *err)
{
    if (!client)
        return fedn__error(err, FEDN_ERR_INVALID, "client must not be NULL");
    if (timeout_ms < 0)
        return fedn__error(err, FEDN_ERR_INVALID, "timeout_ms %lld is below 0",
                           (long long)timeout_ms);
    if (working_for == client)
        return fedn__error(err, FEDN_ERR_STATE, "a callback cannot poll its own client");
    return FEDN_OK;
}

static int64_t deadline_after(int64_t timeout_ms)
{
    int64_t now_ns = fedn__clock_ns();

    if (timeout_ms == 0)
        return 0;
    return timeout_ms > (INT64_MAX - now_ns) / 1000000 ? INT64_MAX : now_ns + timeout_ms * 1000000;
}

fedn_status fedn_client_poll(fedn_client *client, int64_t timeout_ms, fedn_error *err)
{
    fedn_status rc = check_poll(client, timeout_ms, err);
    if (rc == FEDN_OK && client->mode != MODE_POLL)
        rc = begin(client, MODE_POLL, err);
    if (rc != FEDN_OK)
        return rc;
    rc = work(client, deadline_after(timeout_ms));
    if (rc == FEDN_ERR_TIMEOUT)
        return fedn__error(err, rc, "no task within %lld ms", (long long)timeout_ms);
    if (rc != FEDN_ERR_CANCELLED)
        return rc;
    rc = fedn__client_service_wait(client->service, err);
    return rc == FEDN_OK ? fedn__error(err, FEDN_ERR_CANCELLED, "the client was stopped") : rc;
}

void fedn_client_stop(fedn_client *client)
{
    if (client)
        fedn__client_service_stop(client->service);
}

void fedn_client_free(fedn_client *client)
{
    if (!client)
        return;
    assert(working_for != client);
    if (client->service)
        fedn__client_service_stop(client->service);
    if (client->has_worker)
        (void)pthread_join(client->worker, NULL);
    fedn__client_service_free(client->service);
    fedn_config_free(client->config);
    fedn__free(client);
}
