/* SPDX-License-Identifier: Apache-2.0
 * fednctl package: making one of a folder, pushing it, choosing the active one. */
#include "api.h"
#include "out.h"

#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

const cli_option package_create_options[] = {
    {"path", "DIR", "folder with the fedn.yaml"},
    {"name", "FILE", "name of the archive (package.tgz)"},
    {"output", "DIR", "folder that the archive is put into (.)"},
    {NULL, NULL, NULL},
};
const cli_option package_push_options[] = {
    {"name", "TEXT", "name shown to people (the file's)"},
    {"helper", "NAME", "format of its models (numpyhelper)"},
    {"description", "TEXT", "what it is for"},
    {NULL, NULL, NULL},
};

static const char *or_else(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

fedn_status cmd_package_create(cli_line *cli, fedn_error *err)
{
    const char *dir = cli_value(cli, "path");
    const char *name = or_else(cli_value(cli, "name"), "package.tgz");
    const char *output = or_else(cli_value(cli, "output"), ".");
    char path[PATH_BYTES];
    char *sum = NULL;
    uint64_t files = 0;

    if (!dir)
        return cli_error(err, FEDN_ERR_INVALID, "package create needs --path DIR");
    if (strchr(name, '/'))
        return cli_error(err, FEDN_ERR_INVALID, "--name \"%s\" is no file name: --output DIR",
                         name);
    if (snprintf(path, sizeof path, "%s/%s", output, name) >= (int)sizeof path)
        return cli_error(err, FEDN_ERR_INVALID, "--output \"%.64s...\" is too long", output);
    fedn_status rc = fedn_package_create(dir, path, &files, err);
    if (rc == FEDN_OK)
        rc = fedn_package_checksum(path, &sum, err);
    if (rc == FEDN_OK && cli->json) {
        json_t *answer =
            json_pack("{s:s,s:s,s:I}", "file", path, "checksum", sum, "files", (json_int_t)files);
        out_json(answer);
        json_decref(answer);
    } else if (rc == FEDN_OK) {
        printf("%s: %llu files, SHA-256 %s\n", path, (unsigned long long)files, sum);
    }
    fedn_free(sum);
    return rc;
}

fedn_status cmd_package_push(cli_line *cli, fedn_error *err)
{
    fedn_control *control = NULL;
    json_t *active = NULL;

    fedn_status rc = fedn_control_new(cli->config, &control, err);
    if (rc == FEDN_OK)
        rc = fedn_control_package_push(
            control, cli->args[0], or_else(cli_value(cli, "helper"), "numpyhelper"),
            cli_value(cli, "name"), cli_value(cli, "description"), NULL, NULL, err);
    if (rc == FEDN_OK)
        rc = api_get(control, "packages", "active", &active, err);
    if (rc == FEDN_OK && cli->json)
        out_json(active);
    else if (rc == FEDN_OK)
        printf("%s\n", api_text(active, "package_id"));
    json_decref(active);
    fedn_control_free(control);
    return rc;
}

fedn_status cmd_package_activate(cli_line *cli, fedn_error *err)
{
    fedn_control *control = NULL;
    json_t *body = json_pack("{s:s}", "id", cli->args[0]);
    json_t *answer = NULL;

    fedn_status rc = fedn_control_new(cli->config, &control, err);
    if (rc == FEDN_OK)
        rc = api_call(control, "PUT", "packages/active", body, &answer, err);
    if (rc == FEDN_OK && cli->json)
        out_json(answer);
    json_decref(answer);
    json_decref(body);
    fedn_control_free(control);
    return rc;
}
