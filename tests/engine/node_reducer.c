/* SPDX-License-Identifier: Apache-2.0
 * The reducer's actions carried out, its start and its end. */
#include "reducer_shell.h"

#include "check.h"
#include "net.h"
#include "node_client.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

reducer_shell *reducer_of(const world *w)
{
    return w->nodes[REDUCER].shell;
}

uint32_t reducer_combiner_node(const fedn__reducer_combiner *combiner)
{
    return (uint32_t)(FIRST_COMBINER + atoi(combiner->name + sizeof "combiner-" - 1) - 1);
}

static uint32_t reducer_session(const world *w)
{
    return (uint32_t)id_number(fedn__reducer_engine_session(reducer_of(w)->engine)->session_id);
}

/* ---- actions ---- */

static void send(world *w, const fedn__reducer_combiner *combiner, message *what)
{
    TRACE(w, REDUCER, "sends %s of round %u to %s %s", message_name(what->kind),
          (unsigned)what->round, combiner->name, what->text);
    tier_send(w, reducer_combiner_node(combiner), what);
}

/* Why its part in the open round has failed; else what it is told. */
static const char *reason_of(const world *w, const fedn__reducer_action *action)
{
    const fedn__reducer_round *round = fedn__reducer_engine_round(reducer_of(w)->engine);

    for (uint32_t i = 0; round && round->id == action->round_id && i < round->count; i++)
        if (round->parts[i].combiner == action->combiner && round->parts[i].error[0])
            return round->parts[i].error;
    return action->text;
}

/* Decided, if not written: a restart may go on with the round, its combiners need not. */
static void note_reasons(world *w, const fedn__reducer_round *round)
{
    for (uint32_t i = 0; i < round->count; i++)
        check_cancelled(w, (uint32_t)round->id, reducer_combiner_node(round->parts[i].combiner),
                        round->parts[i].error);
}

static void cancel(world *w, const fedn__reducer_action *action)
{
    message what = {.kind = MESSAGE_CANCEL, .round = (uint32_t)action->round_id};

    what.session = w->ledger.rounds[what.round].session;
    check_cancelled(w, what.round, reducer_combiner_node(action->combiner), reason_of(w, action));
    snprintf(what.text, sizeof what.text, "%.99s", action->text);
    send(w, action->combiner, &what);
}

static void validate(world *w, const fedn__reducer_action *action)
{
    message what = {.kind = MESSAGE_VALIDATE, .round = (uint32_t)action->round->id};

    what.session = reducer_session(w);
    what.model = (uint32_t)id_number(action->text);
    send(w, action->combiner, &what);
}

void reducer_tell_orders(world *w, const ticket *written)
{
    const fedn__reducer_round *round = fedn__reducer_engine_round(reducer_of(w)->engine);
    message what = {.kind = MESSAGE_START, .session = reducer_session(w)};

    for (uint32_t i = 0; round && round->id == written->round && i < round->count; i++) {
        const fedn__reducer_part *part = &round->parts[i];
        if (part->state != FEDN__PART_ASKED ||
            !(written->asked >> reducer_combiner_node(part->combiner) & 1))
            continue;
        what.round = (uint32_t)round->id;
        what.model = (uint32_t)id_number(round->model_id);
        send(w, part->combiner, &what);
    }
}

static void drop(world *w, const char *partial_id)
{
    uint64_t partial = id_number(partial_id);

    TRACE(w, REDUCER, "drops partial %u", (unsigned)partial);
    if (partial)
        w->ledger.partials[partial - 1].stored = 0;
}

static void act(world *w, const fedn__reducer_action *action)
{
    switch (action->type) {
    case FEDN__REDUCER_ROUND_OPENED:
        store_round_opened(w, action->round);
        merge_round(w, (uint32_t)action->round->id);
        break;
    case FEDN__REDUCER_ROUND_RESUMED:
        merge_round(w, (uint32_t)action->round->id);
        break;
    case FEDN__REDUCER_SESSION_CHANGED:
        store_session(w);
        break;
    case FEDN__REDUCER_ROUND_ENDED:
        note_reasons(w, action->round);
        if (action->round->state == FEDN__ROUND_FINISHED)
            store_sweep(w); /* its record was written with its model */
        else
            store_round_ended(w, action->round);
        break;
    case FEDN__REDUCER_SEND_START:
        reducer_of(w)->asking |= 1u << reducer_combiner_node(action->combiner);
        break;
    case FEDN__REDUCER_SEND_CANCEL:
        cancel(w, action);
        break;
    case FEDN__REDUCER_SEND_VALIDATE:
        validate(w, action);
        break;
    case FEDN__REDUCER_MERGE:
        merge_part(w, action);
        break;
    case FEDN__REDUCER_DROP:
        drop(w, action->text);
        break;
    case FEDN__REDUCER_COMMIT:
        merge_finish(w, (uint32_t)action->round->id);
        break;
    default:
        break;
    }
}

