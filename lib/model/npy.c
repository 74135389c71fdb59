/* SPDX-License-Identifier: Apache-2.0
 * The header of numpy's .npy, a Python dictionary as text: only literals of the three known keys
 * are read, so nothing in it can be an expression. */
#include "model/npy.h"

#include "core/error.h"
#include "core/text.h"
#include "model/dtype.h"
#include "model/input.h"
#include <stdio.h>
#include <string.h>

#define DESCR_BYTES 32 /* the longest known is 3 */

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

typedef struct cursor {
    const char *at;
    const char *end;
    fedn_error *err;
} cursor;

fedn_status fedn__npy_length(const uint8_t *data, uint64_t bytes, uint64_t *ret, fedn_error *err)
{
    if (bytes < 10 || memcmp(data, magic, sizeof magic) != 0)
        return fedn__error(err, FEDN_ERR_FORMAT, "does not begin as a .npy file");
    if (data[6] < 1 || data[6] > 3 || data[7] != 0)
        return fedn__error(err, FEDN_ERR_UNSUPPORTED,
                           ".npy version %u.%u is not one of 1.0, 2.0 and 3.0", data[6], data[7]);
    uint64_t prefix = data[6] == 1 ? 10 : 12;
    if (bytes < prefix)
        return fedn__error(err, FEDN_ERR_FORMAT, "ends inside its .npy header");
    uint64_t length = data[6] == 1 ? fedn__input_u16(data + 8) : fedn__input_u32(data + 8);
    if (length > FEDN__LIMIT_NPY_HEADER)
        return fedn__error(err, FEDN_ERR_LIMIT, ".npy header of %llu bytes is over %llu",
                           (unsigned long long)length, (unsigned long long)FEDN__LIMIT_NPY_HEADER);
    *ret = prefix + length;
    return FEDN_OK;
}

static fedn_status malformed(const cursor *in, const char *what)
{
    return fedn__error(in->err, FEDN_ERR_FORMAT, ".npy header: %s", what);
}

static void skip_spaces(cursor *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\n' || *in->at == '\t'))
        in->at++;
}

/* 1 and past it if the next character is c */
static int32_t take(cursor *in, char c)
{
    skip_spaces(in);
    if (in->at >= in->end || *in->at != c)
        return 0;
    in->at++;
    return 1;
}

static fedn_status take_string(cursor *in, char text[DESCR_BYTES])
{
    skip_spaces(in);
    char quote = in->at < in->end ? *in->at : 0;
    uint32_t length = 0;

    if (quote != '\'' && quote != '"')
        return malformed(in, "a quoted text is missing");
    for (in->at++; in->at < in->end && *in->at != quote; in->at++) {
        if (length == DESCR_BYTES - 1 || *in->at == '\\')
            return malformed(in, "a text is longer than 31 bytes or has a backslash");
        text[length++] = *in->at;
    }
    if (in->at >= in->end)
        return malformed(in, "a text has no end");
    in->at++;
    text[length] = 0;
    return FEDN_OK;
}

static fedn_status take_descr(cursor *in, fedn__npy *npy)
{
    char descr[DESCR_BYTES];

    skip_spaces(in);
    if (in->at < in->end && *in->at == '[')
        return fedn__error(in->err, FEDN_ERR_UNSUPPORTED,
                           ".npy header: structured element types are not supported");
    fedn_status rc = take_string(in, descr);
    if (rc != FEDN_OK)
        return rc;
    if (strchr(descr, 'O'))
        return fedn__error(in->err, FEDN_ERR_UNSUPPORTED,
                           ".npy header: element type '%s' is pickled Python objects, which are "
                           "never loaded",
                           descr);
    const fedn__dtype_row *row = fedn__dtype_by_npy(descr, &npy->big);
    if (!row)
        return fedn__error(in->err, FEDN_ERR_UNSUPPORTED,
                           ".npy header: element type '%s' is not supported", descr);
    npy->dtype = row->dtype;
    return FEDN_OK;
}

static fedn_status take_bool(cursor *in, int32_t *ret)
{
    static const char *const words[2] = {"False", "True"};

    skip_spaces(in);
    for (int32_t i = 0; i < 2; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(in->end - in->at) >= length && memcmp(in->at, words[i], length) == 0) {
            in->at += length;
            *ret = i;
            return FEDN_OK;
        }
    }
    return malformed(in, "fortran_order is neither True nor False");
}

