/* SPDX-License-Identifier: Apache-2.0
 * A model that was handed in, read in blocks: in place when it is in memory, else copied block by
 * block into one warm buffer, which costs less than the page faults of a mapping. */
#ifndef FEDN__AGGREGATE_READER_H
#define FEDN__AGGREGATE_READER_H

#include "model/source.h"

/* Small enough to stay in the processor's cache between the copy, the checksum and the loop. */
#define FEDN__BLOCK_BYTES ((uint64_t)256 << 10)

/* All borrowed. */
typedef struct fedn__reader {
    fedn__source *source;
    const char *what; /* a word for error texts: "update" */
    void *block;      /* FEDN__BLOCK_BYTES; not needed to read a model in memory */
} fedn__reader;

/* Elements [first, first + n) of a tensor are at `x`, aligned or not. */
typedef fedn_status (*fedn__block_fn)(void *arg, uint64_t first, const void *x, uint64_t n,
                                      fedn_error *err);

/* Hands a tensor out front to back, to its end (so that its checksum is compared); stops at the
 * first failure. */
fedn_status fedn__reader_each(const fedn__reader *reader, uint32_t index, fedn__block_fn fn,
                              void *arg, fedn_error *err);

/* Reads everything once. FEDN_ERR_FORMAT: a checksum, no tensors, or an element that is not finite.
 */
fedn_status fedn__reader_check(const fedn__reader *reader, fedn_error *err);

#endif
