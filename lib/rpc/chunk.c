/* SPDX-License-Identifier: Apache-2.0
 * Walks the fields of a chunk message over the pieces it came in: a field may straddle them
 * anywhere, and the model's bytes are only pointed at; see chunk.h. */
#include "rpc/chunk.h"

#include "core/error.h"
#include "core/text.h"
#include "fedn.pb-c.h"
#include <string.h>

/* Field numbers by kind; 0: the message has no such field. */
static const struct {
    uint32_t data;
    uint32_t id;
    uint32_t status;
    const char *name;
} kinds[] = {
    [FEDN__CHUNK_REQUEST] = {3, 4, 5, "ModelRequest"},
    [FEDN__CHUNK_RESPONSE] = {1, 2, 3, "ModelResponse"},
};

typedef struct field_walk {
    const fedn__piece *pieces;
    uint64_t count;
    uint64_t index; /* of the piece we are in */
    uint64_t at;    /* bytes of it behind us */
    uint64_t left;  /* bytes of the message before us */
} field_walk;

/* What the present piece still has, at most `want`. */
static uint64_t stretch(field_walk *walk, uint64_t want, const uint8_t **ret)
{
    while (walk->at == walk->pieces[walk->index].bytes) {
        walk->index++;
        walk->at = 0;
    }
    const fedn__piece *piece = &walk->pieces[walk->index];
    uint64_t bytes = piece->bytes - walk->at;
    if (bytes > want)
        bytes = want;
    *ret = piece->data + walk->at;
    walk->at += bytes;
    walk->left -= bytes;
    return bytes;
}

static int32_t get_varint(field_walk *walk, uint64_t *ret)
{
    uint64_t value = 0;
    const uint8_t *byte = NULL;

    for (uint32_t shift = 0; shift < 70; shift += 7) {
        if (walk->left == 0)
            return 0;
        (void)stretch(walk, 1, &byte);
        value |= (uint64_t)(*byte & 0x7f) << (shift & 63);
        if (!(*byte & 0x80)) {
            *ret = value;
            return 1;
        }
    }
    return 0;
}

static int32_t skip(field_walk *walk, uint64_t bytes)
{
    const uint8_t *unused = NULL;

    if (bytes > walk->left)
        return 0;
    while (bytes)
        bytes -= stretch(walk, bytes, &unused);
    return 1;
}

static int32_t get_id(field_walk *walk, uint64_t bytes, fedn__chunk *chunk)
{
    uint64_t done = 0;
    const uint8_t *from = NULL;

    if (bytes > FEDN__LIMIT_ID_BYTES || bytes > walk->left)
        return 0;
    while (done < bytes) {
        uint64_t run = stretch(walk, bytes - done, &from);
        memcpy(chunk->id + done, from, run);
        done += run;
    }
    chunk->id[bytes] = 0;
    return fedn__text_is_utf8(chunk->id, bytes);
}

/* The last data field counts, as protobuf has it. */
static int32_t get_data(field_walk *walk, uint64_t bytes, fedn__piece *scratch, fedn__chunk *chunk)
{
    if (bytes > walk->left)
        return 0;
    chunk->data = scratch;
    chunk->data_count = 0;
    chunk->data_bytes = bytes;
    while (bytes) {
        fedn__piece *piece = &scratch[chunk->data_count++];
        piece->bytes = stretch(walk, bytes, &piece->data);
        bytes -= piece->bytes;
    }
    return 1;
}

static int32_t get_field(int32_t kind, field_walk *walk, fedn__piece *scratch, fedn__chunk *chunk)
{
    uint64_t key = 0;
    uint64_t value = 0;

    if (!get_varint(walk, &key) || key >> 3 == 0 || key >> 32)
        return 0;
    uint32_t field = (uint32_t)(key >> 3);
    uint32_t wire = (uint32_t)(key & 7);
    int32_t prefixed = field == kinds[kind].data || field == kinds[kind].id;
    if ((prefixed && wire != 2) || (field == kinds[kind].status && wire != 0))
        return 0;
    switch (wire) {
    case 0:
        if (!get_varint(walk, &value))
            return 0;
        if (field == kinds[kind].status)
            chunk->status = value > INT32_MAX ? -1 : (int32_t)value;
        return 1;
    case 1:
        return skip(walk, 8);
    case 5:
        return skip(walk, 4);
    case 2:
        if (!get_varint(walk, &value))
            return 0;
        if (field == kinds[kind].data)
            return get_data(walk, value, scratch, chunk);
        if (field == kinds[kind].id)
            return get_id(walk, value, chunk);
        return skip(walk, value);
    default:
        return 0;
    }
}

fedn_status fedn__chunk_parse(int32_t kind, const fedn__piece *pieces, uint64_t count,
                              fedn__piece *scratch, fedn__chunk *ret, fedn_error *err)
{
    field_walk walk = {.pieces = pieces, .count = count};

    memset(ret, 0, sizeof *ret);
    for (uint64_t i = 0; i < count; i++)
        walk.left += pieces[i].bytes;
    uint64_t bytes = walk.left;
    while (walk.left)
        if (!get_field(kind, &walk, scratch, ret))
            return fedn__error(err, FEDN_ERR_FORMAT, "malformed %s message of %llu bytes",
                               kinds[kind].name, (unsigned long long)bytes);
    return FEDN_OK;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_text(uint8_t *at, uint32_t field, const char *text)
{
    size_t bytes = strnlen(text, FEDN__LIMIT_ID_BYTES);

    at = put_varint(at, (uint64_t)field << 3 | 2);
    at = put_varint(at, bytes);
    memcpy(at, text, bytes);
    return at + bytes;
}

uint64_t fedn__chunk_head(int32_t kind, const char *id, const char *client_id, int32_t status,
                          uint64_t data_bytes, uint8_t head[FEDN__CHUNK_HEAD_BYTES])
{
    uint8_t sender[FEDN__CHUNK_HEAD_BYTES / 2];
    uint8_t *at = head;

    if (client_id && kind == FEDN__CHUNK_REQUEST) {
        uint8_t *end = sender;
        end = put_varint(end, 1 << 3); /* role */
        end = put_varint(end, FEDN__ROLE__CLIENT);
        end = put_text(end, 3, client_id);
        size_t bytes = (size_t)(end - sender);
        at = put_varint(at, 1 << 3 | 2);
        at = put_varint(at, bytes);
        memcpy(at, sender, bytes);
        at += bytes;
    }
    at = put_text(at, kinds[kind].id, id);
    if (status) {
        at = put_varint(at, (uint64_t)kinds[kind].status << 3);
        at = put_varint(at, (uint64_t)status);
    }
    if (data_bytes) {
        at = put_varint(at, (uint64_t)kinds[kind].data << 3 | 2);
        at = put_varint(at, data_bytes);
    }
    return (uint64_t)(at - head);
}
