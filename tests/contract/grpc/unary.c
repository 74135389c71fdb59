/* SPDX-License-Identifier: Apache-2.0
 * The unary calls of FEDn's protocol: request, answer, and the record that it becomes. */
#include "contract.h"

#include "health.pb-c.h"

#define MESSAGE(name)    .base = PROTOBUF_C_MESSAGE_INIT(&fedn__##name##__descriptor)
#define TEXT(text)       ((char *)(uintptr_t)(text))
#define LIST(Type, list) .n_##list = sizeof list / sizeof list[0], .list = (Type **)(uintptr_t)list

static Fedn__Client ann = {MESSAGE(client), .role = FEDN__ROLE__CLIENT, .name = TEXT("Ann")};
static Fedn__Client combiner = {MESSAGE(client), .role = FEDN__ROLE__COMBINER, .name = TEXT("c1")};
static Google__Protobuf__Timestamp noon = {
    .base = PROTOBUF_C_MESSAGE_INIT(&google__protobuf__timestamp__descriptor),
    .seconds = 1764000000,
    .nanos = 123456000};
static Google__Protobuf__UInt32Value third = {
    .base = PROTOBUF_C_MESSAGE_INIT(&google__protobuf__uint32_value__descriptor), .value = 3};

static Fedn__Heartbeat heartbeat = {MESSAGE(heartbeat), .sender = &ann};
static Fedn__Heartbeat heartbeat_of_nobody = {MESSAGE(heartbeat)};
static Fedn__Status status = {MESSAGE(status),
                              .sender = &ann,
                              .status = TEXT("Model update completed."),
                              .log_level = FEDN__LOG_LEVEL__AUDIT,
                              .data = TEXT("{\n  \"modelId\": \"m\"\n}"),
                              .timestamp = &noon,
                              .type = FEDN__STATUS_TYPE__MODEL_UPDATE,
                              .session_id = TEXT("s")};
static Fedn__Status status_of_nobody = {MESSAGE(status), .status = TEXT("hello")};
static Fedn__ModelUpdate update = {MESSAGE(model_update), .sender = &ann, .model_id = TEXT(MODEL),
                                   .model_update_id = TEXT(UPDATE),
                                   .meta = TEXT("{\"training_metadata\": {\"num_examples\": 1}, "
                                                "\"config\": \"{\\\"round_id\\\": \\\"1\\\"}\"}")};
static Fedn__ModelValidation validation = {MESSAGE(model_validation),
                                           .sender = &ann,
                                           .receiver = &combiner,
                                           .model_id = TEXT(MODEL),
                                           .data = TEXT("{\"accuracy\": 0.5}"),
                                           .correlation_id = TEXT("c"),
                                           .timestamp = &noon,
                                           .session_id = TEXT("s")};
static Fedn__ModelValidation bare_validation = {MESSAGE(model_validation), .sender = &ann};
static Fedn__ModelPrediction prediction = {MESSAGE(model_prediction), .sender = &ann,
                                           .receiver = &combiner,     .model_id = TEXT(MODEL),
                                           .data = TEXT("null"),      .correlation_id = TEXT("c"),
                                           .timestamp = &noon,        .prediction_id = TEXT("p")};
static Fedn__BackwardCompletion backward = {MESSAGE(backward_completion),
                                            .sender = &ann,
                                            .gradient_id = TEXT("g"),
                                            .correlation_id = TEXT("c"),
                                            .session_id = TEXT("s"),
                                            .timestamp = &noon,
                                            .meta = TEXT("{}")};

static Fedn__MetricElem zero = {MESSAGE(metric_elem), .key = TEXT("loss")};
static Fedn__MetricElem *const metrics[] = {&zero};
static Fedn__ModelMetric metric = {
    MESSAGE(model_metric), .sender = &ann,         LIST(Fedn__MetricElem, metrics),
    .timestamp = &noon,    .step = &third,         .model_id = TEXT(MODEL),
    .round_id = TEXT("7"), .session_id = TEXT("s")};
static Fedn__ModelMetric no_metric = {MESSAGE(model_metric), .sender = &ann};

static Fedn__AttributeElem empty = {MESSAGE(attribute_elem), .key = TEXT("site")};
static Fedn__AttributeElem *const attributes[] = {&empty};
static Fedn__AttributeMessage attribute = {MESSAGE(attribute_message), .sender = &ann,
                                           LIST(Fedn__AttributeElem, attributes)};
static Fedn__AttributeMessage no_attribute = {MESSAGE(attribute_message), .sender = &ann};

