/* SPDX-License-Identifier: Apache-2.0
 * Encoded bytes to read from: a blob, or memory that somebody else owns. */
#ifndef FEDN__MODEL_INPUT_H
#define FEDN__MODEL_INPUT_H

#include "core/blob.h"

typedef struct fedn__input {
    fedn__blob *blob;      /* owned reference; NULL: memory */
    const uint8_t *memory; /* borrowed */
    uint64_t bytes;
} fedn__input;

void fedn__input_done(fedn__input *input);
/* Copies [offset, offset + bytes) out; FEDN_ERR_FORMAT when the range is outside. `what` names what
 * is read for the error. */
fedn_status fedn__input_read(const fedn__input *input, uint64_t offset, void *to, uint64_t bytes,
                             const char *what, fedn_error *err);
/* All bytes in place. */
fedn_status fedn__input_map(const fedn__input *input, const uint8_t **ret, fedn_error *err);

/* Little-endian numbers of foreign bytes. */
uint16_t fedn__input_u16(const uint8_t *p);
uint32_t fedn__input_u32(const uint8_t *p);
uint64_t fedn__input_u64(const uint8_t *p);

#endif
