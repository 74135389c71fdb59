/* SPDX-License-Identifier: Apache-2.0
 * Help texts, made from the table of commands and the table of properties. */
#include "cli.h"
#include "opt.h"
#include "out.h"

#include <string.h>

enum { COMMAND_WIDTH = 28, OPTION_WIDTH = 31 };

static void name_of(const cli_command *command, char *text, size_t bytes)
{
    snprintf(text, bytes, "%s%s%s%s%s", command->noun, *command->verb ? " " : "", command->verb,
             *command->args ? " " : "", command->args);
}

/* All commands, or those of a noun. */
static void list_commands(const char *noun)
{
    for (const cli_command *c = cli_commands; c->noun; c++) {
        char name[64];
        if (noun && strcmp(c->noun, noun) != 0)
            continue;
        name_of(c, name, sizeof name);
        printf("  %-*s%s\n", COMMAND_WIDTH, name, c->doc);
    }
}

/* Options in one column, what they do in the next; long text goes on below. */
static void option_line(const char *option, const char *doc)
{
    printf("  %-*s", OPTION_WIDTH - 2, option);
    if (strlen(option) > OPTION_WIDTH - 4)
        printf("\n%*s", OPTION_WIDTH, "");
    out_wrapped(doc, OPTION_WIDTH);
}

static void property_line(const char *name, const char *type, const char *range,
                          const char *initial, const char *value, const char *doc, void *user_data)
{
    char option[96];
    char text[512];
    int32_t boolean = strcmp(type, "boolean") == 0;

    (void)range;
    (void)value;
    opt_name(name, user_data != NULL, option, sizeof option);
    size_t used = strlen(option);
    snprintf(option + used, sizeof option - used, "%s",
             boolean                       ? ""
             : strcmp(type, "string") == 0 ? " TEXT"
                                           : " N");
    if (boolean && strcmp(initial, "true") == 0)
        snprintf(text, sizeof text, "%s (on; --no-... for off)", doc);
    else if (!boolean && *initial)
        snprintf(text, sizeof text, "%s (%s)", doc, initial);
    else
        snprintf(text, sizeof text, "%s", doc);
    option_line(option, text);
}

static void help_command(const cli_line *cli, const cli_command *command)
{
    char name[64];

    name_of(command, name, sizeof name);
    printf("usage: fednctl %s [OPTIONS]\n\n%s\n\noptions:\n", name, command->doc);
    for (const cli_option *o = command->options; o && o->name; o++) {
        char option[96];
        snprintf(option, sizeof option, "--%s%s%s", o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        option_line(option, o->doc);
    }
    for (int32_t i = 0; i < CLI_PREFIXES && command->prefixes[i]; i++) {
        const char *prefix = command->prefixes[i];
        /* --log-level reads better than --level */
        int32_t whole = strcmp(prefix, "log.") == 0;
        fedn_config_each(cli->config, prefix, property_line, whole ? cli->config : NULL);
    }
    option_line("--config FILE", "read properties from a YAML file");
    option_line("--json", "print JSON for programs");
    option_line("--help", "print this");
    if (command->prefixes[0])
        printf(
            "\nWhat has a default is a property: in the YAML file and in the environment it has\n"
            "its long name (fednctl config list). Options win over the environment, the\n"
            "environment over the file.\n");
}

static void help_all(void)
{
    printf("fednctl runs and controls a network for federated learning.\n\n"
           "usage: fednctl COMMAND [OPTIONS]\n\ncommands:\n");
    list_commands(NULL);
    printf("\nfednctl help COMMAND, or fednctl COMMAND --help, lists its options.\n"
           "exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 unavailable or\n"
           "timed out, 5 not permitted\n");
}

fedn_status cmd_help(cli_line *cli, fedn_error *err)
{
    const cli_command *command = cli->command;
    const char *noun = cli->args[0];
    const char *verb = cli->args[1];
    fedn_status rc = FEDN_OK;

    if (cli->help && command->run != cmd_help) {
        help_command(cli, command);
        return FEDN_OK;
    }
    if (!noun) {
        help_all();
        return FEDN_OK;
    }
    rc = opt_find_command(noun, verb, &command, err);
    if (rc == FEDN_OK && (verb || !*command->verb)) {
        help_command(cli, command);
    } else if (!verb && opt_is_noun(noun)) {
        printf("usage: fednctl %s COMMAND [OPTIONS]\n\ncommands:\n", noun);
        list_commands(noun);
        rc = FEDN_OK;
    }
    return rc;
}
