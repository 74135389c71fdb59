/* SPDX-License-Identifier: Apache-2.0
 * The order of events: a heap by time, then by when they were asked for. */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_EVENTS_AT_ONCE = 20000 };

static void *must(void *memory)
{
    if (!memory) {
        fprintf(stderr, "simulate: out of memory\n");
        exit(2);
    }
    return memory;
}

static event *take_spare(world *w)
{
    event *e = w->spare;

    if (!e)
        return must(malloc(sizeof *e));
    w->spare = e->next;
    return e;
}

static int32_t is_before(const event *a, const event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void push(world *w, event *e)
{
    if (w->heap_count == w->heap_capacity) {
        w->heap_capacity = w->heap_capacity ? 2 * w->heap_capacity : 256;
        w->heap = must(realloc(w->heap, w->heap_capacity * sizeof(event *)));
    }
    uint32_t at = w->heap_count++;
    while (at > 0 && is_before(e, w->heap[(at - 1) / 2])) {
        w->heap[at] = w->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    w->heap[at] = e;
}

static event *pop(world *w)
{
    event *first = w->heap[0];
    event *last = w->heap[--w->heap_count];
    uint32_t at = 0;

    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= w->heap_count)
            break;
        if (child + 1 < w->heap_count && is_before(w->heap[child + 1], w->heap[child]))
            child++;
        if (is_before(last, w->heap[child]))
            break;
        w->heap[at] = w->heap[child];
        at = child;
    }
    w->heap[at] = last;
    return first;
}

event *world_anyway(world *w, uint32_t node, int64_t delay_ms, event_fn fire)
{
    event *e = take_spare(w);

    e->at_ms = w->now_ms + delay_ms;
    e->order = ++w->order;
    e->fire = fire;
    e->node = node;
    e->life = 0;
    e->wire = 0;
    e->end = 0;
    e->a = e->b = 0;
    push(w, e);
    return e;
}

event *world_later(world *w, uint32_t node, int64_t delay_ms, event_fn fire)
{
    event *e = world_anyway(w, node, delay_ms, fire);

    e->life = w->nodes[node].life;
    return e;
}

static void count_instant(world *w, int64_t at_ms)
{
    if (at_ms != w->instant_ms) {
        w->instant_ms = at_ms;
        w->instant_events = 0;
    }
    if (++w->instant_events > MOST_EVENTS_AT_ONCE)
        world_fail(w, "more than %d events at one instant: nothing goes on", MOST_EVENTS_AT_ONCE);
}

int32_t world_step(world *w)
{
    if (w->heap_count == 0 || w->failed)
        return 0;
    event *e = pop(w);
    w->now_ms = e->at_ms;
    w->counts.events++;
    count_instant(w, e->at_ms);
    if (e->life == 0 || node_is_alive(w, e->node, e->life))
        e->fire(w, e);
    e->next = w->spare;
    w->spare = e;
    return 1;
}

void world_done(world *w)
{
    while (w->heap_count > 0)
        free(w->heap[--w->heap_count]);
    while (w->spare) {
        event *e = w->spare;
        w->spare = e->next;
        free(e);
    }
    free(w->heap);
    free(w->wires);
    ledger_done(&w->ledger);
}

/* ---- what is said about it ---- */

const char *node_name(uint32_t node)
{
    static const char *const names[] = {
        "reducer",  "combiner-1", "combiner-2", "combiner-3", "client-1", "client-2", "client-3",
        "client-4", "client-5",   "client-6",   "client-7",   "client-8", "-"};
    return names[node];
}

int32_t node_role(uint32_t node)
{
    if (node == REDUCER)
        return ROLE_REDUCER;
    return node < FIRST_CLIENT ? ROLE_COMBINER : ROLE_CLIENT;
}

void world_trace(world *w, uint32_t node, const char *format, ...)
{
    va_list args;

    printf("%7lld.%03d  %-10s  ", (long long)(w->now_ms / 1000), (int)(w->now_ms % 1000),
           node_name(node));
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

void world_fail(world *w, const char *format, ...)
{
    va_list args;

    if (w->failed)
        return;
    w->failed = 1;
    va_start(args, format);
    vsnprintf(w->failure, sizeof w->failure, format, args);
    va_end(args);
    TRACE(w, NOBODY, "VIOLATED: %s", w->failure);
}

/* ---- chance ---- */

uint64_t world_id(world *w)
{
    return ++w->ids;
}

int32_t world_has_faults(const world *w)
{
    return w->now_ms < w->profile.faults_until_ms;
}

int32_t world_fault(world *w, uint32_t per_million)
{
    return per_million > 0 && world_has_faults(w) && random_chance(&w->random, per_million);
}

int64_t world_delay(world *w, uint32_t node, int64_t most_ms)
{
    int64_t factor = world_has_faults(w) ? w->nodes[node].slow : 1;

    if (factor == 1 && world_fault(w, 10000))
        factor = 10; /* now and then */
    return random_between(&w->random, 0, most_ms * factor);
}
