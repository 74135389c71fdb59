/* SPDX-License-Identifier: Apache-2.0
 * Going on with the session that a restart interrupted. */
#include "roles/reducer/ledger.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "roles/reducer/resumption.h"
#include <string.h>

/* The order of its start once more, from the records. */
static fedn_status read_order(fedn__reducer_service *service, fedn__session_order *order,
                              fedn_error *err)
{
    const json_t *known = json_object_get(service->resumed, FEDN__RESUMPTION);
    const char *prefix = fedn__json_string(known, "prefix", "");
    const char *run = fedn__json_string(known, "run_id", "");
    const json_t *ids = json_object_get(known, "client_ids");
    fedn__uuid model;
    fedn__uuid run_id;

    order->record = json_deep_copy(service->resumed);
    if (json_is_array(ids))
        order->client_ids = json_deep_copy(ids);
    if (*prefix)
        order->prefix = fedn__strdup(prefix);
    if (!order->record || (*prefix && !order->prefix) || (json_is_array(ids) && !order->client_ids))
        return fedn__error_nomem(err);
    json_object_del(order->record, FEDN__RESUMPTION);
    const char *model_id =
        fedn__json_string(json_object_get(order->record, "session_config"), "model_id", "");
    if (!fedn__uuid_parse(model_id, &model) || !fedn__blobs_has(service->blobs, &model))
        return fedn__error(err, FEDN_ERR_NOT_FOUND, "its newest model %.64s is not there",
                           model_id);
    fedn__uuid_format(&model, order->session.model_id);
    if (fedn__uuid_parse(run, &run_id))
        fedn__uuid_format(&run_id, order->run_id);
    fedn_status rc =
        *run ? fedn__store_get(service->store, FEDN__KIND_RUN, run, &order->run, err) : FEDN_OK;
    if (rc == FEDN_OK || rc == FEDN_ERR_NOT_FOUND)
        rc = fedn__order_fill(service, order, err);
    fedn__resumption_session(service->resumed, &order->session);
    return rc;
}

/* Links for the combiners that were there before, until they attach. */
static fedn_status expect_all(fedn__reducer_service *service, fedn_error *err)
{
    fedn__reducer_combiner *combiner = NULL;
    json_t *records = NULL;
    fedn_status rc =
        fedn__store_list(service->store, FEDN__KIND_COMBINER, NULL, &records, NULL, err);

    for (uint32_t i = 0;
         rc == FEDN_OK && (combiner = fedn__reducer_engine_combiner(service->engine, i)); i++) {
        const json_t *found = NULL;
        const json_t *record = NULL;
        size_t k = 0;
        json_array_foreach(records, k, record)
        {
            if (strcmp(fedn__json_string(record, "name", ""), combiner->name) == 0)
                found = record;
        }
        if (fedn__tier_expect(service->tier, combiner, found) != FEDN_OK)
            rc = fedn__error_nomem(err);
    }
    json_decref(records);
    return rc;
}

static fedn_status restore(fedn__reducer_service *service, const fedn__reducer_session *session,
                           int32_t *ret_open, fedn_error *err)
{
    fedn__reducer_round round = {.id = 0};
    uint32_t count = 0;
    fedn__restored_part *parts =
        fedn__resumption_parts(service->resumed, service->resumed_round, &count);
    fedn_status rc = FEDN_ERR_NOMEM;

    *ret_open = fedn__resumption_round(service->resumed_round, &round);
    if (!parts)
        return fedn__error_nomem(err);
    for (uint32_t i = 0; !*ret_open && i < count; i++)
        parts[i].state = FEDN__PART_NONE;
    rc = fedn__reducer_engine_restore(service->engine, fedn__clock_ms(), session,
                                      *ret_open ? &round : NULL, parts, count, err);
    fedn__free(parts);
    return rc == FEDN_OK ? expect_all(service, err) : rc;
}

/* A list that the next records are to have again. */
static void keep_list(const json_t *record, const char *key, json_t **ret)
{
    const json_t *list = json_object_get(json_object_get(record, FEDN__RESUMPTION), key);

    if (json_is_array(list))
        *ret = json_deep_copy(list);
}

static fedn_status go_on(fedn__reducer_service *service, fedn__session_order *order,
                         int32_t *ret_open, fedn_error *err)
{
    fedn_status rc = read_order(service, order, err);
    const json_t *config = json_object_get(order->record, "session_config");

    if (rc == FEDN_OK &&
        fedn__merger_session(service->merger, order->aggregator,
                             fedn__json_string(config, "helper_type", "numpyhelper"),
                             order->run_id) != FEDN_OK)
        rc = fedn__error_nomem(err);
    if (rc != FEDN_OK)
        return rc;
    order->aggregator = NULL;
    fedn__order_take(service, order);
    keep_list(service->resumed, "recent", &service->course.recent);
    keep_list(service->resumed, "combiners", &service->course.combiners);
    return restore(service, &order->session, ret_open, err);
}

/* What cannot go on fails, and says why; the reducer is there for the next. */
static void give_up(fedn__reducer_service *service, const fedn_error *why)
{
    const char *session = fedn__json_string(service->resumed, "session_id", "");
    const char *round = fedn__json_string(service->resumed_round, "round_id", "");
    const char *status = fedn__json_string(service->resumed_round, "status", "");
    fedn__ticket *ticket = fedn__ticket_new(NULL, NULL);

    fedn__log_write(service->log, FEDN_LOG_ERROR, "reducer", "session %s cannot go on: %s", session,
                    why->message);
    fedn__ticket_add(ticket, FEDN__RECORD_PATCH, FEDN__KIND_SESSION, session,
                     json_pack("{s:s, s:s, s:n}", "status", "Failed", "message", why->message,
                               FEDN__RESUMPTION));
    if (strcmp(status, "Pending") == 0 || strcmp(status, "Running") == 0)
        fedn__ticket_add(ticket, FEDN__RECORD_PATCH, FEDN__KIND_ROUND, round,
                         json_pack("{s:s, s:s, s:n}", "status", "Failed", "message", why->message,
                                   FEDN__RESUMPTION));
    fedn__recorder_submit(service->recorder, ticket);
}

static void do_resume(void *arg)
{
    fedn__reducer_service *service = arg;
    fedn__session_order order = {.named = 0};
    fedn_error err = {0};
    int32_t open = 0;

    if (service->resumed) {
        fedn_status rc = go_on(service, &order, &open, &err);
        if (rc != FEDN_OK)
            give_up(service, &err);
        else
            fedn__log_write(service->log, FEDN_LOG_INFO, "reducer",
                            "session %s goes on: %u of %u rounds are done",
                            order.session.session_id, (unsigned)order.session.done,
                            (unsigned)order.session.rounds);
    }
    fedn__order_done(&order);
    if (!open)
        fedn__tier_sweep(service->tier);
    fedn__service_drain(service);
}

void fedn__service_resume(fedn__reducer_service *service)
{
    fedn__loop_call(service->loop, do_resume, service);
}
