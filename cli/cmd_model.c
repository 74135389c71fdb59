/* SPDX-License-Identifier: Apache-2.0
 * fednctl model: up, down, and the trail. */
#include "api.h"
#include "out.h"

#include <string.h>

const cli_option model_push_options[] = {
    {"name", "TEXT", "name shown to people"},
    {"format", "NAME",
     "format of the file; recognised if not given, binaryhelper if it is named *.bin"},
    {NULL, NULL, NULL},
};
const cli_option model_pull_options[] = {
    {"output", "FILE", "where to put it (MODEL.npz)"},
    {NULL, NULL, NULL},
};
/* One line on stderr, rewritten, only where somebody watches. */
static void show_progress(uint64_t done, uint64_t total, void *user_data)
{
    char bar[OUT_TEXT];
    char have[32];
    char all[32];
    char line[2 * OUT_TEXT];

    if (!out_is_terminal(stderr))
        return;
    int32_t room = out_width(stderr) / 4;
    out_bar(total ? (double)done / (double)total : 0, room < 40 ? room : 40, bar, sizeof bar);
    out_bytes(done, have, sizeof have);
    out_bytes(total, all, sizeof all);
    if (total)
        snprintf(line, sizeof line, "%s %s %s of %s", (const char *)user_data, bar, have, all);
    else
        snprintf(line, sizeof line, "%s %s", (const char *)user_data, have);
    out_live(stderr, line, 0);
}

static void end_progress(void)
{
    if (out_is_terminal(stderr))
        fputs("\r\033[K", stderr);
}

/* FEDn's name for raw elements by its suffix, as its own tools take it. */
static const char *format_of(const cli_line *cli)
{
    const char *given = cli_value(cli, "format");
    const char *dot = strrchr(cli->args[0], '.');

    return !given && dot && strcmp(dot, ".bin") == 0 ? "binaryhelper" : given;
}

fedn_status cmd_model_push(cli_line *cli, fedn_error *err)
{
    char title[] = "pushing";
    fedn_control *control = NULL;
    char *id = NULL;

    fedn_status rc = fedn_control_new(cli->config, &control, err);
    if (rc == FEDN_OK)
        rc = fedn_control_model_push(control, cli->args[0], format_of(cli), cli_value(cli, "name"),
                                     show_progress, title, &id, err);
    end_progress();
    if (rc == FEDN_OK && cli->json) {
        json_t *answer = json_pack("{s:s}", "model_id", id);
        out_json(answer);
        json_decref(answer);
    } else if (rc == FEDN_OK) {
        printf("%s\n", id);
    }
    fedn_free(id);
    fedn_control_free(control);
    return rc;
}

/* The id of the newest model. */
static fedn_status newest(fedn_control *control, char *id, size_t bytes, fedn_error *err)
{
    json_t *list = NULL;

    fedn_status rc = api_list(control, "models", NULL, NULL, 1, &list, err);
    if (rc == FEDN_OK) {
        const char *found =
            api_text(json_array_get(json_object_get(list, "result"), 0), "model_id");
        snprintf(id, bytes, "%s", found);
        if (!*found)
            rc = cli_error(err, FEDN_ERR_NOT_FOUND,
                           "the reducer has no model yet: fednctl model push FILE");
    }
    json_decref(list);
    return rc;
}

fedn_status cmd_model_pull(cli_line *cli, fedn_error *err)
{
    char title[] = "pulling";
    char id[OUT_TEXT] = "";
    char path[OUT_TEXT + 8];
    const char *output = cli_value(cli, "output");
    fedn_control *control = NULL;

    snprintf(id, sizeof id, "%s", cli->args[0] ? cli->args[0] : "");
    fedn_status rc = fedn_control_new(cli->config, &control, err);
    if (rc == FEDN_OK && !*id)
        rc = newest(control, id, sizeof id, err);
    /* without --output the id becomes a file name, so it must not lead anywhere else */
    if (rc == FEDN_OK && !output && (strchr(id, '/') || *id == '.'))
        rc = cli_error(err, FEDN_ERR_NOT_FOUND, "\"%s\" cannot be the id of a model", id);
    snprintf(path, sizeof path, "%s.npz", id);
    if (rc == FEDN_OK)
        rc =
            fedn_control_model_pull(control, id, output ? output : path, show_progress, title, err);
    end_progress();
    if (rc == FEDN_OK && cli->json) {
        json_t *answer = json_pack("{s:s,s:s}", "model_id", id, "file", output ? output : path);
        out_json(answer);
        json_decref(answer);
    } else if (rc == FEDN_OK) {
        printf("%s\n", output ? output : path);
    }
    fedn_control_free(control);
    return rc;
}

static fedn_status set_pinned(cli_line *cli, int32_t pinned, fedn_error *err)
{
    fedn_control *control = NULL;
    json_t *body = json_pack("{s:b}", "pinned", pinned);
    json_t *model = NULL;

    fedn_status rc = fedn_control_new(cli->config, &control, err);
    if (rc == FEDN_OK)
        rc = api_patch(control, "models", cli->args[0], body, &model, err);
    if (rc == FEDN_OK && cli->json)
        out_json(model);
    json_decref(model);
    json_decref(body);
    fedn_control_free(control);
    return rc;
}

fedn_status cmd_model_pin(cli_line *cli, fedn_error *err)
{
    return set_pinned(cli, 1, err);
}

fedn_status cmd_model_unpin(cli_line *cli, fedn_error *err)
{
    return set_pinned(cli, 0, err);
}
