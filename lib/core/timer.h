/* SPDX-License-Identifier: Apache-2.0
 * A heap of timers, owned by one thread; what fires is for the caller to do. */
#ifndef FEDN__CORE_TIMER_H
#define FEDN__CORE_TIMER_H

#include <fedn/error.h>

typedef struct fedn__timer {
    int64_t due_ns;
    uint32_t place; /* 0: not in a heap; else index + 1 */
    void (*fn)(struct fedn__timer *timer, void *user_data);
    void *user_data;
} fedn__timer;

typedef struct fedn__timers {
    fedn__timer **heap;
    uint32_t count;
    uint32_t capacity;
} fedn__timers;

void fedn__timers_init(fedn__timers *timers);
void fedn__timers_done(fedn__timers *timers); /* timers still in it are taken out */
/* Adds or moves. FEDN_ERR_NOMEM leaves the timer as it was. */
fedn_status fedn__timers_set(fedn__timers *timers, fedn__timer *timer, int64_t due_ns);
void fedn__timers_cancel(fedn__timers *timers, fedn__timer *timer); /* not in it: nothing */
/* Due time of the first, INT64_MAX if there is none. */
int64_t fedn__timers_next(const fedn__timers *timers);
/* Takes out the first that is due at `now`; NULL if none is. */
fedn__timer *fedn__timers_pop(fedn__timers *timers, int64_t now_ns);

#endif
