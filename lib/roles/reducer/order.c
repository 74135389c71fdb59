/* SPDX-License-Identifier: Apache-2.0
 * What the start of a session is made of, be it asked for or found in the records. */
#include "roles/reducer/service.h"

#include "core/alloc.h"
#include "core/error.h"
#include "roles/reducer/plan.h"
#include <stdio.h>
#include <string.h>

void fedn__order_done(fedn__session_order *order)
{
    json_decref(order->record);
    json_decref(order->client_ids);
    json_decref(order->run);
    fedn__free(order->prefix);
    fedn_aggregator_free(order->aggregator);
}

static fedn_status count_models(fedn__reducer_service *service, const char *session_id,
                                uint64_t *ret, fedn_error *err)
{
    json_t *id = json_string(session_id);
    fedn__filter filter = {"session_id", FEDN__OP_EQ, id};
    fedn__query query = {.filters = &filter, .filter_count = 1};
    fedn_status rc = id ? fedn__store_list(service->store, FEDN__KIND_MODEL, &query, NULL, ret, err)
                        : fedn__error_nomem(err);

    json_decref(id);
    return rc;
}

static fedn_status new_aggregator(const json_t *config, fedn_aggregator **ret, fedn_error *err)
{
    char *kwargs = fedn__plan_kwargs(config);
    fedn_status rc = kwargs ? fedn_aggregator_new(fedn__json_string(config, "aggregator", "fedavg"),
                                                  kwargs, ret, err)
                            : fedn__error_nomem(err);

    fedn__free(kwargs);
    return rc;
}

fedn_status fedn__order_fill(fedn__reducer_service *service, fedn__session_order *order,
                             fedn_error *err)
{
    const json_t *config = json_object_get(order->record, "session_config");
    fedn__reducer_session *session = &order->session;

    snprintf(session->session_id, sizeof session->session_id, "%s",
             fedn__json_string(order->record, "session_id", ""));
    session->rounds = (uint32_t)fedn__json_integer(config, "rounds", 5);
    session->round_timeout_ms = (int64_t)(fedn__json_number(config, "round_timeout", 180) * 1000);
    session->clients_required = (uint32_t)fedn__json_integer(config, "clients_required", 1);
    session->validate = fedn__json_boolean(config, "validate", 1);
    if (!order->run_id[0])
        fedn__uuid_new_text(order->run_id);
    fedn_status rc = count_models(service, session->session_id, &order->named, err);
    return rc == FEDN_OK ? new_aggregator(config, &order->aggregator, err) : rc;
}

void fedn__order_take(fedn__reducer_service *service, fedn__session_order *order)
{
    fedn__course *course = &service->course;

    fedn__course_done(course);
    course->session = order->record;
    course->client_ids = order->client_ids;
    course->prefix = order->prefix;
    course->named = order->named;
    course->run = order->run;
    memcpy(course->run_id, order->run_id, sizeof course->run_id);
    if (!course->run)
        course->run = fedn__trail_run(course, &order->session);
    order->record = NULL;
    order->run = NULL;
    order->client_ids = NULL;
    order->prefix = NULL;
}