static Fedn__TelemetryElem idle = {MESSAGE(telemetry_elem), .key = TEXT("cpu_usage")};
static Fedn__TelemetryElem *const telemetries[] = {&idle};
static Fedn__TelemetryMessage telemetry = {MESSAGE(telemetry_message), .sender = &ann,
                                           LIST(Fedn__TelemetryElem, telemetries)};
static Fedn__TelemetryMessage no_telemetry = {MESSAGE(telemetry_message), .sender = &ann};

static Fedn__ListClientsRequest tasks = {MESSAGE(list_clients_request),
                                         .channel = FEDN__QUEUE__TASK_QUEUE};
static Fedn__ListClientsRequest defaults = {MESSAGE(list_clients_request)};
static Fedn__ConnectionRequest connection = {MESSAGE(connection_request)};
static Fedn__ReassignRequest reassign = {MESSAGE(reassign_request), .receiver = &ann};
static Fedn__ReconnectRequest reconnect = {MESSAGE(reconnect_request), .receiver = &ann};
static Fedn__ControlRequest control = {MESSAGE(control_request)};
static Fedn__GetGlobalModelRequest global_model = {MESSAGE(get_global_model_request)};
static Fedn__ModelRequest model = {MESSAGE(model_request), .id = TEXT(UPDATE)};
static Fedn__ProvidedFunctionsRequest functions = {MESSAGE(provided_functions_request)};
static Fedn__ClientSelectionRequest selection = {MESSAGE(client_selection_request)};
static Fedn__ClientMetaRequest metadata = {MESSAGE(client_meta_request)};
static Grpc__Health__V1__HealthCheckRequest health_of_all = {
    .base = PROTOBUF_C_MESSAGE_INIT(&grpc__health__v1__health_check_request__descriptor)};
static Grpc__Health__V1__HealthCheckRequest health_of_one = {
    .base = PROTOBUF_C_MESSAGE_INIT(&grpc__health__v1__health_check_request__descriptor),
    .service = TEXT("fedn.Combiner")};
static Grpc__Health__V1__HealthCheckRequest health_of_none = {
    .base = PROTOBUF_C_MESSAGE_INIT(&grpc__health__v1__health_check_request__descriptor),
    .service = TEXT("fedn.Nobody")};

#define RESPONSE        &fedn__response__descriptor
#define CONTROL(method) "/fedn.Control/" method, &control.base, &fedn__control_response__descriptor
#define HEALTH(request)                                                                            \
    "/grpc.health.v1.Health/Check", &(request).base,                                               \
        &grpc__health__v1__health_check_response__descriptor
#define OK      FEDN__RPC_OK
#define NOT_NOW FEDN__RPC_FAILED_PRECONDITION
#define NEVER   FEDN__RPC_UNIMPLEMENTED
#define WHO     "\"sender\":{\"client_id\":\"ann\",\"name\":\"Ann\",\"role\":\"CLIENT\"}"

