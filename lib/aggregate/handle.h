/* SPDX-License-Identifier: Apache-2.0
 * The public handle from the inside. */
#ifndef FEDN__AGGREGATE_HANDLE_H
#define FEDN__AGGREGATE_HANDLE_H

#include "aggregate/rule.h"

/* Used by one thread at a time. */
struct fedn_aggregator {
    const fedn__rule *rule;
    void *self;
    fedn__round round;
    void *block; /* FEDN__BLOCK_BYTES */
};

#endif
