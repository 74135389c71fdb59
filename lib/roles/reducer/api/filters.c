/* SPDX-License-Identifier: Apache-2.0
 * The filters and the order of a list, from a query or a body and from headers. */
#include "roles/reducer/api/filters.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/text.h"
#include <string.h>
#include <time.h>

void fedn__filters_done(fedn__filter_set *filters)
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

/* What a field holds. FEDn guesses it from the value, and so finds no round "1"; the fields are
 * known, so that nothing needs to be guessed. */
static int32_t type_of(const fedn__filter_set *filters, const char *name)
{
    const fedn__kind_field *field = fedn__kind_field_find(filters->kind->fields, name);

    return field ? field->type : FEDN__FIELD_TEXT;
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

static json_t *value_of(const fedn__filter_set *filters, const char *field, const char *text)
{
    int32_t type = type_of(filters, field);
    size_t bytes = strlen(text);

    if (strcmp(text, "null") == 0)
        return json_null();
    if (type == FEDN__FIELD_NUMBER || type == FEDN__FIELD_INTEGER)
        return number_of(text);
    if (type == FEDN__FIELD_SWITCH)
        return json_boolean(strcmp(text, "true") == 0 || strcmp(text, "True") == 0 ||
                            strcmp(text, "1") == 0);
    if (type == FEDN__FIELD_DATE)
        return date_of(text);
    /* FEDn's command line adds a slash to the last value of a query */
    if (bytes > 1 && text[bytes - 1] == '/')
        bytes--;
    return json_stringn(text, bytes);
}

/* Takes `value` over. */
static void add_filter(fedn__filter_set *filters, char *field, int32_t op, json_t *value)
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

/* "a, b" of a body: any of these. */
static json_t *values_of(const fedn__filter_set *filters, const char *field, const char *text)
{
    json_t *list = json_array();
    char *copy = fedn__strdup(text);
    char *save = NULL;

    for (char *part = copy ? strtok_r(copy, ",", &save) : NULL; list && part;
         part = strtok_r(NULL, ",", &save)) {
        part += strspn(part, " ");
        if (*part && json_array_append_new(list, value_of(filters, field, part)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    fedn__free(copy);
    return copy ? list : NULL;
}

static void add_body_filter(const char *name, const char *text, void *user_data)
{
    fedn__filter_set *filters = user_data;
    char *field = snake(name);
    int32_t op = field ? take_operator(field) : FEDN__OP_EQ;
    int32_t many = field && op == FEDN__OP_EQ && strchr(text, ',') != NULL &&
                   type_of(filters, field) != FEDN__FIELD_DATE;

    add_filter(filters, field, many ? FEDN__OP_IN : op,
               !field ? NULL
               : many ? values_of(filters, field, text)
                      : value_of(filters, field, text));
}

static void add_text_filter(const char *name, const char *text, void *user_data)
{
    fedn__filter_set *filters = user_data;
    char *field = snake(name);
    int32_t op = field ? take_operator(field) : FEDN__OP_EQ;

    add_filter(filters, field, op, field ? value_of(filters, field, text) : NULL);
}

static void add_body_filters(fedn__filter_set *filters, const fedn__http_request *request)
{
    uint64_t bytes = 0;
    const char *type = fedn__http_header(request, "Content-Type");
    json_t *body = NULL;
    const char *name = NULL;
    json_t *value = NULL;

    fedn__http_body(request, &bytes);
    fedn__http_form_each(request, add_body_filter, filters);
    if (bytes == 0 || (type && !strstr(type, "json")))
        return;
    filters->status = fedn__http_body_json(request, &body, filters->err);
    json_object_foreach(body, name, value)
    {
        if (json_is_string(value)) {
            add_body_filter(name, json_string_value(value), filters);
        } else {
            char *field = snake(name);
            int32_t op = field ? take_operator(field) : FEDN__OP_EQ;
            add_filter(filters, field, json_is_array(value) ? FEDN__OP_IN : op, json_incref(value));
        }
    }
    json_decref(body);
}

/* As in FEDn, a number below 1 is none. */
fedn_status fedn__api_number(const fedn__http_request *request, const char *name, uint64_t *ret,
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

static fedn_status take_order(fedn__filter_set *filters, const fedn__http_request *request)
{
    const char *order = fedn__http_header(request, "X-Sort-Order");
    const char *key = fedn__http_header(request, "X-Sort-Key");
    fedn_status rc = fedn__api_number(request, "X-Limit", &filters->query.limit, filters->err);

    if (rc == FEDN_OK)
        rc = fedn__api_number(request, "X-Skip", &filters->query.skip, filters->err);
    filters->query.sort_key = key && *key ? key : NULL;
    filters->query.ascending = order && strcmp(order, "asc") == 0;
    return rc;
}

fedn_status fedn__filters_read(fedn__filter_set *filters, const fedn__http_request *request,
                               int32_t by_body)
{
    filters->query.filters = filters->list;
    if (by_body)
        add_body_filters(filters, request);
    else
        fedn__http_query_each(request, add_text_filter, filters);
    return filters->status == FEDN_OK ? take_order(filters, request) : filters->status;
}
