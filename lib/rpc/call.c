/* SPDX-License-Identifier: Apache-2.0
 * The serving side of one call. It lives until every event it asked gRPC for has come; then the
 * closed event is given and it is gone. Everything here runs on the loop. */
#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/text.h"
#include "rpc/serving.h"
#include <assert.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <string.h>

static void flush(fedn__call *call);

static void release(fedn__call *call)
{
    while (call->asked) {
        fedn__metadatum *next = call->asked->next;
        fedn__free(call->asked);
        call->asked = next;
    }
    fedn__outbox_clear(&call->outbox);
    fedn__block_done(&call->block);
    if (call->payload)
        grpc_byte_buffer_destroy(call->payload);
    grpc_metadata_array_destroy(&call->metadata);
    if (!call->row->registered)
        grpc_call_details_destroy(&call->details);
    gpr_free(call->peer_text);
    grpc_slice_unref(call->status_text);
    if (call->grpc)
        grpc_call_unref(call->grpc);
    fedn__free(call);
}

void fedn__call_discard(fedn__call *call)
{
    release(call);
}

/* An event, or a handler that ran, is over; after the last one the call is. */
static void settle(fedn__call *call)
{
    fedn__server *server = call->server;

    assert(call->pending > 0);
    if (--call->pending)
        return;
    if (call->events.closed)
        call->events.closed(call, call->cancelled && !call->dropped, call->user_data);
    fedn__server_leave(server, call);
    release(call);
    fedn__server_check_stopped(server);
}

/* Ends it at once, whatever waits to be written. */
static void drop(fedn__call *call, int32_t rpc, const char *text)
{
    if (call->finished || call->over)
        return;
    call->finished = 1;
    call->dropped = 1;
    fedn__outbox_clear(&call->outbox);
    (void)grpc_call_cancel_with_status(call->grpc, (grpc_status_code)rpc, text, NULL);
}

static void written(fedn__tag *tag, int32_t ok)
{
    fedn__call *call = FEDN__OWNER(tag, fedn__call, on_write);
    fedn__parcel *parcel = fedn__outbox_written(&call->outbox);

    call->writing = 0;
    if (parcel && ok && parcel->sent.call)
        parcel->sent.call(call, parcel->user_data);
    fedn__parcel_free(parcel);
    if (ok)
        flush(call);
    else
        fedn__outbox_clear(&call->outbox);
    settle(call);
}

/* Starts the next batch of sends if there is anything to send and none is under way. */
static void flush(fedn__call *call)
{
    grpc_op ops[3];
    size_t count = 0;

    if (call->writing || call->finished || call->over)
        return;
    memset(ops, 0, sizeof ops);
    if (!call->metadata_sent)
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    grpc_byte_buffer *message = fedn__outbox_take(&call->outbox);
    if (message) {
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = message;
    }
    int32_t last = call->finishing && !call->outbox.first;
    if (last) {
        ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
        ops[count].data.send_status_from_server.status = (grpc_status_code)call->status;
        ops[count++].data.send_status_from_server.status_details = &call->status_text;
    }
    if (count == 0)
        return;
    call->on_write.fn = written;
    if (fedn__tag_start(&call->on_write, call->grpc, ops, count) != GRPC_CALL_OK) {
        fedn__parcel_free(fedn__outbox_written(&call->outbox));
        drop(call, FEDN__RPC_INTERNAL, "the answer could not be sent");
        return;
    }
    call->metadata_sent = 1;
    call->finished = last;
    call->writing = 1;
    call->pending++;
}

static void set_status(fedn__call *call, int32_t rpc, const char *text)
{
    size_t bytes = text ? strlen(text) : 0;

    if (bytes > FEDN__LIMIT_STATUS_TEXT) {
        bytes = FEDN__LIMIT_STATUS_TEXT;
        while (bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80)
            bytes--; /* not in the middle of a character */
    }
    grpc_slice_unref(call->status_text);
    call->status_text = grpc_slice_from_copied_buffer(text ? text : "", bytes);
    call->status = rpc;
    call->finishing = 1;
}

void fedn__call_finish(fedn__call *call, int32_t rpc, const char *text)
{
    if (call->finishing || call->finished)
        return;
    set_status(call, rpc, text);
    flush(call);
}

void fedn__call_reject(fedn__call *call, int32_t rpc, const char *text)
{
    if (call->finished || call->over)
        return;
    if (call->outbox.writing) {
        /* a status would wait behind a message that a slow peer may never take */
        drop(call, rpc, text);
        return;
    }
    fedn__outbox_clear(&call->outbox);
    set_status(call, rpc, text);
    flush(call);
}

static fedn_status queue(fedn__call *call, grpc_byte_buffer *message, uint64_t heap_bytes,
                         fedn__sent sent, void *user_data)
{
    fedn_status rc = fedn__outbox_add(&call->outbox, message, heap_bytes, sent, user_data);

    if (rc == FEDN_ERR_LIMIT)
        drop(call, FEDN__RPC_RESOURCE_EXHAUSTED, "the peer reads too slowly: its queue is full");
    if (rc == FEDN_OK)
        flush(call);
    return rc;
}

