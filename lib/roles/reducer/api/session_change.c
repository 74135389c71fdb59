/* SPDX-License-Identifier: Apache-2.0
 * Sessions: changing one, stopping it. */
#include "roles/reducer/api/session_change.h"

#include "core/error.h"
#include "roles/reducer/api/body.h"
#include "roles/reducer/plan.h"
#include <string.h>

const char *const fedn__session_keys[] = {"name",   "seed_model_id", "session_config", "session_id",
                                          "status", "committed_at",  "updated_at",     NULL};

void fedn__api_reply_session(fedn__reducer_service *service, fedn__http_response *response,
                             int32_t status, const char *id)
{
    json_t *record = NULL;
    fedn_error err = {0};
    fedn_status rc = fedn__store_get(service->store, FEDN__KIND_SESSION, id, &record, &err);

    if (rc != FEDN_OK)
        fedn__http_reply_error(response, rc, &err);
    else
        fedn__http_reply_json(response, status, fedn__api_show(FEDN__KIND_SESSION, record));
}

static int32_t runs(const json_t *record)
{
    return strcmp(fedn__json_string(record, "status", ""),
                  fedn__session_status(FEDN__SESSION_STARTED)) == 0;
}

/* Settings that are not those of a round in progress. `whole` 1: those that are not said become
 * what they are by default; 0: they stay. */
static fedn_status change_config(const json_t *record, const json_t *given, int32_t whole,
                                 json_t *change, fedn_error *err)
{
    json_t *config = NULL;
    const char *key = NULL;
    json_t *value = NULL;
    fedn_status rc = FEDN_OK;

    if (!given && !whole)
        return FEDN_OK;
    if (runs(record))
        return fedn__error(err, FEDN_ERR_STATE,
                           "session_config cannot be changed while the session runs: set its "
                           "status to \"Terminated\" first");
    if (whole || !json_is_object(given)) {
        rc = fedn__plan_check(given, &config, err);
    } else {
        config = json_deep_copy(json_object_get(record, "session_config"));
        json_object_foreach((json_t *)(uintptr_t)given, key, value)
        {
            if (rc == FEDN_OK)
                rc = fedn__plan_set(config, key, value, err);
        }
    }
    if (rc == FEDN_OK && json_object_set(change, "session_config", config) != 0)
        rc = fedn__error_nomem(err);
    json_decref(config);
    return rc;
}

static fedn_status change_text(const json_t *body, const char *key, uint64_t limit, int32_t whole,
                               json_t *change, fedn_error *err)
{
    const char *text = NULL;
    fedn_status rc = fedn__body_text(body, key, limit, &text, err);

    if (rc == FEDN_OK && (text || whole) &&
        json_object_set_new(change, key, text ? json_string(text) : json_null()) != 0)
        rc = fedn__error_nomem(err);
    return rc;
}

/* A session that does not run gets its status by its record; one that runs, from its end. */
static fedn_status change_status(fedn__reducer_service *service, const json_t *record,
                                 const json_t *body, json_t *change, fedn_error *err)
{
    const char *id = fedn__json_string(record, "session_id", "");
    const char *status = NULL;
    fedn_status rc = fedn__body_text(body, "status", FEDN__LIMIT_ID_BYTES, &status, err);

    if (rc != FEDN_OK || !status || strcmp(status, fedn__json_string(record, "status", "")) == 0)
        return rc;
    if (strcmp(status, "Terminated") != 0)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "status \"%.64s\" cannot be set: only \"Terminated\", which stops the "
                           "session",
                           status);
    if (fedn__service_end(service, id) == FEDN_ERR_NOT_FOUND &&
        json_object_set_new(change, "status", json_string(status)) != 0)
        rc = fedn__error_nomem(err);
    return rc;
}

/* The session must be there: a patch would make it otherwise. The record is written even when
 * nothing changes: behind it, what the end of the session wrote is there to be read. */
static fedn_status change(fedn__reducer_service *service, const char *id, const json_t *body,
                          int32_t whole, fedn_error *err)
{
    json_t *record = NULL;
    json_t *change = json_object();
    fedn_status rc = fedn__store_get(service->store, FEDN__KIND_SESSION, id, &record, err);

    if (rc == FEDN_OK && !change)
        rc = fedn__error_nomem(err);
    if (rc == FEDN_OK && whole)
        rc = fedn__body_check_keys(body, fedn__session_keys, err);
    if (rc == FEDN_OK)
        rc = change_text(body, "name", FEDN__LIMIT_NAME_BYTES, whole, change, err);
    if (rc == FEDN_OK)
        rc = change_text(body, "seed_model_id", FEDN__LIMIT_ID_BYTES, whole, change, err);
    if (rc == FEDN_OK)
        rc = change_config(record, json_object_get(body, "session_config"), whole, change, err);
    if (rc == FEDN_OK)
        rc = change_status(service, record, body, change, err);
    if (rc == FEDN_OK) {
        rc = fedn__service_write(service, FEDN__RECORD_PATCH, FEDN__KIND_SESSION, id, change, err);
        change = NULL;
    }
    json_decref(change);
    json_decref(record);
    return rc;
}

static void answer_change(fedn__reducer_service *service, const fedn__http_request *request,
                          int32_t whole, fedn__http_response *response)
{
    const char *id = fedn__http_param(request, "id");
    json_t *body = NULL;
    fedn_error err = {0};
    fedn_status rc = fedn__http_body_json(request, &body, &err);

    if (rc == FEDN_OK)
        rc = change(service, id, body, whole, &err);
    if (rc != FEDN_OK)
        fedn__http_reply_error(response, rc, &err);
    else
        fedn__api_reply_session(service, response, 200, id);
    json_decref(body);
}

void fedn__api_patch_session(void *service, const fedn__http_request *request,
                             fedn__http_response *response)
{
    answer_change(service, request, 0, response);
}

void fedn__api_put_session(void *service, const fedn__http_request *request,
                           fedn__http_response *response)
{
    answer_change(service, request, 1, response);
}
