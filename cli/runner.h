/* SPDX-License-Identifier: Apache-2.0
 * Running a program for a task, and ending it when the task is no longer wanted. */
#ifndef CLI_RUNNER_H
#define CLI_RUNNER_H

#include <fedn/error.h>

typedef struct runner_command runner_command;

/* Splits "PROGRAM ARG..." at blanks; '...', "..." and \ quote, nothing else is special: no shell
 * is run. */
fedn_status runner_split(const char *text, runner_command **ret, fedn_error *err);
/* "bash -c SCRIPT"; the arguments of its runs are the script's "$@". */
fedn_status runner_shell(const char *script, runner_command **ret, fedn_error *err);
/* FEDN_ERR_NOT_FOUND: its program is neither a file that may be run nor one on the PATH. */
fedn_status runner_find(const runner_command *command, fedn_error *err);
void runner_free(runner_command *command); /* NULL allowed */

typedef struct runner_call {
    const char *const *args; /* behind the command's own words; NULL at the end */
    const char *const *env;  /* "NAME=value" besides our own environment; NULL at the end */
    int cancel_fd;           /* becomes readable when the program is to be ended; -1: never */
    int32_t kill_after_ms;   /* from SIGTERM to SIGKILL; 0: 5000 */
} runner_call;

/* Runs it to its end; its output goes to our stderr. FEDN_ERR_CALLBACK: it could not be started or
 * failed (the text has the last line it wrote to its stderr); FEDN_ERR_CANCELLED: it was ended,
 * by SIGTERM, then by SIGKILL. */
fedn_status runner_run(const runner_command *command, const runner_call *call, fedn_error *err);

#endif
