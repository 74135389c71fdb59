/* SPDX-License-Identifier: Apache-2.0
 * The standard routes of every kind of record: list, count, get, with filters and sorting. */
#include "roles/reducer/api/api.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/text.h"
#include "roles/reducer/resumption.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- showing ---- */

static int32_t is_date(const char *field)
{
    static const char *const dates[] = {"committed_at", "updated_at", "last_seen", "completed_at"};

    for (uint32_t i = 0; i < sizeof dates / sizeof dates[0]; i++)
        if (strcmp(field, dates[i]) == 0)
            return 1;
    return 0;
}

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
    for (const char *const *field = fedn__kind_get(kind)->fields; document && *field; field++) {
        json_t *value = json_object_get(document, *field);
        json_t *shown = !value ? json_null() : is_date(*field) ? show_date(value) : NULL;
        if (shown && json_object_set_new(document, *field, shown) != 0) {
            json_decref(document);
            return NULL;
        }
    }
    return document;
}

/* ---- filters ---- */

typedef struct filter_set {
    const fedn__kind *kind;
    fedn__query query;
    fedn__filter list[FEDN__LIMIT_FILTERS];
    char *fields[FEDN__LIMIT_FILTERS];
    json_t *values[FEDN__LIMIT_FILTERS];
    fedn_status status;
    fedn_error *err;
} filter_set;

static void filters_done(filter_set *filters)
{
    for (uint32_t i = 0; i < filters->query.filter_count; i++) {
        fedn__free(filters->fields[i]);
        json_decref(filters->values[i]);
    }
}

/* "sessionId" to "session_id", in place of the copy: some of FEDn's tools write it so. */
static char *snake(const char *name)
{
    size_t bytes = strlen(name);
    char *text = fedn__alloc(2 * (uint64_t)bytes + 1);
    char *to = text;

    if (!text)
        return NULL;
    for (; *name; name++) {
        int32_t upper = *name >= 'A' && *name <= 'Z';
        if (upper && to > text && to[-1] != '_' && to[-1] != '.')
            *to++ = '_';
        *to++ = upper ? (char)(*name + ('a' - 'A')) : *name;
    }
    *to = 0;
    return text;
}

/* Takes "__gt" and its like off the name. */
static int32_t take_operator(char *field)
{
    static const struct {
        const char *suffix;
        int32_t op;
    } suffixes[] = {{"__gte", FEDN__OP_GTE}, {"__lte", FEDN__OP_LTE}, {"__gt", FEDN__OP_GT},
                    {"__lt", FEDN__OP_LT},   {"__ne", FEDN__OP_NE},   {"__eq", FEDN__OP_EQ}};
    size_t bytes = strlen(field);

    for (uint32_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t tail = strlen(suffixes[i].suffix);
        if (bytes > tail && strcmp(field + bytes - tail, suffixes[i].suffix) == 0) {
            field[bytes - tail] = 0;
            return suffixes[i].op;
        }
    }
    return FEDN__OP_EQ;
}

enum { IS_TEXT, IS_NUMBER, IS_SWITCH };

/* What a field holds, by the last part of its name. FEDn guesses it from the value, and so finds no
 * round "1"; the fields are known, so that nothing needs to be guessed. */
static int32_t type_of(const filter_set *filters, const char *field)
{
    static const char *const numbers[] = {"port",
                                          "step",
                                          "rounds",
                                          "round_timeout",
                                          "buffer_size",
                                          "clients_required",
                                          "requested_clients",
                                          "ask",
                                          "max_staleness",
                                          "staleness_exponent",
                                          "straggler_quantile",
                                          "straggler_factor",
                                          "time_commit",
                                          "time_aggregate_model",
                                          "time_fetch_model",
                                          "time_load_model"};
    static const char *const switches[] = {"active", "validate", "delete_models_storage"};
    const char *last = strrchr(field, '.');

    last = last ? last + 1 : field;
    if (strcmp(last, "value") == 0)
        return strcmp(filters->kind->entity, "attributes") == 0 ? IS_TEXT : IS_NUMBER;
    for (uint32_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(last, numbers[i]) == 0)
            return IS_NUMBER;
    for (uint32_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
        if (strcmp(last, switches[i]) == 0)
            return IS_SWITCH;
    return IS_TEXT;
}

static json_t *number_of(const char *text)
{
    int64_t integer = 0;
    double number = 0;

    if (fedn__text_to_i64(text, &integer))
        return json_integer(integer);
    return fedn__text_to_f64(text, &number) ? json_real(number) : json_string(text);
}

/* A date in either form, and with a time or without, becomes the form that is stored. */
static json_t *date_of(const char *text)
{
    struct tm tm = {0};
    char iso[FEDN__TIME_TEXT];
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);

    if (!end || *end) {
        memset(&tm, 0, sizeof tm);
        end = strptime(text, "%Y-%m-%d", &tm);
        if (!end)
            return json_string(text);
        if (*end == 'T' || *end == ' ')
            end = strptime(end + 1, "%H:%M:%S", &tm);
        if (!end || (*end && *end != 'Z'))
            return json_string(text); /* with parts of a second: as it is stored */
    }
    fedn__text_iso_time((int64_t)timegm(&tm) * 1000000, iso);
    return json_string(iso);
}

