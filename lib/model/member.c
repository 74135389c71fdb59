/* SPDX-License-Identifier: Apache-2.0
 * Reading the members of an encoded file in pieces that stay in the cache while they are summed. */
#include "model/member.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "model/zlib_memory.h"
#include <libdeflate.h>
#include <string.h>

#define CHUNK        (256 * FEDN__KIB)
#define PACKED_CHUNK (64 * FEDN__KIB) /* the front of the chunk; the rest takes skipped bytes */

void fedn__member_reader_init(fedn__member_reader *reader, const fedn__input *input)
{
    memset(reader, 0, sizeof *reader);
    reader->input = input;
}

void fedn__member_reader_done(fedn__member_reader *reader)
{
    if (reader->stream_ready)
        inflateEnd(&reader->stream);
    fedn__free(reader->chunk);
    fedn__member_reader_init(reader, NULL);
}

static fedn_status need_chunk(fedn__member_reader *reader, fedn_error *err)
{
    if (!reader->chunk)
        reader->chunk = fedn__alloc(CHUNK);
    return reader->chunk ? FEDN_OK : fedn__error_nomem(err);
}

/* Bytes of the member that were just read: into the checksum as far as they are new to it. */
static fedn_status follow(fedn__member *member, const char *name, uint64_t position,
                          const uint8_t *data, uint64_t bytes, fedn_error *err)
{
    if (member->checked || position > member->crc_at || position + bytes < member->crc_at)
        return FEDN_OK;
    uint64_t known = member->crc_at - position;
    if (bytes > known)
        member->crc_now = libdeflate_crc32(member->crc_now, data + known, (size_t)(bytes - known));
    member->crc_at = position + bytes;
    if (member->crc_at < member->bytes)
        return FEDN_OK;
    uint32_t got = member->crc_now;
    if (got != member->crc) {
        member->crc_at = 0;
        member->crc_now = 0;
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "tensor \"%s\": the file is damaged: CRC-32 is %08x, not %08x", name,
                           got, member->crc);
    }
    member->checked = 1;
    return FEDN_OK;
}

static fedn_status read_stored(fedn__member_reader *reader, fedn__member *member, const char *name,
                               uint64_t position, uint8_t *to, uint64_t bytes, fedn_error *err)
{
    while (bytes) {
        uint64_t piece = bytes < CHUNK ? bytes : CHUNK;
        fedn_status rc = fedn__input_read(reader->input, member->offset + position, to, piece,
                                          "tensor elements", err);
        if (rc == FEDN_OK)
            rc = follow(member, name, position, to, piece, err);
        if (rc != FEDN_OK)
            return rc;
        position += piece;
        to += piece;
        bytes -= piece;
    }
    return FEDN_OK;
}

static fedn_status start_stream(fedn__member_reader *reader, const fedn__member *member,
                                fedn_error *err)
{
    reader->streaming = 0;
    fedn_status rc = need_chunk(reader, err);
    if (rc != FEDN_OK)
        return rc;
    if (!reader->stream_ready) {
        fedn__zlib_memory(&reader->stream);
        if (inflateInit2(&reader->stream, -MAX_WBITS) != Z_OK)
            return fedn__error_nomem(err);
        reader->stream_ready = 1;
    } else {
        inflateReset(&reader->stream);
    }
    reader->stream.avail_in = 0;
    reader->streaming = 1;
    reader->stream_offset = member->offset;
    reader->position = 0;
    reader->fetched = 0;
    return FEDN_OK;
}

/* Calls inflate() once; the stream's output is set. */
static fedn_status inflate_step(fedn__member_reader *reader, const fedn__member *member,
                                const char *name, int *ret_result, fedn_error *err)
{
    if (reader->stream.avail_in == 0 && reader->fetched < member->packed) {
        uint64_t left = member->packed - reader->fetched;
        uint64_t piece = left < PACKED_CHUNK ? left : PACKED_CHUNK;
        fedn_status rc = fedn__input_read(reader->input, member->offset + reader->fetched,
                                          reader->chunk, piece, "tensor elements", err);
        if (rc != FEDN_OK)
            return rc;
        reader->fetched += piece;
        reader->stream.next_in = reader->chunk;
        reader->stream.avail_in = (uInt)piece;
    }
    *ret_result = inflate(&reader->stream, Z_NO_FLUSH);
    if (*ret_result == Z_MEM_ERROR)
        return fedn__error_nomem(err);
    if (*ret_result != Z_OK && *ret_result != Z_STREAM_END && *ret_result != Z_BUF_ERROR)
        return fedn__error(err, FEDN_ERR_FORMAT, "tensor \"%s\": its deflated bytes are damaged",
                           name);
    return FEDN_OK;
}

