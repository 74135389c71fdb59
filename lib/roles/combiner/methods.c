/* SPDX-License-Identifier: Apache-2.0
 * The RPCs of a combiner: one table, one handler a row. */
#include "roles/combiner/service.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Who calls: the metadata that FEDn's clients attach, else what the message says. NULL: nobody that
 * could be named. */
static const char *caller(const fedn__call *call, const Fedn__Client *sender)
{
    const char *id = fedn__call_metadata(call, "client");

    if (!id || !*id)
        id = sender && *sender->client_id ? sender->client_id : sender ? sender->name : NULL;
    return fedn__text_is_line(id, FEDN__LIMIT_NAME_BYTES) ? id : NULL;
}

static const char *sender_name(const Fedn__Client *sender)
{
    return sender && fedn__text_is_line(sender->name, FEDN__LIMIT_NAME_BYTES) ? sender->name : "";
}

static void no_caller(fedn__call *call)
{
    fedn__call_reject(call, FEDN__RPC_INVALID_ARGUMENT,
                      "the caller says neither in metadata \"client\" nor in sender who it is");
}

static void answer(fedn__combiner_service *service, fedn__call *call, const char *text)
{
    Fedn__Client self = FEDN__CLIENT__INIT;
    Fedn__Response response = FEDN__RESPONSE__INIT;

    self.role = FEDN__ROLE__COMBINER;
    self.name = (char *)(uintptr_t)service->options.name;
    response.sender = &self;
    response.response = (char *)(uintptr_t)text;
    fedn__call_reply(call, &response.base);
}

/* The answer to a message that became a record, or did not. */
static void answer_record(fedn__combiner_service *service, fedn__call *call, fedn_status rc,
                          const char *text)
{
    if (rc == FEDN_OK)
        answer(service, call, text);
    else if (rc == FEDN_ERR_INVALID)
        answer(service, call, "REFUSED: the record is too large");
    else
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE, fedn_status_string(rc));
}

static void held_free(fedn__held_call *held)
{
    if (!held)
        return;
    fedn__free(held->client_id);
    fedn__free(held);
}

static void on_held_closed(fedn__call *call, int32_t cancelled, void *user_data)
{
    fedn__held_call *held = user_data;
    fedn__combiner_service *service = held->service;
    uint64_t token = (uint64_t)(uintptr_t)held;

    (void)call;
    (void)cancelled;
    if (held->update_id[0])
        fedn__combiner_engine_call_gone(service->engine, held->client_id, token);
    else
        fedn__combiner_engine_detach(service->engine, held->client_id, token);
    held_free(held);
    fedn__combiner_service_drain(service);
}

static fedn__held_call *hold(fedn__combiner_service *service, fedn__call *call,
                             const char *client_id, const char *update_id)
{
    static const fedn__call_events events = {.closed = on_held_closed};
    fedn__held_call *held = fedn__alloc_zero(sizeof *held);

    if (!held || !(held->client_id = fedn__strdup(client_id))) {
        held_free(held);
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE, "out of memory");
        return NULL;
    }
    held->service = service;
    held->call = call;
    if (update_id)
        memcpy(held->update_id, update_id, sizeof held->update_id);
    fedn__call_set_events(call, &events, held);
    return held;
}

static void task_stream(void *service_data, fedn__call *call, const ProtobufCMessage *request)
{
    fedn__combiner_service *service = service_data;
    const Fedn__ClientAvailableMessage *message = (const Fedn__ClientAvailableMessage *)request;
    const char *id = caller(call, message->sender);

    if (!id) {
        no_caller(call);
        return;
    }
    if (service->health.stopping) {
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE, FEDN__COMBINER_STOPPING);
        return;
    }
    fedn__held_call *held = hold(service, call, id, NULL);
    if (!held)
        return;
    held->inline_bytes = fedn__combiner_read_inline(message->data);
    if (fedn__combiner_engine_attach(service->engine, fedn__clock_ms(), id,
                                     sender_name(message->sender),
                                     (uint64_t)(uintptr_t)held) != FEDN_OK)
        fedn__call_finish(call, FEDN__RPC_UNAVAILABLE, "out of memory");
    fedn__combiner_service_drain(service);
}

