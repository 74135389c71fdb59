/* SPDX-License-Identifier: Apache-2.0
 * Outgoing messages of one call or stream: a bounded queue, of which one is being written. */
#ifndef FEDN__RPC_OUTBOX_H
#define FEDN__RPC_OUTBOX_H

#include "rpc/channel.h"
#include "rpc/server.h"
#include <grpc/byte_buffer.h>

typedef union fedn__sent {
    void (*call)(fedn__call *call, void *user_data);
    void (*stream)(fedn__stream *stream, void *user_data);
} fedn__sent;

typedef struct fedn__parcel {
    struct fedn__parcel *next;
    grpc_byte_buffer *message;
    uint64_t heap_bytes; /* of the message: blobs do not count */
    fedn__sent sent;
    void *user_data;
} fedn__parcel;

typedef struct fedn__outbox {
    fedn__parcel *first;
    fedn__parcel **last;
    uint64_t count;
    uint64_t heap_bytes;
    fedn__parcel *writing;
} fedn__outbox;

void fedn__outbox_init(fedn__outbox *outbox);
/* Takes the message over, also on failure: FEDN_ERR_LIMIT full, FEDN_ERR_NOMEM. */
fedn_status fedn__outbox_add(fedn__outbox *outbox, grpc_byte_buffer *message, uint64_t heap_bytes,
                             fedn__sent sent, void *user_data);
/* The next message to write, NULL if there is none; nothing may be in writing. */
grpc_byte_buffer *fedn__outbox_take(fedn__outbox *outbox);
/* The write is over: what it was, to be given to fedn__parcel_free(); NULL if none was. */
fedn__parcel *fedn__outbox_written(fedn__outbox *outbox);
void fedn__outbox_clear(fedn__outbox *outbox); /* what waits; not what is being written */
void fedn__parcel_free(fedn__parcel *parcel);

#endif
