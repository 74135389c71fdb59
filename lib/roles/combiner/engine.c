/* SPDX-License-Identifier: Apache-2.0
 * The combiner's engine: clients coming, going and falling silent, and the queue of actions. */
#include "roles/combiner/engine_state.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void fedn__model_task_done(fedn__model_task *task)
{
    fedn__free(task->data);
    fedn__selection_done(&task->selected);
    memset(task, 0, sizeof *task);
}

fedn_status fedn__combiner_engine_new(const fedn__combiner_settings *settings,
                                      fedn__combiner_engine **ret, fedn_error *err)
{
    *ret = fedn__alloc_zero(sizeof **ret);
    if (!*ret)
        return fedn__error_nomem(err);
    (*ret)->settings = *settings;
    fedn__roster_init(&(*ret)->roster, settings->max_clients);
    return FEDN_OK;
}

static void task_free(fedn__model_task *task)
{
    fedn__model_task_done(task);
    fedn__free(task);
}

static void drop_spent(fedn__combiner_engine *engine)
{
    while (engine->spent_count > 0)
        task_free(engine->spent[--engine->spent_count]);
}

void fedn__combiner_engine_free(fedn__combiner_engine *engine)
{
    if (!engine)
        return;
    drop_spent(engine);
    while (engine->waiting_count > 0)
        task_free(engine->waiting[--engine->waiting_count]);
    fedn__round_plan_done(&engine->plan);
    fedn__free(engine->asked);
    fedn__roster_done(&engine->roster);
    fedn__free(engine->actions);
    fedn__free(engine);
}

fedn_status fedn__combiner_state_begin(fedn__combiner_engine *engine, uint32_t actions)
{
    uint32_t need = engine->action_count + actions;

    if (need > engine->action_capacity) {
        uint32_t capacity = engine->action_capacity ? engine->action_capacity : 64;
        while (capacity < need)
            capacity *= 2;
        fedn__combiner_action *ring = fedn__alloc_array(capacity, sizeof *ring);
        if (!ring)
            return FEDN_ERR_NOMEM;
        for (uint32_t i = 0, at = engine->action_head; i < engine->action_count; i++, at++) {
            at = at == engine->action_capacity ? 0 : at;
            ring[i] = engine->actions[at];
        }
        fedn__free(engine->actions);
        engine->actions = ring;
        engine->action_capacity = capacity;
        engine->action_head = 0;
    }
    if (engine->action_count == 0)
        drop_spent(engine);
    return FEDN_OK;
}

fedn__combiner_action *fedn__combiner_state_act(fedn__combiner_engine *engine, int32_t type)
{
    uint32_t at = (engine->action_head + engine->action_count++) % engine->action_capacity;
    fedn__combiner_action *action = &engine->actions[at];

    memset(action, 0, sizeof *action);
    action->type = type;
    return action;
}

int32_t fedn__combiner_engine_next(fedn__combiner_engine *engine, fedn__combiner_action *ret)
{
    if (engine->action_count == 0)
        return 0;
    *ret = engine->actions[engine->action_head];
    engine->action_head = (engine->action_head + 1) % engine->action_capacity;
    engine->action_count--;
    return 1;
}

void fedn__combiner_state_text(char text[FEDN__REASON_BYTES], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, FEDN__REASON_BYTES, format, args);
    va_end(args);
    fedn__text_to_line(text);
}

static void set_online(fedn__combiner_engine *engine, fedn__participant *client, int32_t online)
{
    if (client->online == online)
        return;
    fedn__roster_set_online(&engine->roster, client, online);
    fedn__combiner_state_act(engine, FEDN__COMBINER_ROSTER)->client = client;
}

/* Seen again: whoever was given up while its round still runs is waited for once more. */
static void seen(fedn__combiner_engine *engine, fedn__participant *client, int64_t now_ms)
{
    fedn__roster_seen(&engine->roster, client, now_ms);
    set_online(engine, client, client->stream != 0);
    if (client->outcome == FEDN__OUTCOME_LOST && fedn__combiner_state_is_open(engine, client))
        fedn__combiner_state_outcome(engine, client, FEDN__OUTCOME_PENDING, "", now_ms);
}

