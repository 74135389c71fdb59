/* SPDX-License-Identifier: Apache-2.0
 * The combiner's engine: one update from its announcement to its answer. */
#include "roles/combiner/engine_state.h"

#include <stdio.h>
#include <string.h>

void fedn__combiner_state_reply(fedn__combiner_engine *engine, uint64_t call, int32_t how,
                                const char *text)
{
    if (call == 0)
        return;
    fedn__combiner_action *action = fedn__combiner_state_act(engine, FEDN__COMBINER_REPLY);
    action->token = call;
    action->ok = how;
    action->text = text;
}

/* What is wrong with where it started from; NULL: nothing. */
static const char *wrong_base(fedn__combiner_engine *engine, const fedn__announcement *said)
{
    const fedn__round_plan *plan = &engine->plan;
    char *text = engine->text;

    if (plan->async) {
        if (fedn__combiner_state_staleness(engine, said->model_id) >= 0)
            return NULL;
        fedn__combiner_state_text(text,
                                  "it was trained from model %s, which is none of the %u newest",
                                  said->model_id, (unsigned)plan->recent_count);
        return text;
    }
    if (strcmp(said->model_id, plan->model_id) == 0)
        return NULL;
    fedn__combiner_state_text(text, "it was trained from model %s, round %s starts from %s",
                              said->model_id, plan->round_id, plan->model_id);
    return text;
}

/* Why an announced update cannot count, before its file is looked at; NULL if it may. */
static const char *objection(fedn__combiner_engine *engine, const fedn__announcement *said,
                             const fedn__participant *client)
{
    char *text = engine->text;
    const fedn__round_plan *plan = &engine->plan;

    if (engine->state != ROUND_COLLECTING) {
        fedn__combiner_state_text(text, "no round is collecting updates (round %s is over)",
                                  said->round_id ? said->round_id : "?");
        return text;
    }
    if (!plan->async && said->round_id && strcmp(said->round_id, plan->round_id) != 0) {
        fedn__combiner_state_text(text, "round %s is over, round %s is running", said->round_id,
                                  plan->round_id);
        return text;
    }
    if (said->session_id && strcmp(said->session_id, plan->session_id) != 0) {
        fedn__combiner_state_text(text, "session %s is not the running one", said->session_id);
        return text;
    }
    if (!client || client->outcome == FEDN__OUTCOME_NONE) {
        fedn__combiner_state_text(text, "client %s was not asked in round %s", said->client_id,
                                  plan->round_id);
        return text;
    }
    const char *base = wrong_base(engine, said);
    if (base)
        return base;
    if (client->outcome == FEDN__OUTCOME_ACCEPTED) {
        fedn__combiner_state_text(text, "client %s was counted in round %s already",
                                  said->client_id, plan->round_id);
        return text;
    }
    if (said->meta_error)
        return said->meta_error;
    if (!(said->num_examples > 0) || said->num_examples > FEDN__LIMIT_WEIGHT) {
        fedn__combiner_state_text(text, "num_examples %g is not above 0 and at most %g",
                                  said->num_examples, FEDN__LIMIT_WEIGHT);
        return text;
    }
    return said->upload_error;
}

/* The buffer is full, or will be once what is being checked is accepted. */
int32_t fedn__combiner_state_is_full(const fedn__combiner_engine *engine)
{
    return engine->plan.buffer_size > 0 &&
           engine->counts.accepted + engine->counts.checking >= (uint32_t)engine->plan.buffer_size;
}

/* With an upload_error there is nothing, or it is somebody else's, or it is being folded. */
static void drop(fedn__combiner_engine *engine, const fedn__announcement *said)
{
    if (!said->upload_error)
        fedn__combiner_state_act(engine, FEDN__COMBINER_DROP_UPDATE)->text = said->update_id;
}

/* A client that has no better outcome yet is refused; others keep theirs, and so does one whose
 * file has not come: it may still come. */
static void refuse(fedn__combiner_engine *engine, const fedn__announcement *said,
                   fedn__participant *client, const char *why, int64_t now_ms)
{
    int32_t of_this_round =
        why != said->upload_error && client && fedn__combiner_state_is_open(engine, client) &&
        (engine->plan.async || !said->round_id ||
         strcmp(said->round_id, engine->plan.round_id) == 0) &&
        client->outcome != FEDN__OUTCOME_ACCEPTED && client->outcome != FEDN__OUTCOME_CHECKING;

    if (of_this_round)
        fedn__combiner_state_outcome(engine, client, FEDN__OUTCOME_REFUSED, why, now_ms);
    fedn__combiner_state_reply(engine, said->call, FEDN__REPLY_REFUSED,
                               of_this_round ? client->reason : why);
    drop(engine, said);
}

