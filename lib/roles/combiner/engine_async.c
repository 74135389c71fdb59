/* SPDX-License-Identifier: Apache-2.0
 * The combiner's engine: sessions in which clients train at their own pace (FedBuff, Nguyen et al.
 * 2022). A round is a buffer: it ends when buffer_size updates count, whoever still trains goes on,
 * and its update counts in a later round with its staleness. */
#include "roles/combiner/engine_state.h"

#include <string.h>

/* How long an update waits for the next round of its session; FEDn's clients wait as long. */
#define PARK_MS 30000

int32_t fedn__combiner_state_staleness(const fedn__combiner_engine *engine, const char *model_id)
{
    for (uint32_t i = 0; i < engine->plan.recent_count; i++)
        if (strcmp(engine->plan.recent[i], model_id) == 0)
            return (int32_t)i;
    return -1;
}

/* The next round of the same asynchronous session, and not one that starts over. */
static int32_t continues(const fedn__combiner_engine *engine, const fedn__round_plan *plan)
{
    return plan->async && engine->plan.async &&
           strcmp(engine->plan.session_id, plan->session_id) == 0;
}

/* Walks over everybody: the awake, then the asleep. */
static fedn__participant *next_client(const fedn__combiner_engine *engine,
                                      const fedn__participant *client)
{
    if (!client)
        return engine->roster.lists[0].oldest ? engine->roster.lists[0].oldest
                                              : engine->roster.lists[1].oldest;
    if (client->newer)
        return client->newer;
    return client->asleep ? NULL : engine->roster.lists[1].oldest;
}

void fedn__combiner_state_carry(fedn__combiner_engine *engine, const fedn__round_plan *plan)
{
    if (!continues(engine, plan)) {
        fedn__combiner_state_unpark(engine, "another session has begun");
        for (fedn__participant *c = next_client(engine, NULL); c; c = next_client(engine, c))
            c->carried = 0;
        return;
    }
    for (uint32_t i = 0; i < engine->asked_count; i++) {
        fedn__participant *client = engine->asked[i];
        client->carried = client->outcome == FEDN__OUTCOME_PENDING && !client->asleep;
    }
}

void fedn__combiner_state_park(fedn__combiner_engine *engine, const fedn__announcement *said,
                               fedn__participant *client)
{
    if (client->parked)
        fedn__combiner_state_reply(engine, client->reply, FEDN__REPLY_LATER,
                                   "the client has announced an update once more");
    if (!client->parked)
        engine->parked++;
    client->parked = 1;
    client->carried = 0;
    fedn__combiner_state_note(client, said);
}

int32_t fedn__combiner_state_knows(const fedn__combiner_engine *engine,
                                   const fedn__participant *client)
{
    return strcmp(client->session_id, engine->plan.session_id) == 0;
}

int32_t fedn__combiner_state_may_park(const fedn__combiner_engine *engine,
                                      const fedn__announcement *said,
                                      const fedn__participant *client, int64_t now_ms)
{
    if (!engine->plan.async || !client || !fedn__combiner_state_knows(engine, client) ||
        said->meta_error || said->upload_error ||
        (said->session_id && strcmp(said->session_id, engine->plan.session_id) != 0))
        return 0;
    if (engine->state == ROUND_NONE || engine->state == ROUND_REPORTED)
        return now_ms < engine->ended_ms + PARK_MS;
    return engine->state != ROUND_COLLECTING;
}

int64_t fedn__combiner_state_park_deadline(const fedn__combiner_engine *engine)
{
    int32_t between = engine->state == ROUND_NONE || engine->state == ROUND_REPORTED;

    return engine->parked > 0 && between ? engine->ended_ms + PARK_MS : INT64_MAX;
}

void fedn__combiner_state_unpark(fedn__combiner_engine *engine, const char *why)
{
    fedn__participant *client = NULL;

    while (engine->parked > 0 && (client = next_client(engine, client)) != NULL) {
        if (!client->parked)
            continue;
        client->parked = 0;
        engine->parked--;
        fedn__combiner_state_reply(engine, client->reply, FEDN__REPLY_REFUSED, why);
        fedn__combiner_state_act(engine, FEDN__COMBINER_DROP_UPDATE)->text = client->update_id;
        client->reply = 0;
    }
}

void fedn__combiner_state_join(fedn__combiner_engine *engine, fedn__participant *client,
                               int64_t now_ms)
{
    engine->asked[engine->asked_count++] = client;
    engine->counts.asked++;
    engine->counts.pending++;
    client->outcome = FEDN__OUTCOME_PENDING;
    client->asked_at_ms = now_ms;
    client->answered_at_ms = now_ms;
    client->stored = 0;
    client->reason[0] = 0;
}

void fedn__combiner_state_take_parked(fedn__combiner_engine *engine, int64_t now_ms)
{
    fedn__participant *client = NULL;

    while (engine->parked > 0 && (client = next_client(engine, client)) != NULL) {
        if (!client->parked)
            continue;
        const fedn__announcement said = {.call = client->reply,
                                         .client_id = client->id,
                                         .update_id = client->update_id,
                                         .model_id = client->base_id,
                                         .num_examples = client->num_examples,
                                         .digest = client->digest};
        client->parked = 0;
        engine->parked--;
        client->reply = 0;
        fedn__combiner_state_update(engine, now_ms, &said, client);
    }
}
