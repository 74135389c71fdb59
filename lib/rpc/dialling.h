/* SPDX-License-Identifier: Apache-2.0
 * The inside of a channel, shared by its files: channel.c and unary.c and stream.c. */
#ifndef FEDN__RPC_DIALLING_H
#define FEDN__RPC_DIALLING_H

#include "rpc/codec.h"
#include "rpc/outbox.h"
#include "rpc/tag.h"

/* A call on its channel's list, so that the channel can cancel it. */
typedef struct fedn__dialled {
    struct fedn__dialled *next;
    struct fedn__dialled **link; /* what points here */
    fedn__channel *channel;
    grpc_call *grpc;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_status_code status;
    grpc_slice details;
} fedn__dialled;

struct fedn__channel {
    fedn__loop *loop;
    grpc_channel *grpc;
    grpc_metadata *metadata; /* sent with every call */
    uint64_t metadata_count;
    fedn__dialled *calls;
    uint64_t holds;
    int32_t freed; /* goes with its last call and hold */
};

/* FEDN_ERR_STATE when the channel has been freed. timeout_ms 0: none. */
fedn_status fedn__dialled_open(fedn__dialled *call, fedn__channel *channel, const char *path,
                               int64_t timeout_ms);
/* The status's text, to be freed with gpr_free(). */
char *fedn__dialled_details(const fedn__dialled *call);
void fedn__dialled_close(fedn__dialled *call);

/* Inside a raw event: the message becomes the caller's. */
void fedn__stream_take(fedn__stream *stream, fedn__block *ret);
fedn__loop *fedn__channel_loop(const fedn__channel *channel);
/* Whoever will make another call on it later: a channel that was freed meanwhile refuses that. */
void fedn__channel_hold(fedn__channel *channel);
void fedn__channel_release(fedn__channel *channel);

#endif
