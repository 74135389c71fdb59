/* SPDX-License-Identifier: Apache-2.0
 * Links to combiners: greeting, numbering, acknowledging. */
#include "roles/reducer/tier_state.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/text.h"
#include "fedn.pb-c.h"
#include "roles/health.h"
#include <stdio.h>
#include <string.h>

#define WAITING_BYTES (64 * FEDN__MIB) /* kept for a combiner that is away */
#define ACK_EVERY     32               /* messages without records */

/* One Attach stream. */
typedef struct tier_stream {
    fedn__tier *tier;
    fedn__tier_link *link; /* NULL: not greeted, or another stream took the link over */
    uint64_t attachment;
} tier_stream;

fedn__tier_link *fedn__tier_find(const fedn__tier *tier, const fedn__reducer_combiner *combiner)
{
    for (fedn__tier_link *link = tier->links; link; link = link->next)
        if (link->combiner == combiner)
            return link;
    return NULL;
}

fedn__tier_link *fedn__tier_find_name(const fedn__tier *tier, const char *name)
{
    for (fedn__tier_link *link = tier->links; link; link = link->next)
        if (strcmp(link->combiner->name, name) == 0)
            return link;
    return NULL;
}

/* ---- sending ---- */

static void cut(fedn__tier_link *link, const char *why)
{
    if (!link->call || link->cut)
        return;
    fedn__log_write(link->tier->options.log, FEDN_LOG_WARNING, "reducer",
                    "link of combiner %s is cut: %s", link->combiner->name, why);
    link->cut = 1; /* what is kept goes out on its next stream */
    fedn__call_finish(link->call, FEDN__RPC_UNAVAILABLE, why);
}

void fedn__tier_send(fedn__tier_link *link, Fedn__Tier__V1__Down *message)
{
    message->seq = link->link.next_seq;
    message->ack = link->durable;
    size_t bytes = fedn__tier__v1__down__get_packed_size(message);
    uint8_t *packed = fedn__alloc(bytes);
    fedn_status rc = packed ? FEDN_OK : FEDN_ERR_NOMEM;
    if (packed) {
        fedn__tier__v1__down__pack(message, packed);
        rc = fedn__link_add(&link->link, packed, bytes);
    }
    fedn__free(packed);
    if (rc != FEDN_OK)
        cut(link, rc == FEDN_ERR_LIMIT ? "too much waits for it" : "out of memory");
    else if (link->call && !link->cut && fedn__call_send(link->call, &message->base) == FEDN_OK)
        link->acked = message->ack;
}

static void acknowledge(fedn__tier_link *link)
{
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;

    if (!link->call || link->cut || link->durable <= link->acked)
        return;
    down.ack = link->durable;
    if (fedn__call_send(link->call, &down.base) == FEDN_OK)
        link->acked = down.ack;
}

static void resend(fedn__tier_link *link, uint64_t last_seen)
{
    const fedn__link_item *item = fedn__link_resend(&link->link, last_seen);

    for (; item && !link->cut; item = item->next) {
        Fedn__Tier__V1__Down *message =
            fedn__tier__v1__down__unpack(NULL, (size_t)item->bytes, item->data);
        if (!message) {
            cut(link, "out of memory");
            return;
        }
        message->seq = item->seq;
        message->ack = link->durable;
        fedn_status rc = fedn__call_send(link->call, &message->base);
        fedn__tier__v1__down__free_unpacked(message, NULL);
        if (rc != FEDN_OK)
            return;
    }
}

/* ---- greeting ---- */

/* "ipv4:127.0.0.1:40312", "ipv6:[::1]:40312" or "ipv6:%5B::1%5D:40312" to the address alone. */
static void peer_ip(const fedn__call *call, char ip[64])
{
    const char *from = fedn__call_peer(call);
    const char *end = ":";

    if (fedn__text_starts(from, "ipv6:")) {
        from += 5;
        from += *from == '[' ? 1 : fedn__text_starts(from, "%5B") ? 3 : 0;
        end = "]%";
    } else if (fedn__text_starts(from, "ipv4:")) {
        from += 5;
    }
    snprintf(ip, 64, "%.*s", (int)strcspn(from, end), from);
}

