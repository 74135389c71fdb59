/* SPDX-License-Identifier: Apache-2.0
 * The two clocks. */
#include "core/clock.h"

int64_t fedn__clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t fedn__clock_ms(void)
{
    return fedn__clock_ns() / 1000000;
}

int64_t fedn__clock_wall_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct timespec fedn__clock_timespec(int64_t monotonic_ns)
{
    struct timespec when;
    when.tv_sec = monotonic_ns / 1000000000;
    when.tv_nsec = monotonic_ns % 1000000000;
    return when;
}
