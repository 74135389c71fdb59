/* SPDX-License-Identifier: Apache-2.0
 * The public handle of the combiner role. */
#include <fedn/combiner.h>

#include "aggregate/plugin.h"
#include "core/alloc.h"
#include "core/error.h"
#include "core/text.h"
#include "roles/combiner/service.h"
#include <stdatomic.h>
#include <string.h>

struct fedn_combiner {
    fedn_config *config; /* the options' texts live here */
    fedn__combiner_options options;
    fedn__log log;
    fedn__combiner_service service;
    fedn__flag stop;
    int32_t started;
    atomic_int port;
};

static fedn_status read_options(fedn_combiner *combiner, fedn_error *err)
{
    const fedn_config *c = combiner->config;
    fedn__combiner_options *o = &combiner->options;
    char host[FEDN__LIMIT_NAME_BYTES + 1];
    uint16_t port = 0;

    o->name = fedn__config_string(c, "combiner.name");
    o->listen = fedn__config_string(c, "combiner.listen");
    o->host = fedn__config_string(c, "combiner.host");
    o->fqdn = fedn__config_string(c, "combiner.fqdn");
    o->reducer = fedn__config_string(c, "combiner.reducer");
    o->hooks = fedn__config_string(c, "combiner.hooks");
    o->state_dir = fedn__config_string(c, "combiner.state_dir");
    o->max_clients = (uint32_t)fedn__config_integer(c, "combiner.max_clients");
    o->max_uploads = (uint32_t)fedn__config_integer(c, "combiner.max_uploads");
    o->reassign = fedn__config_boolean(c, "combiner.reassign");
    o->workers = (uint32_t)fedn__config_integer(c, "combiner.workers");
    o->liveness_ms = fedn__config_integer(c, "combiner.liveness_ms");
    o->reconnect_max_ms = fedn__config_integer(c, "combiner.reconnect_max_ms");
    o->drain_ms = fedn__config_integer(c, "combiner.drain_ms");
    o->max_model_bytes = (uint64_t)fedn__config_integer(c, "combiner.max_model_bytes");
    o->max_spool_bytes = (uint64_t)fedn__config_integer(c, "combiner.max_spool_bytes");
    o->checkpoint_bytes = (uint64_t)fedn__config_integer(c, "combiner.checkpoint_bytes");
    combiner->log.level = fedn__log_level(fedn__config_string(c, "log.level"));
    if (!fedn__text_is_name(o->name, FEDN__LIMIT_ID_BYTES))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "combiner.name \"%.80s\" must be 1 to %d letters, digits, _ or -",
                           o->name, FEDN__LIMIT_ID_BYTES);
    if (!*o->state_dir)
        return fedn__error(err, FEDN_ERR_INVALID, "combiner.state_dir must not be empty");
    fedn_status rc = fedn__text_host_port(o->listen, host, sizeof host, &port, err);
    if (rc != FEDN_OK)
        return fedn__error_prefix(err, rc, "combiner.listen");
    rc = fedn__text_host_port(o->reducer, host, sizeof host, &port, err);
    if (rc != FEDN_OK)
        return fedn__error_prefix(err, rc, "combiner.reducer");
    rc = *o->hooks ? fedn__text_host_port(o->hooks, host, sizeof host, &port, err) : FEDN_OK;
    return rc == FEDN_OK ? rc : fedn__error_prefix(err, rc, "combiner.hooks");
}

fedn_status fedn_combiner_new(const fedn_config *config, fedn_combiner **ret, fedn_error *err)
{
    if (!ret)
        return fedn__error(err, FEDN_ERR_INVALID, "ret must be given");
    *ret = NULL;
    if (!config)
        return fedn__error(err, FEDN_ERR_INVALID, "a configuration must be given");
    fedn_combiner *combiner = fedn__alloc_zero(sizeof *combiner);
    if (!combiner)
        return fedn__error_nomem(err);
    fedn__flag_init(&combiner->stop);
    fedn_status rc = fedn__config_copy(config, &combiner->config, err);
    if (rc == FEDN_OK)
        rc = fedn__aggregator_load_plugins(
            fedn__config_string(combiner->config, "combiner.aggregator_library"),
            "combiner.aggregator_library", err);
    if (rc == FEDN_OK)
        rc = read_options(combiner, err);
    if (rc != FEDN_OK)
        fedn_combiner_free(combiner);
    else
        *ret = combiner;
    return rc;
}

fedn_status fedn_combiner_set_log(fedn_combiner *combiner, fedn_log_fn fn, void *user_data)
{
    if (!combiner)
        return FEDN_ERR_INVALID;
    if (combiner->started)
        return FEDN_ERR_STATE;
    combiner->log.fn = fn;
    combiner->log.user_data = user_data;
    return FEDN_OK;
}

fedn_status fedn_combiner_start(fedn_combiner *combiner, fedn_error *err)
{
    if (!combiner)
        return fedn__error(err, FEDN_ERR_INVALID, "a combiner must be given");
    if (combiner->started)
        return fedn__error(err, FEDN_ERR_STATE, "the combiner was started before");
    combiner->started = 1;
    fedn_status rc =
        fedn__combiner_service_start(&combiner->service, &combiner->options, &combiner->log, err);
    if (rc != FEDN_OK) {
        fedn__combiner_service_stop(&combiner->service);
        combiner->started = 0;
        return rc;
    }
    atomic_store(&combiner->port, fedn__server_port(combiner->service.server));
    fedn__log_write(&combiner->log, FEDN_LOG_INFO, "combiner", "%s listens on port %d",
                    combiner->options.name, (int)fedn_combiner_port(combiner));
    return FEDN_OK;
}

fedn_status fedn_combiner_run(fedn_combiner *combiner, fedn_error *err)
{
    fedn_status rc = fedn_combiner_start(combiner, err);

    if (rc == FEDN_OK)
        fedn__flag_wait(&combiner->stop, INT64_MAX);
    return rc;
}

void fedn_combiner_stop(fedn_combiner *combiner)
{
    if (combiner)
        fedn__flag_set(&combiner->stop);
}

void fedn_combiner_free(fedn_combiner *combiner)
{
    if (!combiner)
        return;
    if (combiner->started)
        fedn__combiner_service_stop(&combiner->service);
    fedn__flag_done(&combiner->stop);
    fedn_config_free(combiner->config);
    fedn__free(combiner);
}

int32_t fedn_combiner_port(const fedn_combiner *combiner)
{
    return combiner ? atomic_load(&combiner->port) : 0;
}
