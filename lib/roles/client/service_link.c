/* SPDX-License-Identifier: Apache-2.0
 * The shell's side towards reducer and combiner: assignment, channel, stream of tasks, heartbeats.
 */
#include "roles/client/service_state.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/owner.h"
#include "fedn.pb-c.h"
#include "roles/client/order.h"
#include <stdio.h>
#include <string.h>

#define HEARTBEAT_LEAST_MS 1000 /* for its answer */

static fedn__client_service *of_assigning(fedn__work *work)
{
    return FEDN__OWNER(work, fedn__client_service, assigning);
}

static void ask(fedn__work *work)
{
    fedn__client_service *service = of_assigning(work);

    fedn__assign(service->http, &service->request, &service->assignment);
}

static void asked(fedn__work *work)
{
    fedn__client_service *service = of_assigning(work);
    const fedn__assignment *found = &service->assignment;
    const char *text = found->err.message;

    if (found->outcome == FEDN__ASSIGNED) {
        service->address = found->address;
        if (found->id[0])
            memcpy(service->id, found->id, sizeof service->id);
        if (found->helper[0])
            memcpy(service->helper, found->helper, sizeof service->helper);
        text = found->address.target;
    }
    fedn__client_engine_assigned(service->engine, fedn__clock_ms(), found->outcome, found->err.code,
                                 text);
    fedn__client_drain(service);
}

void fedn__client_assign(fedn__client_service *service)
{
    const fedn__client_options *options = service->options;
    const fedn__assign_request request = {
        .api_url = options->api_url,
        .id = service->identity.id,
        .name = service->identity.name,
        .preferred_combiner = options->preferred_combiner,
        .package = options->package,
        .token = options->token,
        .timeout_ms = options->call_timeout_ms,
    };

    service->request = request;
    service->assigning.work = ask;
    service->assigning.done = asked;
    fedn__work_submit(&service->assigning, service->loop, service->pool, NULL);
}

/* What may come with a task, of a model that would be fetched otherwise. */
static uint64_t most_inline(const fedn__client_service *service)
{
    uint64_t most = service->options->max_model_bytes;

    return most < FEDN__LIMIT_INLINE_MODEL ? most : FEDN__LIMIT_INLINE_MODEL;
}

static void on_opened(fedn__stream *stream, void *user_data)
{
    fedn__errand *errand = user_data;

    (void)stream;
    errand->service->is_open = 1;
    fedn__client_engine_opened(errand->service->engine, fedn__clock_ms(), errand->dial);
    fedn__client_drain(errand->service);
    fedn__client_flush_notes(errand->service);
}

/* A line that was safe stays so: TLS is not left for plain text. */
static void move(fedn__client_service *service, uint64_t dial, const char *target)
{
    fedn__address address;
    fedn_error err;

    if (fedn__address_parse(target, &address, &err) != FEDN_OK) {
        fedn__log_write(&service->options->log, FEDN_LOG_WARNING, "client",
                        "the combiner sends this client elsewhere: %s", err.message);
        return;
    }
    address.tls = service->address.tls;
    service->address = address;
    fedn__client_engine_sent(service->engine, fedn__clock_ms(), dial, address.target);
    fedn__client_drain(service);
}

static void on_task(fedn__stream *stream, const ProtobufCMessage *message, void *user_data)
{
    const Fedn__TaskRequest *request = (const Fedn__TaskRequest *)message;
    fedn__errand *errand = user_data;
    fedn__client_service *service = errand->service;
    fedn__order *order = NULL;
    fedn_error err;

    if (*request->server) {
        move(service, errand->dial, request->server);
        return;
    }
    fedn_status rc =
        fedn__order_parse(request, service->helper, most_inline(service), &order, &err);
    if (rc == FEDN_ERR_UNSUPPORTED)
        return; /* FEDn's clients ignore it too */
    if (rc != FEDN_OK) {
        /* lost with the stream, and handed out again on the next */
        fedn__log_write(&service->options->log, FEDN_LOG_ERROR, "client", "a task: %s",
                        err.message);
        fedn__stream_cancel(stream);
        return;
    }
    if (!order->fault)
        snprintf(service->helper, sizeof service->helper, "%s", order->format);
    fedn__client_engine_order(service->engine, fedn__clock_ms(), errand->dial, order);
    fedn__client_drain(service);
}

