/* SPDX-License-Identifier: Apache-2.0
 * Encoded bytes to read from. */
#include "model/input.h"

#include "core/error.h"
#include <string.h>

void fedn__input_done(fedn__input *input)
{
    fedn__blob_unref(input->blob);
    memset(input, 0, sizeof *input);
}

fedn_status fedn__input_read(const fedn__input *input, uint64_t offset, void *to, uint64_t bytes,
                             const char *what, fedn_error *err)
{
    if (bytes > input->bytes || offset > input->bytes - bytes)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "%s: %llu bytes at offset %llu are beyond the end of %llu bytes", what,
                           (unsigned long long)bytes, (unsigned long long)offset,
                           (unsigned long long)input->bytes);
    if (input->blob)
        return fedn__blob_read(input->blob, offset, to, bytes, err);
    if (bytes)
        memcpy(to, input->memory + offset, (size_t)bytes);
    return FEDN_OK;
}

fedn_status fedn__input_map(const fedn__input *input, const uint8_t **ret, fedn_error *err)
{
    if (input->blob)
        return fedn__blob_map(input->blob, ret, err);
    *ret = input->memory;
    return FEDN_OK;
}

uint16_t fedn__input_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t fedn__input_u32(const uint8_t *p)
{
    return fedn__input_u16(p) | (uint32_t)fedn__input_u16(p + 2) << 16;
}

uint64_t fedn__input_u64(const uint8_t *p)
{
    return fedn__input_u32(p) | (uint64_t)fedn__input_u32(p + 4) << 32;
}
