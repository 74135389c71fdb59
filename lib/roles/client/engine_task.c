/* SPDX-License-Identifier: Apache-2.0
 * The half of the client's rules that deals with tasks: one at a time, each answered until the
 * combiner has taken the answer or the round is over. */
#include "roles/client/engine_state.h"

#include "core/alloc.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Failures of one step, in a row and with the connection standing, after which it is given up. */
enum { TRIES_PER_STEP = 8 };

void fedn__order_free(fedn__order *order)
{
    if (!order)
        return;
    fedn__free(order->correlation_id);
    fedn__free(order->session_id);
    fedn__free(order->round_id);
    fedn__free(order->model_id);
    fedn__free(order->config);
    fedn__free(order->format);
    fedn__free(order->combiner);
    fedn__free(order->fault);
    fedn__free(order->model);
    fedn__free(order);
}

static const char *type_name(const fedn__order *order)
{
    switch (order->type) {
    case FEDN_TASK_TRAIN:
        return "train";
    case FEDN_TASK_VALIDATE:
        return "validate";
    case FEDN_TASK_PREDICT:
        return "predict";
    default:
        return "unknown";
    }
}

/* A task may have no round: FEDn's validations and predictions come without. */
static const char *of_round(const fedn__order *order)
{
    return order->round_id[0] ? " of round " : "";
}

static int32_t has_callback(const fedn__client_settings *settings, const fedn__order *order)
{
    switch (order->type) {
    case FEDN_TASK_TRAIN:
        return settings->has_train;
    case FEDN_TASK_VALIDATE:
        return settings->has_validate;
    default:
        return settings->has_predict;
    }
}

static void retire(fedn__client_engine *engine, fedn__order *order)
{
    order->next = engine->retired;
    engine->retired = order;
}

/* A task that was seen to its end: should it come again it is left alone. */
void fedn__client_remember(fedn__client_engine *engine, const fedn__order *order)
{
    if (!order->correlation_id[0])
        return;
    char *slot = engine->answered[engine->answered_next++ % CLIENT_ANSWERED];
    snprintf(slot, FEDN__LIMIT_ID_BYTES + 1, "%s", order->correlation_id);
}

static int32_t is_known(const fedn__client_engine *engine, const char *correlation_id)
{
    if (!correlation_id[0])
        return 0;
    if (engine->current && engine->cancelled != CANCELLED_MOVED &&
        strcmp(engine->current->correlation_id, correlation_id) == 0)
        return 1;
    for (const fedn__order *order = engine->waiting; order; order = order->next)
        if (strcmp(order->correlation_id, correlation_id) == 0)
            return 1;
    for (uint32_t i = 0; i < CLIENT_ANSWERED; i++)
        if (strcmp(engine->answered[i], correlation_id) == 0)
            return 1;
    return 0;
}

static fedn__client_action *act_on(fedn__client_engine *engine, int32_t type)
{
    fedn__client_action *action = fedn__client_act(engine, type);
    action->order = engine->current;
    action->step = ++engine->step;
    return action;
}

static void let_go(fedn__client_engine *engine)
{
    act_on(engine, FEDN__CLIENT_RELEASE);
    if (engine->cancelled != CANCELLED_MOVED)
        fedn__client_remember(engine, engine->current);
    retire(engine, engine->current);
    engine->current = NULL;
    engine->phase = PHASE_NONE;
}

static void enter(fedn__client_engine *engine, int32_t phase)
{
    engine->phase = phase;
    engine->tries = 0;
    engine->retry_at = INT64_MIN;
}

static void fail(fedn__client_engine *engine, const char *reason)
{
    engine->failed = 1;
    snprintf(engine->reason, sizeof engine->reason, "%s", reason);
    enter(engine, PHASE_NEED_ANSWER);
    fedn__client_note(engine, FEDN_LOG_WARNING, "%s task%s%s: %.400s", type_name(engine->current),
                      of_round(engine->current), engine->current->round_id, reason);
}

