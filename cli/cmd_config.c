/* SPDX-License-Identifier: Apache-2.0
 * fednctl config: the table of properties, for people, programs and the manual. */
#include "cli.h"
#include "out.h"

#include <stdlib.h>
#include <string.h>

const cli_option config_options[] = {
    {"rst", NULL, "print the table for the manual page"},
    {NULL, NULL, NULL},
};

static void to_table(const char *name, const char *type, const char *range, const char *initial,
                     const char *value, const char *doc, void *user_data)
{
    (void)type;
    (void)range;
    (void)initial;
    out_cell(user_data, name);
    out_cell(user_data, value);
    out_cell(user_data, doc);
}

static void to_json(const char *name, const char *type, const char *range, const char *initial,
                    const char *value, const char *doc, void *user_data)
{
    json_t *row = json_pack("{s:s,s:s,s:s,s:s,s:s}", "type", type, "range", range, "default",
                            initial, "value", value, "doc", doc);
    json_object_set_new(user_data, name, row);
}

static void to_rst(const char *name, const char *type, const char *range, const char *initial,
                   const char *value, const char *doc, void *user_data)
{
    (void)value;
    (void)user_data;
    printf("``%s`` (%s%s%s)\n", name, type, *range ? ", " : "", range);
    printf("    %s.", doc);
    if (*initial)
        printf(" Default: ``%s``.", initial);
    printf("\n\n");
}

fedn_status cmd_config_list(cli_line *cli, fedn_error *err)
{
    static const out_column columns[] = {{"PROPERTY", 1, 0}, {"VALUE", 0, 0}, {"MEANING", 0, 0}};
    const char *prefix = cli->args[0] ? cli->args[0] : "";
    json_t *all = json_object();

    fedn_config_each(cli->config, prefix, to_json, all);
    if (json_object_size(all) == 0) {
        json_decref(all);
        return cli_error(err, FEDN_ERR_NOT_FOUND, "no property begins with \"%s\"", prefix);
    }
    if (cli_value(cli, "rst")) {
        fedn_config_each(cli->config, prefix, to_rst, NULL);
    } else if (cli->json) {
        out_json(all);
    } else {
        out_table *table = out_table_new(columns, 3);
        fedn_config_each(cli->config, prefix, to_table, table);
        out_table_print(table, "");
    }
    json_decref(all);
    return FEDN_OK;
}
