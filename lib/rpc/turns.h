/* SPDX-License-Identifier: Apache-2.0
 * Which uploads are read at the same time: few fast ones, many slow ones. Each takes receive
 * buffers, and what many fast senders bring at once only waits for the disk and the processor. A
 * turn is slow when in the last interval little came although all of it was taken. Then the next in
 * line is let in, as when one is over. Once let in, an upload is read to its end. On the loop. */
#ifndef FEDN__RPC_TURNS_H
#define FEDN__RPC_TURNS_H

#include "rpc/loop.h"

typedef enum fedn__turn_place {
    FEDN__TURN_NOWHERE,
    FEDN__TURN_IN_LINE,
    FEDN__TURN_READ
} fedn__turn_place;

typedef struct fedn__turn {
    struct fedn__turn *next;
    struct fedn__turn *prev;
    void (*go)(struct fedn__turn *turn); /* once: it may be read now */
    fedn__turn_place place;
    int32_t asked; /* nothing of it is left to be dealt with: it is its peer that must send */
    int32_t fresh; /* let in during this interval */
    uint32_t cost;
    uint64_t moved; /* bytes of this interval */
} fedn__turn;

typedef struct fedn__turns {
    fedn__loop *loop;
    fedn__turn *waiting;
    fedn__turn *last; /* of those: the next to be let in */
    fedn__turn *reading;
    uint32_t cost; /* of those that are read */
    fedn__timer look;
} fedn__turns;

void fedn__turns_init(fedn__turns *turns, fedn__loop *loop);
/* go() is called before this returns, or when there is room. */
void fedn__turns_ask(fedn__turns *turns, fedn__turn *turn);
void fedn__turns_moved(fedn__turn *turn, uint64_t bytes);
/* It neither waits nor is read any more; others may be let in. Nothing for a turn that is over. */
void fedn__turns_leave(fedn__turns *turns, fedn__turn *turn);

#endif
