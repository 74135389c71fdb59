/* SPDX-License-Identifier: Apache-2.0
 * The reducer's rules, pure: which combiners there are, the one session that runs, its rounds, what
 * is merged and when a round is over. No thread, file, clock or random source. */
#ifndef FEDN__ROLES_REDUCER_ENGINE_H
#define FEDN__ROLES_REDUCER_ENGINE_H

#include "core/limits.h"
#include "core/uuid.h"

enum { FEDN__REASON_TEXT = 384 };

enum {
    FEDN__SESSION_CREATED,
    FEDN__SESSION_STARTED,
    FEDN__SESSION_FINISHED,
    FEDN__SESSION_TERMINATED,
    FEDN__SESSION_FAILED
};

enum {
    FEDN__ROUND_WAITING, /* for a combiner with enough clients */
    FEDN__ROUND_RUNNING, /* combiners are at work, or their partials are being merged */
    FEDN__ROUND_COMMITTING,
    FEDN__ROUND_FINISHED,
    FEDN__ROUND_FAILED,
    FEDN__ROUND_TERMINATED
};

enum {
    FEDN__PART_ASKED,
    FEDN__PART_MERGING, /* its partial is being checked and merged */
    FEDN__PART_MERGED,
    FEDN__PART_FAILED, /* with a reason */
    FEDN__PART_NONE    /* of a restored combiner: it was there, and has no part in the round */
};

typedef struct fedn__reducer_settings {
    uint64_t first_round;  /* number of the next round of all sessions */
    int64_t grace_ms;      /* after a round's time-out, for reports on their way */
    int64_t gone_ms;       /* a combiner whose link is cut for longer loses the round */
    uint32_t max_failures; /* rounds failed in a row that end a session */
} fedn__reducer_settings;

typedef struct fedn__reducer_combiner {
    char name[FEDN__LIMIT_NAME_BYTES + 1];
    char combiner_id[FEDN__LIMIT_ID_BYTES + 1];
    char link_id[FEDN__LIMIT_ID_BYTES + 1];
    uint64_t attachment; /* which Attach stream carries it; 0: none does */
    int64_t gone_ms;     /* since when none does */
    uint32_t active;
    uint32_t max_clients;
    uint32_t promised;  /* clients sent there since it last said how many are active */
    int64_t patient_ms; /* until then a round waits for its report beyond the time-out */
    int32_t awaited;    /* it was there before the reducer's restart, and has its time to return */
} fedn__reducer_combiner;

typedef struct fedn__reducer_part {
    fedn__reducer_combiner *combiner;
    int32_t state;
    int32_t told;      /* the combiner has the order, or will have it by its link */
    int32_t restored;  /* its partial is merged again after a restart */
    uint32_t restarts; /* times that its combiner came back without memory of the link */
    int64_t due_ms;    /* when it is to have reported */
    uint32_t place;    /* of its partial in the order of merging, from 1; 0: nothing to merge */
    uint32_t expected, accepted, refused, failed;
    char partial_id[FEDN__UUID_TEXT]; /* "": none */
    char error[FEDN__REASON_TEXT];
} fedn__reducer_part;

typedef struct fedn__reducer_round {
    uint64_t id;     /* of all sessions */
    uint32_t number; /* of this session, from 1 */
    int32_t state;
    int64_t began_ms;    /* when it was opened, then when combiners were asked */
    int64_t deadline_ms; /* of waiting, then of running */
    int64_t ended_ms;
    char model_id[FEDN__UUID_TEXT]; /* trained from, then the new one */
    char message[FEDN__REASON_TEXT];
    uint32_t places; /* in the order of merging, so far */
    uint32_t count;
    uint32_t capacity;
    fedn__reducer_part parts[];
} fedn__reducer_round;

