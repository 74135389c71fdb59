/* SPDX-License-Identifier: Apache-2.0
 * One schedule from its seed to its end. */
#ifndef SIMULATE_SCHEDULE_H
#define SIMULATE_SCHEDULE_H

#include "world.h"

/* 1: nothing was violated; else `failure` (of world.failure's size) says what was. */
int32_t schedule_run(const world_options *options, counts *ret_counts, char *failure, size_t bytes);

#endif
