/* SPDX-License-Identifier: Apache-2.0
 * Where a result goes: into a model in memory or into an encoded file. */
#include "aggregate/output.h"

#include "aggregate/partial.h"
#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include <string.h>

void fedn__output_init(fedn__output *output, const char *path, const char *format, const char *head)
{
    memset(output, 0, sizeof *output);
    output->path = path;
    output->format = format;
    output->head = head;
    output->fd = -1;
}

static fedn_status begin_model(fedn__output *output, const fedn__tensor_info *infos, uint32_t count,
                               fedn_error *err)
{
    output->places = fedn__alloc_array(count, sizeof *output->places);
    if (!output->places)
        return fedn__error_nomem(err);
    fedn_status rc = fedn_model_new(&output->model, err);
    for (uint32_t i = 0; rc == FEDN_OK && i < count; i++)
        rc = fedn_model_add(output->model, infos[i].name, infos[i].dtype, infos[i].rank,
                            infos[i].shape, NULL, &output->places[i], err);
    return rc;
}

static fedn_status begin_file(fedn__output *output, const fedn__tensor_info *infos, uint32_t count,
                              fedn_error *err)
{
    fedn_status rc = fedn__fs_create(output->path, &output->fd, err);
    if (rc != FEDN_OK) {
        output->fd = -1;
        return rc;
    }
    const fedn__sink sink = {output->fd, NULL};
    return fedn__writer_new(output->format, &sink, infos, count, &output->writer, err);
}

fedn_status fedn__output_begin(fedn__output *output, const fedn__index *layout, fedn_error *err)
{
    uint64_t head_bytes = output->head ? strlen(output->head) : 0;
    uint32_t skip = output->head ? 1 : 0;
    uint32_t count = layout->count + skip;
    fedn__tensor_info *infos = fedn__alloc_array(count, sizeof *infos);

    if (!infos)
        return fedn__error_nomem(err);
    if (output->head)
        infos[0] = (fedn__tensor_info){.name = FEDN__PARTIAL_TENSOR,
                                       .shape = &head_bytes,
                                       .elements = head_bytes,
                                       .bytes = head_bytes,
                                       .dtype = FEDN_DTYPE_U8,
                                       .rank = 1};
    for (uint32_t i = 0; i < layout->count; i++)
        infos[skip + i] = layout->entries[i].info;
    fedn_status rc = output->path ? begin_file(output, infos, count, err)
                                  : begin_model(output, infos, count, err);
    if (rc == FEDN_OK && output->head)
        rc = fedn__output_write(output, output->head, head_bytes, err);
    fedn__free(infos);
    return rc;
}

fedn_status fedn__output_write(fedn__output *output, const void *data, uint64_t bytes,
                               fedn_error *err)
{
    const uint8_t *from = data;

    if (output->writer)
        return fedn__writer_write(output->writer, data, bytes, err);
    while (bytes > 0) {
        uint64_t room = fedn_model_bytes(output->model, output->place) - output->offset;
        uint64_t n = bytes < room ? bytes : room;
        if (n > 0)
            memcpy((uint8_t *)output->places[output->place] + output->offset, from, (size_t)n);
        from += n;
        bytes -= n;
        output->offset += n;
        if (n == room) {
            output->place++;
            output->offset = 0;
        }
    }
    return FEDN_OK;
}

fedn_status fedn__output_commit(fedn__output *output, fedn_model **ret, fedn_error *err)
{
    if (!output->path) {
        *ret = output->model;
        output->model = NULL;
        return FEDN_OK;
    }
    fedn_status rc = fedn__writer_finish(output->writer, err);
    if (rc != FEDN_OK)
        return rc;
    int fd = output->fd;
    output->fd = -1;
    return fedn__fs_commit(fd, output->path, 0, err);
}

void fedn__output_done(fedn__output *output)
{
    fedn__writer_free(output->writer);
    if (output->fd >= 0)
        fedn__fs_abandon(output->fd, output->path);
    fedn_model_unref(output->model);
    fedn__free(output->places);
    fedn__output_init(output, NULL, NULL, NULL);
}
