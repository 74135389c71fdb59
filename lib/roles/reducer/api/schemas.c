/* SPDX-License-Identifier: Apache-2.0
 * The bodies of requests and answers, by the names that the table of routes gives them. */
#include "roles/reducer/api/schemas.h"

#include <stddef.h>
#include <string.h>

#define FIELDS(...) ((const fedn__kind_field[]){__VA_ARGS__, {NULL}})

#define SESSION_CONFIG                                                                             \
    {                                                                                              \
        "session_config", FEDN__FIELD_OBJECT, fedn__kind_settings                                  \
    }

static const fedn__kind_field counted[] = {{"id"}, {"count", FEDN__FIELD_INTEGER}, {NULL}};

static const fedn__schema schemas[] = {
    {"message", FIELDS({"message"})},
    {"state", FIELDS({"state"})},
    {"helper", FIELDS({"helper"})},
    {"status", FIELDS({"state"}, {"reducer", FEDN__FIELD_ANY}, {"models", FEDN__FIELD_INTEGER},
                      {"message"}, {"session", FEDN__FIELD_ANY}, {"combiners", FEDN__FIELD_ANY})},
    {"client-asks",
     FIELDS({"name"}, {"client_id"}, {"preferred_combiner"}, {"combiner_preferred"}, {"package"})},
    {"assignment", FIELDS({"status"}, {"host"}, {"fqdn"}, {"port", FEDN__FIELD_INTEGER}, {"ip"},
                          {"package"}, {"helper_type"}, {"client_id"})},
    {"client-config", FIELDS({"network_id"}, {"discover_host"},
                             {"discover_port", FEDN__FIELD_INTEGER}, {"checksum"})},
    {"package-choice", FIELDS({"id"})},
    {"package-checksum", FIELDS({"message"}, {"checksum"})},
    {"combiner-names", FIELDS({"combiners"})},
    {"combiner-counts", FIELDS({"result", FEDN__FIELD_LIST, counted})},
    {"model-added", FIELDS({"success", FEDN__FIELD_SWITCH}, {"message"}, {"model_id"})},
    {"model-change",
     FIELDS({"name"}, {"parent_model"}, {"session_id"}, {"pinned", FEDN__FIELD_SWITCH})},
    {"parameters", FIELDS({"array", FEDN__FIELD_ANY})},
    {"session-new", FIELDS({"name"}, {"seed_model_id"}, SESSION_CONFIG)},
    {"session-change", FIELDS({"name"}, {"status"}, {"seed_model_id"}, SESSION_CONFIG)},
    {"session-start",
     FIELDS({"session_id"}, {"rounds", FEDN__FIELD_INTEGER}, {"round_timeout", FEDN__FIELD_NUMBER},
            {"model_name_prefix"}, {"client_ids"})},
    {"prediction-start", FIELDS({"prediction_id"}, {"model_id"})},
    {"telemetry-new", FIELDS({"key"}, {"value", FEDN__FIELD_NUMBER}, {"timestamp"},
                             {"sender", FEDN__FIELD_OBJECT, fedn__kind_party})},
    {"attribute-new",
     FIELDS({"key"}, {"value"}, {"timestamp"}, {"sender", FEDN__FIELD_OBJECT, fedn__kind_party})},
    {"client-ids", FIELDS({"client_ids", FEDN__FIELD_ANY})},
};

const fedn__schema *fedn__schema_get(uint32_t index)
{
    return index < sizeof schemas / sizeof schemas[0] ? &schemas[index] : NULL;
}

int32_t fedn__schema_exists(const char *name)
{
    for (uint32_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++)
        if (strcmp(schemas[i].name, name) == 0)
            return 1;
    return fedn__kind_find(name) >= 0;
}
