/* SPDX-License-Identifier: Apache-2.0
 * Reading the members of an encoded file: stored or deflated, checksums followed on the way. */
#ifndef FEDN__MODEL_MEMBER_H
#define FEDN__MODEL_MEMBER_H

#include "model/index.h"
#include "model/input.h"
#include <zlib.h>

/* Reads one member at a time; one thread. */
typedef struct fedn__member_reader {
    const fedn__input *input;
    uint8_t *chunk; /* allocated at the first need: packed bytes, then bytes that are skipped */
    z_stream stream;
    int32_t stream_ready;
    int32_t streaming; /* the stream is inside the member that begins at stream_offset */
    uint64_t stream_offset;
    uint64_t position; /* next byte that the stream yields */
    uint64_t fetched;  /* packed bytes given to the stream */
} fedn__member_reader;

void fedn__member_reader_init(fedn__member_reader *reader, const fedn__input *input);
void fedn__member_reader_done(fedn__member_reader *reader);

/* Copies bytes [position, position + bytes) of the member out, which must lie inside it. `name` is
 * for errors. When the last byte was passed the first time, checksum and end are compared. */
fedn_status fedn__member_read(fedn__member_reader *reader, fedn__member *member, const char *name,
                              uint64_t position, void *to, uint64_t bytes, fedn_error *err);
/* Inflates a deflated member whole, which is faster than in pieces, into `to`, of member->bytes. 0:
 * there is no memory for that, or something is wrong that reading in pieces would name. */
int32_t fedn__member_inflate(const fedn__member_reader *reader, fedn__member *member, uint8_t *to);
/* Reads on to the end so that the checksum is compared, if it was not before. */
fedn_status fedn__member_check(fedn__member_reader *reader, fedn__member *member, const char *name,
                               fedn_error *err);

#endif
