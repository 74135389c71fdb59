/* SPDX-License-Identifier: Apache-2.0
 * Random numbers from a seed (splitmix64): all that a schedule leaves to chance comes from here. */
#ifndef SIMULATE_RANDOM_H
#define SIMULATE_RANDOM_H

#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* 0 .. bound - 1 */
static inline uint32_t random_below(uint64_t *state, uint32_t bound)
{
    return (uint32_t)(((random_next(state) >> 32) * bound) >> 32);
}

/* low .. high */
static inline int64_t random_between(uint64_t *state, int64_t low, int64_t high)
{
    return low + (int64_t)random_below(state, (uint32_t)(high - low + 1));
}

/* One of these many in a million. */
static inline int32_t random_chance(uint64_t *state, uint32_t per_million)
{
    return random_below(state, 1000000) < per_million;
}

#endif
