/* SPDX-License-Identifier: Apache-2.0
 * fednctl run: one command of a package's folder, to try it out. */
#include "cli.h"
#include "daemon.h"
#include "entry_point.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

const cli_option run_options[] = {
    {"path", "DIR", "folder with the fedn.yaml"},
    {"keep-venv", NULL, "keep the virtual environment for the next time"},
    {NULL, NULL, NULL},
};
const cli_option run_model_options[] = {
    {"path", "DIR", "folder with the fedn.yaml"},
    {"input", "FILE", "model to begin with"},
    {"output", "FILE", "what the command writes: a model or JSON"},
    {"keep-venv", NULL, "keep the virtual environment for the next time"},
    {NULL, NULL, NULL},
};

/* The command runs in the package's folder: what is relative is made absolute. */
static fedn_status absolute(const cli_line *cli, const char *option, char *path, fedn_error *err)
{
    const char *given = cli_value(cli, option);
    char here[PATH_BYTES / 2];

    if (!given || !*given)
        return cli_error(err, FEDN_ERR_INVALID, "run %s needs --%s FILE", cli->command->verb,
                         option);
    if (!getcwd(here, sizeof here))
        return cli_error(err, FEDN_ERR_IO, "the working directory is gone");
    if (snprintf(path, PATH_BYTES, "%s%s%s", *given == '/' ? "" : here, *given == '/' ? "" : "/",
                 given) >= PATH_BYTES)
        return cli_error(err, FEDN_ERR_INVALID, "--%s is too long", option);
    return FEDN_OK;
}

static fedn_status run(const cli_line *cli, const fedn_package *package, const char *const *args,
                       fedn_error *err)
{
    fedn_error why;
    fedn_status rc = entry_point_prepare(package, err);

    if (rc == FEDN_OK)
        rc = entry_point_run(package, cli->command->verb, args, err);
    if (!cli_value(cli, "keep-venv")) {
        fedn_status cleared = entry_point_clear(package, &why);
        if (rc == FEDN_OK && cleared != FEDN_OK)
            rc = cli_error(err, cleared, "%s", why.message);
    }
    return rc;
}

fedn_status cmd_run(cli_line *cli, fedn_error *err)
{
    const char *dir = cli_value(cli, "path");
    char input[PATH_BYTES];
    char output[PATH_BYTES];
    const char *args[] = {NULL, NULL, NULL};
    fedn_package *package = NULL;
    fedn_status rc = FEDN_OK;

    if (!dir)
        return cli_error(err, FEDN_ERR_INVALID, "run %s needs --path DIR", cli->command->verb);
    if (cli->command->options == run_model_options) {
        rc = absolute(cli, "input", input, err);
        if (rc == FEDN_OK)
            rc = absolute(cli, "output", output, err);
        args[0] = input;
        args[1] = output;
    }
    if (rc == FEDN_OK)
        rc = fedn_package_open(dir, &package, err);
    if (rc == FEDN_OK && !fedn_package_command(package, cli->command->verb))
        rc = cli_error(err, FEDN_ERR_NOT_FOUND, "%s/fedn.yaml has no entry point %s",
                       fedn_package_root(package), cli->command->verb);
    if (rc == FEDN_OK)
        rc = daemon_begin(err);
    if (rc == FEDN_OK)
        rc = run(cli, package, args, err);
    fedn_package_free(package);
    return rc;
}
