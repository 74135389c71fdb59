/* SPDX-License-Identifier: Apache-2.0
 * A window of a file mapped into memory that moves along with who reads it front to back. */
#ifndef FEDN__MODEL_MAPPING_H
#define FEDN__MODEL_MAPPING_H

#include <stdint.h>

/* Zero is a window on nothing yet. */
typedef struct fedn__mapping {
    void *address;  /* NULL: this part of the file is not to be read in place */
    uint64_t start; /* offset in the file */
    uint64_t bytes;
} fedn__mapping;

/* Where bytes [offset, offset + bytes) of the file are, until the next call. NULL if they are not
 * in the system's cache or cannot be mapped: then the caller copies them, and meets a read error as
 * such, where the touch of a mapping would end the process. */
const uint8_t *fedn__mapping_at(fedn__mapping *mapping, int fd, uint64_t file_bytes,
                                uint64_t offset, uint64_t bytes);
void fedn__mapping_done(fedn__mapping *mapping);

#endif
