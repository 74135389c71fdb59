/* SPDX-License-Identifier: Apache-2.0
 * The standard routes of every kind of record: list, count, get. */
#include "roles/reducer/api/api.h"

#include "core/error.h"
#include "core/text.h"
#include "roles/reducer/api/filters.h"
#include "roles/reducer/resumption.h"
#include <string.h>
#include <time.h>

/* ---- showing ---- */

/* The stored form to whole seconds in microseconds; 0: it is no such time. */
static int64_t iso_to_us(const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    if (!end || *end != '.' || end[1 + strspn(end + 1, "0123456789")] != 'Z')
        return 0;
    return (int64_t)timegm(&tm) * 1000000;
}

static json_t *show_date(const json_t *value)
{
    char text[FEDN__TIME_TEXT];
    int64_t us = json_is_string(value) ? iso_to_us(json_string_value(value)) : 0;

    if (us == 0)
        return json_deep_copy(value);
    fedn__text_http_time(us, text);
    return json_string(text);
}

json_t *fedn__api_show(int32_t kind, json_t *document)
{
    json_object_del(document, FEDN__RESUMPTION);
    for (const fedn__kind_field *field = fedn__kind_get(kind)->fields; document && field->name;
         field++) {
        json_t *value = json_object_get(document, field->name);
        json_t *shown = !value                            ? json_null()
                        : field->type == FEDN__FIELD_DATE ? show_date(value)
                                                          : NULL;
        if (shown && json_object_set_new(document, field->name, shown) != 0) {
            json_decref(document);
            return NULL;
        }
    }
    return document;
}

json_t *fedn__api_show_all(int32_t kind, json_t *found)
{
    json_t *document = NULL;
    size_t i = 0;

    json_array_foreach(found, i, document)
    {
        json_t *shown = fedn__api_show(kind, json_incref(document));
        if (!shown) {
            json_decref(found);
            return NULL;
        }
        json_decref(shown);
    }
    return found;
}

void fedn__api_remove(fedn__reducer_service *service, int32_t kind, const char *id,
                      const char *message, fedn__http_response *response)
{
    json_t *record = NULL;
    fedn_error err = {0};
    fedn_status rc = fedn__store_get(service->store, kind, id, &record, &err);

    json_decref(record);
    if (rc == FEDN_OK)
        rc = fedn__service_write(service, FEDN__RECORD_REMOVE, kind, id, NULL, &err);
    if (rc != FEDN_OK)
        fedn__http_reply_error(response, rc, &err);
    else
        fedn__http_reply_message(response, 200, message);
}

static int32_t find_kind(const fedn__http_request *request, fedn__http_response *response)
{
    const char *entity = fedn__http_param(request, "entity");
    int32_t kind = fedn__kind_find(entity);
    fedn_error err;

    if (kind < 0)
        fedn__http_reply_error(
            response, fedn__error(&err, FEDN_ERR_NOT_FOUND, "no such entity: %.64s", entity), &err);
    return kind;
}

static void reply_list(fedn__http_response *response, int32_t kind, json_t *found, uint64_t count)
{
    fedn__http_reply_json(response, 200,
                          json_pack("{s:I, s:o}", "count", (json_int_t)count, "result",
                                    fedn__api_show_all(kind, found)));
}

/* `by_body` 1: the filters are in the body; `only_count` 1: the answer is a number. */
static void answer(fedn__reducer_service *service, const fedn__http_request *request,
                   fedn__http_response *response, int32_t by_body, int32_t only_count)
{
    int32_t kind = find_kind(request, response);
    fedn_error err = {0};
    fedn__filter_set filters = {.err = &err};
    json_t *found = NULL;
    uint64_t count = 0;

    if (kind < 0)
        return;
    filters.kind = fedn__kind_get(kind);
    fedn_status rc = fedn__filters_read(&filters, request, by_body);
    if (rc == FEDN_OK)
        rc = fedn__store_list(service->store, kind, &filters.query, only_count ? NULL : &found,
                              &count, &err);
    if (rc != FEDN_OK)
        fedn__http_reply_error(response, rc, &err);
    else if (only_count)
        fedn__http_reply_json(response, 200, json_integer((json_int_t)count));
    else
        reply_list(response, kind, found, count);
    fedn__filters_done(&filters);
}

void fedn__api_list(void *service, const fedn__http_request *request, fedn__http_response *response)
{
    answer(service, request, response, 0, 0);
}

void fedn__api_list_by_body(void *service, const fedn__http_request *request,
                            fedn__http_response *response)
{
    answer(service, request, response, 1, 0);
}

void fedn__api_count(void *service, const fedn__http_request *request,
                     fedn__http_response *response)
{
    answer(service, request, response, 0, 1);
}

void fedn__api_count_by_body(void *service, const fedn__http_request *request,
                             fedn__http_response *response)
{
    answer(service, request, response, 1, 1);
}

/* Every client that was asked for a prediction answers under its id: the newest answer is the one
 * that the id alone gets, the list (?prediction_id=...) has them all. */
static fedn_status get_prediction(fedn__reducer_service *service, const char *id, json_t **ret,
                                  fedn_error *err)
{
    json_t *value = json_string(id);
    const fedn__filter filter = {"prediction_id", FEDN__OP_EQ, value};
    const fedn__query query = {.filters = &filter, .filter_count = 1, .limit = 1};
    json_t *found = NULL;
    fedn_status rc =
        value ? fedn__store_list(service->store, FEDN__KIND_PREDICTION, &query, &found, NULL, err)
              : fedn__error_nomem(err);

    *ret = json_incref(json_array_get(found, 0));
    if (rc == FEDN_OK && !*ret)
        rc = fedn__error(err, FEDN_ERR_NOT_FOUND, "Entity with id: %.*s not found",
                         FEDN__LIMIT_NAME_BYTES, id);
    json_decref(found);
    json_decref(value);
    return rc;
}

void fedn__api_get(void *user_data, const fedn__http_request *request,
                   fedn__http_response *response)
{
    fedn__reducer_service *service = user_data;
    int32_t kind = find_kind(request, response);
    json_t *document = NULL;
    fedn_error err = {0};

    if (kind < 0)
        return;
    const char *id = fedn__http_param(request, "id");
    fedn_status rc = kind == FEDN__KIND_PREDICTION
                         ? get_prediction(service, id, &document, &err)
                         : fedn__store_get(service->store, kind, id, &document, &err);
    if (rc != FEDN_OK)
        fedn__http_reply_error(response, rc, &err);
    else
        fedn__http_reply_json(response, 200, fedn__api_show(kind, document));
}
