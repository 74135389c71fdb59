/* SPDX-License-Identifier: Apache-2.0
 * What a combiner and the reducer tell each other, and the models that move between them. */
#include "combiner_shell.h"

#include "core/alloc.h"
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 300 };

/* ---- up ---- */

void combiner_send_roster(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    message roster = {.kind = MESSAGE_ROSTER};

    roster.active = fedn__combiner_engine_roster(shell->engine)->online;
    if (shell->up)
        uplink_send(w, node, &roster);
}

void combiner_send_progress(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    fedn__combiner_counts books = fedn__combiner_engine_counts(shell->engine);
    message progress = {.kind = MESSAGE_PROGRESS};

    if (!shell->up || fedn__combiner_engine_is_idle(shell->engine))
        return;
    progress.round = (uint32_t)atoi(fedn__combiner_engine_plan(shell->engine)->round_id);
    progress.expected = books.asked;
    progress.accepted = books.accepted;
    progress.refused = books.refused;
    progress.failed = books.failed;
    uplink_send(w, node, &progress);
}

/* Whoever is there and well has answered in a gentle world. */
static void check_outcomes(world *w, uint32_t node)
{
    uint32_t count = 0;
    fedn__participant *const *asked =
        fedn__combiner_engine_asked(combiner_of(w, node)->engine, &count);

    for (uint32_t i = 0; i < count; i++) {
        int32_t late = strncmp(asked[i]->reason, "no answer", 9) == 0;
        w->counts.late += late;
        if (late)
            TRACE(w, node, "has waited in vain for %s", asked[i]->id);
        /* one that found the buffer full does not come again if a restart has emptied it */
        if (late && w->profile.gentle && w->profile.buffer_size <= 0 && !w->profile.async)
            world_fail(w, "%s has waited in vain for %s", node_name(node), asked[i]->id);
    }
}

void combiner_send_report(world *w, uint32_t node, const char *error)
{
    combiner_shell *shell = combiner_of(w, node);
    fedn__combiner_counts books = fedn__combiner_engine_counts(shell->engine);
    message report = {.kind = MESSAGE_REPORT};

    report.round = (uint32_t)atoi(fedn__combiner_engine_plan(shell->engine)->round_id);
    report.expected = books.asked;
    report.accepted = books.accepted;
    report.refused = books.refused;
    report.failed = books.failed;
    if (!error && shell->handover.round == report.round)
        report.partial = shell->handover.partial;
    snprintf(report.text, sizeof report.text, "%.99s", error ? error : "");
    check_outcomes(w, node);
    TRACE(w, node, "reports round %u: partial %u %s", (unsigned)report.round,
          (unsigned)report.partial, report.text);
    shell->report_round = report.round;
    uplink_send(w, node, &report);
}

/* ---- down ---- */

/* Asynchronous: the models that updates may start from, newest first. */
static void add_recent(world *w, uint32_t model, fedn__round_plan *plan)
{
    plan->async = 1;
    plan->staleness_exponent = 0.5;
    plan->recent = fedn__alloc_array((uint64_t)w->profile.async, sizeof *plan->recent);
    for (; model && plan->recent_count < (uint32_t)w->profile.async;
         model = w->ledger.models[model - 1].parent)
        id_text(model, plan->recent[plan->recent_count++]);
}

void combiner_plan(world *w, uint32_t session, uint32_t round, uint32_t model,
                   fedn__round_plan *ret)
{
    id_text(session, ret->session_id);
    id_text(model, ret->model_id);
    snprintf(ret->round_id, sizeof ret->round_id, "%u", (unsigned)round);
    ret->clients_required = w->profile.clients_required;
    ret->buffer_size = w->profile.buffer_size;
    ret->timeout_ms = w->profile.round_timeout_ms;
    if (w->profile.async)
        add_recent(w, model, ret);
}

static void round_start(world *w, uint32_t node, const message *what)
{
    combiner_shell *shell = combiner_of(w, node);
    fedn__round_plan plan = {0};

    combiner_plan(w, what->session, what->round, what->model, &plan);
    if (fedn__combiner_engine_round_start(shell->engine, node_now(w, node), &plan) != FEDN_OK)
        exit(2);
    fedn__round_plan_done(&plan);
}