/* The answer to its first announcement was lost: answer, but count nothing twice. 0: it is to be
 * looked at anew. */
static int32_t announced_again(fedn__combiner_engine *engine, const fedn__announcement *said,
                               fedn__participant *client)
{
    int32_t counted = client->outcome == FEDN__OUTCOME_ACCEPTED;

    if (client->parked)
        return 0; /* another one of this client's counts */
    if (!counted && client->outcome != FEDN__OUTCOME_CHECKING)
        return 0;
    if (said->digest && memcmp(said->digest, client->digest, sizeof client->digest) != 0) {
        fedn__combiner_state_text(engine->text, "update %s is here with other bytes",
                                  said->update_id);
        fedn__combiner_state_reply(engine, said->call, FEDN__REPLY_REFUSED, engine->text);
    } else if (counted) {
        fedn__combiner_state_reply(engine, said->call, FEDN__REPLY_COUNTED, NULL);
    } else {
        fedn__combiner_state_reply(engine, client->reply, FEDN__REPLY_REFUSED,
                                   "the update was announced again");
        client->reply = said->call;
    }
    if (counted)
        drop(engine, said); /* it may have come along once more */
    return 1;
}

static int32_t is_awaiting_model(const fedn__combiner_engine *engine,
                                 const fedn__announcement *said)
{
    return engine->state == ROUND_FETCHING && engine->restored &&
           (!said->round_id || strcmp(said->round_id, engine->plan.round_id) == 0);
}

/* An event of one client, after which the round may be over. */
static fedn_status begin_settling(fedn__combiner_engine *engine)
{
    fedn_status rc =
        fedn__combiner_state_begin(engine, engine->asked_count + 6 * engine->parked + 12);

    return rc == FEDN_OK
               ? fedn__combiner_state_room(engine, engine->asked_count + engine->parked + 1)
               : rc;
}

void fedn__combiner_state_note(fedn__participant *client, const fedn__announcement *said)
{
    /* what waited is announced by the client's own fields */
    if (client->update_id != said->update_id) {
        snprintf(client->update_id, sizeof client->update_id, "%s", said->update_id);
        snprintf(client->base_id, sizeof client->base_id, "%s", said->model_id);
        if (said->digest)
            memcpy(client->digest, said->digest, sizeof client->digest);
    }
    client->num_examples = said->num_examples;
    client->reply = said->call;
}

/* It counted in an earlier round, and its answer was lost. */
static int32_t counted_before(const fedn__announcement *said, const fedn__participant *client)
{
    return client->counted_id[0] && client->outcome != FEDN__OUTCOME_ACCEPTED &&
           strcmp(client->counted_id, said->update_id) == 0;
}

void fedn__combiner_state_update(fedn__combiner_engine *engine, int64_t now_ms,
                                 const fedn__announcement *said, fedn__participant *client)
{
    if (engine->plan.async && engine->state == ROUND_COLLECTING && client &&
        client->outcome == FEDN__OUTCOME_NONE && fedn__combiner_state_knows(engine, client))
        fedn__combiner_state_join(engine, client, now_ms);
    const char *why = objection(engine, said, client);
    if (!why && client->outcome == FEDN__OUTCOME_CHECKING)
        why = "another update of this client is being checked";
    if (!why && fedn__combiner_state_is_full(engine) && engine->plan.async) {
        fedn__combiner_state_park(engine, said, client);
        return;
    }
    if (!why && fedn__combiner_state_is_full(engine))
        why = "the round has the updates that it waits for";
    if (why) {
        refuse(engine, said, client, why, now_ms);
        return;
    }
    fedn__combiner_state_note(client, said);
    client->staleness =
        engine->plan.async ? (uint32_t)fedn__combiner_state_staleness(engine, said->model_id) : 0;
    client->stored = 0;
    fedn__combiner_state_outcome(engine, client, FEDN__OUTCOME_CHECKING, "", now_ms);
    fedn__combiner_state_act(engine, FEDN__COMBINER_FOLD)->client = client;
}

