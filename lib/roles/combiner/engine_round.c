/* SPDX-License-Identifier: Apache-2.0
 * The combiner's engine: one round from its start to its report. */
#include "roles/combiner/engine_state.h"

#include "core/alloc.h"
#include <stdio.h>
#include <string.h>

#define CANCELLED "the round was cancelled"

int32_t fedn__combiner_state_is_open(const fedn__combiner_engine *engine,
                                     const fedn__participant *client)
{
    return engine->state == ROUND_COLLECTING && client->outcome != FEDN__OUTCOME_NONE;
}

/* Which of the counts an outcome belongs to. */
static uint32_t *count_of(fedn__combiner_counts *counts, int32_t outcome)
{
    switch (outcome) {
    case FEDN__OUTCOME_PENDING:
        return &counts->pending;
    case FEDN__OUTCOME_CHECKING:
        return &counts->checking;
    case FEDN__OUTCOME_ACCEPTED:
        return &counts->accepted;
    case FEDN__OUTCOME_REFUSED:
        return &counts->refused;
    default:
        return &counts->failed;
    }
}

void fedn__combiner_state_outcome(fedn__combiner_engine *engine, fedn__participant *client,
                                  int32_t outcome, const char *reason, int64_t now_ms)
{
    if (client->outcome != FEDN__OUTCOME_NONE)
        --*count_of(&engine->counts, client->outcome);
    client->outcome = outcome;
    ++*count_of(&engine->counts, outcome);
    client->answered_at_ms = now_ms;
    fedn__combiner_state_text(client->reason, "%s", reason);
    fedn__combiner_state_act(engine, FEDN__COMBINER_PROGRESS);
}

/* Nobody takes part any more; the plan stays for what still refers to it. */
static void forget_clients(fedn__combiner_engine *engine)
{
    for (uint32_t i = 0; i < engine->asked_count; i++) {
        fedn__participant *client = engine->asked[i];
        client->outcome = FEDN__OUTCOME_NONE;
        client->stored = 0;
        client->reason[0] = 0;
        if (client->parked)
            continue; /* it answers the next round */
        /* its update_id stays: a DROP_UPDATE may point there */
        client->reply = 0;
    }
    engine->asked_count = 0;
    memset(&engine->counts, 0, sizeof engine->counts);
    engine->error[0] = 0;
}

/* What is being checked counts no more, and whoever waits for it is told. At most 2 per asked
 * client. */
static void dismiss(fedn__combiner_engine *engine, const char *why, int64_t now_ms)
{
    for (uint32_t i = 0; i < engine->asked_count; i++) {
        fedn__participant *client = engine->asked[i];
        if (client->outcome != FEDN__OUTCOME_CHECKING)
            continue;
        fedn__combiner_state_outcome(engine, client, FEDN__OUTCOME_REFUSED, why, now_ms);
        fedn__combiner_state_reply(engine, client->reply, 0, why);
        client->reply = 0;
    }
}

static int32_t is_running(const fedn__combiner_engine *engine, const char *session_id,
                          const char *round_id)
{
    return engine->state != ROUND_NONE && strcmp(engine->plan.session_id, session_id) == 0 &&
           strcmp(engine->plan.round_id, round_id) == 0;
}

fedn_status fedn__combiner_engine_round_start(fedn__combiner_engine *engine, int64_t now_ms,
                                              fedn__round_plan *plan)
{
    if (is_running(engine, plan->session_id, plan->round_id))
        return FEDN_OK; /* told twice */
    if (fedn__combiner_state_begin(engine, 2 * (engine->asked_count + engine->parked) + 3) !=
        FEDN_OK)
        return FEDN_ERR_NOMEM;
    fedn__combiner_state_carry(engine, plan);
    if (engine->state != ROUND_NONE && engine->state != ROUND_REPORTED) {
        dismiss(engine, CANCELLED, now_ms);
        fedn__combiner_state_act(engine, FEDN__COMBINER_ABANDON);
    }
    engine->restored = engine->restored_closed = 0;
    engine->gathering = 0;
    forget_clients(engine);
    if (strcmp(engine->plan.session_id, plan->session_id) != 0)
        engine->times_count = 0;
    fedn__round_plan_done(&engine->plan);
    engine->plan = *plan;
    memset(plan, 0, sizeof *plan);
    engine->state = ROUND_FETCHING;
    engine->deadline_ms = now_ms + engine->plan.timeout_ms;
    fedn__combiner_state_act(engine, FEDN__COMBINER_FETCH_MODEL)->text = engine->plan.model_id;
    return FEDN_OK;
}

