/* SPDX-License-Identifier: Apache-2.0
 * The reducer's events and actions: combiners come and go, report; a session is started, stopped.
 */
#include "roles/reducer/engine_state.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/text.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COMMIT_RETRY_MS 1000

const char *fedn__session_status(int32_t status)
{
    static const char *const names[] = {"Created", "Started", "Finished", "Terminated", "Failed"};
    return names[status];
}

const char *fedn__round_status(int32_t state)
{
    static const char *const names[] = {"Pending",  "Running", "Success",
                                        "Finished", "Failed",  "Terminated"};
    return names[state];
}

void fedn__reducer_say(char text[FEDN__REASON_TEXT], const char *format, ...)
{
    char line[FEDN__REASON_TEXT]; /* an argument may be the text itself */
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    memcpy(text, line, sizeof line);
}

fedn_status fedn__reducer_engine_new(const fedn__reducer_settings *settings,
                                     fedn__reducer_engine **ret, fedn_error *err)
{
    *ret = fedn__alloc_zero(sizeof **ret);
    if (!*ret)
        return fedn__error_nomem(err);
    (*ret)->settings = *settings;
    (*ret)->next_round = settings->first_round;
    return FEDN_OK;
}

void fedn__reducer_engine_free(fedn__reducer_engine *engine)
{
    if (!engine)
        return;
    for (uint32_t i = 0; i < engine->combiner_count; i++)
        fedn__free(engine->combiners[i]);
    fedn__free(engine->combiners);
    fedn__free(engine->round);
    fedn__free(engine->ended);
    fedn__free(engine->spare);
    fedn__free(engine->actions);
    fedn__free(engine);
}

/* Actions that nobody has taken yet stay, in order. */
static fedn_status grow_actions(fedn__reducer_engine *engine, uint64_t room)
{
    uint64_t capacity = engine->action_count + room;

    if (engine->action_capacity >= capacity)
        return FEDN_OK;
    fedn__reducer_action *actions = fedn__alloc_array(capacity, sizeof *actions);
    if (!actions)
        return FEDN_ERR_NOMEM;
    for (uint64_t i = 0; i < engine->action_count; i++)
        actions[i] = engine->actions[(engine->action_first + i) % engine->action_capacity];
    fedn__free(engine->actions);
    engine->actions = actions;
    engine->action_capacity = capacity;
    engine->action_first = 0;
    return FEDN_OK;
}

static fedn_status grow_round(fedn__reducer_round **round, uint32_t capacity)
{
    if (*round && (*round)->capacity >= capacity)
        return FEDN_OK;
    capacity += capacity / 2 + 4;
    uint64_t bytes = sizeof **round + (uint64_t)capacity * sizeof(fedn__reducer_part);
    fedn__reducer_round *grown =
        *round ? fedn__realloc_array(*round, bytes, 1) : fedn__alloc_zero(bytes);
    if (!grown)
        return FEDN_ERR_NOMEM;
    grown->capacity = capacity;
    *round = grown;
    return FEDN_OK;
}

fedn_status fedn__reducer_prepare(fedn__reducer_engine *engine)
{
    uint32_t combiners = engine->combiner_count + 1; /* one may come with the event */
    fedn_status rc = grow_round(&engine->spare, combiners);

    if (rc == FEDN_OK && engine->round && engine->round->state == FEDN__ROUND_WAITING)
        rc = grow_round(&engine->round, combiners);
    if (rc == FEDN_OK)
        rc = grow_actions(engine, 16 + HELD_MOST + 4 * (uint64_t)combiners);
    return rc;
}

fedn__reducer_action *fedn__reducer_act(fedn__reducer_engine *engine, int32_t type)
{
    assert(engine->action_count < engine->action_capacity);
    fedn__reducer_action *action =
        &engine->actions[(engine->action_first + engine->action_count++) % engine->action_capacity];
    memset(action, 0, sizeof *action);
    action->type = type;
    return action;
}

int32_t fedn__reducer_engine_next(fedn__reducer_engine *engine, fedn__reducer_action *ret)
{
    if (engine->action_count == 0)
        return 0;
    *ret = engine->actions[engine->action_first];
    engine->action_first = (engine->action_first + 1) % engine->action_capacity;
    engine->action_count--;
    return 1;
}

static void take_counts(fedn__reducer_engine *engine, fedn__reducer_part *part,
                        const fedn__reducer_report *report)
{
    part->expected = report->expected;
    part->accepted = report->accepted;
    part->refused = report->refused;
    part->failed = report->failed;
    fedn__reducer_act(engine, FEDN__REDUCER_ROUND_CHANGED)->round = engine->round;
}

