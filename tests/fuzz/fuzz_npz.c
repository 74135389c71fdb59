/* SPDX-License-Identifier: Apache-2.0
 * .npz archives from anybody. */
#include "models.h"

#include "model/zip.h"
#include <libdeflate.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fuzz_model(data, bytes, "npz");
    return 0;
}

/* One stored member with this header and 24 bytes of elements: what we do not write ourselves. */
static size_t foreign(const char *header, uint8_t *to)
{
    fedn__zip_item item = {.name = "w/b.npy"};
    uint64_t header_bytes = strlen(header);

    item.packed = item.bytes = 10 + header_bytes + 24;
    uint64_t at = fedn__zip_write_local(to, &item, 64);
    uint8_t *member = to + at;
    memcpy(member, "\x93NUMPY\x01\x00", 8);
    member[8] = (uint8_t)header_bytes;
    member[9] = 0;
    memcpy(member + 10, header, header_bytes);
    memset(member + 10 + header_bytes, 'e', 24);
    item.crc = libdeflate_crc32(0, member, item.bytes);
    fedn__zip_write_local(to, &item, 64);
    uint64_t directory = at + item.bytes;
    at = directory + fedn__zip_write_central(to + directory, &item);
    return at + fedn__zip_write_end(to + at, 1, directory, at - directory);
}

size_t fuzz_seed(uint32_t nth, uint8_t to[FUZZ_SEED_BYTES])
{
    switch (nth) {
    case 0:
        return fuzz_model_seed("npz", to);
    case 1:
        return fuzz_model_seed("npz-deflate", to);
    case 2:
        return foreign("{'descr': '>f4', 'fortran_order': True, 'shape': (3, 2), }", to);
    case 3:
        return foreign("{'descr': '<i2', 'fortran_order': True, 'shape': (2L, 3L, 2L)}", to);
    case 4: /* an empty archive with zip64 records */
        return fedn__zip_write_end(to, 0, 0, 0);
    default:
        return 0;
    }
}
