/* SPDX-License-Identifier: Apache-2.0
 * The records of a ZIP archive that we write. */
#include "model/zip.h"

#include <string.h>

#define VERSION         20
#define VERSION_64      45
#define MADE_BY_UNIX    (3u << 8)
#define DATE_1980       0x21u /* 1 January: the same model gives the same bytes at any time */
#define FLAG_UTF8       (1u << 11)
#define EXTRA_ZIP64     1
#define EXTRA_ALIGNMENT 0xd935u /* as zipalign writes it: two bytes of alignment, then padding */

typedef struct out {
    uint8_t *start;
    uint64_t length;
} out;

static void put(out *to, uint64_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        to->start[to->length++] = (uint8_t)(value >> 8 * i);
}

static uint32_t small(uint64_t value)
{
    return value >= FEDN__ZIP_BIG ? UINT32_MAX : (uint32_t)value;
}

static uint32_t flags_of(const char *name)
{
    for (; *name; name++)
        if ((unsigned char)*name >= 0x80)
            return FLAG_UTF8;
    return 0;
}

/* What both kinds of header have: version to method, time, CRC-32, sizes, length of the name. */
static void put_common(out *to, const fedn__zip_item *item, int32_t big)
{
    put(to, big ? VERSION_64 : VERSION, 2);
    put(to, flags_of(item->name), 2);
    put(to, item->method, 2);
    put(to, 0, 2);
    put(to, DATE_1980, 2);
    put(to, item->crc, 4);
    put(to, big ? UINT32_MAX : item->packed, 4);
    put(to, big ? UINT32_MAX : item->bytes, 4);
    put(to, strlen(item->name), 2);
}

static void put_name(out *to, const char *name)
{
    uint64_t bytes = strlen(name);
    memcpy(to->start + to->length, name, bytes);
    to->length += bytes;
}

uint64_t fedn__zip_write_local(uint8_t record[FEDN__ZIP_RECORD_BYTES], const fedn__zip_item *item,
                               uint32_t align)
{
    out to = {record, 0};
    int32_t big = item->bytes >= FEDN__ZIP_BIG;
    uint64_t extra = big ? 20 : 0;
    uint64_t pad = 0;

    if (align > 1) {
        uint64_t end = item->header_offset + 30 + strlen(item->name) + extra + 6;
        pad = 6 + (align - end % align) % align;
    }
    put(&to, 0x04034b50u, 4);
    put_common(&to, item, big);
    put(&to, extra + pad, 2);
    put_name(&to, item->name);
    if (big) {
        put(&to, EXTRA_ZIP64, 2);
        put(&to, 16, 2);
        put(&to, item->bytes, 8);
        put(&to, item->packed, 8);
    }
    if (pad) {
        put(&to, EXTRA_ALIGNMENT, 2);
        put(&to, pad - 4, 2);
        put(&to, align, 2);
        memset(record + to.length, 0, pad - 6);
        to.length += pad - 6;
    }
    return to.length;
}

uint64_t fedn__zip_write_central(uint8_t record[FEDN__ZIP_RECORD_BYTES], const fedn__zip_item *item)
{
    out to = {record, 0};
    int32_t big = item->bytes >= FEDN__ZIP_BIG;
    int32_t far = item->header_offset >= FEDN__ZIP_BIG;

    put(&to, 0x02014b50u, 4);
    put(&to, MADE_BY_UNIX | (big || far ? VERSION_64 : VERSION), 2);
    put_common(&to, item, big);
    put(&to, big || far ? 4u + (big ? 16u : 0u) + (far ? 8u : 0u) : 0, 2);
    put(&to, 0, 2 + 2 + 2);        /* no comment, first disk, no internal attributes */
    put(&to, 0100600ull << 16, 4); /* a plain file of mode 0600 */
    put(&to, small(item->header_offset), 4);
    put_name(&to, item->name);
    if (big || far) {
        put(&to, EXTRA_ZIP64, 2);
        put(&to, (big ? 16u : 0u) + (far ? 8u : 0u), 2);
    }
    if (big) {
        put(&to, item->bytes, 8);
        put(&to, item->packed, 8);
    }
    if (far)
        put(&to, item->header_offset, 8);
    return to.length;
}

uint64_t fedn__zip_write_end(uint8_t record[FEDN__ZIP_RECORD_BYTES], uint64_t count,
                             uint64_t directory_offset, uint64_t directory_bytes)
{
    out to = {record, 0};

    if (count >= 0xffff || directory_offset >= FEDN__ZIP_BIG || directory_bytes >= FEDN__ZIP_BIG) {
        put(&to, 0x06064b50u, 4);
        put(&to, 44, 8); /* bytes that follow in this record */
        put(&to, MADE_BY_UNIX | VERSION_64, 2);
        put(&to, VERSION_64, 2);
        put(&to, 0, 4 + 4);
        put(&to, count, 8);
        put(&to, count, 8);
        put(&to, directory_bytes, 8);
        put(&to, directory_offset, 8);
        put(&to, 0x07064b50u, 4);
        put(&to, 0, 4);
        put(&to, directory_offset + directory_bytes, 8);
        put(&to, 1, 4);
    }
    put(&to, 0x06054b50u, 4);
    put(&to, 0, 2 + 2);
    put(&to, count >= 0xffff ? 0xffff : count, 2);
    put(&to, count >= 0xffff ? 0xffff : count, 2);
    put(&to, small(directory_bytes), 4);
    put(&to, small(directory_offset), 4);
    put(&to, 0, 2);
    return to.length;
}
