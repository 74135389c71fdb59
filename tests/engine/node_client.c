/* SPDX-License-Identifier: Apache-2.0
 * A client's actions carried out, its start and its end. */
#include "client_shell.h"

#include "net.h"
#include "node_reducer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

client_shell *client_of(const world *w, uint32_t node)
{
    return w->nodes[node].shell;
}

/* ---- its combiner ---- */

static void on_assign(world *w, event *e)
{
    reducer_assign(w, (uint32_t)e->a, (uint32_t)e->b);
}

static void assign(world *w, uint32_t node)
{
    event *e = world_anyway(w, REDUCER, world_delay(w, REDUCER, w->profile.latency_ms), on_assign);

    e->a = node;
    e->b = w->nodes[node].life;
}

void client_assigned(world *w, uint32_t node, uint32_t combiner)
{
    client_shell *shell = client_of(w, node);
    int64_t now = node_now(w, node);

    if (combiner == NOBODY) {
        fedn__client_engine_assigned(shell->engine, now, FEDN__ASSIGN_WAIT, FEDN_OK, "wait");
    } else if (combiner == REDUCER) {
        fedn__client_engine_assigned(shell->engine, now, FEDN__ASSIGN_TROUBLE, FEDN_ERR_UNAVAILABLE,
                                     "no answer");
    } else {
        shell->target = combiner;
        fedn__client_engine_assigned(shell->engine, now, FEDN__ASSIGNED, FEDN_OK,
                                     node_name(combiner));
    }
    client_drain(w, node);
}

static void dial(world *w, uint32_t node, const fedn__client_action *action)
{
    client_shell *shell = client_of(w, node);
    message open = {.kind = MESSAGE_OPEN, .client = node};

    shell->wire = net_dial(w, node, shell->target);
    shell->dial = action->dial;
    net_send(w, shell->wire, 0, &open, 1);
}

static void hang_up(world *w, uint32_t node)
{
    client_shell *shell = client_of(w, node);

    client_calls_cancel(w, node);
    net_close(w, shell->wire, 0);
    shell->wire = 0;
}

/* ---- its task ---- */

static void take_order(world *w, uint32_t node, const fedn__order *order)
{
    client_shell *shell = client_of(w, node);
    uint64_t task = id_number(order->correlation_id);

    memset(&shell->job, 0, sizeof shell->job);
    for (uint32_t i = 0; i < sizeof shell->orders / sizeof shell->orders[0]; i++)
        if (shell->orders[i].task == task)
            shell->job.order = shell->orders[i];
}

static void on_ran(world *w, event *e)
{
    client_shell *shell = client_of(w, e->node);
    client_job *job = &shell->job;
    fedn_status status = FEDN_OK;

    if (!job->running || job->serial != e->a)
        return;
    job->running = 0;
    if (job->cancelled || world_fault(w, w->profile.failed_tasks))
        status = job->cancelled ? FEDN_ERR_CANCELLED : FEDN_ERR_CALLBACK;
    w->counts.failed_tasks += status == FEDN_ERR_CALLBACK;
    if (status == FEDN_OK && job->order.train) {
        trained made = {.client = e->node,
                        .session = job->order.session,
                        .round = job->order.round,
                        .model = job->order.model};
        job->content = ledger_content(&w->ledger, &made);
        job->travels = job->order.travels && random_below(&w->random, 2);
        job->update = world_id(w);
        job->kept = 1;
        shell->kept = *job;
        w->counts.trained++;
        TRACE(w, e->node, "has trained update %u of round %u", (unsigned)job->content,
              (unsigned)job->order.round);
    }
    fedn__client_engine_ran(shell->engine, node_now(w, e->node), status,
                            job->order.train && !job->travels,
                            status == FEDN_OK ? "" : "the callback failed");
    client_drain(w, e->node);
}

static void run(world *w, uint32_t node, const fedn__client_action *action)
{
    client_shell *shell = client_of(w, node);

    take_order(w, node, action->order);
    shell->job.running = 1;
    shell->job.target = shell->target;
    shell->job.serial = world_id(w);
    world_later(w, node, world_delay(w, node, w->profile.train_ms), on_ran)->a = shell->job.serial;
}

/* The callback notices sooner or later, or has what it was asked for by then. */
static void cancel(world *w, uint32_t node)
{
    client_job *job = &client_of(w, node)->job;

    if (!job->running)
        return;
    job->cancelled = (int32_t)random_below(&w->random, 2);
    world_later(w, node, random_between(&w->random, 0, 500), on_ran)->a = job->serial;
}

static void keep(world *w, uint32_t node, const fedn__client_action *action)
{
    fedn__client_engine_fetched(client_of(w, node)->engine, node_now(w, node), action->step,
                                FEDN_OK, "");
}

static void send(world *w, uint32_t node, int32_t kind, const fedn__client_action *action)
{
    client_job *job = &client_of(w, node)->job;
    message what = job->order;

    what.kind = kind;
    if (kind == MESSAGE_FETCH) /* there is no job yet */
        what.model = (uint32_t)id_number(action->order->model_id);
    if (kind == MESSAGE_UPLOAD)
        job->travels = 0;
    what.update = job->update;
    what.content = job->content;
    what.travels = job->travels;
    client_call_out(w, node, &what, action);
}

