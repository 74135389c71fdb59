/* SPDX-License-Identifier: Apache-2.0
 * Delivery, cuts and ends of connections. */
#include "net.h"

#include "node_client.h"
#include "node_combiner.h"
#include "node_reducer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEARS_OF_IT_MS = 100, HEARS_LATE_MS = 8000 };

const char *message_name(int32_t kind)
{
    static const char *const names[] = {"none",
#define MESSAGE_NAME(name) #name,
                                        MESSAGES(MESSAGE_NAME)
#undef MESSAGE_NAME
    };
    return names[kind];
}

static net_wire *at(world *w, uint32_t number)
{
    return &w->wires[number - 1];
}

uint32_t net_dial(world *w, uint32_t from, uint32_t to)
{
    if (w->wire_count == w->wire_capacity) {
        w->wire_capacity = w->wire_capacity ? 2 * w->wire_capacity : 64;
        w->wires = realloc(w->wires, w->wire_capacity * sizeof *w->wires);
        if (!w->wires)
            exit(2);
    }
    net_wire *fresh = &w->wires[w->wire_count++];
    memset(fresh, 0, sizeof *fresh);
    fresh->node[0] = from;
    fresh->node[1] = to;
    fresh->life[0] = w->nodes[from].life;
    fresh->life[1] = w->nodes[to].life;
    fresh->lost_after_ms[0] = fresh->lost_after_ms[1] = INT64_MAX;
    return w->wire_count;
}

int32_t net_is_open(const world *w, uint32_t number, int32_t end)
{
    return number != 0 && !w->wires[number - 1].closed[end];
}

static void hand_over(world *w, uint32_t number, int32_t end, const message *what)
{
    uint32_t node = at(w, number)->node[end];

    TRACE(w, node, "gets %s from %s: call %llu, round %u, update %llu, seq %llu, ack %llu %s",
          message_name(what->kind), node_name(at(w, number)->node[1 - end]),
          (unsigned long long)what->call, (unsigned)what->round, (unsigned long long)what->update,
          (unsigned long long)what->seq, (unsigned long long)what->ack, what->text);
    if (node_role(node) == ROLE_REDUCER)
        reducer_message(w, number, what);
    else if (node_role(node) == ROLE_COMBINER)
        combiner_message(w, number, end, what);
    else
        client_message(w, number, what);
}

static void tell_closed(world *w, uint32_t number, int32_t end)
{
    uint32_t node = at(w, number)->node[end];

    TRACE(w, node, "connection to %s has ended", node_name(at(w, number)->node[1 - end]));
    if (node_role(node) == ROLE_REDUCER)
        reducer_closed(w, number);
    else if (node_role(node) == ROLE_COMBINER)
        combiner_closed(w, number, end);
    else
        client_closed(w, number);
}

static void on_closed(world *w, event *e)
{
    net_wire *c = at(w, e->wire);

    if (c->closed[e->end])
        return;
    c->closed[e->end] = 1;
    if (node_is_alive(w, c->node[e->end], c->life[e->end]))
        tell_closed(w, e->wire, e->end);
}

static void end_later(world *w, uint32_t number, int32_t end)
{
    net_wire *c = at(w, number);
    int64_t quick = random_between(&w->random, 0, w->profile.latency_ms);
    int64_t more = world_fault(w, 200000) ? HEARS_LATE_MS : HEARS_OF_IT_MS;

    if (c->closed[end])
        return;
    if (c->lost_after_ms[end] > w->now_ms + quick)
        c->lost_after_ms[end] = w->now_ms + quick;
    event *e =
        world_anyway(w, c->node[end], quick + random_between(&w->random, 0, more), on_closed);
    e->wire = number;
    e->end = end;
}

static void deliver(world *w, event *e)
{
    net_wire *c = at(w, e->wire);

    if (c->closed[e->end] || w->now_ms > c->lost_after_ms[e->end]) {
        w->counts.messages_lost++;
        return;
    }
    if (!node_is_alive(w, c->node[e->end], c->life[e->end])) {
        end_later(w, e->wire, 1 - e->end);
        w->counts.messages_lost++;
        return;
    }
    message copy = e->message; /* handlers may make the event's memory move on */
    hand_over(w, e->wire, e->end, &copy);
}

void net_send(world *w, uint32_t number, int32_t from_end, const message *what, int32_t ordered)
{
    net_wire *c = at(w, number);
    int32_t to = 1 - from_end;
    int64_t delay = world_delay(w, c->node[to], w->profile.latency_ms);

    if (c->closed[from_end])
        return;
    w->counts.messages++;
    if (ordered) {
        if (w->now_ms + delay < c->last_ms[to])
            delay = c->last_ms[to] - w->now_ms;
        c->last_ms[to] = w->now_ms + delay;
    }
    event *e = world_anyway(w, c->node[to], delay, deliver);
    e->wire = number;
    e->end = to;
    e->message = *what;
    if (world_fault(w, w->profile.cuts))
        net_cut(w, number);
}

void net_answer(world *w, uint32_t number, const message *call, fedn_status status,
                const char *text)
{
    message answer = {.kind = MESSAGE_ANSWER, .call = call->call, .status = status};

    snprintf(answer.text, sizeof answer.text, "%s", text);
    net_send(w, number, 1, &answer, 0);
}

void net_cut(world *w, uint32_t number)
{
    net_wire *c = at(w, number);

    if (c->lost_after_ms[0] != INT64_MAX || c->lost_after_ms[1] != INT64_MAX)
        return;
    w->counts.cuts++;
    TRACE(w, c->node[0], "connection to %s is cut", node_name(c->node[1]));
    end_later(w, number, 0);
    end_later(w, number, 1);
}

void net_close(world *w, uint32_t number, int32_t end)
{
    net_wire *c = at(w, number);

    if (c->closed[end])
        return;
    c->closed[end] = 1;
    end_later(w, number, 1 - end);
}

void net_crash(world *w, uint32_t node)
{
    for (uint32_t number = 1; number <= w->wire_count; number++) {
        for (int32_t end = 0; end < 2; end++)
            if (at(w, number)->node[end] == node && !at(w, number)->closed[end])
                net_close(w, number, end);
    }
}
