/* SPDX-License-Identifier: Apache-2.0
 * The two clocks. Engines never call these: they get `now` with the event. */
#ifndef FEDN__CORE_CLOCK_H
#define FEDN__CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

int64_t fedn__clock_ns(void);      /* monotonic */
int64_t fedn__clock_ms(void);      /* monotonic */
int64_t fedn__clock_wall_us(void); /* since 1970 */
struct timespec fedn__clock_timespec(int64_t monotonic_ns);

#endif