fedn_status fedn__reducer_engine_progress(fedn__reducer_engine *engine, int64_t now_ms,
                                          fedn__reducer_combiner *combiner,
                                          const fedn__reducer_report *report)
{
    fedn__reducer_part *part = fedn__reducer_find_part(engine, combiner);

    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    if (part && report->round == engine->round->id && part->state == FEDN__PART_ASKED)
        take_counts(engine, part, report);
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

fedn_status fedn__reducer_engine_upload(fedn__reducer_engine *engine, int64_t now_ms,
                                        fedn__reducer_combiner *combiner, int32_t running)
{
    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    combiner->patient_ms = running ? INT64_MAX : now_ms + engine->settings.grace_ms;
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

fedn_status fedn__reducer_engine_report(fedn__reducer_engine *engine, int64_t now_ms,
                                        fedn__reducer_combiner *combiner,
                                        const fedn__reducer_report *report, int32_t *ret_taken)
{
    fedn__reducer_part *part = fedn__reducer_find_part(engine, combiner);
    const fedn__reducer_part *owner = fedn__reducer_find_partial(engine, report->partial_id);

    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    *ret_taken = part && report->round == engine->round->id && part->state == FEDN__PART_ASKED;
    if (!*ret_taken) {
        if (report->partial_id[0] && !owner)
            fedn__reducer_say(fedn__reducer_act(engine, FEDN__REDUCER_DROP)->text, "%s",
                              report->partial_id);
        return FEDN_OK;
    }
    take_counts(engine, part, report);
    if (owner) {
        fedn__reducer_fail_part(engine, part, "its report names the partial of another combiner");
    } else if (report->partial_id[0]) {
        part->place = ++engine->round->places;
        snprintf(part->partial_id, sizeof part->partial_id, "%s", report->partial_id);
        fedn__reducer_say(part->error, "%s", report->error);
        fedn__reducer_merge(engine, part);
    } else {
        fedn__reducer_fail_part(engine, part,
                                report->error[0] ? report->error : "no update was accepted");
    }
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

/* The file of a partial, and not what is in it. */
static int32_t is_loss(fedn_status status)
{
    return status == FEDN_ERR_NOT_FOUND || status == FEDN_ERR_FORMAT || status == FEDN_ERR_IO;
}

/* What was reported did not outlive the restart: the clients' work is done once more. */
static void ask_again(fedn__reducer_engine *engine, fedn__reducer_part *part, int64_t now_ms)
{
    fedn__reducer_say(fedn__reducer_act(engine, FEDN__REDUCER_DROP)->text, "%s", part->partial_id);
    fedn__reducer_act(engine, FEDN__REDUCER_ROUND_CHANGED)->round = engine->round;
    part->partial_id[0] = 0;
    part->error[0] = 0;
    part->place = 0;
    part->restored = 0;
    fedn__reducer_ask(engine, part, now_ms);
}

fedn_status fedn__reducer_engine_merged(fedn__reducer_engine *engine, int64_t now_ms, uint64_t id,
                                        uint32_t index, fedn_status status, const char *text)
{
    fedn__reducer_round *round = engine->round;

    if (!round || round->id != id || round->state != FEDN__ROUND_RUNNING || index >= round->count ||
        round->parts[index].state != FEDN__PART_MERGING)
        return FEDN_OK;
    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    if (status == FEDN_OK)
        round->parts[index].state = FEDN__PART_MERGED;
    else if (round->parts[index].restored && is_loss(status))
        ask_again(engine, &round->parts[index], now_ms);
    else
        fedn__reducer_fail_part(engine, &round->parts[index], text);
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

static void validate(fedn__reducer_engine *engine)
{
    for (uint32_t i = 0; engine->session.validate && i < engine->combiner_count; i++) {
        fedn__reducer_combiner *combiner = engine->combiners[i];
        if (!combiner->attachment || combiner->active == 0)
            continue;
        fedn__reducer_action *action = fedn__reducer_act(engine, FEDN__REDUCER_SEND_VALIDATE);
        action->combiner = combiner;
        action->round = engine->ended;
        fedn__reducer_say(action->text, "%s", engine->session.model_id);
    }
}

fedn_status fedn__reducer_engine_committed(fedn__reducer_engine *engine, int64_t now_ms,
                                           uint64_t id, fedn_status status, const char *model_id,
                                           const char *text)
{
    fedn__reducer_round *round = engine->round;

    if (!round || round->id != id || round->state != FEDN__ROUND_COMMITTING)
        return FEDN_OK;
    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    if ((status == FEDN_ERR_IO || status == FEDN_ERR_LIMIT || status == FEDN_ERR_DENIED) &&
        !engine->session.stopping) {
        /* no room on the disk, or none that it may use: what was merged stays */
        engine->commit_ms = now_ms + COMMIT_RETRY_MS;
        fedn__reducer_say(engine->session.message, "the model cannot be stored: %s", text);
        fedn__reducer_act(engine, FEDN__REDUCER_ROUND_CHANGED)->round = round;
        return FEDN_OK;
    }
    if (status == FEDN_OK) {
        if (!engine->session.stopping)
            engine->session.message[0] = 0;
        snprintf(round->model_id, sizeof round->model_id, "%s", model_id);
        snprintf(engine->session.model_id, sizeof engine->session.model_id, "%s", model_id);
        fedn__reducer_end_round(engine, now_ms, FEDN__ROUND_FINISHED, "");
        validate(engine);
    } else {
        fedn__reducer_end_round(engine, now_ms, FEDN__ROUND_FAILED, text);
    }
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

fedn_status fedn__reducer_engine_start(fedn__reducer_engine *engine, int64_t now_ms,
                                       const fedn__reducer_session *session, fedn_error *err)
{
    if (engine->session.status == FEDN__SESSION_STARTED)
        return fedn__error(err, FEDN_ERR_STATE, "A session is already running!");
    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return fedn__error_nomem(err);
    engine->session = *session;
    engine->session.status = FEDN__SESSION_STARTED;
    engine->session.stopping = 0;
    engine->session.met = 0;
    engine->session.opened = 0;
    engine->session.done = 0;
    engine->session.failures = 0;
    engine->session.message[0] = 0;
    fedn__reducer_act(engine, FEDN__REDUCER_SESSION_CHANGED);
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

fedn_status fedn__reducer_engine_stop(fedn__reducer_engine *engine, int64_t now_ms,
                                      const char *session_id, const char *why)
{
    if (engine->session.status != FEDN__SESSION_STARTED ||
        strcmp(engine->session.session_id, session_id) != 0)
        return FEDN_ERR_NOT_FOUND;
    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    engine->session.stopping = 1;
    fedn__reducer_say(engine->session.message, "%s", why);
    if (engine->round->state != FEDN__ROUND_COMMITTING || engine->commit_ms) {
        fedn__reducer_cancel_parts(engine, INT64_MAX, why);
        fedn__reducer_end_round(engine, now_ms, FEDN__ROUND_TERMINATED, why);
        fedn__reducer_end_session(engine, FEDN__SESSION_TERMINATED, why);
    }
    return FEDN_OK;
}

fedn_status fedn__reducer_engine_tick(fedn__reducer_engine *engine, int64_t now_ms)
{
    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

int64_t fedn__reducer_engine_deadline(const fedn__reducer_engine *engine)
{
    const fedn__reducer_round *round = engine->round;
    int64_t deadline = INT64_MAX;

    if (!round)
        return deadline;
    if (round->state == FEDN__ROUND_COMMITTING)
        return engine->commit_ms ? engine->commit_ms : deadline;
    if (round->state == FEDN__ROUND_WAITING) {
        deadline = engine->session.met ? INT64_MAX : round->deadline_ms;
        return engine->await_ms && engine->await_ms < deadline ? engine->await_ms : deadline;
    }
    for (uint32_t i = 0; i < round->count; i++) {
        const fedn__reducer_part *part = &round->parts[i];
        int64_t due =
            part->state == FEDN__PART_ASKED ? fedn__reducer_part_due(engine, part) : INT64_MAX;
        deadline = due < deadline ? due : deadline;
    }
    return deadline;
}

const fedn__reducer_session *fedn__reducer_engine_session(const fedn__reducer_engine *engine)
{
    return &engine->session;
}

const fedn__reducer_round *fedn__reducer_engine_round(const fedn__reducer_engine *engine)
{
    return engine->round ? engine->round : engine->ended;
}

fedn__reducer_combiner *fedn__reducer_engine_combiner(const fedn__reducer_engine *engine,
                                                      uint32_t index)
{
    return index < engine->combiner_count ? engine->combiners[index] : NULL;
}

int32_t fedn__reducer_engine_is_running(const fedn__reducer_engine *engine)
{
    return engine->session.status == FEDN__SESSION_STARTED;
}
