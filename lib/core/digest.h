/* SPDX-License-Identifier: Apache-2.0
 * XXH3-128 of bytes as they come: tells whether two contents are the same one. It keeps out
 * accidents, not enemies; security/digest is for those. */
#ifndef FEDN__CORE_DIGEST_H
#define FEDN__CORE_DIGEST_H

#include "core/limits.h"

typedef struct fedn__digest fedn__digest;

fedn__digest *fedn__digest_new(void);       /* NULL out of memory */
void fedn__digest_free(fedn__digest *sums); /* NULL allowed */
void fedn__digest_add(fedn__digest *sums, const void *data, uint64_t bytes);
/* Of everything added so far; more may be added afterwards. In xxHash's canonical byte order. */
void fedn__digest_value(const fedn__digest *sums, uint8_t ret[FEDN__DIGEST_BYTES]);
void fedn__digest_of(const void *data, uint64_t bytes, uint8_t ret[FEDN__DIGEST_BYTES]);

#endif
