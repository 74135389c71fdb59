/* SPDX-License-Identifier: Apache-2.0
 * The chunk messages of model transfer, read in place and written without touching the data. */
#ifndef FEDN__RPC_CHUNK_H
#define FEDN__RPC_CHUNK_H

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
} fedn__chunk;

/* Reads one message. `scratch` has room for `count` pieces; chunk->data points into it.
 * FEDN_ERR_FORMAT malformed. */
fedn_status fedn__chunk_parse(int32_t kind, const fedn__piece *pieces, uint64_t count,
                              fedn__piece *scratch, fedn__chunk *ret, fedn_error *err);

/* All of a message but its data, whose length is announced: the data follows. client_id (NULL: no
 * sender) is cut at FEDN__LIMIT_ID_BYTES. Returns the number of bytes written. */
#define FEDN__CHUNK_HEAD_BYTES 256
uint64_t fedn__chunk_head(int32_t kind, const char *id, const char *client_id, int32_t status,
                          uint64_t data_bytes, uint8_t head[FEDN__CHUNK_HEAD_BYTES]);

#endif
