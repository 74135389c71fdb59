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
#define RESERVED_BYTES   (16 * FEDN__MIB) /* of it, for what is no record */
#define AHEAD            4                /* messages on the stream that are not written yet */
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
    const fedn__link_item *unsent; /* the next to go out on the present stream */
    uint64_t sent_seq;             /* the last that went */
    uint32_t ahead;
    const fedn__link_item *report; /* not acknowledged yet; NULL: none */
    fedn__blob *nothing;           /* what a message is followed by */
    fedn__timer timer;             /* the next try, or the end of a close's grace */
    char link_id[FEDN__UUID_TEXT];
    char reducer_id[FEDN__LIMIT_NAME_BYTES + 1];
    int64_t pause_ms;
    uint32_t port;
    int32_t up;         /* Welcome has come */
    int32_t complained; /* that the link is down; that it is refused */
    int32_t refused;
    int32_t closing;
    void (*gone)(void *user_data);
    void *gone_data;
};

static void dial(fedn__uplink *uplink);

static void on_timer(fedn__timer *timer, void *user_data)
{
    fedn__uplink *uplink = user_data;

    (void)timer;
    if (!uplink->closing)
        dial(uplink);
    else if (uplink->stream)
        fedn__stream_cancel(uplink->stream);
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
    fedn__blob_unref(uplink->nothing);
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
    uplink->timer.fn = on_timer;
    uplink->timer.user_data = uplink;
    uplink->pause_ms = RECONNECT_MIN_MS;
    fedn__link_init(&uplink->link, WAITING_BYTES);
    fedn__uuid_new_text(uplink->link_id);
    fedn_status rc = keep_texts(uplink, err);
    if (rc == FEDN_OK)
        rc = fedn__blob_copy("", 0, &uplink->nothing, err);
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
    fedn__loop_timer_set(uplink->loop, &uplink->timer, fedn__clock_ns() + due_ms * 1000000);
    uplink->pause_ms *= 2;
    if (uplink->pause_ms > uplink->options.reconnect_max_ms)
        uplink->pause_ms = uplink->options.reconnect_max_ms;
}

static void on_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    fedn__uplink *uplink = user_data;

    (void)stream;
    uplink->stream = NULL;
    uplink->up = 0;
    uplink->unsent = NULL;
    uplink->ahead = 0;
    if (uplink->closing) {
        fedn__loop_timer_cancel(uplink->loop, &uplink->timer);
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
    retry_later(uplink);
}

static void hang_up(fedn__uplink *uplink)
{
    uplink->up = 0;
    uplink->unsent = NULL;
    fedn__stream_cancel(uplink->stream);
}

/* What was not sent on this stream cannot have been taken up. */
static void acked(fedn__uplink *uplink, uint64_t ack)
{
    if (ack > uplink->sent_seq)
        ack = uplink->sent_seq;
    int32_t taken = uplink->report && uplink->report->seq <= ack;
    if (taken)
        uplink->report = NULL;
    fedn__link_acked(&uplink->link, ack);
    if (taken)
        uplink->events.report_taken(uplink->user_data);
}

static void on_sent(fedn__stream *stream, void *user_data);

static fedn_status send_item(fedn__uplink *uplink, const fedn__link_item *item)
{
    uint8_t *message = fedn__alloc(FEDN__LINK_STAMP_BYTES + item->bytes);

    if (!message)
        return FEDN_ERR_NOMEM;
    uint64_t bytes = fedn__link_stamp(item->seq, uplink->link.last_seen, message);
    memcpy(message + bytes, item->data, (size_t)item->bytes);
    fedn_status rc = fedn__stream_send_blob(uplink->stream, message, bytes + item->bytes,
                                            uplink->nothing, 0, 0, on_sent, uplink);
    fedn__free(message);
    return rc;
}

/* A few messages at a time: a stream's queue is shorter than what may wait after a long cut. */
static void send_on(fedn__uplink *uplink)
{
    while (uplink->up && uplink->unsent && uplink->ahead < AHEAD) {
        if (send_item(uplink, uplink->unsent) != FEDN_OK) {
            /* what was kept goes out on the next stream */
            hang_up(uplink);
            return;
        }
        uplink->ahead++;
        uplink->sent_seq = uplink->unsent->seq;
        uplink->unsent = uplink->unsent->next;
    }
    if (uplink->closing && uplink->up && !uplink->unsent)
        fedn__stream_end_sending(uplink->stream);
}

static void on_sent(fedn__stream *stream, void *user_data)
{
    fedn__uplink *uplink = user_data;

    (void)stream;
    uplink->ahead--;
    send_on(uplink);
}

static void link_anew(fedn__uplink *uplink, const char *why)
{
    fedn__log_write(uplink->options.log, FEDN_LOG_ERROR, "combiner",
                    "the reducer at %s %s: linking anew", uplink->options.target, why);
    uplink->complained = 1;
    hang_up(uplink);
}

static void on_refused(fedn__uplink *uplink, const char *why)
{
    if (!uplink->refused)
        fedn__log_write(uplink->options.log, FEDN_LOG_ERROR, "combiner",
                        "the reducer at %s refuses: %s", uplink->options.target, why);
    uplink->refused = 1;
    uplink->complained = 1;
    hang_up(uplink);
}

