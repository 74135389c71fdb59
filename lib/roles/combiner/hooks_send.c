/* SPDX-License-Identifier: Apache-2.0
 * A model to the hooks service: chunks that point into the blob, and an empty one at the end. */
#include "roles/combiner/hooks_wire.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/text.h"
#include "fedn.pb-c.h"
#include <string.h>

#define AHEAD      2                              /* chunks that are queued */
#define HEAD_BYTES (2 + FEDN__LIMIT_ID_BYTES + 6) /* id and the length of the data */

struct fedn__hooks_sending {
    fedn__hooks_wire wire;
    fedn__stream *stream;
    fedn__timer deadline;
    int32_t late;
    int32_t has_id;
    char id[FEDN__LIMIT_ID_BYTES + 1];
    fedn__blob *model;
    uint64_t bytes; /* queued so far */
    uint32_t ahead;
    char *text;
};

static void go_on(fedn__hooks_sending *s);

static void on_sent(fedn__stream *stream, void *user_data)
{
    fedn__hooks_sending *s = user_data;

    (void)stream;
    s->ahead--;
    go_on(s);
}

static fedn_status send_chunk(fedn__hooks_sending *s, uint64_t bytes)
{
    uint8_t head[HEAD_BYTES];
    uint64_t at = 0;

    if (s->has_id) {
        size_t length = strlen(s->id);
        head[at++] = 0x12; /* field 2, and its length of one byte */
        head[at++] = (uint8_t)length;
        memcpy(head + at, s->id, length);
        at += length;
    }
    head[at++] = 0x0a; /* field 1 */
    for (uint64_t length = bytes;; length >>= 7) {
        head[at++] = (uint8_t)(length >= 0x80 ? length | 0x80 : length);
        if (length < 0x80)
            break;
    }
    return fedn__stream_send_blob(s->stream, head, at, s->model, s->bytes, bytes, on_sent, s);
}

static fedn_status send_end(fedn__hooks_sending *s)
{
    Fedn__StoreModelRequest store = FEDN__STORE_MODEL_REQUEST__INIT;
    Fedn__ClientConfigRequest config = FEDN__CLIENT_CONFIG_REQUEST__INIT;

    store.id = s->id;
    fedn_status rc = fedn__stream_send(s->stream, s->has_id ? &store.base : &config.base);
    if (rc == FEDN_OK)
        fedn__stream_end_sending(s->stream);
    return rc;
}

static void go_on(fedn__hooks_sending *s)
{
    uint64_t total = fedn__blob_bytes(s->model);
    fedn_status rc = FEDN_OK;

    while (rc == FEDN_OK && s->ahead < AHEAD && s->bytes < total) {
        uint64_t left = total - s->bytes;
        uint64_t bytes = left < FEDN__LIMIT_CHUNK_BYTES ? left : FEDN__LIMIT_CHUNK_BYTES;
        rc = send_chunk(s, bytes);
        if (rc == FEDN_OK) {
            s->bytes += bytes;
            s->ahead++;
            if (s->bytes == total)
                rc = send_end(s);
        }
    }
    if (rc != FEDN_OK)
        fedn__stream_cancel(s->stream); /* closed comes later */
}

static void on_message(fedn__stream *stream, const ProtobufCMessage *message, void *user_data)
{
    fedn__hooks_sending *s = user_data;
    const char *text = s->has_id ? ((const Fedn__StoreModelResponse *)message)->status
                                 : ((const Fedn__ClientConfigResponse *)message)->client_settings;

    (void)stream;
    fedn__free(s->text);
    s->text = fedn__strdup(text);
}

static void on_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    fedn__hooks_sending *s = user_data;
    fedn__hooks_reply reply = {.rpc = rpc, .details = details, .text = s->text};

    (void)stream;
    fedn__loop_timer_cancel(s->wire.loop, &s->deadline);
    if (s->late)
        reply =
            (fedn__hooks_reply){FEDN__RPC_DEADLINE_EXCEEDED, "no answer in time", NULL, NULL, NULL};
    else if (rpc == FEDN__RPC_OK && !s->text)
        reply.rpc = FEDN__RPC_INTERNAL;
    s->wire.fn(&reply, s->wire.user_data);
    fedn__blob_unref(s->model);
    fedn__free(s->text);
    fedn__free(s);
}

static void on_deadline(fedn__timer *timer, void *user_data)
{
    fedn__hooks_sending *s = user_data;

    (void)timer;
    s->late = 1;
    fedn__stream_cancel(s->stream);
}

fedn_status fedn__hooks_send(const fedn__hooks_wire *wire, const char *id, fedn__blob *model,
                             fedn__hooks_sending **ret, fedn_error *err)
{
    static const fedn__stream_events events = {.message = on_message, .closed = on_closed};
    fedn__hooks_sending *s = fedn__alloc_zero(sizeof *s);

    if (!s)
        return fedn__error_nomem(err);
    s->wire = *wire;
    s->has_id = id != NULL;
    memcpy(s->id, id ? id : "", id ? strlen(id) + 1 : 1);
    s->deadline.fn = on_deadline;
    s->deadline.user_data = s;
    fedn_status rc = fedn__loop_timer_set(wire->loop, &s->deadline, wire->deadline_ns);
    if (rc == FEDN_OK)
        rc = fedn__channel_stream(wire->channel,
                                  id ? "/fedn.FunctionService/HandleStoreModel"
                                     : "/fedn.FunctionService/HandleClientConfig",
                                  NULL,
                                  id ? &fedn__store_model_response__descriptor
                                     : &fedn__client_config_response__descriptor,
                                  &events, s, &s->stream, err);
    if (rc != FEDN_OK) {
        fedn__loop_timer_cancel(wire->loop, &s->deadline);
        fedn__free(s);
        return rc;
    }
    s->model = fedn__blob_ref(model);
    *ret = s;
    go_on(s);
    return FEDN_OK;
}

void fedn__hooks_send_cancel(fedn__hooks_sending *s)
{
    fedn__stream_cancel(s->stream);
}
