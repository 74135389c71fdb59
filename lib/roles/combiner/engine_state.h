/* SPDX-License-Identifier: Apache-2.0
 * The inside of the combiner's engine, shared by its two files and nobody else. */
#ifndef FEDN__ROLES_COMBINER_ENGINE_STATE_H
#define FEDN__ROLES_COMBINER_ENGINE_STATE_H

#include "roles/combiner/engine.h"

enum {
    ROUND_NONE,
    ROUND_FETCHING,
    ROUND_COLLECTING,
    ROUND_CLOSING,
    ROUND_SAVING,
    ROUND_REPORTED /* and the report is not acknowledged */
};

#define MOST_MODEL_TASKS 16

enum { FEDN__TIMES = 512 };

struct fedn__combiner_engine {
    fedn__combiner_settings settings;
    fedn__roster roster;

    int32_t state;
    fedn__round_plan plan; /* of the present round, or of the last one */
    int64_t deadline_ms;
    int64_t straggler_ms;        /* from then on it waits for nobody; INT64_MAX: never */
    uint32_t times[FEDN__TIMES]; /* ring: how many ms updates took in this session */
    uint32_t times_count;        /* ever */
    int32_t restored;            /* it goes on after a restart, and waits for its model */
    int32_t restored_closed;     /* and takes no more updates */
    int32_t gathering;           /* it has its model, and waits for clients that may come back */
    fedn__participant **asked;
    uint32_t asked_count;
    uint32_t asked_capacity;
    uint32_t parked;  /* clients with an update that waits for the next asynchronous round */
    int64_t ended_ms; /* the last round */
    fedn__combiner_counts counts;
    char error[FEDN__REASON_BYTES]; /* why the round failed as a whole; "" if it did not */

    fedn__model_task *waiting[MOST_MODEL_TASKS]; /* for their model */
    uint32_t waiting_count;
    fedn__model_task *spent[MOST_MODEL_TASKS]; /* actions still point to them */
    uint32_t spent_count;

    fedn__combiner_action *actions; /* ring */
    uint32_t action_capacity;
    uint32_t action_head;
    uint32_t action_count;
    char text[FEDN__REASON_BYTES]; /* of an answer to somebody who is no client */
};

/* Begins an event that will add at most `actions`: after it nothing fails for want of memory. The
 * ring never shrinks, so that an event of a round that has begun finds its room already made. */
fedn_status fedn__combiner_state_begin(fedn__combiner_engine *engine, uint32_t actions);
fedn__combiner_action *fedn__combiner_state_act(fedn__combiner_engine *engine, int32_t type);
/* A text with foreign parts: cut to the bound between characters, and one line. */
void fedn__combiner_state_text(char text[FEDN__REASON_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void fedn__combiner_state_reply(fedn__combiner_engine *engine, uint64_t call, int32_t how,
                                const char *text);
void fedn__combiner_state_outcome(fedn__combiner_engine *engine, fedn__participant *client,
                                  int32_t outcome, const char *reason, int64_t now_ms);
/* Its task of the present round. */
void fedn__combiner_state_send_task(fedn__combiner_engine *engine, fedn__participant *client);
/* Ends the round if nothing more is to be waited for. At most 3 actions and one per asked client.
 */
void fedn__combiner_state_settle(fedn__combiner_engine *engine, int64_t now_ms);
/* The round's part of the events of the same names. */
fedn_status fedn__combiner_state_model_ready(fedn__combiner_engine *engine, int64_t now_ms,
                                             const char *model_id, const char *error,
                                             fedn__id_fn ids, void *ids_data);
/* When the round waits no longer; INT64_MAX: it does not wait for time. */
int64_t fedn__combiner_state_deadline(const fedn__combiner_engine *engine);
void fedn__combiner_state_deadline_passed(fedn__combiner_engine *engine, int64_t now_ms);
/* engine_ask.c: whom a round asks, and how long it waits for them. `asked` has room for all who are
 * online. There are fewer than it needs, the text says so: FEDN_ERR_UNAVAILABLE with those whose
 * stream is cut, which may come back, there were enough; FEDN_ERR_NOT_FOUND not even with them. */
fedn_status fedn__combiner_state_choose(fedn__combiner_engine *engine,
                                        char text[FEDN__REASON_BYTES]);
/* Looks again if a round waits for clients that may come back. At most 1 action. */
void fedn__combiner_state_gather(fedn__combiner_engine *engine);
void fedn__combiner_state_time(fedn__combiner_engine *engine, const fedn__participant *client);
int64_t fedn__combiner_state_straggler(const fedn__combiner_engine *engine, int64_t now_ms);
/* Room for so many in `asked`. */
fedn_status fedn__combiner_state_room(fedn__combiner_engine *engine, uint32_t count);
int32_t fedn__combiner_state_is_full(const fedn__combiner_engine *engine);
/* What it says is what the client waits with. */
void fedn__combiner_state_note(fedn__participant *client, const fedn__announcement *said);
/* An announcement whose event has begun; see there. */
void fedn__combiner_state_update(fedn__combiner_engine *engine, int64_t now_ms,
                                 const fedn__announcement *said, fedn__participant *client);

/* engine_async.c. How many models ago: 0 the newest; -1: too many, or another session's. */
int32_t fedn__combiner_state_staleness(const fedn__combiner_engine *engine, const char *model_id);
/* Before a round with this plan takes the place of the present one: who still trains, does. */
void fedn__combiner_state_carry(fedn__combiner_engine *engine, const fedn__round_plan *plan);
/* This combiner has asked it in this session: what it was asked elsewhere may have counted there.
 */
int32_t fedn__combiner_state_knows(const fedn__combiner_engine *engine,
                                   const fedn__participant *client);
/* An update that comes between two rounds waits for the next one. */
int32_t fedn__combiner_state_may_park(const fedn__combiner_engine *engine,
                                      const fedn__announcement *said,
                                      const fedn__participant *client, int64_t now_ms);
void fedn__combiner_state_park(fedn__combiner_engine *engine, const fedn__announcement *said,
                               fedn__participant *client);
int64_t fedn__combiner_state_park_deadline(const fedn__combiner_engine *engine);
/* At most two actions for each that waits. */
void fedn__combiner_state_unpark(fedn__combiner_engine *engine, const char *why);
/* What waited is looked at as if it came now: at most five actions for each. */
void fedn__combiner_state_take_parked(fedn__combiner_engine *engine, int64_t now_ms);
/* One that was not asked takes part: it answers an earlier round. There must be room. */
void fedn__combiner_state_join(fedn__combiner_engine *engine, fedn__participant *client,
                               int64_t now_ms);

/* engine_restore.c: the model of a restored round has come. At most 2 actions a client. */
void fedn__combiner_state_resume(fedn__combiner_engine *engine, int64_t now_ms);
/* The client is taking part in a round that still runs. */
int32_t fedn__combiner_state_is_open(const fedn__combiner_engine *engine,
                                     const fedn__participant *client);

#endif
