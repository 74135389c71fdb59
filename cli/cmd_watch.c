/* SPDX-License-Identifier: Apache-2.0
 * fednctl watch: rounds as they happen. */
#include "api.h"
#include "out.h"
#include "watch.h"

const cli_option watch_options[] = {
    {"after", "N", "begin behind this event instead of with the present state"},
    {"until-finished", NULL, "end with the session (always so if SESSION is given)"},
    {"until-clients", "N", "end as soon as N clients are online"},
    WATCH_RECONNECT,
    {NULL, NULL, NULL},
};

fedn_status cmd_watch(cli_line *cli, fedn_error *err)
{
    watch_settings settings = {.session_id = cli->args[0], .json = cli->json, .validates = 1};
    fedn_control *control = NULL;
    json_t *session = NULL;
    uint32_t after = 0;

    fedn_status rc = cli_number(cli, "after", UINT32_MAX, 0, &after, err);
    settings.after = after;
    if (rc == FEDN_OK)
        rc = cli_number(cli, "until-clients", 1000000, 0, &settings.until_clients, err);
    if (rc == FEDN_OK)
        rc = watch_reconnect(cli, &settings.reconnect_s, err);
    settings.until_finished = cli_value(cli, "until-finished") != NULL;
    if (rc != FEDN_OK || !settings.session_id)
        return rc == FEDN_OK ? watch_run(cli, &settings, err) : rc;
    rc = fedn_control_new(cli->config, &control, err);
    if (rc == FEDN_OK)
        rc = api_get(control, "sessions", settings.session_id, &session, err);
    fedn_control_free(control);
    if (rc != FEDN_OK)
        return rc;
    settings.validates = !json_is_false(api_member(session, "session_config", "validate"));
    rc = watch_verdict(settings.session_id, api_text(session, "status"), "", err);
    if (rc == FEDN_ERR_TIMEOUT)
        rc = watch_run(cli, &settings, err);
    else if (rc == FEDN_OK && !cli->json)
        printf("session %s has finished already\n", settings.session_id);
    json_decref(session);
    return rc;
}