static fedn__tier_link *new_link(fedn__tier *tier)
{
    fedn__tier_link *link = fedn__alloc_zero(sizeof *link);

    if (link) {
        link->tier = tier;
        fedn__link_init(&link->link, WAITING_BYTES);
    }
    return link;
}

fedn_status fedn__tier_expect(fedn__tier *tier, fedn__reducer_combiner *combiner,
                              const json_t *record)
{
    fedn__tier_link *link = new_link(tier);
    int64_t port = fedn__json_integer(record, "port", 0);

    if (!link)
        return FEDN_ERR_NOMEM;
    link->combiner = combiner;
    snprintf(link->host, sizeof link->host, "%s", fedn__json_string(record, "address", ""));
    snprintf(link->fqdn, sizeof link->fqdn, "%s", fedn__json_string(record, "fqdn", ""));
    link->port = port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
    link->since_us = fedn__clock_wall_us();
    link->next = tier->links;
    tier->links = link;
    return FEDN_OK;
}

static void refuse(fedn__call *call, const char *why)
{
    Fedn__Tier__V1__Welcome welcome = FEDN__TIER__V1__WELCOME__INIT;
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;

    welcome.protocol = FEDN__TIER_PROTOCOL;
    welcome.refused = (char *)(uintptr_t)why;
    down.body_case = FEDN__TIER__V1__DOWN__BODY_WELCOME;
    down.welcome = &welcome;
    if (fedn__call_send(call, &down.base) == FEDN_OK)
        fedn__call_finish(call, FEDN__RPC_FAILED_PRECONDITION, why);
}

static void welcome(fedn__tier_link *link)
{
    Fedn__Tier__V1__Welcome welcome = FEDN__TIER__V1__WELCOME__INIT;
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;

    welcome.protocol = FEDN__TIER_PROTOCOL;
    welcome.reducer_id = link->run_id;
    welcome.link_id = link->combiner->link_id;
    welcome.last_seq_seen = link->link.last_seen;
    down.body_case = FEDN__TIER__V1__DOWN__BODY_WELCOME;
    down.welcome = &welcome;
    down.ack = link->durable;
    fedn__call_send(link->call, &down.base);
}

/* Begins our numbering anew: what the combiner was sent before its restart is nothing to it. */
static void begin_numbering(fedn__tier_link *link)
{
    fedn__link_done(&link->link);
    fedn__link_init(&link->link, WAITING_BYTES);
    link->acked = 0;
    link->durable = 0;
    link->owed = 0;
    link->epoch++;
    fedn__uuid_new_text(link->run_id);
}

static void take_hello(fedn__tier_link *link, const Fedn__Tier__V1__Hello *hello)
{
    const char *host = *hello->host ? hello->host : link->ip;

    snprintf(link->host, sizeof link->host, "%s", host);
    snprintf(link->fqdn, sizeof link->fqdn, "%s", hello->fqdn);
    snprintf(link->version, sizeof link->version, "%s", hello->version);
    fedn__text_to_line(link->host);
    fedn__text_to_line(link->fqdn);
    fedn__text_to_line(link->version);
    link->port = (uint16_t)hello->port;
    link->since_us = fedn__clock_wall_us();
}

static void set_link(fedn__call *call, tier_stream *stream, fedn__tier_link *link,
                     const Fedn__Tier__V1__Hello *hello)
{
    if (link->call)
        fedn__call_finish(link->call, FEDN__RPC_UNAVAILABLE, "a newer link took this one's place");
    link->call = call;
    link->held = 0;
    link->cut = 0;
    stream->link = link;
    stream->attachment = link->combiner->attachment;
    peer_ip(call, link->ip);
    take_hello(link, hello);
}

