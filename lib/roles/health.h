/* SPDX-License-Identifier: Apache-2.0
 * grpc.health.v1.Health as every listener serves it. Loop thread only. */
#ifndef FEDN__ROLES_HEALTH_H
#define FEDN__ROLES_HEALTH_H

#include "rpc/server.h"

/* Zeroed but for `services` before the listener starts; outlives it. */
typedef struct fedn__health {
    const char *const *services; /* names that may be asked for beside "", NULL-terminated */
    struct fedn__health_watch *watches;
    int32_t stopping;
} fedn__health;

enum { FEDN__HEALTH_METHODS = 2 };

/* Check and Watch, for a server's table. */
void fedn__health_methods(fedn__health *health, fedn__method ret[FEDN__HEALTH_METHODS]);
/* NOT_SERVING from now on; whoever watches is told and let go. */
void fedn__health_stop(fedn__health *health);

#endif
