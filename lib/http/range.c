/* SPDX-License-Identifier: Apache-2.0
 * The Range header of a request. */
#include "http/range.h"

#include <string.h>
#include <strings.h>

/* Digits as a number that stops at the largest; returns where they end. */
static const char *digits(const char *text, uint64_t *ret)
{
    uint64_t value = 0;

    for (; *text >= '0' && *text <= '9'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    *ret = value;
    return text;
}

int32_t fedn__range_parse(const char *header, uint64_t size, uint64_t *ret_first,
                          uint64_t *ret_count)
{
    uint64_t first = 0;
    uint64_t last = UINT64_MAX;

    if (!header || strncasecmp(header, "bytes=", 6) != 0 || strchr(header, ','))
        return 200;
    const char *start = header + 6;
    const char *dash = digits(start, &first);
    if (*dash != '-')
        return 416;
    const char *end = digits(dash + 1, &last);
    if (*end || (dash == start && end == dash + 1))
        return 416;
    if (end == dash + 1)
        last = UINT64_MAX;
    if (dash == start) { /* the last so many bytes */
        first = last < size ? size - last : 0;
        if (last == 0)
            return 416;
        last = UINT64_MAX;
    }
    if (first >= size || last < first)
        return 416;
    *ret_first = first;
    *ret_count = (last < size - 1 ? last : size - 1) - first + 1;
    return 206;
}
