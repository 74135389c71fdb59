/* SPDX-License-Identifier: Apache-2.0
 * Packing, unpacking and taking apart messages; see codec.h. */
#include "rpc/codec.h"

#include "core/alloc.h"
#include "core/blob.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/text.h"
#include "rpc/handover.h"
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <string.h>

static void *take(void *starved, size_t bytes)
{
    void *memory = fedn__alloc(bytes);

    if (!memory && starved)
        *(int32_t *)starved = 1;
    return memory;
}

static void give(void *unused, void *memory)
{
    (void)unused;
    fedn__free(memory);
}

ProtobufCAllocator *fedn__codec_allocator(void)
{
    static ProtobufCAllocator allocator = {take, give, NULL};
    return &allocator;
}

grpc_byte_buffer *fedn__codec_pack(const ProtobufCMessage *message)
{
    size_t bytes = protobuf_c_message_get_packed_size(message);

    if (bytes > FEDN__LIMIT_MESSAGE_BYTES)
        return NULL;
    grpc_slice slice = grpc_slice_malloc(bytes);
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

/* On any thread, some of which are gRPC's own. */
static void drop_blob(void *blob)
{
    FEDN__TAKEN(blob);
    (void)fedn__blob_unref(blob);
}

fedn_status fedn__codec_from_blob(const void *head, uint64_t head_bytes, fedn__blob *blob,
                                  uint64_t offset, uint64_t bytes, grpc_byte_buffer **ret)
{
    const uint8_t *data = NULL;
    grpc_slice slices[2];
    size_t count = 1;

    if (head_bytes + bytes > FEDN__LIMIT_MESSAGE_BYTES || offset > fedn__blob_bytes(blob) ||
        bytes > fedn__blob_bytes(blob) - offset)
        return FEDN_ERR_LIMIT;
    if (bytes) {
        fedn_status rc = fedn__blob_map(blob, &data, NULL);
        if (rc < 0)
            return rc;
        FEDN__GIVEN(blob);
        /* gRPC only reads it */
        slices[1] = grpc_slice_new_with_user_data((void *)(uintptr_t)(data + offset), bytes,
                                                  drop_blob, fedn__blob_ref(blob));
        count = 2;
    }
    slices[0] = grpc_slice_from_copied_buffer(head, head_bytes);
    *ret = grpc_raw_byte_buffer_create(slices, count);
    for (size_t i = 0; i < count; i++)
        grpc_slice_unref(slices[i]);
    return FEDN_OK;
}

/* Bytes still to be read. */
typedef struct span {
    const uint8_t *at;
    const uint8_t *end;
} span;

static int32_t read_varint(span *cursor, uint64_t *ret)
{
    uint64_t value = 0;

    for (uint32_t shift = 0; shift < 70; shift += 7) {
        if (cursor->at == cursor->end)
            return 0;
        uint8_t byte = *cursor->at++;
        value |= (uint64_t)(byte & 0x7f) << (shift & 63);
        if (!(byte & 0x80)) {
            *ret = value;
            return 1;
        }
    }
    return 0;
}

static int32_t skip(span *cursor, uint64_t bytes)
{
    if (bytes > (uint64_t)(cursor->end - cursor->at))
        return 0;
    cursor->at += bytes;
    return 1;
}

static fedn_status malformed(fedn_error *err, const ProtobufCMessageDescriptor *descriptor)
{
    return fedn__error(err, FEDN_ERR_FORMAT, "malformed %s message", descriptor->short_name);
}

static fedn_status check_message(const ProtobufCMessageDescriptor *descriptor, span cursor,
                                 uint32_t depth, fedn_error *err);

static fedn_status check_bytes(const ProtobufCMessageDescriptor *descriptor,
                               const ProtobufCFieldDescriptor *field, span content, uint32_t depth,
                               fedn_error *err)
{
    if (!field)
        return FEDN_OK;
    if (field->type == PROTOBUF_C_TYPE_STRING &&
        !fedn__text_is_utf8(content.at, (uint64_t)(content.end - content.at)))
        return fedn__error(err, FEDN_ERR_FORMAT, "%s.%s is not UTF-8 text without NUL",
                           descriptor->short_name, field->name);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return check_message(field->descriptor, content, depth + 1, err);
    return FEDN_OK;
}

/* One field after its key. */
static fedn_status check_field(const ProtobufCMessageDescriptor *descriptor, uint64_t key,
                               span *cursor, uint32_t depth, fedn_error *err)
{
    uint64_t value = 0;

    if (key >> 3 == 0 || key >> 32)
        return malformed(err, descriptor);
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(key >> 3));
    int32_t prefixed =
        field && (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE);
    if (prefixed && (key & 7) != 2)
        return malformed(err, descriptor);
    switch (key & 7) {
    case 0:
        return read_varint(cursor, &value) ? FEDN_OK : malformed(err, descriptor);
    case 1:
        return skip(cursor, 8) ? FEDN_OK : malformed(err, descriptor);
    case 5:
        return skip(cursor, 4) ? FEDN_OK : malformed(err, descriptor);
    case 2: {
        if (!read_varint(cursor, &value))
            return malformed(err, descriptor);
        const uint8_t *start = cursor->at;
        if (!skip(cursor, value))
            return malformed(err, descriptor);
        span content = {start, cursor->at};
        return check_bytes(descriptor, field, content, depth, err);
    }
    default:
        return malformed(err, descriptor);
    }
}

