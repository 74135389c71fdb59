/* SPDX-License-Identifier: Apache-2.0
 * The combiner's engine: a round that an earlier process began goes on. */
#include "roles/combiner/engine_state.h"

#include "core/alloc.h"
#include <stdio.h>
#include <string.h>

/* Clients that dial again after a pause of their own, see client.reconnect_max_ms, are not lost. */
#define RETURN_MS 30000

static fedn_status take_client(fedn__combiner_engine *engine, int64_t now_ms,
                               const char session_id[FEDN__UUID_TEXT],
                               const fedn__restored_client *known)
{
    fedn__participant *client = NULL;

    fedn_status rc = fedn__roster_join(&engine->roster, known->client_id, known->name, &client);
    if (rc != FEDN_OK)
        return rc;
    fedn__roster_seen(&engine->roster, client, now_ms + RETURN_MS);
    engine->asked[engine->asked_count++] = client;
    engine->counts.asked++;
    client->asked_at_ms = client->answered_at_ms = now_ms;
    memcpy(client->session_id, session_id, sizeof client->session_id);
    snprintf(client->task_id, sizeof client->task_id, "%s", known->task_id);
    if (!known->update_id) {
        client->outcome = FEDN__OUTCOME_PENDING;
        engine->counts.pending++;
        return FEDN_OK;
    }
    client->outcome = known->folded ? FEDN__OUTCOME_ACCEPTED : FEDN__OUTCOME_CHECKING;
    ++*(known->folded ? &engine->counts.accepted : &engine->counts.checking);
    client->stored = 1;
    client->num_examples = known->num_examples;
    memcpy(client->digest, known->digest, sizeof client->digest);
    snprintf(client->counted_id, sizeof client->counted_id, "%s", known->update_id);
    snprintf(client->base_id, sizeof client->base_id, "%s", known->base_id ? known->base_id : "");
    snprintf(client->update_id, sizeof client->update_id, "%s", known->update_id);
    return FEDN_OK;
}

fedn_status fedn__combiner_engine_restore(fedn__combiner_engine *engine, int64_t now_ms,
                                          fedn__round_plan *plan,
                                          const fedn__restored_client *clients, uint32_t count)
{
    fedn_status rc = fedn__combiner_state_begin(engine, 1);

    if (rc == FEDN_OK)
        rc = fedn__combiner_state_room(engine, count);
    for (uint32_t i = 0; rc == FEDN_OK && i < count; i++)
        rc = take_client(engine, now_ms, plan->session_id, &clients[i]);
    if (rc != FEDN_OK)
        return rc;
    engine->plan = *plan;
    memset(plan, 0, sizeof *plan);
    engine->state = ROUND_FETCHING;
    engine->restored = 1;
    engine->deadline_ms = now_ms + engine->plan.timeout_ms;
    engine->straggler_ms = INT64_MAX;
    fedn__combiner_state_act(engine, FEDN__COMBINER_FETCH_MODEL)->text = engine->plan.model_id;
    return FEDN_OK;
}

void fedn__combiner_engine_restore_closed(fedn__combiner_engine *engine)
{
    engine->restored_closed = 1;
}

fedn_status fedn__combiner_engine_restore_counted(fedn__combiner_engine *engine,
                                                  const char *client_id, const char *update_id)
{
    fedn__participant *client = NULL;
    fedn_status rc = fedn__roster_join(&engine->roster, client_id, "", &client);

    if (rc == FEDN_OK && !client->counted_id[0])
        snprintf(client->counted_id, sizeof client->counted_id, "%s", update_id);
    return rc;
}

void fedn__combiner_state_resume(fedn__combiner_engine *engine, int64_t now_ms)
{
    int32_t closed = engine->restored_closed;

    engine->restored = engine->restored_closed = 0;
    engine->state = closed ? ROUND_CLOSING : ROUND_COLLECTING;
    fedn__combiner_state_act(engine, FEDN__COMBINER_BEGIN)->ok = 1;
    for (uint32_t i = 0; i < engine->asked_count; i++) {
        fedn__participant *client = engine->asked[i];
        if (client->outcome == FEDN__OUTCOME_CHECKING) {
            int32_t staleness = fedn__combiner_state_staleness(engine, client->base_id);
            client->staleness = staleness > 0 ? (uint32_t)staleness : 0;
            fedn__combiner_state_act(engine, FEDN__COMBINER_FOLD)->client = client;
        } else if (client->asleep)
            fedn__combiner_state_outcome(engine, client, FEDN__OUTCOME_LOST, "not seen any more",
                                         now_ms);
        else if (client->stream && !closed)
            fedn__combiner_state_send_task(engine, client);
    }
    fedn__combiner_state_act(engine, FEDN__COMBINER_PROGRESS);
    if (!closed)
        fedn__combiner_state_take_parked(engine, now_ms);
    fedn__combiner_state_settle(engine, now_ms);
}
