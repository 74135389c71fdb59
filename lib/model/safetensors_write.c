/* SPDX-License-Identifier: Apache-2.0
 * Writing .safetensors: the whole header first, then elements in the order they come. */
#include "core/error.h"
#include "core/limits.h"
#include "model/dtype.h"
#include "model/writer_impl.h"
#include <string.h>

#define ALIGN 64

/* A name in quotes; names hold no control characters. */
static fedn_status add_name(fedn__buffer *header, const char *name)
{
    fedn_status rc = fedn__buffer_add(header, "\"", 1);

    for (; *name && rc == FEDN_OK; name++) {
        if (*name == '"' || *name == '\\')
            rc = fedn__buffer_add(header, "\\", 1);
        if (rc == FEDN_OK)
            rc = fedn__buffer_add(header, name, 1);
    }
    return rc == FEDN_OK ? fedn__buffer_add(header, "\"", 1) : rc;
}

static fedn_status add_tensor(fedn__buffer *header, const fedn__tensor_info *info, uint64_t start)
{
    uint64_t end = start + info->bytes;
    fedn_status rc = add_name(header, info->name);

    if (rc == FEDN_OK)
        rc = fedn__buffer_add_format(header, ":{\"dtype\":\"%s\",\"shape\":[",
                                     fedn__dtype_row_of(info->dtype)->safetensors);
    for (uint32_t i = 0; i < info->rank && rc == FEDN_OK; i++)
        rc = fedn__buffer_add_format(header, i ? ",%llu" : "%llu",
                                     (unsigned long long)info->shape[i]);
    if (rc == FEDN_OK)
        rc = fedn__buffer_add_format(header, "],\"data_offsets\":[%llu,%llu]}",
                                     (unsigned long long)start, (unsigned long long)end);
    return rc;
}

static fedn_status make_header(const fedn__index *index, fedn__buffer *header)
{
    uint64_t start = 0;
    fedn_status rc = fedn__buffer_add(header, "\0\0\0\0\0\0\0\0{", 9);

    for (uint32_t i = 0; i < index->count && rc == FEDN_OK; i++) {
        if (i)
            rc = fedn__buffer_add(header, ",", 1);
        if (rc == FEDN_OK)
            rc = add_tensor(header, &index->entries[i].info, start);
        start += index->entries[i].info.bytes;
    }
    if (rc == FEDN_OK)
        rc = fedn__buffer_add(header, "}", 1);
    while (rc == FEDN_OK && header->len % ALIGN)
        rc = fedn__buffer_add(header, " ", 1);
    return rc;
}

static fedn_status begin(fedn__writer *writer, fedn_error *err)
{
    fedn__buffer header;

    for (uint32_t i = 0; i < writer->index.count; i++)
        if (strcmp(writer->index.entries[i].info.name, "__metadata__") == 0)
            return fedn__error(err, FEDN_ERR_UNSUPPORTED,
                               "safetensors: no tensor can be named \"__metadata__\"");
    fedn__buffer_init(&header, FEDN__LIMIT_SAFETENSORS_HEADER);
    fedn_status rc = make_header(&writer->index, &header);
    if (rc == FEDN_ERR_LIMIT)
        rc = fedn__error(err, rc, "safetensors: the header is over %llu bytes",
                         (unsigned long long)FEDN__LIMIT_SAFETENSORS_HEADER);
    else if (rc != FEDN_OK)
        rc = fedn__error_nomem(err);
    for (uint32_t i = 0; i < 8 && rc == FEDN_OK; i++)
        header.data[i] = (uint8_t)((header.len - 8) >> 8 * i);
    if (rc == FEDN_OK)
        rc = fedn__out_add(&writer->out, header.data, header.len, err);
    fedn__buffer_done(&header);
    return rc;
}

static fedn_status add(fedn__writer *writer, fedn__entry *entry, const void *data, uint64_t bytes,
                       fedn_error *err)
{
    (void)entry;
    return fedn__out_add(&writer->out, data, bytes, err);
}

const fedn__writer_ops fedn__safetensors_writer = {.begin = begin, .data = add};