static void heartbeat(void *service_data, fedn__call *call, const ProtobufCMessage *request)
{
    fedn__combiner_service *service = service_data;
    const Fedn__Heartbeat *message = (const Fedn__Heartbeat *)request;
    const char *id = caller(call, message->sender);
    Fedn__Response response = FEDN__RESPONSE__INIT;

    if (!id) {
        no_caller(call);
        return;
    }
    fedn_status rc = fedn__combiner_engine_heartbeat(service->engine, fedn__clock_ms(), id,
                                                     sender_name(message->sender));
    if (rc == FEDN_OK) {
        response.sender = message->sender;
        response.response = (char *)(uintptr_t) "Heartbeat received";
        fedn__call_reply(call, &response.base);
    } else {
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE, "the combiner has no room for more clients");
    }
    fedn__combiner_service_drain(service);
}

/* What an update's meta and config say. Texts belong to `meta`, `config` and the plan. */
typedef struct update_meta {
    json_t *meta;
    json_t *config;
    const char *round_id;
    const char *session_id;
    const char *failed; /* the client's own word for a failed training; NULL: it did not fail */
    double num_examples;
} update_meta;

/* Most send what they were sent: what it says is known then. */
static fedn_status read_config(const char *config, const fedn__round_plan *plan, update_meta *ret,
                               fedn_error *err)
{
    if (plan->config && strcmp(config, plan->config) == 0) {
        ret->round_id = plan->round_id;
        ret->session_id = plan->session_id;
        return FEDN_OK;
    }
    fedn_status rc = fedn__json_parse(config, strlen(config), 0, "config", &ret->config, err);
    ret->round_id = fedn__json_string(ret->config, "round_id", NULL);
    ret->session_id = fedn__json_string(ret->config, "session_id", NULL);
    return rc;
}

static fedn_status read_meta(const Fedn__ModelUpdate *update, const fedn__round_plan *plan,
                             update_meta *ret, fedn_error *err)
{
    fedn_status rc =
        fedn__json_parse(update->meta, strlen(update->meta), 0, "meta", &ret->meta, err);
    if (rc != FEDN_OK)
        return rc;
    if (fedn__text_equal(fedn__json_string(ret->meta, "status", ""), "failed")) {
        ret->failed = fedn__json_string(ret->meta, "error", "training failed");
        return FEDN_OK;
    }
    const char *config =
        *update->config ? update->config : fedn__json_string(ret->meta, "config", NULL);
    if (config) {
        rc = read_config(config, plan, ret, err);
        if (rc != FEDN_OK)
            return rc;
    }
    const json_t *training = json_object_get(ret->meta, "training_metadata");
    ret->num_examples = fedn__json_number(training, "num_examples", NAN);
    if (isnan(ret->num_examples))
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "meta has no number training_metadata.num_examples");
    return FEDN_OK;
}

/* What came with the announcement counts as if it had been uploaded. */
static fedn_status receive(fedn__combiner_service *service, const fedn__held_call *held,
                           const ProtobufCBinaryData *model, fedn_error *err)
{
    uint64_t most = fedn__combiner_most_inline(service);
    fedn__blob *blob = NULL;

    if (model->len == 0)
        return FEDN_OK;
    if (model->len > most)
        return fedn__error(err, FEDN_ERR_LIMIT,
                           "model update %s of %llu bytes is over the %llu that may come with its "
                           "announcement: upload it",
                           held->update_id, (unsigned long long)model->len,
                           (unsigned long long)most);
    fedn_status rc = fedn__blob_copy(model->data, model->len, &blob, err);
    if (rc == FEDN_OK)
        rc = fedn__shelf_put(service->shelf, held->update_id, held->client_id, blob, err);
    fedn__blob_unref(blob);
    return rc;
}

