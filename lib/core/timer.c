/* SPDX-License-Identifier: Apache-2.0
 * A binary heap of timers. */
#include "core/timer.h"

#include "core/alloc.h"
#include <string.h>

void fedn__timers_init(fedn__timers *timers)
{
    memset(timers, 0, sizeof *timers);
}

void fedn__timers_done(fedn__timers *timers)
{
    for (uint32_t i = 0; i < timers->count; i++)
        timers->heap[i]->place = 0;
    fedn__free(timers->heap);
    fedn__timers_init(timers);
}

static void put(fedn__timers *timers, uint32_t at, fedn__timer *timer)
{
    timers->heap[at] = timer;
    timer->place = at + 1;
}

static void rise(fedn__timers *timers, uint32_t at)
{
    fedn__timer *timer = timers->heap[at];
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (timers->heap[parent]->due_ns <= timer->due_ns)
            break;
        put(timers, at, timers->heap[parent]);
        at = parent;
    }
    put(timers, at, timer);
}

static void sink(fedn__timers *timers, uint32_t at)
{
    fedn__timer *timer = timers->heap[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= timers->count)
            break;
        if (child + 1 < timers->count &&
            timers->heap[child + 1]->due_ns < timers->heap[child]->due_ns)
            child++;
        if (timers->heap[child]->due_ns >= timer->due_ns)
            break;
        put(timers, at, timers->heap[child]);
        at = child;
    }
    put(timers, at, timer);
}

fedn_status fedn__timers_set(fedn__timers *timers, fedn__timer *timer, int64_t due_ns)
{
    if (timer->place == 0) {
        if (timers->count == timers->capacity) {
            uint32_t capacity = timers->capacity ? timers->capacity * 2 : 16;
            fedn__timer **heap = fedn__realloc_array(timers->heap, capacity, sizeof(void *));
            if (!heap)
                return FEDN_ERR_NOMEM;
            timers->heap = heap;
            timers->capacity = capacity;
        }
        put(timers, timers->count++, timer);
    }
    timer->due_ns = due_ns;
    rise(timers, timer->place - 1);
    sink(timers, timer->place - 1);
    return FEDN_OK;
}

void fedn__timers_cancel(fedn__timers *timers, fedn__timer *timer)
{
    if (timer->place == 0)
        return;
    uint32_t at = timer->place - 1;
    timer->place = 0;
    fedn__timer *last = timers->heap[--timers->count];
    if (last == timer)
        return;
    put(timers, at, last);
    rise(timers, at);
    sink(timers, last->place - 1);
}

int64_t fedn__timers_next(const fedn__timers *timers)
{
    return timers->count ? timers->heap[0]->due_ns : INT64_MAX;
}

fedn__timer *fedn__timers_pop(fedn__timers *timers, int64_t now_ns)
{
    if (timers->count == 0 || timers->heap[0]->due_ns > now_ns)
        return NULL;
    fedn__timer *timer = timers->heap[0];
    fedn__timers_cancel(timers, timer);
    return timer;
}
