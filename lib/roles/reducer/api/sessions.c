/* SPDX-License-Identifier: Apache-2.0
 * Sessions: making one, starting it. */
#include "roles/reducer/api/session_change.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/text.h"
#include "model/source.h"
#include "roles/reducer/api/body.h"
#include "roles/reducer/plan.h"
#include <stdio.h>
#include <string.h>

/* ---- making ---- */

static fedn_status make_session(fedn__reducer_service *service, const json_t *body, json_t **ret,
                                fedn_error *err)
{
    char id[FEDN__UUID_TEXT];
    const char *name = NULL;
    const char *seed = NULL;
    json_t *config = NULL;
    fedn_status rc = fedn__body_check_keys(body, fedn__session_keys, err);

    *ret = NULL;
    if (rc == FEDN_OK)
        rc = fedn__body_text(body, "name", FEDN__LIMIT_NAME_BYTES, &name, err);
    if (rc == FEDN_OK)
        rc = fedn__body_text(body, "seed_model_id", FEDN__LIMIT_ID_BYTES, &seed, err);
    if (rc == FEDN_OK)
        rc = fedn__plan_check(json_object_get(body, "session_config"), &config, err);
    if (rc == FEDN_OK) {
        fedn__uuid_new_text(id);
        *ret = fedn__trail_session(id, name, config);
        if (!*ret || (seed && json_object_set_new(*ret, "seed_model_id", json_string(seed)) != 0))
            rc = fedn__error_nomem(err);
    }
    if (rc == FEDN_OK)
        rc = fedn__service_write(service, FEDN__RECORD_PUT, FEDN__KIND_SESSION, id,
                                 json_deep_copy(*ret), err);
    json_decref(config);
    return rc;
}

/* Mistakes of the caller are 400 in FEDn, whatever they are. */
static void reply_mistake(fedn__http_response *response, fedn_status rc, const fedn_error *err)
{
    if (rc == FEDN_ERR_NOMEM || rc == FEDN_ERR_STORE || rc == FEDN_ERR_IO)
        fedn__http_reply_error(response, rc, err);
    else
        fedn__http_reply_message(response, 400, err->message);
}

void fedn__api_add_session(void *service, const fedn__http_request *request,
                           fedn__http_response *response)
{
    json_t *body = NULL;
    json_t *record = NULL;
    fedn_error err = {0};
    fedn_status rc = fedn__http_body_json(request, &body, &err);

    if (rc == FEDN_OK)
        rc = make_session(service, body, &record, &err);
    if (rc != FEDN_OK)
        reply_mistake(response, rc, &err);
    else
        fedn__api_reply_session(service, response, 201,
                                fedn__json_string(record, "session_id", ""));
    json_decref(record);
    json_decref(body);
}

/* ---- starting ---- */

/* The model to start from: the configured one, else the seed, else the newest. It must be there and
 * be of the session's format. */
static fedn_status find_seed(fedn__reducer_service *service, const json_t *record,
                             char ret[FEDN__UUID_TEXT], fedn_error *err)
{
    const json_t *config = json_object_get(record, "session_config");
    const char *given = fedn__json_string(config, "model_id", "");
    const char *helper = fedn__json_string(config, "helper_type", "");
    fedn__uuid id;
    fedn__blob *blob = NULL;
    fedn__source *source = NULL;
    fedn_status rc = FEDN_OK;

    if (!*given)
        given = fedn__json_string(record, "seed_model_id", "");
    if (!*given) {
        rc = fedn__api_newest_model(service, ret, err);
        if (rc != FEDN_OK)
            return rc;
        given = ret;
    }
    if (!fedn__uuid_parse(given, &id))
        return fedn__error(err, FEDN_ERR_INVALID, "model_id \"%.64s\" is not a UUID", given);
    rc = fedn__blobs_get(service->blobs, &id, &blob, err);
    if (rc == FEDN_ERR_NOT_FOUND)
        fedn__error(err, rc, "no model %s: push it first, or leave model_id out", given);
    if (rc == FEDN_OK) {
        rc = fedn__source_check_raw(blob, helper, err);
        if (rc == FEDN_OK)
            rc = fedn__source_open(blob, helper, &source, err);
        if (rc != FEDN_OK)
            fedn__error_prefix(err, rc, "the model to start from");
    }
    fedn__uuid_format(&id, ret);
    fedn__source_free(source);
    fedn__blob_unref(blob);
    return rc;
}

