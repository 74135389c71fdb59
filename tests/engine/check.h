/* SPDX-License-Identifier: Apache-2.0
 * What must hold, whatever happens. */
#ifndef SIMULATE_CHECK_H
#define SIMULATE_CHECK_H

#include "world.h"

/* A combiner has told a client that its update counts. */
void check_acknowledged(world *w, uint32_t combiner, uint32_t content);
/* The reducer has opened a round, durably or not yet. */
void check_round_opened(world *w, uint32_t session, uint32_t round, uint32_t model);
/* These are durable: a new model with its round; a round that ended without one. */
void check_committed(world *w, uint32_t round, uint32_t model, const contents *sum);
void check_round_ended(world *w, uint32_t round, const char *reason);
/* What became of one combiner's part of a round: merged, or why not. */
void check_part(world *w, uint32_t round, uint32_t combiner, int32_t merged, const char *reason);
/* The reducer tells a combiner that its part of a round is not waited for any more. */
void check_cancelled(world *w, uint32_t round, uint32_t combiner, const char *reason);
/* After everything: every acknowledged update counts, or its round or part failed and says why. */
void check_end(world *w);

#endif
