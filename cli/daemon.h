/* SPDX-License-Identifier: Apache-2.0
 * What a role needs to run as a process: signals, saying that it is ready, log lines. */
#ifndef CLI_DAEMON_H
#define CLI_DAEMON_H

#include "cli.h"

/* Takes SIGTERM, SIGINT and, unless it is ignored, SIGHUP to itself; before everything else. From
 * now on one of them ends the process at once. */
fedn_status daemon_begin(fedn_error *err);
/* It runs, until the first of them; the second one ends the process. */
void daemon_wait(void);
/* The same without waiting: the first one calls `stop` on another thread, before daemon_end(). */
void daemon_stop_on_signal(void (*stop)(void *handle), void *handle);
void daemon_end(void);
/* Writes "<line>" to stderr, the JSON into --port-file, a line to --ready-fd. Takes `ports`. */
fedn_status daemon_ready(const cli_line *cli, const char *line, json_t *ports, fedn_error *err);
/* A host that this machine can dial for a listening address: "0.0.0.0:0" gives "127.0.0.1". */
void daemon_host(const char *listen, char *host, size_t bytes);
/* A fedn_log_fn: time, level, component, text; to stderr. */
void daemon_log(int32_t level, const char *component, const char *message, void *user_data);

#endif
