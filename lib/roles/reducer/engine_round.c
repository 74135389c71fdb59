/* SPDX-License-Identifier: Apache-2.0
 * The life of a session's rounds: waiting, running, committing, the end, the next one. */
#include "roles/reducer/engine_state.h"

#include "core/alloc.h"
#include <stdio.h>
#include <string.h>

fedn__reducer_part *fedn__reducer_find_part(fedn__reducer_engine *engine,
                                            const fedn__reducer_combiner *combiner)
{
    fedn__reducer_round *round = engine->round;

    if (!round || round->state != FEDN__ROUND_RUNNING)
        return NULL;
    for (uint32_t i = 0; i < round->count; i++)
        if (round->parts[i].combiner == combiner)
            return &round->parts[i];
    return NULL;
}

fedn__reducer_part *fedn__reducer_find_partial(fedn__reducer_engine *engine, const char *id)
{
    fedn__reducer_round *round = engine->round;

    for (uint32_t i = 0; *id && round && i < round->count; i++)
        if (strcmp(round->parts[i].partial_id, id) == 0)
            return &round->parts[i];
    return NULL;
}

void fedn__reducer_ask(fedn__reducer_engine *engine, fedn__reducer_part *part, int64_t now_ms)
{
    part->state = FEDN__PART_ASKED;
    part->told = 0;
    part->due_ms = now_ms + engine->session.round_timeout_ms + engine->settings.grace_ms;
}

void fedn__reducer_merge(fedn__reducer_engine *engine, fedn__reducer_part *part)
{
    fedn__reducer_action *action = fedn__reducer_act(engine, FEDN__REDUCER_MERGE);

    part->state = FEDN__PART_MERGING;
    action->part = (uint32_t)(part - engine->round->parts);
    action->round = engine->round;
    fedn__reducer_say(action->text, "%s", part->partial_id);
}

void fedn__reducer_fail_part(fedn__reducer_engine *engine, fedn__reducer_part *part,
                             const char *reason)
{
    part->state = FEDN__PART_FAILED;
    fedn__reducer_say(part->error, "%s", reason);
    fedn__reducer_act(engine, FEDN__REDUCER_ROUND_CHANGED)->round = engine->round;
}

int64_t fedn__reducer_part_due(const fedn__reducer_engine *engine, const fedn__reducer_part *part)
{
    const fedn__reducer_combiner *combiner = part->combiner;
    int64_t due = part->due_ms;

    if (!combiner->attachment) {
        int64_t gone = combiner->gone_ms + engine->settings.gone_ms;
        return gone < due ? gone : due;
    }
    return combiner->patient_ms > due ? combiner->patient_ms : due;
}

void fedn__reducer_cancel_parts(fedn__reducer_engine *engine, int64_t due_ms, const char *reason)
{
    fedn__reducer_round *round = engine->round;

    for (uint32_t i = 0; i < round->count; i++) {
        fedn__reducer_part *part = &round->parts[i];
        if (part->state != FEDN__PART_ASKED || fedn__reducer_part_due(engine, part) > due_ms)
            continue;
        fedn__reducer_action *action = fedn__reducer_act(engine, FEDN__REDUCER_SEND_CANCEL);
        action->combiner = part->combiner;
        action->round_id = round->id;
        fedn__reducer_say(action->text, "%s", reason);
        fedn__reducer_fail_part(engine, part, reason);
    }
}

void fedn__reducer_end_session(fedn__reducer_engine *engine, int32_t status, const char *message)
{
    engine->session.status = status;
    fedn__reducer_say(engine->session.message, "%s", message);
    fedn__reducer_act(engine, FEDN__REDUCER_SESSION_CHANGED);
}

void fedn__reducer_end_round(fedn__reducer_engine *engine, int64_t now_ms, int32_t state,
                             const char *message)
{
    fedn__reducer_round *round = engine->round;

    engine->commit_ms = 0;
    round->state = state;
    round->ended_ms = now_ms;
    fedn__reducer_say(round->message, "%s", message);
    if (state == FEDN__ROUND_FINISHED) {
        engine->session.done++;
        engine->session.failures = 0;
    } else if (state == FEDN__ROUND_FAILED) {
        engine->session.failures++;
    }
    fedn__reducer_act(engine, FEDN__REDUCER_ROUND_ENDED)->round = round;
    fedn__free(engine->ended);
    engine->ended = round;
    engine->round = NULL;
}

