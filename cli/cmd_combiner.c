/* SPDX-License-Identifier: Apache-2.0
 * fednctl combiner: runs the role, lists those that are attached. */
#include "api.h"
#include "daemon.h"
#include "out.h"

static fedn_status announce(const cli_line *cli, const fedn_combiner *combiner, fedn_error *err)
{
    int32_t port = fedn_combiner_port(combiner);
    const char *name = fedn_config_get(cli->config, "combiner.name");
    char host[256];
    char line[1024];
    char dial[320];

    daemon_host(fedn_config_get(cli->config, "combiner.listen"), host, sizeof host);
    snprintf(dial, sizeof dial, "%s:%d", host, (int)port);
    snprintf(line, sizeof line, "combiner %s ready: clients %s, tier above %s", name, dial,
             fedn_config_get(cli->config, "combiner.reducer"));
    return daemon_ready(
        cli, line, json_pack("{s:s,s:s,s:i}", "name", name, "clients", dial, "port", (int)port),
        err);
}

fedn_status cmd_combiner_start(cli_line *cli, fedn_error *err)
{
    fedn_combiner *combiner = NULL;

    fedn_status rc = daemon_begin(err);
    if (rc == FEDN_OK)
        rc = fedn_combiner_new(cli->config, &combiner, err);
    if (rc != FEDN_OK)
        goto out;
    rc = fedn_combiner_set_log(combiner, daemon_log, NULL);
    if (rc == FEDN_OK)
        rc = fedn_combiner_start(combiner, err);
    if (rc == FEDN_OK)
        rc = announce(cli, combiner, err);
    if (rc == FEDN_OK)
        daemon_wait();
out:
    fedn_combiner_free(combiner);
    return rc;
}

fedn_status cmd_combiner_list(cli_line *cli, fedn_error *err)
{
    static const out_column columns[] = {{"COMBINER", 0, 0},
                                         {"ADDRESS", 0, 0},
                                         {"STATUS", 1, 0},
                                         {"CLIENTS", 1, 1},
                                         {"SINCE (UTC)", 1, 0}};
    json_t *status = NULL;
    json_t *combiner = NULL;
    size_t i = 0;

    fedn_status rc = api_status(cli, &status, err);
    if (rc != FEDN_OK)
        return rc;
    json_t *combiners = json_object_get(status, "combiners");
    if (cli->json) {
        out_json(combiners);
    } else {
        out_table *table = out_table_new(columns, 5);
        json_array_foreach(combiners, i, combiner)
        {
            char since[OUT_TEXT];
            out_time(api_text(combiner, "since"), since, sizeof since);
            out_cell(table, api_text(combiner, "name"));
            out_cellf(table, "%s:%d", api_text(combiner, "address"),
                      (int)api_integer(combiner, "port"));
            out_cell(table,
                     json_is_true(json_object_get(combiner, "online")) ? "online" : "offline");
            out_cellf(table, "%lld", (long long)api_integer(combiner, "active_clients"));
            out_cell(table, since);
        }
        out_table_print(table, "no combiner is attached");
    }
    json_decref(status);
    return FEDN_OK;
}