/* What the start says, over what the session was made with. */
static fedn_status override(json_t *config, const json_t *body, fedn_error *err)
{
    static const char *const keys[] = {"rounds", "round_timeout"};
    fedn_status rc = FEDN_OK;

    for (uint32_t i = 0; rc == FEDN_OK && i < 2; i++) {
        const json_t *value = json_object_get(body, keys[i]);
        if (value)
            rc = fedn__plan_set(config, keys[i], value, err);
    }
    return rc;
}

static fedn_status take_client_ids(const json_t *named, json_t **ret, fedn_error *err)
{
    if (!named || json_is_null(named))
        return FEDN_OK;
    if (!json_is_string(named))
        return fedn__error(err, FEDN_ERR_INVALID, "client_ids must be a comma separated string");
    return fedn__plan_client_ids(json_string_value(named), ret, err);
}

static fedn_status make_order(fedn__reducer_service *service, const json_t *body,
                              fedn__session_order *order, fedn_error *err)
{
    static const char *const known[] = {"session_id",        "rounds",     "round_timeout",
                                        "model_name_prefix", "client_ids", NULL};
    const char *id = NULL;
    const char *prefix = NULL;
    const json_t *named = json_object_get(body, "client_ids");
    fedn_status rc = fedn__body_check_keys(body, known, err);

    if (rc == FEDN_OK)
        rc = fedn__body_text(body, "session_id", FEDN__LIMIT_ID_BYTES, &id, err);
    if (rc == FEDN_OK && !id)
        rc = fedn__error(err, FEDN_ERR_INVALID, "Session ID is required");
    if (rc == FEDN_OK)
        rc = fedn__body_text(body, "model_name_prefix", FEDN__LIMIT_ID_BYTES, &prefix, err);
    if (rc == FEDN_OK)
        rc = fedn__store_get(service->store, FEDN__KIND_SESSION, id, &order->record, err);
    if (rc == FEDN_ERR_NOT_FOUND)
        fedn__error(err, rc, "Session with specified ID does not exist");
    if (rc == FEDN_OK)
        rc = take_client_ids(named, &order->client_ids, err);
    if (rc == FEDN_OK && prefix && !(order->prefix = fedn__strdup(prefix)))
        rc = fedn__error_nomem(err);
    json_t *config = json_object_get(order->record, "session_config");
    if (rc == FEDN_OK)
        rc = override(config, body, err);
    if (rc == FEDN_OK)
        rc = find_seed(service, order->record, order->session.model_id, err);
    return rc == FEDN_OK ? fedn__order_fill(service, order, err) : rc;
}

void fedn__api_start_session(void *service, const fedn__http_request *request,
                             fedn__http_response *response)
{
    fedn__session_order order = {0};
    json_t *body = NULL;
    fedn_error err = {0};
    fedn_status rc = fedn__http_body_json(request, &body, &err);

    if (rc == FEDN_OK)
        rc = make_order(service, body, &order, &err);
    if (rc == FEDN_OK)
        rc = fedn__service_begin(service, &order, &err);
    if (rc == FEDN_OK)
        rc = fedn__service_flush(service, &err);
    if (rc != FEDN_OK)
        reply_mistake(response, rc, &err);
    else
        fedn__http_reply_message(response, 200, "Session started");
    fedn__order_done(&order);
    json_decref(body);
}
