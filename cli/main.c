/* SPDX-License-Identifier: Apache-2.0
 * fednctl: the table of commands, and from a failure to an exit code. */
#include "cli.h"
#include "opt.h"
#include "out.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
const cli_command cli_commands[] = {
    {"reducer", "start", "", 0, 0, "run the reducer: sessions, models, REST",
     cmd_reducer_start, {"reducer.", "log."}, daemon_options},
    {"combiner", "start", "", 0, 0, "run a combiner: serves clients, folds their updates",
     cmd_combiner_start, {"combiner.", "log."}, daemon_options},
    {"combiner", "list", "", 0, 0, "list the combiners and how many clients they serve",
     cmd_combiner_list, {"control."}, NULL},
    {"combiner", "show", "COMBINER", 1, 1, "show a combiner, by its id",
     cmd_record_show, {"control."}, NULL},
    {"client", "start", "", 0, 0, "run a client that hands each task to a program",
     cmd_client_start, {"client.", "log."}, client_options},
    {"client", "list", "", 0, 0, "list the clients",
     cmd_record_list, {"control."}, list_options},
    {"client", "show", "CLIENT", 1, 1, "show a client",
     cmd_record_show, {"control."}, NULL},
    {"model", "push", "FILE", 1, 1, "upload a model; it becomes the newest",
     cmd_model_push, {"control."}, model_push_options},
    {"model", "pull", "[MODEL]", 0, 1, "download a model, the newest by default",
     cmd_model_pull, {"control."}, model_pull_options},
    {"model", "list", "", 0, 0, "list the trail of models, newest first",
     cmd_record_list, {"control."}, list_of_session_options},
    {"model", "show", "MODEL", 1, 1, "show what is recorded of a model",
     cmd_record_show, {"control."}, NULL},
    {"model", "pin", "MODEL", 1, 1, "keep the model's file whatever reducer.keep_models says",
     cmd_model_pin, {"control."}, NULL},
    {"model", "unpin", "MODEL", 1, 1, "take the pin out again",
     cmd_model_unpin, {"control."}, NULL},
    {"package", "create", "", 0, 0, "pack a folder with a fedn.yaml",
     cmd_package_create, {NULL}, package_create_options},
    {"package", "push", "FILE", 1, 1, "upload a compute package; it becomes the active one",
     cmd_package_push, {"control."}, package_push_options},
    {"package", "list", "", 0, 0, "list the compute packages, newest first",
     cmd_record_list, {"control."}, list_options},
    {"package", "show", "PACKAGE", 1, 1, "show a compute package; active: the one that clients run",
     cmd_record_show, {"control."}, NULL},
    {"package", "activate", "PACKAGE", 1, 1, "let remote clients that start run this one",
     cmd_package_activate, {"control."}, NULL},
    {"run", "build", "", 0, 0, "run the build command of a package's folder",
     cmd_run, {NULL}, run_options},
    {"run", "startup", "", 0, 0, "run its startup command",
     cmd_run, {NULL}, run_options},
    {"run", "train", "", 0, 0, "run its train command on a model",
     cmd_run, {NULL}, run_model_options},
    {"run", "validate", "", 0, 0, "run its validate command on a model",
     cmd_run, {NULL}, run_model_options},
    {"run", "predict", "", 0, 0, "run its predict command on a model",
     cmd_run, {NULL}, run_model_options},
    {"session", "start", "", 0, 0, "start a training session",
     cmd_session_start, {"control.", "session."}, session_start_options},
    {"session", "list", "", 0, 0, "list the sessions, newest first",
     cmd_record_list, {"control."}, list_options},
    {"session", "show", "SESSION", 1, 1, "show a session and its rounds",
     cmd_session_show, {"control."}, NULL},
    {"session", "stop", "SESSION", 1, 1, "stop a session",
     cmd_session_stop, {"control."}, NULL},
    {"round", "list", "", 0, 0, "list the rounds, newest first",
     cmd_round_list, {"control."}, round_list_options},
    {"round", "show", "ROUND", 1, 1, "show a round: what became of every client's update",
     cmd_round_show, {"control."}, NULL},
    {"prediction", "start", "PREDICTION", 1, 1, "ask every client, under this name, what the model says",
     cmd_prediction_start, {"control."}, prediction_start_options},
    {"prediction", "list", "", 0, 0, "list what clients answered, newest first",
     cmd_record_list, {"control."}, list_of_prediction_options},
    {"validation", "list", "", 0, 0, "list what clients measured, newest first",
     cmd_record_list, {"control."}, list_of_session_options},
    {"validation", "show", "VALIDATION", 1, 1, "show a validation",
     cmd_record_show, {"control."}, NULL},
    {"metric", "list", "", 0, 0, "list the metrics that clients logged, newest first",
     cmd_record_list, {"control."}, list_of_session_options},
    {"attribute", "list", "", 0, 0, "list what clients said of themselves, newest first",
     cmd_record_list, {"control."}, list_of_client_options},
    {"status", "", "", 0, 0, "show what the network is doing",
     cmd_status, {"control."}, NULL},
    {"status", "list", "", 0, 0, "list the status messages of clients, newest first",
     cmd_record_list, {"control."}, list_of_session_options},
    {"status", "show", "STATUS", 1, 1, "show a status message",
     cmd_record_show, {"control."}, NULL},
    {"watch", "", "[SESSION]", 0, 1, "follow rounds as they happen",
     cmd_watch, {"control."}, watch_options},
    {"config", "list", "[PREFIX]", 0, 1, "list the properties with their values",
     cmd_config_list, {NULL}, config_options},
    {"version", "", "", 0, 0, "print the version",
     cmd_version, {NULL}, NULL},
    {"help", "", "[COMMAND]", 0, 2, "explain a command",
     cmd_help, {NULL}, NULL},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, {NULL}, NULL},
};
/* clang-format on */