fedn_status fedn__combiner_engine_round_cancel(fedn__combiner_engine *engine, int64_t now_ms,
                                               const char *session_id, const char *round_id)
{
    if (!is_running(engine, session_id, round_id))
        return FEDN_OK;
    if (fedn__combiner_state_begin(engine, 2 * (engine->asked_count + engine->parked) + 1) !=
        FEDN_OK)
        return FEDN_ERR_NOMEM;
    dismiss(engine, CANCELLED, now_ms);
    fedn__combiner_state_unpark(engine, CANCELLED);
    fedn__combiner_state_act(engine, FEDN__COMBINER_ABANDON);
    forget_clients(engine);
    engine->state = ROUND_NONE;
    return FEDN_OK;
}

int64_t fedn__combiner_state_deadline(const fedn__combiner_engine *engine)
{
    int32_t has_some = engine->counts.accepted + engine->counts.checking > 0;

    if (engine->state == ROUND_FETCHING)
        return engine->restored ? INT64_MAX : engine->deadline_ms;
    if (engine->state != ROUND_COLLECTING)
        return INT64_MAX;
    return has_some && engine->straggler_ms < engine->deadline_ms ? engine->straggler_ms
                                                                  : engine->deadline_ms;
}

/* The round ends without a partial. The clients stay until the next round: the report reads them.
 */
static void give_up(fedn__combiner_engine *engine, const char *error, int64_t now_ms)
{
    fedn__combiner_state_text(engine->error, "%s", error);
    fedn__combiner_state_act(engine, FEDN__COMBINER_ABANDON);
    fedn__combiner_state_act(engine, FEDN__COMBINER_REPORT)->text = engine->error;
    engine->state = ROUND_NONE;
    engine->ended_ms = now_ms;
}

void fedn__combiner_state_send_task(fedn__combiner_engine *engine, fedn__participant *client)
{
    client->reopened = 0;
    fedn__combiner_state_act(engine, FEDN__COMBINER_SEND_TASK)->client = client;
}

static void ask(fedn__combiner_engine *engine, fedn__participant *client, int64_t now_ms,
                fedn__id_fn ids, void *ids_data)
{
    engine->counts.asked++;
    engine->counts.pending++;
    client->outcome = FEDN__OUTCOME_PENDING;
    if (client->carried) {
        client->carried = 0;
        if (client->reopened && client->stream)
            fedn__combiner_state_send_task(engine, client); /* it may be another process by now */
        return;
    }
    client->asked_at_ms = now_ms;
    client->answered_at_ms = now_ms;
    client->reply = 0;
    client->num_examples = 0;
    client->update_id[0] = 0;
    client->stored = 0;
    client->reason[0] = 0;
    memcpy(client->session_id, engine->plan.session_id, sizeof client->session_id);
    ids(client->task_id, ids_data);
    fedn__combiner_state_send_task(engine, client);
}

fedn_status fedn__combiner_state_room(fedn__combiner_engine *engine, uint32_t count)
{
    if (count <= engine->asked_capacity)
        return FEDN_OK;
    fedn__participant **asked = fedn__realloc_array(engine->asked, count, sizeof *engine->asked);
    if (!asked)
        return FEDN_ERR_NOMEM;
    engine->asked = asked;
    engine->asked_capacity = count;
    return FEDN_OK;
}