fedn__reducer_round *fedn__reducer_begin_round(fedn__reducer_engine *engine, uint64_t id,
                                               uint32_t number, int64_t now_ms)
{
    const fedn__reducer_session *session = &engine->session;
    fedn__reducer_round *round = engine->spare;
    uint32_t capacity = round->capacity;

    engine->spare = NULL;
    memset(round, 0, sizeof *round);
    round->capacity = capacity;
    round->id = id;
    round->number = number;
    round->state = FEDN__ROUND_WAITING;
    round->began_ms = now_ms;
    round->deadline_ms = now_ms + session->round_timeout_ms;
    snprintf(round->model_id, sizeof round->model_id, "%s", session->model_id);
    engine->round = round;
    return round;
}

static void open_round(fedn__reducer_engine *engine, int64_t now_ms)
{
    fedn__reducer_round *round =
        fedn__reducer_begin_round(engine, engine->next_round++, ++engine->session.opened, now_ms);

    fedn__reducer_act(engine, FEDN__REDUCER_ROUND_OPENED)->round = round;
}

static int32_t is_ready(const fedn__reducer_engine *engine, const fedn__reducer_combiner *combiner)
{
    return combiner->attachment && combiner->active >= engine->session.clients_required;
}

static void tell(fedn__reducer_engine *engine, fedn__reducer_part *part)
{
    fedn__reducer_action *action = fedn__reducer_act(engine, FEDN__REDUCER_SEND_START);

    part->told = 1;
    action->combiner = part->combiner;
    action->round = engine->round;
}

/* Asks every combiner that has clients enough. */
static void ask(fedn__reducer_engine *engine, int64_t now_ms)
{
    fedn__reducer_round *round = engine->round;

    for (uint32_t i = 0; i < engine->combiner_count; i++) {
        fedn__reducer_combiner *combiner = engine->combiners[i];
        if (!is_ready(engine, combiner))
            continue;
        fedn__reducer_part *part = &round->parts[round->count++];
        memset(part, 0, sizeof *part);
        part->combiner = combiner;
        fedn__reducer_ask(engine, part, now_ms);
        tell(engine, part);
    }
    if (round->count == 0)
        return;
    round->state = FEDN__ROUND_RUNNING;
    round->began_ms = now_ms;
    round->deadline_ms = now_ms + engine->session.round_timeout_ms + engine->settings.grace_ms;
    engine->await_ms = 0;
    engine->session.met = 1;
    engine->session.message[0] = 0;
    fedn__reducer_act(engine, FEDN__REDUCER_ROUND_CHANGED)->round = round;
}

/* Who was there before a restart, and may still come back; NULL: nobody is waited for. */
static const fedn__reducer_combiner *awaited(fedn__reducer_engine *engine, int64_t now_ms)
{
    if (now_ms >= engine->await_ms)
        engine->await_ms = 0;
    for (uint32_t i = 0; engine->await_ms && i < engine->combiner_count; i++)
        if (engine->combiners[i]->awaited && !is_ready(engine, engine->combiners[i]))
            return engine->combiners[i];
    return NULL;
}

static int32_t is_any_ready(const fedn__reducer_engine *engine)
{
    for (uint32_t i = 0; i < engine->combiner_count; i++)
        if (is_ready(engine, engine->combiners[i]))
            return 1;
    return 0;
}

static void wait_for_combiners(fedn__reducer_engine *engine, int64_t now_ms)
{
    fedn__reducer_session *session = &engine->session;
    const fedn__reducer_combiner *missing = awaited(engine, now_ms);
    char text[FEDN__REASON_TEXT];

    if (!missing)
        ask(engine, now_ms);
    if (engine->round->state != FEDN__ROUND_WAITING)
        return;
    if (!session->met && now_ms >= engine->round->deadline_ms) {
        fedn__reducer_say(text, "no combiner had %u active clients within %.3g s",
                          (unsigned)session->clients_required,
                          (double)session->round_timeout_ms / 1000);
        fedn__reducer_end_round(engine, now_ms, FEDN__ROUND_FAILED, text);
        return;
    }
    fedn__reducer_say(text, "waits for a combiner with %u active clients",
                      (unsigned)session->clients_required);
    if (missing && is_any_ready(engine))
        fedn__reducer_say(text, "waits for combiner %.100s to come back with %u active clients",
                          missing->name, (unsigned)session->clients_required);
    if (strcmp(text, session->message) != 0) {
        fedn__reducer_say(session->message, "%s", text);
        fedn__reducer_act(engine, FEDN__REDUCER_ROUND_CHANGED)->round = engine->round;
    }
}

