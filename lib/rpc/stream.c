/* SPDX-License-Identifier: Apache-2.0
 * The dialling side of a streaming call. It lives until every event it asked gRPC for has come;
 * then the closed event is given and it is gone. Everything here runs on the loop. */
#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "rpc/dialling.h"
#include <assert.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <string.h>

struct fedn__stream {
    fedn__dialled call;
    fedn__tag on_start;
    fedn__tag on_open;
    fedn__tag on_read;
    fedn__tag on_write;
    fedn__tag on_status;
    const ProtobufCMessageDescriptor *response;
    fedn__stream_events events;
    void *user_data;
    grpc_byte_buffer *request;
    grpc_byte_buffer *incoming;
    fedn__block block; /* the raw message an event is about */
    fedn__outbox outbox;

    uint32_t pending; /* events to come, and handlers that run */
    int32_t opened;   /* the event was given */
    int32_t reading;
    int32_t read_ended;
    int32_t paused;
    int32_t writing;
    int32_t end_wanted; /* the sending side closes after what is queued */
    int32_t end_sent;
    int32_t over;       /* the status is here, or is on its way because we cancelled */
    int32_t cancelled;  /* by us: what still comes is dropped */
    int32_t broken_rpc; /* instead of the status: what came could not be read */
    char broken[FEDN_ERROR_MESSAGE_BYTES];
};

static void read_next(fedn__stream *stream);
static void flush(fedn__stream *stream);

static void release(fedn__stream *stream)
{
    fedn__outbox_clear(&stream->outbox);
    fedn__block_done(&stream->block);
    if (stream->request)
        grpc_byte_buffer_destroy(stream->request);
    fedn__dialled_close(&stream->call);
    fedn__free(stream);
}

static void settle(fedn__stream *stream)
{
    assert(stream->pending > 0);
    if (--stream->pending)
        return;
    char *details = fedn__dialled_details(&stream->call);
    int32_t rpc = stream->broken_rpc ? stream->broken_rpc : (int32_t)stream->call.status;
    if (stream->events.closed)
        stream->events.closed(stream, rpc, stream->broken_rpc ? stream->broken : details,
                              stream->user_data);
    gpr_free(details);
    release(stream);
}

void fedn__stream_cancel(fedn__stream *stream)
{
    stream->over = 1;
    stream->cancelled = 1;
    stream->paused = 0;
    fedn__outbox_clear(&stream->outbox);
    (void)grpc_call_cancel_with_status(stream->call.grpc, GRPC_STATUS_CANCELLED, "cancelled", NULL);
    read_next(stream); /* the status does not come while a message is unread */
}

/* The first sign of the peer: its initial metadata, or a message that overtook the event of that.
 */
static void peer_answered(fedn__stream *stream)
{
    if (stream->opened || stream->over)
        return;
    stream->opened = 1;
    if (stream->events.opened)
        stream->events.opened(stream, stream->user_data);
}

static void opened(fedn__tag *tag, int32_t ok)
{
    fedn__stream *stream = FEDN__OWNER(tag, fedn__stream, on_open);

    if (ok)
        peer_answered(stream);
    settle(stream);
}

static void started(fedn__tag *tag, int32_t ok)
{
    (void)ok;
    settle(FEDN__OWNER(tag, fedn__stream, on_start));
}

static void status_came(fedn__tag *tag, int32_t ok)
{
    fedn__stream *stream = FEDN__OWNER(tag, fedn__stream, on_status);

    (void)ok;
    stream->over = 1;
    fedn__outbox_clear(&stream->outbox);
    settle(stream);
}

static void written(fedn__tag *tag, int32_t ok)
{
    fedn__stream *stream = FEDN__OWNER(tag, fedn__stream, on_write);
    fedn__parcel *parcel = fedn__outbox_written(&stream->outbox);

    stream->writing = 0;
    if (parcel && ok && !stream->over && parcel->sent.stream)
        parcel->sent.stream(stream, parcel->user_data);
    fedn__parcel_free(parcel);
    if (ok)
        flush(stream);
    else
        fedn__outbox_clear(&stream->outbox);
    settle(stream);
}

