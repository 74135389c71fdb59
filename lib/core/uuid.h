/* SPDX-License-Identifier: Apache-2.0
 * UUIDs as 16 bytes. Text from a wire becomes one of these before it names anything. */
#ifndef FEDN__CORE_UUID_H
#define FEDN__CORE_UUID_H

#include <fedn/error.h>

typedef struct fedn__uuid {
    uint8_t bytes[16];
} fedn__uuid;

#define FEDN__UUID_TEXT 37 /* 36 characters and the NUL */

/* Canonical text only (8-4-4-4-12 hexadecimal, either case), NUL-terminated. 1 if it was one. */
int32_t fedn__uuid_parse(const char *text, fedn__uuid *ret);
void fedn__uuid_format(const fedn__uuid *uuid, char text[FEDN__UUID_TEXT]); /* lower case */
/* A version 4 UUID from 16 random bytes (engines get theirs from outside). */
void fedn__uuid_from_random(const uint8_t random[16], fedn__uuid *ret);
/* Random from the kernel. */
void fedn__uuid_new(fedn__uuid *ret);
void fedn__uuid_new_text(char text[FEDN__UUID_TEXT]);

#endif
