/* SPDX-License-Identifier: Apache-2.0
 * Building the documents of a session. */
#include "roles/reducer/trail.h"

#include "core/alloc.h"
#include "core/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void fedn__course_done(fedn__course *course)
{
    json_decref(course->session);
    json_decref(course->run);
    json_decref(course->client_ids);
    json_decref(course->recent);
    json_decref(course->combiners);
    json_decref(course->round_config);
    json_decref(course->entries);
    fedn__free(course->prefix);
    json_decref(course->task);
    fedn__free(course->task_text);
    *course = (fedn__course){0};
}

void fedn__trail_round_id(uint64_t round, char text[FEDN__ROUND_ID_TEXT])
{
    snprintf(text, FEDN__ROUND_ID_TEXT, "%" PRIu64, round);
}

json_t *fedn__trail_session(const char *session_id, const char *name, const json_t *config)
{
    return json_pack("{s:s, s:s?, s:s, s:n, s:O}", "session_id", session_id, "name", name, "status",
                     fedn__session_status(FEDN__SESSION_CREATED), "seed_model_id", "session_config",
                     config);
}

json_t *fedn__trail_run(const fedn__course *course, const fedn__reducer_session *session)
{
    return json_pack(
        "{s:s, s:s, s:s, s:n, s:O?, s:I, s:n}", "run_id", course->run_id, "session_id",
        session->session_id, "model_id", session->model_id, "completed_at_model_id",
        "round_timeout",
        json_object_get(json_object_get(course->session, "session_config"), "round_timeout"),
        "rounds", (json_int_t)session->rounds, "completed_at");
}

json_t *fedn__trail_model(const char *model_id, const char *name, const char *parent,
                          const char *session_id)
{
    return json_pack("{s:s, s:s, s:s?, s:s?, s:s?}", "model_id", model_id, "model", model_id,
                     "name", name, "parent_model", parent, "session_id", session_id);
}

/* Text of a peer: one line, in bounds. */
static json_t *line(const char *text)
{
    char copy[FEDN__LIMIT_TEXT_BYTES + 1];

    snprintf(copy, sizeof copy, "%s", text);
    fedn__text_to_line(copy);
    return json_string(copy);
}

static json_t *outcomes(const Fedn__Tier__V1__RoundReport *report)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < report->n_clients; i++) {
        const Fedn__Tier__V1__ClientOutcome *client = report->clients[i];
        json_t *item =
            json_pack("{s:o, s:o, s:o, s:o, s:f, s:f, s:I}", "client_id", line(client->client_id),
                      "name", line(client->name), "outcome", line(client->outcome), "reason",
                      line(client->reason), "num_examples", client->num_examples, "seconds",
                      client->seconds, "staleness", (json_int_t)client->staleness);
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

json_t *fedn__trail_entry(const Fedn__Tier__V1__RoundReport *report, const char *combiner,
                          const json_t *task)
{
    json_t *data =
        json_pack("{s:{s:I, s:f, s:f}, s:I, s:I, s:f, s:n}", "aggregation_time",
                  "nr_aggregated_models", (json_int_t)report->count, "time_model_aggregation",
                  report->seconds_aggregation, "time_model_load", 0.0, "nr_expected_updates",
                  (json_int_t)report->expected, "nr_required_updates", (json_int_t)report->required,
                  "time_combination", report->seconds_aggregation, "timeout");
    json_t *entry = json_pack(
        "{s:o, s:s?, s:s, s:s, s:f, s:O?, s:o, s:o, s:f}", "round_id", line(report->round_id),
        "model_id", *report->partial_id ? report->partial_id : NULL, "name", combiner, "status",
        *report->partial_id ? "Success" : "Failed", "time_exec_training", report->seconds_training,
        "config", task, "data", data, "clients", outcomes(report), "weight", report->weight);

    if (entry && *report->error &&
        json_object_set_new(entry, "message", line(report->error)) != 0) {
        json_decref(entry);
        entry = NULL;
    }
    return entry;
}

/* What became of one combiner, whether it reported or not. */
static json_t *part_entry(const fedn__course *course, const char *round_id,
                          const fedn__reducer_part *part)
{
    json_t *reported = json_object_get(course->entries, part->combiner->name);
    json_t *entry = reported ? json_copy(reported)
                             : json_pack("{s:s, s:n, s:s, s:s}", "round_id", round_id, "model_id",
                                         "name", part->combiner->name, "status", "Pending");
    int failed = !entry;

    if (!failed && part->state == FEDN__PART_FAILED)
        failed = json_object_set_new(entry, "status", json_string("Failed")) != 0 ||
                 json_object_set_new(entry, "message", line(part->error)) != 0;
    if (failed) {
        json_decref(entry);
        return NULL;
    }
    return entry;
}

static json_t *round_data(const fedn__course *course)
{
    return json_pack("{s:f, s:{s:f, s:f, s:f}}", "time_commit", course->committing, "reduce",
                     "time_aggregate_model", course->merging, "time_fetch_model", 0.0,
                     "time_load_model", 0.0);
}

json_t *fedn__trail_round(const fedn__course *course, const fedn__reducer_round *round,
                          int32_t state)
{
    char id[FEDN__ROUND_ID_TEXT];
    json_t *combiners = json_array();
    json_t *record = NULL;
    int failed = !combiners;

    fedn__trail_round_id(round->id, id);
    for (uint32_t i = 0; !failed && i < round->count; i++)
        failed = json_array_append_new(combiners, part_entry(course, id, &round->parts[i])) != 0;
    record = json_pack(
        "{s:s, s:s, s:O?, s:o, s:o}", "round_id", id, "status", fedn__round_status(state),
        "round_config", course->round_config, "round_data",
        state == FEDN__ROUND_FINISHED ? round_data(course) : json_null(), "combiners", combiners);
    if (!failed && record && round->message[0])
        failed = json_object_set_new(record, "message", line(round->message)) != 0;
    if (failed) {
        json_decref(record);
        return NULL;
    }
    return record;
}

json_t *fedn__trail_session_event(const fedn__course *course, const fedn__reducer_session *session)
{
    const char *name = fedn__json_string(course->session, "name", "");

    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:o}", "type", "session", "session_id",
                     session->session_id, "name", name, "status",
                     fedn__session_status(session->status), "round", (json_int_t)session->done,
                     "rounds", (json_int_t)session->rounds, "model_id", session->model_id,
                     "message", line(session->message));
}

