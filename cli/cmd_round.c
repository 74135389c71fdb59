/* SPDX-License-Identifier: Apache-2.0
 * fednctl round: list, and what became of every client's update. */
#include "api.h"
#include "out.h"
#include "rounds.h"

#include <stdio.h>
#include <string.h>

const cli_option round_list_options[] = {
    {"session", "SESSION", "only rounds of this session"},
    {"limit", "N", "lines at most; 0 for all (50)"},
    {NULL, NULL, NULL},
};

/* Updates that were asked for and that count, over all combiners of a round. */
static void count_updates(const json_t *round, int64_t *asked, int64_t *counted)
{
    json_t *combiner = NULL;
    json_t *client = NULL;
    size_t i = 0;
    size_t j = 0;

    *asked = 0;
    *counted = 0;
    json_array_foreach(json_object_get(round, "combiners"), i, combiner)
    {
        json_t *clients = json_object_get(combiner, "clients");
        if (json_array_size(clients) == 0) {
            const json_t *data = json_object_get(combiner, "data");
            *asked += api_integer(data, "nr_expected_updates");
            *counted +=
                api_integer(json_object_get(data, "aggregation_time"), "nr_aggregated_models");
        }
        json_array_foreach(clients, j, client)
        {
            ++*asked;
            *counted += strcmp(api_text(client, "outcome"), "accepted") == 0;
        }
    }
}

/* What new model it made; combiners name their partials only. */
static const char *session_of(const json_t *round)
{
    return api_text(json_object_get(round, "round_config"), "session_id");
}

void rounds_print(json_t *rounds, const char *empty)
{
    static const out_column columns[] = {{"ROUND", 1, 1},   {"STATUS", 1, 0},
                                         {"UPDATES", 1, 1}, {"COMBINERS", 1, 1},
                                         {"SESSION", 0, 0}, {"COMMITTED (UTC)", 1, 0}};
    out_table *table = out_table_new(columns, 6);
    json_t *round = NULL;
    size_t i = 0;

    json_array_foreach(rounds, i, round)
    {
        char when[OUT_TEXT];
        int64_t asked = 0;
        int64_t counted = 0;
        count_updates(round, &asked, &counted);
        out_time(api_text(round, "committed_at"), when, sizeof when);
        out_cell(table, api_text(round, "round_id"));
        out_cell(table, api_text(round, "status"));
        out_cellf(table, "%lld/%lld", (long long)counted, (long long)asked);
        out_cellf(table, "%zu", json_array_size(json_object_get(round, "combiners")));
        out_cell(table, session_of(round));
        out_cell(table, when);
    }
    out_table_print(table, empty);
}

fedn_status cmd_round_list(cli_line *cli, fedn_error *err)
{
    json_t *list = NULL;

    fedn_status rc = api_list_or_print(cli, "rounds", "round_config.session_id",
                                       cli_value(cli, "session"), &list, err);
    if (rc == FEDN_OK && list)
        rounds_print(json_object_get(list, "result"), "no round yet");
    json_decref(list);
    return rc;
}

static int64_t count_outcome(const json_t *combiner, const char *outcome)
{
    json_t *client = NULL;
    int64_t count = 0;
    size_t i = 0;

    json_array_foreach(json_object_get(combiner, "clients"), i, client)
    {
        count += strcmp(api_text(client, "outcome"), outcome) == 0;
    }
    return count;
}

/* What became of the updates that a combiner asked for. Of very many clients the record names those
 * first whose update does not count. */
static void print_combiner(out_table *table, const json_t *combiner)
{
    const json_t *data = json_object_get(combiner, "data");
    int64_t listed = (int64_t)json_array_size(json_object_get(combiner, "clients"));
    int64_t asked = api_integer(data, "nr_expected_updates");
    int64_t accepted = count_outcome(combiner, "accepted");
    int64_t refused = count_outcome(combiner, "refused");
    int64_t failed = count_outcome(combiner, "failed");
    int64_t answered = refused + failed;

    if (asked > listed)
        accepted = api_integer(json_object_get(data, "aggregation_time"), "nr_aggregated_models");
    answered += accepted;
    out_cell(table, api_text(combiner, "name"));
    out_cell(table, api_text(combiner, "status"));
    out_cellf(table, "%lld", (long long)(asked > listed ? asked : listed));
    out_cellf(table, "%lld", (long long)answered);
    out_cellf(table, "%lld", (long long)accepted);
    out_cellf(table, "%lld", (long long)count_outcome(combiner, "late"));
    out_cellf(table, "%lld", (long long)refused);
    out_cellf(table, "%lld", (long long)count_outcome(combiner, "lost"));
    out_cellf(table, "%lld", (long long)failed);
}