const char *cli_value(const cli_line *cli, const char *name)
{
    const cli_option *options = cli->command->options;

    for (int32_t i = 0; options && options[i].name; i++)
        if (strcmp(options[i].name, name) == 0)
            return cli->values[i];
    return NULL;
}

fedn_status cli_number(const cli_line *cli, const char *name, uint32_t max, uint32_t otherwise,
                       uint32_t *ret, fedn_error *err)
{
    const char *text = cli_value(cli, name);
    char *end = NULL;

    if (!text) {
        *ret = otherwise;
        return FEDN_OK;
    }
    unsigned long long number = strtoull(text, &end, 10);
    if (!*text || *text < '0' || *text > '9' || *end || number > max)
        return cli_error(err, FEDN_ERR_INVALID, "--%s \"%s\" is not a number from 0 to %u", name,
                         text, (unsigned)max);
    *ret = (uint32_t)number;
    return FEDN_OK;
}

int32_t cli_is_true(const char *value)
{
    return strchr("tyTY1", *value) ? *value != 0 : strcmp(value, "on") == 0;
}

fedn_status cmd_version(cli_line *cli, fedn_error *err)
{
    (void)err;
    if (!cli->json) {
        printf("fednctl %s, %s\n", FEDN_VERSION_STRING, fedn_version_string());
        return FEDN_OK;
    }
    json_t *answer = json_pack("{s:s,s:s,s:i}", "fednctl", FEDN_VERSION_STRING, "library",
                               fedn_version_string(), "number", (int)fedn_version());
    out_json(answer);
    json_decref(answer);
    return FEDN_OK;
}

/* One line for people, whatever the text came from. */
static void complain(const fedn_error *err, fedn_status status)
{
    char clean[FEDN_ERROR_MESSAGE_BYTES + 8];

    out_clean(err->message[0] ? err->message : fedn_status_string(status), 0, clean, sizeof clean);
    fprintf(stderr, "fednctl: %s\n", clean);
}

int main(int argc, char **argv)
{
    cli_line cli = {0};
    fedn_error err = {0};
    int32_t code = CLI_EXIT_USAGE;

    fedn_tune_process();
    out_init();
    fedn_status rc = fedn_config_new(&cli.config, &err);
    if (rc == FEDN_OK)
        rc = opt_parse(&cli, argc - 1, argv + 1, &err);
    if (rc == FEDN_OK) {
        rc = cli.help ? cmd_help(&cli, &err) : cli.command->run(&cli, &err);
        /* a role or a command refuses what it was given on the command line in this way too */
        code = rc == FEDN_ERR_INVALID && err.detail == 0 ? CLI_EXIT_USAGE : cli_exit_code(rc);
    }
    if (rc != FEDN_OK)
        complain(&err, rc);
    fedn_config_free(cli.config);
    if (rc == FEDN_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        fprintf(stderr, "fednctl: cannot write the output\n");
        code = CLI_EXIT_FAILED;
    }
    return code;
}