static fedn_status check_hello(const Fedn__Tier__V1__Hello *hello, fedn_error *err)
{
    if (hello->port > 65535 || (hello->port == 0 && !*hello->fqdn))
        return fedn__error(err, FEDN_ERR_INVALID, "combiner announces port %u: not 1..65535",
                           (unsigned)hello->port);
    if (strlen(hello->host) > FEDN__LIMIT_NAME_BYTES ||
        strlen(hello->fqdn) > FEDN__LIMIT_NAME_BYTES)
        return fedn__error(err, FEDN_ERR_LIMIT, "combiner announces a host name over %d bytes",
                           FEDN__LIMIT_NAME_BYTES);
    return FEDN_OK;
}

static void on_hello(fedn__call *call, tier_stream *stream, const Fedn__Tier__V1__Hello *hello)
{
    fedn__tier *tier = stream->tier;
    fedn__reducer_hello greeting = {.name = hello->name,
                                    .combiner_id = hello->combiner_id,
                                    .link_id = hello->link_id,
                                    .protocol = hello->protocol,
                                    .max_clients = hello->max_clients,
                                    .held = (const char *const *)hello->held_rounds,
                                    .held_count = hello->n_held_rounds};
    fedn__tier_link *link = fedn__tier_find_name(tier, hello->name);
    fedn__tier_link *fresh = link ? NULL : new_link(tier);
    int32_t resumed = 0;
    fedn_error err = {0};
    fedn_status rc = check_hello(hello, &err);

    if (!link)
        link = fresh;
    if (rc == FEDN_OK)
        rc = link ? tier->events.attach(tier->user_data, link, &greeting, &resumed, &err)
                  : fedn__error_nomem(&err);
    if (rc != FEDN_OK) {
        fedn__log_write(tier->options.log, FEDN_LOG_WARNING, "reducer", "refused: %s", err.message);
        refuse(call, err.message);
        fedn__free(fresh);
        return;
    }
    if (fresh) {
        fresh->next = tier->links;
        tier->links = fresh;
    }
    set_link(call, stream, link, hello);
    /* it cannot have seen what was never sent: that number is of a numbering before this one */
    uint64_t last_seen = hello->last_seq_seen < link->link.next_seq ? hello->last_seq_seen : 0;
    if (!resumed) {
        begin_numbering(link);
        last_seen = 0;
    } else if (!fedn__link_continues(&link->link, last_seen)) {
        fedn__link_renumber(&link->link);
        link->acked = link->durable = link->owed = 0;
        link->epoch++;
        fedn__uuid_new_text(link->run_id);
        last_seen = 0;
    }
    welcome(link);
    resend(link, last_seen);
    tier->events.attached(tier->user_data, link, resumed);
}

/* ---- the stream ---- */

static void read_on(fedn__tier_link *link)
{
    if (link->tier->events.is_busy(link->tier->user_data))
        link->held = 1;
    else
        fedn__call_read(link->call);
}

static void on_up(fedn__tier_link *link, const Fedn__Tier__V1__Up *message)
{
    fedn__tier *tier = link->tier;

    fedn__link_acked(&link->link, message->ack);
    if (message->body_case == FEDN__TIER__V1__UP__BODY__NOT_SET)
        return; /* an acknowledgement only, or a body of a later protocol */
    int32_t order = fedn__link_accept(&link->link, message->seq);
    if (order < 0) {
        cut(link, "messages are missing");
        return;
    }
    if (order == 0)
        return;
    if (tier->events.message(tier->user_data, link, message)) {
        link->owed++;
    } else if (link->owed == 0) {
        link->durable = message->seq;
        if (link->durable - link->acked >= ACK_EVERY)
            acknowledge(link);
    }
}

static void on_message(fedn__call *call, const ProtobufCMessage *base, void *user_data)
{
    tier_stream *stream = user_data;
    const Fedn__Tier__V1__Up *message = (const Fedn__Tier__V1__Up *)base;

    if (!message) {
        fedn__call_finish(call, FEDN__RPC_OK, "");
        return;
    }
    if (!stream->link) {
        if (message->body_case != FEDN__TIER__V1__UP__BODY_HELLO)
            fedn__call_finish(call, FEDN__RPC_INVALID_ARGUMENT, "the first message is no hello");
        else
            on_hello(call, stream, message->hello);
        if (stream->link && stream->link->call == call)
            fedn__call_read(call);
        return;
    }
    if (stream->link->call != call || stream->link->cut)
        return; /* another stream took the link over, or it is being ended */
    on_up(stream->link, message);
    if (stream->link->call == call && !stream->link->cut)
        read_on(stream->link);
}

