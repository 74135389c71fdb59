/* SPDX-License-Identifier: Apache-2.0
 * The directory of a foreign ZIP archive: every number in it is checked before it is used. */
#include "model/zip.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/text.h"
#include <string.h>

#define END_BYTES     22
#define COMMENT_BYTES 65535
#define LOCATOR_BYTES 20
#define END64_BYTES   56
#define CENTRAL_BYTES 46
#define LOCAL_BYTES   30
#define EXTRA_BYTES   256 /* extra fields of a member's own header; numpy writes 20, we up to 89 */

#define SIG_LOCAL   0x04034b50u
#define SIG_CENTRAL 0x02014b50u
#define SIG_END     0x06054b50u
#define SIG_END64   0x06064b50u
#define SIG_LOCATOR 0x07064b50u

#define FLAGS_ENCRYPTED (1u << 0 | 1u << 6 | 1u << 13)
#define FLAG_PATCH      (1u << 5)
#define FLAG_DESCRIPTOR (1u << 3)

/* deflate cannot do better than 1032 to 1; a few bytes are its own */
#define RATIO 1032

/* What the records at the end say. */
typedef struct ending {
    uint64_t offset; /* of the first of them: the directory ends here */
    uint64_t disks;  /* 0 in an archive of one file */
    uint64_t count_here;
    uint64_t count;
    uint64_t directory_bytes;
    uint64_t directory_offset;
} ending;

static fedn_status malformed(fedn_error *err, const char *what)
{
    return fedn__error(err, FEDN_ERR_FORMAT, "npz: %s", what);
}

/* The end record is the last thing in the file, but for a comment of the length it tells. */
static fedn_status find_end(const fedn__input *input, ending *ret, fedn_error *err)
{
    uint64_t most = END_BYTES + COMMENT_BYTES;
    uint64_t bytes = input->bytes < most ? input->bytes : most;
    fedn_status rc = FEDN_OK;

    if (bytes < END_BYTES)
        return fedn__error(err, FEDN_ERR_FORMAT, "npz: %llu bytes are too few for an archive",
                           (unsigned long long)input->bytes);
    uint8_t *tail = fedn__alloc(bytes);
    if (!tail)
        return fedn__error_nomem(err);
    rc = fedn__input_read(input, input->bytes - bytes, tail, bytes, "npz", err);
    if (rc != FEDN_OK)
        goto out;
    for (uint64_t at = bytes - END_BYTES + 1; at-- > 0;) {
        const uint8_t *end = tail + at;
        if (fedn__input_u32(end) != SIG_END || fedn__input_u16(end + 20) != bytes - END_BYTES - at)
            continue;
        *ret = (ending){.offset = input->bytes - bytes + at,
                        .disks = fedn__input_u16(end + 4) | fedn__input_u16(end + 6),
                        .count_here = fedn__input_u16(end + 8),
                        .count = fedn__input_u16(end + 10),
                        .directory_bytes = fedn__input_u32(end + 12),
                        .directory_offset = fedn__input_u32(end + 16)};
        goto out;
    }
    rc = malformed(err, "no end of archive: not a .npz file, or cut short");
out:
    fedn__free(tail);
    return rc;
}

/* Archives over 4 GiB or 65535 members have a second end record before the first. */
static fedn_status find_end64(const fedn__input *input, ending *end, fedn_error *err)
{
    uint8_t data[END64_BYTES];

    if (end->offset < LOCATOR_BYTES)
        return FEDN_OK;
    fedn_status rc =
        fedn__input_read(input, end->offset - LOCATOR_BYTES, data, LOCATOR_BYTES, "npz", err);
    if (rc != FEDN_OK || fedn__input_u32(data) != SIG_LOCATOR)
        return rc;
    uint64_t at = fedn__input_u64(data + 8);
    uint64_t disks = fedn__input_u32(data + 4) | (fedn__input_u32(data + 16) > 1);
    rc = fedn__input_read(input, at, data, END64_BYTES, "npz: zip64 end record", err);
    if (rc != FEDN_OK)
        return rc;
    if (fedn__input_u32(data) != SIG_END64 || at + END64_BYTES > end->offset - LOCATOR_BYTES ||
        fedn__input_u64(data + 4) != end->offset - LOCATOR_BYTES - at - 12)
        return malformed(err, "the zip64 end record is not where its locator says");
    *end = (ending){.offset = at,
                    .disks = disks | fedn__input_u32(data + 16) | fedn__input_u32(data + 20),
                    .count_here = fedn__input_u64(data + 24),
                    .count = fedn__input_u64(data + 32),
                    .directory_bytes = fedn__input_u64(data + 40),
                    .directory_offset = fedn__input_u64(data + 48)};
    return FEDN_OK;
}

