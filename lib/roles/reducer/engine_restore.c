/* SPDX-License-Identifier: Apache-2.0
 * The reducer's engine: a session that an earlier process began goes on. */
#include "roles/reducer/engine_state.h"

#include "core/error.h"
#include "core/text.h"
#include <stdio.h>
#include <string.h>

static fedn_status check_parts(const fedn__restored_part *parts, uint32_t count, fedn_error *err)
{
    if (count > FEDN__LIMIT_COMBINERS)
        return fedn__error(err, FEDN_ERR_INVALID, "%u combiners of a round are over %d",
                           (unsigned)count, FEDN__LIMIT_COMBINERS);
    for (uint32_t i = 0; i < count; i++) {
        const fedn__restored_part *part = &parts[i];
        if (!fedn__text_is_name(part->combiner, FEDN__LIMIT_NAME_BYTES) ||
            part->state < FEDN__PART_ASKED || part->state > FEDN__PART_NONE)
            return fedn__error(err, FEDN_ERR_INVALID, "part %u of a round is malformed",
                               (unsigned)i + 1);
    }
    return FEDN_OK;
}

/* All that were there before; each is given its time to come back. */
static fedn_status know_all(fedn__reducer_engine *engine, int64_t now_ms,
                            const fedn__restored_part *parts, uint32_t count)
{
    fedn__reducer_combiner *combiner = NULL;

    for (uint32_t i = 0; i < count; i++) {
        if (fedn__reducer_know(engine, parts[i].combiner, &combiner) != FEDN_OK)
            return FEDN_ERR_NOMEM;
        combiner->gone_ms = now_ms;
        combiner->awaited = 1;
    }
    return FEDN_OK;
}

static void take_part(fedn__reducer_engine *engine, int64_t now_ms,
                      const fedn__restored_part *known)
{
    fedn__reducer_round *round = engine->round;
    fedn__reducer_part *part = &round->parts[round->count++];

    memset(part, 0, sizeof *part);
    part->combiner = fedn__reducer_find(engine, known->combiner);
    fedn__reducer_ask(engine, part, now_ms);
    part->expected = known->expected;
    part->accepted = known->accepted;
    part->refused = known->refused;
    part->failed = known->failed;
    fedn__reducer_say(part->error, "%s", known->error);
    snprintf(part->partial_id, sizeof part->partial_id, "%s", known->partial_id);
    if (known->state == FEDN__PART_FAILED)
        part->state = FEDN__PART_FAILED;
    else if (known->state != FEDN__PART_ASKED) {
        part->state = FEDN__PART_MERGING;
        part->restored = 1;
        part->place = known->place;
        if (round->places < part->place)
            round->places = part->place;
    }
}

/* In the order of the first time, so that the same sums come out to the last bit. */
static fedn__reducer_part *next_to_merge(fedn__reducer_round *round)
{
    fedn__reducer_part *next = NULL;

    for (uint32_t i = 0; i < round->count; i++) {
        fedn__reducer_part *part = &round->parts[i];
        if (part->state == FEDN__PART_MERGING && !part->told &&
            (!next || part->place < next->place))
            next = part;
    }
    return next;
}

static void take_round(fedn__reducer_engine *engine, int64_t now_ms,
                       const fedn__reducer_round *known, const fedn__restored_part *parts,
                       uint32_t count)
{
    fedn__reducer_round *round =
        fedn__reducer_begin_round(engine, known->id, known->number, now_ms);

    if (engine->next_round <= known->id)
        engine->next_round = known->id + 1;
    snprintf(round->model_id, sizeof round->model_id, "%s", known->model_id);
    fedn__reducer_act(engine, FEDN__REDUCER_ROUND_RESUMED)->round = round;
    if (known->state == FEDN__ROUND_WAITING)
        return;
    round->state = FEDN__ROUND_RUNNING;
    round->deadline_ms += engine->settings.grace_ms;
    for (uint32_t i = 0; i < count; i++)
        if (parts[i].state != FEDN__PART_NONE && round->count < round->capacity)
            take_part(engine, now_ms, &parts[i]);
    for (fedn__reducer_part *part = next_to_merge(round); part; part = next_to_merge(round)) {
        part->told = 1;
        fedn__reducer_merge(engine, part);
    }
}

fedn_status fedn__reducer_engine_restore(fedn__reducer_engine *engine, int64_t now_ms,
                                         const fedn__reducer_session *session,
                                         const fedn__reducer_round *round,
                                         const fedn__restored_part *parts, uint32_t count,
                                         fedn_error *err)
{
    fedn_status rc = check_parts(parts, count, err);

    if (rc != FEDN_OK)
        return rc;
    if (know_all(engine, now_ms, parts, count) != FEDN_OK ||
        fedn__reducer_prepare(engine) != FEDN_OK)
        return fedn__error_nomem(err);
    engine->session = *session;
    engine->session.status = FEDN__SESSION_STARTED;
    engine->session.met = count > 0;
    engine->await_ms = now_ms + engine->settings.gone_ms;
    if (round)
        take_round(engine, now_ms, round, parts, count);
    if (session->stopping && round)
        return fedn__reducer_engine_stop(engine, now_ms, session->session_id, session->message);
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}
