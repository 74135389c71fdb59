/* SPDX-License-Identifier: Apache-2.0
 * The RPCs of a combiner: one table, one handler a row. */
#include "roles/combiner/methods.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/text.h"
#include <assert.h>
#include <string.h>

const char *fedn__combiner_caller(const fedn__call *call, const Fedn__Client *sender)
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

void fedn__combiner_no_caller(fedn__call *call)
{
    fedn__call_reject(call, FEDN__RPC_INVALID_ARGUMENT,
                      "the caller says neither in metadata \"client\" nor in sender who it is");
}

void fedn__combiner_answer(fedn__combiner_service *service, fedn__call *call, const char *text)
{
    Fedn__Client self = FEDN__CLIENT__INIT;
    Fedn__Response response = FEDN__RESPONSE__INIT;

    self.role = FEDN__ROLE__COMBINER;
    self.name = (char *)(uintptr_t)service->options.name;
    response.sender = &self;
    response.response = (char *)(uintptr_t)text;
    fedn__call_reply(call, &response.base);
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

fedn__held_call *fedn__combiner_hold(fedn__combiner_service *service, fedn__call *call,
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
    const char *id = fedn__combiner_caller(call, message->sender);

    if (!id) {
        fedn__combiner_no_caller(call);
        return;
    }
    if (service->health.stopping) {
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE, FEDN__COMBINER_STOPPING);
        return;
    }
    fedn__held_call *held = fedn__combiner_hold(service, call, id, NULL);
    if (!held)
        return;
    held->inline_bytes = fedn__combiner_read_inline(message->data);
    held->moves = fedn__combiner_read_moves(message->data);
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
    const char *id = fedn__combiner_caller(call, message->sender);
    Fedn__Response response = FEDN__RESPONSE__INIT;

    if (!id) {
        fedn__combiner_no_caller(call);
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

/* method, kind, most bytes of a request (0: little), request, handler. What holds texts of a
 * client's own making takes as much as FEDn's combiner does: a refusal for its size ends FEDn's
 * client. */
#define MOST FEDN__LIMIT_MESSAGE_BYTES
#define METHODS(X)                                                                                 \
    X("Combiner/TaskStream", FEDN__STREAM_OUT, 0, client_available_message, task_stream)           \
    X("Combiner/SendModelUpdate", FEDN__UNARY, MOST, model_update, fedn__combiner_model_update)    \
    X("Combiner/SendModelValidation", FEDN__UNARY, MOST, model_validation,                         \
      fedn__combiner_validation)                                                                   \
    X("Combiner/SendModelPrediction", FEDN__UNARY, MOST, model_prediction,                         \
      fedn__combiner_prediction)                                                                   \
    X("Combiner/SendBackwardCompletion", FEDN__UNARY, MOST, backward_completion,                   \
      fedn__combiner_backward)                                                                     \
    X("Combiner/SendModelMetric", FEDN__UNARY, MOST, model_metric, fedn__combiner_metric)          \
    X("Combiner/SendAttributeMessage", FEDN__UNARY, MOST, attribute_message,                       \
      fedn__combiner_attribute)                                                                    \
    X("Combiner/SendTelemetryMessage", FEDN__UNARY, MOST, telemetry_message,                       \
      fedn__combiner_telemetry)                                                                    \
    X("Connector/SendStatus", FEDN__UNARY, MOST, status, fedn__combiner_status)                    \
    X("Connector/SendHeartbeat", FEDN__UNARY, 0, heartbeat, heartbeat)                             \
    X("Connector/ListActiveClients", FEDN__UNARY, 0, list_clients_request, list_active)            \
    X("Connector/AcceptingClients", FEDN__UNARY, 0, connection_request, accepting)                 \
    X("Connector/ReassignClient", FEDN__UNARY, 0, reassign_request, fedn__combiner_reassign)       \
    X("Connector/ReconnectClient", FEDN__UNARY, 0, reconnect_request, fedn__combiner_reconnect)    \
    X("Reducer/GetGlobalModel", FEDN__UNARY, 0, get_global_model_request,                          \
      fedn__combiner_global_model)                                                                 \
    X("Control/Start", FEDN__UNARY, MOST, control_request, fedn__combiner_control)                 \
    X("Control/Stop", FEDN__UNARY, MOST, control_request, fedn__combiner_control)                  \
    X("Control/FlushAggregationQueue", FEDN__UNARY, MOST, control_request, fedn__combiner_control) \
    X("Control/SetAggregator", FEDN__UNARY, MOST, control_request, fedn__combiner_control)         \
    X("Control/SetServerFunctions", FEDN__UNARY, MOST, control_request, fedn__combiner_control)

uint32_t fedn__combiner_methods(fedn__combiner_service *service,
                                fedn__method ret[FEDN__COMBINER_METHODS])
{
    const fedn__method rows[] = {
#define ROW(path_, kind_, most_, message_, handler_)                                               \
    {.path = "/fedn." path_,                                                                       \
     .kind = (kind_),                                                                              \
     .max_request_bytes = (most_),                                                                 \
     .request = &fedn__##message_##__descriptor,                                                   \
     .open = (handler_),                                                                           \
     .service = service},
        METHODS(ROW)
#undef ROW
    };
    static const char *const services[] = {"fedn.Combiner", "fedn.Connector", "fedn.ModelService",
                                           "fedn.Reducer",  "fedn.Control",   NULL};
    uint32_t count = sizeof rows / sizeof rows[0];

    memcpy(ret, rows, sizeof rows);
    assert(count + FEDN__TRANSFER_METHODS + FEDN__HEALTH_METHODS <= FEDN__COMBINER_METHODS);
    fedn__transfer_methods(&service->host, ret + count);
    count += FEDN__TRANSFER_METHODS;
    service->health.services = services;
    fedn__health_methods(&service->health, ret + count);
    return count + FEDN__HEALTH_METHODS;
}
