/* SPDX-License-Identifier: Apache-2.0
 * How a session's rounds go: who is asked, how long the slow are waited for, and whether updates of
 * earlier models count. */
#ifndef FEDN__ROLES_REDUCER_PACE_H
#define FEDN__ROLES_REDUCER_PACE_H

#include "roles/reducer/trail.h"

/* A round starts from this model: it is the newest of the session. FEDN_ERR_NOMEM. */
fedn_status fedn__pace_note_model(fedn__course *course, const char *model_id);

/* The part of the order to a combiner that says so; `recent` and the course are pointed to. */
void fedn__pace_fill(const fedn__course *course, const json_t *config,
                     char *recent[FEDN__LIMIT_STALENESS + 1], Fedn__Tier__V1__RoundStart *start);

#endif