static void validate(world *w, uint32_t node, const message *what)
{
    fedn__model_task task = {.type = 4};

    id_text(what->session, task.session_id);
    id_text(what->model, task.model_id);
    fedn__combiner_engine_model_task(combiner_of(w, node)->engine, node_now(w, node), &task);
    fedn__model_task_done(&task);
}

void combiner_from_above(world *w, uint32_t node, const message *what)
{
    char session[FEDN__UUID_TEXT], round[16];

    id_text(what->session, session);
    snprintf(round, sizeof round, "%u", (unsigned)what->round);
    if (what->kind == MESSAGE_START)
        round_start(w, node, what);
    else if (what->kind == MESSAGE_CANCEL)
        fedn__combiner_engine_round_cancel(combiner_of(w, node)->engine, node_now(w, node), session,
                                           round);
    else if (what->kind == MESSAGE_VALIDATE)
        validate(w, node, what);
}

/* ---- the global model comes ---- */

static void fetch_on(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    message fetch = {.kind = MESSAGE_FETCH, .client = node, .model = shell->fetching};

    if (!shell->up || !shell->fetching || shell->fetch_call)
        return;
    fetch.call = shell->fetch_call = world_id(w);
    net_send(w, shell->wire, 0, &fetch, 0);
}

void combiner_fetch(world *w, uint32_t node, const char *model_id)
{
    combiner_shell *shell = combiner_of(w, node);
    uint32_t model = (uint32_t)id_number(model_id);
    char before[FEDN__UUID_TEXT];

    if (shell->models >> model & 1) {
        fedn__combiner_engine_model_ready(shell->engine, node_now(w, node), model_id, NULL,
                                          combiner_new_id, w);
        return;
    }
    if (shell->fetching && shell->fetching != model) { /* one at a time: the older is given up */
        id_text(shell->fetching, before);
        fedn__combiner_engine_model_ready(shell->engine, node_now(w, node), before, "given up",
                                          combiner_new_id, w);
        shell->fetch_call = 0;
    }
    shell->fetching = model;
    fetch_on(w, node);
}

static void fetched(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    char model_id[FEDN__UUID_TEXT];

    shell->models |= UINT64_C(1) << shell->fetching;
    id_text(shell->fetching, model_id);
    shell->fetching = 0;
    fedn__combiner_engine_model_ready(shell->engine, node_now(w, node), model_id, NULL,
                                      combiner_new_id, w);
}

/* ---- the partial goes ---- */

void combiner_hand_over(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    handover *h = &shell->handover;
    message upload = {.kind = MESSAGE_UPLOAD, .client = node, .partial = h->partial};

    if (!shell->up || !h->partial || !h->closed || h->done || h->call)
        return;
    upload.call = h->call = world_id(w);
    net_send(w, shell->wire, 0, &upload, 0);
}

static void handed_over(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    char round[16];

    shell->handover.done = 1;
    snprintf(round, sizeof round, "%u", (unsigned)shell->handover.round);
    fedn__combiner_engine_saved(shell->engine, node_now(w, node), round, NULL);
}

static void on_retry(world *w, event *e)
{
    fetch_on(w, e->node);
    combiner_hand_over(w, e->node);
}

void combiner_transfer_answered(world *w, uint32_t node, const message *what)
{
    combiner_shell *shell = combiner_of(w, node);
    int32_t is_fetch = what->call == shell->fetch_call && shell->fetch_call;
    int32_t is_handover = what->call == shell->handover.call && shell->handover.call;

    if (is_fetch)
        shell->fetch_call = 0;
    if (is_handover)
        shell->handover.call = 0;
    if (what->status != FEDN_OK)
        world_later(w, node, RETRY_MS, on_retry);
    else if (is_fetch)
        fetched(w, node);
    else if (is_handover)
        handed_over(w, node);
    else
        w->counts.stale_answers++;
    combiner_drain(w, node);
}

void combiner_transfers_fail(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);

    shell->fetch_call = 0;
    shell->handover.call = 0;
}

void combiner_link_up(world *w, uint32_t node)
{
    combiner_send_roster(w, node);
    fetch_on(w, node);
    combiner_hand_over(w, node);
}