fedn_status fedn__combiner_engine_attach(fedn__combiner_engine *engine, int64_t now_ms,
                                         const char *client_id, const char *name, uint64_t stream)
{
    fedn__participant *client = NULL;

    if (fedn__combiner_state_begin(engine, 6) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    fedn_status rc = fedn__roster_join(&engine->roster, client_id, name, &client);
    if (rc == FEDN_ERR_LIMIT) {
        fedn__combiner_action *end = fedn__combiner_state_act(engine, FEDN__COMBINER_END_STREAM);
        fedn__combiner_state_text(engine->text, "combiner.max_clients %u clients are connected",
                                  (unsigned)engine->settings.max_clients);
        end->token = stream;
        end->text = engine->text;
        return FEDN_OK;
    }
    if (rc != FEDN_OK)
        return rc;
    if (client->stream && client->stream != stream) {
        fedn__combiner_action *end = fedn__combiner_state_act(engine, FEDN__COMBINER_END_STREAM);
        end->token = client->stream;
        end->text = "the client has opened another task stream";
    }
    client->stream = stream;
    seen(engine, client, now_ms);
    /* asked already, and not answered: the task may have gone down with the old stream */
    client->reopened = 1;
    if (client->outcome == FEDN__OUTCOME_PENDING && fedn__combiner_state_is_open(engine, client))
        fedn__combiner_state_send_task(engine, client);
    fedn__combiner_state_gather(engine);
    return FEDN_OK;
}

void fedn__combiner_engine_detach(fedn__combiner_engine *engine, const char *client_id,
                                  uint64_t stream)
{
    fedn__participant *client = fedn__roster_find(&engine->roster, client_id);

    if (!client || client->stream != stream)
        return;         /* an older stream of a client that is back already */
    client->stream = 0; /* its task stays open until the liveness bound */
    /* without memory for the action it counts as online until that bound */
    if (fedn__combiner_state_begin(engine, 1) == FEDN_OK)
        set_online(engine, client, 0);
}

fedn_status fedn__combiner_engine_heartbeat(fedn__combiner_engine *engine, int64_t now_ms,
                                            const char *client_id, const char *name)
{
    fedn__participant *client = fedn__roster_find(&engine->roster, client_id);

    if (!client)
        return FEDN_OK;
    if (fedn__combiner_state_begin(engine, 3) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    fedn_status rc = fedn__roster_join(&engine->roster, client_id, name, &client);
    if (rc != FEDN_OK)
        return rc;
    int32_t returns = !client->online;
    seen(engine, client, now_ms);
    if (returns && client->online)
        fedn__combiner_state_gather(engine);
    return FEDN_OK;
}

fedn_status fedn__combiner_engine_model_task(fedn__combiner_engine *engine, int64_t now_ms,
                                             fedn__model_task *task)
{
    (void)now_ms;
    if (engine->waiting_count == MOST_MODEL_TASKS)
        return FEDN_ERR_LIMIT;
    fedn__model_task *kept = fedn__alloc(sizeof *kept);
    if (!kept || fedn__combiner_state_begin(engine, 1) != FEDN_OK) {
        fedn__free(kept);
        return FEDN_ERR_NOMEM;
    }
    *kept = *task;
    memset(task, 0, sizeof *task);
    engine->waiting[engine->waiting_count++] = kept;
    fedn__combiner_state_act(engine, FEDN__COMBINER_FETCH_MODEL)->text = kept->model_id;
    return FEDN_OK;
}

static void send_model_task(fedn__combiner_engine *engine, const fedn__model_task *task)
{
    fedn__participant *client = engine->roster.lists[0].oldest;

    for (; client; client = client->newer) {
        if (!client->online || !fedn__selection_has(&task->selected, client->id))
            continue;
        fedn__combiner_action *send = fedn__combiner_state_act(engine, FEDN__COMBINER_SEND_TASK);
        send->client = client;
        send->task = task;
    }
}

static uint32_t count_waiting(const fedn__combiner_engine *engine, const char *model_id)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < engine->waiting_count; i++)
        count += strcmp(engine->waiting[i]->model_id, model_id) == 0;
    return count;
}

/* Tasks whose model has come are sent; those whose model cannot be had are dropped. At most one
 * action per client and task. */