fedn_status fedn__combiner_engine_update(fedn__combiner_engine *engine, int64_t now_ms,
                                         const fedn__announcement *said)
{
    fedn__participant *client = fedn__roster_find(&engine->roster, said->client_id);

    if (begin_settling(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    if (client && client->update_id[0] && strcmp(client->update_id, said->update_id) == 0 &&
        announced_again(engine, said, client))
        return FEDN_OK;
    if (client && counted_before(said, client)) {
        fedn__combiner_state_reply(engine, said->call, FEDN__REPLY_COUNTED, NULL);
        drop(engine, said);
        return FEDN_OK;
    }
    if (engine->state == ROUND_CLOSING && client && client->outcome == FEDN__OUTCOME_CHECKING) {
        fedn__combiner_state_reply(engine, said->call, FEDN__REPLY_LATER,
                                   "another update of this client is being checked: try again");
        return FEDN_OK;
    }
    if (fedn__combiner_state_may_park(engine, said, client, now_ms)) {
        fedn__combiner_state_park(engine, said, client);
        return FEDN_OK;
    }
    if (is_awaiting_model(engine, said)) {
        fedn__combiner_state_reply(engine, said->call, FEDN__REPLY_LATER,
                                   "the round waits for its global model: try again");
        return FEDN_OK;
    }
    fedn__combiner_state_update(engine, now_ms, said, client);
    fedn__combiner_state_settle(engine, now_ms);
    return FEDN_OK;
}

/* Its check is over, and so is the wait of whoever announced it. */
static void conclude(fedn__combiner_engine *engine, fedn__participant *client, const char *error,
                     int64_t now_ms)
{
    fedn__combiner_state_outcome(engine, client,
                                 error ? FEDN__OUTCOME_REFUSED : FEDN__OUTCOME_ACCEPTED,
                                 error ? error : "", now_ms);
    if (!error) {
        fedn__combiner_state_time(engine, client);
        memcpy(client->counted_id, client->update_id, sizeof client->counted_id);
    }
    fedn__combiner_state_reply(engine, client->reply,
                               error ? FEDN__REPLY_REFUSED : FEDN__REPLY_COUNTED, client->reason);
    client->reply = 0;
    fedn__combiner_state_settle(engine, now_ms);
}

/* The client whose update this is, if the update is still being checked: it may be of a round that
 * was cancelled meanwhile. */
static fedn__participant *find_checking(const fedn__combiner_engine *engine, const char *client_id,
                                        const char *update_id)
{
    fedn__participant *client = fedn__roster_find(&engine->roster, client_id);

    return client && client->outcome == FEDN__OUTCOME_CHECKING &&
                   strcmp(client->update_id, update_id) == 0
               ? client
               : NULL;
}

fedn_status fedn__combiner_engine_folded(fedn__combiner_engine *engine, int64_t now_ms,
                                         const char *client_id, const char *update_id,
                                         const char *error)
{
    fedn__participant *client = find_checking(engine, client_id, update_id);

    if (!client)
        return FEDN_OK;
    if (begin_settling(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    if (error || client->stored)
        conclude(engine, client, error, now_ms);
    else
        fedn__combiner_state_act(engine, FEDN__COMBINER_JOURNAL)->client = client;
    return FEDN_OK;
}

fedn_status fedn__combiner_engine_journaled(fedn__combiner_engine *engine, int64_t now_ms,
                                            const char *client_id, const char *update_id)
{
    fedn__participant *client = find_checking(engine, client_id, update_id);

    if (!client)
        return FEDN_OK;
    if (begin_settling(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    client->stored = 1;
    conclude(engine, client, NULL, now_ms);
    return FEDN_OK;
}

fedn_status fedn__combiner_engine_task_failed(fedn__combiner_engine *engine, int64_t now_ms,
                                              const char *client_id, const char *task_id,
                                              const char *reason)
{
    fedn__participant *client = fedn__roster_find(&engine->roster, client_id);

    if (!client || !fedn__combiner_state_is_open(engine, client) ||
        (task_id && *task_id && strcmp(task_id, client->task_id) != 0) ||
        client->outcome == FEDN__OUTCOME_ACCEPTED || client->outcome == FEDN__OUTCOME_CHECKING)
        return FEDN_OK;
    if (begin_settling(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    fedn__combiner_state_outcome(engine, client, FEDN__OUTCOME_FAILED, reason, now_ms);
    fedn__combiner_state_settle(engine, now_ms);
    return FEDN_OK;
}

void fedn__combiner_engine_call_gone(fedn__combiner_engine *engine, const char *client_id,
                                     uint64_t call)
{
    fedn__participant *client = fedn__roster_find(&engine->roster, client_id);

    if (client && client->reply == call)
        client->reply = 0;
}
