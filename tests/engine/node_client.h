/* SPDX-License-Identifier: Apache-2.0
 * A client: its engine in a shell of the simulator. */
#ifndef SIMULATE_NODE_CLIENT_H
#define SIMULATE_NODE_CLIENT_H

#include "world.h"

void client_start(world *w, uint32_t node);
void client_crash(world *w, uint32_t node);
void client_free(world *w, uint32_t node);
void client_message(world *w, uint32_t wire, const message *what);
void client_closed(world *w, uint32_t wire);
/* The reducer has answered a request for a combiner; NOBODY: none takes clients. */
void client_assigned(world *w, uint32_t node, uint32_t combiner);

#endif