static fedn_status check_end(const ending *end, fedn_error *err)
{
    if (end->disks || end->count_here != end->count)
        return fedn__error(err, FEDN_ERR_UNSUPPORTED, "npz: an archive of several files");
    if (end->count > FEDN__LIMIT_TENSORS)
        return fedn__error(err, FEDN_ERR_LIMIT, "npz: %llu members are over %d",
                           (unsigned long long)end->count, FEDN__LIMIT_TENSORS);
    if (end->directory_offset > end->offset ||
        end->directory_bytes != end->offset - end->directory_offset)
        return malformed(err, "the directory is not where the end of the archive says");
    if (end->directory_bytes < end->count * CENTRAL_BYTES || (!end->count && end->directory_bytes))
        return fedn__error(err, FEDN_ERR_FORMAT, "npz: %llu members do not fit a directory of %llu",
                           (unsigned long long)end->count,
                           (unsigned long long)end->directory_bytes);
    if (end->directory_bytes > FEDN__LIMIT_ZIP_DIRECTORY)
        return fedn__error(err, FEDN_ERR_LIMIT, "npz: directory of %llu bytes is over %llu",
                           (unsigned long long)end->directory_bytes,
                           (unsigned long long)FEDN__LIMIT_ZIP_DIRECTORY);
    return FEDN_OK;
}

fedn_status fedn__zip_open(const fedn__input *input, fedn__zip_reader *ret, fedn_error *err)
{
    ending end = {.offset = 0};

    memset(ret, 0, sizeof *ret);
    ret->input = input;
    fedn_status rc = find_end(input, &end, err);
    if (rc == FEDN_OK)
        rc = find_end64(input, &end, err);
    if (rc == FEDN_OK)
        rc = check_end(&end, err);
    if (rc != FEDN_OK)
        return rc;
    ret->directory = fedn__alloc(end.directory_bytes);
    if (!ret->directory)
        return fedn__error_nomem(err);
    ret->directory_offset = end.directory_offset;
    ret->directory_bytes = end.directory_bytes;
    ret->count = end.count;
    rc = fedn__input_read(input, end.directory_offset, ret->directory, end.directory_bytes,
                          "npz: directory", err);
    if (rc != FEDN_OK)
        fedn__zip_done(ret);
    return rc;
}

void fedn__zip_done(fedn__zip_reader *zip)
{
    fedn__free(zip->directory);
    memset(zip, 0, sizeof *zip);
}

/* The next 64-bit number of a zip64 field if the 32-bit one says it is there. */
static int32_t widen(uint64_t *value, const uint8_t **field, uint64_t *left)
{
    if (*value != UINT32_MAX)
        return 1;
    if (*left < 8)
        return 0;
    *value = fedn__input_u64(*field);
    *field += 8;
    *left -= 8;
    return 1;
}

/* Sizes and offset from the extra fields; `offset` is NULL in a member's own header, which has
 * none. A size of 2^32 - 1 without a zip64 field means itself. */
static fedn_status read_extra(const uint8_t *extra, uint64_t bytes, fedn__zip_item *item,
                              uint64_t *offset, fedn_error *err)
{
    while (bytes >= 4) {
        uint64_t length = fedn__input_u16(extra + 2);
        const uint8_t *field = extra + 4;
        if (length > bytes - 4)
            return malformed(err, "an extra field is longer than its room");
        if (fedn__input_u16(extra) == 1) {
            uint64_t left = length;
            if (!widen(&item->bytes, &field, &left) || !widen(&item->packed, &field, &left) ||
                (offset && !widen(offset, &field, &left)))
                return malformed(err, "a zip64 field is too short");
            return FEDN_OK;
        }
        extra += 4 + length;
        bytes -= 4 + length;
    }
    return FEDN_OK;
}

static fedn_status check_item(const fedn__zip_reader *zip, const fedn__zip_item *item,
                              fedn_error *err)
{
    if (item->flags & FLAGS_ENCRYPTED)
        return fedn__error(err, FEDN_ERR_UNSUPPORTED, "npz: member \"%s\" is encrypted",
                           item->name);
    if ((item->method != FEDN__ZIP_STORED && item->method != FEDN__ZIP_DEFLATED) ||
        item->flags & FLAG_PATCH)
        return fedn__error(err, FEDN_ERR_UNSUPPORTED,
                           "npz: member \"%s\" is packed by method %u; only 0 (stored) and 8 "
                           "(deflated) are read",
                           item->name, item->method);
    if (item->header_offset > zip->directory_offset ||
        item->packed > zip->directory_offset - item->header_offset)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "npz: member \"%s\": %llu bytes at offset %llu reach into the directory",
                           item->name, (unsigned long long)item->packed,
                           (unsigned long long)item->header_offset);
    if (item->method == FEDN__ZIP_STORED ? item->packed != item->bytes
                                         : item->bytes / RATIO > item->packed)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "npz: member \"%s\": %llu bytes cannot be packed in %llu", item->name,
                           (unsigned long long)item->bytes, (unsigned long long)item->packed);
    return FEDN_OK;
}

