/* SPDX-License-Identifier: Apache-2.0
 * A session's server functions in a combiner's round: at its start and at its end the hooks service
 * is asked, and what it does not say is done the built-in way. */
#include "roles/combiner/service.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
#include <string.h>

static void warn(const fedn__combiner_service *service, const char *text)
{
    fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner", "%s", text);
}

/* The updates of a round that has a function for its end stay until then. */
void fedn__combiner_keep_for_functions(fedn__combiner_service *service, int32_t keep)
{
    service->aggregates = keep;
    fedn__shelf_hold(service->shelf, keep);
}

/* ---- at a round's start ---- */

static fedn_status add_settings(fedn__combiner_service *service, const char *model_id,
                                const char *settings)
{
    const char *config = fedn__combiner_engine_plan(service->engine)->config;
    json_t *object = NULL;
    json_t *value = NULL;
    char *text = NULL;
    fedn_status rc = fedn__json_parse(config, strlen(config), 0, "config", &object, NULL);

    if (rc == FEDN_OK)
        rc = fedn__json_parse(settings, strlen(settings), 0, "client_settings", &value, NULL);
    if (rc == FEDN_OK && json_object_set(object, "client_settings", value) == 0)
        text = fedn__json_text(object);
    if (rc == FEDN_OK)
        rc = text ? fedn__combiner_engine_configure(service->engine, model_id, text)
                  : FEDN_ERR_NOMEM;
    fedn__free(text);
    json_decref(object);
    json_decref(value);
    return rc;
}

static void chosen(const char *model_id, const fedn__hooks_answer *answer, void *user_data)
{
    fedn__combiner_service *service = user_data;
    const char *error = answer->error;

    if (answer->note)
        warn(service, answer->note);
    if (answer->count > 0 && fedn__combiner_engine_select(service->engine, model_id, answer->ids,
                                                          answer->count) != FEDN_OK)
        warn(service, "out of memory for the clients of client_selection: built-in choice");
    if (answer->settings && add_settings(service, model_id, answer->settings) != FEDN_OK)
        warn(service, "out of memory for client_settings: clients train without them");
    if (answer->aggregates && fedn__combiner_engine_plan(service->engine)->async)
        error = "an asynchronous session has no server function aggregate: its updates start from "
                "several models";
    fedn__combiner_keep_for_functions(service, answer->aggregates);
    fedn__combiner_model_here(service, model_id, error);
    fedn__combiner_service_drain(service);
}

int32_t fedn__combiner_ask_functions(fedn__combiner_service *service, const char *model_id)
{
    const char *code = fedn__combiner_engine_functions(service->engine, model_id);
    const fedn__roster *roster = fedn__combiner_engine_roster(service->engine);
    fedn__blob *global = NULL;
    json_t *ids = NULL;
    char *text = NULL;
    fedn_status rc = FEDN_ERR_NOMEM;

    if (!code)
        return 0;
    fedn__combiner_keep_for_functions(service, 0);
    if (!service->hooks) {
        warn(service, "the session brings server functions, and combiner.hooks is empty: "
                      "built-in choice");
        return 0;
    }
    ids = json_array();
    for (fedn__participant *client = fedn__roster_oldest(roster); client; client = client->newer)
        if (fedn__combiner_engine_may_ask(service->engine, client))
            json_array_append_new(ids, json_string(client->id));
    text = ids ? fedn__json_text(ids) : NULL;
    json_decref(ids);
    if (text)
        rc = fedn__shelf_model(service->shelf, model_id, &global, NULL);
    if (rc == FEDN_OK)
        rc = fedn__hooks_select(service->hooks, model_id, code, text, global);
    fedn__blob_unref(global);
    fedn__free(text);
    return rc == FEDN_OK;
}

/* ---- at its end ---- */

static int32_t is_saving(const fedn__combiner_service *service, const char *round_id)
{
    return service->handover && strcmp(service->handover->round_id, round_id) == 0;
}

static void on_replaced(const fedn__fold_result *result, const char *round_id, void *user_data)
{
    fedn__combiner_service *service = user_data;

    if (service->stopping || !is_saving(service, round_id))
        return;
    if (result->status != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner",
                        "built-in aggregate: what the server function made: %s",
                        result->err.message);
    fedn__combiner_save_partial(service);
}

static fedn_status replace(fedn__combiner_service *service, fedn__blob *model)
{
    const fedn__round_plan *plan = fedn__combiner_engine_plan(service->engine);
    fedn__blob *global = NULL;
    fedn_status rc = fedn__shelf_model(service->shelf, plan->model_id, &global, NULL);

    if (rc == FEDN_OK)
        rc = fedn__fold_replace(service->fold, model, global, plan->round_id, on_replaced, service);
    fedn__blob_unref(global);
    return rc;
}

static void merged(const char *round_id, fedn__blob *model, const char *note, void *user_data)
{
    fedn__combiner_service *service = user_data;

    if (!is_saving(service, round_id))
        return;
    if (note)
        warn(service, note);
    if (model && replace(service, model) == FEDN_OK)
        return;
    if (model)
        warn(service, "built-in aggregate: out of memory");
    fedn__combiner_save_partial(service);
}

static fedn_status open_update(const char *update_id, fedn__blob **ret, void *user_data,
                               fedn_error *err)
{
    const fedn__combiner_service *service = user_data;

    return fedn__shelf_kept(service->shelf, update_id, ret, err);
}

const fedn__hooks_events fedn__combiner_hooks_events = {
    .chosen = chosen, .merged = merged, .open = open_update};

/* Who has not said more than how many examples it has is not made to. */
static fedn_status describe(const fedn__combiner_service *service, const fedn__participant *client,
                            fedn__hooks_update *ret)
{
    const char *said = fedn__shelf_description(service->shelf, client->update_id);

    memcpy(ret->update_id, client->update_id, sizeof ret->update_id);
    ret->client_id = fedn__strdup(client->id);
    ret->metadata =
        said ? fedn__strdup(said) : fedn__strf("{\"num_examples\": %.17g}", client->num_examples);
    return ret->client_id && ret->metadata ? FEDN_OK : FEDN_ERR_NOMEM;
}

static fedn_status ask_aggregate(fedn__combiner_service *service)
{
    const fedn__round_plan *plan = fedn__combiner_engine_plan(service->engine);
    uint32_t asked = 0;
    fedn__participant *const *clients = fedn__combiner_engine_asked(service->engine, &asked);
    fedn__hooks_round round = {.round_id = plan->round_id, .code = plan->server_functions};
    fedn_status rc = fedn__shelf_model(service->shelf, plan->model_id, &round.global, NULL);

    round.updates = fedn__alloc_array(asked + 1, sizeof *round.updates);
    if (!round.updates)
        rc = FEDN_ERR_NOMEM;
    for (uint32_t i = 0; rc == FEDN_OK && i < asked; i++)
        if (clients[i]->outcome == FEDN__OUTCOME_ACCEPTED)
            rc = describe(service, clients[i], &round.updates[round.count++]);
    if (rc == FEDN_OK)
        rc = fedn__hooks_merge(service->hooks, &round);
    fedn__blob_unref(round.global);
    if (rc != FEDN_OK)
        fedn__hooks_updates_free(round.updates, round.count);
    return rc;
}

int32_t fedn__combiner_ask_aggregate(fedn__combiner_service *service)
{
    if (!service->aggregates || !service->hooks)
        return 0;
    fedn_status rc = ask_aggregate(service);
    if (rc != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner", "built-in aggregate: %s",
                        fedn_status_string(rc));
    return rc == FEDN_OK;
}
