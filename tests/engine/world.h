/* SPDX-License-Identifier: Apache-2.0
 * The world of one schedule: its time, what will happen, who takes part. */
#ifndef SIMULATE_WORLD_H
#define SIMULATE_WORLD_H

#include "counts.h"
#include "ledger.h"
#include "message.h"
#include "profile.h"
#include "random.h"
#include <stddef.h>

enum {
    REDUCER = 0,
    FIRST_COMBINER = 1,
    FIRST_CLIENT = FIRST_COMBINER + MOST_COMBINERS,
    NODES = FIRST_CLIENT + MOST_CLIENTS,
    NOBODY = NODES
};

typedef struct world world;
typedef struct event event;
typedef void (*event_fn)(world *w, event *e);

struct event {
    int64_t at_ms;
    uint64_t order; /* among those of one instant */
    event_fn fire;
    uint32_t node;
    uint32_t life; /* of the node; 0: whatever it lives */
    uint32_t wire;
    int32_t end;
    uint64_t a, b;
    message message;
    event *next; /* free */
};

typedef struct world_node {
    uint32_t life; /* counted from 1; changes at a crash */
    int32_t up;
    int32_t gone;     /* for ever */
    int32_t slow;     /* factor */
    int64_t clock_ms; /* its clock when the world's was 0 */
    int64_t timer_ms; /* world's time of its next tick; INT64_MAX: none */
    int64_t disk_fails_until_ms;
    void *shell;
} world_node;

typedef struct world_options {
    uint64_t seed;
    int32_t tracing;
    int32_t mistake;
} world_options;

struct world {
    world_options options;
    uint64_t random;
    profile profile;
    int64_t now_ms;
    uint64_t ids; /* handed out: tokens, calls, links, updates */
    uint32_t crashes;
    world_node nodes[NODES];

    event **heap;
    uint32_t heap_count, heap_capacity;
    event *spare;
    uint64_t order;
    int64_t instant_ms;
    uint32_t instant_events;

    struct net_wire *wires;
    uint32_t wire_count, wire_capacity;
    ledger ledger;
    counts counts;
    int32_t failed;
    char failure[300];
};

#define TRACE(w, node, ...)                                                                        \
    do {                                                                                           \
        if ((w)->options.tracing)                                                                  \
            world_trace((w), (node), __VA_ARGS__);                                                 \
    } while (0)

/* In `delay_ms`, unless the node has crashed until then. */
event *world_later(world *w, uint32_t node, int64_t delay_ms, event_fn fire);
/* The same, whatever the node lives. */
event *world_anyway(world *w, uint32_t node, int64_t delay_ms, event_fn fire);
/* 1: something happened; 0: nothing is left, or the schedule has failed. */
int32_t world_step(world *w);
void world_done(world *w);

void world_trace(world *w, uint32_t node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The first one stays. */
void world_fail(world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *node_name(uint32_t node);
int32_t node_role(uint32_t node);

uint64_t world_id(world *w);
int32_t world_has_faults(const world *w); /* still */
int32_t world_fault(world *w, uint32_t per_million);
/* 0 .. most, longer if the node is slow */
int64_t world_delay(world *w, uint32_t node, int64_t most_ms);
int64_t node_now(const world *w, uint32_t node);
int32_t node_is_alive(const world *w, uint32_t node, uint32_t life);
/* 1: a write of this node fails, now and for a while. */
int32_t node_disk_fails(world *w, uint32_t node);
/* Its engine is due at that time of its clock: tick is called then. */
void node_set_timer(world *w, uint32_t node, int64_t due_ms, event_fn tick);
/* 1: here, after this action, its process dies. */
int32_t node_dies_here(world *w, uint32_t node, int32_t action);
/* nodes.c: the process is gone with all it has not written; it comes back, or not. */
void node_crash(world *w, uint32_t node);
void node_start(world *w, uint32_t node);

#endif
