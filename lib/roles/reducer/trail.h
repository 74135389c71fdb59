/* SPDX-License-Identifier: Apache-2.0
 * The documents of a session: records of models, rounds, runs and events, built from the engine's
 * view. Nothing here waits or writes; NULL means out of memory. */
#ifndef FEDN__ROLES_REDUCER_TRAIL_H
#define FEDN__ROLES_REDUCER_TRAIL_H

#include "core/json.h"
#include "fedn_tier.pb-c.h"
#include "roles/reducer/engine.h"

/* What belongs to the session that runs, besides the engine's own. */
typedef struct fedn__course {
    json_t *session;    /* its record */
    json_t *run;        /* the record of this start */
    json_t *client_ids; /* the only clients to ask; NULL: all */
    json_t *recent;     /* ids of its models, newest first, as many as may count */
    json_t *combiners;  /* names of those that were asked last; NULL: none were */
    char *prefix;       /* of model names; NULL: none */
    uint64_t named;     /* models of the session so far */
    char run_id[FEDN__UUID_TEXT];
    /* of the present round */
    json_t *round_config;
    json_t *task; /* the same as clients get it, every value a text */
    char *task_text;
    json_t *entries; /* by combiner: what it reported */
    double merging;  /* seconds */
    double committing;
} fedn__course;

void fedn__course_done(fedn__course *course);

#define FEDN__ROUND_ID_TEXT 24
void fedn__trail_round_id(uint64_t round, char text[FEDN__ROUND_ID_TEXT]);

json_t *fedn__trail_session(const char *session_id, const char *name, const json_t *config);
json_t *fedn__trail_run(const fedn__course *course, const fedn__reducer_session *session);
json_t *fedn__trail_model(const char *model_id, const char *name, const char *parent,
                          const char *session_id);
/* A combiner's part of the round record, from its report. */
json_t *fedn__trail_entry(const Fedn__Tier__V1__RoundReport *report, const char *combiner,
                          const json_t *task);
json_t *fedn__trail_round(const fedn__course *course, const fedn__reducer_round *round,
                          int32_t state);

/* Events of the stream, without number and time. */
json_t *fedn__trail_session_event(const fedn__course *course, const fedn__reducer_session *session);
/* The same of a session's record. */
json_t *fedn__trail_recorded_event(const json_t *record, uint64_t rounds_done);
json_t *fedn__trail_round_event(const fedn__reducer_session *session,
                                const fedn__reducer_round *round, int64_t now_ms);
json_t *fedn__trail_combiner_event(const fedn__reducer_combiner *combiner);
/* From a validation's record. */
json_t *fedn__trail_validation_event(const json_t *validation, const char *round_id);
/* A client has answered; its data as the text that it sent, null if that is long. */
json_t *fedn__trail_prediction_event(const json_t *prediction);

#endif