static void announce(fedn__combiner_service *service, fedn__held_call *held,
                     const Fedn__ModelUpdate *update)
{
    update_meta meta = {.num_examples = NAN};
    fedn_error meta_err = {0};
    fedn_error upload_err = {0};
    uint8_t digest[FEDN__DIGEST_BYTES];
    int64_t now = fedn__clock_ms();

    fedn_status rc =
        read_meta(update, fedn__combiner_engine_plan(service->engine), &meta, &meta_err);
    fedn_status uploaded =
        meta.failed ? FEDN_OK : receive(service, held, &update->model, &upload_err);
    if (uploaded == FEDN_OK)
        uploaded = fedn__shelf_check(service->shelf, held->update_id, held->client_id, &upload_err);
    int32_t hashed = uploaded == FEDN_OK && !meta.failed &&
                     fedn__shelf_digest(service->shelf, held->update_id, digest, NULL) == FEDN_OK;
    fedn__announcement said = {.call = (uint64_t)(uintptr_t)held,
                               .client_id = held->client_id,
                               .update_id = held->update_id,
                               .model_id = update->model_id,
                               .round_id = meta.round_id,
                               .session_id = meta.session_id,
                               .num_examples = meta.num_examples,
                               .digest = hashed ? digest : NULL,
                               .meta_error = rc == FEDN_OK ? NULL : meta_err.message,
                               .upload_error = uploaded == FEDN_OK ? NULL : upload_err.message};
    if (meta.failed) {
        rc = fedn__combiner_engine_task_failed(service->engine, now, held->client_id, NULL,
                                               meta.failed);
        if (rc == FEDN_OK)
            answer(service, held->call, "RECEIVED failure of a task");
    } else if (uploaded == FEDN_ERR_NOMEM) {
        rc = uploaded; /* it comes again */
    } else {
        rc = fedn__combiner_engine_update(service->engine, now, &said);
    }
    if (rc != FEDN_OK)
        fedn__call_reject(held->call, FEDN__RPC_UNAVAILABLE, "out of memory");
    fedn__combiner_service_drain(service);
    json_decref(meta.meta);
    json_decref(meta.config);
}

static void model_update(void *service_data, fedn__call *call, const ProtobufCMessage *request)
{
    fedn__combiner_service *service = service_data;
    const Fedn__ModelUpdate *update = (const Fedn__ModelUpdate *)request;
    const char *client_id = caller(call, update->sender);
    char id[FEDN__UUID_TEXT];
    fedn__uuid uuid;

    if (!client_id) {
        no_caller(call);
        return;
    }
    if (!fedn__uuid_parse(update->model_update_id, &uuid)) {
        answer(service, call, "REFUSED ModelUpdate: model_update_id is not a UUID");
        return;
    }
    fedn__uuid_format(&uuid, id);
    fedn__held_call *held = hold(service, call, client_id, id);
    if (held)
        announce(service, held, update);
}

void fedn__combiner_reply(fedn__combiner_service *service, const fedn__combiner_action *action)
{
    fedn__held_call *held = (fedn__held_call *)(uintptr_t)action->token;
    char text[FEDN__REASON_BYTES + FEDN__LIMIT_NAME_BYTES + 80];

    if (action->ok == FEDN__REPLY_LATER) {
        fedn__call_reject(held->call, FEDN__RPC_UNAVAILABLE, action->text);
        return;
    }
    if (action->ok == FEDN__REPLY_COUNTED) {
        snprintf(text, sizeof text, "RECEIVED ModelUpdate %s from client %s", held->update_id,
                 held->client_id);
    } else {
        snprintf(text, sizeof text, "REFUSED ModelUpdate %s: %s", held->update_id, action->text);
        fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner",
                        "update %s of client %s is refused: %s", held->update_id, held->client_id,
                        action->text);
    }
    answer(service, held->call, text);
}

static void status(void *service_data, fedn__call *call, const ProtobufCMessage *request)
{
    fedn__combiner_service *service = service_data;
    const Fedn__Status *message = (const Fedn__Status *)request;
    const char *id = caller(call, message->sender);

    if (!id) {
        no_caller(call);
        return;
    }
    if (message->log_level == FEDN__LOG_LEVEL__ERROR && *message->correlation_id &&
        message->type == FEDN__STATUS_TYPE__MODEL_UPDATE) {
        fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner", "client %s failed: %s", id,
                        message->status);
        fedn__combiner_engine_task_failed(service->engine, fedn__clock_ms(), id,
                                          message->correlation_id, message->status);
        fedn__combiner_service_drain(service);
    }
    answer_record(service, call, fedn__records_status(service->records, id, message),
                  "Status received.");
}

/* The handlers of messages that only become records differ in a type and an answer. */
#define RECORD_HANDLER(name, Message, record, text)                                                \
    static void name(void *service_data, fedn__call *call, const ProtobufCMessage *request)        \
    {                                                                                              \
        fedn__combiner_service *service = service_data;                                            \
        const Message *message = (const Message *)request;                                         \
        const char *id = caller(call, message->sender);                                            \
        if (!id)                                                                                   \
            no_caller(call);                                                                       \
        else                                                                                       \
            answer_record(service, call, record(service->records, id, message), text);             \
    }

RECORD_HANDLER(validation, Fedn__ModelValidation, fedn__records_validation,
               "RECEIVED ModelValidation")
RECORD_HANDLER(prediction, Fedn__ModelPrediction, fedn__records_prediction,
               "RECEIVED ModelPrediction")
