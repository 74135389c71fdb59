/* SPDX-License-Identifier: Apache-2.0
 * Command lines: which command, its words and options; properties as options. */
#ifndef CLI_OPT_H
#define CLI_OPT_H

#include "cli.h"

/* Fills in `cli` from the words behind the program's name: file, then environment, then options.
 * Every failure is the caller's mistake, and its text says which. */
fedn_status opt_parse(cli_line *cli, int argc, char **argv, fedn_error *err);
/* The command of a noun and a verb (NULL: none given); a failure suggests the nearest. */
fedn_status opt_find_command(const char *noun, const char *verb, const cli_command **ret,
                             fedn_error *err);
/* 1 if a command has this noun. */
int32_t opt_is_noun(const char *noun);
/* "session.round_timeout" as "--round-timeout" (or "--session-round-timeout" if `whole`). */
void opt_name(const char *property, int32_t whole, char *text, size_t bytes);

#endif
