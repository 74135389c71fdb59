/* SPDX-License-Identifier: Apache-2.0
 * Element types: one table with what each is called in every format. */
#ifndef FEDN__MODEL_DTYPE_H
#define FEDN__MODEL_DTYPE_H

#include <fedn/model.h>

typedef struct fedn__dtype_row {
    fedn_dtype dtype;
    uint32_t bytes;
    const char *name;        /* numpy's */
    const char *npy;         /* descr as we write it; the first character is the byte order */
    const char *safetensors; /* in its header */
} fedn__dtype_row;

/* NULL if there is no such type. */
const fedn__dtype_row *fedn__dtype_row_of(fedn_dtype dtype);
const fedn__dtype_row *fedn__dtype_by_name(const char *name);
const fedn__dtype_row *fedn__dtype_by_safetensors(const char *name);
/* A descr of any byte order; *ret_big is 1 when the elements are big-endian. */
const fedn__dtype_row *fedn__dtype_by_npy(const char *descr, int32_t *ret_big);

/* Reverses the bytes of each of n elements in place. */
void fedn__dtype_swap(void *data, uint64_t n, uint32_t element_bytes);

#endif
