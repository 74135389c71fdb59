/* SPDX-License-Identifier: Apache-2.0
 * The Range header of a request; pure. */
#ifndef FEDN__HTTP_RANGE_H
#define FEDN__HTTP_RANGE_H

#include <stdint.h>

/* What to answer for a body of `size` bytes: 206 with *ret_first and *ret_count set, 416, or 200
 * (no range, another unit, more than one range). `header` may be NULL. */
int32_t fedn__range_parse(const char *header, uint64_t size, uint64_t *ret_first,
                          uint64_t *ret_count);

#endif