static void answer(world *w, uint32_t node, const fedn__client_action *action)
{
    client_job *job = &client_of(w, node)->job;
    message what = {.kind = MESSAGE_FAILURE, .task = id_number(action->order->correlation_id)};

    if (!action->failed && job->order.train) {
        send(w, node, MESSAGE_ANNOUNCE, action);
        return;
    }
    what.train = action->failed && action->order->type == FEDN_TASK_TRAIN;
    client_call_out(w, node, &what, action);
}

static void act(world *w, uint32_t node, const fedn__client_action *action)
{
    switch (action->type) {
    case FEDN__CLIENT_ASSIGN:
        assign(w, node);
        break;
    case FEDN__CLIENT_DIAL:
        dial(w, node, action);
        break;
    case FEDN__CLIENT_HANG_UP:
        hang_up(w, node);
        break;
    case FEDN__CLIENT_HEARTBEAT:
        client_call_out(w, node, &(message){.kind = MESSAGE_HEARTBEAT}, action);
        break;
    case FEDN__CLIENT_FETCH:
        send(w, node, MESSAGE_FETCH, action);
        break;
    case FEDN__CLIENT_KEEP:
        keep(w, node, action);
        break;
    case FEDN__CLIENT_RUN:
        run(w, node, action);
        break;
    case FEDN__CLIENT_CANCEL:
        cancel(w, node);
        break;
    case FEDN__CLIENT_UPLOAD:
        send(w, node, MESSAGE_UPLOAD, action);
        break;
    case FEDN__CLIENT_ANSWER:
        answer(w, node, action);
        break;
    case FEDN__CLIENT_LOG:
        TRACE(w, node, "says: %s", action->text);
        break;
    case FEDN__CLIENT_FINISHED:
        world_fail(w, "%s ends by itself: %s", node_name(node), action->text);
        break;
    case FEDN__CLIENT_RELEASE:
        if (client_of(w, node)->job.kept)
            client_of(w, node)->kept.kept = 0;
        break;
    default:
        break;
    }
}

static void on_tick(world *w, event *e)
{
    fedn__client_engine_tick(client_of(w, e->node)->engine, node_now(w, e->node));
    client_drain(w, e->node);
}

void client_drain(world *w, uint32_t node)
{
    client_shell *shell = client_of(w, node);
    fedn__client_action action;

    if (shell->draining)
        return;
    shell->draining = 1;
    while (fedn__client_engine_next(shell->engine, &action)) {
        act(w, node, &action);
        if (node_dies_here(w, node, action.type)) {
            node_crash(w, node);
            return;
        }
    }
    shell->draining = 0;
    node_set_timer(w, node, fedn__client_engine_deadline(shell->engine), on_tick);
}

/* ---- life ---- */

/* What an earlier life has trained. */
static void take_kept(world *w, uint32_t node)
{
    client_shell *shell = client_of(w, node);

    if (!shell->kept.kept)
        return;
    TRACE(w, node, "has kept update %u of round %u", (unsigned)shell->kept.content,
          (unsigned)shell->kept.order.round);
    w->counts.kept++;
    shell->job = shell->kept;
    shell->orders[shell->order_count++] = shell->job.order;
    fedn__client_engine_kept(shell->engine, client_order(&shell->job.order),
                             node_name(shell->job.target));
    if (!shell->home)
        shell->target = shell->job.target;
}

void client_start(world *w, uint32_t node)
{
    client_shell *shell = w->nodes[node].shell;
    fedn__client_settings settings = {.heartbeat_ms = w->profile.heartbeat_ms,
                                      .reconnect_min_ms = 100,
                                      .reconnect_max_ms = w->profile.reconnect_max_ms,
                                      .seed = random_next(&w->random),
                                      .has_train = 1,
                                      .has_validate = 1};
    fedn_error err;

    if (!shell)
        shell = w->nodes[node].shell = calloc(1, sizeof *shell);
    memset(shell, 0, offsetof(client_shell, kept));
    /* half of them know their combiner, the others ask each time */
    if (node % 2 == 0) {
        if (!shell->home)
            shell->home = FIRST_COMBINER + random_below(&w->random, w->profile.combiners);
        shell->target = shell->home;
        settings.direct = node_name(shell->home);
    }
    if (fedn__client_engine_new(&settings, &shell->engine, &err) != FEDN_OK)
        exit(2);
    take_kept(w, node);
    fedn__client_engine_start(shell->engine, node_now(w, node));
    client_drain(w, node);
}

void client_crash(world *w, uint32_t node)
{
    client_shell *shell = client_of(w, node);

    fedn__client_engine_free(shell->engine);
    shell->engine = NULL;
}

void client_free(world *w, uint32_t node)
{
    client_shell *shell = client_of(w, node);

    if (shell)
        fedn__client_engine_free(shell->engine);
    free(shell);
}
