/* SPDX-License-Identifier: Apache-2.0
 * What filters and sorting mean, for every backend. */
#include "store/match.h"

#include "core/error.h"
#include "core/limits.h"
#include <string.h>

enum { NOTHING, NUMBER, TEXT, CONTAINER };

static int32_t class_of(const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_INTEGER:
    case JSON_REAL:
        return NUMBER;
    case JSON_STRING:
        return TEXT;
    case JSON_OBJECT:
    case JSON_ARRAY:
        return CONTAINER;
    default:
        return NOTHING;
    }
}

/* Wide enough for every 64-bit integer and every double on the platforms that matter. */
static long double number_of(const json_t *value)
{
    if (json_is_integer(value))
        return (long double)json_integer_value(value);
    return json_is_real(value) ? (long double)json_real_value(value) : json_is_true(value);
}

static int32_t is_field(const char *field)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

    if (strlen(field) > FEDN__LIMIT_NAME_BYTES)
        return 0;
    for (;;) {
        size_t len = strspn(field, allowed);
        if (len == 0 || (field[len] && field[len] != '.'))
            return 0;
        if (!field[len])
            return 1;
        field += len + 1;
    }
}

/* What IN compares with: values of one class, as an array. */
static int32_t is_choice(const json_t *value)
{
    int32_t class = class_of(json_array_get(value, 0));
    const json_t *item = NULL;
    size_t i = 0;

    json_array_foreach(value, i, item)
    {
        if (class_of(item) != class)
            return 0;
    }
    return class == TEXT || class == NUMBER;
}

static fedn_status check_value(const fedn__filter *filter, fedn_error *err)
{
    if (filter->op == FEDN__OP_IN && !is_choice(filter->value))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "filter on %s: the values must be an array of texts or of numbers",
                           filter->field);
    if (filter->op != FEDN__OP_IN && class_of(filter->value) == CONTAINER)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "filter on %s: the value must be text, a number, a boolean or null",
                           filter->field);
    return FEDN_OK;
}

fedn_status fedn__match_check(const fedn__query *query, fedn_error *err)
{
    if (query->filter_count > FEDN__LIMIT_FILTERS)
        return fedn__error(err, FEDN_ERR_LIMIT, "%u filters are over the limit of %d",
                           (unsigned)query->filter_count, FEDN__LIMIT_FILTERS);
    if (query->sort_key && !is_field(query->sort_key))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "sort key \"%.64s\" is no field name: use letters, digits, _ - and dots",
                           query->sort_key);
    for (uint32_t i = 0; i < query->filter_count; i++) {
        const fedn__filter *filter = &query->filters[i];
        if (!filter->field || !is_field(filter->field))
            return fedn__error(
                err, FEDN_ERR_INVALID,
                "filter \"%.64s\" is no field name: use letters, digits, _ - and dots",
                filter->field ? filter->field : "");
        if (filter->op < FEDN__OP_EQ || filter->op > FEDN__OP_IN)
            return fedn__error(err, FEDN_ERR_INVALID, "filter on %s: operator %d does not exist",
                               filter->field, (int)filter->op);
        fedn_status rc = check_value(filter, err);
        if (rc != FEDN_OK)
            return rc;
    }
    return FEDN_OK;
}

/* `field` was checked, so a part of it fits. */
const json_t *fedn__match_field(const json_t *document, const char *field)
{
    char name[FEDN__LIMIT_NAME_BYTES + 1];

    while (document) {
        size_t len = strcspn(field, ".");
        memcpy(name, field, len);
        name[len] = 0;
        document = json_object_get(document, name);
        if (!field[len])
            break;
        field += len + 1;
    }
    return document;
}

int32_t fedn__match_compare(const json_t *a, const json_t *b)
{
    int32_t class = class_of(a);

    if (class != class_of(b))
        return class < class_of(b) ? -1 : 1;
    if (class == NUMBER) {
        long double x = number_of(a);
        long double y = number_of(b);
        return (x > y) - (x < y);
    }
    if (class == TEXT) {
        int order = strcmp(json_string_value(a), json_string_value(b));
        return (order > 0) - (order < 0);
    }
    return 0;
}

static int32_t is_among(const json_t *value, const json_t *choice)
{
    const json_t *item = NULL;
    size_t i = 0;

    json_array_foreach(choice, i, item)
    {
        if (class_of(value) == class_of(item) && fedn__match_compare(value, item) == 0)
            return 1;
    }
    return 0;
}

int32_t fedn__match_filter(const json_t *document, const fedn__filter *filter)
{
    const json_t *value = fedn__match_field(document, filter->field);
    int32_t class = class_of(filter->value);
    int32_t comparable = class_of(value) == class;
    int32_t order = comparable ? fedn__match_compare(value, filter->value) : 0;

    switch (filter->op) {
    case FEDN__OP_IN:
        return is_among(value, filter->value);
    case FEDN__OP_EQ:
        return comparable && order == 0;
    case FEDN__OP_NE:
        return !comparable || order != 0;
    case FEDN__OP_GT:
        return class != NOTHING && comparable && order > 0;
    case FEDN__OP_LT:
        return class != NOTHING && comparable && order < 0;
    case FEDN__OP_GTE:
        return class != NOTHING && comparable && order >= 0;
    default:
        return class != NOTHING && comparable && order <= 0;
    }
}

int32_t fedn__match_query(const json_t *document, const fedn__query *query)
{
    for (uint32_t i = 0; query && i < query->filter_count; i++)
        if (!fedn__match_filter(document, &query->filters[i]))
            return 0;
    return 1;
}
