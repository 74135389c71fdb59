/* SPDX-License-Identifier: Apache-2.0
 * fednctl client: runs the role with a program for each kind of task, lists the clients. */
#include "api.h"
#include "daemon.h"
#include "out.h"
#include "runner.h"
#include "task_program.h"

#include <string.h>

const cli_option client_options[] = {
    {"train", "'PROGRAM ARG...'", "program that trains: gets IN_MODEL OUT_MODEL"},
    {"validate", "'PROGRAM ARG...'", "program that validates: gets IN_MODEL OUT_JSON"},
    {"predict", "'PROGRAM ARG...'", "program that predicts: gets IN_MODEL OUT_JSON"},
    {NULL, NULL, NULL},
};

typedef fedn_status (*set_fn)(fedn_client *client, fedn_task_fn fn, void *user_data);

typedef struct kind {
    const char *option;
    set_fn set;
    fedn_task_fn run;
} kind;

static const kind kinds[] = {
    {"train", fedn_client_set_train, task_program_train},
    {"validate", fedn_client_set_validate, task_program_answer},
    {"predict", fedn_client_set_predict, task_program_answer},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static fedn_status set_programs(const cli_line *cli, fedn_client *client, runner_command **programs,
                                fedn_error *err)
{
    fedn_status rc = FEDN_OK;
    int32_t any = 0;

    for (int32_t i = 0; rc == FEDN_OK && i < KINDS; i++) {
        const char *text = cli_value(cli, kinds[i].option);
        if (!text)
            continue;
        any = 1;
        rc = runner_split(text, &programs[i], err);
        if (rc == FEDN_OK)
            rc = runner_find(programs[i], err);
        if (rc != FEDN_OK)
            rc = cli_error(err, rc, "--%s: %s", kinds[i].option, err->message);
        if (rc == FEDN_OK)
            rc = kinds[i].set(client, kinds[i].run, programs[i]);
    }
    if (rc == FEDN_OK && !any)
        rc = cli_error(err, FEDN_ERR_INVALID,
                       "client start needs a program: --train, --validate or --predict");
    return rc;
}

static void stop(void *client)
{
    fedn_client_stop(client);
}

fedn_status cmd_client_start(cli_line *cli, fedn_error *err)
{
    runner_command *programs[KINDS] = {NULL};
    fedn_client *client = NULL;

    fedn_status rc = daemon_begin(err);
    if (rc == FEDN_OK)
        rc = fedn_client_new(cli->config, &client, err);
    if (rc != FEDN_OK)
        goto out;
    rc = fedn_client_set_log(client, daemon_log, NULL);
    if (rc == FEDN_OK)
        rc = set_programs(cli, client, programs, err);
    if (rc == FEDN_OK) {
        daemon_stop_on_signal(stop, client);
        rc = fedn_client_run(client, err);
        daemon_end();
    }
out:
    fedn_client_free(client);
    for (int32_t i = 0; i < KINDS; i++)
        runner_free(programs[i]);
    return rc;
}