/* The declared size was reached: the deflated data must end there and use all its bytes. */
static fedn_status check_end(fedn__member_reader *reader, const fedn__member *member,
                             const char *name, fedn_error *err)
{
    uint8_t more = 0;
    int result = Z_OK;

    do {
        reader->stream.next_out = &more;
        reader->stream.avail_out = 1;
        fedn_status rc = inflate_step(reader, member, name, &result, err);
        if (rc != FEDN_OK)
            return rc;
        if (reader->stream.avail_out == 0)
            return fedn__error(err, FEDN_ERR_FORMAT,
                               "tensor \"%s\": inflates to more than the %llu bytes declared", name,
                               (unsigned long long)member->bytes);
    } while (result == Z_OK);
    if (result != Z_STREAM_END || reader->stream.avail_in || reader->fetched != member->packed)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "tensor \"%s\": its deflated bytes do not end where declared", name);
    return FEDN_OK;
}

/* The next `bytes` of the stream. */
static fedn_status pull(fedn__member_reader *reader, fedn__member *member, const char *name,
                        uint8_t *to, uint64_t bytes, fedn_error *err)
{
    while (bytes) {
        uint64_t piece = bytes < CHUNK ? bytes : CHUNK;
        int result = Z_OK;
        reader->stream.next_out = to;
        reader->stream.avail_out = (uInt)piece;
        while (reader->stream.avail_out) {
            fedn_status rc = inflate_step(reader, member, name, &result, err);
            if (rc != FEDN_OK)
                return rc;
            if (result != Z_OK && reader->stream.avail_out)
                return fedn__error(
                    err, FEDN_ERR_FORMAT,
                    "tensor \"%s\": inflates to %llu bytes, not to the %llu declared", name,
                    (unsigned long long)(reader->position + piece - reader->stream.avail_out),
                    (unsigned long long)member->bytes);
        }
        uint64_t position = reader->position;
        reader->position += piece;
        fedn_status rc = FEDN_OK;
        if (reader->position == member->bytes && !member->checked)
            rc = check_end(reader, member, name, err);
        if (rc == FEDN_OK)
            rc = follow(member, name, position, to, piece, err);
        if (rc != FEDN_OK)
            return rc;
        to += piece;
        bytes -= piece;
    }
    return FEDN_OK;
}

static fedn_status read_deflated(fedn__member_reader *reader, fedn__member *member,
                                 const char *name, uint64_t position, uint8_t *to, uint64_t bytes,
                                 fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    if (!reader->streaming || reader->stream_offset != member->offset ||
        reader->position > position)
        rc = start_stream(reader, member, err);
    while (rc == FEDN_OK && reader->position < position) {
        uint64_t skip = position - reader->position;
        uint64_t room = CHUNK - PACKED_CHUNK;
        rc = pull(reader, member, name, reader->chunk + PACKED_CHUNK, skip < room ? skip : room,
                  err);
    }
    if (rc == FEDN_OK)
        rc = pull(reader, member, name, to, bytes, err);
    if (rc != FEDN_OK)
        reader->streaming = 0; /* what the stream is in after a failure is unknown */
    return rc;
}

/* Reads a stored member up to `position` for its checksum alone. */
static fedn_status catch_up(fedn__member_reader *reader, fedn__member *member, const char *name,
                            uint64_t position, fedn_error *err)
{
    fedn_status rc = need_chunk(reader, err);

    while (rc == FEDN_OK && !member->checked && member->crc_at < position) {
        uint64_t left = position - member->crc_at;
        rc = read_stored(reader, member, name, member->crc_at, reader->chunk,
                         left < CHUNK ? left : CHUNK, err);
    }
    return rc;
}

fedn_status fedn__member_read(fedn__member_reader *reader, fedn__member *member, const char *name,
                              uint64_t position, void *to, uint64_t bytes, fedn_error *err)
{
    if (member->deflated)
        return read_deflated(reader, member, name, position, to, bytes, err);
    if (!member->checked && position > member->crc_at) {
        fedn_status rc = catch_up(reader, member, name, position, err);
        if (rc != FEDN_OK)
            return rc;
    }
    return read_stored(reader, member, name, position, to, bytes, err);
}

int32_t fedn__member_inflate(const fedn__member_reader *reader, fedn__member *member, uint8_t *to)
{
    struct libdeflate_decompressor *inflater = libdeflate_alloc_decompressor();
    uint8_t *packed = fedn__alloc(member->packed);
    size_t used = 0;
    int32_t sound =
        inflater && packed &&
        fedn__input_read(reader->input, member->offset, packed, member->packed, "tensor elements",
                         NULL) == FEDN_OK &&
        libdeflate_deflate_decompress_ex(inflater, packed, member->packed, to, member->bytes, &used,
                                         NULL) == LIBDEFLATE_SUCCESS &&
        used == member->packed && libdeflate_crc32(0, to, member->bytes) == member->crc;

    fedn__free(packed);
    libdeflate_free_decompressor(inflater);
    member->checked |= sound;
    return sound;
}

fedn_status fedn__member_check(fedn__member_reader *reader, fedn__member *member, const char *name,
                               fedn_error *err)
{
    if (member->checked)
        return FEDN_OK;
    if (!member->deflated)
        return catch_up(reader, member, name, member->bytes, err);
    return read_deflated(reader, member, name, member->bytes, NULL, 0, err);
}
