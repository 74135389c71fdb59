/* SPDX-License-Identifier: Apache-2.0
 * A client's calls: each ends once, with an answer, with its connection, or with its time. */
#include "client_shell.h"

#include "core/alloc.h"
#include "net.h"
#include <string.h>

/* 1 and the call, which is forgotten. */
static int32_t take_call(client_shell *shell, uint64_t id, client_call *ret)
{
    for (uint32_t i = 0; i < shell->call_count; i++) {
        if (shell->calls[i].id != id)
            continue;
        *ret = shell->calls[i];
        shell->calls[i] = shell->calls[--shell->call_count];
        return 1;
    }
    return 0;
}

void client_call_ended(world *w, uint32_t node, const client_call *call, fedn_status status,
                       const char *text)
{
    client_shell *shell = client_of(w, node);
    int64_t now = node_now(w, node);

    switch (call->kind) {
    case MESSAGE_HEARTBEAT:
        fedn__client_engine_heartbeat(shell->engine, now, call->dial, status, text);
        break;
    case MESSAGE_FETCH:
        fedn__client_engine_fetched(shell->engine, now, call->step, status, text);
        break;
    case MESSAGE_UPLOAD:
        fedn__client_engine_uploaded(shell->engine, now, call->step, status, text);
        break;
    default:
        fedn__client_engine_answered(shell->engine, now, call->step, status, text);
        break;
    }
    client_drain(w, node);
}

static void on_timeout(world *w, event *e)
{
    client_call call;

    if (take_call(client_of(w, e->node), e->a, &call))
        client_call_ended(w, e->node, &call, FEDN_ERR_TIMEOUT, "no answer in time");
}

void client_call_out(world *w, uint32_t node, message *what, const fedn__client_action *action)
{
    client_shell *shell = client_of(w, node);
    client_call call = {world_id(w), what->kind, action->dial, action->step};

    if (shell->call_count == MOST_CALLS) {
        world_fail(w, "%s has %d calls under way", node_name(node), MOST_CALLS);
        return;
    }
    shell->calls[shell->call_count++] = call;
    what->call = call.id;
    what->client = node;
    net_send(w, shell->wire, 0, what, 0);
    world_later(w, node, w->profile.call_timeout_ms, on_timeout)->a = call.id;
}

void client_calls_fail(world *w, uint32_t node, fedn_status status)
{
    uint32_t life = w->nodes[node].life;

    while (node_is_alive(w, node, life) && client_of(w, node)->call_count > 0) {
        client_shell *shell = client_of(w, node);
        client_call call = shell->calls[0];
        memmove(shell->calls, shell->calls + 1, --shell->call_count * sizeof call);
        client_call_ended(w, node, &call, status, "the connection has ended");
    }
}

static void on_cancelled(world *w, event *e)
{
    client_call call = {0, e->end, e->a, e->b};

    client_call_ended(w, e->node, &call, FEDN_ERR_CANCELLED, "cancelled");
}

/* Of transfers nobody is told; of calls later. */
void client_calls_cancel(world *w, uint32_t node)
{
    client_shell *shell = client_of(w, node);

    for (uint32_t i = 0; i < shell->call_count; i++) {
        const client_call *call = &shell->calls[i];
        if (call->kind == MESSAGE_FETCH || call->kind == MESSAGE_UPLOAD)
            continue;
        event *e = world_later(w, node, random_between(&w->random, 0, 5), on_cancelled);
        e->end = call->kind;
        e->a = call->dial;
        e->b = call->step;
    }
    shell->call_count = 0;
}

/* ---- what comes ---- */

fedn__order *client_order(const message *what)
{
    fedn__order *order = fedn__alloc_zero(sizeof *order);
    char text[FEDN__UUID_TEXT];

    order->type = what->train ? FEDN_TASK_TRAIN : FEDN_TASK_VALIDATE;
    id_text(what->task, text);
    order->correlation_id = fedn__strdup(text);
    id_text(what->session, text);
    order->session_id = fedn__strdup(text);
    order->round_id = fedn__strf("%u", (unsigned)what->round);
    id_text(what->model, text);
    order->model_id = fedn__strdup(text);
    order->config = fedn__strdup("{}");
    order->format = fedn__strdup("");
    order->combiner = fedn__strdup("");
    order->model = what->travels ? fedn__alloc_zero(1) : NULL;
    order->model_bytes = what->travels ? 1 : 0;
    order->inline_bytes = 1; /* it is a combiner of ours */
    return order;
}

static void take_task(world *w, uint32_t node, const message *what)
{
    client_shell *shell = client_of(w, node);
    uint32_t room = sizeof shell->orders / sizeof shell->orders[0];

    for (uint32_t i = 0; i < shell->order_count && i < room; i++)
        w->counts.repeated_orders += shell->orders[i].task == what->task;
    shell->orders[shell->order_count++ % room] = *what;
    fedn__client_engine_order(shell->engine, node_now(w, node), shell->dial, client_order(what));
}

void client_message(world *w, uint32_t wire, const message *what)
{
    uint32_t node = w->wires[wire - 1].node[0];
    client_shell *shell = client_of(w, node);
    client_call call;

    if (shell->wire != wire)
        return;
    if (what->kind == MESSAGE_ANSWER) {
        if (take_call(shell, what->call, &call))
            client_call_ended(w, node, &call, what->status, what->text);
        else
            w->counts.stale_answers++;
        return;
    }
    if (what->kind == MESSAGE_OPENED)
        fedn__client_engine_opened(shell->engine, node_now(w, node), shell->dial);
    else if (what->kind == MESSAGE_TASK)
        take_task(w, node, what);
    else
        fedn__client_engine_closed(shell->engine, node_now(w, node), shell->dial,
                                   FEDN_ERR_UNAVAILABLE, what->text);
    client_drain(w, node);
}

void client_closed(world *w, uint32_t wire)
{
    uint32_t node = w->wires[wire - 1].node[0];
    uint32_t life = w->nodes[node].life;
    client_shell *shell = client_of(w, node);
    int32_t calls_first = (int32_t)random_below(&w->random, 2);
    uint64_t dial = shell->dial;

    if (shell->wire != wire)
        return;
    if (calls_first)
        client_calls_fail(w, node, FEDN_ERR_UNAVAILABLE);
    if (node_is_alive(w, node, life)) {
        fedn__client_engine_closed(shell->engine, node_now(w, node), dial, FEDN_ERR_UNAVAILABLE,
                                   "the connection has ended");
        client_drain(w, node);
    }
}
