/* SPDX-License-Identifier: Apache-2.0
 * Encoding a model piece by piece: counts what comes and tells the format where tensors begin. */
#include "model/writer.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "model/format.h"
#include <assert.h>

#define COPY_BYTES (256 * FEDN__KIB)

fedn_status fedn__writer_new(const char *format, const fedn__sink *sink,
                             const fedn__tensor_info *infos, uint32_t count, fedn__writer **ret,
                             fedn_error *err)
{
    fedn__writer *writer = NULL;
    fedn__entry *entry = NULL;
    const fedn__format *row = NULL;

    *ret = NULL;
    fedn_status rc = fedn__format_find(format ? format : "npz", &row, err);
    if (rc != FEDN_OK)
        return rc;
    writer = fedn__alloc_zero(sizeof *writer);
    if (!writer)
        return fedn__error_nomem(err);
    writer->format = row;
    fedn__index_init(&writer->index, 0);
    fedn__out_init(&writer->out, sink);
    for (uint32_t i = 0; i < count && rc == FEDN_OK; i++)
        rc = fedn__index_add(&writer->index, infos[i].name, infos[i].dtype, infos[i].rank,
                             infos[i].shape, &entry, err);
    if (rc == FEDN_OK && row->writer->begin)
        rc = row->writer->begin(writer, err);
    if (rc == FEDN_OK) {
        *ret = writer;
        writer = NULL;
    }
    fedn__writer_free(writer);
    return rc;
}

void fedn__writer_free(fedn__writer *writer)
{
    if (!writer)
        return;
    if (writer->format->writer->done)
        writer->format->writer->done(writer);
    fedn__out_done(&writer->out);
    fedn__index_done(&writer->index);
    fedn__free(writer);
}

/* Opens the present tensor, and closes it and those after it as far as they are complete. */
static fedn_status advance(fedn__writer *writer, fedn_error *err)
{
    const fedn__writer_ops *ops = writer->format->writer;
    fedn_status rc = FEDN_OK;

    while (rc == FEDN_OK && writer->at < writer->index.count) {
        fedn__entry *entry = &writer->index.entries[writer->at];
        if (!writer->opened && ops->open)
            rc = ops->open(writer, entry, err);
        writer->opened = 1;
        if (rc != FEDN_OK || writer->offset < entry->info.bytes)
            break;
        if (ops->close)
            rc = ops->close(writer, entry, err);
        writer->at++;
        writer->offset = 0;
        writer->opened = 0;
    }
    return rc;
}

fedn_status fedn__writer_write(fedn__writer *writer, const void *data, uint64_t bytes,
                               fedn_error *err)
{
    const uint8_t *from = data;
    fedn_status rc = advance(writer, err);

    while (rc == FEDN_OK && bytes) {
        if (writer->at == writer->index.count)
            return fedn__error(err, FEDN_ERR_STATE, "%llu bytes are left over after all %u tensors",
                               (unsigned long long)bytes, writer->index.count);
        fedn__entry *entry = &writer->index.entries[writer->at];
        uint64_t piece = entry->info.bytes - writer->offset;
        if (piece > bytes)
            piece = bytes;
        rc = writer->format->writer->data(writer, entry, from, piece, err);
        if (rc != FEDN_OK)
            break;
        writer->offset += piece;
        from += piece;
        bytes -= piece;
        rc = advance(writer, err);
    }
    return rc;
}

fedn_status fedn__writer_finish(fedn__writer *writer, fedn_error *err)
{
    const fedn__writer_ops *ops = writer->format->writer;

    if (writer->finished)
        return fedn__error(err, FEDN_ERR_STATE, "the model was written already");
    fedn_status rc = advance(writer, err);
    if (rc != FEDN_OK)
        return rc;
    if (writer->at < writer->index.count) {
        const fedn__tensor_info *info = &writer->index.entries[writer->at].info;
        return fedn__error(err, FEDN_ERR_STATE, "tensor \"%s\": %llu bytes of %llu are missing",
                           info->name, (unsigned long long)(info->bytes - writer->offset),
                           (unsigned long long)info->bytes);
    }
    if (ops->finish)
        rc = ops->finish(writer, err);
    if (rc == FEDN_OK)
        rc = fedn__out_flush(&writer->out, err);
    writer->finished = rc == FEDN_OK;
    return rc;
}

/* One tensor: straight from a model's memory, else in pieces. */
static fedn_status copy_tensor(fedn__source *source, uint32_t index, fedn__writer *writer,
                               uint8_t *piece, fedn_error *err)
{
    uint64_t bytes = fedn__source_info(source, index)->bytes;
    fedn_status rc = FEDN_OK;

    if (source->model)
        return fedn__writer_write(writer, fedn_model_data(source->model, index), bytes, err);
    for (uint64_t offset = 0; offset < bytes && rc == FEDN_OK; offset += COPY_BYTES) {
        uint64_t n = bytes - offset < COPY_BYTES ? bytes - offset : COPY_BYTES;
        rc = fedn__source_read(source, index, offset, piece, n, err);
        if (rc == FEDN_OK)
            rc = fedn__writer_write(writer, piece, n, err);
    }
    return rc;
}

fedn_status fedn__writer_copy(fedn__source *source, const char *format, const fedn__sink *sink,
                              fedn_error *err)
{
    uint32_t count = fedn__source_count(source);
    fedn__writer *writer = NULL;
    fedn__tensor_info *infos = fedn__alloc_array(count, sizeof *infos);
    uint8_t *piece = fedn__alloc(COPY_BYTES);
    fedn_status rc = FEDN_OK;

    if (!infos || !piece) {
        rc = fedn__error_nomem(err);
        goto out;
    }
    for (uint32_t i = 0; i < count; i++)
        infos[i] = *fedn__source_info(source, i);
    rc = fedn__writer_new(format, sink, infos, count, &writer, err);
    assert(writer || rc != FEDN_OK);
    for (uint32_t i = 0; i < count && rc == FEDN_OK; i++)
        rc = copy_tensor(source, i, writer, piece, err);
    if (rc == FEDN_OK)
        rc = fedn__writer_finish(writer, err);
out:
    fedn__writer_free(writer);
    fedn__free(piece);
    fedn__free(infos);
    return rc;
}
