/* SPDX-License-Identifier: Apache-2.0
 * Encoded bytes on their way to a sink: gathered into blocks, patched where a number comes late. */
#ifndef FEDN__MODEL_OUT_H
#define FEDN__MODEL_OUT_H

#include "model/writer.h"

typedef struct fedn__out {
    fedn__sink sink;
    uint8_t *pending; /* allocated at the first need; only for descriptors */
    uint64_t pending_bytes;
    uint64_t written; /* bytes before pending */
    uint64_t start;   /* what the buffer held before */
} fedn__out;

void fedn__out_init(fedn__out *out, const fedn__sink *sink);
void fedn__out_done(fedn__out *out);

/* Bytes that were added so far. */
uint64_t fedn__out_offset(const fedn__out *out);
fedn_status fedn__out_add(fedn__out *out, const void *data, uint64_t bytes, fedn_error *err);
/* Replaces bytes that were added. */
fedn_status fedn__out_patch(fedn__out *out, uint64_t offset, const void *data, uint64_t bytes,
                            fedn_error *err);
fedn_status fedn__out_flush(fedn__out *out, fedn_error *err);

#endif
