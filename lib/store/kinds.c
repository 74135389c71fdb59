/* SPDX-License-Identifier: Apache-2.0
 * The table of record kinds: REST entity, key and fields of each, and what a field holds. */
#include "store/records.h"

#include <stddef.h>
#include <string.h>

#define FIELDS(...) ((const fedn__kind_field[]){__VA_ARGS__, {NULL}})
#define STAMPED                                                                                    \
    {"committed_at", FEDN__FIELD_DATE},                                                            \
    {                                                                                              \
        "updated_at", FEDN__FIELD_DATE                                                             \
    }

#define SETTINGS                                                                                   \
    {"aggregator"}, {"aggregator_kwargs", FEDN__FIELD_ANY}, {"round_timeout", FEDN__FIELD_NUMBER}, \
        {"buffer_size", FEDN__FIELD_INTEGER}, {"rounds", FEDN__FIELD_INTEGER},                     \
        {"delete_models_storage", FEDN__FIELD_SWITCH}, {"clients_required", FEDN__FIELD_INTEGER},  \
        {"requested_clients", FEDN__FIELD_INTEGER}, {"mode"},                                      \
        {"max_staleness", FEDN__FIELD_INTEGER}, {"staleness_exponent", FEDN__FIELD_NUMBER},        \
        {"ask", FEDN__FIELD_INTEGER}, {"straggler_quantile", FEDN__FIELD_NUMBER},                  \
        {"straggler_factor", FEDN__FIELD_NUMBER}, {"validate", FEDN__FIELD_SWITCH},                \
        {"helper_type"}, {"model_id"},                                                             \
    {                                                                                              \
        "server_functions"                                                                         \
    }

const fedn__kind_field fedn__kind_settings[] = {SETTINGS, {NULL}};

static const fedn__kind_field round_settings[] = {SETTINGS,
                                                  {"session_id"},
                                                  {"task"},
                                                  {"round_id"},
                                                  {"client_settings", FEDN__FIELD_ANY},
                                                  {"is_sl_inference", FEDN__FIELD_ANY},
                                                  {"selected_clients", FEDN__FIELD_ANY},
                                                  {NULL}};

const fedn__kind_field fedn__kind_party[] = {{"name"}, {"role"}, {"client_id"}, {NULL}};

static const fedn__kind_field reduce_times[] = {{"time_aggregate_model", FEDN__FIELD_NUMBER},
                                                {"time_fetch_model", FEDN__FIELD_NUMBER},
                                                {"time_load_model", FEDN__FIELD_NUMBER},
                                                {NULL}};

static const fedn__kind_field round_times[] = {
    {"time_commit", FEDN__FIELD_NUMBER}, {"reduce", FEDN__FIELD_OBJECT, reduce_times}, {NULL}};

static const fedn__kind_field round_parts[] = {{"round_id"},
                                               {"model_id"},
                                               {"name"},
                                               {"status"},
                                               {"time_exec_training", FEDN__FIELD_NUMBER},
                                               {"config", FEDN__FIELD_ANY},
                                               {"data", FEDN__FIELD_ANY},
                                               {NULL}};

#define SENDER                                                                                     \
    {                                                                                              \
        "sender", FEDN__FIELD_OBJECT, fedn__kind_party                                             \
    }
#define RECEIVER                                                                                   \
    {                                                                                              \
        "receiver", FEDN__FIELD_OBJECT, fedn__kind_party                                           \
    }