typedef struct fedn__reducer_session {
    char session_id[FEDN__LIMIT_ID_BYTES + 1];
    char model_id[FEDN__UUID_TEXT]; /* newest of the session, at first its seed */
    uint32_t rounds;
    int64_t round_timeout_ms;
    uint32_t clients_required;
    int32_t validate;
    /* the engine's own */
    int32_t status;
    int32_t stopping;
    int32_t met;     /* a combiner has worked for it: it waits for one without end */
    uint32_t opened; /* rounds begun */
    uint32_t done;   /* rounds committed */
    uint32_t failures;
    char message[FEDN__REASON_TEXT];
} fedn__reducer_session;

enum {
    FEDN__REDUCER_NOTHING,
    FEDN__REDUCER_ROUND_OPENED,    /* record it; get ready to merge */
    FEDN__REDUCER_ROUND_RESUMED,   /* it is recorded already; get ready to merge */
    FEDN__REDUCER_ROUND_CHANGED,   /* counts, state */
    FEDN__REDUCER_ROUND_ENDED,     /* record it */
    FEDN__REDUCER_SESSION_CHANGED, /* record it */
    FEDN__REDUCER_SEND_START,      /* combiner */
    FEDN__REDUCER_SEND_CANCEL,     /* combiner, round_id; text: reason */
    FEDN__REDUCER_SEND_VALIDATE,   /* combiner; text: model */
    FEDN__REDUCER_MERGE,           /* part; text: partial */
    FEDN__REDUCER_DROP,            /* text: partial that is not wanted */
    FEDN__REDUCER_COMMIT,          /* finish the aggregate and record model, session, round; last:
                                      no round follows */
    FEDN__REDUCER_COMBINER_CHANGED /* combiner */
};

/* Pointers are valid until the next event. */
typedef struct fedn__reducer_action {
    int32_t type;
    int32_t last;
    uint32_t part;
    uint64_t round_id; /* to cancel: it may be of a session that is over */
    const fedn__reducer_combiner *combiner;
    const fedn__reducer_round *round;
    char text[FEDN__REASON_TEXT];
} fedn__reducer_action;

typedef struct fedn__reducer_hello {
    const char *name;
    const char *combiner_id;
    const char *link_id;
    uint32_t protocol;
    uint32_t max_clients;
    const char *const *held; /* rounds it still has, as text */
    uint64_t held_count;
} fedn__reducer_hello;

typedef struct fedn__reducer_report {
    uint64_t round;
    const char *partial_id; /* checked UUID text or "" */
    const char *error;
    uint32_t expected, accepted, refused, failed;
} fedn__reducer_report;

enum { FEDN__TIER_PROTOCOL = 1 };

typedef struct fedn__reducer_engine fedn__reducer_engine;

fedn_status fedn__reducer_engine_new(const fedn__reducer_settings *settings,
                                     fedn__reducer_engine **ret, fedn_error *err);
void fedn__reducer_engine_free(fedn__reducer_engine *engine); /* NULL allowed */

/* Events. Each returns FEDN_OK or FEDN_ERR_NOMEM (nothing has changed), or what is said at it. */

/* A combiner opened a link. *ret_resumed: its numbering goes on. FEDN_ERR_INVALID, FEDN_ERR_EXISTS,
 * FEDN_ERR_LIMIT: it is refused, the text says why. */
fedn_status fedn__reducer_engine_attach(fedn__reducer_engine *engine, int64_t now_ms,
                                        const fedn__reducer_hello *hello,
                                        fedn__reducer_combiner **ret, int32_t *ret_resumed,
                                        fedn_error *err);
/* That attachment ended; an older one than the present is ignored. */
fedn_status fedn__reducer_engine_detach(fedn__reducer_engine *engine, int64_t now_ms,
                                        fedn__reducer_combiner *combiner, uint64_t attachment);
fedn_status fedn__reducer_engine_roster(fedn__reducer_engine *engine, int64_t now_ms,
                                        fedn__reducer_combiner *combiner, uint32_t active);
fedn_status fedn__reducer_engine_progress(fedn__reducer_engine *engine, int64_t now_ms,
                                          fedn__reducer_combiner *combiner,
                                          const fedn__reducer_report *report);
