/* SPDX-License-Identifier: Apache-2.0
 * A fixed pool of standing worker threads for disk, hashing and folding. */
#ifndef FEDN__CORE_POOL_H
#define FEDN__CORE_POOL_H

#include <fedn/error.h>

typedef struct fedn__pool fedn__pool;

/* Embedded in what it works on: submitting cannot fail. */
typedef struct fedn__job {
    struct fedn__job *next;
    void (*fn)(struct fedn__job *job);
} fedn__job;

/* Jobs of one lane run one after another, in order; different lanes side by side. A lane must live
 * until its pool is freed: the pool looks at it once more after the last job has run. */
typedef struct fedn__lane {
    struct fedn__lane *next;
    fedn__job *head;
    fedn__job **tail;
    int32_t busy;
} fedn__lane;

fedn_status fedn__pool_new(uint32_t threads, const char *name, fedn__pool **ret, fedn_error *err);
void fedn__pool_submit(fedn__pool *pool, fedn__job *job);
void fedn__lane_init(fedn__lane *lane);
void fedn__lane_submit(fedn__pool *pool, fedn__lane *lane, fedn__job *job);
/* Runs everything submitted, then joins; NULL allowed. */
void fedn__pool_free(fedn__pool *pool);

#endif
