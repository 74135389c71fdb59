/* SPDX-License-Identifier: Apache-2.0
 * The commands of a compute package's fedn.yaml, run as FEDn does: by bash, in the package's
 * folder, with its virtual environment. */
#include "entry_point.h"

#include "cli.h"
#include "daemon.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is asked for is kept in the environment, and compared with what is asked for now. While it
 * is made it has another mark: what a kill has left is made anew. */
static const char prepare_script[] =
    "cd -- \"$1\" || exit; env=./$2; mark=$env/.fednctl-requirements; half=$env/.fednctl-half; "
    "want=$PWD--$3--$4; "
    "if [ -e \"$half\" ]; then rm -rf -- \"$env\"; elif [ -e \"$env\" ]; then "
    "[ -e \"$env/pyvenv.cfg\" ] || { echo \"$1/$2 is no virtual environment\" >&2; exit 1; }; "
    "[ -e \"$mark\" ] || exit 0; [ \"$(cat -- \"$mark\"; echo .)\" = \"$want.\" ] && exit 0; "
    "rm -rf -- \"$env\"; fi; "
    "make() { mkdir -- \"$env\" && : >\"$half\" && python3 -m venv -- \"$env\" && . "
    "\"$env/bin/activate\" || return; "
    "for list in \"$3\" \"$4\"; do [ -z \"$list\" ] && continue; "
    "printf %s \"$list\" >\"$env/requirements.txt\" && "
    "PIP_NO_INPUT=1 python -m pip install --disable-pip-version-check -r \"$env/requirements.txt\" "
    "|| return; done; printf %s \"$want\" >\"$mark\" && rm -- \"$half\"; }; "
    "make \"$@\" || { rm -rf -- \"$env\"; exit 1; }";

static const char clear_script[] =
    "cd -- \"$1\" || exit; [ ! -e \"$2/.fednctl-requirements\" ] || rm -rf -- \"$2\"";

static void tell(void *opaque)
{
    const int *fd = opaque;

    if (write(*fd, "", 1) < 0)
        return; /* it was told before */
}

/* To its end, or until a signal comes. */
static fedn_status run(const runner_command *command, const char *const *args, fedn_error *err)
{
    static const char *const no_env[] = {NULL};
    int ends[2];

    if (pipe(ends) != 0)
        return cli_error(err, FEDN_ERR_IO, "cannot open a pipe");
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    const runner_call call = {args, no_env, ends[0], 0};
    daemon_stop_on_signal(tell, &ends[1]);
    fedn_status rc = runner_run(command, &call, err);
    daemon_end();
    close(ends[0]);
    close(ends[1]);
    return rc;
}

fedn_status entry_point_script(const char *script, const char *const *args, fedn_error *err)
{
    runner_command *command = NULL;
    fedn_status rc = runner_shell(script, &command, err);

    if (rc == FEDN_OK)
        rc = run(command, args, err);
    runner_free(command);
    return rc;
}

fedn_status entry_point_prepare(const fedn_package *package, fedn_error *err)
{
    const char *args[] = {fedn_package_root(package), fedn_package_env_name(package),
                          fedn_package_env_requirements(package, 1),
                          fedn_package_env_requirements(package, 0), NULL};

    if (!args[1])
        return FEDN_OK;
    fedn_status rc = entry_point_script(prepare_script, args, err);
    return rc == FEDN_OK || rc == FEDN_ERR_CANCELLED
               ? rc
               : cli_error(err, rc, "the package's environment %s cannot be made: %s", args[1],
                           err->message);
}

fedn_status entry_point_clear(const fedn_package *package, fedn_error *err)
{
    const char *args[] = {fedn_package_root(package), fedn_package_env_name(package), NULL};

    return args[1] ? entry_point_script(clear_script, args, err) : FEDN_OK;
}

/* In single quotes, with those inside taken out of them. */
static void put_quoted(FILE *to, const char *text)
{
    fputc('\'', to);
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", to);
        else
            fputc(*text, to);
    fputc('\'', to);
}

fedn_status entry_point_command(const fedn_package *package, const char *name, runner_command **ret,
                                fedn_error *err)
{
    const char *command = fedn_package_command(package, name);
    const char *env = fedn_package_env_name(package);
    char *script = NULL;
    size_t bytes = 0;

    *ret = NULL;
    if (!command)
        return FEDN_OK;
    size_t length = strlen(command);
    while (length > 0 && strchr(" \t\r\n", command[length - 1]))
        length--;
    FILE *to = open_memstream(&script, &bytes);
    if (!to)
        return cli_error(err, FEDN_ERR_NOMEM, "out of memory");
    fputs("export FEDN_PACKAGE_DIR=", to);
    put_quoted(to, fedn_package_root(package));
    fputs("; cd -- \"$FEDN_PACKAGE_DIR\" || exit; ", to);
    if (env) {
        fputs(". ./", to);
        put_quoted(to, env);
        fputs("/bin/activate || exit; ", to);
    }
    fprintf(to, "%.*s \"$@\"", (int)length, command);
    fedn_status rc = fclose(to) == 0 ? runner_shell(script, ret, err)
                                     : cli_error(err, FEDN_ERR_NOMEM, "out of memory");
    free(script);
    return rc;
}

fedn_status entry_point_run(const fedn_package *package, const char *name, const char *const *args,
                            fedn_error *err)
{
    runner_command *command = NULL;
    fedn_status rc = entry_point_command(package, name, &command, err);

    if (rc == FEDN_OK && command)
        rc = run(command, args, err);
    if (rc != FEDN_OK && rc != FEDN_ERR_CANCELLED)
        rc = cli_error(err, rc, "%s of the package: %s", name, err->message);
    runner_free(command);
    return rc;
}
