/* SPDX-License-Identifier: Apache-2.0
 * The newest events as lines of JSON, kept for readers that wait for the next one. Any thread. */
#ifndef FEDN__ROLES_REDUCER_EVENTS_H
#define FEDN__ROLES_REDUCER_EVENTS_H

#include "core/json.h"

typedef struct fedn__events fedn__events;

fedn_status fedn__events_new(fedn__events **ret, fedn_error *err);
void fedn__events_free(fedn__events *events); /* no readers any more; NULL allowed */

/* Adds "seq" and "time", takes `event` over. When memory runs out the event is lost: readers see a
 * gap in the numbers. `session_id` NULL: of no session. */
void fedn__events_add(fedn__events *events, const char *session_id, json_t *event);
/* A line (with its line feed) that is not kept: numbered as the last one. NULL out of memory. */
char *fedn__events_line(uint64_t seq, json_t *event);
uint64_t fedn__events_last(fedn__events *events); /* number of the newest; 0: none */
/* Waits for the first event after *after that is the session's or of none (`session_id` NULL:
 * any), at most until the deadline. *ret is the caller's; *after moves on. FEDN_ERR_TIMEOUT;
 * FEDN_ERR_LIMIT: events after *after are kept no longer; FEDN_ERR_CANCELLED: closed;
 * FEDN_ERR_NOMEM. */
fedn_status fedn__events_wait(fedn__events *events, const char *session_id, int64_t deadline_ns,
                              uint64_t *after, char **ret);
void fedn__events_close(fedn__events *events); /* wakes every reader */

#endif
