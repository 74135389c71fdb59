/* SPDX-License-Identifier: Apache-2.0
 * What a role needs to run as a process: signals, saying that it is ready, log lines. */
#ifndef CLI_DAEMON_H
#define CLI_DAEMON_H

#include "cli.h"

/* Blocks SIGTERM and SIGINT in this thread and all that it will start; before everything else. */
void daemon_block_signals(void);
/* Waits for the first of them, then lets a second one end the process at once. */
fedn_status daemon_wait(fedn_error *err);
/* The same on a thread of its own, which calls `stop`; the thread lives as long as the process. */
fedn_status daemon_stop_on_signal(void (*stop)(void *handle), void *handle, fedn_error *err);
/* Writes "<line>" to stderr, the JSON into --port-file, a line to --ready-fd. Takes `ports`. */
fedn_status daemon_ready(const cli_line *cli, const char *line, json_t *ports, fedn_error *err);
/* A host that this machine can dial for a listening address: "0.0.0.0:0" gives "127.0.0.1". */
void daemon_host(const char *listen, char *host, size_t bytes);
/* A fedn_log_fn: time, level, component, text; to stderr. */
void daemon_log(int32_t level, const char *component, const char *message, void *user_data);

#endif
