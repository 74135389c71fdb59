/* SPDX-License-Identifier: Apache-2.0
 * The dialling side: a channel to one peer, unary calls and streams on it. */
#ifndef FEDN__RPC_CHANNEL_H
#define FEDN__RPC_CHANNEL_H

#include "core/blob.h"
#include "rpc/loop.h"
#include "rpc/piece.h"
#include "rpc/status.h"
#include <protobuf-c/protobuf-c.h>

typedef struct fedn__channel fedn__channel;
typedef struct fedn__stream fedn__stream; /* the dialling side of one streaming call */

typedef struct fedn__channel_options {
    const char *target;   /* "host:port" */
    int32_t tls;          /* 1: TLS */
    const char *root_pem; /* NULL: the system's roots */
    const char *cert_pem; /* own certificate, with key_pem; NULL: none */
    const char *key_pem;
    const char *const *metadata; /* key, value, key, value, ..., NULL: sent with every call */
    int64_t keepalive_ms;        /* a ping after so long without a word; 0: 20 s */
    int64_t keepalive_wait_ms;   /* without its answer the peer is gone; 0: 20 s */
    int64_t backoff_max_ms;      /* 0: 10 s */
} fedn__channel_options;

/* Any thread. Dials when the first call is made. Options are copied. Every channel has its own
 * connection. */
fedn_status fedn__channel_new(fedn__loop *loop, const fedn__channel_options *options,
                              fedn__channel **ret, fedn_error *err);
/* Cancels what runs; every call still delivers its last event, later, on the loop. NULL allowed.
 * On the loop. */
void fedn__channel_free(fedn__channel *channel);

/* `response` is NULL unless rpc is FEDN__RPC_OK; valid during the call. */
typedef void (*fedn__unary_fn)(int32_t rpc, const char *details, const ProtobufCMessage *response,
                               void *user_data);

/* timeout_ms 0: no deadline. wait_ready 1: wait for the connection instead of failing at once.
 * When this fails fn is not called. */
typedef struct fedn__unary_options {
    int64_t timeout_ms;
    int32_t wait_ready;
} fedn__unary_options;
fedn_status fedn__channel_unary(fedn__channel *channel, const char *path,
                                const ProtobufCMessage *request,
                                const ProtobufCMessageDescriptor *response,
                                const fedn__unary_options *options, fedn__unary_fn fn,
                                void *user_data);

typedef struct fedn__stream_events {
    /* optional: the peer has answered, with its initial metadata or a first message */
    void (*opened)(fedn__stream *stream, void *user_data);
    /* each message; the next is read when it returns, unless fedn__stream_pause() was called in it
     */
    void (*message)(fedn__stream *stream, const ProtobufCMessage *message, void *user_data);
    /* for response == NULL: the message as it came, in pieces of it */
    void (*raw)(fedn__stream *stream, const fedn__piece *pieces, uint64_t count, void *user_data);
    /* always, once, last: the stream is gone after it. It waits while the stream is paused with a
     * message unread, unless it or its channel is cancelled. */
    void (*closed)(fedn__stream *stream, int32_t rpc, const char *details, void *user_data);
} fedn__stream_events;

/* `request` NULL: nothing is sent yet and the sending side stays open; else it is the only message
 * and the sending side is closed. */
fedn_status fedn__channel_stream(fedn__channel *channel, const char *path,
                                 const ProtobufCMessage *request,
                                 const ProtobufCMessageDescriptor *response,
                                 const fedn__stream_events *events, void *user_data,
                                 fedn__stream **ret, fedn_error *err);
/* As fedn__call_send() and fedn__call_send_blob(). */
fedn_status fedn__stream_send(fedn__stream *stream, const ProtobufCMessage *message);
fedn_status fedn__stream_send_blob(fedn__stream *stream, const void *head, uint64_t head_bytes,
                                   fedn__blob *blob, uint64_t offset, uint64_t bytes,
                                   void (*sent)(fedn__stream *stream, void *user_data),
                                   void *user_data);
void fedn__stream_end_sending(fedn__stream *stream); /* after what is queued */
void fedn__stream_pause(fedn__stream *stream);       /* inside a message event */
void fedn__stream_resume(fedn__stream *stream);
void fedn__stream_cancel(fedn__stream *stream); /* closed comes later with CANCELLED */

#endif
