/* SPDX-License-Identifier: Apache-2.0
 * A combiner's link to the tier above. */
#include "roles/combiner/uplink.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/uuid.h"
#include "roles/link.h"
#include <fedn/version.h>
#include <stdio.h>
#include <string.h>

#define PROTOCOL         1
#define RECONNECT_MIN_MS 100
#define WAITING_BYTES    (64 * FEDN__MIB) /* kept for a peer that is away */
#define ATTACH           "/fedn.tier.v1.Tier/Attach"

struct fedn__uplink {
    fedn__loop *loop;
    fedn__uplink_options options;
    char *texts[5]; /* what options point to */
    fedn__uplink_events events;
    void *user_data;
    fedn__channel *channel;
    fedn__stream *stream; /* open or opening; NULL between two tries */
    fedn__link link;
    fedn__timer retry;
    char link_id[FEDN__UUID_TEXT];
    char reducer_id[FEDN__LIMIT_NAME_BYTES + 1];
    int64_t pause_ms;
    uint32_t port;
    int32_t up; /* Welcome has come */
    int32_t complained;
    int32_t closing;
    void (*gone)(void *user_data);
    void *gone_data;
};

static void dial(fedn__uplink *uplink);

static void on_retry(fedn__timer *timer, void *user_data)
{
    (void)timer;
    dial(user_data);
}

static fedn_status keep_texts(fedn__uplink *uplink, fedn_error *err)
{
    const char **fields[5] = {&uplink->options.target, &uplink->options.name,
                              &uplink->options.combiner_id, &uplink->options.host,
                              &uplink->options.fqdn};

    for (uint32_t i = 0; i < 5; i++) {
        uplink->texts[i] = fedn__strdup(*fields[i] ? *fields[i] : "");
        if (!uplink->texts[i])
            return fedn__error_nomem(err);
        *fields[i] = uplink->texts[i];
    }
    return FEDN_OK;
}

static void uplink_free(fedn__uplink *uplink)
{
    fedn__channel_free(uplink->channel);
    fedn__link_done(&uplink->link);
    for (uint32_t i = 0; i < 5; i++)
        fedn__free(uplink->texts[i]);
    fedn__free(uplink);
}

fedn_status fedn__uplink_new(fedn__loop *loop, const fedn__uplink_options *options,
                             const fedn__uplink_events *events, void *user_data, fedn__uplink **ret,
                             fedn_error *err)
{
    *ret = NULL;
    fedn__uplink *uplink = fedn__alloc_zero(sizeof *uplink);
    if (!uplink)
        return fedn__error_nomem(err);
    uplink->loop = loop;
    uplink->options = *options;
    uplink->events = *events;
    uplink->user_data = user_data;
    uplink->retry.fn = on_retry;
    uplink->retry.user_data = uplink;
    uplink->pause_ms = RECONNECT_MIN_MS;
    fedn__link_init(&uplink->link, WAITING_BYTES);
    fedn__uuid_new_text(uplink->link_id);
    fedn_status rc = keep_texts(uplink, err);
    if (rc == FEDN_OK) {
        const char *const metadata[] = {"combiner", uplink->options.name, NULL};
        fedn__channel_options channel = {.target = uplink->options.target,
                                         .metadata = metadata,
                                         .backoff_max_ms = options->reconnect_max_ms};
        rc = fedn__channel_new(loop, &channel, &uplink->channel, err);
    }
    if (rc != FEDN_OK) {
        uplink_free(uplink);
        return rc;
    }
    *ret = uplink;
    return FEDN_OK;
}

/* Half to three halves of a pause that doubles: combiners that lost the same reducer do not come
 * back all at once. */
static void retry_later(fedn__uplink *uplink)
{
    fedn__uuid random;

    fedn__uuid_new(&random);
    int64_t jitter = uplink->pause_ms * random.bytes[0] / 256;
    int64_t due_ms = uplink->pause_ms / 2 + jitter;
    fedn__loop_timer_set(uplink->loop, &uplink->retry, fedn__clock_ns() + due_ms * 1000000);
    uplink->pause_ms *= 2;
    if (uplink->pause_ms > uplink->options.reconnect_max_ms)
        uplink->pause_ms = uplink->options.reconnect_max_ms;
}

static void on_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    fedn__uplink *uplink = user_data;
    int32_t was_up = uplink->up;

    (void)stream;
    uplink->stream = NULL;
    uplink->up = 0;
    if (uplink->closing) {
        if (uplink->gone)
            uplink->gone(uplink->gone_data);
        uplink_free(uplink);
        return;
    }
    if (!uplink->complained)
        fedn__log_write(uplink->options.log, FEDN_LOG_WARNING, "combiner",
                        "no link to the reducer at %s: %s: %s; trying again",
                        uplink->options.target, fedn__rpc_name(rpc), details);
    uplink->complained = 1;
    if (was_up)
        uplink->events.down(uplink->user_data);
    retry_later(uplink);
}

static void send_kept(fedn__uplink *uplink, const fedn__link_item *item)
{
    Fedn__Tier__V1__Up *message = fedn__tier__v1__up__unpack(NULL, (size_t)item->bytes, item->data);

    if (!message) {
        fedn__stream_cancel(uplink->stream);
        return;
    }
    message->seq = item->seq;
    message->ack = uplink->link.last_seen;
    if (fedn__stream_send(uplink->stream, &message->base) != FEDN_OK)
        fedn__stream_cancel(uplink->stream);
    fedn__tier__v1__up__free_unpacked(message, NULL);
}