fedn_status fedn__zip_next(fedn__zip_reader *zip, fedn__zip_item *ret, fedn_error *err)
{
    const uint8_t *line = zip->directory + zip->at;
    uint64_t left = zip->directory_bytes - zip->at;

    if (left < CENTRAL_BYTES || fedn__input_u32(line) != SIG_CENTRAL)
        return fedn__error(err, FEDN_ERR_FORMAT, "npz: member %llu is not in the directory",
                           (unsigned long long)zip->next);
    uint64_t name_bytes = fedn__input_u16(line + 28);
    uint64_t extra_bytes = fedn__input_u16(line + 30);
    uint64_t length = CENTRAL_BYTES + name_bytes + extra_bytes + fedn__input_u16(line + 32);
    if (length > left)
        return fedn__error(err, FEDN_ERR_FORMAT, "npz: member %llu is cut short",
                           (unsigned long long)zip->next);
    if (name_bytes > FEDN__ZIP_NAME_BYTES || !fedn__text_is_utf8(line + CENTRAL_BYTES, name_bytes))
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "npz: member %llu: its name is over %d bytes or not UTF-8",
                           (unsigned long long)zip->next, FEDN__ZIP_NAME_BYTES);
    memset(ret, 0, sizeof *ret);
    memcpy(ret->name, line + CENTRAL_BYTES, name_bytes);
    ret->flags = fedn__input_u16(line + 8);
    ret->method = fedn__input_u16(line + 10);
    ret->crc = fedn__input_u32(line + 16);
    ret->packed = fedn__input_u32(line + 20);
    ret->bytes = fedn__input_u32(line + 24);
    ret->header_offset = fedn__input_u32(line + 42);
    if (fedn__input_u16(line + 34) != 0)
        return fedn__error(err, FEDN_ERR_UNSUPPORTED, "npz: an archive of several files");
    fedn_status rc =
        read_extra(line + CENTRAL_BYTES + name_bytes, extra_bytes, ret, &ret->header_offset, err);
    if (rc != FEDN_OK)
        return rc;
    zip->at += length;
    zip->next++;
    if (zip->next == zip->count && zip->at != zip->directory_bytes)
        return malformed(err, "something follows the directory's last member");
    return check_item(zip, ret, err);
}

/* Sizes in the member's own header, unless they come after the data. */
static fedn_status check_local_sizes(const uint8_t *local, const uint8_t *extra,
                                     uint64_t extra_bytes, const fedn__zip_item *item,
                                     fedn_error *err)
{
    fedn__zip_item own = {.packed = fedn__input_u32(local + 18),
                          .bytes = fedn__input_u32(local + 22)};

    if (fedn__input_u16(local + 6) & FLAG_DESCRIPTOR)
        return FEDN_OK;
    fedn_status rc = read_extra(extra, extra_bytes, &own, NULL, err);
    if (rc != FEDN_OK)
        return rc;
    if (own.packed != item->packed || own.bytes != item->bytes ||
        fedn__input_u32(local + 14) != item->crc)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "npz: member \"%s\": its header and the directory differ in size or "
                           "CRC-32",
                           item->name);
    return FEDN_OK;
}

fedn_status fedn__zip_locate(const fedn__zip_reader *zip, fedn__zip_item *item, fedn_error *err)
{
    uint8_t local[LOCAL_BYTES + FEDN__ZIP_NAME_BYTES + EXTRA_BYTES];
    uint64_t name_bytes = strlen(item->name);
    uint64_t left = zip->directory_offset - item->header_offset;
    uint64_t got = left < sizeof local ? left : sizeof local;

    fedn_status rc =
        fedn__input_read(zip->input, item->header_offset, local, got, "npz: member header", err);
    if (rc != FEDN_OK)
        return rc;
    if (got < LOCAL_BYTES + name_bytes || fedn__input_u32(local) != SIG_LOCAL ||
        fedn__input_u16(local + 26) != name_bytes ||
        memcmp(local + LOCAL_BYTES, item->name, name_bytes) != 0 ||
        fedn__input_u16(local + 8) != item->method ||
        (fedn__input_u16(local + 6) & FLAGS_ENCRYPTED))
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "npz: member \"%s\": its header at offset %llu is of another member",
                           item->name, (unsigned long long)item->header_offset);
    uint64_t extra_bytes = fedn__input_u16(local + 28);
    uint64_t length = LOCAL_BYTES + name_bytes + extra_bytes;
    if (extra_bytes > EXTRA_BYTES)
        return fedn__error(err, FEDN_ERR_LIMIT,
                           "npz: member \"%s\": %llu bytes of extra fields are over %d", item->name,
                           (unsigned long long)extra_bytes, EXTRA_BYTES);
    if (length > left || item->packed > left - length)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "npz: member \"%s\": %llu bytes at offset %llu reach into the directory",
                           item->name, (unsigned long long)item->packed,
                           (unsigned long long)item->header_offset);
    item->data_offset = item->header_offset + length;
    return check_local_sizes(local, local + LOCAL_BYTES + name_bytes, extra_bytes, item, err);
}
