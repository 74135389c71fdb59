/* SPDX-License-Identifier: Apache-2.0
 * A stretch of a raw message, as it lies in what came from the wire. */
#ifndef FEDN__RPC_PIECE_H
#define FEDN__RPC_PIECE_H

#include <stdint.h>

typedef struct fedn__piece {
    const uint8_t *data;
    uint64_t bytes;
} fedn__piece;

#endif
