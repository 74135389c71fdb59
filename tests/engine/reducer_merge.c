/* SPDX-License-Identifier: Apache-2.0
 * The reducer's merging: one lane, what is asked for is done in order. */
#include "reducer_shell.h"

#include <string.h>

static void on_step(world *w, event *e);

static void push(world *w, const merge_step *step)
{
    reducer_shell *shell = reducer_of(w);

    if (shell->step_count == MOST_STEPS) {
        world_fail(w, "the reducer has %d merges waiting", MOST_STEPS);
        return;
    }
    shell->steps[shell->step_count++] = *step;
    if (shell->step_count == 1)
        world_later(w, REDUCER, world_delay(w, REDUCER, w->profile.work_ms), on_step);
}

static void merge(world *w, const merge_step *step)
{
    reducer_shell *shell = reducer_of(w);
    const ledger_partial *partial = &w->ledger.partials[step->partial - 1];
    fedn_status status = FEDN_OK;
    const char *text = "";

    if (!partial->stored) {
        status = FEDN_ERR_NOT_FOUND;
        text = "the file of the partial is gone";
    } else if (world_fault(w, w->profile.bad_partials)) {
        status = FEDN_ERR_INVALID;
        text = "the partial is bad";
    } else if (shell->merging == step->round) {
        contents_add_all(&shell->sum, &partial->sum);
        if (w->options.mistake == MISTAKE_MERGE_TWICE && random_below(&w->random, 50) == 0)
            contents_add_all(&shell->sum, &partial->sum);
    }
    fedn__reducer_engine_merged(shell->engine, node_now(w, REDUCER), step->round, step->part,
                                status, text);
}

static void finish(world *w, const merge_step *step)
{
    reducer_shell *shell = reducer_of(w);
    const fedn__reducer_round *round = fedn__reducer_engine_round(shell->engine);
    ledger_model made = {.round = step->round};

    if (!round || round->id != step->round || round->state != FEDN__ROUND_COMMITTING)
        return;
    made.session = (uint32_t)id_number(fedn__reducer_engine_session(shell->engine)->session_id);
    made.parent = (uint32_t)id_number(round->model_id);
    store_commit(w, ledger_model_new(&w->ledger, &made));
}

static void on_step(world *w, event *e)
{
    reducer_shell *shell = reducer_of(w);
    merge_step step = shell->steps[0];

    (void)e;
    memmove(shell->steps, shell->steps + 1, --shell->step_count * sizeof step);
    if (shell->step_count > 0)
        world_later(w, REDUCER, world_delay(w, REDUCER, w->profile.work_ms), on_step);
    if (step.kind == STEP_ROUND) {
        shell->merging = step.round;
        shell->sum.count = 0;
    } else if (step.kind == STEP_MERGE) {
        merge(w, &step);
    } else {
        finish(w, &step);
    }
    reducer_drain(w);
}

void merge_round(world *w, uint32_t round)
{
    push(w, &(merge_step){.kind = STEP_ROUND, .round = round});
}

void merge_part(world *w, const fedn__reducer_action *action)
{
    merge_step step = {.kind = STEP_MERGE, .round = (uint32_t)action->round->id};

    step.part = action->part;
    step.partial = (uint32_t)id_number(action->text);
    TRACE(w, REDUCER, "merges partial %u of %s", (unsigned)step.partial,
          action->round->parts[action->part].combiner->name);
    push(w, &step);
}

void merge_finish(world *w, uint32_t round)
{
    push(w, &(merge_step){.kind = STEP_FINISH, .round = round});
}