/* It began (running 1) or ended an upload: a round does not end under a partial on its way. */
fedn_status fedn__reducer_engine_upload(fedn__reducer_engine *engine, int64_t now_ms,
                                        fedn__reducer_combiner *combiner, int32_t running);
/* *ret_taken: 0 it is of a round that is over or was reported before. It is to be recorded before
 * it is acknowledged, with the part's place in the order of merging; a partial is to outlive its
 * merge until the round's end is recorded. */
fedn_status fedn__reducer_engine_report(fedn__reducer_engine *engine, int64_t now_ms,
                                        fedn__reducer_combiner *combiner,
                                        const fedn__reducer_report *report, int32_t *ret_taken);
/* The partial of a part was merged (status FEDN_OK) or not. */
fedn_status fedn__reducer_engine_merged(fedn__reducer_engine *engine, int64_t now_ms,
                                        uint64_t round, uint32_t part, fedn_status status,
                                        const char *text);
fedn_status fedn__reducer_engine_committed(fedn__reducer_engine *engine, int64_t now_ms,
                                           uint64_t round, fedn_status status, const char *model_id,
                                           const char *text);
/* The first six members of `session` count. FEDN_ERR_STATE: one runs already. */
fedn_status fedn__reducer_engine_start(fedn__reducer_engine *engine, int64_t now_ms,
                                       const fedn__reducer_session *session, fedn_error *err);

/* What the records say of a combiner: its part in the open round, or that it was there. */
typedef struct fedn__restored_part {
    const char *combiner; /* its name */
    int32_t state;        /* FEDN__PART_...; what was merged is merged again */
    uint32_t place;       /* as it was in the part, as are the others */
    uint32_t expected, accepted, refused, failed;
    const char *partial_id;
    const char *error;
} fedn__restored_part;

/* Goes on with a session after a restart, first of all events. Of `session` all members count, of
 * `round` (NULL: none was open) its id, number, model_id, and whether it was waiting. What was
 * reported is merged in its order; who was asked is told again once attached with clients enough,
 * unless it holds the round; times begin anew. A round that is not running yet waits for those
 * that were there before, `gone_ms` at most. FEDN_ERR_INVALID: the parts cannot be. */
fedn_status fedn__reducer_engine_restore(fedn__reducer_engine *engine, int64_t now_ms,
                                         const fedn__reducer_session *session,
                                         const fedn__reducer_round *round,
                                         const fedn__restored_part *parts, uint32_t count,
                                         fedn_error *err);

/* FEDN_ERR_NOT_FOUND: this session does not run. */
fedn_status fedn__reducer_engine_stop(fedn__reducer_engine *engine, int64_t now_ms,
                                      const char *session_id, const char *why);
fedn_status fedn__reducer_engine_tick(fedn__reducer_engine *engine, int64_t now_ms);

/* 1 and the next action, or 0. */
int32_t fedn__reducer_engine_next(fedn__reducer_engine *engine, fedn__reducer_action *ret);
int64_t fedn__reducer_engine_deadline(const fedn__reducer_engine *engine);

/* Where a new client goes: `preferred` if it accepts, else the one with the fewest active clients;
 * NULL: none accepts. */
fedn__reducer_combiner *fedn__reducer_engine_choose(fedn__reducer_engine *engine,
                                                    const char *preferred);

/* What is there; valid until the next event. Session and round stay visible after their end. */
const fedn__reducer_session *fedn__reducer_engine_session(const fedn__reducer_engine *engine);
const fedn__reducer_round *fedn__reducer_engine_round(const fedn__reducer_engine *engine);
fedn__reducer_combiner *fedn__reducer_engine_combiner(const fedn__reducer_engine *engine,
                                                      uint32_t index); /* NULL at the end */
int32_t fedn__reducer_engine_is_running(const fedn__reducer_engine *engine);

const char *fedn__session_status(int32_t status); /* "Started" */
const char *fedn__round_status(int32_t state);    /* as the round's record says it */

#endif
