/* SPDX-License-Identifier: Apache-2.0
 * The header of numpy's .npy: reading and writing it. */
#ifndef FEDN__MODEL_NPY_H
#define FEDN__MODEL_NPY_H

#include "core/limits.h"
#include <fedn/model.h>

typedef struct fedn__npy {
    uint64_t shape[FEDN_MODEL_MAX_RANK];
    uint64_t header_bytes; /* elements begin here */
    fedn_dtype dtype;
    uint32_t rank;
    int32_t fortran;
    int32_t big;
} fedn__npy;

/* Bytes that say how long the header is. */
#define FEDN__NPY_PREFIX  12
/* Room for any header that we write. */
#define FEDN__NPY_WRITTEN 1024

/* From the first FEDN__NPY_PREFIX bytes (or fewer, if the file has no more): header_bytes. */
fedn_status fedn__npy_length(const uint8_t *data, uint64_t bytes, uint64_t *ret, fedn_error *err);
/* All of a header: exactly the bytes that fedn__npy_length() counted. */
fedn_status fedn__npy_parse(const uint8_t *data, uint64_t bytes, fedn__npy *ret, fedn_error *err);

/* Writes a header whose length is a multiple of 64; returns the length. */
uint64_t fedn__npy_write(uint8_t data[FEDN__NPY_WRITTEN], fedn_dtype dtype, uint32_t rank,
                         const uint64_t *shape);

#endif
