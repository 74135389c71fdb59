/* SPDX-License-Identifier: Apache-2.0
 * fednctl status: what the network is doing, on one screen. */
#include "api.h"
#include "out.h"

#include <string.h>

static void print_session(const json_t *session)
{
    char bar[OUT_TEXT];
    int64_t done = api_integer(session, "round");
    int64_t rounds = api_integer(session, "rounds");
    int32_t room = out_width(stdout) - 40;

    if (!json_is_object(session)) {
        out_field("session", "none");
        return;
    }
    out_bar(rounds ? (double)done / (double)rounds : 0, room < 40 ? room : 40, bar, sizeof bar);
    out_field("session", api_text(session, "session_id"));
    out_field("name", api_text(session, "name"));
    out_fieldf("rounds", "%s %lld of %lld", bar, (long long)done, (long long)rounds);
    out_field("message", api_text(session, "message"));
}

static void print_combiners(const json_t *status)
{
    static const out_column columns[] = {
        {"COMBINER", 0, 0}, {"ADDRESS", 0, 0}, {"STATUS", 1, 0}, {"CLIENTS", 1, 1}};
    out_table *table = out_table_new(columns, 4);
    json_t *combiner = NULL;
    size_t i = 0;

    json_array_foreach(json_object_get(status, "combiners"), i, combiner)
    {
        int32_t online = json_is_true(json_object_get(combiner, "online"));
        out_cell(table, api_text(combiner, "name"));
        out_cellf(table, "%s:%d", api_text(combiner, "address"),
                  (int)api_integer(combiner, "port"));
        out_cell(table, online ? "online" : "offline");
        out_cellf(table, "%lld", (long long)api_integer(combiner, "active_clients"));
    }
    out_table_print(table, "no combiner is attached: fednctl combiner start --reducer HOST:PORT");
}

fedn_status cmd_status(cli_line *cli, fedn_error *err)
{
    json_t *status = NULL;
    char up[32];

    fedn_status rc = api_status(cli, &status, err);
    if (rc != FEDN_OK)
        return rc;
    if (cli->json) {
        out_json(status);
    } else {
        const json_t *reducer = json_object_get(status, "reducer");
        out_seconds(api_number(reducer, "uptime_s"), up, sizeof up);
        const char *version = api_text(reducer, "version");
        out_fieldf("reducer", "%s, %.*s, up %s", api_text(reducer, "name"),
                   (int)(strstr(version, " (") ? strstr(version, " (") - version : 64), version,
                   up);
        out_field("state", api_text(status, "state"));
        out_field("message", api_text(status, "message"));
        out_fieldf("models", "%lld", (long long)api_integer(status, "models"));
        print_session(json_object_get(status, "session"));
        putchar('\n');
        print_combiners(status);
    }
    json_decref(status);
    return FEDN_OK;
}
