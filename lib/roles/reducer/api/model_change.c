/* SPDX-License-Identifier: Apache-2.0
 * Models: changing what is recorded of one. */
#include "roles/reducer/api/api.h"

#include "core/error.h"
#include "core/text.h"
#include "roles/reducer/api/body.h"
#include <string.h>

static fedn_status change_name(const json_t *body, int32_t whole, json_t *change, fedn_error *err)
{
    json_t *name = json_object_get(body, "name");

    if (!name && !whole)
        return FEDN_OK;
    if (!fedn__text_is_line(json_string_value(name), FEDN__LIMIT_NAME_BYTES))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "the model's name must be 1 to %d printable bytes",
                           FEDN__LIMIT_NAME_BYTES);
    return json_object_set(change, "name", name) == 0 ? FEDN_OK : fedn__error_nomem(err);
}

static fedn_status change_pinned(const json_t *body, json_t *change, fedn_error *err)
{
    json_t *pinned = json_object_get(body, "pinned");

    if (!pinned)
        return FEDN_OK;
    if (!json_is_boolean(pinned))
        return fedn__error(err, FEDN_ERR_INVALID, "pinned must be true or false");
    return json_object_set(change, "pinned", pinned) == 0 ? FEDN_OK : fedn__error_nomem(err);
}

/* Where it comes from: an id, or null. */
static fedn_status change_origin(const json_t *body, const char *key, int32_t whole, json_t *change,
                                 fedn_error *err)
{
    const char *id = NULL;
    fedn_status rc = fedn__body_text(body, key, FEDN__LIMIT_ID_BYTES, &id, err);

    if (rc == FEDN_OK && (whole || json_object_get(body, key)) &&
        json_object_set_new(change, key, id ? json_string(id) : json_null()) != 0)
        rc = fedn__error_nomem(err);
    return rc;
}

/* An id in the body is that of the path. */
static fedn_status check_ids(const json_t *body, const char *id, fedn_error *err)
{
    static const char *const keys[] = {"model_id", "model"};

    for (uint32_t i = 0; i < 2; i++) {
        const json_t *given = json_object_get(body, keys[i]);
        if (given && !fedn__text_equal(json_string_value(given), id))
            return fedn__error(err, FEDN_ERR_INVALID, "%s cannot be changed", keys[i]);
    }
    return FEDN_OK;
}

/* `whole` 0: what is not said stays, and what is not known is ignored, as FEDn does. */
static fedn_status change_model(fedn__reducer_service *service, const char *id, const json_t *body,
                                int32_t whole, fedn_error *err)
{
    static const char *const known[] = {"model_id",     "model",      "name",
                                        "parent_model", "session_id", "committed_at",
                                        "updated_at",   "pinned",     NULL};
    json_t *record = NULL;
    json_t *change = json_object();
    fedn_status rc = fedn__store_get(service->store, FEDN__KIND_MODEL, id, &record, err);

    json_decref(record);
    if (rc == FEDN_OK && whole)
        rc = fedn__body_check_keys(body, known, err);
    if (rc == FEDN_OK && whole)
        rc = check_ids(body, id, err);
    if (rc == FEDN_OK)
        rc = change_name(body, whole, change, err);
    if (rc == FEDN_OK)
        rc = change_pinned(body, change, err);
    if (rc == FEDN_OK)
        rc = change_origin(body, "parent_model", whole, change, err);
    if (rc == FEDN_OK)
        rc = change_origin(body, "session_id", whole, change, err);
    if (rc == FEDN_OK && json_object_size(change) > 0) {
        rc = fedn__service_write(service, FEDN__RECORD_PATCH, FEDN__KIND_MODEL, id, change, err);
        change = NULL;
    }
    json_decref(change);
    return rc;
}

static void answer(fedn__reducer_service *service, const fedn__http_request *request, int32_t whole,
                   fedn__http_response *response)
{
    const char *id = fedn__http_param(request, "id");
    json_t *body = NULL;
    json_t *record = NULL;
    fedn_error err = {0};
    fedn_status rc = fedn__http_body_json(request, &body, &err);

    if (rc == FEDN_OK)
        rc = change_model(service, id, body, whole, &err);
    if (rc == FEDN_OK)
        rc = fedn__store_get(service->store, FEDN__KIND_MODEL, id, &record, &err);
    if (rc != FEDN_OK)
        fedn__http_reply_error(response, rc, &err);
    else
        fedn__http_reply_json(response, 200, fedn__api_show(FEDN__KIND_MODEL, record));
    json_decref(body);
}

void fedn__api_patch_model(void *service, const fedn__http_request *request,
                           fedn__http_response *response)
{
    answer(service, request, 0, response);
}

void fedn__api_put_model(void *service, const fedn__http_request *request,
                         fedn__http_response *response)
{
    answer(service, request, 1, response);
}
