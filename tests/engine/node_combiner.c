/* SPDX-License-Identifier: Apache-2.0
 * A combiner's actions carried out, its start and its end. */
#include "combiner_shell.h"

#include <stdlib.h>
#include <string.h>

combiner_shell *combiner_of(const world *w, uint32_t node)
{
    return w->nodes[node].shell;
}

void combiner_new_id(char id[FEDN__UUID_TEXT], void *w)
{
    id_text(world_id(w), id);
}

static void act(world *w, uint32_t node, const fedn__combiner_action *action)
{
    combiner_shell *shell = combiner_of(w, node);

    switch (action->type) {
    case FEDN__COMBINER_FETCH_MODEL:
        combiner_fetch(w, node, action->text);
        break;
    case FEDN__COMBINER_BEGIN:
        combiner_begin(w, node, action->ok);
        break;
    case FEDN__COMBINER_SEND_TASK:
        combiner_send_task(w, node, action);
        break;
    case FEDN__COMBINER_FOLD:
        combiner_fold(w, node, action->client);
        break;
    case FEDN__COMBINER_JOURNAL:
        journal_add(w, node, action->client);
        break;
    case FEDN__COMBINER_REPLY:
        combiner_reply(w, node, action);
        break;
    case FEDN__COMBINER_DROP_UPDATE:
        combiner_shelf_drop(shell, id_number(action->text));
        break;
    case FEDN__COMBINER_SAVE:
        combiner_save(w, node);
        break;
    case FEDN__COMBINER_ABANDON:
        combiner_abandon(w, node);
        break;
    case FEDN__COMBINER_FORGET:
        journal_drop(w, node);
        break;
    case FEDN__COMBINER_REPORT:
        combiner_send_report(w, node, action->text);
        break;
    case FEDN__COMBINER_PROGRESS:
        combiner_send_progress(w, node);
        break;
    case FEDN__COMBINER_ROSTER:
        combiner_send_roster(w, node);
        break;
    default:
        combiner_end_stream(w, node, action);
        break;
    }
}

static void on_tick(world *w, event *e)
{
    fedn__combiner_engine_tick(combiner_of(w, e->node)->engine, node_now(w, e->node));
    combiner_drain(w, e->node);
}

static void check_books(world *w, uint32_t node)
{
    fedn__combiner_counts c = fedn__combiner_engine_counts(combiner_of(w, node)->engine);

    if (c.asked != c.pending + c.checking + c.accepted + c.refused + c.failed)
        world_fail(w,
                   "%s asked %u clients: %u pending, %u checking, %u accepted, %u refused, %u "
                   "failed",
                   node_name(node), (unsigned)c.asked, (unsigned)c.pending, (unsigned)c.checking,
                   (unsigned)c.accepted, (unsigned)c.refused, (unsigned)c.failed);
}

void combiner_drain(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);
    fedn__combiner_action action;

    if (shell->draining)
        return;
    shell->draining = 1;
    while (fedn__combiner_engine_next(shell->engine, &action)) {
        act(w, node, &action);
        check_books(w, node);
        if (node_dies_here(w, node, action.type)) {
            node_crash(w, node);
            return;
        }
    }
    shell->draining = 0;
    node_set_timer(w, node, fedn__combiner_engine_deadline(shell->engine), on_tick);
}

void combiner_message(world *w, uint32_t wire, int32_t end, const message *what)
{
    if (end == 0)
        uplink_message(w, wire, what);
    else
        combiner_call(w, wire, what);
}

void combiner_closed(world *w, uint32_t wire, int32_t end)
{
    if (end == 0)
        uplink_closed(w, wire);
    else
        combiner_client_gone(w, wire);
}

/* ---- life ---- */

void combiner_start(world *w, uint32_t node)
{
    combiner_shell *shell = w->nodes[node].shell;
    fedn__combiner_settings settings = {.max_clients = 100, .liveness_ms = w->profile.liveness_ms};
    fedn_error err;

    if (!shell)
        shell = w->nodes[node].shell = calloc(1, sizeof *shell);
    if (random_below(&w->random, 4) == 0) /* a cache, but for what the round starts from */
        shell->models &= UINT64_C(1) << shell->journal.model;
    if (fedn__combiner_engine_new(&settings, &shell->engine, &err) != FEDN_OK)
        exit(2);
    journal_restore(w, node);
    uplink_start(w, node);
    combiner_drain(w, node);
}

void combiner_crash(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);

    journal_tear(w, node);
    fedn__combiner_engine_free(shell->engine);
    fedn__link_done(&shell->link);
    memset(shell, 0, offsetof(combiner_shell, models));
}

void combiner_free(world *w, uint32_t node)
{
    combiner_shell *shell = combiner_of(w, node);

    if (!shell)
        return;
    fedn__combiner_engine_free(shell->engine);
    fedn__link_done(&shell->link);
    free(shell);
}
