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

/* Of either kind, and unknown to FEDn. */
enum { RESUMABLE = 100, OFFSET = 101, DIGEST = 102 };

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

static void copy_out(field_walk *walk, uint64_t bytes, void *to)
{
    uint64_t done = 0;
    const uint8_t *from = NULL;

    while (done < bytes) {
        uint64_t run = stretch(walk, bytes - done, &from);
        memcpy((uint8_t *)to + done, from, run);
        done += run;
    }
}

static int32_t get_id(field_walk *walk, uint64_t bytes, fedn__chunk *chunk)
{
    if (bytes > FEDN__LIMIT_ID_BYTES || bytes > walk->left)
        return 0;
    copy_out(walk, bytes, chunk->id);
    chunk->id[bytes] = 0;
    return fedn__text_is_utf8(chunk->id, bytes);
}

static int32_t get_digest(field_walk *walk, uint64_t bytes, fedn__chunk *chunk)
{
    if (bytes != FEDN__DIGEST_BYTES || bytes > walk->left)
        return 0;
    copy_out(walk, bytes, chunk->digest);
    chunk->has_digest = 1;
    return 1;
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

static int32_t get_number(int32_t kind, field_walk *walk, uint32_t field, fedn__chunk *chunk)
{
    uint64_t value = 0;

    if (!get_varint(walk, &value))
        return 0;
    if (field == kinds[kind].status)
        chunk->status = value > INT32_MAX ? -1 : (int32_t)value;
    else if (field == RESUMABLE)
        chunk->resumable = value != 0;
    else if (field == OFFSET)
        chunk->offset = value;
    return 1;
}

static int32_t get_bytes(int32_t kind, field_walk *walk, uint32_t field, fedn__piece *scratch,
                         fedn__chunk *chunk)
{
    uint64_t bytes = 0;

    if (!get_varint(walk, &bytes))
        return 0;
    if (field == kinds[kind].data)
        return get_data(walk, bytes, scratch, chunk);
    if (field == kinds[kind].id)
        return get_id(walk, bytes, chunk);
    if (field == DIGEST)
        return get_digest(walk, bytes, chunk);
    return skip(walk, bytes);
}

static int32_t get_field(int32_t kind, field_walk *walk, fedn__piece *scratch, fedn__chunk *chunk)
{
    uint64_t key = 0;

    if (!get_varint(walk, &key) || key >> 3 == 0 || key >> 32)
        return 0;
    uint32_t field = (uint32_t)(key >> 3);
    uint32_t wire = (uint32_t)(key & 7);
    int32_t prefixed = field == kinds[kind].data || field == kinds[kind].id || field == DIGEST;
    int32_t numeric = field == kinds[kind].status || field == RESUMABLE || field == OFFSET;
    if ((prefixed && wire != 2) || (numeric && wire != 0))
        return 0;
    switch (wire) {
    case 0:
        return get_number(kind, walk, field, chunk);
    case 1:
        return skip(walk, 8);
    case 5:
        return skip(walk, 4);
    case 2:
        return get_bytes(kind, walk, field, scratch, chunk);
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

static uint8_t *put_number(uint8_t *at, uint32_t field, uint64_t value)
{
    if (value == 0)
        return at;
    at = put_varint(at, (uint64_t)field << 3);
    return put_varint(at, value);
}

static uint8_t *put_sender(uint8_t *at, const char *client_id)
{
    uint8_t sender[FEDN__CHUNK_HEAD_BYTES / 2];
    uint8_t *end = sender;

    end = put_number(end, 1, FEDN__ROLE__CLIENT);
    end = put_text(end, 3, client_id);
    size_t bytes = (size_t)(end - sender);
    at = put_varint(at, 1 << 3 | 2);
    at = put_varint(at, bytes);
    memcpy(at, sender, bytes);
    return at + bytes;
}

uint64_t fedn__chunk_head(int32_t kind, const fedn__chunk_words *words, uint64_t data_bytes,
                          uint8_t head[FEDN__CHUNK_HEAD_BYTES])
{
    uint8_t *at = head;

    if (words->client_id && kind == FEDN__CHUNK_REQUEST)
        at = put_sender(at, words->client_id);
    at = put_text(at, kinds[kind].id, words->id);
    at = put_number(at, kinds[kind].status, (uint64_t)words->status);
    if (kind == FEDN__CHUNK_REQUEST)
        at = put_number(at, RESUMABLE, words->resumable != 0);
    at = put_number(at, OFFSET, words->offset);
    if (words->digest) {
        at = put_varint(at, DIGEST << 3 | 2);
        at = put_varint(at, FEDN__DIGEST_BYTES);
        memcpy(at, words->digest, FEDN__DIGEST_BYTES);
        at += FEDN__DIGEST_BYTES;
    }
    if (data_bytes) {
        at = put_varint(at, (uint64_t)kinds[kind].data << 3 | 2);
        at = put_varint(at, data_bytes);
    }
    return (uint64_t)(at - head);
}
