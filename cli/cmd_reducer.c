/* SPDX-License-Identifier: Apache-2.0
 * fednctl reducer: runs the role. */
#include "cli.h"
#include "daemon.h"

#include <stdio.h>

static fedn_status announce(const cli_line *cli, const fedn_reducer *reducer, fedn_error *err)
{
    int32_t http = fedn_reducer_http_port(reducer);
    int32_t tier = fedn_reducer_port(reducer);
    char http_host[256];
    char tier_host[256];
    char line[1024];
    char url[320];
    char dial[320];

    daemon_host(fedn_config_get(cli->config, "reducer.http_listen"), http_host, sizeof http_host);
    daemon_host(fedn_config_get(cli->config, "reducer.listen"), tier_host, sizeof tier_host);
    snprintf(url, sizeof url, "http://%s:%d", http_host, (int)http);
    snprintf(dial, sizeof dial, "%s:%d", tier_host, (int)tier);
    snprintf(line, sizeof line, "reducer ready: http %s, tier %s", url + 7, dial);
    return daemon_ready(cli, line,
                        json_pack("{s:s,s:i,s:s,s:i}", "url", url, "http_port", (int)http, "tier",
                                  dial, "port", (int)tier),
                        err);
}

fedn_status cmd_reducer_start(cli_line *cli, fedn_error *err)
{
    fedn_reducer *reducer = NULL;

    fedn_status rc = daemon_begin(err);
    if (rc == FEDN_OK)
        rc = fedn_reducer_new(cli->config, &reducer, err);
    if (rc != FEDN_OK)
        goto out;
    rc = fedn_reducer_set_log(reducer, daemon_log, NULL);
    if (rc == FEDN_OK)
        rc = fedn_reducer_start(reducer, err);
    if (rc == FEDN_OK)
        rc = announce(cli, reducer, err);
    if (rc == FEDN_OK)
        daemon_wait();
out:
    fedn_reducer_free(reducer);
    return rc;
}