static fedn_status check_message(const ProtobufCMessageDescriptor *descriptor, span cursor,
                                 uint32_t depth, fedn_error *err)
{
    if (depth > FEDN__LIMIT_MESSAGE_DEPTH)
        return fedn__error(err, FEDN_ERR_FORMAT, "%s is nested over %d deep",
                           descriptor->short_name, FEDN__LIMIT_MESSAGE_DEPTH);
    while (cursor.at != cursor.end) {
        uint64_t key = 0;
        if (!read_varint(&cursor, &key))
            return malformed(err, descriptor);
        fedn_status rc = check_field(descriptor, key, &cursor, depth, err);
        if (rc < 0)
            return rc;
    }
    return FEDN_OK;
}

fedn_status fedn__codec_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data,
                              uint64_t bytes, fedn_error *err)
{
    span cursor = {data, data + bytes};

    return check_message(descriptor, cursor, 0, err);
}

/* The message in one stretch; the caller unrefs the slice. */
static grpc_slice whole(grpc_byte_buffer *buffer)
{
    const grpc_slice_buffer *slices = &buffer->data.raw.slice_buffer;
    grpc_byte_buffer_reader reader;

    if (slices->count == 1)
        return grpc_slice_ref(slices->slices[0]);
    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return grpc_empty_slice();
    grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    return all;
}

fedn_status fedn__codec_unpack(grpc_byte_buffer *buffer,
                               const ProtobufCMessageDescriptor *descriptor, uint64_t limit,
                               ProtobufCMessage **ret, fedn_error *err)
{
    uint64_t bytes = grpc_byte_buffer_length(buffer);

    *ret = NULL;
    if (bytes > limit)
        return fedn__error(err, FEDN_ERR_LIMIT, "%s of %llu bytes is over the limit of %llu",
                           descriptor->short_name, (unsigned long long)bytes,
                           (unsigned long long)limit);
    grpc_slice slice = whole(buffer);
    const uint8_t *data = GRPC_SLICE_START_PTR(slice);
    fedn_status rc = fedn__codec_check(descriptor, data, GRPC_SLICE_LENGTH(slice), err);
    if (rc == FEDN_OK) {
        int32_t starved = 0;
        ProtobufCAllocator allocator = {take, give, &starved};
        *ret = protobuf_c_message_unpack(descriptor, &allocator, GRPC_SLICE_LENGTH(slice), data);
        if (!*ret)
            rc = starved ? fedn__error_nomem(err) : malformed(err, descriptor);
    }
    grpc_slice_unref(slice);
    return rc;
}

void fedn__codec_release(ProtobufCMessage *message)
{
    if (message)
        protobuf_c_message_free_unpacked(message, fedn__codec_allocator());
}

fedn_status fedn__block_init(fedn__block *block, grpc_byte_buffer *buffer)
{
    const grpc_slice_buffer *slices = &buffer->data.raw.slice_buffer;
    uint64_t count = 0;

    if (slices->count > FEDN__LIMIT_MESSAGE_PIECES)
        return FEDN_ERR_LIMIT;
    fedn__piece *pieces = fedn__alloc_array(slices->count ? slices->count : 1, sizeof *pieces);
    if (!pieces)
        return FEDN_ERR_NOMEM;
    for (size_t i = 0; i < slices->count; i++) {
        /* a short slice holds its bytes inside itself: they stay put as long as the buffer does */
        const grpc_slice *slice = &slices->slices[i];
        if (GRPC_SLICE_LENGTH(*slice) == 0)
            continue;
        pieces[count].data = GRPC_SLICE_START_PTR(*slice);
        pieces[count++].bytes = GRPC_SLICE_LENGTH(*slice);
    }
    block->buffer = buffer;
    block->pieces = pieces;
    block->count = count;
    return FEDN_OK;
}

void fedn__block_done(fedn__block *block)
{
    if (block->buffer)
        grpc_byte_buffer_destroy(block->buffer);
    fedn__free(block->pieces);
    memset(block, 0, sizeof *block);
}