static void on_tick(world *w, event *e)
{
    fedn__reducer_engine_tick(reducer_of(w)->engine, node_now(w, e->node));
    reducer_drain(w);
}

void reducer_drain(world *w)
{
    reducer_shell *shell = reducer_of(w);
    fedn__reducer_action action;

    if (shell->draining || !w->nodes[REDUCER].up)
        return;
    shell->draining = 1;
    while (fedn__reducer_engine_next(shell->engine, &action)) {
        act(w, &action);
        if (node_dies_here(w, REDUCER, action.type)) {
            node_crash(w, REDUCER);
            return;
        }
    }
    shell->draining = 0;
    store_orders(w);
    node_set_timer(w, REDUCER, fedn__reducer_engine_deadline(shell->engine), on_tick);
}

/* ---- clients and users ---- */

static void on_assigned(world *w, event *e)
{
    client_assigned(w, e->node, (uint32_t)e->a);
}

void reducer_assign(world *w, uint32_t client, uint32_t life)
{
    uint32_t combiner = REDUCER;
    int64_t delay = world_delay(w, client, w->profile.latency_ms);

    if (!node_is_alive(w, client, life))
        return;
    if (world_fault(w, w->profile.cuts)) {
        delay += w->profile.call_timeout_ms;
    } else if (w->nodes[REDUCER].up) {
        const fedn__reducer_combiner *found =
            fedn__reducer_engine_choose(reducer_of(w)->engine, NULL);
        combiner = found ? reducer_combiner_node(found) : NOBODY;
    }
    world_later(w, client, delay, on_assigned)->a = combiner;
}

int32_t reducer_begin_session(world *w, uint32_t session)
{
    fedn__reducer_session order = {.rounds = w->profile.rounds,
                                   .round_timeout_ms = w->profile.round_timeout_ms,
                                   .clients_required = w->profile.clients_required,
                                   .validate = w->profile.validate};
    fedn_error err;

    if (!w->nodes[REDUCER].up || fedn__reducer_engine_is_running(reducer_of(w)->engine))
        return 0;
    id_text(session, order.session_id);
    id_text(w->ledger.sessions[session].model, order.model_id);
    if (fedn__reducer_engine_start(reducer_of(w)->engine, node_now(w, REDUCER), &order, &err) !=
        FEDN_OK)
        return 0;
    TRACE(w, REDUCER, "starts session %u", (unsigned)session);
    reducer_drain(w);
    return 1;
}

void reducer_end_session(world *w, uint32_t session)
{
    char id[FEDN__UUID_TEXT];

    if (!w->nodes[REDUCER].up)
        return;
    id_text(session, id);
    TRACE(w, REDUCER, "is asked to end session %u", (unsigned)session);
    fedn__reducer_engine_stop(reducer_of(w)->engine, node_now(w, REDUCER), id,
                              "terminated on request");
    reducer_drain(w);
}

const char *reducer_message_text(const world *w)
{
    if (!w->nodes[REDUCER].up)
        return "the reducer is down";
    return fedn__reducer_engine_session(reducer_of(w)->engine)->message;
}

/* ---- life ---- */

void reducer_start(world *w)
{
    reducer_shell *shell = w->nodes[REDUCER].shell;

    if (!shell)
        shell = w->nodes[REDUCER].shell = calloc(1, sizeof *shell);
    if (!shell->tickets)
        shell->tickets = calloc(MOST_TICKETS, sizeof *shell->tickets);
    fedn__reducer_settings settings = {.first_round = disk_last_round(shell) + 1,
                                       .grace_ms = w->profile.grace_ms,
                                       .gone_ms = w->profile.gone_ms,
                                       .max_failures = w->profile.max_failures};
    fedn_error err;

    if (fedn__reducer_engine_new(&settings, &shell->engine, &err) != FEDN_OK)
        exit(2);
    tier_start(w);
    if (!disk_restore(w))
        store_sweep(w);
    reducer_drain(w);
}

static void forget(reducer_shell *shell)
{
    for (uint32_t i = 0; i < MOST_COMBINERS; i++)
        fedn__link_done(&shell->links[i].link);
    fedn__reducer_engine_free(shell->engine);
}

void reducer_crash(world *w)
{
    reducer_shell *shell = reducer_of(w);
    ticket *tickets = shell->tickets;

    w->counts.torn_writes += shell->ticket_count;
    forget(shell);
    memset(shell, 0, offsetof(reducer_shell, sessions));
    shell->tickets = tickets;
}

void reducer_free(world *w)
{
    reducer_shell *shell = reducer_of(w);

    if (!shell)
        return;
    forget(shell);
    free(shell->tickets);
    free(shell);
}