json_t *fedn__trail_recorded_event(const json_t *record, uint64_t rounds_done)
{
    const json_t *config = json_object_get(record, "session_config");

    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:o}", "type", "session", "session_id",
                     fedn__json_string(record, "session_id", ""), "name",
                     fedn__json_string(record, "name", ""), "status",
                     fedn__json_string(record, "status", ""), "round", (json_int_t)rounds_done,
                     "rounds", (json_int_t)fedn__json_integer(config, "rounds", 0), "model_id",
                     fedn__json_string(config, "model_id", ""), "message",
                     line(fedn__json_string(record, "message", "")));
}

static json_t *part_counts(const fedn__reducer_part *part)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "name", part->combiner->name, "expected",
                     (json_int_t)part->expected, "accepted", (json_int_t)part->accepted, "refused",
                     (json_int_t)part->refused, "failed", (json_int_t)part->failed, "message",
                     line(part->state == FEDN__PART_FAILED ? part->error : ""));
}

json_t *fedn__trail_round_event(const fedn__reducer_session *session,
                                const fedn__reducer_round *round, int64_t now_ms)
{
    char id[FEDN__ROUND_ID_TEXT];
    json_int_t sums[4] = {0};
    json_t *combiners = json_array();
    int64_t end = round->ended_ms ? round->ended_ms : now_ms;
    const char *message = round->message[0] ? round->message : session->message;
    int failed = !combiners;

    fedn__trail_round_id(round->id, id);
    for (uint32_t i = 0; !failed && i < round->count; i++) {
        const fedn__reducer_part *part = &round->parts[i];
        sums[0] += part->expected;
        sums[1] += part->accepted;
        sums[2] += part->refused;
        sums[3] += part->failed;
        failed = json_array_append_new(combiners, part_counts(part)) != 0;
    }
    json_t *event = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:f, s:s, s:o, s:o}", "type", "round",
        "session_id", session->session_id, "round_id", id, "number", (json_int_t)round->number,
        "rounds", (json_int_t)session->rounds, "status", fedn__round_status(round->state),
        "expected", sums[0], "accepted", sums[1], "refused", sums[2], "failed", sums[3], "seconds",
        (double)(end - round->began_ms) / 1000, "model_id", round->model_id, "message",
        line(round->state == FEDN__ROUND_FINISHED ? "" : message), "combiners", combiners);
    if (failed)
        json_decref(event);
    return failed ? NULL : event;
}

json_t *fedn__trail_combiner_event(const fedn__reducer_combiner *combiner)
{
    return json_pack("{s:s, s:s, s:s, s:I}", "type", "combiner", "name", combiner->name, "status",
                     combiner->attachment ? "online" : "offline", "active_clients",
                     (json_int_t)(combiner->attachment ? combiner->active : 0));
}

json_t *fedn__trail_validation_event(const json_t *validation, const char *round_id)
{
    const json_t *sender = json_object_get(validation, "sender");
    const char *data = fedn__json_string(validation, "data", "");
    json_t *metrics = NULL;

    if (fedn__json_parse_python(data, strlen(data), 1, "metrics", &metrics, NULL) != FEDN_OK)
        metrics = json_string(data);
    return json_pack("{s:s, s:s, s:s?, s:s, s:s, s:s, s:o}", "type", "validation", "session_id",
                     fedn__json_string(validation, "session_id", ""), "round_id", round_id,
                     "model_id", fedn__json_string(validation, "model_id", ""), "client_id",
                     fedn__json_string(sender, "client_id", ""), "name",
                     fedn__json_string(sender, "name", ""), "metrics", metrics);
}

json_t *fedn__trail_prediction_event(const json_t *prediction)
{
    const json_t *sender = json_object_get(prediction, "sender");
    const char *data = fedn__json_string(prediction, "data", "");

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?}", "type", "prediction", "prediction_id",
                     fedn__json_string(prediction, "prediction_id", ""), "model_id",
                     fedn__json_string(prediction, "model_id", ""), "client_id",
                     fedn__json_string(sender, "client_id", ""), "name",
                     fedn__json_string(sender, "name", ""), "data",
                     strlen(data) <= FEDN__LIMIT_TEXT_BYTES ? data : NULL);
}