static void begin_next(fedn__client_engine *engine)
{
    fedn__order *order = engine->waiting;

    engine->waiting = order->next;
    engine->waiting_count--;
    order->next = NULL;
    engine->current = order;
    engine->cancelled = 0;
    engine->failed = 0;
    engine->moved = 0;
    engine->announced = 0;
    engine->again = 0;
    engine->reason[0] = 0;
    enter(engine, PHASE_NEED_MODEL);
    if (order->fault) {
        fail(engine, order->fault);
    } else if (!has_callback(&engine->settings, order)) {
        char text[80];
        snprintf(text, sizeof text, "this client has no %s callback", type_name(order));
        fail(engine, text);
    }
}

static void answer(fedn__client_engine *engine)
{
    fedn__client_action *action = act_on(engine, FEDN__CLIENT_ANSWER);
    action->failed = engine->failed;
    memcpy(action->text, engine->reason, sizeof action->text);
    engine->announced |= fedn__client_has_update(engine);
    engine->again = 0;
    engine->phase = PHASE_ANSWERING;
}

/* What the phase allows to be done now that did not wait for an event. */
static void go_on(fedn__client_engine *engine, int32_t may_call)
{
    const fedn__order *order = engine->current;

    if (engine->phase == PHASE_NEED_MODEL && strcmp(engine->cached, order->model_id) == 0)
        engine->phase = PHASE_NEED_RUN;
    if (engine->phase == PHASE_NEED_RUN) {
        engine->phase = PHASE_RUNNING;
        act_on(engine, FEDN__CLIENT_RUN);
        return;
    }
    if (!may_call)
        return;
    if (engine->phase == PHASE_NEED_MODEL) {
        engine->phase = PHASE_FETCHING;
        act_on(engine, order->model ? FEDN__CLIENT_KEEP : FEDN__CLIENT_FETCH);
    } else if (engine->phase == PHASE_NEED_UPLOAD) {
        engine->phase = PHASE_UPLOADING;
        act_on(engine, FEDN__CLIENT_UPLOAD)->moved = engine->moved;
    } else if (engine->phase == PHASE_NEED_ANSWER) {
        answer(engine);
    }
}

void fedn__client_tasks_advance(fedn__client_engine *engine, int64_t now_ms)
{
    if (engine->state == CLIENT_STOPPED)
        return;
    if (!engine->current && engine->waiting)
        begin_next(engine);
    if (engine->current)
        go_on(engine, engine->state == CLIENT_UP && now_ms >= engine->retry_at);
}

int64_t fedn__client_tasks_deadline(const fedn__client_engine *engine)
{
    int32_t needs = engine->phase == PHASE_NEED_MODEL || engine->phase == PHASE_NEED_UPLOAD ||
                    engine->phase == PHASE_NEED_ANSWER;
    return needs ? engine->retry_at : INT64_MAX;
}

/* A combiner that restarts has lost what was uploaded and not announced yet. Ours says whether it
 * has; FEDn's would take it twice. */
static int32_t must_ask(const fedn__client_engine *engine)
{
    return fedn__client_has_update(engine) && engine->uploads && engine->current->inline_bytes > 0;
}

void fedn__client_tasks_suspend(fedn__client_engine *engine)
{
    switch (engine->phase) {
    case PHASE_FETCHING:
        enter(engine, PHASE_NEED_MODEL);
        break;
    case PHASE_UPLOADING:
        enter(engine, PHASE_NEED_UPLOAD);
        break;
    case PHASE_ANSWERING:
    case PHASE_NEED_ANSWER:
        enter(engine, must_ask(engine) ? PHASE_NEED_UPLOAD : PHASE_NEED_ANSWER);
        break;
    default:
        return;
    }
    if (engine->cancelled)
        let_go(engine);
}

static void cancel(fedn__client_engine *engine, int32_t why)
{
    if (engine->cancelled)
        return;
    engine->cancelled = why;
    if (engine->phase == PHASE_ANSWERING)
        return; /* it may count already */
    act_on(engine, FEDN__CLIENT_CANCEL);
    if (engine->phase != PHASE_RUNNING) /* else when the callback has returned */
        let_go(engine);
}

