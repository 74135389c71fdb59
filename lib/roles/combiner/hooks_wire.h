/* SPDX-License-Identifier: Apache-2.0
 * Models to and from the hooks service: streams of chunks of 1 MiB. On the loop. */
#ifndef FEDN__ROLES_COMBINER_HOOKS_WIRE_H
#define FEDN__ROLES_COMBINER_HOOKS_WIRE_H

#include "core/blob.h"
#include "rpc/channel.h"

/* How a call went: a code of gRPC and its words; what it answered. */
typedef struct fedn__hooks_reply {
    int32_t rpc;
    const char *details;
    const ProtobufCMessage *message; /* of a call; NULL: none */
    const char *text;                /* of a model that was sent: what the service said */
    fedn__blob *model;               /* one that was received; borrowed */
} fedn__hooks_reply;

/* Once; the stream is gone then. */
typedef void (*fedn__hooks_reply_fn)(const fedn__hooks_reply *reply, void *user_data);

typedef struct fedn__hooks_wire {
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__channel *channel;
    int64_t deadline_ns;
    fedn__hooks_reply_fn fn;
    void *user_data;
} fedn__hooks_wire;

typedef struct fedn__hooks_sending fedn__hooks_sending;
typedef struct fedn__hooks_receiving fedn__hooks_receiving;

/* HandleStoreModel under this id; `id` NULL: HandleClientConfig. FEDN_ERR_NOMEM: fn is not called.
 */
fedn_status fedn__hooks_send(const fedn__hooks_wire *wire, const char *id, fedn__blob *model,
                             fedn__hooks_sending **ret, fedn_error *err);
void fedn__hooks_send_cancel(fedn__hooks_sending *sending);
/* HandleAggregation; the model goes to a file there once it is larger than what memory is for. Over
 * max_bytes: RESOURCE_EXHAUSTED. */
fedn_status fedn__hooks_receive(const fedn__hooks_wire *wire, const char *dir, uint64_t max_bytes,
                                fedn__hooks_receiving **ret, fedn_error *err);
/* Nothing is written any more. */
void fedn__hooks_receive_cancel(fedn__hooks_receiving *receiving);

#endif
