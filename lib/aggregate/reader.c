/* SPDX-License-Identifier: Apache-2.0
 * A model that was handed in, read in blocks. */
#include "aggregate/reader.h"

#include "core/error.h"
#include "model/kernels.h"
#include <stddef.h>

fedn_status fedn__reader_each(const fedn__reader *reader, uint32_t index, fedn__block_fn fn,
                              void *arg, fedn_error *err)
{
    const fedn__tensor_info *info = fedn__source_info(reader->source, index);
    uint64_t element = fedn_dtype_bytes(info->dtype);
    const void *x = NULL;
    fedn_status rc = FEDN_OK;
    uint64_t done = 0;

    do { /* once even when there are no elements: the end is where the checksum is compared */
        uint64_t bytes = info->bytes - done;
        if (bytes > FEDN__BLOCK_BYTES)
            bytes = FEDN__BLOCK_BYTES;
        rc = fedn__source_view(reader->source, index, done, reader->block, bytes, &x, err);
        if (rc == FEDN_OK && bytes > 0)
            rc = fn(arg, done / element, x, bytes / element, err);
        done += bytes;
    } while (rc == FEDN_OK && done < info->bytes);
    return rc;
}

typedef struct check {
    const fedn__reader *reader;
    const fedn__tensor_info *info;
    uint32_t index;
} check;

static fedn_status check_block(void *arg, uint64_t first, const void *x, uint64_t n,
                               fedn_error *err)
{
    const check *c = arg;
    uint64_t bad = fedn__kernel_first_bad(c->info->dtype, x, n);
    uint64_t element = first + bad;

    if (bad == n)
        return FEDN_OK;
    return fedn__error(err, FEDN_ERR_FORMAT,
                       "tensor %u '%s' of the %s: element %llu is %g, the largest allowed is %g",
                       c->index, c->info->name, c->reader->what, (unsigned long long)element,
                       fedn__kernel_value(c->info->dtype, x, bad),
                       fedn__kernel_largest(c->info->dtype));
}

fedn_status fedn__reader_check(const fedn__reader *reader, fedn_error *err)
{
    uint32_t count = fedn__source_count(reader->source);
    fedn_status rc = FEDN_OK;

    if (count == 0)
        return fedn__error(err, FEDN_ERR_FORMAT, "the %s has no tensors", reader->what);
    for (uint32_t i = 0; rc == FEDN_OK && i < count; i++) {
        check c = {reader, fedn__source_info(reader->source, i), i};
        rc = fedn__reader_each(reader, i, check_block, &c, err);
    }
    return rc;
}