static void on_welcome(fedn__uplink *uplink, const Fedn__Tier__V1__Welcome *welcome, uint64_t ack)
{
    if (*welcome->refused) {
        on_refused(uplink, welcome->refused);
        return;
    }
    /* another reducer, or one that has lost its memory of this link, numbers from 1 */
    if (strcmp(uplink->reducer_id, welcome->reducer_id) != 0) {
        fedn__link_renumber(&uplink->link);
        snprintf(uplink->reducer_id, sizeof uplink->reducer_id, "%s", welcome->reducer_id);
    }
    if (!fedn__link_continues(&uplink->link, welcome->last_seq_seen)) {
        /* the other side is made to forget the link too */
        fedn__uuid_new_text(uplink->link_id);
        uplink->reducer_id[0] = 0;
        link_anew(uplink, "has seen other messages than were sent");
        return;
    }
    uplink->sent_seq = welcome->last_seq_seen;
    acked(uplink, ack);
    uplink->unsent = fedn__link_after(&uplink->link, uplink->sent_seq);
    if (uplink->complained)
        fedn__log_write(uplink->options.log, FEDN_LOG_INFO, "combiner",
                        "linked to the reducer at %s", uplink->options.target);
    uplink->up = 1;
    uplink->complained = uplink->refused = 0;
    uplink->pause_ms = RECONNECT_MIN_MS;
    send_on(uplink);
    if (uplink->up)
        uplink->events.up(uplink->user_data);
}

static void on_message(fedn__stream *stream, const ProtobufCMessage *base, void *user_data)
{
    fedn__uplink *uplink = user_data;
    const Fedn__Tier__V1__Down *message = (const Fedn__Tier__V1__Down *)base;

    (void)stream;
    if (uplink->closing)
        return;
    if (!uplink->up) {
        if (message->body_case == FEDN__TIER__V1__DOWN__BODY_WELCOME)
            on_welcome(uplink, message->welcome, message->ack);
        else
            link_anew(uplink, "does not begin with a welcome");
        return;
    }
    acked(uplink, message->ack);
    if (message->body_case == FEDN__TIER__V1__DOWN__BODY__NOT_SET ||
        message->body_case == FEDN__TIER__V1__DOWN__BODY_WELCOME)
        return; /* an acknowledgement only, or a body of a later protocol */
    int32_t order = fedn__link_accept(&uplink->link, message->seq);
    if (order > 0)
        uplink->events.message(uplink->user_data, message);
    else if (order < 0)
        link_anew(uplink, "skipped messages");
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
    const char *held = uplink->events.held_round(uplink->user_data);
    if (held) {
        hello.held_rounds = (char **)(uintptr_t)&held;
        hello.n_held_rounds = 1;
    }
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

void fedn__uplink_close(fedn__uplink *uplink, int64_t grace_ms, void (*gone)(void *user_data),
                        void *user_data)
{
    fedn__loop_timer_cancel(uplink->loop, &uplink->timer);
    uplink->closing = 1;
    uplink->gone = gone;
    uplink->gone_data = user_data;
    if (!uplink->stream) {
        gone(user_data);
        uplink_free(uplink);
        return;
    }
    if (!uplink->up || fedn__loop_timer_set(uplink->loop, &uplink->timer,
                                            fedn__clock_ns() + grace_ms * 1000000) != FEDN_OK) {
        fedn__stream_cancel(uplink->stream);
        return;
    }
    send_on(uplink);
}

static fedn_status keep(fedn__uplink *uplink, const Fedn__Tier__V1__Up *message, uint64_t reserved)
{
    size_t bytes = fedn__tier__v1__up__get_packed_size(message);
    uint8_t *packed = NULL;

    if (bytes > FEDN__LIMIT_TIER_BYTES - FEDN__LINK_STAMP_BYTES)
        return FEDN_ERR_INVALID; /* the other side would not take it, ever */
    if (uplink->link.held_bytes + bytes + reserved > WAITING_BYTES)
        return FEDN_ERR_LIMIT;
    packed = fedn__alloc(bytes);
    if (!packed)
        return FEDN_ERR_NOMEM;
    fedn__tier__v1__up__pack(message, packed);
    fedn_status rc = fedn__link_add(&uplink->link, packed, bytes);
    fedn__free(packed);
    if (rc != FEDN_OK)
        return rc;
    if (uplink->up && !uplink->unsent)
        uplink->unsent = uplink->link.newest;
    send_on(uplink);
    return FEDN_OK;
}

fedn_status fedn__uplink_send(fedn__uplink *uplink, const Fedn__Tier__V1__Up *message)
{
    return keep(uplink, message, 0);
}

fedn_status fedn__uplink_send_report(fedn__uplink *uplink, const Fedn__Tier__V1__Up *message)
{
    const fedn__link_item *newest = uplink->link.newest;
    fedn_status rc = keep(uplink, message, 0);

    if (rc == FEDN_OK && uplink->link.newest != newest)
        uplink->report = uplink->link.newest;
    return rc;
}

fedn_status fedn__uplink_send_record(fedn__uplink *uplink, const Fedn__Tier__V1__Up *message)
{
    return keep(uplink, message, RESERVED_BYTES);
}

int32_t fedn__uplink_is_up(const fedn__uplink *uplink)
{
    return uplink->up;
}

fedn__channel *fedn__uplink_channel(fedn__uplink *uplink)
{
    return uplink->channel;
}