void fedn__call_reply(fedn__call *call, const ProtobufCMessage *message)
{
    fedn__sent nobody = {NULL};

    if (call->finishing || call->finished || call->over)
        return;
    grpc_byte_buffer *buffer = fedn__codec_pack(message);
    if (!buffer) {
        fedn__call_reject(call, FEDN__RPC_RESOURCE_EXHAUSTED, "the answer is over 4 MiB");
        return;
    }
    uint64_t bytes = grpc_byte_buffer_length(buffer);
    if (fedn__outbox_add(&call->outbox, buffer, bytes, nobody, NULL) < 0) {
        fedn__call_reject(call, FEDN__RPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    set_status(call, FEDN__RPC_OK, NULL);
    flush(call);
}

fedn_status fedn__call_send(fedn__call *call, const ProtobufCMessage *message)
{
    fedn__sent nobody = {NULL};

    if (call->finishing || call->finished || call->over)
        return FEDN_ERR_STATE;
    grpc_byte_buffer *buffer = fedn__codec_pack(message);
    if (!buffer)
        return FEDN_ERR_INVALID;
    return queue(call, buffer, grpc_byte_buffer_length(buffer), nobody, NULL);
}

/* NOLINTNEXTLINE(readability-function-size): a blob and its range */
fedn_status fedn__call_send_blob(fedn__call *call, const void *head, uint64_t head_bytes,
                                 fedn__blob *blob, uint64_t offset, uint64_t bytes,
                                 void (*sent)(fedn__call *call, void *user_data), void *user_data)
{
    fedn__sent then = {.call = sent};
    grpc_byte_buffer *buffer = NULL;

    if (call->finishing || call->finished || call->over)
        return FEDN_ERR_STATE;
    fedn_status rc = fedn__codec_from_blob(head, head_bytes, blob, offset, bytes, &buffer);
    if (rc < 0)
        return rc == FEDN_ERR_LIMIT ? FEDN_ERR_INVALID : rc;
    return queue(call, buffer, head_bytes, then, user_data);
}

/* A message of an incoming stream to whoever asked for it. */
static void deliver(fedn__call *call, grpc_byte_buffer *buffer)
{
    const fedn__method *method = &call->row->method;
    uint64_t bytes = grpc_byte_buffer_length(buffer);
    ProtobufCMessage *message = NULL;
    fedn_status rc = FEDN_OK;
    fedn_error err;

    if (call->finished) {
        grpc_byte_buffer_destroy(buffer);
        return;
    }
    if (method->request) {
        rc = fedn__codec_unpack(buffer, method->request, method->max_request_bytes, &message, &err);
        grpc_byte_buffer_destroy(buffer);
        if (rc == FEDN_OK && call->events.message)
            call->events.message(call, message, call->user_data);
        fedn__codec_release(message);
    } else {
        if (bytes > method->max_request_bytes)
            rc = fedn__error(
                &err, FEDN_ERR_LIMIT, "message of %llu bytes is over the limit of %llu",
                (unsigned long long)bytes, (unsigned long long)method->max_request_bytes);
        else if ((rc = fedn__block_init(&call->block, buffer)) < 0)
            (void)fedn__error(&err, rc, "message of %llu bytes cannot be held",
                              (unsigned long long)bytes);
        if (rc < 0)
            grpc_byte_buffer_destroy(buffer);
        else if (call->events.raw)
            call->events.raw(call, call->block.pieces, call->block.count, call->user_data);
        fedn__block_done(&call->block);
    }
    if (rc < 0)
        fedn__call_reject(call, fedn__rpc_from_status(rc), err.message);
}

static void deliver_end(fedn__call *call)
{
    call->read_ended = 1;
    if (call->over || call->finished)
        return;
    if (!call->row->method.request && call->events.raw_end)
        call->events.raw_end(call, call->user_data);
    if (call->row->method.request && call->events.message)
        call->events.message(call, NULL, call->user_data);
}

static void read_done(fedn__tag *tag, int32_t ok)
{
    fedn__call *call = FEDN__OWNER(tag, fedn__call, on_read);
    grpc_byte_buffer *buffer = call->incoming;

    call->incoming = NULL;
    call->reading = 0;
    if (buffer)
        deliver(call, buffer);
    else if (ok && !grpc_call_failed_before_recv_message(call->grpc))
        deliver_end(call);
    else
        call->read_ended = 1; /* broken off, which the closed event tells */
    settle(call);
}

void fedn__call_read(fedn__call *call)
{
    grpc_op op;

    if (call->reading || call->read_ended || call->over || call->finished)
        return;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &call->incoming;
    call->on_read.fn = read_done;
    if (fedn__tag_start(&call->on_read, call->grpc, &op, 1) != GRPC_CALL_OK) {
        drop(call, FEDN__RPC_INTERNAL, "the stream could not be read");
        return;
    }
    call->reading = 1;
    call->pending++;
}

void fedn__call_take(fedn__call *call, fedn__block *ret)
{
    *ret = call->block;
    memset(&call->block, 0, sizeof call->block);
}

static void close_seen(fedn__tag *tag, int32_t ok)
{
    fedn__call *call = FEDN__OWNER(tag, fedn__call, on_close);

    (void)ok;
    call->over = 1;
    fedn__outbox_clear(&call->outbox);
    settle(call);
}

/* Unary and stream-out: the request came with the call. */
static void serve_request(fedn__call *call)
{
    const fedn__method *method = &call->row->method;
    ProtobufCMessage *message = NULL;
    fedn_error err;

    if (!call->payload) {
        fedn__call_reject(call, FEDN__RPC_INVALID_ARGUMENT, "the request did not arrive whole");
        return;
    }
    fedn_status rc = fedn__codec_unpack(call->payload, method->request, method->max_request_bytes,
                                        &message, &err);
    grpc_byte_buffer_destroy(call->payload);
    call->payload = NULL;
    if (rc < 0)
        fedn__call_reject(call, fedn__rpc_from_status(rc), err.message);
    else
        method->open(method->service, call, message);
    fedn__codec_release(message);
}

static void serve(fedn__call *call)
{
    const fedn__method *method = &call->row->method;
    const char *reason = NULL;

    if (!fedn__server_admit(call->server, call, &reason)) {
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE, reason);
        return;
    }
    if (!call->row->registered) {
        fedn__call_reject(call, FEDN__RPC_UNIMPLEMENTED, "there is no such method here");
        return;
    }
    if (method->kind == FEDN__UNARY || method->kind == FEDN__STREAM_OUT)
        serve_request(call);
    else
        method->open(method->service, call, NULL);
    if (method->kind != FEDN__UNARY)
        flush(call); /* the peer learns that its stream is open */
}

static void arrived(fedn__tag *tag, int32_t ok)
{
    fedn__call *call = FEDN__OWNER(tag, fedn__call, on_new);
    fedn__server *server = call->server;
    grpc_op op;

    server->posted--;
    if (!ok) {
        release(call);
        fedn__server_check_stopped(server);
        return;
    }
    (void)fedn__server_post(server, call->row);
    server->calls++;
    call->pending = 1;
    call->peer_text = grpc_call_get_peer(call->grpc);
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    op.data.recv_close_on_server.cancelled = &call->cancelled;
    call->on_close.fn = close_seen;
    if (fedn__tag_start(&call->on_close, call->grpc, &op, 1) == GRPC_CALL_OK) {
        call->pending++;
        serve(call);
    }
    settle(call);
}

fedn__call *fedn__call_new(fedn__server *server, fedn__row *row)
{
    fedn__call *call = fedn__alloc_zero(sizeof *call);

    if (!call)
        return NULL;
    call->server = server;
    call->row = row;
    call->on_new.fn = arrived;
    call->status_text = grpc_empty_slice();
    fedn__outbox_init(&call->outbox);
    grpc_metadata_array_init(&call->metadata);
    if (!row->registered)
        grpc_call_details_init(&call->details);
    return call;
}

void fedn__call_set_events(fedn__call *call, const fedn__call_events *events, void *user_data)
{
    call->events = *events;
    call->user_data = user_data;
}

const char *fedn__call_metadata(const fedn__call *call, const char *key)
{
    fedn__call *owner = (fedn__call *)(uintptr_t)call; /* what was asked for is kept with it */

    for (fedn__metadatum *seen = call->asked; seen; seen = seen->next)
        if (strcmp(seen->key, key) == 0)
            return seen->text;
    for (size_t i = 0; i < call->metadata.count; i++) {
        const grpc_metadata *pair = &call->metadata.metadata[i];
        size_t bytes = GRPC_SLICE_LENGTH(pair->value);
        if (grpc_slice_str_cmp(pair->key, key) != 0)
            continue;
        fedn__metadatum *copy = fedn__alloc(sizeof *copy + bytes + 1 + strlen(key) + 1);
        if (!copy)
            return NULL;
        memcpy(copy->text, GRPC_SLICE_START_PTR(pair->value), bytes);
        copy->text[bytes] = 0;
        if (strlen(copy->text) != bytes ||
            !fedn__text_is_line(copy->text, FEDN__LIMIT_METADATA_VALUE)) {
            fedn__free(copy);
            return NULL;
        }
        copy->key = memcpy(copy->text + bytes + 1, key, strlen(key) + 1);
        copy->next = owner->asked;
        owner->asked = copy;
        return copy->text;
    }
    return NULL;
}

const char *fedn__call_peer(const fedn__call *call)
{
    return call->peer_text;
}

const char *fedn__call_path(const fedn__call *call)
{
    return call->row->path;
}

fedn__server *fedn__call_server(const fedn__call *call)
{
    return call->server;
}
