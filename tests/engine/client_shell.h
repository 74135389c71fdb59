/* SPDX-License-Identifier: Apache-2.0
 * A client's shell from the inside, for its two files. */
#ifndef SIMULATE_CLIENT_SHELL_H
#define SIMULATE_CLIENT_SHELL_H

#include "node_client.h"
#include "roles/client/engine.h"

enum { MOST_CALLS = 16 };

typedef struct client_call {
    uint64_t id;
    int32_t kind;
    uint64_t dial, step;
} client_call;

/* The task that is worked on. */
typedef struct client_job {
    message order;
    uint64_t serial;
    int32_t running;
    int32_t cancelled;
    uint32_t content;
    uint64_t update;
    int32_t travels;
    int32_t kept; /* it is trained, and outlives the process */
    uint32_t target;
} client_job;

/* All but the last two members go with the process. */
typedef struct client_shell {
    fedn__client_engine *engine;
    int32_t draining;
    int32_t finished;
    uint32_t target; /* node */
    uint32_t wire;   /* 0: none */
    uint64_t dial;
    client_call calls[MOST_CALLS];
    uint32_t call_count;
    client_job job;
    message orders[32]; /* that the engine may still refer to, by task */
    uint32_t order_count;

    client_job kept;
    uint32_t home; /* the combiner of one that asks for none */
} client_shell;

client_shell *client_of(const world *w, uint32_t node);
void client_drain(world *w, uint32_t node);

/* client_calls.c */
void client_call_out(world *w, uint32_t node, message *what, const fedn__client_action *action);
void client_calls_fail(world *w, uint32_t node, fedn_status status);
void client_calls_cancel(world *w, uint32_t node);
/* What a message says of a task, as an order. */
fedn__order *client_order(const message *what);
/* The engine's event of a call that has ended. */
void client_call_ended(world *w, uint32_t node, const client_call *call, fedn_status status,
                       const char *text);

#endif