static void on_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    fedn__errand *errand = user_data;
    fedn__client_service *service = errand->service;
    fedn_error err = {0};

    (void)stream;
    fedn_status rc = fedn__client_judge(rpc, details, "stream of tasks", &err);
    fedn__client_engine_closed(service->engine, fedn__clock_ms(), errand->dial, rc, err.message);
    fedn__errand_free(errand);
    fedn__client_drain(service);
}

static fedn_status open_channel(fedn__client_service *service, fedn_error *err)
{
    const char *metadata[7] = {"client", service->id, "grpc-server", service->address.host, NULL};

    if (service->authorization) {
        metadata[4] = "authorization";
        metadata[5] = service->authorization;
    }
    const fedn__channel_options options = {
        .target = service->address.target,
        .tls = service->address.tls,
        .root_pem = service->trusted_pem,
        .metadata = metadata,
    };
    return fedn__channel_new(service->loop, &options, &service->channel, err);
}

void fedn__client_dial(fedn__client_service *service, const fedn__client_action *action)
{
    static const fedn__stream_events events = {
        .opened = on_opened, .message = on_task, .closed = on_closed};
    fedn__stream *stream = NULL;
    fedn_error err = {0};

    fedn__errand *errand = fedn__errand_new(service, action);
    fedn_status rc = errand ? open_channel(service, &err) : fedn__error_nomem(&err);
    if (rc == FEDN_OK) {
        const fedn__reporter reporter = fedn__client_reporter(service);
        rc = fedn__report_open(&reporter, most_inline(service), &events, errand, &stream, &err);
    }
    if (rc == FEDN_OK)
        return;
    fedn__errand_free(errand);
    fedn__client_engine_closed(service->engine, fedn__clock_ms(), action->dial, rc, err.message);
    fedn__client_drain(service);
}

void fedn__client_hang_up(fedn__client_service *service)
{
    service->transfer_step = 0;
    service->is_open = 0;
    fedn__channel_free(service->channel);
    service->channel = NULL;
}

static void on_beat(int32_t rpc, const char *details, const ProtobufCMessage *response,
                    void *user_data)
{
    fedn__errand *errand = user_data;
    fedn__client_service *service = errand->service;
    fedn_error err = {0};

    (void)response;
    fedn_status rc = fedn__client_judge(rpc, details, "heartbeat", &err);
    fedn__client_engine_heartbeat(service->engine, fedn__clock_ms(), errand->dial, rc, err.message);
    fedn__errand_free(errand);
    fedn__client_drain(service);
    if (rc == FEDN_OK)
        fedn__client_flush_notes(service);
}

void fedn__client_heartbeat(fedn__client_service *service, const fedn__client_action *action)
{
    if (!service->channel)
        return; /* dialling failed at once, and the engine knows */
    fedn__reporter reporter = fedn__client_reporter(service);
    int64_t most = 2 * service->options->heartbeat_ms;
    /* a line on which nothing arrives is found before the combiner counts its client as gone */
    most = most > HEARTBEAT_LEAST_MS ? most : HEARTBEAT_LEAST_MS;
    reporter.timeout_ms = reporter.timeout_ms < most ? reporter.timeout_ms : most;
    fedn__errand *errand = fedn__errand_new(service, action);
    if (errand && fedn__report_heartbeat(&reporter, on_beat, errand) == FEDN_OK)
        return;
    fedn__errand_free(errand);
    fedn__client_engine_heartbeat(service->engine, fedn__clock_ms(), action->dial,
                                  FEDN_ERR_UNAVAILABLE, "a heartbeat could not be sent");
    fedn__client_drain(service);
}