static void on_welcome(fedn__uplink *uplink, const Fedn__Tier__V1__Welcome *welcome)
{
    if (*welcome->refused) {
        fedn__log_write(uplink->options.log, FEDN_LOG_ERROR, "combiner",
                        "the reducer at %s refuses: %s", uplink->options.target, welcome->refused);
        uplink->complained = 1;
        fedn__stream_cancel(uplink->stream);
        return;
    }
    /* another reducer, or one that has lost its memory of this link */
    int32_t fresh = strcmp(uplink->reducer_id, welcome->reducer_id) != 0 ||
                    !fedn__link_continues(&uplink->link, welcome->last_seq_seen);
    if (fresh) {
        fedn__link_renumber(&uplink->link);
        snprintf(uplink->reducer_id, sizeof uplink->reducer_id, "%s", welcome->reducer_id);
    }
    if (uplink->complained)
        fedn__log_write(uplink->options.log, FEDN_LOG_INFO, "combiner",
                        "linked to the reducer at %s", uplink->options.target);
    uplink->up = 1;
    uplink->complained = 0;
    uplink->pause_ms = RECONNECT_MIN_MS;
    const fedn__link_item *item =
        fedn__link_resend(&uplink->link, fresh ? 0 : welcome->last_seq_seen);
    for (; item && uplink->stream; item = item->next)
        send_kept(uplink, item);
    uplink->events.up(uplink->user_data, fresh);
}

static void on_message(fedn__stream *stream, const ProtobufCMessage *base, void *user_data)
{
    fedn__uplink *uplink = user_data;
    const Fedn__Tier__V1__Down *message = (const Fedn__Tier__V1__Down *)base;

    if (uplink->closing)
        return;
    fedn__link_acked(&uplink->link, message->ack);
    if (message->body_case == FEDN__TIER__V1__DOWN__BODY_WELCOME) {
        if (!uplink->up)
            on_welcome(uplink, message->welcome);
        return;
    }
    if (message->body_case == FEDN__TIER__V1__DOWN__BODY__NOT_SET)
        return; /* an acknowledgement only, or a body of a later protocol */
    int32_t order = fedn__link_accept(&uplink->link, message->seq);
    if (order > 0) {
        uplink->events.message(uplink->user_data, message);
    } else if (order < 0) {
        fedn__log_write(uplink->options.log, FEDN_LOG_ERROR, "combiner",
                        "the reducer skipped messages before number %llu: linking anew",
                        (unsigned long long)message->seq);
        fedn__stream_cancel(stream);
    }
}

static fedn_status send_hello(fedn__uplink *uplink)
{
    Fedn__Tier__V1__Hello hello = FEDN__TIER__V1__HELLO__INIT;
    Fedn__Tier__V1__Up up = FEDN__TIER__V1__UP__INIT;

    hello.protocol = PROTOCOL;
    hello.combiner_id = uplink->texts[2];
    hello.name = uplink->texts[1];
    hello.host = uplink->texts[3];
    hello.fqdn = uplink->texts[4];
    hello.port = uplink->port;
    hello.max_clients = uplink->options.max_clients;
    hello.link_id = uplink->link_id;
    hello.last_seq_seen = uplink->link.last_seen;
    hello.version = (char *)(uintptr_t)FEDN_VERSION_STRING;
    up.body_case = FEDN__TIER__V1__UP__BODY_HELLO;
    up.hello = &hello;
    return fedn__stream_send(uplink->stream, &up.base);
}

static void dial(fedn__uplink *uplink)
{
    static const fedn__stream_events events = {.message = on_message, .closed = on_closed};
    fedn_error err = {0};

    if (uplink->closing || uplink->stream)
        return;
    fedn_status rc =
        fedn__channel_stream(uplink->channel, ATTACH, NULL, &fedn__tier__v1__down__descriptor,
                             &events, uplink, &uplink->stream, &err);
    if (rc != FEDN_OK) {
        fedn__log_write(uplink->options.log, FEDN_LOG_WARNING, "combiner",
                        "cannot dial the reducer: %s", err.message);
        retry_later(uplink);
        return;
    }
    if (send_hello(uplink) != FEDN_OK)
        fedn__stream_cancel(uplink->stream);
}

void fedn__uplink_start(fedn__uplink *uplink, uint32_t port)
{
    uplink->port = port;
    dial(uplink);
}

void fedn__uplink_close(fedn__uplink *uplink, void (*gone)(void *user_data), void *user_data)
{
    fedn__loop_timer_cancel(uplink->loop, &uplink->retry);
    uplink->closing = 1;
    uplink->gone = gone;
    uplink->gone_data = user_data;
    if (uplink->stream) {
        fedn__stream_cancel(uplink->stream);
        return;
    }
    if (gone)
        gone(user_data);
    uplink_free(uplink);
}

fedn_status fedn__uplink_send(fedn__uplink *uplink, Fedn__Tier__V1__Up *message)
{
    fedn_status rc = FEDN_OK;

    message->seq = uplink->link.next_seq;
    message->ack = uplink->link.last_seen;
    size_t bytes = fedn__tier__v1__up__get_packed_size(message);
    uint8_t *packed = fedn__alloc(bytes);
    if (!packed)
        return FEDN_ERR_NOMEM;
    fedn__tier__v1__up__pack(message, packed);
    rc = fedn__link_add(&uplink->link, packed, bytes);
    fedn__free(packed);
    /* a stream that cannot take it is cut; what was kept goes out on the next one */
    if (rc == FEDN_OK && uplink->up && uplink->stream &&
        fedn__stream_send(uplink->stream, &message->base) != FEDN_OK)
        fedn__stream_cancel(uplink->stream);
    return rc;
}

int32_t fedn__uplink_is_up(const fedn__uplink *uplink)
{
    return uplink->up;
}

fedn__channel *fedn__uplink_channel(fedn__uplink *uplink)
{
    return uplink->channel;
}
