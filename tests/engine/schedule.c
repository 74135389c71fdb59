/* SPDX-License-Identifier: Apache-2.0
 * One schedule: the nodes start, sessions are asked for, something goes wrong, everything ends. */
#include "schedule.h"

#include "check.h"
#include "combiner_shell.h"
#include "node_client.h"
#include "node_combiner.h"
#include "node_reducer.h"
#include <stdio.h>
#include <string.h>

enum { ASKS_EVERY_MS = 400, STRAGGLERS_MS = 15000 };

static void on_first_start(world *w, event *e)
{
    node_start(w, e->node);
}

static void set_up(world *w)
{
    const profile *p = &w->profile;

    for (uint32_t i = 0; i < NODES; i++) {
        int32_t there = i == REDUCER ||
                        (i >= FIRST_COMBINER && i < FIRST_COMBINER + p->combiners) ||
                        (i >= FIRST_CLIENT && i < FIRST_CLIENT + p->clients);
        w->nodes[i].life = 1;
        w->nodes[i].slow = 1;
        if (there)
            world_anyway(w, i, random_between(&w->random, 0, 2000), on_first_start);
    }
    for (uint32_t s = 1; s <= p->sessions; s++) {
        ledger_model seed = {.session = s};
        w->ledger.sessions[s].model = ledger_model_new(&w->ledger, &seed);
    }
}

static void tear_down(world *w)
{
    reducer_free(w);
    for (uint32_t i = FIRST_COMBINER; i < FIRST_CLIENT; i++)
        combiner_free(w, i);
    for (uint32_t i = FIRST_CLIENT; i < NODES; i++)
        client_free(w, i);
    world_done(w);
}

/* Wants one session after the other, and may think better of it. */
typedef struct user {
    uint32_t session;
    uint32_t asked_life; /* of the reducer that was asked to begin it */
    int64_t began_ms;
} user;

/* 1: there is nothing more to want. */
static int32_t ask(world *w, user *u)
{
    const ledger_session *s = &w->ledger.sessions[u->session];

    if (s->ended) {
        u->began_ms = w->now_ms;
        u->asked_life = 0;
        return ++u->session > w->profile.sessions;
    }
    if (!s->started && u->asked_life != w->nodes[REDUCER].life) {
        uint32_t life = w->nodes[REDUCER].life;
        if (reducer_begin_session(w, u->session))
            u->asked_life = life;
    } else if (s->started && world_fault(w, w->profile.stops / 20)) {
        reducer_end_session(w, u->session);
    }
    return 0;
}

/* It says that it waits for clients, and there are none: it may wait for ever. */
static int32_t waits_rightly(const world *w)
{
    if (!strstr(reducer_message_text(w), "waits for a combiner with"))
        return 0;
    for (uint32_t i = FIRST_COMBINER; i < FIRST_COMBINER + w->profile.combiners; i++)
        if (w->nodes[i].up && fedn__combiner_engine_roster(combiner_of(w, i)->engine)->online >=
                                  w->profile.clients_required)
            return 0;
    return 1;
}

static void check_session_time(world *w, user *u)
{
    int64_t since =
        u->began_ms > w->profile.faults_until_ms ? u->began_ms : w->profile.faults_until_ms;

    if (w->now_ms <= since + profile_bound_ms(&w->profile))
        return;
    if (waits_rightly(w)) {
        w->counts.waited++;
        u->began_ms = w->now_ms;
        reducer_end_session(w, u->session);
        return;
    }
    world_fail(w, "session %u does not end: %s", (unsigned)u->session, reducer_message_text(w));
}

static void run(world *w)
{
    user u = {.session = 1};
    int64_t ask_ms = 0;
    int64_t end_ms = INT64_MAX;

    while (w->now_ms < end_ms && world_step(w)) {
        if (w->now_ms < ask_ms || end_ms != INT64_MAX)
            continue;
        ask_ms = w->now_ms + ASKS_EVERY_MS;
        if (ask(w, &u))
            end_ms = w->now_ms + STRAGGLERS_MS;
        else
            check_session_time(w, &u);
    }
    check_end(w);
}

static void tell_profile(world *w)
{
    const profile *p = &w->profile;

    TRACE(w, NOBODY, "seed %llu: %s%u combiners, %u clients, %u rounds, %u required, buffer %d",
          (unsigned long long)w->options.seed, p->gentle ? "gentle, " : "", (unsigned)p->combiners,
          (unsigned)p->clients, (unsigned)p->rounds, (unsigned)p->clients_required,
          (int)p->buffer_size);
    TRACE(w, NOBODY, "round %lld ms, grace %lld, gone %lld, liveness %lld, faults until %lld ms",
          (long long)p->round_timeout_ms, (long long)p->grace_ms, (long long)p->gone_ms,
          (long long)p->liveness_ms, (long long)p->faults_until_ms);
}

int32_t schedule_run(const world_options *options, counts *ret_counts, char *failure, size_t bytes)
{
    world w;

    memset(&w, 0, sizeof w);
    w.options = *options;
    w.random = options->seed;
    profile_draw(&w.profile, &w.random);
    w.counts.schedules = 1;
    w.counts.gentle = w.profile.gentle != 0;
    tell_profile(&w);
    set_up(&w);
    run(&w);
    tear_down(&w);
    counts_add(ret_counts, &w.counts);
    snprintf(failure, bytes, "%s", w.failure);
    return !w.failed;
}
