/* SPDX-License-Identifier: Apache-2.0
 * fednctl NOUN list and show, for every kind of record that is shown as it is: one table says what
 * its columns are. */
#include "api.h"
#include "out.h"

#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 6, TITLES = 24 };

/* How a field becomes a cell. */
enum { AS_TEXT, AS_TIME, AS_START, AS_VALUE };

typedef struct column {
    out_column shown;
    const char *field; /* dotted */
    int32_t how;
} column;

typedef struct kind {
    const char *noun;
    const char *entity;
    const char *option; /* of list: only records whose field has this value */
    const char *field;
    const char *empty;
    column columns[COLUMNS];
} kind;

/* clang-format off */
static const kind kinds[] = {
    {"client", "clients", NULL, NULL, "no client yet",
     {{{"CLIENT", 0, 0}, "name", AS_TEXT}, {{"ID", 1, 0}, "client_id", AS_TEXT},
      {{"STATUS", 1, 0}, "status", AS_TEXT}, {{"COMBINER", 0, 0}, "combiner", AS_TEXT},
      {{"SEEN (UTC)", 0, 0}, "last_seen", AS_TIME}}},
    {"combiner", "combiners", NULL, NULL, "no combiner yet",
     {{{"COMBINER", 0, 0}, "name", AS_TEXT}}},
    {"model", "models", "session", "session_id", "no model yet: fednctl model push FILE",
     {{{"MODEL", 1, 0}, "model_id", AS_TEXT}, {{"FROM", 1, 0}, "parent_model", AS_START},
      {{"NAME", 0, 0}, "name", AS_TEXT}, {{"COMMITTED (UTC)", 1, 0}, "committed_at", AS_TIME}}},
    {"package", "packages", NULL, NULL, "no package yet: fednctl package push FILE",
     {{{"PACKAGE", 1, 0}, "package_id", AS_TEXT}, {{"NAME", 0, 0}, "name", AS_TEXT},
      {{"HELPER", 0, 0}, "helper", AS_TEXT}, {{"ACTIVE", 1, 0}, "active", AS_VALUE},
      {{"COMMITTED (UTC)", 1, 0}, "committed_at", AS_TIME}}},
    {"session", "sessions", NULL, NULL, "no session yet: fednctl session start",
     {{{"SESSION", 1, 0}, "session_id", AS_TEXT}, {{"NAME", 0, 0}, "name", AS_TEXT},
      {{"STATUS", 1, 0}, "status", AS_TEXT},
      {{"COMMITTED (UTC)", 1, 0}, "committed_at", AS_TIME}}},
    {"validation", "validations", "session", "session_id", "no validation yet",
     {{{"VALIDATION", 1, 0}, "validation_id", AS_TEXT}, {{"CLIENT", 0, 0}, "sender.name", AS_TEXT},
      {{"MODEL", 1, 0}, "model_id", AS_START}, {{"DATA", 0, 0}, "data", AS_TEXT}}},
    {"prediction", "predictions", "prediction", "prediction_id", "no prediction yet",
     {{{"PREDICTION", 1, 0}, "prediction_id", AS_TEXT}, {{"CLIENT", 0, 0}, "sender.name", AS_TEXT},
      {{"MODEL", 1, 0}, "model_id", AS_START}, {{"DATA", 0, 0}, "data", AS_TEXT}}},
    {"metric", "metrics", "session", "session_id", "no metric yet",
     {{{"CLIENT", 0, 0}, "sender.name", AS_TEXT}, {{"METRIC", 0, 0}, "key", AS_TEXT},
      {{"VALUE", 1, 1}, "value", AS_VALUE}, {{"STEP", 1, 1}, "step", AS_VALUE},
      {{"ROUND", 1, 1}, "round_id", AS_TEXT}, {{"MODEL", 1, 0}, "model_id", AS_START}}},
    {"attribute", "attributes", "client", "sender.client_id", "no attribute yet",
     {{{"CLIENT", 0, 0}, "sender.name", AS_TEXT}, {{"ATTRIBUTE", 0, 0}, "key", AS_TEXT},
      {{"VALUE", 0, 0}, "value", AS_TEXT},
      {{"COMMITTED (UTC)", 1, 0}, "committed_at", AS_TIME}}},
    {"status", "statuses", "session", "session_id", "no status message yet",
     {{{"STATUS", 1, 0}, "status_id", AS_TEXT}, {{"SENDER", 0, 0}, "sender.name", AS_TEXT},
      {{"LEVEL", 1, 0}, "log_level", AS_TEXT}, {{"MESSAGE", 0, 0}, "status", AS_TEXT}}},
};
/* clang-format on */

