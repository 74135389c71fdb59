/* SPDX-License-Identifier: Apache-2.0
 * A round's plan from and into its message. */
#include "roles/combiner/round_start.h"

#include "core/alloc.h"
#include "core/text.h"
#include <string.h>

fedn_status fedn__copy_id(const char *from, char *to, size_t room)
{
    if (!fedn__text_is_line(from, room - 1))
        return FEDN_ERR_PROTOCOL;
    memcpy(to, from, strlen(from) + 1);
    return FEDN_OK;
}

fedn_status fedn__copy_model_id(const char *from, char to[FEDN__UUID_TEXT])
{
    fedn__uuid uuid;

    if (!fedn__uuid_parse(from, &uuid))
        return FEDN_ERR_PROTOCOL;
    fedn__uuid_format(&uuid, to);
    return FEDN_OK;
}

static fedn_status read_recent(const Fedn__Tier__V1__RoundStart *start, fedn__round_plan *plan)
{
    fedn_status rc = FEDN_OK;

    if (!start->asynchronous)
        return FEDN_OK;
    if (start->n_recent_models > FEDN__LIMIT_STALENESS + 1 ||
        !(start->staleness_exponent >= 0 && start->staleness_exponent <= 100))
        return FEDN_ERR_LIMIT;
    plan->async = 1;
    plan->staleness_exponent = start->staleness_exponent;
    plan->recent = fedn__alloc_array(start->n_recent_models + 1, sizeof *plan->recent);
    if (!plan->recent)
        return FEDN_ERR_NOMEM;
    memcpy(plan->recent[plan->recent_count++], plan->model_id, sizeof plan->model_id);
    for (size_t i = 0; rc == FEDN_OK && i < start->n_recent_models; i++) {
        rc = fedn__copy_model_id(start->recent_models[i], plan->recent[plan->recent_count]);
        if (strcmp(plan->recent[plan->recent_count], plan->model_id) != 0)
            plan->recent_count++;
    }
    return rc;
}

fedn_status fedn__round_start_read(const Fedn__Tier__V1__RoundStart *start, fedn__round_plan *plan)
{
    fedn_status rc = fedn__copy_id(start->session_id, plan->session_id, sizeof plan->session_id);

    if (rc == FEDN_OK)
        rc = fedn__copy_id(start->round_id, plan->round_id, sizeof plan->round_id);
    if (rc == FEDN_OK)
        rc = fedn__copy_model_id(start->model_id, plan->model_id);
    if (rc == FEDN_OK)
        rc = fedn__selection_copy((const char *const *)start->selected_clients,
                                  start->n_selected_clients, &plan->selected);
    if (rc == FEDN_OK && strlen(start->round_config) > FEDN__LIMIT_CONTROL_BYTES)
        rc = FEDN_ERR_LIMIT;
    if (rc != FEDN_OK)
        return rc;
    plan->aggregator = fedn__strdup(*start->aggregator ? start->aggregator : "fedavg");
    plan->aggregator_kwargs = fedn__strdup(start->aggregator_kwargs);
    plan->helper_type = fedn__strdup(start->helper_type);
    plan->config = fedn__strdup(start->round_config);
    plan->server_functions =
        *start->server_functions ? fedn__strdup(start->server_functions) : NULL;
    plan->clients_required = start->clients_required;
    plan->buffer_size = start->buffer_size;
    plan->timeout_ms = start->round_timeout_ms;
    plan->ask = start->ask;
    rc = read_recent(start, plan);
    if (rc != FEDN_OK)
        return rc;
    if (start->straggler_quantile > 0 && start->straggler_quantile <= 1 &&
        start->straggler_factor > 0) {
        plan->straggler_quantile = start->straggler_quantile;
        plan->straggler_factor = start->straggler_factor;
    }
    if ((*start->server_functions && !plan->server_functions) || !plan->aggregator ||
        !plan->aggregator_kwargs || !plan->helper_type || !plan->config)
        return FEDN_ERR_NOMEM;
    return FEDN_OK;
}

void fedn__round_start_write(const fedn__round_plan *plan, char *recent[FEDN__LIMIT_STALENESS + 1],
                             Fedn__Tier__V1__RoundStart *ret)
{
    fedn__tier__v1__round_start__init(ret);
    ret->session_id = (char *)(uintptr_t)plan->session_id;
    ret->round_id = (char *)(uintptr_t)plan->round_id;
    ret->model_id = (char *)(uintptr_t)plan->model_id;
    ret->aggregator = plan->aggregator;
    ret->aggregator_kwargs = plan->aggregator_kwargs;
    ret->helper_type = plan->helper_type;
    ret->round_config = plan->config;
    if (plan->server_functions)
        ret->server_functions = plan->server_functions;
    ret->selected_clients = plan->selected.ids;
    ret->n_selected_clients = plan->selected.count;
    ret->clients_required = plan->clients_required;
    ret->buffer_size = plan->buffer_size;
    ret->round_timeout_ms = (uint32_t)plan->timeout_ms;
    ret->ask = plan->ask;
    ret->asynchronous = plan->async;
    ret->staleness_exponent = plan->staleness_exponent;
    for (uint32_t i = 0; i < plan->recent_count; i++)
        recent[i] = plan->recent[i];
    ret->recent_models = recent;
    ret->n_recent_models = plan->recent_count;
    ret->straggler_quantile = plan->straggler_quantile;
    ret->straggler_factor = plan->straggler_factor;
}
