/* SPDX-License-Identifier: Apache-2.0
 * gRPC's process-wide state: started with the first loop, stopped with the last, its log in ours.
 */
#ifndef FEDN__RPC_RUNTIME_H
#define FEDN__RPC_RUNTIME_H

#include "core/log.h"

/* One per loop, embedded. */
typedef struct fedn__runtime_user {
    struct fedn__runtime_user *next;
    const fedn__log *log;
} fedn__runtime_user;

void fedn__runtime_start(fedn__runtime_user *user);
void fedn__runtime_stop(fedn__runtime_user *user);
/* How often a listener of this process has failed to accept, which ends that listener for good. */
uint64_t fedn__runtime_accept_failures(void);

#endif
