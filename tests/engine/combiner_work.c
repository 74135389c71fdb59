/* SPDX-License-Identifier: Apache-2.0
 * A combiner's aggregate: one lane, what is asked for is done in order. */
#include "combiner_shell.h"

#include <stdlib.h>
#include <string.h>

enum { DISK_PAUSE_MS = 500 };

static void on_lane(world *w, event *e);

static void lane_later(world *w, uint32_t node, int64_t delay_ms)
{
    world_later(w, node, delay_ms, on_lane);
}

static void lane_push(world *w, uint32_t node, const lane_job *job)
{
    combiner_shell *shell = combiner_of(w, node);

    if (shell->lane_count == MOST_LANE) {
        world_fail(w, "%s has %d steps of work waiting", node_name(node), MOST_LANE);
        return;
    }
    shell->lane[shell->lane_count++] = *job;
    if (shell->lane_count == 1)
        lane_later(w, node, world_delay(w, node, w->profile.work_ms));
}

static void add(world *w, uint32_t node, const lane_job *job)
{
    combiner_shell *shell = combiner_of(w, node);
    shelf_item *item = combiner_shelf_find(shell, job->update);
    char update[FEDN__UUID_TEXT];
    const char *error = NULL;

    if (item)
        *item = shell->shelf[--shell->shelf_count];
    if (!shell->begun)
        error = "no round is being aggregated";
    else if (!job->again && world_fault(w, w->profile.bad_updates))
        error = "it holds a value that is not finite";
    else
        contents_add(&shell->sum, job->content);
    w->ledger.contents[job->content - 1].folded_by = node;
    w->ledger.contents[job->content - 1].accepted_round = job->round;
    id_text(job->update, update);
    fedn__combiner_engine_folded(shell->engine, node_now(w, node), node_name(job->client), update,
                                 error);
}

static void save(world *w, uint32_t node, const lane_job *job)
{
    combiner_shell *shell = combiner_of(w, node);
    ledger_partial made = {.combiner = node, .round = job->round, .sum = shell->sum};

    if (shell->handover.round != job->round || shell->handover.partial)
        return; /* given up meanwhile */
    shell->handover.partial = ledger_partial_new(&w->ledger, &made);
    TRACE(w, node, "has saved partial %u of round %u, %u updates",
          (unsigned)shell->handover.partial, (unsigned)job->round, (unsigned)made.sum.count);
    shell->sum.count = 0;
    combiner_hand_over(w, node);
}

static void on_lane(world *w, event *e)
{
    combiner_shell *shell = combiner_of(w, e->node);
    lane_job job = shell->lane[0];

    if (job.kind == LANE_SAVE && shell->handover.round == job.round &&
        node_disk_fails(w, e->node)) {
        lane_later(w, e->node, DISK_PAUSE_MS);
        return;
    }
    memmove(shell->lane, shell->lane + 1, --shell->lane_count * sizeof job);
    if (shell->lane_count > 0)
        lane_later(w, e->node, world_delay(w, e->node, w->profile.work_ms));
    if (job.kind == LANE_ADD)
        add(w, e->node, &job);
    else if (job.kind == LANE_SAVE)
        save(w, e->node, &job);
    else
        shell->sum.count = 0;
    shell->begun |= job.kind == LANE_BEGIN;
    combiner_drain(w, e->node);
}

static uint32_t present_round(const combiner_shell *shell)
{
    return (uint32_t)atoi(fedn__combiner_engine_plan(shell->engine)->round_id);
}

void combiner_begin(world *w, uint32_t node, int32_t again)
{
    combiner_shell *shell = combiner_of(w, node);
    lane_job job = {.kind = LANE_BEGIN, .round = present_round(shell)};

    if (!again)
        journal_begin(w, node);
    lane_push(w, node, &job);
}

void combiner_fold(world *w, uint32_t node, const fedn__participant *client)
{
    combiner_shell *shell = combiner_of(w, node);
    uint64_t update = id_number(client->update_id);
    shelf_item *item = combiner_shelf_find(shell, update);
    lane_job job = {.kind = LANE_ADD, .round = present_round(shell), .update = update};

    job.client = (uint32_t)(FIRST_CLIENT + atoi(client->id + sizeof "client-" - 1) - 1);
    job.again = client->stored;
    if (item)
        item->folding = 1;
    job.content = item ? item->content : journal_content(shell, update);
    if (!job.content)
        world_fail(w, "%s folds an update that it does not have", node_name(node));
    lane_push(w, node, &job);
}

void combiner_save(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    lane_job job = {.kind = LANE_SAVE, .round = present_round(shell)};

    shell->handover = (handover){.round = job.round};
    journal_close(w, node);
    lane_push(w, node, &job);
}

void combiner_abandon(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    lane_job job = {.kind = LANE_RESET};

    shell->handover = (handover){0};
    journal_drop(w, node);
    lane_push(w, node, &job);
}
