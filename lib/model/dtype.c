/* SPDX-License-Identifier: Apache-2.0
 * Element types: one table with what each is called in every format. */
#include "model/dtype.h"

#include <string.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "models are kept little-endian in memory: this machine is not supported"
#endif

/* numpy has no bfloat16: files made with the ml_dtypes package hold "<V2", two opaque bytes. */
static const fedn__dtype_row rows[] = {
    {FEDN_DTYPE_F16, 2, "float16", "<f2", "F16"}, {FEDN_DTYPE_BF16, 2, "bfloat16", "<V2", "BF16"},
    {FEDN_DTYPE_F32, 4, "float32", "<f4", "F32"}, {FEDN_DTYPE_F64, 8, "float64", "<f8", "F64"},
    {FEDN_DTYPE_I8, 1, "int8", "|i1", "I8"},      {FEDN_DTYPE_I16, 2, "int16", "<i2", "I16"},
    {FEDN_DTYPE_I32, 4, "int32", "<i4", "I32"},   {FEDN_DTYPE_I64, 8, "int64", "<i8", "I64"},
    {FEDN_DTYPE_U8, 1, "uint8", "|u1", "U8"},     {FEDN_DTYPE_U16, 2, "uint16", "<u2", "U16"},
    {FEDN_DTYPE_U32, 4, "uint32", "<u4", "U32"},  {FEDN_DTYPE_U64, 8, "uint64", "<u8", "U64"},
    {FEDN_DTYPE_BOOL, 1, "bool", "|b1", "BOOL"},
};

#define ROWS (sizeof rows / sizeof rows[0])

const fedn__dtype_row *fedn__dtype_row_of(fedn_dtype dtype)
{
    for (uint64_t i = 0; i < ROWS; i++)
        if (rows[i].dtype == dtype)
            return &rows[i];
    return NULL;
}

const fedn__dtype_row *fedn__dtype_by_name(const char *name)
{
    for (uint64_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

const fedn__dtype_row *fedn__dtype_by_safetensors(const char *name)
{
    for (uint64_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].safetensors, name) == 0)
            return &rows[i];
    return NULL;
}

const fedn__dtype_row *fedn__dtype_by_npy(const char *descr, int32_t *ret_big)
{
    if (*descr == 0 || !strchr("<>|=", *descr))
        return NULL;
    for (uint64_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].npy + 1, descr + 1) != 0)
            continue;
        *ret_big = *descr == '>' && rows[i].bytes > 1;
        return &rows[i];
    }
    return NULL;
}

uint64_t fedn_dtype_bytes(fedn_dtype dtype)
{
    const fedn__dtype_row *row = fedn__dtype_row_of(dtype);
    return row ? row->bytes : 0;
}

const char *fedn_dtype_name(fedn_dtype dtype)
{
    const fedn__dtype_row *row = fedn__dtype_row_of(dtype);
    return row ? row->name : "unknown";
}

void fedn__dtype_swap(void *data, uint64_t n, uint32_t element_bytes)
{
    uint8_t *p = data;

    if (element_bytes < 2)
        return;
    for (uint64_t i = 0; i < n; i++, p += element_bytes) {
        for (uint32_t a = 0, b = element_bytes - 1; a < b; a++, b--) {
            uint8_t byte = p[a];
            p[a] = p[b];
            p[b] = byte;
        }
    }
}
