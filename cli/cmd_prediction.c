/* SPDX-License-Identifier: Apache-2.0
 * fednctl prediction: asking the clients. */
#include "api.h"
#include "out.h"

#include <stdio.h>

const cli_option prediction_start_options[] = {
    {"model", "MODEL", "the model that is asked; the newest if not given"},
    {NULL, NULL, NULL},
};
fedn_status cmd_prediction_start(cli_line *cli, fedn_error *err)
{
    const char *model = cli_value(cli, "model");
    json_t *body = json_pack("{s:s, s:s?}", "prediction_id", cli->args[0], "model_id", model);
    json_t *answer = NULL;
    fedn_control *control = NULL;

    fedn_status rc = body
                         ? fedn_control_new(cli->config, &control, err)
                         : cli_error(err, FEDN_ERR_INVALID, "\"%.64s\" is not UTF-8", cli->args[0]);
    if (rc == FEDN_OK)
        rc = api_call(control, "POST", "predictions/start", body, &answer, err);
    if (rc == FEDN_OK && cli->json)
        out_json(answer);
    else if (rc == FEDN_OK)
        printf("%lld clients are asked; their answers: fednctl prediction list --prediction %s\n",
               (long long)api_integer(answer, "clients"), cli->args[0]);
    json_decref(answer);
    json_decref(body);
    fedn_control_free(control);
    return rc;
}
