/* SPDX-License-Identifier: Apache-2.0
 * What an aggregator keeps from round to round, in a file named by the run and by the model that
 * was made with it: so the model that a round starts from says which state it goes on with,
 * whatever happened in between. */
#ifndef FEDN__ROLES_REDUCER_KEEPSAKE_H
#define FEDN__ROLES_REDUCER_KEEPSAKE_H

#include "aggregate/aggregator.h"
#include "core/uuid.h"

typedef struct fedn__keepsake {
    const char *dir; /* borrowed */
    char run_id[FEDN__UUID_TEXT];
    char model_id[FEDN__UUID_TEXT]; /* whose state the aggregator has; "": nobody knows */
} fedn__keepsake;

void fedn__keepsake_init(fedn__keepsake *self, const char *dir);
/* Another aggregator, of this run. */
void fedn__keepsake_session(fedn__keepsake *self, const char *run_id);
/* A round was begun with this model: the aggregator gets the state that the model was made with; in
 * a run's first round it starts anew. Files of other models and runs are removed, since this model
 * is in the trail. */
fedn_status fedn__keepsake_use(fedn__keepsake *self, fedn_aggregator *aggregator,
                               const char *model_id, int32_t is_first, fedn_error *err);
/* The round is about to be finished, which moves the state: if that comes to nothing, the next
 * round begins with what was stored. */
void fedn__keepsake_move(fedn__keepsake *self);
/* The round is finished: durably, before its model is. May be tried again. */
fedn_status fedn__keepsake_store(fedn__keepsake *self, fedn_aggregator *aggregator,
                                 const char *model_id, fedn_error *err);

#endif
