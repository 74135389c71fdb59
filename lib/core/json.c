/* SPDX-License-Identifier: Apache-2.0
 * jansson with our bounds. */
#include "core/json.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include <stdlib.h>
#include <string.h>

/* Nesting, counted before jansson recurses: brackets outside of strings. */
static int32_t too_deep(const char *text, uint64_t bytes)
{
    uint32_t depth = 0;
    int32_t in_string = 0;

    for (uint64_t i = 0; i < bytes; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = 0;
        } else if (c == '"') {
            in_string = 1;
        } else if (c == '{' || c == '[') {
            if (++depth > FEDN__LIMIT_JSON_DEPTH)
                return 1;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return 0;
}

fedn_status fedn__json_parse(const char *text, uint64_t bytes, int32_t any, const char *what,
                             json_t **ret, fedn_error *err)
{
    json_error_t reason;

    *ret = NULL;
    if (too_deep(text, bytes))
        return fedn__error(err, FEDN_ERR_LIMIT, "%s: JSON nested deeper than %d", what,
                           FEDN__LIMIT_JSON_DEPTH);
    json_t *value =
        json_loadb(text, (size_t)bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &reason);
    if (!value) {
        if (json_error_code(&reason) == json_error_out_of_memory)
            return fedn__error_nomem(err);
        return fedn__error(err, FEDN_ERR_FORMAT, "%s is not JSON: %s (line %d, column %d)", what,
                           reason.text, reason.line, reason.column);
    }
    if (!any && !json_is_object(value)) {
        json_decref(value);
        return fedn__error(err, FEDN_ERR_FORMAT, "%s is not a JSON object", what);
    }
    *ret = value;
    return FEDN_OK;
}

char *fedn__json_text(const json_t *value)
{
    size_t bytes = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    char *text = bytes ? fedn__alloc(bytes + 1) : NULL;

    if (text) {
        size_t again =
            json_dumpb(value, text, bytes, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
        if (again != bytes) {
            fedn__free(text);
            return NULL;
        }
        text[bytes] = 0;
    }
    return text;
}

const char *fedn__json_string(const json_t *object, const char *key, const char *otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? json_string_value(value) : otherwise;
}

int64_t fedn__json_integer(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

double fedn__json_number(const json_t *object, const char *key, double otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

int32_t fedn__json_boolean(const json_t *object, const char *key, int32_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}