const cli_option list_options[] = {
    {"limit", "N", "lines at most; 0 for all (50)"},
    {NULL, NULL, NULL},
};
const cli_option list_of_session_options[] = {
    {"session", "SESSION", "only those of this session"},
    {"limit", "N", "lines at most; 0 for all (50)"},
    {NULL, NULL, NULL},
};
const cli_option list_of_client_options[] = {
    {"client", "CLIENT", "only those of the client of this id"},
    {"limit", "N", "lines at most; 0 for all (50)"},
    {NULL, NULL, NULL},
};
const cli_option list_of_prediction_options[] = {
    {"prediction", "PREDICTION", "only answers to this one"},
    {"limit", "N", "lines at most; 0 for all (50)"},
    {NULL, NULL, NULL},
};

static const kind *kind_of(const cli_line *cli)
{
    for (uint32_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].noun, cli->command->noun) == 0)
            return &kinds[i];
    abort(); /* a row of the commands that the table here does not know */
}

/* "sender.name" */
static const json_t *member(const json_t *record, const char *field)
{
    const char *dot = strchr(field, '.');
    char above[32];

    if (!dot)
        return json_object_get(record, field);
    snprintf(above, sizeof above, "%.*s", (int)(dot - field), field);
    return json_object_get(json_object_get(record, above), dot + 1);
}

static void put_cell(out_table *table, const json_t *record, const column *c)
{
    const json_t *value = member(record, c->field);
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    char when[OUT_TEXT];

    if (c->how == AS_TIME) {
        out_time(text, when, sizeof when);
        out_cell(table, when);
    } else if (c->how == AS_START) {
        out_cellf(table, "%.8s", text);
    } else if (json_is_number(value)) {
        out_cellf(table, "%.6g", json_number_value(value));
    } else if (json_is_boolean(value)) {
        out_cell(table, json_is_true(value) ? "yes" : "no");
    } else {
        out_cell(table, text);
    }
}

fedn_status cmd_record_list(cli_line *cli, fedn_error *err)
{
    const kind *k = kind_of(cli);
    out_column shown[COLUMNS];
    uint32_t columns = 0;
    json_t *list = NULL;
    json_t *record = NULL;
    size_t i = 0;

    fedn_status rc = api_list_or_print(cli, k->entity, k->field,
                                       k->option ? cli_value(cli, k->option) : NULL, &list, err);
    if (rc != FEDN_OK || !list)
        return rc;
    for (; columns < COLUMNS && k->columns[columns].field; columns++)
        shown[columns] = k->columns[columns].shown;
    out_table *table = out_table_new(shown, columns);
    json_array_foreach(json_object_get(list, "result"), i, record)
    {
        for (uint32_t c = 0; c < columns; c++)
            put_cell(table, record, &k->columns[c]);
    }
    out_table_print(table, k->empty);
    json_decref(list);
    return FEDN_OK;
}

/* Texts as they are, all else as JSON; what is not there is left out. */
static void show_member(const char *name, const json_t *value)
{
    char title[64];
    char *text = NULL;

    if (json_is_null(value))
        return;
    out_clean(name, 0, title, sizeof title);
    if (!json_is_string(value))
        text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    out_member(title, TITLES, text ? text : json_string_value(value));
    free(text);
}

fedn_status cmd_record_show(cli_line *cli, fedn_error *err)
{
    fedn_control *control = NULL;
    json_t *record = NULL;
    const char *name = NULL;
    json_t *value = NULL;

    fedn_status rc = fedn_control_new(cli->config, &control, err);
    if (rc == FEDN_OK)
        rc = api_get(control, kind_of(cli)->entity, cli->args[0], &record, err);
    if (rc == FEDN_OK && cli->json) {
        out_json(record);
    } else if (rc == FEDN_OK) {
        json_object_foreach(record, name, value)
        {
            show_member(name, value);
        }
    }
    json_decref(record);
    fedn_control_free(control);
    return rc;
}