static void on_closed(fedn__call *call, int32_t cancelled, void *user_data)
{
    tier_stream *stream = user_data;
    fedn__tier *tier = stream->tier;
    fedn__tier_link *link = stream->link;

    (void)cancelled;
    if (link && link->call == call) {
        link->call = NULL;
        link->held = 0;
        link->since_us = fedn__clock_wall_us();
        tier->events.detached(tier->user_data, link, stream->attachment);
    }
    fedn__free(stream);
}

static void attach(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    static const fedn__call_events events = {.message = on_message, .closed = on_closed};
    fedn__tier *tier = service;
    tier_stream *stream = tier->closed ? NULL : fedn__alloc_zero(sizeof *stream);

    (void)request;
    if (!stream) {
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE,
                          tier->closed ? "the reducer is stopping" : "out of memory");
        return;
    }
    stream->tier = tier;
    fedn__call_set_events(call, &events, stream);
    fedn__call_read(call);
}

void fedn__tier_written(fedn__tier_link *link, uint32_t epoch, uint64_t seq, fedn_status status)
{
    if (epoch != link->epoch)
        return;
    if (status != FEDN_OK) {
        link->link.last_seen = link->durable; /* from there it comes again */
        link->owed = 0;
        link->epoch++;
        cut(link, "its records could not be written");
        return;
    }
    link->owed--;
    link->durable = link->owed == 0 ? link->link.last_seen : seq;
}

void fedn__tier_settled(fedn__tier *tier)
{
    for (fedn__tier_link *link = tier->links; link; link = link->next) {
        acknowledge(link);
        if (link->held && link->call && !link->cut && !tier->events.is_busy(tier->user_data)) {
            link->held = 0;
            fedn__call_read(link->call);
        }
    }
}

/* ---- life ---- */

fedn_status fedn__tier_new(const fedn__tier_options *options, const fedn__tier_events *events,
                           void *user_data, fedn__tier **ret, fedn_error *err)
{
    fedn__tier *tier = fedn__alloc_zero(sizeof *tier);

    *ret = tier;
    if (!tier)
        return fedn__error_nomem(err);
    tier->options = *options;
    tier->events = *events;
    tier->user_data = user_data;
    fedn__tier_host_init(tier);
    return FEDN_OK;
}

void fedn__tier_free(fedn__tier *tier)
{
    while (tier && tier->links) {
        fedn__tier_link *link = tier->links;
        tier->links = link->next;
        fedn__link_done(&link->link);
        fedn__free(link);
    }
    fedn__free(tier);
}

void fedn__tier_methods(fedn__tier *tier, fedn__method ret[FEDN__TIER_METHODS])
{
    static const char *const services[] = {"fedn.tier.v1.Tier", "fedn.ModelService", "fedn.Reducer",
                                           NULL};

    ret[0] = (fedn__method){.path = "/fedn.tier.v1.Tier/Attach",
                            .kind = FEDN__STREAM_BOTH,
                            .max_request_bytes = FEDN__LIMIT_TIER_BYTES,
                            .request = &fedn__tier__v1__up__descriptor,
                            .open = attach,
                            .service = tier};
    ret[1] = (fedn__method){.path = "/fedn.Reducer/GetGlobalModel",
                            .kind = FEDN__UNARY,
                            .request = &fedn__get_global_model_request__descriptor,
                            .open = fedn__tier_global_model,
                            .service = tier};
    fedn__transfer_methods(&tier->host, ret + 2);
    tier->health.services = services;
    fedn__health_methods(&tier->health, ret + 2 + FEDN__TRANSFER_METHODS);
}

void fedn__tier_close(fedn__tier *tier)
{
    tier->closed = 1;
    fedn__health_stop(&tier->health);
    for (fedn__tier_link *link = tier->links; link; link = link->next)
        if (link->call)
            fedn__call_finish(link->call, FEDN__RPC_UNAVAILABLE, "the reducer is stopping");
}
