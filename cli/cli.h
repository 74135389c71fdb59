/* SPDX-License-Identifier: Apache-2.0
 * fednctl: one invocation, the table of commands, and what all commands use. */
#ifndef CLI_H
#define CLI_H

#include <fedn/fedn.h>
#include <jansson.h>

enum {
    CLI_ARGS = 8,     /* words after the command */
    CLI_OPTIONS = 12, /* a command's own options */
    CLI_PREFIXES = 3,
};

/* Exit codes; the manual page lists them. */
enum {
    CLI_EXIT_OK = 0,
    CLI_EXIT_FAILED = 1,
    CLI_EXIT_USAGE = 2,
    CLI_EXIT_NOT_FOUND = 3,
    CLI_EXIT_UNAVAILABLE = 4,
    CLI_EXIT_DENIED = 5,
};

typedef struct cli_line cli_line;

typedef struct cli_option {
    const char *name;  /* without dashes; NULL ends the list */
    const char *value; /* what stands behind it, "FILE"; NULL: a switch */
    const char *doc;
} cli_option;

typedef struct cli_command {
    const char *noun;
    const char *verb; /* "": the noun is the whole command */
    const char *args; /* "FILE", "[SESSION]" */
    int32_t least, most;
    const char *doc;
    fedn_status (*run)(cli_line *cli, fedn_error *err);
    const char *prefixes[CLI_PREFIXES]; /* of properties whose options have a short form */
    const cli_option *options;
} cli_command;

struct cli_line {
    const cli_command *command;
    fedn_config *config;
    const char *config_file;
    const char
        *values[CLI_OPTIONS]; /* of the command's own options; "" for a switch; NULL: absent */
    const char *args[CLI_ARGS];
    int32_t arg_count;
    int32_t json;
    int32_t help;
};

extern const cli_command cli_commands[]; /* ends with a NULL noun */

/* The value of the command's own option, NULL if it was not given. */
const char *cli_value(const cli_line *cli, const char *name);
/* The same as a number from 0 to `max`; `otherwise` if it was not given. */
fedn_status cli_number(const cli_line *cli, const char *name, uint32_t max, uint32_t otherwise,
                       uint32_t *ret, fedn_error *err);

/* What a boolean property says, in any of the words that it may have. */
int32_t cli_is_true(const char *value);

fedn_status cli_error(fedn_error *err, fedn_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int32_t cli_exit_code(fedn_status status);

/* What the commands run. */
fedn_status cmd_reducer_start(cli_line *cli, fedn_error *err);
fedn_status cmd_combiner_start(cli_line *cli, fedn_error *err);
fedn_status cmd_combiner_list(cli_line *cli, fedn_error *err);
fedn_status cmd_client_start(cli_line *cli, fedn_error *err);
fedn_status cmd_model_push(cli_line *cli, fedn_error *err);
fedn_status cmd_model_pull(cli_line *cli, fedn_error *err);
fedn_status cmd_model_pin(cli_line *cli, fedn_error *err);
fedn_status cmd_model_unpin(cli_line *cli, fedn_error *err);
fedn_status cmd_session_start(cli_line *cli, fedn_error *err);
fedn_status cmd_session_show(cli_line *cli, fedn_error *err);
fedn_status cmd_session_stop(cli_line *cli, fedn_error *err);
fedn_status cmd_round_list(cli_line *cli, fedn_error *err);
fedn_status cmd_round_show(cli_line *cli, fedn_error *err);
fedn_status cmd_prediction_start(cli_line *cli, fedn_error *err);
fedn_status cmd_record_list(cli_line *cli, fedn_error *err);
fedn_status cmd_record_show(cli_line *cli, fedn_error *err);
fedn_status cmd_package_create(cli_line *cli, fedn_error *err);
fedn_status cmd_package_push(cli_line *cli, fedn_error *err);
fedn_status cmd_package_activate(cli_line *cli, fedn_error *err);
fedn_status cmd_run(cli_line *cli, fedn_error *err);
fedn_status cmd_status(cli_line *cli, fedn_error *err);
fedn_status cmd_watch(cli_line *cli, fedn_error *err);
fedn_status cmd_config_list(cli_line *cli, fedn_error *err);
fedn_status cmd_version(cli_line *cli, fedn_error *err);
fedn_status cmd_help(cli_line *cli, fedn_error *err);

extern const cli_option daemon_options[];
extern const cli_option client_options[];
extern const cli_option combiner_options[];
extern const cli_option list_options[];
extern const cli_option model_push_options[];
extern const cli_option model_pull_options[];
extern const cli_option session_start_options[];
extern const cli_option round_list_options[];
extern const cli_option prediction_start_options[];
extern const cli_option list_of_session_options[];
extern const cli_option list_of_client_options[];
extern const cli_option list_of_prediction_options[];
extern const cli_option package_create_options[];
extern const cli_option package_push_options[];
extern const cli_option run_options[];
extern const cli_option run_model_options[];
extern const cli_option watch_options[];
extern const cli_option config_options[];

#endif
