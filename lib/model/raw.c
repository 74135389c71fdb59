/* SPDX-License-Identifier: Apache-2.0
 * Raw elements without a header: one flat tensor named "0". */
#include "core/error.h"
#include "model/format.h"

fedn_status fedn__raw_open(fedn__source *source, const fedn__format *format, fedn_error *err)
{
    uint64_t element = fedn_dtype_bytes(format->dtype);
    uint64_t elements = source->input.bytes / element;
    fedn__entry *entry = NULL;

    if (source->input.bytes % element)
        return fedn__error(err, FEDN_ERR_FORMAT, "%s: %llu bytes are no multiple of %llu",
                           format->name, (unsigned long long)source->input.bytes,
                           (unsigned long long)element);
    fedn_status rc = fedn__index_add(&source->index, "0", format->dtype, 1, &elements, &entry, err);
    if (rc == FEDN_OK)
        entry->member =
            (fedn__member){.packed = entry->info.bytes, .bytes = entry->info.bytes, .checked = 1};
    return rc;
}

/* Several tensors go one behind the other, as FEDn's helper does it. */
static fedn_status begin(fedn__writer *writer, fedn_error *err)
{
    for (uint32_t i = 0; i < writer->index.count; i++) {
        const fedn__tensor_info *info = &writer->index.entries[i].info;
        if (info->dtype != writer->format->dtype)
            return fedn__error(err, FEDN_ERR_UNSUPPORTED, "%s cannot hold tensor \"%s\" of %s",
                               writer->format->name, info->name, fedn_dtype_name(info->dtype));
    }
    return FEDN_OK;
}

static fedn_status add(fedn__writer *writer, fedn__entry *entry, const void *data, uint64_t bytes,
                       fedn_error *err)
{
    (void)entry;
    return fedn__out_add(&writer->out, data, bytes, err);
}

const fedn__writer_ops fedn__raw_writer = {.begin = begin, .data = add};
