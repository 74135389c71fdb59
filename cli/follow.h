/* SPDX-License-Identifier: Apache-2.0
 * The reducer's events over as many connections as it takes. */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include <fedn/fedn.h>
#include <jansson.h>

/* Takes an event, as text and parsed. FEDN_OK to go on; CANCELLED, EXISTS or PROTOCOL end it all.
 * A "hello" numbered 0 begins with the state of everything: what was known before is out of date.
 */
typedef fedn_status (*follow_fn)(const char *text, const json_t *event, void *user_data);

typedef struct follow_plan {
    const char *session_id; /* NULL: all */
    uint64_t after;         /* number of the last event that is not wanted */
    uint32_t reconnect_s;   /* how long a reducer that went away is dialled again; 0: not at all */
    const int32_t *over;    /* set by fn: what may still come is not worth a new connection */
    follow_fn fn;
    void *user_data;
} follow_plan;

/* Returns what fn returned; FEDN_ERR_UNAVAILABLE or FEDN_ERR_TIMEOUT when the reducer was not there
 * at first, or went away and did not come back in time. That it went away is said once on stderr.
 */
fedn_status follow_events(fedn_control *control, const follow_plan *plan, fedn_error *err);

#endif