static json_t *value_of(const filter_set *filters, const char *field, const char *text)
{
    int32_t type = type_of(filters, field);
    size_t bytes = strlen(text);

    if (strcmp(text, "null") == 0)
        return json_null();
    if (type == IS_NUMBER)
        return number_of(text);
    if (type == IS_SWITCH)
        return json_boolean(strcmp(text, "true") == 0 || strcmp(text, "True") == 0 ||
                            strcmp(text, "1") == 0);
    if (is_date(field))
        return date_of(text);
    /* FEDn's command line adds a slash to the last value of a query */
    if (bytes > 1 && text[bytes - 1] == '/')
        bytes--;
    return json_stringn(text, bytes);
}

/* Takes `value` over. */
static void add_filter(filter_set *filters, char *field, int32_t op, json_t *value)
{
    uint32_t place = filters->query.filter_count;

    if (filters->status == FEDN_OK && (!field || !value))
        filters->status = fedn__error_nomem(filters->err);
    else if (filters->status == FEDN_OK && place == FEDN__LIMIT_FILTERS)
        filters->status =
            fedn__error(filters->err, FEDN_ERR_LIMIT, "more than %d filters", FEDN__LIMIT_FILTERS);
    if (filters->status != FEDN_OK) {
        fedn__free(field);
        json_decref(value);
        return;
    }
    filters->fields[place] = field;
    filters->values[place] = value;
    filters->list[place] = (fedn__filter){field, op, value};
    filters->query.filter_count++;
}

static void add_text_filter(const char *name, const char *text, void *user_data)
{
    filter_set *filters = user_data;
    char *field = snake(name);
    int32_t op = field ? take_operator(field) : FEDN__OP_EQ;

    add_filter(filters, field, op, field ? value_of(filters, field, text) : NULL);
}

static void add_body_filters(filter_set *filters, const fedn__http_request *request)
{
    uint64_t bytes = 0;
    const char *type = fedn__http_header(request, "Content-Type");
    json_t *body = NULL;
    const char *name = NULL;
    json_t *value = NULL;

    fedn__http_body(request, &bytes);
    fedn__http_form_each(request, add_text_filter, filters);
    if (bytes == 0 || (type && !strstr(type, "json")))
        return;
    filters->status = fedn__http_body_json(request, &body, filters->err);
    json_object_foreach(body, name, value)
    {
        if (json_is_string(value)) {
            add_text_filter(name, json_string_value(value), filters);
        } else {
            char *field = snake(name);
            int32_t op = field ? take_operator(field) : FEDN__OP_EQ;
            add_filter(filters, field, op, json_incref(value));
        }
    }
    json_decref(body);
}

/* ---- the order ---- */

/* As in FEDn, a number below 1 is none. */
static fedn_status take_number(const fedn__http_request *request, const char *name, uint64_t *ret,
                               fedn_error *err)
{
    const char *text = fedn__http_header(request, name);
    int64_t number = 0;

    if (text && *text && !fedn__text_to_i64(text, &number))
        return fedn__error(err, FEDN_ERR_INVALID, "%s is \"%.32s\": not a whole number", name,
                           text);
    *ret = number > 0 ? (uint64_t)number : 0;
    return FEDN_OK;
}

static fedn_status take_order(filter_set *filters, const fedn__http_request *request)
{
    const char *order = fedn__http_header(request, "X-Sort-Order");
    const char *key = fedn__http_header(request, "X-Sort-Key");
    fedn_status rc = take_number(request, "X-Limit", &filters->query.limit, filters->err);

    if (rc == FEDN_OK)
        rc = take_number(request, "X-Skip", &filters->query.skip, filters->err);
    filters->query.sort_key = key && *key ? key : NULL;
    filters->query.ascending = order && strcmp(order, "asc") == 0;
    return rc;
}

/* ---- the routes ---- */

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
    json_t *document = NULL;
    size_t i = 0;
    int32_t failed = 0;

    json_array_foreach(found, i, document)
    {
        json_t *shown = fedn__api_show(kind, json_incref(document));
        failed = failed || !shown;
        json_decref(shown);
    }
    if (failed) {
        json_decref(found);
        found = NULL;
    }
    fedn__http_reply_json(response, 200,
                          json_pack("{s:I, s:o}", "count", (json_int_t)count, "result", found));
}

/* `by_body` 1: the filters are in the body; `only_count` 1: the answer is a number. */
static void answer(fedn__reducer_service *service, const fedn__http_request *request,
                   fedn__http_response *response, int32_t by_body, int32_t only_count)
{
    int32_t kind = find_kind(request, response);
    fedn_error err = {0};
    filter_set filters = {.err = &err};
    json_t *found = NULL;
    uint64_t count = 0;

    if (kind < 0)
        return;
    filters.kind = fedn__kind_get(kind);
    filters.query.filters = filters.list;
    if (by_body)
        add_body_filters(&filters, request);
    else
        fedn__http_query_each(request, add_text_filter, &filters);
    fedn_status rc = filters.status;
    if (rc == FEDN_OK)
        rc = take_order(&filters, request);
    if (rc == FEDN_OK)
        rc = fedn__store_list(service->store, kind, &filters.query, only_count ? NULL : &found,
                              &count, &err);
    if (rc != FEDN_OK)
        fedn__http_reply_error(response, rc, &err);
    else if (only_count)
        fedn__http_reply_json(response, 200, json_integer((json_int_t)count));
    else
        reply_list(response, kind, found, count);
    filters_done(&filters);
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
