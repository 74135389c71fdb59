/* SPDX-License-Identifier: Apache-2.0
 * The public handle of the reducer role. */
#include <fedn/reducer.h>

#include "aggregate/plugin.h"
#include "core/alloc.h"
#include "core/error.h"
#include "core/text.h"
#include "roles/reducer/service.h"
#include <stdatomic.h>
#include <string.h>

struct fedn_reducer {
    fedn_config *config;
    fedn__log log;
    fedn__reducer_service service;
    fedn__flag stop;
    int32_t started;
    atomic_int port;
    atomic_int http_port;
};

static fedn_status check_listen(const fedn_config *config, const char *name, fedn_error *err)
{
    char host[FEDN__LIMIT_NAME_BYTES + 1];
    uint16_t port = 0;
    fedn_status rc =
        fedn__text_host_port(fedn__config_string(config, name), host, sizeof host, &port, err);

    return rc == FEDN_OK ? rc : fedn__error_prefix(err, FEDN_ERR_INVALID, name);
}

static fedn_status check_config(const fedn_config *config, fedn_error *err)
{
    fedn_status rc = check_listen(config, "reducer.listen", err);

    if (rc == FEDN_OK)
        rc = check_listen(config, "reducer.http_listen", err);
    if (rc == FEDN_OK && !*fedn__config_string(config, "reducer.state_dir"))
        rc = fedn__error(err, FEDN_ERR_INVALID, "reducer.state_dir must not be empty");
    return rc;
}

fedn_status fedn_reducer_new(const fedn_config *config, fedn_reducer **ret, fedn_error *err)
{
    fedn_reducer *reducer = NULL;
    fedn_status rc = FEDN_OK;

    if (!ret)
        return fedn__error(err, FEDN_ERR_INVALID, "ret must be given");
    *ret = NULL;
    if (!config)
        return fedn__error(err, FEDN_ERR_INVALID, "a configuration must be given");
    reducer = fedn__alloc_zero(sizeof *reducer);
    if (!reducer)
        return fedn__error_nomem(err);
    fedn__flag_init(&reducer->stop);
    rc = fedn__config_copy(config, &reducer->config, err);
    if (rc == FEDN_OK)
        rc = fedn__aggregator_load_plugins(
            fedn__config_string(reducer->config, "reducer.aggregator_library"),
            "reducer.aggregator_library", err);
    if (rc == FEDN_OK)
        rc = check_config(reducer->config, err);
    if (rc != FEDN_OK) {
        fedn_reducer_free(reducer);
        return rc;
    }
    reducer->log.level = fedn__log_level(fedn__config_string(reducer->config, "log.level"));
    *ret = reducer;
    return FEDN_OK;
}

fedn_status fedn_reducer_set_log(fedn_reducer *reducer, fedn_log_fn fn, void *user_data)
{
    if (!reducer)
        return FEDN_ERR_INVALID;
    if (reducer->started)
        return FEDN_ERR_STATE;
    reducer->log.fn = fn;
    reducer->log.user_data = user_data;
    return FEDN_OK;
}

fedn_status fedn_reducer_start(fedn_reducer *reducer, fedn_error *err)
{
    if (!reducer)
        return fedn__error(err, FEDN_ERR_INVALID, "a reducer must be given");
    if (reducer->started)
        return fedn__error(err, FEDN_ERR_STATE, "the reducer was started before");
    memset(&reducer->service, 0, sizeof reducer->service);
    reducer->service.config = reducer->config;
    reducer->service.log = &reducer->log;
    fedn_status rc = fedn__service_start(&reducer->service, err);
    if (rc != FEDN_OK) {
        fedn__service_stop(&reducer->service);
        return rc;
    }
    reducer->started = 1;
    atomic_store(&reducer->port, fedn__server_port(reducer->service.server));
    atomic_store(&reducer->http_port, fedn__http_server_port(reducer->service.http));
    fedn__log_write(&reducer->log, FEDN_LOG_INFO, "reducer",
                    "combiners connect to port %d, the REST API is on port %d",
                    (int)fedn_reducer_port(reducer), (int)fedn_reducer_http_port(reducer));
    return FEDN_OK;
}

fedn_status fedn_reducer_run(fedn_reducer *reducer, fedn_error *err)
{
    fedn_status rc = fedn_reducer_start(reducer, err);

    if (rc == FEDN_OK)
        fedn__flag_wait(&reducer->stop, INT64_MAX);
    return rc;
}

void fedn_reducer_stop(fedn_reducer *reducer)
{
    if (reducer)
        fedn__flag_set(&reducer->stop);
}

void fedn_reducer_free(fedn_reducer *reducer)
{
    if (!reducer)
        return;
    if (reducer->started)
        fedn__service_stop(&reducer->service);
    fedn__flag_done(&reducer->stop);
    fedn_config_free(reducer->config);
    fedn__free(reducer);
}

int32_t fedn_reducer_port(const fedn_reducer *reducer)
{
    return reducer ? atomic_load(&reducer->port) : 0;
}

int32_t fedn_reducer_http_port(const fedn_reducer *reducer)
{
    return reducer ? atomic_load(&reducer->http_port) : 0;
}