static void drop_waiting(fedn__client_engine *engine)
{
    while (engine->waiting) {
        fedn__order *order = engine->waiting;
        engine->waiting = order->next;
        retire(engine, order);
    }
    engine->waiting_count = 0;
}

void fedn__client_tasks_drop(fedn__client_engine *engine)
{
    drop_waiting(engine);
    if (!engine->current)
        return;
    if (fedn__client_has_update(engine) && !engine->announced) {
        fedn__client_move_update(engine);
        return;
    }
    if (fedn__client_has_update(engine))
        fedn__client_note(
            engine, FEDN_LOG_WARNING,
            "the update of round %s is dropped: it may count at its combiner of before",
            engine->current->round_id);
    cancel(engine, CANCELLED_MOVED);
}

void fedn__client_tasks_end(fedn__client_engine *engine)
{
    drop_waiting(engine);
    /* an update is not released: the next run delivers it */
    if (!engine->current || fedn__client_has_update(engine))
        return;
    if (engine->phase == PHASE_RUNNING && !engine->cancelled)
        act_on(engine, FEDN__CLIENT_CANCEL);
    if (engine->phase != PHASE_RUNNING)
        let_go(engine);
}

static int32_t is_over(const fedn__order *order, const fedn__order *newer)
{
    return order->type == FEDN_TASK_TRAIN && newer->type == FEDN_TASK_TRAIN &&
           (strcmp(order->round_id, newer->round_id) != 0 ||
            strcmp(order->session_id, newer->session_id) != 0);
}

/* A training task of another round says that the round of the older ones is over. */
static void drop_older(fedn__client_engine *engine, const fedn__order *newer)
{
    for (fedn__order **link = &engine->waiting; *link;) {
        fedn__order *order = *link;
        if (!is_over(order, newer)) {
            link = &order->next;
            continue;
        }
        *link = order->next;
        engine->waiting_count--;
        fedn__client_remember(engine, order);
        retire(engine, order);
    }
    if (engine->current && is_over(engine->current, newer))
        cancel(engine, CANCELLED_OVER);
}

void fedn__client_tasks_take(fedn__client_engine *engine, fedn__order *order)
{
    if (is_known(engine, order->correlation_id)) {
        fedn__order_free(order);
        return;
    }
    if (fedn__client_answers_already(engine, order)) {
        retire(engine, order);
        return;
    }
    drop_older(engine, order);
    if (engine->waiting_count >= FEDN__LIMIT_CLIENT_TASKS) {
        fedn__client_action *action = fedn__client_act(engine, FEDN__CLIENT_REFUSE);
        action->order = order;
        snprintf(action->text, sizeof action->text, "%d tasks wait already",
                 FEDN__LIMIT_CLIENT_TASKS);
        retire(engine, order);
        return;
    }
    fedn__order **link = &engine->waiting;
    while (*link)
        link = &(*link)->next;
    order->next = NULL;
    *link = order;
    engine->waiting_count++;
}

/* A combiner that is busy says UNAVAILABLE, and the round's end is the bound on that. Out of memory
 * it says RESOURCE_EXHAUSTED, which for an answer, unlike a model, cannot mean its size. */
static int32_t may_try_again(const fedn__client_engine *engine, int32_t phase, fedn_status status)
{
    if (status == FEDN_ERR_UNAVAILABLE)
        return 1;
    return engine->tries + 1 < TRIES_PER_STEP &&
           (fedn_status_is_retryable(status) ||
            (status == FEDN_ERR_LIMIT && phase == PHASE_NEED_ANSWER));
}

/* The step failed in a way that another try may mend: 1 if there will be one. */
static int32_t try_again(fedn__client_engine *engine, int64_t now_ms, int32_t phase,
                         fedn_status status, const char *text)
{
    if (!may_try_again(engine, phase, status))
        return 0;
    if (++engine->tries == 1)
        fedn__client_note(engine, FEDN_LOG_WARNING, "%s task%s%s: %.400s; trying again",
                          type_name(engine->current), of_round(engine->current),
                          engine->current->round_id, text);
    engine->retry_at = now_ms + fedn__client_backoff(engine, engine->tries - 1);
    engine->phase = phase;
    return 1;
}

