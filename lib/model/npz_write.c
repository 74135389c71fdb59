/* SPDX-License-Identifier: Apache-2.0
 * Writing .npz: members stored so that their elements can be mapped, or deflated. Sizes and CRC-32
 * are patched into a member's header when it is complete. */
#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "model/npy.h"
#include "model/writer_impl.h"
#include "model/zip.h"
#include "model/zlib_memory.h"
#include <libdeflate.h>
#include <stdio.h>
#include <string.h>

#define ALIGN 64
#define PIECE (256 * FEDN__KIB) /* summed and written while it is in the cache */
#define LEVEL 1 /* higher ones win a few per cent on weights, at a third the speed */

typedef struct packer {
    z_stream stream;
    uint8_t out[64 * 1024];
} packer;

static void describe(const fedn__entry *entry, fedn__zip_item *item)
{
    memset(item, 0, sizeof *item);
    snprintf(item->name, sizeof item->name, "%s.npy", entry->info.name);
    item->header_offset = entry->header_offset;
    item->packed = entry->member.packed;
    item->bytes = entry->member.bytes;
    item->crc = entry->member.crc;
    item->method = entry->member.deflated ? FEDN__ZIP_DEFLATED : FEDN__ZIP_STORED;
}

/* Deflates and adds what comes out; ends the stream if `last`. */
static fedn_status pack(fedn__writer *writer, fedn__entry *entry, const void *data, uint64_t bytes,
                        int32_t last, fedn_error *err)
{
    packer *state = writer->state;
    int result = Z_OK;

    state->stream.next_in = (z_const Bytef *)(uintptr_t)data;
    state->stream.avail_in = (uInt)bytes;
    do {
        state->stream.next_out = state->out;
        state->stream.avail_out = sizeof state->out;
        result = deflate(&state->stream, last ? Z_FINISH : Z_NO_FLUSH);
        uint64_t made = sizeof state->out - state->stream.avail_out;
        fedn_status rc = fedn__out_add(&writer->out, state->out, made, err);
        if (rc != FEDN_OK)
            return rc;
        entry->member.packed += made;
    } while (state->stream.avail_out == 0 || (last && result != Z_STREAM_END));
    return FEDN_OK;
}

/* Bytes of the member, header or elements. */
static fedn_status add(fedn__writer *writer, fedn__entry *entry, const void *data, uint64_t bytes,
                       fedn_error *err)
{
    const uint8_t *from = data;

    while (bytes) {
        uint64_t piece = bytes < PIECE ? bytes : PIECE;
        entry->member.crc = libdeflate_crc32(entry->member.crc, from, piece);
        fedn_status rc = entry->member.deflated ? pack(writer, entry, from, piece, 0, err)
                                                : fedn__out_add(&writer->out, from, piece, err);
        if (rc != FEDN_OK)
            return rc;
        from += piece;
        bytes -= piece;
    }
    return FEDN_OK;
}

static fedn_status open_member(fedn__writer *writer, fedn__entry *entry, fedn_error *err)
{
    uint8_t record[FEDN__ZIP_RECORD_BYTES];
    uint8_t header[FEDN__NPY_WRITTEN];
    fedn__zip_item item;
    uint64_t header_bytes =
        fedn__npy_write(header, entry->info.dtype, entry->info.rank, entry->info.shape);

    entry->member = (fedn__member){.deflated = writer->state != NULL,
                                   .bytes = header_bytes + entry->info.bytes};
    if (entry->member.deflated)
        deflateReset(&((packer *)writer->state)->stream);
    else
        entry->member.packed = entry->member.bytes;
    entry->header_offset = fedn__out_offset(&writer->out);
    describe(entry, &item);
    uint64_t length = fedn__zip_write_local(record, &item, entry->member.deflated ? 1 : ALIGN);
    fedn_status rc = fedn__out_add(&writer->out, record, length, err);
    if (rc == FEDN_OK)
        rc = add(writer, entry, header, header_bytes, err);
    return rc;
}

static fedn_status close_member(fedn__writer *writer, fedn__entry *entry, fedn_error *err)
{
    uint8_t record[FEDN__ZIP_RECORD_BYTES];
    fedn__zip_item item;
    fedn_status rc = FEDN_OK;

    if (entry->member.deflated)
        rc = pack(writer, entry, NULL, 0, 1, err);
    if (rc != FEDN_OK)
        return rc;
    describe(entry, &item);
    uint64_t length = fedn__zip_write_local(record, &item, entry->member.deflated ? 1 : ALIGN);
    return fedn__out_patch(&writer->out, entry->header_offset, record, length, err);
}

static fedn_status write_directory(fedn__writer *writer, fedn_error *err)
{
    uint8_t record[FEDN__ZIP_RECORD_BYTES];
    fedn__zip_item item;
    uint64_t start = fedn__out_offset(&writer->out);
    fedn_status rc = FEDN_OK;

    for (uint32_t i = 0; i < writer->index.count && rc == FEDN_OK; i++) {
        describe(&writer->index.entries[i], &item);
        rc = fedn__out_add(&writer->out, record, fedn__zip_write_central(record, &item), err);
    }
    if (rc != FEDN_OK)
        return rc;
    uint64_t length = fedn__zip_write_end(record, writer->index.count, start,
                                          fedn__out_offset(&writer->out) - start);
    return fedn__out_add(&writer->out, record, length, err);
}

static fedn_status begin_deflate(fedn__writer *writer, fedn_error *err)
{
    packer *state = fedn__alloc(sizeof *state);

    if (!state)
        return fedn__error_nomem(err);
    fedn__zlib_memory(&state->stream);
    if (deflateInit2(&state->stream, LEVEL, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        fedn__free(state);
        return fedn__error_nomem(err);
    }
    writer->state = state;
    return FEDN_OK;
}

static void done_deflate(fedn__writer *writer)
{
    packer *state = writer->state;

    if (state)
        deflateEnd(&state->stream);
    fedn__free(state);
    writer->state = NULL;
}

const fedn__writer_ops fedn__npz_writer = {
    .open = open_member, .data = add, .close = close_member, .finish = write_directory};

const fedn__writer_ops fedn__npz_deflate_writer = {.begin = begin_deflate,
                                                   .open = open_member,
                                                   .data = add,
                                                   .close = close_member,
                                                   .finish = write_directory,
                                                   .done = done_deflate};