const unary_row unary_rows[] = {
    {"ann", "/fedn.Connector/SendHeartbeat", &heartbeat.base, RESPONSE, OK,
     "Ann CLIENT Heartbeat_received", NULL, NULL},
    {"", "/fedn.Connector/SendHeartbeat", &heartbeat.base, RESPONSE, OK, "Ann Heartbeat_received",
     NULL, NULL},
    {"", "/fedn.Connector/SendHeartbeat", &heartbeat_of_nobody.base, RESPONSE,
     FEDN__RPC_INVALID_ARGUMENT, "who_it_is", NULL, NULL},
    {"ann", "/fedn.Connector/SendStatus", &status.base, RESPONSE, OK,
     "c1 COMBINER Status_received.", "statuses",
     WHO ";\"log_level\":\"AUDIT\";\"type\":\"MODEL_UPDATE\";\"session_id\":\"s\";"
         "\"timestamp\":\"2025-11-24T16:00:00.123456Z\""},
    {"", "/fedn.Connector/SendStatus", &status_of_nobody.base, RESPONSE, OK, "REFUSED who_it_is",
     NULL, NULL},
    {"ann", "/fedn.Combiner/SendModelUpdate", &update.base, RESPONSE, OK, "REFUSED " UPDATE, NULL,
     NULL},
    {"ann", "/fedn.Combiner/SendModelValidation", &validation.base, RESPONSE, OK,
     "RECEIVED_ModelValidation", "validations",
     WHO ";\"data\":\"{\\\"accuracy\\\": 0.5}\";\"session_id\":\"s\";\"role\":\"COMBINER\""},
    {"ann", "/fedn.Combiner/SendModelValidation", &bare_validation.base, RESPONSE, OK,
     "RECEIVED_ModelValidation", "validations", WHO},
    {"ann", "/fedn.Combiner/SendModelPrediction", &prediction.base, RESPONSE, OK,
     "RECEIVED_ModelPrediction", "predictions", WHO ";\"prediction_id\":\"p\";\"data\":\"null\""},
    {"bob", "/fedn.Combiner/SendModelPrediction", &prediction.base, RESPONSE, OK,
     "RECEIVED_ModelPrediction", "predictions", "\"client_id\":\"bob\";\"prediction_id\":\"p\""},
    {"ann", "/fedn.Combiner/SendBackwardCompletion", &backward.base, RESPONSE, OK,
     "RECEIVED_BackwardCompletion", "statuses",
     WHO ";\"status\":\"finished_backward\";\"type\":\"BACKWARD\";\\\"gradientId\\\":\\\"g\\\""},
    {"ann", "/fedn.Combiner/SendModelMetric", &metric.base, RESPONSE, OK, "", "metrics",
     WHO ";\"value\":0.0;\"step\":3;\"round_id\":\"7\";\"session_id\":\"s\";\"key\":\"loss\""},
    {"ann", "/fedn.Combiner/SendModelMetric", &no_metric.base, RESPONSE, OK, "", NULL, NULL},
    {"ann", "/fedn.Combiner/SendAttributeMessage", &attribute.base, RESPONSE, OK, "", "attributes",
     WHO ";\"key\":\"site\";\"value\":\"\""},
    {"ann", "/fedn.Combiner/SendAttributeMessage", &no_attribute.base, RESPONSE, OK, "", NULL,
     NULL},
    {"ann", "/fedn.Combiner/SendTelemetryMessage", &telemetry.base, RESPONSE, OK, "", "telemetry",
     WHO ";\"key\":\"cpu_usage\";\"value\":0.0"},
    {"ann", "/fedn.Combiner/SendTelemetryMessage", &no_telemetry.base, RESPONSE, OK, "", NULL,
     NULL},
    {"", "/fedn.Connector/AcceptingClients", &connection.base,
     &fedn__connection_response__descriptor, OK, "ACCEPTING", NULL, NULL},
    {"", "/fedn.Connector/ListActiveClients", &tasks.base, &fedn__client_list__descriptor, OK,
     "ann_CLIENT_ann", NULL, NULL},
    {"", "/fedn.Connector/ListActiveClients", &defaults.base, &fedn__client_list__descriptor, OK,
     "nobody", NULL, NULL},
    {"", "/fedn.Connector/ReassignClient", &reassign.base, RESPONSE, NOT_NOW, "combiner.reassign",
     NULL, NULL},
    {"", "/fedn.Connector/ReconnectClient", &reconnect.base, RESPONSE, NOT_NOW, "combiner.reassign",
     NULL, NULL},
    {"", CONTROL("Start"), NOT_NOW, "sessions/start", NULL, NULL},
    {"", CONTROL("Stop"), NOT_NOW, "PATCH sessions", NULL, NULL},
    {"", CONTROL("FlushAggregationQueue"), NOT_NOW, "no_queue", NULL, NULL},
    {"", CONTROL("SetAggregator"), NOT_NOW, "nothing_is_set", NULL, NULL},
    {"", CONTROL("SetServerFunctions"), NOT_NOW, "nothing_is_set", NULL, NULL},
    {"", "/fedn.Reducer/GetGlobalModel", &global_model.base,
     &fedn__get_global_model_response__descriptor, OK, FAKE_TIER_GLOBAL, NULL, NULL},
    {"ann", "/fedn.ModelService/Held", &model.base, &fedn__model_response__descriptor, OK, UPDATE,
     NULL, NULL},
    {"", "/fedn.FunctionService/HandleProvidedFunctions", &functions.base, RESPONSE, NEVER, "",
     NULL, NULL},
    {"", "/fedn.FunctionService/HandleClientSelection", &selection.base, RESPONSE, NEVER, "", NULL,
     NULL},
    {"", "/fedn.FunctionService/HandleMetadata", &metadata.base, RESPONSE, NEVER, "", NULL, NULL},
    {"", HEALTH(health_of_all), OK, "SERVING", NULL, NULL},
    {"", HEALTH(health_of_one), OK, "SERVING", NULL, NULL},
    {"", HEALTH(health_of_none), FEDN__RPC_NOT_FOUND, "unknown", NULL, NULL},
};
const uint32_t unary_count = sizeof unary_rows / sizeof unary_rows[0];
