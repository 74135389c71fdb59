/* SPDX-License-Identifier: Apache-2.0
 * What all nodes have: a clock of their own, a timer, a disk, a life that ends and begins again. */
#include "check.h"
#include "net.h"
#include "node_client.h"
#include "node_combiner.h"
#include "node_reducer.h"

enum { DEADLY = 200000 }; /* in a million */

int64_t node_now(const world *w, uint32_t node)
{
    return w->now_ms + w->nodes[node].clock_ms;
}

int32_t node_is_alive(const world *w, uint32_t node, uint32_t life)
{
    return w->nodes[node].up && w->nodes[node].life == life;
}

int32_t node_disk_fails(world *w, uint32_t index)
{
    world_node *n = &w->nodes[index];

    if (w->now_ms >= n->disk_fails_until_ms && world_fault(w, w->profile.disk_failures))
        n->disk_fails_until_ms =
            w->now_ms + random_between(&w->random, 0, w->profile.gentle ? 2000 : 15000);
    if (w->now_ms >= n->disk_fails_until_ms)
        return 0;
    w->counts.disk_failures++;
    TRACE(w, index, "a write fails");
    return 1;
}

static void on_timer(world *w, event *e)
{
    world_node *n = &w->nodes[e->node];

    if (n->timer_ms != e->at_ms)
        return; /* set to another time since */
    n->timer_ms = INT64_MAX;
    event_fn tick = (event_fn)(uintptr_t)e->a;
    tick(w, e);
}

void node_set_timer(world *w, uint32_t index, int64_t due_ms, event_fn tick)
{
    world_node *n = &w->nodes[index];

    if (due_ms == INT64_MAX)
        return; /* one that fires for nothing does no harm */
    int64_t at_ms = due_ms - n->clock_ms;
    if (at_ms < w->now_ms)
        at_ms = w->now_ms;
    if (at_ms >= n->timer_ms)
        return;
    n->timer_ms = at_ms;
    world_later(w, index, at_ms - w->now_ms, on_timer)->a = (uint64_t)(uintptr_t)tick;
}

int32_t node_dies_here(world *w, uint32_t index, int32_t action)
{
    int32_t role = node_role(index);
    int32_t deadly = role == w->profile.deadly_role && action == w->profile.deadly_action;

    return w->crashes < w->profile.most_crashes &&
           world_fault(w, deadly ? DEADLY : w->profile.crashes[role]);
}

static void on_start(world *w, event *e)
{
    node_start(w, e->node);
}

void node_start(world *w, uint32_t index)
{
    world_node *n = &w->nodes[index];

    n->up = 1;
    n->timer_ms = INT64_MAX;
    n->slow = world_fault(w, w->profile.slow_nodes) ? 5 + (int32_t)random_below(&w->random, 40) : 1;
    /* the machine may have been started again, or the process moved to another */
    if (random_below(&w->random, 2) == 0)
        n->clock_ms = random_between(&w->random, 0, 1000000000);
    TRACE(w, index, "starts, life %u, its clock at %lld%s", (unsigned)n->life,
          (long long)node_now(w, index), n->slow > 1 ? ", slow" : "");
    if (node_role(index) == ROLE_REDUCER)
        reducer_start(w);
    else if (node_role(index) == ROLE_COMBINER)
        combiner_start(w, index);
    else
        client_start(w, index);
}

static void bury(world *w, uint32_t index)
{
    switch (node_role(index)) {
    case ROLE_REDUCER:
        w->counts.reducer_crashes++;
        reducer_crash(w);
        break;
    case ROLE_COMBINER:
        w->counts.combiner_crashes++;
        combiner_crash(w, index);
        break;
    default:
        w->counts.client_crashes++;
        client_crash(w, index);
        break;
    }
}

void node_crash(world *w, uint32_t index)
{
    world_node *n = &w->nodes[index];

    TRACE(w, index, "CRASHES");
    w->crashes++;
    n->up = 0;
    n->life++;
    bury(w, index);
    net_crash(w, index);
    if (node_role(index) == ROLE_CLIENT && world_fault(w, w->profile.departures)) {
        n->gone = 1;
        w->counts.departures++;
        TRACE(w, index, "is gone for ever");
        return;
    }
    world_anyway(w, index, 1 + random_between(&w->random, 0, w->profile.down_ms), on_start);
}
