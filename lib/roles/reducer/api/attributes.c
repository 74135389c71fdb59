/* SPDX-License-Identifier: Apache-2.0
 * What tools tell of clients: attributes and telemetry; and the attributes that hold now. */
#include "roles/reducer/ledger.h"
#include "roles/reducer/messages.h"

#include "core/clock.h"
#include "core/error.h"
#include "core/text.h"
#include "roles/reducer/api/api.h"
#include "roles/reducer/api/body.h"
#include <string.h>

/* ---- adding ---- */

static fedn_status check_sender(const json_t *sender, const char *class, fedn_error *err)
{
    static const char *const known[] = {"name", "role", "client_id", NULL};
    const char *text = NULL;

    if (!json_is_object(sender))
        return fedn__error(err, FEDN_ERR_INVALID, "Class '%s' is missing field sender", class);
    fedn_status rc = fedn__body_check_keys(sender, known, err);
    for (uint32_t i = 0; rc == FEDN_OK && known[i]; i++) {
        rc = fedn__body_text(sender, known[i], FEDN__LIMIT_NAME_BYTES, &text, err);
        if (rc == FEDN_OK && !text && i < 2)
            rc =
                fedn__error(err, FEDN_ERR_INVALID, "Class 'NodeDTO' is missing field %s", known[i]);
    }
    return rc;
}

static fedn_status check_value(int32_t kind, const json_t *value, const char *class,
                               fedn_error *err)
{
    if (!value || json_is_null(value))
        return fedn__error(err, FEDN_ERR_INVALID, "Class '%s' is missing field value", class);
    if (kind == FEDN__KIND_TELEMETRY && !json_is_number(value))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "Validation failed for field 'value' with message: it must be a number");
    if (kind == FEDN__KIND_ATTRIBUTE &&
        (!json_is_string(value) || json_string_length(value) > FEDN__LIMIT_TEXT_BYTES))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "Validation failed for field 'value' with message: it must be text of "
                           "at most %d bytes",
                           FEDN__LIMIT_TEXT_BYTES);
    return FEDN_OK;
}

static fedn_status check_record(int32_t kind, const json_t *body, fedn_error *err)
{
    const fedn__kind *row = fedn__kind_get(kind);
    const char *class = kind == FEDN__KIND_TELEMETRY ? "TelemetryDTO" : "AttributeDTO";
    const char *const known[] = {row->key,    "key",          "value",      "sender",
                                 "timestamp", "committed_at", "updated_at", NULL};
    const char *text = NULL;
    fedn_status rc = fedn__body_check_keys(body, known, err);

    if (rc == FEDN_OK)
        rc = fedn__body_text(body, "timestamp", FEDN__LIMIT_NAME_BYTES, &text, err);
    if (rc == FEDN_OK)
        rc = fedn__body_text(body, "key", FEDN__LIMIT_NAME_BYTES, &text, err);
    if (rc == FEDN_OK && !text)
        rc = fedn__error(err, FEDN_ERR_INVALID, "Class '%s' is missing field key", class);
    if (rc == FEDN_OK)
        rc = check_value(kind, json_object_get(body, "value"), class, err);
    return rc == FEDN_OK ? check_sender(json_object_get(body, "sender"), class, err) : rc;
}

/* The record of a checked body, and its id. */
static json_t *record_of(int32_t kind, const json_t *body, char id[FEDN__LIMIT_NAME_BYTES + 1])
{
    char now[FEDN__TIME_TEXT];

    fedn__text_iso_time(fedn__clock_wall_us(), now);
    json_t *record =
        json_pack("{s:O, s:O, s:O, s:s}", "key", json_object_get(body, "key"), "value",
                  json_object_get(body, "value"), "sender", json_object_get(body, "sender"),
                  "timestamp", fedn__json_string(body, "timestamp", now));
    if (kind == FEDN__KIND_TELEMETRY)
        fedn__messages_telemetry_id(record, id);
    else
        fedn__uuid_new_text(id);
    if (record && json_object_set_new(record, fedn__kind_get(kind)->key, json_string(id)) != 0) {
        json_decref(record);
        return NULL;
    }
    return record;
}

