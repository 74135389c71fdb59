/* SPDX-License-Identifier: Apache-2.0
 * Clients that are told to go elsewhere, or to come back: only where combiner.reassign allows it,
 * as nothing says who asks. */
#include "roles/combiner/methods.h"

#include "core/json.h"
#include "core/text.h"
#include <stdio.h>
#include <string.h>

int32_t fedn__combiner_read_moves(const char *data)
{
    size_t bytes = strlen(data);
    json_t *said = NULL;

    if (bytes == 0 || bytes > FEDN__LIMIT_TEXT_BYTES ||
        fedn__json_parse(data, bytes, 0, "data", &said, NULL) != FEDN_OK)
        return 0;
    int32_t moves = fedn__json_boolean(said, "moves", 0);
    json_decref(said);
    return moves;
}

/* The client's stream; NULL: the call was rejected. */
static fedn__held_call *find(fedn__combiner_service *service, fedn__call *call,
                             const Fedn__Client *receiver)
{
    const fedn__roster *roster = fedn__combiner_engine_roster(service->engine);
    const char *id = !receiver ? "" : *receiver->client_id ? receiver->client_id : receiver->name;
    char text[FEDN__LIMIT_NAME_BYTES + 32];

    if (!service->options.reassign) {
        fedn__call_reject(call, FEDN__RPC_FAILED_PRECONDITION,
                          "combiner.reassign is off: nobody may move clients of this combiner");
        return NULL;
    }
    const fedn__participant *client =
        fedn__text_is_line(id, FEDN__LIMIT_NAME_BYTES) ? fedn__roster_find(roster, id) : NULL;
    if (client && client->stream)
        return (fedn__held_call *)(uintptr_t)client->stream;
    snprintf(text, sizeof text, "client %.*s is not here", FEDN__LIMIT_NAME_BYTES, id);
    fedn__text_to_line(text);
    fedn__call_reject(call, FEDN__RPC_NOT_FOUND, text);
    return NULL;
}

/* Our clients understand it, and said so; a task whose sender is no combiner is ignored by FEDn's.
 */
static fedn_status send_move(fedn__combiner_service *service, fedn__held_call *held,
                             const char *target)
{
    Fedn__Client sender = FEDN__CLIENT__INIT;
    Fedn__Client receiver = FEDN__CLIENT__INIT;
    Fedn__TaskRequest task = FEDN__TASK_REQUEST__INIT;

    sender.role = FEDN__ROLE__OTHER;
    sender.name = (char *)(uintptr_t)service->options.name;
    receiver.role = FEDN__ROLE__CLIENT;
    receiver.client_id = held->client_id;
    task.sender = &sender;
    task.receiver = &receiver;
    task.server = (char *)(uintptr_t)target;
    return fedn__call_send(held->call, &task.base);
}

void fedn__combiner_reassign(void *service_data, fedn__call *call, const ProtobufCMessage *request)
{
    fedn__combiner_service *service = service_data;
    const Fedn__ReassignRequest *message = (const Fedn__ReassignRequest *)request;
    char target[FEDN__LIMIT_NAME_BYTES + 16];
    fedn__held_call *held = find(service, call, message->receiver);

    if (!held)
        return;
    if (!fedn__text_is_line(message->server, FEDN__LIMIT_NAME_BYTES) || message->port == 0 ||
        message->port > UINT16_MAX) {
        fedn__call_reject(call, FEDN__RPC_INVALID_ARGUMENT,
                          "server and port (1..65535) must name a combiner");
        return;
    }
    snprintf(target, sizeof target, "%s:%u", message->server, (unsigned)message->port);
    if (!held->moves)
        fedn__call_reject(call, FEDN__RPC_FAILED_PRECONDITION,
                          "the client is none of libfedn's: it cannot be sent elsewhere");
    else if (send_move(service, held, target) != FEDN_OK)
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE, "the client could not be told");
    else
        fedn__combiner_answer(service, call, "SENT elsewhere");
}

void fedn__combiner_reconnect(void *service_data, fedn__call *call, const ProtobufCMessage *request)
{
    fedn__combiner_service *service = service_data;
    const Fedn__ReconnectRequest *message = (const Fedn__ReconnectRequest *)request;
    fedn__held_call *held = find(service, call, message->receiver);

    if (!held)
        return;
    fedn__combiner_answer(service, call, "ASKED to connect anew");
    /* after UNAVAILABLE every client comes back, FEDn's too */
    fedn__call_finish(held->call, FEDN__RPC_UNAVAILABLE, "asked to connect anew");
}
