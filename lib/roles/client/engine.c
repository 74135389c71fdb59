/* SPDX-License-Identifier: Apache-2.0
 * The half of the client's rules that deals with reducer and combiner: assignment, dialling,
 * heartbeats, pauses, the end. The half that deals with tasks is engine_task.c. */
#include "roles/client/engine_state.h"

#include "core/alloc.h"
#include "core/error.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    ASSIGN_WAIT_MS = 3000, /* what FEDn's clients do on 203 */
    SETTLED_MS = 5000,     /* a connection that lasted as long starts the pauses anew */
    DIALS_PER_ASSIGNMENT = 4
};

fedn_status fedn__client_engine_new(const fedn__client_settings *settings,
                                    fedn__client_engine **ret, fedn_error *err)
{
    *ret = NULL;
    fedn__client_engine *engine = fedn__alloc_zero(sizeof *engine);
    if (!engine)
        return fedn__error_nomem(err);
    engine->settings = *settings;
    engine->random = settings->seed;
    engine->direct = settings->direct != NULL;
    engine->settings.direct = NULL;
    snprintf(engine->target, sizeof engine->target, "%s", settings->direct ? settings->direct : "");
    *ret = engine;
    return FEDN_OK;
}

void fedn__client_engine_free(fedn__client_engine *engine)
{
    if (!engine)
        return;
    fedn__client_begin_event(engine);
    fedn__order_free(engine->current);
    while (engine->waiting) {
        fedn__order *order = engine->waiting;
        engine->waiting = order->next;
        fedn__order_free(order);
    }
    fedn__free(engine);
}

void fedn__client_begin_event(fedn__client_engine *engine)
{
    while (engine->retired) {
        fedn__order *order = engine->retired;
        engine->retired = order->next;
        fedn__order_free(order);
    }
}

fedn__client_action *fedn__client_act(fedn__client_engine *engine, int32_t type)
{
    assert(engine->action_count < CLIENT_ACTIONS);
    uint32_t place = (engine->first_action + engine->action_count++) % CLIENT_ACTIONS;
    fedn__client_action *action = &engine->actions[place];
    memset(action, 0, sizeof *action);
    action->type = type;
    action->dial = engine->dial;
    return action;
}

int32_t fedn__client_engine_next(fedn__client_engine *engine, fedn__client_action *ret)
{
    if (engine->action_count == 0)
        return 0;
    *ret = engine->actions[engine->first_action];
    engine->first_action = (engine->first_action + 1) % CLIENT_ACTIONS;
    engine->action_count--;
    return 1;
}

void fedn__client_note(fedn__client_engine *engine, int32_t level, const char *format, ...)
{
    fedn__client_action *action = fedn__client_act(engine, FEDN__CLIENT_LOG);
    va_list args;

    action->level = level;
    va_start(args, format);
    vsnprintf(action->text, sizeof action->text, format, args);
    va_end(args);
}

