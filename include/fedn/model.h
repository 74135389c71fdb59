/* SPDX-License-Identifier: Apache-2.0
 * Models: ordered sets of named tensors, made in memory, read from and written to files. */
#ifndef FEDN_MODEL_H
#define FEDN_MODEL_H

#include <fedn/error.h>

/**
 * A model. Filled by one thread, sealed at its first hand-over (encode, save, add to an aggregator,
 * task result), immutable and shareable between threads from then on.
 */
typedef struct fedn_model fedn_model;

/* Element types. The numbers are part of the ABI; the names are numpy's. */
typedef int32_t fedn_dtype;
enum {
    FEDN_DTYPE_F16 = 1,
    FEDN_DTYPE_BF16 = 2,
    FEDN_DTYPE_F32 = 3,
    FEDN_DTYPE_F64 = 4,
    FEDN_DTYPE_I8 = 5,
    FEDN_DTYPE_I16 = 6,
    FEDN_DTYPE_I32 = 7,
    FEDN_DTYPE_I64 = 8,
    FEDN_DTYPE_U8 = 9,
    FEDN_DTYPE_U16 = 10,
    FEDN_DTYPE_U32 = 11,
    FEDN_DTYPE_U64 = 12,
    FEDN_DTYPE_BOOL = 13
};

#define FEDN_MODEL_MAX_RANK 32

FEDN_BEGIN_DECLS

/** Bytes of one element; 0 if `dtype` is none of FEDN_DTYPE_*. Thread: any. Since: 0.1 */
FEDN_API uint64_t fedn_dtype_bytes(fedn_dtype dtype);

/** "float32", "bfloat16", "int64", "bool" ...; "unknown" for anything else.
 * Thread: any. Since: 0.1 */
FEDN_API const char *fedn_dtype_name(fedn_dtype dtype);

/**
 * An empty model.
 *
 * @param ret  one reference; NULL on failure
 * @return FEDN_OK; FEDN_ERR_NOMEM
 * Owns: caller drops it with fedn_model_unref().   Thread: owner.   Blocks: no.   Since: 0.1
 */
FEDN_API FEDN_NODISCARD fedn_status fedn_model_new(fedn_model **ret, fedn_error *err);

/** One more reference; returns its argument, NULL for NULL. Thread: any. Since: 0.1 */
FEDN_API fedn_model *fedn_model_ref(fedn_model *model);

/** Drop a reference; NULL is allowed; returns NULL. Thread: any. Since: 0.1 */
FEDN_API fedn_model *fedn_model_unref(fedn_model *model);

/**
 * Append a tensor and get its memory to fill. Element order is row-major (C order).
 *
 * @param name   borrowed; UTF-8 without '/' at its start, at most 255 bytes, unique in the model;
 *               FEDn's Python clients want "0", "1", ... in order; NULL means the next such number
 * @param rank   0 (a scalar) to FEDN_MODEL_MAX_RANK
 * @param shape  rank sizes, each 0 or more; may be NULL when rank is 0
 * @param data   borrowed elements to copy in, or NULL for zeroes
 * @param ret_data  optional: where the model's own elements are, to be written until it is sealed
 * @return FEDN_OK; FEDN_ERR_INVALID; FEDN_ERR_EXISTS the name; FEDN_ERR_LIMIT; FEDN_ERR_STATE
 *         sealed; FEDN_ERR_NOMEM
 * Owns: the elements stay the model's.   Thread: owner.   Blocks: no.   Since: 0.1
 */
FEDN_API fedn_status fedn_model_add(fedn_model *model, const char *name, fedn_dtype dtype,
                                    uint32_t rank, const uint64_t *shape, const void *data,
                                    void **ret_data, fedn_error *err);

/** Number of tensors. Thread: any once sealed. Since: 0.1 */
FEDN_API uint32_t fedn_model_count(const fedn_model *model);

/** Index of a tensor by name, -1 if there is none. Thread: any once sealed. Since: 0.1 */
FEDN_API int32_t fedn_model_find(const fedn_model *model, const char *name);

/* Of tensor `index`, which must be below fedn_model_count(); NULL or 0 if it is not. What is
 * returned lives as long as the model. Thread: any once sealed. Since: 0.1 */
FEDN_API const char *fedn_model_name(const fedn_model *model, uint32_t index);
FEDN_API fedn_dtype fedn_model_dtype(const fedn_model *model, uint32_t index);
FEDN_API uint32_t fedn_model_rank(const fedn_model *model, uint32_t index);
FEDN_API const uint64_t *fedn_model_shape(const fedn_model *model, uint32_t index);
FEDN_API uint64_t fedn_model_elements(const fedn_model *model, uint32_t index);
FEDN_API uint64_t fedn_model_bytes(const fedn_model *model, uint32_t index);
/** The elements, row-major, aligned to 64 bytes. */
FEDN_API const void *fedn_model_data(const fedn_model *model, uint32_t index);

/**
 * Decode a model from bytes.
 *
 * @param data    borrowed
 * @param bytes   length of data
 * @param format  "npz", "npz-deflate", "safetensors", "raw-<dtype>" ("raw-float32": one flat
 *                tensor), a plugged-in format's name, FEDn's "numpyhelper", "binaryhelper" and
 *                "androidhelper", or NULL to recognise npz and safetensors by their first bytes
 * @param ret     one reference; NULL on failure
 * @return FEDN_OK; FEDN_ERR_FORMAT; FEDN_ERR_LIMIT; FEDN_ERR_UNSUPPORTED; FEDN_ERR_NOMEM
 * Owns: caller drops the reference.   Thread: any.   Blocks: no I/O.   Since: 0.1
 */
FEDN_API FEDN_NODISCARD fedn_status fedn_model_decode(const void *data, uint64_t bytes,
                                                      const char *format, fedn_model **ret,
                                                      fedn_error *err);

/**
 * Encode a model into memory; seals it.
 *
 * @param format     as for fedn_model_decode(); NULL means "npz"
 * @param ret_data   the bytes; NULL on failure
 * @param ret_bytes  their count
 * @return FEDN_OK; FEDN_ERR_UNSUPPORTED the format cannot hold it; FEDN_ERR_NOMEM
 * Owns: caller frees with fedn_free().   Thread: any once sealed.   Blocks: no I/O.   Since: 0.1
 */
FEDN_API FEDN_NODISCARD fedn_status fedn_model_encode(fedn_model *model, const char *format,
                                                      void **ret_data, uint64_t *ret_bytes,
                                                      fedn_error *err);

/**
 * Decode a model file; as fedn_model_decode(). NULL as format looks at the first bytes.
 *
 * Owns: caller drops the reference.   Thread: any.   Blocks: reads the file.   Since: 0.1
 */
FEDN_API FEDN_NODISCARD fedn_status fedn_model_load(const char *path, const char *format,
                                                    fedn_model **ret, fedn_error *err);

/**
 * Write a model file: whole or not at all (written beside it, then renamed). NULL as format takes
 * it from the name: ".safetensors", else npz.
 *
 * Owns: nothing.   Thread: any once sealed.   Blocks: writes the file.   Since: 0.1
 */
FEDN_API fedn_status fedn_model_save(fedn_model *model, const char *path, const char *format,
                                     fedn_error *err);

FEDN_END_DECLS
#endif