static void settle_model_tasks(fedn__combiner_engine *engine, const char *model_id,
                               const char *error)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < engine->waiting_count; i++) {
        fedn__model_task *task = engine->waiting[i];
        if (strcmp(task->model_id, model_id) != 0 || engine->spent_count == MOST_MODEL_TASKS) {
            engine->waiting[kept++] = task;
            continue;
        }
        if (!error)
            send_model_task(engine, task);
        engine->spent[engine->spent_count++] = task;
    }
    engine->waiting_count = kept;
}

fedn_status fedn__combiner_engine_model_ready(fedn__combiner_engine *engine, int64_t now_ms,
                                              const char *model_id, const char *error,
                                              fedn__id_fn ids, void *ids_data)
{
    /* twice per client of a round: room for its end is made here, see engine_state.h */
    uint32_t actions = engine->roster.online * (count_waiting(engine, model_id) + 2) + 8 +
                       (engine->restored ? 2 * engine->asked_count : 0) + 6 * engine->parked;

    if (fedn__combiner_state_begin(engine, actions) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    fedn_status rc =
        fedn__combiner_state_model_ready(engine, now_ms, model_id, error, ids, ids_data);
    if (rc == FEDN_OK)
        settle_model_tasks(engine, model_id, error);
    return rc;
}

fedn_status fedn__combiner_engine_tick(fedn__combiner_engine *engine, int64_t now_ms)
{
    uint32_t left = 0;

    if (fedn__combiner_state_begin(engine, 2 * engine->roster.count + engine->asked_count +
                                               6 * engine->parked + 8) != FEDN_OK ||
        fedn__combiner_state_room(engine, engine->asked_count + engine->parked) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    if (now_ms >= fedn__combiner_state_park_deadline(engine))
        fedn__combiner_state_unpark(engine, "its session's next round has not come");
    for (;;) {
        fedn__participant *client = fedn__roster_oldest(&engine->roster);
        if (!client || now_ms - client->last_seen_ms <= engine->settings.liveness_ms)
            break;
        fedn__roster_sleep(&engine->roster, client);
        client->carried = 0; /* when it comes back, it is asked anew */
        set_online(engine, client, 0);
        left++;
        if (client->outcome == FEDN__OUTCOME_PENDING &&
            fedn__combiner_state_is_open(engine, client))
            fedn__combiner_state_outcome(engine, client, FEDN__OUTCOME_LOST, "not seen any more",
                                         now_ms);
    }
    fedn__combiner_state_deadline_passed(engine, now_ms);
    if (left > 0)
        fedn__combiner_state_gather(engine);
    fedn__combiner_state_settle(engine, now_ms);
    return FEDN_OK;
}

int64_t fedn__combiner_engine_deadline(const fedn__combiner_engine *engine)
{
    const fedn__participant *oldest = fedn__roster_oldest(&engine->roster);
    int64_t expiry = oldest ? oldest->last_seen_ms + engine->settings.liveness_ms + 1 : INT64_MAX;
    int64_t round = fedn__combiner_state_deadline(engine);
    int64_t parked = fedn__combiner_state_park_deadline(engine);

    round = parked < round ? parked : round;
    return expiry < round ? expiry : round;
}

const fedn__round_plan *fedn__combiner_engine_plan(const fedn__combiner_engine *engine)
{
    return &engine->plan;
}

fedn__combiner_counts fedn__combiner_engine_counts(const fedn__combiner_engine *engine)
{
    return engine->counts;
}

fedn__participant *const *fedn__combiner_engine_asked(const fedn__combiner_engine *engine,
                                                      uint32_t *ret_count)
{
    *ret_count = engine->asked_count;
    return engine->asked;
}

const fedn__roster *fedn__combiner_engine_roster(const fedn__combiner_engine *engine)
{
    return &engine->roster;
}

const char *fedn__combiner_engine_held_round(const fedn__combiner_engine *engine)
{
    return engine->state == ROUND_NONE ? NULL : engine->plan.round_id;
}

int32_t fedn__combiner_engine_is_idle(const fedn__combiner_engine *engine)
{
    return engine->state == ROUND_NONE || engine->state == ROUND_REPORTED;
}
