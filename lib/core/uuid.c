/* SPDX-License-Identifier: Apache-2.0
 * UUIDs as 16 bytes. */
#include "core/uuid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static int32_t nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int32_t is_dash_place(uint32_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

int32_t fedn__uuid_parse(const char *text, fedn__uuid *ret)
{
    fedn__uuid uuid;
    uint32_t at = 0;

    if (!text)
        return 0;
    for (uint32_t i = 0; i < 16; i++) {
        if (is_dash_place(at) && text[at++] != '-')
            return 0;
        int32_t high = nibble(text[at]);
        int32_t low = high < 0 ? -1 : nibble(text[at + 1]);
        if (low < 0)
            return 0;
        uuid.bytes[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    if (text[at] != 0)
        return 0;
    *ret = uuid;
    return 1;
}

void fedn__uuid_format(const fedn__uuid *uuid, char text[FEDN__UUID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    uint32_t at = 0;

    for (uint32_t i = 0; i < 16; i++) {
        if (is_dash_place(at))
            text[at++] = '-';
        text[at++] = digits[uuid->bytes[i] >> 4];
        text[at++] = digits[uuid->bytes[i] & 15];
    }
    text[at] = 0;
}

void fedn__uuid_from_random(const uint8_t random[16], fedn__uuid *ret)
{
    memcpy(ret->bytes, random, 16);
    ret->bytes[6] = (uint8_t)((ret->bytes[6] & 0x0f) | 0x40);
    ret->bytes[8] = (uint8_t)((ret->bytes[8] & 0x3f) | 0x80);
}

void fedn__uuid_new(fedn__uuid *ret)
{
    uint8_t random[16];
    size_t got = 0;

    while (got < sizeof random) {
        ssize_t n = getrandom(random + got, sizeof random - got, 0);
        if (n > 0)
            got += (size_t)n;
        else if (errno != EINTR)
            abort(); /* a kernel without random numbers: nothing here would be safe */
    }
    fedn__uuid_from_random(random, ret);
}

void fedn__uuid_new_text(char text[FEDN__UUID_TEXT])
{
    fedn__uuid uuid;
    fedn__uuid_new(&uuid);
    fedn__uuid_format(&uuid, text);
}