/* What time has done to those at work. */
static void check_parts(fedn__reducer_engine *engine, int64_t now_ms)
{
    fedn__reducer_round *round = engine->round;
    char text[FEDN__REASON_TEXT];

    for (uint32_t i = 0; i < round->count; i++) {
        fedn__reducer_part *part = &round->parts[i];
        if (part->state == FEDN__PART_ASKED && !part->told && is_ready(engine, part->combiner))
            tell(engine, part);
        if (part->state != FEDN__PART_ASKED || part->combiner->attachment ||
            now_ms - part->combiner->gone_ms < engine->settings.gone_ms)
            continue;
        fedn__reducer_say(text, "its link was cut for more than %.3g s",
                          (double)engine->settings.gone_ms / 1000);
        fedn__reducer_fail_part(engine, part, text);
    }
    for (uint32_t i = 0; i < round->count; i++) {
        fedn__reducer_part *part = &round->parts[i];
        if (part->state != FEDN__PART_ASKED || part->told || now_ms < part->due_ms)
            continue;
        fedn__reducer_say(text, "it came back without %u active clients",
                          (unsigned)engine->session.clients_required);
        fedn__reducer_fail_part(engine, part, text);
    }
    if (now_ms >= round->deadline_ms)
        fedn__reducer_cancel_parts(engine, now_ms, "no report within the round's time-out");
}

static void fail_round(fedn__reducer_engine *engine, int64_t now_ms)
{
    const fedn__reducer_round *round = engine->round;
    const fedn__reducer_part *first = &round->parts[0];
    char text[FEDN__REASON_TEXT];

    fedn__reducer_say(text, "none of %u combiners gave a model; %.100s: %.200s",
                      (unsigned)round->count, first->combiner->name,
                      first->error[0] ? first->error : "no update was accepted");
    fedn__reducer_end_round(engine, now_ms, FEDN__ROUND_FAILED, text);
}

/* All partials are merged: the model is made. */
static void commit(fedn__reducer_engine *engine)
{
    fedn__reducer_action *action = fedn__reducer_act(engine, FEDN__REDUCER_COMMIT);

    engine->commit_ms = 0;
    engine->round->state = FEDN__ROUND_COMMITTING;
    action->round = engine->round;
    action->last = engine->session.opened >= engine->session.rounds;
}

static void run_round(fedn__reducer_engine *engine, int64_t now_ms)
{
    fedn__reducer_round *round = engine->round;
    uint32_t merged = 0;
    uint32_t open = 0;

    check_parts(engine, now_ms);
    for (uint32_t i = 0; i < round->count; i++) {
        int32_t state = round->parts[i].state;
        open += state == FEDN__PART_ASKED || state == FEDN__PART_MERGING;
        merged += state == FEDN__PART_MERGED;
    }
    if (open > 0)
        return;
    if (merged == 0) {
        fail_round(engine, now_ms);
        return;
    }
    commit(engine);
}

/* 1 if it ended. */
static int32_t end_session_if_due(fedn__reducer_engine *engine)
{
    fedn__reducer_session *session = &engine->session;
    char text[FEDN__REASON_TEXT];

    if (session->opened >= session->rounds && session->done > 0) {
        fedn__reducer_end_session(engine, FEDN__SESSION_FINISHED, "");
        return 1;
    }
    if (session->stopping) {
        fedn__reducer_end_session(engine, FEDN__SESSION_TERMINATED, session->message);
        return 1;
    }
    if (session->failures >= engine->settings.max_failures || session->opened >= session->rounds) {
        fedn__reducer_say(text, "%u rounds in a row failed: %.300s", (unsigned)session->failures,
                          engine->ended ? engine->ended->message : session->message);
        fedn__reducer_end_session(engine, FEDN__SESSION_FAILED, text);
        return 1;
    }
    return 0;
}

void fedn__reducer_advance(fedn__reducer_engine *engine, int64_t now_ms)
{
    if (engine->session.status != FEDN__SESSION_STARTED)
        return;
    if (engine->round && engine->round->state == FEDN__ROUND_WAITING)
        wait_for_combiners(engine, now_ms);
    else if (engine->round && engine->round->state == FEDN__ROUND_RUNNING)
        run_round(engine, now_ms);
    else if (engine->round && engine->commit_ms && now_ms >= engine->commit_ms)
        commit(engine);
    if (engine->round || end_session_if_due(engine))
        return;
    open_round(engine, now_ms);
    wait_for_combiners(engine, now_ms);
}
