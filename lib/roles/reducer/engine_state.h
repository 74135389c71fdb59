/* SPDX-License-Identifier: Apache-2.0
 * What the files of the reducer's engine share. */
#ifndef FEDN__ROLES_REDUCER_ENGINE_STATE_H
#define FEDN__ROLES_REDUCER_ENGINE_STATE_H

#include "roles/reducer/engine.h"

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

    fedn__reducer_action *actions; /* a ring */
    uint64_t action_capacity;
    uint64_t action_first;
    uint64_t action_count;
};

fedn_status fedn__reducer_prepare(fedn__reducer_engine *engine);
fedn__reducer_action *fedn__reducer_act(fedn__reducer_engine *engine, int32_t type);
void fedn__reducer_say(char text[FEDN__REASON_TEXT], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Whatever follows from the state at `now`: a round begins, ends, a session ends. */
void fedn__reducer_advance(fedn__reducer_engine *engine, int64_t now_ms);
/* The part of a combiner in a running round; NULL: none. */
fedn__reducer_part *fedn__reducer_find_part(fedn__reducer_engine *engine,
                                            const fedn__reducer_combiner *combiner);
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
