/* SPDX-License-Identifier: Apache-2.0
 * ZIP archives as .npz uses them: the directory of a foreign one, and the records of our own. */
#ifndef FEDN__MODEL_ZIP_H
#define FEDN__MODEL_ZIP_H

#include "model/index.h"
#include "model/input.h"

#define FEDN__ZIP_STORED     0
#define FEDN__ZIP_DEFLATED   8
#define FEDN__ZIP_NAME_BYTES (255 + 4) /* a tensor's name and ".npy" */

/* One line of the directory. */
typedef struct fedn__zip_item {
    char name[FEDN__ZIP_NAME_BYTES + 1];
    uint64_t header_offset;
    uint64_t data_offset; /* known once fedn__zip_locate() looked */
    uint64_t packed;
    uint64_t bytes;
    uint32_t crc;
    uint16_t method;
    uint16_t flags;
} fedn__zip_item;

/* The directory of an archive, walked front to back. */
typedef struct fedn__zip_reader {
    const fedn__input *input;
    uint8_t *directory;
    uint64_t directory_offset; /* in the file: members end before it */
    uint64_t directory_bytes;
    uint64_t at;
    uint64_t count;
    uint64_t next;
} fedn__zip_reader;

/* Finds and loads the directory; `count` is checked against FEDN__LIMIT_TENSORS. */
fedn_status fedn__zip_open(const fedn__input *input, fedn__zip_reader *ret, fedn_error *err);
void fedn__zip_done(fedn__zip_reader *zip);
/* The next line, checked by itself; may be called `count` times. */
fedn_status fedn__zip_next(fedn__zip_reader *zip, fedn__zip_item *ret, fedn_error *err);
/* Reads the member's own header, compares it with the line, and works out data_offset. */
fedn_status fedn__zip_locate(const fedn__zip_reader *zip, fedn__zip_item *item, fedn_error *err);

/* Records to write. Sizes from FEDN__ZIP_BIG on are in a zip64 field. */
#define FEDN__ZIP_BIG          0xf0000000u /* below 4 GiB, so that deflating may add something */
#define FEDN__ZIP_RECORD_BYTES (46 + FEDN__ZIP_NAME_BYTES + 128)

/* The header before a member, padded so that the data begins at a multiple of `align` (1 or 64)
 * when the header is at item->header_offset. A member whose `bytes` are big has a zip64 field,
 * whatever `packed` is. Returns the length. */
uint64_t fedn__zip_write_local(uint8_t record[FEDN__ZIP_RECORD_BYTES], const fedn__zip_item *item,
                               uint32_t align);
/* A line of the directory. */
uint64_t fedn__zip_write_central(uint8_t record[FEDN__ZIP_RECORD_BYTES],
                                 const fedn__zip_item *item);
/* What ends the archive. */
uint64_t fedn__zip_write_end(uint8_t record[FEDN__ZIP_RECORD_BYTES], uint64_t count,
                             uint64_t directory_offset, uint64_t directory_bytes);

#endif
