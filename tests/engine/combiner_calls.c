/* SPDX-License-Identifier: Apache-2.0
 * What clients call at a combiner, and what it answers. */
#include "combiner_shell.h"

#include "check.h"
#include "net.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- calls that the engine knows by a token ---- */

static uint64_t hold(world *w, uint32_t node, uint32_t wire, const message *what)
{
    combiner_shell *shell = combiner_of(w, node);
    held_call fresh = {.token = world_id(w),
                       .wire = wire,
                       .client = what->client,
                       .is_stream = what->kind == MESSAGE_OPEN,
                       .call = what->call,
                       .content = what->content};

    if (shell->held_count == MOST_HELD) {
        world_fail(w, "%s holds %d calls", node_name(node), MOST_HELD);
        return 0;
    }
    shell->held[shell->held_count++] = fresh;
    return fresh.token;
}

/* The engine may only name calls that are there. */
static held_call *find_held(world *w, uint32_t node, uint64_t token, const char *action)
{
    combiner_shell *shell = combiner_of(w, node);

    for (uint32_t i = 0; i < shell->held_count; i++)
        if (shell->held[i].token == token)
            return &shell->held[i];
    world_fail(w, "%s: %s names a call that is gone", node_name(node), action);
    return NULL;
}

static void release(world *w, uint32_t node, uint32_t place)
{
    combiner_shell *shell = combiner_of(w, node);
    held_call gone = shell->held[place];

    shell->held[place] = shell->held[--shell->held_count];
    if (gone.is_stream)
        fedn__combiner_engine_detach(shell->engine, node_name(gone.client), gone.token);
    else
        fedn__combiner_engine_call_gone(shell->engine, node_name(gone.client), gone.token);
    combiner_drain(w, node);
}

static void on_call_over(world *w, event *e)
{
    combiner_shell *shell = combiner_of(w, e->node);

    for (uint32_t i = 0; i < shell->held_count; i++) {
        if (shell->held[i].token == e->a) {
            release(w, e->node, i);
            return;
        }
    }
}

static void end_held(world *w, uint32_t node, held_call *held)
{
    held->replied = 1;
    world_later(w, node, random_between(&w->random, 0, 20), on_call_over)->a = held->token;
}

void combiner_client_gone(world *w, uint32_t wire)
{
    uint32_t node = w->wires[wire - 1].node[1];
    uint32_t life = w->nodes[node].life;

    for (uint32_t i = 0; node_is_alive(w, node, life) && i < combiner_of(w, node)->held_count;) {
        if (combiner_of(w, node)->held[i].wire != wire) {
            i++;
            continue;
        }
        release(w, node, i);
        i = 0; /* what it led to may have changed the list */
    }
}

void combiner_reply(world *w, uint32_t node, const fedn__combiner_action *action)
{
    held_call *held = find_held(w, node, action->token, "a reply");
    char text[MESSAGE_TEXT] = "";

    if (!held)
        return;
    if (held->replied || held->is_stream) {
        world_fail(w, "%s answers a call of %s twice", node_name(node), node_name(held->client));
        return;
    }
    const message call = {.call = held->call};
    TRACE(
        w, node, "answers update %u of %s: %s %s", (unsigned)held->content, node_name(held->client),
        action->ok == FEDN__REPLY_COUNTED ? "it counts" : "no:", action->text ? action->text : "");
    if (action->ok == FEDN__REPLY_COUNTED)
        check_acknowledged(w, node, held->content);
    else
        snprintf(text, sizeof text, "REFUSED: %.90s", action->text);
    net_answer(w, held->wire, &call,
               action->ok == FEDN__REPLY_LATER ? FEDN_ERR_UNAVAILABLE : FEDN_OK, text);
    end_held(w, node, held);
}

void combiner_end_stream(world *w, uint32_t node, const fedn__combiner_action *action)
{
    held_call *held = find_held(w, node, action->token, "the end of a stream");
    message end = {.kind = MESSAGE_END};

    if (!held || held->replied)
        return;
    snprintf(end.text, sizeof end.text, "%.99s", action->text);
    net_send(w, held->wire, 1, &end, 1);
    end_held(w, node, held);
}

void combiner_send_task(world *w, uint32_t node, const fedn__combiner_action *action)
{
    combiner_shell *shell = combiner_of(w, node);
    const fedn__participant *client = action->client;
    const fedn__round_plan *plan = fedn__combiner_engine_plan(shell->engine);
    const fedn__model_task *other = action->task;
    message task = {.kind = MESSAGE_TASK, .train = !other, .travels = (int32_t)(node % 2)};

    if (!client->stream || (!other && fedn__combiner_engine_is_idle(shell->engine)))
        return;
    held_call *held = find_held(w, node, client->stream, "a task");
    if (!held)
        return;
    task.task = other ? world_id(w) : id_number(client->task_id);
    task.session = (uint32_t)id_number(other ? other->session_id : plan->session_id);
    task.model = (uint32_t)id_number(other ? other->model_id : plan->model_id);
    task.round = other ? 0 : (uint32_t)atoi(plan->round_id);
    net_send(w, held->wire, 1, &task, 1);
}