static fedn_status take_size(cursor *in, uint64_t *ret)
{
    uint64_t value = 0;
    const char *start = NULL;

    skip_spaces(in);
    for (start = in->at; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++) {
        uint64_t digit = (uint64_t)(*in->at - '0');
        if (value > (INT64_MAX - digit) / 10)
            return fedn__error(in->err, FEDN_ERR_LIMIT, ".npy header: a size of shape is over %lld",
                               (long long)INT64_MAX);
        value = value * 10 + digit;
    }
    if (in->at == start)
        return malformed(in, "shape is not a tuple of numbers");
    if (in->at < in->end && *in->at == 'L') /* numbers as Python 2 wrote them */
        in->at++;
    *ret = value;
    return FEDN_OK;
}

static fedn_status take_shape(cursor *in, fedn__npy *npy)
{
    int32_t comma = 1;

    if (!take(in, '('))
        return malformed(in, "shape is not a tuple of numbers");
    while (!take(in, ')')) {
        if (!comma)
            return malformed(in, "shape is not a tuple of numbers");
        if (npy->rank == FEDN_MODEL_MAX_RANK)
            return fedn__error(in->err, FEDN_ERR_LIMIT, ".npy header: rank is over %d",
                               FEDN_MODEL_MAX_RANK);
        fedn_status rc = take_size(in, &npy->shape[npy->rank]);
        if (rc != FEDN_OK)
            return rc;
        npy->rank++;
        comma = take(in, ',');
    }
    if (npy->rank == 1 && !comma)
        return malformed(in, "shape is not a tuple of numbers"); /* "(3)" is a number in Python */
    return FEDN_OK;
}

static fedn_status take_item(cursor *in, fedn__npy *npy, uint32_t *seen)
{
    static const char *const keys[3] = {"descr", "fortran_order", "shape"};
    char key[DESCR_BYTES];
    uint32_t which = 0;

    fedn_status rc = take_string(in, key);
    if (rc != FEDN_OK)
        return rc;
    while (which < 3 && strcmp(keys[which], key) != 0)
        which++;
    if (which == 3 || *seen & 1u << which)
        return malformed(in, "a key is unknown or there twice");
    *seen |= 1u << which;
    if (!take(in, ':'))
        return malformed(in, "a colon is missing");
    if (which == 0)
        return take_descr(in, npy);
    return which == 1 ? take_bool(in, &npy->fortran) : take_shape(in, npy);
}

fedn_status fedn__npy_parse(const uint8_t *data, uint64_t bytes, fedn__npy *ret, fedn_error *err)
{
    fedn__npy npy = {.rank = 0};
    uint32_t seen = 0;
    int32_t comma = 1;

    fedn_status rc = fedn__npy_length(data, bytes, &npy.header_bytes, err);
    if (rc != FEDN_OK)
        return rc;
    if (npy.header_bytes != bytes)
        return fedn__error(err, FEDN_ERR_FORMAT, "ends inside its .npy header");
    uint64_t prefix = data[6] == 1 ? 10 : 12;
    if (!fedn__text_is_utf8(data + prefix, bytes - prefix))
        return fedn__error(err, FEDN_ERR_FORMAT, ".npy header is not UTF-8");
    cursor in = {(const char *)data + prefix, (const char *)data + bytes, err};
    if (!take(&in, '{'))
        return malformed(&in, "is not a dictionary");
    while (!take(&in, '}')) {
        if (!comma)
            return malformed(&in, "a comma is missing");
        rc = take_item(&in, &npy, &seen);
        if (rc != FEDN_OK)
            return rc;
        comma = take(&in, ',');
    }
    skip_spaces(&in);
    if (in.at != in.end)
        return malformed(&in, "something follows the dictionary");
    if (seen != 7)
        return malformed(&in, "lacks one of descr, fortran_order and shape");
    *ret = npy;
    return FEDN_OK;
}

uint64_t fedn__npy_write(uint8_t data[FEDN__NPY_WRITTEN], fedn_dtype dtype, uint32_t rank,
                         const uint64_t *shape)
{
    char *text = (char *)data + 10;
    size_t room = FEDN__NPY_WRITTEN - 10 - 64;
    int at = snprintf(text, room, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                      fedn__dtype_row_of(dtype)->npy);

    for (uint32_t i = 0; i < rank; i++)
        at += snprintf(text + at, room - (size_t)at, "%s%llu", i ? ", " : "",
                       (unsigned long long)shape[i]);
    at += snprintf(text + at, room - (size_t)at, rank == 1 ? ",), }" : "), }");
    uint64_t total = (10 + (uint64_t)at + 1 + 63) / 64 * 64;
    memset(text + at, ' ', total - 10 - (uint64_t)at);
    data[total - 1] = '\n';
    memcpy(data, magic, sizeof magic);
    data[6] = 1;
    data[7] = 0;
    data[8] = (uint8_t)((total - 10) & 0xff);
    data[9] = (uint8_t)((total - 10) >> 8);
    return total;
}
