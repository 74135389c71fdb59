/* SPDX-License-Identifier: Apache-2.0
 * Following the reducer's events: one line per round. */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include "cli.h"

typedef struct watch_settings {
    const char *session_id; /* until this one's end; NULL: all sessions, without an end */
    int32_t until_finished; /* without a session: until the end of the one that runs, or the next */
    uint32_t until_clients; /* end when so many clients are there; 0: no matter */
    uint64_t after;         /* sequence number of the last event that is not wanted */
    uint32_t reconnect_s;   /* how long a reducer that went away is dialled again */
    int32_t quiet;          /* print nothing but the end */
    int32_t json;           /* print the events instead */
    int32_t validates;      /* the session validates: its last results are waited for */
} watch_settings;

#define WATCH_RECONNECT                                                                            \
    {                                                                                              \
        "reconnect-s", "N", "look N seconds for a reducer that went away (300)"                    \
    }
/* The value of that option. */
fedn_status watch_reconnect(const cli_line *cli, uint32_t *ret_s, fedn_error *err);

/* Prints what happens until the session ends: FEDN_OK it finished, FEDN_ERR_STATE it did not (the
 * text says why), FEDN_ERR_UNAVAILABLE the reducer went away for good. */
fedn_status watch_run(const cli_line *cli, const watch_settings *settings, fedn_error *err);
/* The sequence number of the newest event. */
fedn_status watch_newest(fedn_control *control, uint64_t *ret, fedn_error *err);
/* FEDN_OK for "Finished", FEDN_ERR_STATE for the other ends, FEDN_ERR_TIMEOUT for a status that is
 * no end. */
fedn_status watch_verdict(const char *session_id, const char *status, const char *message,
                          fedn_error *err);

#endif