/* ---- updates ---- */

shelf_item *combiner_shelf_find(combiner_shell *shell, uint64_t update)
{
    for (uint32_t i = 0; i < shell->shelf_count; i++)
        if (shell->shelf[i].update == update)
            return &shell->shelf[i];
    return NULL;
}

void combiner_shelf_drop(combiner_shell *shell, uint64_t update)
{
    shelf_item *item = combiner_shelf_find(shell, update);

    if (item && !item->folding)
        *item = shell->shelf[--shell->shelf_count];
}

/* NULL: it is here now; else why not. */
static const char *put(combiner_shell *shell, const message *what)
{
    shelf_item *item = combiner_shelf_find(shell, what->update);

    if (item && item->folding)
        return "it is being folded";
    if (!item && shell->shelf_count == MOST_SHELF)
        item = &shell->shelf[0]; /* as with a limit on those that wait */
    else if (!item)
        item = &shell->shelf[shell->shelf_count++];
    *item = (shelf_item){what->update, what->content, what->client, 0};
    return NULL;
}

static const char *look_up(combiner_shell *shell, const message *what)
{
    const shelf_item *item = combiner_shelf_find(shell, what->update);

    if (!item)
        return "there is no such upload";
    return item->folding ? "it is being folded" : NULL;
}

static void announce(world *w, uint32_t node, uint32_t wire, const message *what)
{
    combiner_shell *shell = combiner_of(w, node);
    char update[FEDN__UUID_TEXT], model[FEDN__UUID_TEXT], session[FEDN__UUID_TEXT], round[16];
    uint8_t digest[FEDN__DIGEST_BYTES] = {0};
    uint64_t token = hold(w, node, wire, what);
    const char *missing = what->travels ? put(shell, what) : look_up(shell, what);

    for (uint32_t i = 0; i + 1 < shell->held_count; i++)
        w->counts.repeated_updates += shell->held[i].content == what->content;
    id_text(what->update, update);
    id_text(what->model, model);
    id_text(what->session, session);
    snprintf(round, sizeof round, "%u", (unsigned)what->round);
    memcpy(digest, &what->content, sizeof what->content);
    fedn__announcement said = {.call = token,
                               .client_id = node_name(what->client),
                               .update_id = update,
                               .model_id = model,
                               .round_id = round,
                               .session_id = session,
                               .num_examples = 1 + what->client,
                               .digest = missing ? NULL : digest,
                               .upload_error = missing};
    if (token)
        fedn__combiner_engine_update(shell->engine, node_now(w, node), &said);
    combiner_drain(w, node); /* while its texts are here */
}

static void take_failure(world *w, uint32_t node, uint32_t wire, const message *what)
{
    combiner_shell *shell = combiner_of(w, node);
    char task[FEDN__UUID_TEXT];

    id_text(what->task, task);
    if (what->train)
        fedn__combiner_engine_task_failed(shell->engine, node_now(w, node), node_name(what->client),
                                          task, "the callback failed");
    net_answer(w, wire, what, FEDN_OK, "");
}

static void open_stream(world *w, uint32_t node, uint32_t wire, const message *what)
{
    combiner_shell *shell = combiner_of(w, node);
    uint64_t token = hold(w, node, wire, what);

    net_send(w, wire, 1, &(message){.kind = MESSAGE_OPENED}, 1);
    if (token)
        fedn__combiner_engine_attach(shell->engine, node_now(w, node), node_name(what->client), "",
                                     token);
}

void combiner_call(world *w, uint32_t wire, const message *what)
{
    uint32_t node = w->wires[wire - 1].node[1];
    combiner_shell *shell = combiner_of(w, node);
    int32_t has_model = what->model < 64 && (shell->models >> what->model & 1);

    switch (what->kind) {
    case MESSAGE_OPEN:
        open_stream(w, node, wire, what);
        break;
    case MESSAGE_HEARTBEAT:
        fedn__combiner_engine_heartbeat(shell->engine, node_now(w, node), node_name(what->client),
                                        "");
        net_answer(w, wire, what, FEDN_OK, "");
        break;
    case MESSAGE_FETCH:
        net_answer(w, wire, what, has_model ? FEDN_OK : FEDN_ERR_NOT_FOUND, "");
        break;
    case MESSAGE_UPLOAD: /* what is being folded is here whole */
        (void)put(shell, what);
        net_answer(w, wire, what, FEDN_OK, "");
        break;
    case MESSAGE_ANNOUNCE:
        announce(w, node, wire, what);
        return;
    default:
        take_failure(w, node, wire, what);
        break;
    }
    combiner_drain(w, node);
}