static void add(fedn__reducer_service *service, const fedn__http_request *request, int32_t kind,
                fedn__http_response *response)
{
    char id[FEDN__LIMIT_NAME_BYTES + 1];
    json_t *body = NULL;
    json_t *stored = NULL;
    fedn_error err = {0};
    fedn_status rc = fedn__http_body_json(request, &body, &err);

    if (rc == FEDN_OK)
        rc = check_record(kind, body, &err);
    if (rc == FEDN_OK) {
        json_t *record = record_of(kind, body, id);
        rc = record ? fedn__service_write(service, FEDN__RECORD_PUT, kind, id, record, &err)
                    : fedn__error_nomem(&err);
    }
    if (rc == FEDN_OK)
        rc = fedn__store_get(service->store, kind, id, &stored, &err);
    if (rc != FEDN_OK)
        fedn__http_reply_error(response, rc, &err);
    else
        fedn__http_reply_json(response, 201, fedn__api_show(kind, stored));
    json_decref(body);
}

void fedn__api_add_telemetry(void *service, const fedn__http_request *request,
                             fedn__http_response *response)
{
    add(service, request, FEDN__KIND_TELEMETRY, response);
}

void fedn__api_add_attribute(void *service, const fedn__http_request *request,
                             fedn__http_response *response)
{
    add(service, request, FEDN__KIND_ATTRIBUTE, response);
}

/* ---- what holds now ---- */

/* The latest value of each key. FEDN_ERR_NOT_FOUND: no such client. */
static fedn_status current(fedn__reducer_service *service, const char *client_id, json_t **ret,
                           fedn_error *err)
{
    json_t *client = NULL;
    json_t *id = json_string(client_id);
    fedn__filter filter = {"sender.client_id", FEDN__OP_EQ, id};
    fedn__query query = {.filters = &filter, .filter_count = 1, .ascending = 1};
    json_t *found = NULL;
    json_t *attribute = NULL;
    size_t i = 0;
    fedn_status rc =
        id ? fedn__store_get(service->store, FEDN__KIND_CLIENT, client_id, &client, err)
           : fedn__error_nomem(err);

    if (rc == FEDN_OK)
        rc = fedn__store_list(service->store, FEDN__KIND_ATTRIBUTE, &query, &found, NULL, err);
    *ret = rc == FEDN_OK ? json_object() : NULL;
    json_array_foreach(found, i, attribute)
    {
        if (json_object_set(*ret, fedn__json_string(attribute, "key", ""),
                            json_object_get(attribute, "value")) != 0)
            rc = fedn__error_nomem(err);
    }
    json_decref(found);
    json_decref(client);
    json_decref(id);
    return rc;
}

void fedn__api_client_attributes(void *service, const fedn__http_request *request,
                                 fedn__http_response *response)
{
    json_t *values = NULL;
    fedn_error err = {0};
    fedn_status rc = current(service, fedn__http_param(request, "id"), &values, &err);

    if (rc == FEDN_OK) {
        fedn__http_reply_json(response, 200, values);
        return;
    }
    json_decref(values);
    fedn__http_reply_error(response, rc, &err);
}

static fedn_status current_of_all(fedn__reducer_service *service, const json_t *ids, json_t *all,
                                  fedn_error *err)
{
    const json_t *id = NULL;
    size_t i = 0;

    if (!json_is_array(ids) || json_array_size(ids) == 0)
        return fedn__error(err, FEDN_ERR_INVALID, "Missing required field: client_ids");
    if (json_array_size(ids) > FEDN__LIMIT_API_IDS)
        return fedn__error(err, FEDN_ERR_INVALID, "client_ids has %u ids: over the limit of %d",
                           (unsigned)json_array_size(ids), FEDN__LIMIT_API_IDS);
    json_array_foreach(ids, i, id)
    {
        const char *text = json_string_value(id);
        json_t *values = NULL;
        if (!fedn__text_is_line(text, FEDN__LIMIT_NAME_BYTES))
            return fedn__error(err, FEDN_ERR_INVALID, "client_ids[%u] is no client's id",
                               (unsigned)i);
        fedn_status rc = current(service, text, &values, err);
        if (rc == FEDN_ERR_NOT_FOUND)
            values = json_sprintf("Entity with client_id: %s not found", text);
        else if (rc != FEDN_OK) {
            json_decref(values);
            return rc;
        }
        if (json_object_set_new(all, text, values) != 0)
            return fedn__error_nomem(err);
    }
    return FEDN_OK;
}

void fedn__api_current_attributes(void *service, const fedn__http_request *request,
                                  fedn__http_response *response)
{
    json_t *body = NULL;
    json_t *all = json_object();
    fedn_error err = {0};
    fedn_status rc = fedn__http_body_json(request, &body, &err);

    if (rc == FEDN_OK)
        rc = current_of_all(service, json_object_get(body, "client_ids"), all, &err);
    if (rc == FEDN_OK) {
        fedn__http_reply_json(response, 200, json_incref(all));
    } else {
        fedn__http_reply_error(response, rc, &err);
    }
    json_decref(all);
    json_decref(body);
}
