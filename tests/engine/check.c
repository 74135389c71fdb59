/* SPDX-License-Identifier: Apache-2.0
 * The checks: each update once or with a reason not at all, each round one model, one line. */
#include "check.h"

#include <stdio.h>
#include <string.h>

static const trained *content_of(const world *w, uint32_t number)
{
    return &w->ledger.contents[number - 1];
}

void check_acknowledged(world *w, uint32_t combiner, uint32_t number)
{
    trained *c = &w->ledger.contents[number - 1];

    if (c->acknowledged_by == 0)
        w->counts.acknowledged++;
    else if (c->acknowledged_by != combiner)
        world_fail(w, "update %u of %s is acknowledged by %s and by %s", (unsigned)number,
                   node_name(c->client), node_name(c->acknowledged_by), node_name(combiner));
    c->acknowledged_by = combiner;
}

void check_round_opened(world *w, uint32_t session, uint32_t number, uint32_t model)
{
    ledger *l = &w->ledger;
    uint32_t newest = l->sessions[session].model;

    if (number >= sizeof l->rounds / sizeof l->rounds[0]) {
        world_fail(w, "round %u is opened: more rounds than a schedule can have", (unsigned)number);
        return;
    }
    ledger_round *round = &l->rounds[number];
    if (round->state == ROUND_UNKNOWN && number != l->last_round + 1)
        world_fail(w, "round %u is opened after round %u", (unsigned)number,
                   (unsigned)l->last_round);
    else if (round->state >= ROUND_COMMITTED)
        world_fail(w, "round %u is opened again after its end", (unsigned)number);
    else if (l->last_round > 0 && number > l->last_round &&
             l->rounds[l->last_round].state == ROUND_OPEN)
        world_fail(w, "round %u is opened while round %u is open", (unsigned)number,
                   (unsigned)l->last_round);
    else if (model != newest)
        world_fail(w, "round %u starts from model %u, the newest of its session is %u",
                   (unsigned)number, (unsigned)model, (unsigned)newest);
    if (round->state == ROUND_UNKNOWN)
        l->last_round = number;
    round->state = ROUND_OPEN;
    round->session = session;
    round->model = model;
}

/* How many models before `model` that one is; -1: none of its ancestors. */
static int32_t staleness(const world *w, uint32_t model, uint32_t of)
{
    for (int32_t i = 0; model; i++, model = w->ledger.models[model - 1].parent)
        if (model == of)
            return i;
    return -1;
}

static int32_t belongs(const world *w, const trained *c, uint32_t round)
{
    const ledger_round *r = &w->ledger.rounds[round];
    int32_t stale = staleness(w, r->model, c->model);

    if (!w->profile.async)
        return c->round == round && c->session == r->session && stale == 0;
    return c->session == r->session && c->round <= round && stale >= 0 && stale < w->profile.async;
}

static void check_content(world *w, uint32_t round, uint32_t number)
{
    trained *c = &w->ledger.contents[number - 1];

    if (++c->committed > 1)
        world_fail(w, "update %u of %s counts twice", (unsigned)number, node_name(c->client));
    else if (!belongs(w, c, round))
        world_fail(w, "update %u of %s, trained in round %u from model %u, counts in round %u",
                   (unsigned)number, node_name(c->client), (unsigned)c->round, (unsigned)c->model,
                   (unsigned)round);
}

/* A client that moves between combiners within a round may count at both: with another update. */
static void check_clients(world *w, uint32_t round, const contents *sum)
{
    for (uint32_t i = 0; i < sum->count && !w->failed; i++) {
        const trained *one = content_of(w, sum->list[i]);
        check_content(w, round, sum->list[i]);
        for (uint32_t k = 0; k < i; k++) {
            const trained *other = content_of(w, sum->list[k]);
            if (other->client != one->client)
                continue;
            w->counts.moved_clients++;
            if (other->folded_by == one->folded_by)
                world_fail(w, "two updates of %s count in round %u", node_name(one->client),
                           (unsigned)round);
        }
    }
}