static void print_combiners(const json_t *round)
{
    static const out_column columns[] = {{"COMBINER", 0, 0}, {"STATUS", 1, 0},   {"ASKED", 1, 1},
                                         {"ANSWERED", 1, 1}, {"ACCEPTED", 1, 1}, {"LATE", 1, 1},
                                         {"REFUSED", 1, 1},  {"LOST", 1, 1},     {"FAILED", 1, 1}};
    out_table *table = out_table_new(columns, 9);
    json_t *combiner = NULL;
    size_t i = 0;

    json_array_foreach(json_object_get(round, "combiners"), i, combiner)
    {
        print_combiner(table, combiner);
    }
    out_table_print(table, "no combiner was asked");
}

static const char *shown_name(const json_t *client)
{
    const char *name = api_text(client, "name");

    return *name ? name : api_text(client, "client_id");
}

/* Why something did not count, whole: it is what the reader has come for. */
static void print_reason(const char *who, const char *why, int *said)
{
    char line[4 * OUT_TEXT];
    char clean[4 * OUT_TEXT];

    if (!*why)
        return;
    if (!*said)
        putchar('\n');
    snprintf(line, sizeof line, "%s: %s", who, why);
    out_clean(line, 0, clean, sizeof clean);
    out_wrapped(clean, 0);
    *said = 1;
}

static void print_reasons(const json_t *round)
{
    json_t *combiner = NULL;
    json_t *client = NULL;
    size_t i = 0;
    size_t j = 0;
    int said = 0;

    json_array_foreach(json_object_get(round, "combiners"), i, combiner)
    {
        print_reason(api_text(combiner, "name"), api_text(combiner, "message"), &said);
        json_array_foreach(json_object_get(combiner, "clients"), j, client)
        {
            print_reason(shown_name(client), api_text(client, "reason"), &said);
        }
    }
}

static void print_clients(const json_t *round)
{
    static const out_column columns[] = {{"CLIENT", 0, 0},
                                         {"COMBINER", 0, 0},
                                         {"OUTCOME", 1, 0},
                                         {"EXAMPLES", 1, 1},
                                         {"TIME", 1, 1}};
    out_table *table = out_table_new(columns, 5);
    json_t *combiner = NULL;
    json_t *client = NULL;
    size_t i = 0;
    size_t j = 0;

    json_array_foreach(json_object_get(round, "combiners"), i, combiner)
    {
        json_array_foreach(json_object_get(combiner, "clients"), j, client)
        {
            char time[32];
            out_seconds(api_number(client, "seconds"), time, sizeof time);
            out_cell(table, shown_name(client));
            out_cell(table, api_text(combiner, "name"));
            out_cell(table, api_text(client, "outcome"));
            out_cellf(table, "%.15g", api_number(client, "num_examples"));
            out_cell(table, time);
        }
    }
    out_table_print(table, "no client was asked");
}

static void show(const json_t *round)
{
    const json_t *config = json_object_get(round, "round_config");
    char when[OUT_TEXT];
    int64_t asked = 0;
    int64_t counted = 0;

    count_updates(round, &asked, &counted);
    out_time(api_text(round, "committed_at"), when, sizeof when);
    out_field("round", api_text(round, "round_id"));
    out_field("status", api_text(round, "status"));
    out_field("message", api_text(round, "message"));
    out_field("session", api_text(config, "session_id"));
    out_field("trained", api_text(config, "model_id"));
    out_fieldf("updates", "%lld of %lld", (long long)counted, (long long)asked);
    out_field("made (UTC)", when);
    putchar('\n');
    print_combiners(round);
    putchar('\n');
    print_clients(round);
    print_reasons(round);
}

fedn_status cmd_round_show(cli_line *cli, fedn_error *err)
{
    fedn_control *control = NULL;
    json_t *round = NULL;

    fedn_status rc = fedn_control_new(cli->config, &control, err);
    if (rc == FEDN_OK)
        rc = api_get(control, "rounds", cli->args[0], &round, err);
    fedn_control_free(control);
    if (rc == FEDN_OK && cli->json)
        out_json(round);
    else if (rc == FEDN_OK)
        show(round);
    json_decref(round);
    return rc;
}