RECORD_HANDLER(metric, Fedn__ModelMetric, fedn__records_metrics, "")
RECORD_HANDLER(attribute, Fedn__AttributeMessage, fedn__records_attributes, "")
RECORD_HANDLER(telemetry, Fedn__TelemetryMessage, fedn__records_telemetry, "")

static void list_active(void *service_data, fedn__call *call, const ProtobufCMessage *request)
{
    fedn__combiner_service *service = service_data;
    const Fedn__ListClientsRequest *message = (const Fedn__ListClientsRequest *)request;
    const fedn__roster *roster = fedn__combiner_engine_roster(service->engine);
    Fedn__ClientList list = FEDN__CLIENT_LIST__INIT;
    uint32_t room = message->channel == FEDN__QUEUE__TASK_QUEUE ? roster->online : 0;
    Fedn__Client *clients = fedn__alloc_array(room, sizeof *clients);
    Fedn__Client **places = fedn__alloc_array(room, sizeof *places);

    if (!clients || !places) {
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE, "out of memory");
    } else {
        for (const fedn__participant *c = fedn__roster_oldest(roster); c && list.n_client < room;
             c = c->newer) {
            if (!c->online)
                continue;
            Fedn__Client *entry = &clients[list.n_client];
            fedn__client__init(entry);
            entry->role = FEDN__ROLE__CLIENT;
            entry->name = c->id; /* FEDn lists the id, not the name */
            entry->client_id = c->id;
            places[list.n_client++] = entry;
        }
        list.client = places;
        fedn__call_reply(call, &list.base);
    }
    fedn__free(clients);
    fedn__free(places);
}

static void accepting(void *service_data, fedn__call *call, const ProtobufCMessage *request)
{
    fedn__combiner_service *service = service_data;
    Fedn__ConnectionResponse response = FEDN__CONNECTION_RESPONSE__INIT;

    (void)request;
    response.status =
        fedn__combiner_engine_roster(service->engine)->online < service->options.max_clients
            ? FEDN__CONNECTION_STATUS__ACCEPTING
            : FEDN__CONNECTION_STATUS__NOT_ACCEPTING;
    fedn__call_reply(call, &response.base);
}

/* method, kind, request, handler */
#define METHODS(X)                                                                                 \
    X("/fedn.Combiner/TaskStream", FEDN__STREAM_OUT, client_available_message, task_stream)        \
    X("/fedn.Combiner/SendModelUpdate", FEDN__UNARY, model_update, model_update)                   \
    X("/fedn.Combiner/SendModelValidation", FEDN__UNARY, model_validation, validation)             \
    X("/fedn.Combiner/SendModelPrediction", FEDN__UNARY, model_prediction, prediction)             \
    X("/fedn.Combiner/SendModelMetric", FEDN__UNARY, model_metric, metric)                         \
    X("/fedn.Combiner/SendAttributeMessage", FEDN__UNARY, attribute_message, attribute)            \
    X("/fedn.Combiner/SendTelemetryMessage", FEDN__UNARY, telemetry_message, telemetry)            \
    X("/fedn.Connector/SendStatus", FEDN__UNARY, status, status)                                   \
    X("/fedn.Connector/SendHeartbeat", FEDN__UNARY, heartbeat, heartbeat)                          \
    X("/fedn.Connector/ListActiveClients", FEDN__UNARY, list_clients_request, list_active)         \
    X("/fedn.Connector/AcceptingClients", FEDN__UNARY, connection_request, accepting)

uint32_t fedn__combiner_methods(fedn__combiner_service *service,
                                fedn__method ret[FEDN__COMBINER_METHODS])
{
    const fedn__method rows[] = {
#define ROW(path_, kind_, message_, handler_)                                                      \
    {.path = (path_),                                                                              \
     .kind = (kind_),                                                                              \
     .request = &fedn__##message_##__descriptor,                                                   \
     .open = (handler_),                                                                           \
     .service = service},
        METHODS(ROW)
#undef ROW
    };
    static const char *const services[] = {"fedn.Combiner", "fedn.Connector", "fedn.ModelService",
                                           NULL};
    uint32_t count = sizeof rows / sizeof rows[0];

    memcpy(ret, rows, sizeof rows);
    fedn__transfer_methods(&service->host, ret + count);
    count += FEDN__TRANSFER_METHODS;
    service->health.services = services;
    fedn__health_methods(&service->health, ret + count);
    return count + FEDN__HEALTH_METHODS;
}