void check_committed(world *w, uint32_t number, uint32_t model, const contents *sum)
{
    ledger *l = &w->ledger;
    ledger_round *round = &l->rounds[number];
    ledger_session *session = &l->sessions[round->session];

    TRACE(w, REDUCER, "round %u is committed as model %u, %u updates", (unsigned)number,
          (unsigned)model, (unsigned)sum->count);
    w->counts.rounds_committed++;
    w->counts.counted += sum->count;
    if (round->state != ROUND_OPEN)
        world_fail(w, "round %u is committed, but it is not open", (unsigned)number);
    else if (l->models[model - 1].parent != session->model)
        world_fail(w, "round %u commits a child of model %u, the newest of its session is %u",
                   (unsigned)number, (unsigned)l->models[model - 1].parent,
                   (unsigned)session->model);
    else if (sum->count == 0 || sum->count > 2 * MOST_CLIENTS)
        world_fail(w, "round %u commits a model of %u updates", (unsigned)number,
                   (unsigned)sum->count);
    else
        check_clients(w, number, sum);
    round->state = ROUND_COMMITTED;
    session->model = model;
    session->committed++;
    l->models[model - 1].committed = 1;
}

void check_round_ended(world *w, uint32_t number, const char *reason)
{
    ledger_round *round = &w->ledger.rounds[number];

    TRACE(w, REDUCER, "round %u has ended without a model: %s", (unsigned)number, reason);
    w->counts.rounds_failed++;
    if (round->state != ROUND_OPEN)
        world_fail(w, "round %u ends, but it is not open", (unsigned)number);
    else if (!reason[0])
        world_fail(w, "round %u ends without a model and says no reason", (unsigned)number);
    else if (w->profile.gentle && !strstr(reason, "active clients") &&
             !strstr(reason, "no update of"))
        world_fail(w, "round %u fails in a gentle world: %s", (unsigned)number, reason);
    round->state = ROUND_ENDED;
    snprintf(round->ended, sizeof round->ended, "%s", reason);
}

void check_part(world *w, uint32_t number, uint32_t combiner, int32_t merged, const char *reason)
{
    ledger_round *round = &w->ledger.rounds[number];
    uint32_t i = combiner - FIRST_COMBINER;

    round->merged[i] = merged;
    snprintf(round->reason[i], sizeof round->reason[i], "%s", reason);
    if (!merged && !reason[0])
        world_fail(w, "%s has no part in round %u and no reason is said", node_name(combiner),
                   (unsigned)number);
}

/* Reasons for which the promise to a client may be broken: somebody outside said so, or somebody
 * was away or at work for longer than its time-out. */
static int32_t is_excuse(const char *reason)
{
    static const char *const excuses[] = {
        "no report within the round's time-out",
        "its link was cut for more than",
        "terminated on request",
        "the partial is bad",
        "it was restarted",
        "it came back without",
    };

    for (uint32_t i = 0; i < sizeof excuses / sizeof excuses[0]; i++)
        if (strncmp(reason, excuses[i], strlen(excuses[i])) == 0)
            return 1;
    return 0;
}

void check_cancelled(world *w, uint32_t number, uint32_t combiner, const char *reason)
{
    if (is_excuse(reason))
        w->ledger.rounds[number].excused[combiner - FIRST_COMBINER] = 1;
}

static void check_promise(world *w, uint32_t number)
{
    const trained *c = content_of(w, number);
    const ledger_round *round = &w->ledger.rounds[c->accepted_round];
    uint32_t i = c->acknowledged_by - FIRST_COMBINER;
    const char *reason = round->reason[i];

    if (c->committed > 0)
        return;
    if (w->profile.gentle)
        world_fail(w, "update %u of %s, acknowledged in round %u, is lost in a gentle world: %s",
                   (unsigned)number, node_name(c->client), (unsigned)c->accepted_round, reason);
    else if (round->excused[i] || is_excuse(reason) || is_excuse(round->ended))
        ;
    else
        world_fail(w, "update %u of %s was acknowledged by %s in round %u (%s) and is lost: %s",
                   (unsigned)number, node_name(c->client), node_name(c->acknowledged_by),
                   (unsigned)c->accepted_round, round->ended, round->merged[i] ? "merged" : reason);
    w->counts.forfeited++;
}

void check_end(world *w)
{
    for (uint32_t i = 1; i <= w->ledger.content_count && !w->failed; i++)
        if (content_of(w, i)->acknowledged_by != 0)
            check_promise(w, i);
}
