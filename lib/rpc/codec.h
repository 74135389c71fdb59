/* SPDX-License-Identifier: Apache-2.0
 * Between gRPC's byte buffers and messages: packing, checked unpacking, pieces in place. */
#ifndef FEDN__RPC_CODEC_H
#define FEDN__RPC_CODEC_H

#include "rpc/server.h"
#include <grpc/byte_buffer.h>

/* protobuf-c on the library's allocator. */
ProtobufCAllocator *fedn__codec_allocator(void);

/* NULL: the message is over the ceiling of what a peer takes. */
grpc_byte_buffer *fedn__codec_pack(const ProtobufCMessage *message);
/* `head` copied, then a range of the blob's mapping, which holds a reference until the last byte is
 * out; its release may run on any thread of gRPC. */
fedn_status fedn__codec_from_blob(const void *head, uint64_t head_bytes, fedn__blob *blob,
                                  uint64_t offset, uint64_t bytes, grpc_byte_buffer **ret);

/* Walks the bytes by the descriptor before protobuf-c sees them: every string must be UTF-8 without
 * NUL, nesting and field headers sound. */
fedn_status fedn__codec_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data,
                              uint64_t bytes, fedn_error *err);
/* FEDN_ERR_LIMIT over `limit` bytes, FEDN_ERR_FORMAT malformed. Free with fedn__codec_release(). */
fedn_status fedn__codec_unpack(grpc_byte_buffer *buffer,
                               const ProtobufCMessageDescriptor *descriptor, uint64_t limit,
                               ProtobufCMessage **ret, fedn_error *err);
void fedn__codec_release(ProtobufCMessage *message); /* NULL allowed */

/* A received message that is kept: its pieces lie in its buffer. All zero: none. */
typedef struct fedn__block {
    grpc_byte_buffer *buffer;
    fedn__piece *pieces;
    uint64_t count;
} fedn__block;

/* Takes the buffer over on success. */
fedn_status fedn__block_init(fedn__block *block, grpc_byte_buffer *buffer);
void fedn__block_done(fedn__block *block);

#endif
