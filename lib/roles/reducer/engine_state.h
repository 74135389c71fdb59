/* SPDX-License-Identifier: Apache-2.0
 * What the files of the reducer's engine share. */
#ifndef FEDN__ROLES_REDUCER_ENGINE_STATE_H
#define FEDN__ROLES_REDUCER_ENGINE_STATE_H

#include "roles/reducer/engine.h"

#define HELD_MOST 8 /* rounds of a greeting that are looked at */

/* All memory that an event may need is got by fedn__reducer_prepare() before anything changes; what
 * follows cannot fail. */
struct fedn__reducer_engine {
    fedn__reducer_settings settings;
    fedn__reducer_combiner **combiners;
    uint32_t combiner_count;
    uint64_t attachments; /* counted, so that each has a number of its own */

    fedn__reducer_session session; /* status Created: there was none yet */
    fedn__reducer_round *round;    /* the present one; NULL between rounds */
    fedn__reducer_round *ended;    /* the one before */
    fedn__reducer_round *spare;    /* for the next */
    uint64_t next_round;
    int64_t commit_ms; /* when a commit that found no room is tried again; 0: none waits */
    int64_t await_ms;  /* until then a round waits for those that were there before; 0: no more */

    fedn__reducer_action *actions; /* a ring */
    uint64_t action_capacity;
    uint64_t action_first;
    uint64_t action_count;
};

fedn_status fedn__reducer_prepare(fedn__reducer_engine *engine);
/* NULL: none. */
fedn__reducer_combiner *fedn__reducer_find(const fedn__reducer_engine *engine, const char *name);
/* The combiner of that name, a new one if need be. */
fedn_status fedn__reducer_know(fedn__reducer_engine *engine, const char *name,
                               fedn__reducer_combiner **ret);
fedn__reducer_action *fedn__reducer_act(fedn__reducer_engine *engine, int32_t type);
void fedn__reducer_say(char text[FEDN__REASON_TEXT], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Whatever follows from the state at `now`: a round begins, ends, a session ends. */
void fedn__reducer_advance(fedn__reducer_engine *engine, int64_t now_ms);
/* The part of a combiner in a running round; NULL: none. */
fedn__reducer_part *fedn__reducer_find_part(fedn__reducer_engine *engine,
                                            const fedn__reducer_combiner *combiner);
/* Which part of the open round has that partial; NULL: none. */
fedn__reducer_part *fedn__reducer_find_partial(fedn__reducer_engine *engine, const char *id);
/* The part is to be worked on (again): its combiner is told once it has clients enough. */
void fedn__reducer_ask(fedn__reducer_engine *engine, fedn__reducer_part *part, int64_t now_ms);
/* Its partial is to be merged. */
void fedn__reducer_merge(fedn__reducer_engine *engine, fedn__reducer_part *part);
/* A round begins in what prepare() got. */
fedn__reducer_round *fedn__reducer_begin_round(fedn__reducer_engine *engine, uint64_t id,
                                               uint32_t number, int64_t now_ms);
/* When a combiner that is at work has had its time. */
int64_t fedn__reducer_part_due(const fedn__reducer_engine *engine, const fedn__reducer_part *part);
void fedn__reducer_fail_part(fedn__reducer_engine *engine, fedn__reducer_part *part,
                             const char *reason);
void fedn__reducer_end_round(fedn__reducer_engine *engine, int64_t now_ms, int32_t state,
                             const char *message);
void fedn__reducer_end_session(fedn__reducer_engine *engine, int32_t status, const char *message);
/* Tells whoever is at work, and was due by then, that the round is over. */
void fedn__reducer_cancel_parts(fedn__reducer_engine *engine, int64_t due_ms, const char *reason);

#endif
