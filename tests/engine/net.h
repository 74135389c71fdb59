/* SPDX-License-Identifier: Apache-2.0
 * Connections between nodes. What is on its way when one is cut may arrive or not; each end hears
 * of it in its own time. */
#ifndef SIMULATE_NET_H
#define SIMULATE_NET_H

#include "world.h"

/* End 0 has dialled, end 1 was dialled. */
typedef struct net_wire {
    uint32_t node[2];
    uint32_t life[2];
    int32_t closed[2];        /* that end knows, or has closed it */
    int64_t lost_after_ms[2]; /* what would reach that end later never does */
    int64_t last_ms[2];       /* arrival of the last message in order at that end */
} net_wire;

/* Never 0. What is sent to somebody who is not there comes back as a closed connection. */
uint32_t net_dial(world *w, uint32_t from, uint32_t to);
/* ordered: behind all that was sent in order before. */
void net_send(world *w, uint32_t wire, int32_t from_end, const message *what, int32_t ordered);
void net_answer(world *w, uint32_t wire, const message *call, fedn_status status, const char *text);
void net_cut(world *w, uint32_t wire);
/* By one end, which hears no more of it. */
void net_close(world *w, uint32_t wire, int32_t end);
/* All connections of a node that has died. */
void net_crash(world *w, uint32_t node);
int32_t net_is_open(const world *w, uint32_t wire, int32_t end);

#endif
