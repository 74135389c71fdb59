/* SPDX-License-Identifier: Apache-2.0
 * A dictionary as Python prints it, read without Python. */
#include "core/literal.h"

#include "core/buffer.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/text.h"
#include <string.h>

#define NUMBER_BYTES 64

typedef struct reading {
    const char *start;
    const char *at;
    uint32_t depth;
    const char *problem; /* NULL: out of memory, when a value is NULL */
} reading;

static json_t *read_value(reading *r);

static json_t *fail(reading *r, const char *problem)
{
    if (!r->problem)
        r->problem = problem;
    return NULL;
}

static char next(reading *r)
{
    while (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')
        r->at++;
    return *r->at;
}

static int32_t hex_of(const char *text, uint32_t digits, uint32_t *ret)
{
    *ret = 0;
    for (uint32_t i = 0; i < digits; i++) {
        static const char known[] = "0123456789abcdef0123456789ABCDEF";
        const char *found = text[i] ? strchr(known, text[i]) : NULL;
        if (!found)
            return 0;
        *ret = *ret * 16 + (uint32_t)((found - known) % 16);
    }
    return 1;
}

static fedn_status add_code(fedn__buffer *to, uint32_t code)
{
    const uint8_t utf8[3] = {(uint8_t)(0xe0 | code >> 12), (uint8_t)(0x80 | (code >> 6 & 63)),
                             (uint8_t)(0x80 | (code & 63))};
    const uint8_t two[2] = {(uint8_t)(0xc0 | code >> 6), (uint8_t)(0x80 | (code & 63))};
    const uint8_t one = (uint8_t)code;

    if (code < 0x80)
        return fedn__buffer_add(to, &one, 1);
    return code < 0x800 ? fedn__buffer_add(to, two, 2) : fedn__buffer_add(to, utf8, 3);
}

/* What stands behind a backslash; r->at is on it. */
static fedn_status add_escape(reading *r, fedn__buffer *to)
{
    static const char letters[] = "\\'\"nrt";
    static const char meanings[] = "\\'\"\n\r\t";
    const char *found = *r->at ? strchr(letters, *r->at) : NULL;
    uint32_t digits = *r->at == 'x' ? 2 : *r->at == 'u' ? 4 : 0;
    uint32_t code = 0;

    if (found) {
        r->at++;
        return fedn__buffer_add(to, meanings + (found - letters), 1);
    }
    if (!digits || !hex_of(r->at + 1, digits, &code) || code == 0 ||
        (code >= 0xd800 && code < 0xe000)) {
        fail(r, "this escape is not known");
        return FEDN_ERR_FORMAT;
    }
    r->at += 1 + digits;
    return add_code(to, code);
}

static json_t *read_text(reading *r)
{
    char quote = *r->at++;
    fedn__buffer text;
    json_t *ret = NULL;
    fedn_status rc = FEDN_OK;

    fedn__buffer_init(&text, FEDN__LIMIT_CONTROL_BYTES);
    while (rc == FEDN_OK && *r->at != quote) {
        const char *from = r->at;
        while ((uint8_t)*r->at >= ' ' && *r->at != quote && *r->at != '\\')
            r->at++;
        rc = fedn__buffer_add(&text, from, (uint64_t)(r->at - from));
        if (rc == FEDN_OK && *r->at == '\\') {
            r->at++;
            rc = add_escape(r, &text);
        } else if (rc == FEDN_OK && *r->at != quote) {
            fail(r, "a text does not end on its line");
            rc = FEDN_ERR_FORMAT;
        }
    }
    if (rc == FEDN_OK && !fedn__text_is_utf8(text.data, text.len))
        fail(r, "a text is not UTF-8");
    else if (rc == FEDN_OK)
        ret = json_stringn(text.data ? (const char *)text.data : "", (size_t)text.len);
    r->at += rc == FEDN_OK ? 1 : 0;
    fedn__buffer_done(&text);
    return ret;
}

static json_t *read_number(reading *r)
{
    char text[NUMBER_BYTES];
    size_t bytes = strspn(r->at, "0123456789+-.eE");
    int64_t integer = 0;
    double number = 0;

    if (bytes == 0)
        return fail(r, "no value begins like this");
    if (bytes >= sizeof text)
        return fail(r, "a number is too long");
    memcpy(text, r->at, bytes);
    text[bytes] = 0;
    if (fedn__text_to_i64(text, &integer)) {
        r->at += bytes;
        return json_integer(integer);
    }
    if (!fedn__text_to_f64(text, &number))
        return fail(r, "this is no number");
    r->at += bytes;
    return json_real(number);
}

static int32_t take_word(reading *r, const char *word)
{
    size_t bytes = strlen(word);

    if (strncmp(r->at, word, bytes) != 0)
        return 0;
    r->at += bytes;
    return 1;
}

/* Behind an item: a comma, or the end. 1: there is more. */
static int32_t goes_on(reading *r, char end)
{
    char c = next(r);

    if (c == ',') {
        r->at++;
        return next(r) != end;
    }
    if (c != end)
        fail(r, "a comma or a closing bracket is missing");
    return 0;
}

static int32_t read_member(reading *r, json_t *into)
{
    json_t *key = next(r) == '\'' || *r->at == '"' ? read_text(r) : fail(r, "a key is no text");
    json_t *value = NULL;
    int32_t done = 0;

    if (key && json_object_get(into, json_string_value(key)))
        fail(r, "a key comes twice");
    else if (key && next(r) != ':')
        fail(r, "a colon is missing");
    else if (key)
        r->at++;
    if (key && !r->problem)
        value = read_value(r);
    if (value)
        done = json_object_set_new(into, json_string_value(key), value) == 0;
    json_decref(key);
    return done;
}

static json_t *read_items(reading *r, char end)
{
    json_t *into = end == '}' ? json_object() : json_array();
    int32_t more = 0;

    r->at++;
    if (++r->depth > FEDN__LIMIT_JSON_DEPTH)
        fail(r, "it is nested too deep");
    more = into && !r->problem && next(r) != end;
    while (more) {
        json_t *value = NULL;
        int32_t done = 0;
        if (end == '}')
            done = read_member(r, into);
        else if ((value = read_value(r)) != NULL)
            done = json_array_append_new(into, value) == 0;
        if (!done) {
            json_decref(into);
            return NULL;
        }
        more = goes_on(r, end);
    }
    r->depth--;
    if (!r->problem) {
        r->at++;
        return into;
    }
    json_decref(into);
    return NULL;
}

static json_t *read_value(reading *r)
{
    char c = next(r);

    if (c == '{' || c == '[')
        return read_items(r, c == '{' ? '}' : ']');
    if (c == '\'' || c == '"')
        return read_text(r);
    if (take_word(r, "True"))
        return json_true();
    if (take_word(r, "False"))
        return json_false();
    return take_word(r, "None") ? json_null() : read_number(r);
}

static fedn_status read_python(const char *text, const char *what, json_t **ret, fedn_error *err)
{
    reading r = {text, text, 0, NULL};
    json_t *value = next(&r) ? read_value(&r) : json_object();

    if (json_is_null(value))
        value = json_object();
    if (value && next(&r))
        fail(&r, "something stands behind the value");
    if (value && !r.problem && !json_is_object(value)) {
        r.at = text;
        fail(&r, "it is no object");
    }
    if (value && !r.problem) {
        *ret = value;
        return FEDN_OK;
    }
    json_decref(value);
    if (!r.problem)
        return fedn__error_nomem(err);
    return fedn__error(err, FEDN_ERR_INVALID,
                       "%s: neither a JSON object nor a Python dictionary: %s (byte %llu)", what,
                       r.problem, (unsigned long long)(r.at - r.start));
}

fedn_status fedn__literal_object(const char *text, const char *what, json_t **ret, fedn_error *err)
{
    fedn_error why = {0};
    uint64_t bytes = strlen(text);

    *ret = NULL;
    if (bytes > FEDN__LIMIT_CONTROL_BYTES)
        return fedn__error(err, FEDN_ERR_INVALID, "%s: longer than %llu bytes", what,
                           (unsigned long long)FEDN__LIMIT_CONTROL_BYTES);
    fedn_status rc = fedn__json_parse(text, bytes, 0, what, ret, &why);
    if (rc == FEDN_OK)
        return rc;
    return rc == FEDN_ERR_NOMEM ? fedn__error_nomem(err) : read_python(text, what, ret, err);
}
