/* SPDX-License-Identifier: Apache-2.0
 * A gRPC listener: a table of methods, and what a handler may do with a call. */
#ifndef FEDN__RPC_SERVER_H
#define FEDN__RPC_SERVER_H

#include "core/blob.h"
#include "rpc/loop.h"
#include "rpc/piece.h"
#include "rpc/status.h"
#include <protobuf-c/protobuf-c.h>

typedef struct fedn__server fedn__server;
typedef struct fedn__call fedn__call; /* the serving side of one call */

enum { FEDN__UNARY = 1, FEDN__STREAM_OUT, FEDN__STREAM_IN, FEDN__STREAM_BOTH };

/* One row per method. A request over max_request_bytes (0: FEDN__LIMIT_CONTROL_BYTES), that does
 * not unpack, or holds a string that is not UTF-8 is refused with INVALID_ARGUMENT or
 * RESOURCE_EXHAUSTED before a handler sees it. Unknown methods answer UNIMPLEMENTED. */
typedef struct fedn__method {
    const char *path; /* "/fedn.Connector/SendHeartbeat" */
    int32_t kind;
    uint64_t max_request_bytes;
    const ProtobufCMessageDescriptor *request; /* NULL: raw bytes (model chunks) */
    /* Unary and stream-out: with the request, which is valid until open returns. Stream-in and
     * both: request is NULL; the handler sets its events and calls fedn__call_read(). The call
     * lives until its closed event. */
    void (*open)(void *service, fedn__call *call, const ProtobufCMessage *request);
    void *service;
} fedn__method;

/* What a listener is given. Zero is the default everywhere. */
typedef struct fedn__server_options {
    const char *listen;   /* "0.0.0.0:12080"; port 0 takes a free one */
    const char *cert_pem; /* TLS if set, with key_pem */
    const char *key_pem;
    const char *client_ca_pem; /* demand client certificates */
    uint64_t max_connections;  /* peers with open calls; 0: as descriptors allow */
    /* Receive windows grow with a sender's bandwidth and delay, to tens of MB each: for few senders
     * and long lines. 0: one message a round trip, and no more than that in memory. */
    int32_t wide_windows;
    int32_t keepalive_ms;      /* a ping after so long without a word; 0: 60 s */
    int32_t keepalive_wait_ms; /* without its answer the peer is gone; 0: 30 s */
} fedn__server_options;

typedef struct fedn__call_events {
    /* the next message of an incoming stream, after fedn__call_read(); NULL: the peer has ended its
     * side. For raw methods `raw` is called instead, with the message in pieces. */
    void (*message)(fedn__call *call, const ProtobufCMessage *message, void *user_data);
    void (*raw)(fedn__call *call, const fedn__piece *pieces, uint64_t count, void *user_data);
    void (*raw_end)(fedn__call *call, void *user_data);
    /* always, once, last: the call is gone after it, and so is every pointer to it. cancelled: the
     * peer went away or timed out; an end of its stream is then not announced. 0 also when the call
     * was ended from here. Never inside a function that the handler itself called. */
    void (*closed)(fedn__call *call, int32_t cancelled, void *user_data);
} fedn__call_events;

/* Any thread but the loop's. `methods` is copied, `service` of each row goes to its handler.
 * FEDN_ERR_IO: the port ("port 12080 is in use or not permitted"). */
fedn_status fedn__server_new(fedn__loop *loop, const fedn__server_options *options,
                             const fedn__method *methods, uint32_t count, fedn__server **ret,
                             fedn_error *err);
int32_t fedn__server_port(const fedn__server *server);
/* Stop accepting; calls that still run after grace_ms are cancelled. Any thread but the loop's;
 * returns when every call has had its closed event. NULL allowed. */
void fedn__server_free(fedn__server *server, int64_t grace_ms);

void fedn__call_set_events(fedn__call *call, const fedn__call_events *events, void *user_data);
/* First value of a metadata key the peer sent; NULL if there is none. Lives as long as the call. */
const char *fedn__call_metadata(const fedn__call *call, const char *key);
const char *fedn__call_peer(const fedn__call *call); /* "ipv4:127.0.0.1:40312" */
const char *fedn__call_path(const fedn__call *call);

/* Ask for the next message of an incoming stream: that is the flow control. */
void fedn__call_read(fedn__call *call);
/* Unary and stream-in: the one answer, with status OK. May come later than the handler's return. */
void fedn__call_reply(fedn__call *call, const ProtobufCMessage *message);
/* End with a status other than OK; also in the place of an answer. Text is cut at 1 KiB. */
void fedn__call_reject(fedn__call *call, int32_t rpc, const char *text);
/* Stream out and both: queue a message. FEDN_ERR_LIMIT when FEDN__LIMIT_STREAM_QUEUE wait already:
 * the call is then ended with RESOURCE_EXHAUSTED. FEDN_ERR_STATE it has ended. */
fedn_status fedn__call_send(fedn__call *call, const ProtobufCMessage *message);
/* The same with bytes sent from a blob without a copy: the message is `head` followed by
 * [offset, offset + bytes) of `blob`. `sent` (optional) is called when it has been
 * written, and never for a message that is dropped because the call ends. */
fedn_status fedn__call_send_blob(fedn__call *call, const void *head, uint64_t head_bytes,
                                 fedn__blob *blob, uint64_t offset, uint64_t bytes,
                                 void (*sent)(fedn__call *call, void *user_data), void *user_data);
/* Stream out and both: end after what is queued; rpc FEDN__RPC_OK or another. */
void fedn__call_finish(fedn__call *call, int32_t rpc, const char *text);

#endif