static void flush(fedn__stream *stream)
{
    grpc_op ops[2];
    size_t count = 0;

    if (stream->writing || stream->end_sent || stream->over)
        return;
    memset(ops, 0, sizeof ops);
    grpc_byte_buffer *message = fedn__outbox_take(&stream->outbox);
    if (message) {
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = message;
    }
    int32_t last = stream->end_wanted && !stream->outbox.first;
    if (last)
        ops[count++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    if (count == 0)
        return;
    stream->on_write.fn = written;
    if (fedn__tag_start(&stream->on_write, stream->call.grpc, ops, count) != GRPC_CALL_OK) {
        fedn__parcel_free(fedn__outbox_written(&stream->outbox));
        fedn__stream_cancel(stream);
        return;
    }
    stream->end_sent = last;
    stream->writing = 1;
    stream->pending++;
}

/* What came breaks the protocol: the caller of the stream gets to know why. */
static void give_up(fedn__stream *stream, fedn_status rc, const fedn_error *err)
{
    stream->broken_rpc = rc == FEDN_ERR_FORMAT ? FEDN__RPC_INTERNAL : FEDN__RPC_RESOURCE_EXHAUSTED;
    (void)snprintf(stream->broken, sizeof stream->broken, "%s", err->message);
    fedn__stream_cancel(stream);
}

static void deliver(fedn__stream *stream, grpc_byte_buffer *buffer)
{
    ProtobufCMessage *message = NULL;
    fedn_status rc;
    fedn_error err;

    if (stream->response) {
        rc =
            fedn__codec_unpack(buffer, stream->response, FEDN__LIMIT_MESSAGE_BYTES, &message, &err);
        grpc_byte_buffer_destroy(buffer);
        if (rc == FEDN_OK && stream->events.message)
            stream->events.message(stream, message, stream->user_data);
        fedn__codec_release(message);
    } else {
        rc = fedn__block_init(&stream->block, buffer);
        if (rc < 0) {
            grpc_byte_buffer_destroy(buffer);
            (void)fedn__error(&err, rc, "a message could not be held");
        } else if (stream->events.raw) {
            stream->events.raw(stream, stream->block.pieces, stream->block.count,
                               stream->user_data);
        }
        fedn__block_done(&stream->block);
    }
    if (rc < 0)
        give_up(stream, rc, &err);
}

static void read_done(fedn__tag *tag, int32_t ok)
{
    fedn__stream *stream = FEDN__OWNER(tag, fedn__stream, on_read);
    grpc_byte_buffer *buffer = stream->incoming;

    (void)ok;
    stream->incoming = NULL;
    stream->reading = 0;
    stream->read_ended = buffer == NULL;
    if (buffer && stream->cancelled)
        grpc_byte_buffer_destroy(buffer);
    else if (buffer) {
        peer_answered(stream);
        deliver(stream, buffer);
    }
    read_next(stream);
    settle(stream);
}

/* Reads until the end comes: the status waits for it. */
static void read_next(fedn__stream *stream)
{
    grpc_op op;

    if (stream->reading || stream->read_ended || stream->paused)
        return;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &stream->incoming;
    stream->on_read.fn = read_done;
    if (fedn__tag_start(&stream->on_read, stream->call.grpc, &op, 1) != GRPC_CALL_OK) {
        stream->read_ended = 1;
        return;
    }
    stream->reading = 1;
    stream->pending++;
}

/* Asks for the status; from then on the stream ends by its closed event alone. */
static fedn_status await_status(fedn__stream *stream)
{
    grpc_op op;

    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    op.data.recv_status_on_client.trailing_metadata = &stream->call.trailing;
    op.data.recv_status_on_client.status = &stream->call.status;
    op.data.recv_status_on_client.status_details = &stream->call.details;
    stream->on_status.fn = status_came;
    if (fedn__tag_start(&stream->on_status, stream->call.grpc, &op, 1) != GRPC_CALL_OK)
        return FEDN_ERR_INTERNAL;
    stream->pending++;
    return FEDN_OK;
}

static void begin(fedn__stream *stream)
{
    const fedn__channel *channel = stream->call.channel;
    grpc_op ops[3];
    grpc_op op;
    size_t count = 1;

    memset(ops, 0, sizeof ops);
    memset(&op, 0, sizeof op);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].data.send_initial_metadata.metadata = channel->metadata;
    ops[0].data.send_initial_metadata.count = channel->metadata_count;
    if (stream->request) {
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = stream->request;
        ops[count++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
        stream->end_wanted = stream->end_sent = 1;
    }
    op.op = GRPC_OP_RECV_INITIAL_METADATA;
    op.data.recv_initial_metadata.recv_initial_metadata = &stream->call.initial;
    stream->on_start.fn = started;
    stream->on_open.fn = opened;
    if (fedn__tag_start(&stream->on_start, stream->call.grpc, ops, count) == GRPC_CALL_OK)
        stream->pending++;
    else
        fedn__stream_cancel(stream);
    /* without this one the status never comes */
    if (fedn__tag_start(&stream->on_open, stream->call.grpc, &op, 1) == GRPC_CALL_OK)
        stream->pending++;
    read_next(stream);
}

/* NOLINTNEXTLINE(readability-function-size): a call and what hears of it */
fedn_status fedn__channel_stream(fedn__channel *channel, const char *path,
                                 const ProtobufCMessage *request,
                                 const ProtobufCMessageDescriptor *response,
                                 const fedn__stream_events *events, void *user_data,
                                 fedn__stream **ret, fedn_error *err)
{
    *ret = NULL;
    fedn__stream *stream = fedn__alloc_zero(sizeof *stream);
    if (!stream)
        return fedn__error_nomem(err);
    stream->response = response;
    stream->events = *events;
    stream->user_data = user_data;
    fedn__outbox_init(&stream->outbox);
    fedn_status rc = fedn__dialled_open(&stream->call, channel, path, 0);
    if (rc < 0) {
        fedn__free(stream);
        return fedn__error(err, rc, "%s: the channel was closed", path);
    }
    if (request) {
        stream->request = fedn__codec_pack(request);
        if (!stream->request)
            rc = fedn__error(err, FEDN_ERR_INVALID, "%s: the request is over %llu bytes", path,
                             (unsigned long long)FEDN__LIMIT_MESSAGE_BYTES);
    }
    if (rc == FEDN_OK && (rc = await_status(stream)) < 0)
        (void)fedn__error(err, rc, "%s: the call could not be started", path);
    if (rc < 0) {
        release(stream);
        return rc;
    }
    begin(stream);
    *ret = stream;
    return FEDN_OK;
}

static fedn_status queue(fedn__stream *stream, grpc_byte_buffer *message, uint64_t heap_bytes,
                         fedn__sent sent, void *user_data)
{
    fedn_status rc = fedn__outbox_add(&stream->outbox, message, heap_bytes, sent, user_data);

    if (rc == FEDN_ERR_LIMIT) {
        stream->broken_rpc = FEDN__RPC_RESOURCE_EXHAUSTED;
        (void)snprintf(stream->broken, sizeof stream->broken,
                       "the peer reads too slowly: its queue is full");
        fedn__stream_cancel(stream);
    }
    if (rc == FEDN_OK)
        flush(stream);
    return rc;
}

fedn_status fedn__stream_send(fedn__stream *stream, const ProtobufCMessage *message)
{
    fedn__sent nobody = {NULL};

    if (stream->end_wanted || stream->over)
        return FEDN_ERR_STATE;
    grpc_byte_buffer *buffer = fedn__codec_pack(message);
    if (!buffer)
        return FEDN_ERR_INVALID;
    return queue(stream, buffer, grpc_byte_buffer_length(buffer), nobody, NULL);
}

/* NOLINTNEXTLINE(readability-function-size): a blob and its range */
fedn_status fedn__stream_send_blob(fedn__stream *stream, const void *head, uint64_t head_bytes,
                                   fedn__blob *blob, uint64_t offset, uint64_t bytes,
                                   void (*sent)(fedn__stream *stream, void *user_data),
                                   void *user_data)
{
    fedn__sent then = {.stream = sent};
    grpc_byte_buffer *buffer = NULL;

    if (stream->end_wanted || stream->over)
        return FEDN_ERR_STATE;
    fedn_status rc = fedn__codec_from_blob(head, head_bytes, blob, offset, bytes, &buffer);
    if (rc < 0)
        return rc == FEDN_ERR_LIMIT ? FEDN_ERR_INVALID : rc;
    return queue(stream, buffer, head_bytes, then, user_data);
}

void fedn__stream_end_sending(fedn__stream *stream)
{
    stream->end_wanted = 1;
    flush(stream);
}

void fedn__stream_pause(fedn__stream *stream)
{
    if (!stream->over)
        stream->paused = 1;
}

void fedn__stream_resume(fedn__stream *stream)
{
    stream->paused = 0;
    read_next(stream);
}

void fedn__stream_take(fedn__stream *stream, fedn__block *ret)
{
    *ret = stream->block;
    memset(&stream->block, 0, sizeof stream->block);
}
