/* SPDX-License-Identifier: Apache-2.0
 * The reducer: its engine in a shell of the simulator. */
#ifndef SIMULATE_NODE_REDUCER_H
#define SIMULATE_NODE_REDUCER_H

#include "world.h"

void reducer_start(world *w);
void reducer_crash(world *w);
void reducer_free(world *w);
void reducer_message(world *w, uint32_t wire, const message *what);
void reducer_closed(world *w, uint32_t wire);
/* A client asks for a combiner. */
void reducer_assign(world *w, uint32_t client, uint32_t life);
/* What a user asks for; 0: it is not there, or has another session. */
int32_t reducer_begin_session(world *w, uint32_t session);
void reducer_end_session(world *w, uint32_t session);
/* What it says that it waits for. */
const char *reducer_message_text(const world *w);

#endif
