/* SPDX-License-Identifier: Apache-2.0
 * fednctl client: runs the role with a program for each kind of task, lists the clients. */
#include "daemon.h"
#include "entry_point.h"
#include "out.h"
#include "remote_package.h"
#include "runner.h"
#include "task_program.h"

#include <string.h>

const cli_option client_options[] = {
    {"train", "'PROGRAM ARG...'", "program that trains: gets IN_MODEL OUT_MODEL"},
    {"validate", "'PROGRAM ARG...'", "program that validates: gets IN_MODEL OUT_JSON"},
    {"predict", "'PROGRAM ARG...'", "program that predicts: gets IN_MODEL OUT_JSON"},
    {"package-dir", "DIR", "folder whose fedn.yaml says what to run instead"},
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
enum { KINDS = sizeof kinds / sizeof kinds[0], PATH_BYTES = 4096 };

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
        rc = cli_error(
            err, FEDN_ERR_INVALID,
            "client start needs a program: --train, --validate or --predict, or a package");
    return rc;
}

static fedn_status set_package(const fedn_package *package, fedn_client *client,
                               runner_command **programs, fedn_error *err)
{
    fedn_status rc = FEDN_OK;
    int32_t any = 0;

    for (int32_t i = 0; rc == FEDN_OK && i < KINDS; i++) {
        rc = entry_point_command(package, kinds[i].option, &programs[i], err);
        if (rc == FEDN_OK && programs[i])
            rc = runner_find(programs[i], err);
        if (rc == FEDN_OK && programs[i])
            rc = kinds[i].set(client, kinds[i].run, programs[i]);
        any |= programs[i] != NULL;
    }
    if (rc == FEDN_OK && !any)
        rc = cli_error(err, FEDN_ERR_FORMAT,
                       "%s/fedn.yaml has none of the entry points train, validate and predict",
                       fedn_package_root(package));
    return rc;
}

static fedn_status use_package(const char *dir, fedn_client *client, runner_command **programs,
                               fedn_error *err)
{
    static const char *const no_args[] = {NULL};
    fedn_package *package = NULL;

    fedn_status rc = fedn_package_open(dir, &package, err);
    if (rc == FEDN_OK)
        rc = entry_point_prepare(package, err);
    if (rc == FEDN_OK)
        rc = entry_point_run(package, "startup", no_args, err);
    if (rc == FEDN_OK)
        rc = set_package(package, client, programs, err);
    fedn_package_free(package);
    return rc;
}

static fedn_status set_up(const cli_line *cli, fedn_client *client, runner_command **programs,
                          fedn_error *err)
{
    const char *dir = cli_value(cli, "package-dir");
    int32_t remote = strcmp(fedn_config_get(cli->config, "client.package"), "remote") == 0;
    char fetched[PATH_BYTES];

    int32_t given = 0;

    for (int32_t i = 0; i < KINDS; i++)
        given |= cli_value(cli, kinds[i].option) != NULL;
    if (given && dir)
        return cli_error(err, FEDN_ERR_INVALID,
                         "--package-dir or programs for the tasks: not both");
    /* with programs of its own, a remote client waits for a package and does not fetch it */
    if (given || (!dir && !remote))
        return set_programs(cli, client, programs, err);
    if (dir && remote)
        return cli_error(err, FEDN_ERR_INVALID, "--package-dir is for --package local");
    fedn_status rc = dir ? FEDN_OK : remote_package_fetch(cli, fetched, sizeof fetched, err);
    return rc == FEDN_OK ? use_package(dir ? dir : fetched, client, programs, err) : rc;
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
        rc = set_up(cli, client, programs, err);
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
