/* SPDX-License-Identifier: Apache-2.0
 * The health service: one answer, or a stream of them that ends when the listener is stopping. */
#include "roles/health.h"

#include "core/alloc.h"
#include "health.pb-c.h"
#include <string.h>

#define STATUS(name) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name

typedef struct fedn__health_watch {
    struct fedn__health_watch *next;
    fedn__health *health;
    fedn__call *call;
    int32_t known; /* the service that it asked for is one of ours */
} watch;

static int32_t is_known(const fedn__health *health, const ProtobufCMessage *request)
{
    const char *name = ((const Grpc__Health__V1__HealthCheckRequest *)request)->service;

    for (const char *const *known = health->services; *name && known && *known; known++)
        if (strcmp(*known, name) == 0)
            return 1;
    return *name == 0;
}

static Grpc__Health__V1__HealthCheckResponse response_of(const fedn__health *health, int32_t known)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

    response.status = !known             ? STATUS(SERVICE_UNKNOWN)
                      : health->stopping ? STATUS(NOT_SERVING)
                                         : STATUS(SERVING);
    return response;
}

static void check(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    const fedn__health *health = service;

    if (!is_known(health, request)) {
        fedn__call_reject(call, FEDN__RPC_NOT_FOUND, "unknown service");
        return;
    }
    Grpc__Health__V1__HealthCheckResponse response = response_of(health, 1);
    fedn__call_reply(call, &response.base);
}

static void tell(const watch *w)
{
    Grpc__Health__V1__HealthCheckResponse response = response_of(w->health, w->known);

    fedn__call_send(w->call, &response.base);
    if (w->health->stopping)
        fedn__call_finish(w->call, FEDN__RPC_UNAVAILABLE, "the server is stopping");
}

static void on_closed(fedn__call *call, int32_t cancelled, void *user_data)
{
    watch *w = user_data;
    watch **place = &w->health->watches;

    (void)call;
    (void)cancelled;
    while (*place != w)
        place = &(*place)->next;
    *place = w->next;
    fedn__free(w);
}

static void open_watch(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    static const fedn__call_events events = {.closed = on_closed};
    fedn__health *health = service;
    watch *w = fedn__alloc_zero(sizeof *w);

    if (!w) {
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE, "out of memory");
        return;
    }
    w->health = health;
    w->call = call;
    w->known = is_known(health, request);
    w->next = health->watches;
    health->watches = w;
    fedn__call_set_events(call, &events, w);
    tell(w);
}

void fedn__health_methods(fedn__health *health, fedn__method ret[FEDN__HEALTH_METHODS])
{
    fedn__method row = {.kind = FEDN__UNARY,
                        .path = "/grpc.health.v1.Health/Check",
                        .request = &grpc__health__v1__health_check_request__descriptor,
                        .open = check,
                        .service = health};

    ret[0] = row;
    row.kind = FEDN__STREAM_OUT;
    row.path = "/grpc.health.v1.Health/Watch";
    row.open = open_watch;
    ret[1] = row;
}

void fedn__health_stop(fedn__health *health)
{
    health->stopping = 1;
    for (const watch *w = health->watches; w; w = w->next)
        tell(w);
}
