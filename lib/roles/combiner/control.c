/* SPDX-License-Identifier: Apache-2.0
 * What only the reducer can say or order: the newest global model is asked of it, and FEDn's
 * Control calls, which would go past it, are refused. */
#include "roles/combiner/methods.h"

#include "core/alloc.h"
#include "core/error.h"
#include <string.h>

#define GLOBAL_MODEL    "/fedn.Reducer/GetGlobalModel"
#define GLOBAL_MODEL_MS INT64_C(10000)

/* A call that waits for the reducer's answer. */
typedef struct asking {
    fedn__call *call; /* NULL: its peer has gone */
    int32_t answered;
} asking;

static void on_closed(fedn__call *call, int32_t cancelled, void *user_data)
{
    asking *a = user_data;

    (void)call;
    (void)cancelled;
    a->call = NULL;
    if (a->answered)
        fedn__free(a);
}

static void on_global_model(int32_t rpc, const char *details, const ProtobufCMessage *response,
                            void *user_data)
{
    asking *a = user_data;

    if (!a->call) {
        fedn__free(a);
        return;
    }
    a->answered = 1;
    if (rpc == FEDN__RPC_OK)
        fedn__call_reply(a->call, response);
    else
        fedn__call_reject(a->call, rpc, details);
}

void fedn__combiner_global_model(void *service_data, fedn__call *call,
                                 const ProtobufCMessage *request)
{
    static const fedn__call_events events = {.closed = on_closed};
    const fedn__unary_options options = {.timeout_ms = GLOBAL_MODEL_MS};
    fedn__combiner_service *service = service_data;
    asking *a = NULL;

    if (!fedn__uplink_is_up(service->uplink)) {
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE, "no link to the reducer: try again");
        return;
    }
    a = fedn__alloc_zero(sizeof *a);
    if (!a || fedn__channel_unary(fedn__uplink_channel(service->uplink), GLOBAL_MODEL, request,
                                  &fedn__get_global_model_response__descriptor, &options,
                                  on_global_model, a) != FEDN_OK) {
        fedn__free(a);
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE, "out of memory");
        return;
    }
    a->call = call;
    fedn__call_set_events(call, &events, a);
}

void fedn__combiner_control(void *service_data, fedn__call *call, const ProtobufCMessage *request)
{
    static const struct {
        const char *method, *text;
    } refusals[] = {
        {"Start", "rounds are the reducer's: POST /api/v1/sessions/start there"},
        {"Stop", "sessions are stopped at the reducer: PATCH /api/v1/sessions/<id> there"},
        {"FlushAggregationQueue", "updates are folded as they come: no queue of them to flush"},
        {"SetAggregator", "the aggregator comes with a session of the reducer: nothing is set"},
        {"SetServerFunctions",
         "server functions come with a session of the reducer: nothing is set"},
    };
    const char *method = strrchr(fedn__call_path(call), '/') + 1;

    (void)service_data;
    (void)request;
    for (uint32_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (strcmp(refusals[i].method, method) == 0)
            fedn__call_reject(call, FEDN__RPC_FAILED_PRECONDITION, refusals[i].text);
}
