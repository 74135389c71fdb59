/* SPDX-License-Identifier: Apache-2.0
 * What an answer must look like: a JSON value whose texts in angle brackets stand for any value of
 * that kind: "<uuid>", "<date>", "<text?>" for one that may be null. */
#ifndef FEDN__CONTRACT_SHAPE_H
#define FEDN__CONTRACT_SHAPE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* 1: `value` is of this shape; objects have these members and no other. Else `why` says what is
 * wrong, and where. */
int shape_fits(const json_t *shape, const json_t *value, const char *where, char *why, size_t room);
/* 1: the members of every object in it come sorted. */
int shape_is_sorted(const json_t *value);

#endif
