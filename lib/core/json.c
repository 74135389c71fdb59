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

static fedn_status parse(const char *text, uint64_t bytes, size_t flags, int32_t any,
                         const char *what, json_t **ret, fedn_error *err)
{
    json_error_t reason;
    json_t *value = json_loadb(text, (size_t)bytes, flags | JSON_DECODE_ANY, &reason);

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

static fedn_status check_depth(const char *text, uint64_t bytes, const char *what, fedn_error *err)
{
    if (!too_deep(text, bytes))
        return FEDN_OK;
    return fedn__error(err, FEDN_ERR_LIMIT, "%s: JSON nested deeper than %d", what,
                       FEDN__LIMIT_JSON_DEPTH);
}

fedn_status fedn__json_parse(const char *text, uint64_t bytes, int32_t any, const char *what,
                             json_t **ret, fedn_error *err)
{
    *ret = NULL;
    fedn_status rc = check_depth(text, bytes, what, err);
    return rc == FEDN_OK ? parse(text, bytes, JSON_REJECT_DUPLICATES, any, what, ret, err) : rc;
}

/* The bytes of a word at `at` for which JSON has none; 0: there is no such word. */
static uint64_t wordless(const char *at, uint64_t bytes)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};

    for (uint32_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        uint64_t length = strlen(words[i]);
        if (length <= bytes && memcmp(at, words[i], (size_t)length) == 0)
            return length;
    }
    return 0;
}

/* A copy with null in place of such words, outside of strings. Caller frees; NULL out of memory. */
static char *with_words(const char *text, uint64_t bytes, uint64_t *ret_bytes)
{
    static const char none[] = {'n', 'u', 'l', 'l'};
    char *copy = fedn__alloc(bytes + bytes / 3 + 1); /* the shortest of them has three bytes */
    char *to = copy;
    int32_t in_string = 0;

    for (uint64_t i = 0; copy && i < bytes; i++) {
        uint64_t word = in_string ? 0 : wordless(text + i, bytes - i);
        if (word) {
            memcpy(to, none, sizeof none);
            to += sizeof none;
            i += word - 1;
            continue;
        }
        if (in_string && text[i] == '\\' && i + 1 < bytes)
            *to++ = text[i++];
        else if (text[i] == '"')
            in_string = !in_string;
        *to++ = text[i];
    }
    *ret_bytes = copy ? (uint64_t)(to - copy) : 0;
    return copy;
}

fedn_status fedn__json_parse_python(const char *text, uint64_t bytes, int32_t any, const char *what,
                                    json_t **ret, fedn_error *err)
{
    const size_t flags = JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;
    uint64_t length = 0;
    char *copy = NULL;

    if (fedn__json_parse(text, bytes, any, what, ret, NULL) == FEDN_OK)
        return FEDN_OK;
    fedn_status rc = check_depth(text, bytes, what, err);
    if (rc != FEDN_OK)
        return rc;
    copy = with_words(text, bytes, &length);
    rc = copy ? parse(copy, length, flags, any, what, ret, err) : fedn__error_nomem(err);
    fedn__free(copy);
    return rc;
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
