/* SPDX-License-Identifier: Apache-2.0
 * Keeps a listener alive when descriptors run short: a gRPC listener that once fails to accept
 * never accepts again, and the library has no setting for it. */
#ifndef FEDN__RPC_GUARD_H
#define FEDN__RPC_GUARD_H

#include "rpc/loop.h"

#define FEDN__GUARD_LISTENERS 16

/* All on the loop. */
typedef struct fedn__guard {
    fedn__loop *loop;
    fedn__timer timer;
    int listeners[FEDN__GUARD_LISTENERS]; /* gRPC's sockets on our port, found by asking the kernel
                                           */
    uint32_t count;
    uint64_t limit;   /* of descriptors, as this process started its listener */
    uint64_t reserve; /* of them kept for files and for connections already on their way */
    int64_t checked_ns;
    int32_t shut;
    uint64_t accept_failures;
} fedn__guard;

/* FEDN_OK or FEDN_ERR_NOMEM. */
fedn_status fedn__guard_start(fedn__guard *guard, fedn__loop *loop, int32_t port);
void fedn__guard_stop(fedn__guard *guard);
/* 1: what needs a descriptor is to be refused. */
int32_t fedn__guard_is_tight(fedn__guard *guard);
/* Descriptors this process has open. */
uint64_t fedn__guard_descriptors(void);

#endif