/* splitmix64 */
static uint64_t draw(fedn__client_engine *engine)
{
    uint64_t x = engine->random += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

int64_t fedn__client_backoff(fedn__client_engine *engine, uint32_t nth)
{
    int64_t most = engine->settings.reconnect_max_ms;
    int64_t pause = engine->settings.reconnect_min_ms;

    for (uint32_t i = 0; i < nth && pause < most; i++)
        pause *= 2;
    if (pause > most)
        pause = most;
    int64_t half = pause / 2;
    return pause - half + (int64_t)(draw(engine) % (uint64_t)(half + 1));
}

static void pause_until(fedn__client_engine *engine, int64_t when, int32_t then)
{
    engine->state = CLIENT_PAUSED;
    engine->pause_until = when;
    engine->then = then;
}

static void pause_growing(fedn__client_engine *engine, int64_t now_ms, int32_t then)
{
    pause_until(engine, now_ms + fedn__client_backoff(engine, engine->attempts), then);
    engine->attempts++;
}

/* One warning per change of what is wrong, not one per try. */
static void complain(fedn__client_engine *engine, int32_t trouble, fedn_status status,
                     const char *what, const char *text)
{
    if (engine->trouble == trouble && engine->trouble_status == status)
        return;
    engine->trouble = trouble;
    engine->trouble_status = status;
    fedn__client_note(engine, FEDN_LOG_WARNING, "%s: %.400s; trying again", what, text);
}

static int32_t is_linked(const fedn__client_engine *engine)
{
    return engine->state == CLIENT_DIALLING || engine->state == CLIENT_UP;
}

static void assign(fedn__client_engine *engine)
{
    engine->state = CLIENT_ASSIGNING;
    fedn__client_act(engine, FEDN__CLIENT_ASSIGN);
}

static void beat(fedn__client_engine *engine, int64_t now_ms)
{
    engine->heartbeat_out = 1;
    engine->heartbeat_at = now_ms + engine->settings.heartbeat_ms;
    fedn__client_act(engine, FEDN__CLIENT_HEARTBEAT);
}

static void dial(fedn__client_engine *engine, int64_t now_ms)
{
    engine->state = CLIENT_DIALLING;
    engine->dial++;
    fedn__client_act(engine, FEDN__CLIENT_DIAL);
    beat(engine, now_ms);
}

static void mark_up(fedn__client_engine *engine, int64_t now_ms)
{
    if (engine->state == CLIENT_UP)
        return;
    engine->state = CLIENT_UP;
    engine->up_since = now_ms;
    engine->trouble = TROUBLE_NONE;
    fedn__client_note(engine, FEDN_LOG_INFO, "connected to combiner %s", engine->target);
}

static void finish(fedn__client_engine *engine, fedn_status status, const char *text)
{
    fedn__client_tasks_end(engine);
    if (is_linked(engine))
        fedn__client_act(engine, FEDN__CLIENT_HANG_UP);
    fedn__client_action *action = fedn__client_act(engine, FEDN__CLIENT_FINISHED);
    action->status = status;
    snprintf(action->text, sizeof action->text, "%s", text);
    engine->state = CLIENT_STOPPED;
}

static void lost(fedn__client_engine *engine, int64_t now_ms, fedn_status status, const char *text)
{
    char what[CLIENT_TARGET_BYTES + 32];

    if (engine->state == CLIENT_UP && now_ms - engine->up_since >= SETTLED_MS) {
        engine->attempts = 0;
        engine->dials = 0;
    }
    engine->heartbeat_out = 0;
    engine->dials++;
    fedn__client_act(engine, FEDN__CLIENT_HANG_UP);
    fedn__client_tasks_suspend(engine);
    snprintf(what, sizeof what, "combiner %s", engine->target);
    complain(engine, TROUBLE_COMBINER, status, what, text);
    int32_t ask = !engine->direct && engine->dials >= DIALS_PER_ASSIGNMENT;
    pause_growing(engine, now_ms, ask ? FEDN__CLIENT_ASSIGN : FEDN__CLIENT_DIAL);
}

void fedn__client_engine_start(fedn__client_engine *engine, int64_t now_ms)
{
    fedn__client_begin_event(engine);
    if (engine->state != CLIENT_NEW)
        return;
    if (engine->current && engine->moved)
        fedn__client_tasks_drop(engine);
    if (engine->direct)
        dial(engine, now_ms);
    else
        assign(engine);
}

void fedn__client_engine_stop(fedn__client_engine *engine, int64_t now_ms)
{
    (void)now_ms;
    fedn__client_begin_event(engine);
    if (engine->state != CLIENT_STOPPED)
        finish(engine, FEDN_OK, "");
}

void fedn__client_engine_tick(fedn__client_engine *engine, int64_t now_ms)
{
    fedn__client_begin_event(engine);
    if (engine->state == CLIENT_PAUSED && now_ms >= engine->pause_until) {
        if (engine->then == FEDN__CLIENT_ASSIGN)
            assign(engine);
        else
            dial(engine, now_ms);
    }
    if (is_linked(engine) && !engine->heartbeat_out && now_ms >= engine->heartbeat_at)
        beat(engine, now_ms);
    fedn__client_tasks_advance(engine, now_ms);
}

int64_t fedn__client_engine_deadline(const fedn__client_engine *engine)
{
    int64_t due = INT64_MAX;

    if (engine->state == CLIENT_PAUSED)
        return engine->pause_until;
    if (is_linked(engine) && !engine->heartbeat_out)
        due = engine->heartbeat_at;
    int64_t retry = engine->state == CLIENT_UP ? fedn__client_tasks_deadline(engine) : INT64_MAX;
    return retry < due ? retry : due;
}

static void take_assignment(fedn__client_engine *engine, int64_t now_ms, const char *target)
{
    int32_t moved = engine->target[0] && strcmp(engine->target, target) != 0;

    if (moved) {
        fedn__client_tasks_drop(engine);
        engine->trouble = TROUBLE_NONE;
    }
    snprintf(engine->target, sizeof engine->target, "%s", target);
    engine->dials = 0;
    dial(engine, now_ms);
}

void fedn__client_engine_assigned(fedn__client_engine *engine, int64_t now_ms, int32_t outcome,
                                  fedn_status status, const char *text)
{
    fedn__client_begin_event(engine);
    if (engine->state != CLIENT_ASSIGNING)
        return;
    switch (outcome) {
    case FEDN__ASSIGNED:
        take_assignment(engine, now_ms, text);
        break;
    case FEDN__ASSIGN_WAIT:
        complain(engine, TROUBLE_WAIT, FEDN_OK, "reducer", text);
        pause_until(engine, now_ms + ASSIGN_WAIT_MS, FEDN__CLIENT_ASSIGN);
        break;
    case FEDN__ASSIGN_TROUBLE:
        complain(engine, TROUBLE_REDUCER, status, "reducer", text);
        pause_growing(engine, now_ms, FEDN__CLIENT_ASSIGN);
        break;
    default:
        finish(engine, status, text);
        break;
    }
}

static int32_t is_stale(const fedn__client_engine *engine, uint64_t dial_number)
{
    return !is_linked(engine) || engine->dial != dial_number;
}

void fedn__client_engine_sent(fedn__client_engine *engine, int64_t now_ms, uint64_t dial_number,
                              const char *target)
{
    fedn__client_begin_event(engine);
    if (is_stale(engine, dial_number) || strcmp(engine->target, target) == 0)
        return;
    fedn__client_note(engine, FEDN_LOG_INFO, "combiner %s sends this client to %s", engine->target,
                      target);
    engine->heartbeat_out = 0;
    engine->attempts = 0;
    fedn__client_act(engine, FEDN__CLIENT_HANG_UP);
    fedn__client_tasks_suspend(engine);
    take_assignment(engine, now_ms, target);
}

void fedn__client_engine_opened(fedn__client_engine *engine, int64_t now_ms, uint64_t dial_number)
{
    fedn__client_begin_event(engine);
    if (is_stale(engine, dial_number))
        return;
    mark_up(engine, now_ms);
    fedn__client_tasks_advance(engine, now_ms);
}

void fedn__client_engine_closed(fedn__client_engine *engine, int64_t now_ms, uint64_t dial_number,
                                fedn_status status, const char *text)
{
    fedn__client_begin_event(engine);
    if (is_stale(engine, dial_number))
        return;
    if (status == FEDN_ERR_AUTH || status == FEDN_ERR_DENIED)
        finish(engine, status, text);
    else
        lost(engine, now_ms, status, text[0] ? text : "the combiner ended the stream of tasks");
}

void fedn__client_engine_heartbeat(fedn__client_engine *engine, int64_t now_ms,
                                   uint64_t dial_number, fedn_status status, const char *text)
{
    fedn__client_begin_event(engine);
    if (is_stale(engine, dial_number))
        return;
    engine->heartbeat_out = 0;
    switch (status) {
    case FEDN_ERR_UNAVAILABLE:
    case FEDN_ERR_TIMEOUT:
    case FEDN_ERR_CANCELLED:
        lost(engine, now_ms, status, text);
        return;
    case FEDN_ERR_AUTH:
    case FEDN_ERR_DENIED: /* the stream of tasks ends as well, and says so better */
        return;
    default:
        break;
    }
    /* Python's server sends no initial metadata before the first task: an answer to the heartbeat
     * is then the first sign of life. */
    mark_up(engine, now_ms);
    fedn__client_tasks_advance(engine, now_ms);
}

void fedn__client_engine_order(fedn__client_engine *engine, int64_t now_ms, uint64_t dial_number,
                               fedn__order *order)
{
    fedn__client_begin_event(engine);
    if (is_stale(engine, dial_number)) {
        fedn__order_free(order);
        return;
    }
    mark_up(engine, now_ms);
    fedn__client_tasks_take(engine, order);
    fedn__client_tasks_advance(engine, now_ms);
}