static const fedn__kind kinds[FEDN__KIND_COUNT] = {
    [FEDN__KIND_CLIENT] = {"clients", "client_id",
                           FIELDS({"client_id"}, {"name"}, {"combiner"}, {"combiner_preferred"},
                                  {"ip"}, {"status"}, {"last_seen", FEDN__FIELD_DATE}, {"package"},
                                  STAMPED)},
    [FEDN__KIND_COMBINER] = {"combiners", "combiner_id",
                             FIELDS({"combiner_id"}, {"name"}, {"address"}, {"fqdn"}, {"ip"},
                                    {"parent"}, {"port", FEDN__FIELD_INTEGER}, STAMPED)},
    [FEDN__KIND_MODEL] = {"models", "model_id",
                          FIELDS({"model_id"}, {"model"}, {"name"}, {"parent_model"},
                                 {"session_id"}, STAMPED)},
    [FEDN__KIND_PACKAGE] = {"packages", "package_id",
                            FIELDS({"package_id"}, {"name"}, {"description"}, {"file_name"},
                                   {"storage_file_name"}, {"helper"},
                                   {"active", FEDN__FIELD_SWITCH}, {"checksum"}, STAMPED)},
    [FEDN__KIND_SESSION] = {"sessions", "session_id",
                            FIELDS({"session_id"}, {"name"}, {"status"}, {"seed_model_id"},
                                   {"session_config", FEDN__FIELD_OBJECT, fedn__kind_settings},
                                   STAMPED)},
    [FEDN__KIND_ROUND] = {"rounds", "round_id",
                          FIELDS({"round_id"}, {"status"},
                                 {"round_config", FEDN__FIELD_OBJECT, round_settings},
                                 {"round_data", FEDN__FIELD_OBJECT, round_times},
                                 {"combiners", FEDN__FIELD_LIST, round_parts}, STAMPED)},
    [FEDN__KIND_RUN] = {"runs", "run_id",
                        FIELDS({"run_id"}, {"session_id"}, {"model_id"}, {"completed_at_model_id"},
                               {"round_timeout", FEDN__FIELD_NUMBER},
                               {"rounds", FEDN__FIELD_INTEGER}, {"completed_at", FEDN__FIELD_DATE},
                               STAMPED)},
    [FEDN__KIND_STATUS] = {"statuses", "status_id",
                           FIELDS({"status_id"}, {"status"}, {"timestamp"}, {"log_level"}, {"data"},
                                  {"correlation_id"}, {"type"}, {"extra"}, {"session_id"}, SENDER,
                                  STAMPED)},
    [FEDN__KIND_VALIDATION] = {"validations", "validation_id",
                               FIELDS({"validation_id"}, {"model_id"}, {"data"}, {"correlation_id"},
                                      {"timestamp"}, {"session_id"}, {"meta"}, SENDER, RECEIVER,
                                      STAMPED)},
    [FEDN__KIND_PREDICTION] = {"predictions", "prediction_id",
                               FIELDS({"prediction_id"}, {"model_id"}, {"data"}, {"correlation_id"},
                                      {"timestamp"}, {"meta"}, SENDER, RECEIVER, STAMPED)},
    [FEDN__KIND_METRIC] = {"metrics", "metric_id",
                           FIELDS({"metric_id"}, {"key"}, {"value", FEDN__FIELD_NUMBER},
                                  {"timestamp"}, SENDER, {"model_id"},
                                  {"step", FEDN__FIELD_INTEGER}, {"round_id"}, {"session_id"},
                                  STAMPED)},
    [FEDN__KIND_TELEMETRY] = {"telemetry", "telemetry_id",
                              FIELDS({"telemetry_id"}, {"key"}, {"value", FEDN__FIELD_NUMBER},
                                     {"timestamp"}, SENDER, STAMPED)},
    [FEDN__KIND_ATTRIBUTE] = {"attributes", "attribute_id",
                              FIELDS({"attribute_id"}, {"key"}, {"value"}, {"timestamp"}, SENDER,
                                     STAMPED)},
};

const fedn__kind *fedn__kind_get(int32_t kind)
{
    return kind >= 0 && kind < FEDN__KIND_COUNT ? &kinds[kind] : NULL;
}

int32_t fedn__kind_find(const char *entity)
{
    for (int32_t kind = 0; kind < FEDN__KIND_COUNT; kind++)
        if (strcmp(kinds[kind].entity, entity) == 0)
            return kind;
    return -1;
}

const fedn__kind_field *fedn__kind_field_find(const fedn__kind_field *fields, const char *name)
{
    const fedn__kind_field *found = NULL;
    size_t len = strcspn(name, ".");

    for (; fields && fields->name; fields++)
        if (strlen(fields->name) == len && memcmp(fields->name, name, len) == 0)
            found = fields;
    if (!found || !name[len])
        return found;
    return fedn__kind_field_find(found->type == FEDN__FIELD_OBJECT ? found->members : NULL,
                                 name + len + 1);
}