fedn_status fedn__combiner_state_model_ready(fedn__combiner_engine *engine, int64_t now_ms,
                                             const char *model_id, const char *error,
                                             fedn__id_fn ids, void *ids_data)
{
    char text[FEDN__REASON_BYTES];

    if (engine->state != ROUND_FETCHING || strcmp(engine->plan.model_id, model_id) != 0)
        return FEDN_OK;
    if (error) {
        give_up(engine, error, now_ms);
        return FEDN_OK;
    }
    if (fedn__combiner_state_room(engine, engine->roster.count) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    if (engine->restored) {
        fedn__combiner_state_resume(engine, now_ms);
        return FEDN_OK;
    }
    fedn_status rc = fedn__combiner_state_choose(engine, text);
    engine->gathering = rc == FEDN_ERR_UNAVAILABLE;
    if (engine->gathering)
        return FEDN_OK;
    if (rc != FEDN_OK) {
        give_up(engine, text, now_ms);
        return FEDN_OK;
    }
    engine->state = ROUND_COLLECTING;
    engine->straggler_ms = fedn__combiner_state_straggler(engine, now_ms);
    (void)fedn__combiner_state_act(engine, FEDN__COMBINER_BEGIN);
    for (uint32_t i = 0; i < engine->asked_count; i++)
        ask(engine, engine->asked[i], now_ms, ids, ids_data);
    fedn__combiner_state_act(engine, FEDN__COMBINER_PROGRESS);
    fedn__combiner_state_take_parked(engine, now_ms);
    return FEDN_OK;
}

fedn_status fedn__combiner_engine_begin_failed(fedn__combiner_engine *engine, int64_t now_ms,
                                               const char *round_id, const char *error)
{
    int32_t collects = engine->state == ROUND_COLLECTING || engine->state == ROUND_CLOSING;

    if (!collects || strcmp(engine->plan.round_id, round_id) != 0)
        return FEDN_OK;
    if (fedn__combiner_state_begin(engine, 2 * engine->asked_count + 2) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    dismiss(engine, "the round has failed", now_ms);
    give_up(engine, error, now_ms);
    return FEDN_OK;
}

void fedn__combiner_state_deadline_passed(fedn__combiner_engine *engine, int64_t now_ms)
{
    if (now_ms < fedn__combiner_state_deadline(engine))
        return;
    if (engine->state == ROUND_FETCHING)
        give_up(engine,
                engine->gathering ? "clients whose stream was cut did not come back in time"
                                  : "the global model did not arrive within the round's time",
                now_ms);
    if (engine->state == ROUND_COLLECTING)
        engine->state = ROUND_CLOSING; /* what is being checked is still counted */
}

static void summary(const fedn__combiner_engine *engine, char *text, size_t bytes)
{
    uint32_t lost = 0;

    for (uint32_t i = 0; i < engine->asked_count; i++)
        lost += engine->asked[i]->outcome == FEDN__OUTCOME_LOST ||
                engine->asked[i]->outcome == FEDN__OUTCOME_LATE;
    snprintf(text, bytes, "no update of %u clients counts: %u refused, %u failed, %u lost or late",
             (unsigned)engine->counts.asked, (unsigned)engine->counts.refused,
             (unsigned)(engine->counts.failed - lost), (unsigned)lost);
}

static const char *late_reason(const fedn__combiner_engine *engine, int32_t full, int64_t now_ms)
{
    if (full)
        return "the round had enough updates before";
    return now_ms < engine->deadline_ms ? "slower than the stragglers' bound, from earlier rounds"
                                        : "no answer within round_timeout";
}

void fedn__combiner_state_settle(fedn__combiner_engine *engine, int64_t now_ms)
{
    char text[FEDN__REASON_BYTES];
    int32_t full = engine->plan.buffer_size > 0 &&
                   engine->counts.accepted >= (uint32_t)engine->plan.buffer_size;

    if (engine->state != ROUND_COLLECTING && engine->state != ROUND_CLOSING)
        return;
    if (engine->state == ROUND_COLLECTING && !fedn__combiner_state_is_full(engine))
        fedn__combiner_state_take_parked(engine, now_ms);
    if (engine->state == ROUND_COLLECTING && engine->counts.pending > 0 && !full)
        return;
    if (engine->counts.checking > 0)
        return;
    for (uint32_t i = 0; i < engine->asked_count && !engine->plan.async; i++)
        if (engine->asked[i]->outcome == FEDN__OUTCOME_PENDING)
            fedn__combiner_state_outcome(engine, engine->asked[i], FEDN__OUTCOME_LATE,
                                         late_reason(engine, full, now_ms), now_ms);
    if (engine->counts.accepted == 0) {
        summary(engine, text, sizeof text);
        give_up(engine, text, now_ms);
        return;
    }
    engine->state = ROUND_SAVING;
    fedn__combiner_state_act(engine, FEDN__COMBINER_SAVE);
}

fedn_status fedn__combiner_engine_saved(fedn__combiner_engine *engine, int64_t now_ms,
                                        const char *round_id, const char *error)
{
    if (engine->state != ROUND_SAVING || strcmp(engine->plan.round_id, round_id) != 0)
        return FEDN_OK;
    if (fedn__combiner_state_begin(engine, 2) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    if (error) {
        give_up(engine, error, now_ms);
        return FEDN_OK;
    }
    fedn__combiner_state_act(engine, FEDN__COMBINER_REPORT);
    engine->state = ROUND_REPORTED;
    engine->ended_ms = now_ms;
    return FEDN_OK;
}

fedn_status fedn__combiner_engine_report_taken(fedn__combiner_engine *engine, const char *round_id)
{
    if (engine->state != ROUND_REPORTED || strcmp(engine->plan.round_id, round_id) != 0)
        return FEDN_OK;
    if (fedn__combiner_state_begin(engine, 1) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    fedn__combiner_state_act(engine, FEDN__COMBINER_FORGET);
    engine->state = ROUND_NONE;
    return FEDN_OK;
}
