/* SPDX-License-Identifier: Apache-2.0
 * A combiner: its engine in a shell of the simulator. */
#ifndef SIMULATE_NODE_COMBINER_H
#define SIMULATE_NODE_COMBINER_H

#include "world.h"

void combiner_start(world *w, uint32_t node);
void combiner_crash(world *w, uint32_t node);
void combiner_free(world *w, uint32_t node);
void combiner_message(world *w, uint32_t wire, int32_t end, const message *what);
void combiner_closed(world *w, uint32_t wire, int32_t end);

#endif
