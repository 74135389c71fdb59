/* SPDX-License-Identifier: Apache-2.0
 * Encoded bytes on their way to a sink. */
#include "model/out.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/limits.h"
#include <string.h>

#define PENDING (256 * FEDN__KIB)

void fedn__out_init(fedn__out *out, const fedn__sink *sink)
{
    memset(out, 0, sizeof *out);
    out->sink = *sink;
    out->start = sink->fd < 0 ? sink->buffer->len : 0;
}

void fedn__out_done(fedn__out *out)
{
    fedn__free(out->pending);
    out->pending = NULL;
    out->pending_bytes = 0;
}

uint64_t fedn__out_offset(const fedn__out *out)
{
    if (out->sink.fd < 0)
        return out->sink.buffer->len - out->start;
    return out->written + out->pending_bytes;
}

fedn_status fedn__out_flush(fedn__out *out, fedn_error *err)
{
    if (out->pending_bytes == 0)
        return FEDN_OK;
    fedn_status rc =
        fedn__fs_write_at(out->sink.fd, out->written, out->pending, out->pending_bytes, err);
    if (rc == FEDN_OK) {
        out->written += out->pending_bytes;
        out->pending_bytes = 0;
    }
    return rc;
}

static fedn_status add_to_buffer(fedn__out *out, const void *data, uint64_t bytes, fedn_error *err)
{
    fedn_status rc = fedn__buffer_add(out->sink.buffer, data, bytes);

    if (rc == FEDN_ERR_LIMIT)
        return fedn__error(err, rc, "the encoded model is over %llu bytes",
                           (unsigned long long)out->sink.buffer->limit);
    return rc == FEDN_OK ? rc : fedn__error_nomem(err);
}

/* A descriptor gets whole blocks at whole places: the system then caches the file in large pieces,
 * which are faster to read. */
fedn_status fedn__out_add(fedn__out *out, const void *data, uint64_t bytes, fedn_error *err)
{
    const uint8_t *from = data;
    fedn_status rc = FEDN_OK;

    if (out->sink.fd < 0)
        return add_to_buffer(out, data, bytes, err);
    if (!out->pending)
        out->pending = fedn__alloc(PENDING);
    if (!out->pending)
        return fedn__error_nomem(err);
    while (rc == FEDN_OK && bytes > 0) {
        uint64_t room = PENDING - out->pending_bytes;
        uint64_t piece = bytes < room ? bytes : room;
        memcpy(out->pending + out->pending_bytes, from, piece);
        out->pending_bytes += piece;
        from += piece;
        bytes -= piece;
        if (out->pending_bytes == PENDING)
            rc = fedn__out_flush(out, err);
    }
    return rc;
}

fedn_status fedn__out_patch(fedn__out *out, uint64_t offset, const void *data, uint64_t bytes,
                            fedn_error *err)
{
    if (out->sink.fd < 0) {
        memcpy(out->sink.buffer->data + out->start + offset, data, bytes);
        return FEDN_OK;
    }
    if (offset + bytes > out->written) { /* some of it at least is still here */
        uint64_t before = offset < out->written ? out->written - offset : 0;
        memcpy(out->pending + (offset + before - out->written), (const uint8_t *)data + before,
               bytes - before);
        bytes = before;
    }
    return bytes ? fedn__fs_write_at(out->sink.fd, offset, data, bytes, err) : FEDN_OK;
}