static int32_t is_awaited(fedn__client_engine *engine, int32_t phase, uint64_t step)
{
    fedn__client_begin_event(engine);
    return engine->state != CLIENT_STOPPED && engine->phase == phase && engine->step == step;
}

void fedn__client_engine_fetched(fedn__client_engine *engine, int64_t now_ms, uint64_t step,
                                 fedn_status status, const char *text)
{
    if (!is_awaited(engine, PHASE_FETCHING, step))
        return;
    if (status == FEDN_OK) {
        snprintf(engine->cached, sizeof engine->cached, "%s", engine->current->model_id);
        enter(engine, PHASE_NEED_RUN);
    } else if (!try_again(engine, now_ms, PHASE_NEED_MODEL, status, text)) {
        fail(engine, text);
    }
    fedn__client_tasks_advance(engine, now_ms);
}

void fedn__client_engine_ran(fedn__client_engine *engine, int64_t now_ms, fedn_status status,
                             int32_t has_model, const char *text)
{
    fedn__client_begin_event(engine);
    if (engine->state == CLIENT_STOPPED)
        return;
    assert(engine->phase == PHASE_RUNNING);
    if (engine->cancelled) {
        let_go(engine);
    } else if (status != FEDN_OK) {
        fail(engine, text);
    } else {
        engine->uploads = has_model;
        enter(engine, has_model ? PHASE_NEED_UPLOAD : PHASE_NEED_ANSWER);
    }
    fedn__client_tasks_advance(engine, now_ms);
}

void fedn__client_engine_unwanted(fedn__client_engine *engine, int64_t now_ms, uint64_t step,
                                  const char *text)
{
    (void)now_ms;
    if (!is_awaited(engine, PHASE_RUNNING, step) || engine->cancelled)
        return;
    fedn__client_note(engine, FEDN_LOG_INFO, "%s task%s%s: %.400s", type_name(engine->current),
                      of_round(engine->current), engine->current->round_id, text);
    cancel(engine, CANCELLED_OVER);
}

/* A combiner that did not give the task needs no answer to it. */
static void give_up_upload(fedn__client_engine *engine, const char *text)
{
    if (!engine->moved) {
        fail(engine, text);
        return;
    }
    fedn__client_note(
        engine, FEDN_LOG_WARNING,
        "the update of round %s is dropped, the new combiner does not take it: %.400s",
        engine->current->round_id, text);
    let_go(engine);
}

void fedn__client_engine_uploaded(fedn__client_engine *engine, int64_t now_ms, uint64_t step,
                                  fedn_status status, const char *text)
{
    if (!is_awaited(engine, PHASE_UPLOADING, step))
        return;
    if (status == FEDN_OK)
        enter(engine, PHASE_NEED_ANSWER);
    else if (!try_again(engine, now_ms, PHASE_NEED_UPLOAD, status, text))
        give_up_upload(engine, text);
    fedn__client_tasks_advance(engine, now_ms);
}

void fedn__client_engine_answered(fedn__client_engine *engine, int64_t now_ms, uint64_t step,
                                  fedn_status status, const char *text)
{
    if (!is_awaited(engine, PHASE_ANSWERING, step))
        return;
    if (status != FEDN_OK && !engine->cancelled &&
        try_again(engine, now_ms, PHASE_NEED_ANSWER, status, text))
        return;
    if (engine->again && status == FEDN_OK && text[0]) {
        enter(engine, must_ask(engine) ? PHASE_NEED_UPLOAD : PHASE_NEED_ANSWER);
        fedn__client_tasks_advance(engine, now_ms);
        return;
    }
    const fedn__order *order = engine->current;
    if (status != FEDN_OK || text[0])
        fedn__client_note(engine, FEDN_LOG_WARNING, "%s task%s%s: %.400s", type_name(order),
                          of_round(order), order->round_id, text);
    else if (!engine->failed)
        fedn__client_note(engine, FEDN_LOG_INFO, "%s task%s%s: answered", type_name(order),
                          of_round(order), order->round_id);
    let_go(engine);
    fedn__client_tasks_advance(engine, now_ms);
}
