/* SPDX-License-Identifier: Apache-2.0
 * The chunk messages of model transfer, read in place and written without touching the data. */
#ifndef FEDN__RPC_CHUNK_H
#define FEDN__RPC_CHUNK_H

#include "core/digest.h"
#include "core/limits.h"
#include "rpc/piece.h"
#include <fedn/error.h>

/* Which of the two messages: they have the same fields under different numbers. */
enum { FEDN__CHUNK_REQUEST = 0, FEDN__CHUNK_RESPONSE = 1 };

typedef struct fedn__chunk {
    char id[FEDN__LIMIT_ID_BYTES + 1]; /* UTF-8; empty if there is none */
    int32_t status;                    /* a ModelStatus */
    uint64_t data_bytes;
    fedn__piece *data; /* stretches of the message, in the array that was given */
    uint64_t data_count;
    int32_t resumable;
    uint64_t offset;
    int32_t has_digest;
    uint8_t digest[FEDN__DIGEST_BYTES];
} fedn__chunk;

/* Reads one message. `scratch` has room for `count` pieces; chunk->data points into it.
 * FEDN_ERR_FORMAT malformed. */
fedn_status fedn__chunk_parse(int32_t kind, const fedn__piece *pieces, uint64_t count,
                              fedn__piece *scratch, fedn__chunk *ret, fedn_error *err);

/* What a message says beside its data; zero: it does not say it. */
typedef struct fedn__chunk_words {
    const char *id;
    const char *client_id; /* cut at FEDN__LIMIT_ID_BYTES; of requests only */
    int32_t status;
    int32_t resumable; /* of requests only */
    uint64_t offset;
    const uint8_t *digest;
} fedn__chunk_words;

/* All of a message but its data, whose length is announced: the data follows. Returns the number of
 * bytes written. */
#define FEDN__CHUNK_HEAD_BYTES 256
uint64_t fedn__chunk_head(int32_t kind, const fedn__chunk_words *words, uint64_t data_bytes,
                          uint8_t head[FEDN__CHUNK_HEAD_BYTES]);

#endif
