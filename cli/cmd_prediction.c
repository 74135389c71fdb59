/* SPDX-License-Identifier: Apache-2.0
 * fednctl prediction: asking the clients, and what they answered. */
#include "api.h"
#include "out.h"

#include <stdio.h>

const cli_option prediction_start_options[] = {
    {"model", "MODEL", "the model that is asked; the newest if not given"},
    {NULL, NULL, NULL},
};
const cli_option prediction_list_options[] = {
    {"prediction", "PREDICTION", "only answers to this one"},
    {"limit", "N", "lines at most; 0 for all (50)"},
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

static void print_list(const json_t *predictions)
{
    static const out_column columns[] = {{"PREDICTION", 1, 0},
                                         {"CLIENT", 1, 0},
                                         {"MODEL", 0, 0},
                                         {"COMMITTED (UTC)", 1, 0},
                                         {"DATA", 0, 0}};
    out_table *table = out_table_new(columns, 5);
    json_t *prediction = NULL;
    size_t i = 0;

    json_array_foreach((json_t *)(uintptr_t)predictions, i, prediction)
    {
        const json_t *sender = json_object_get(prediction, "sender");
        char when[OUT_TEXT];
        out_time(api_text(prediction, "committed_at"), when, sizeof when);
        out_cell(table, api_text(prediction, "prediction_id"));
        out_cell(table, *api_text(sender, "name") ? api_text(sender, "name")
                                                  : api_text(sender, "client_id"));
        out_cell(table, api_text(prediction, "model_id"));
        out_cell(table, when);
        out_cell(table, api_text(prediction, "data"));
    }
    out_table_print(table, "no prediction yet");
}

fedn_status cmd_prediction_list(cli_line *cli, fedn_error *err)
{
    json_t *list = NULL;

    fedn_status rc = api_list_or_print(cli, "predictions", "prediction_id",
                                       cli_value(cli, "prediction"), &list, err);
    if (rc == FEDN_OK && list)
        print_list(json_object_get(list, "result"));
    json_decref(list);
    return rc;
}
