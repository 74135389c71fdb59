/* SPDX-License-Identifier: Apache-2.0
 * The table of record kinds: REST entity, key and fields of each. */
#include "store/records.h"

#include <stddef.h>
#include <string.h>

#define FIELDS(...) ((const char *const[]){__VA_ARGS__, "committed_at", "updated_at", NULL})

static const fedn__kind kinds[FEDN__KIND_COUNT] = {
    [FEDN__KIND_CLIENT] = {"clients", "client_id",
                           FIELDS("client_id", "name", "combiner", "combiner_preferred", "ip",
                                  "status", "last_seen", "package")},
    [FEDN__KIND_COMBINER] = {"combiners", "combiner_id",
                             FIELDS("combiner_id", "name", "address", "fqdn", "ip", "parent",
                                    "port")},
    [FEDN__KIND_MODEL] = {"models", "model_id",
                          FIELDS("model_id", "model", "name", "parent_model", "session_id")},
    [FEDN__KIND_PACKAGE] = {"packages", "package_id",
                            FIELDS("package_id", "name", "description", "file_name",
                                   "storage_file_name", "helper", "active")},
    [FEDN__KIND_SESSION] = {"sessions", "session_id",
                            FIELDS("session_id", "name", "status", "seed_model_id",
                                   "session_config")},
    [FEDN__KIND_ROUND] = {"rounds", "round_id",
                          FIELDS("round_id", "status", "round_config", "round_data", "combiners")},
    [FEDN__KIND_RUN] = {"runs", "run_id",
                        FIELDS("run_id", "session_id", "model_id", "completed_at_model_id",
                               "round_timeout", "rounds", "completed_at")},
    [FEDN__KIND_STATUS] = {"statuses", "status_id",
                           FIELDS("status_id", "status", "timestamp", "log_level", "data",
                                  "correlation_id", "type", "extra", "session_id", "sender")},
    [FEDN__KIND_VALIDATION] = {"validations", "validation_id",
                               FIELDS("validation_id", "model_id", "data", "correlation_id",
                                      "timestamp", "session_id", "meta", "sender", "receiver")},
    [FEDN__KIND_PREDICTION] = {"predictions", "prediction_id",
                               FIELDS("prediction_id", "model_id", "data", "correlation_id",
                                      "timestamp", "meta", "sender", "receiver")},
    [FEDN__KIND_METRIC] = {"metrics", "metric_id",
                           FIELDS("metric_id", "key", "value", "timestamp", "sender", "model_id",
                                  "step", "round_id", "session_id")},
    [FEDN__KIND_TELEMETRY] = {"telemetry", "telemetry_id",
                              FIELDS("telemetry_id", "key", "value", "timestamp", "sender")},
    [FEDN__KIND_ATTRIBUTE] = {"attributes", "attribute_id",
                              FIELDS("attribute_id", "key", "value", "timestamp", "sender")},
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
