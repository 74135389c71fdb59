/* SPDX-License-Identifier: Apache-2.0
 * Tensors read front to back without holding a model: from an encoded file, or from a model. */
#ifndef FEDN__MODEL_SOURCE_H
#define FEDN__MODEL_SOURCE_H

#include "core/blob.h"
#include <fedn/model.h>

/* A tensor without its elements. Texts and shape belong to whatever handed it out. */
typedef struct fedn__tensor_info {
    const char *name;
    const uint64_t *shape;
    uint64_t elements;
    uint64_t bytes; /* elements times bytes of one */
    fedn_dtype dtype;
    uint32_t rank;
} fedn__tensor_info;

typedef struct fedn__source fedn__source;

/* Opens an encoded model; the whole index is parsed and checked (bounds, overlaps, sizes that lie,
 * duplicate names), no element is read. `format` NULL recognises npz and safetensors. Keeps a
 * reference to the blob. */
fedn_status fedn__source_open(fedn__blob *blob, const char *format, fedn__source **ret,
                              fedn_error *err);
/* FEDN_ERR_FORMAT if the model is in a format that says so itself, and `format` is a raw one, whose
 * elements its bytes would be taken for. */
fedn_status fedn__source_check_raw(fedn__blob *blob, const char *format, fedn_error *err);
/* Reads a model in memory; seals it and keeps a reference. */
fedn_status fedn__source_from_model(fedn_model *model, fedn__source **ret, fedn_error *err);
/* Another reader of the same blob or model, which it keeps. FEDN_ERR_STATE: of borrowed memory. */
fedn_status fedn__source_again(const fedn__source *source, fedn__source **ret, fedn_error *err);
void fedn__source_free(fedn__source *source);

uint32_t fedn__source_count(const fedn__source *source);
const fedn__tensor_info *fedn__source_info(const fedn__source *source, uint32_t index);
/* Sum of info.bytes over all tensors. */
uint64_t fedn__source_bytes(const fedn__source *source);

/* Copies bytes [offset, offset + bytes) of a tensor's elements, row-major and in native byte order,
 * out. Cheap when offsets of a tensor only grow; going back restarts that tensor. The first time a
 * tensor is read to its end its checksum (npz: CRC-32) is compared: FEDN_ERR_FORMAT. One thread. */
fedn_status fedn__source_read(fedn__source *source, uint32_t index, uint64_t offset, void *to,
                              uint64_t bytes, fedn_error *err);

/* The same, but without a copy of what is in memory: *ret is where the bytes are, there or in `to`.
 * They may lie at any address, aligned or not. */
fedn_status fedn__source_view(fedn__source *source, uint32_t index, uint64_t offset, void *to,
                              uint64_t bytes, const void **ret, fedn_error *err);

/* What is viewed from its front on is inflated once only: the source keeps such elements for who
 * reads them again, in so many bytes at most. */
void fedn__source_keep(fedn__source *source, uint64_t bytes);

/* FEDN_OK if both have the same names, dtypes and shapes in the same order; the text names the
 * first difference. `got` and `expected` are words for the text ("update", "global model"). */
fedn_status fedn__source_same_layout(const fedn__source *a, const char *got, const fedn__source *b,
                                     const char *expected, fedn_error *err);

/* All tensors from place `first` on into memory; the caller drops the reference. */
fedn_status fedn__source_load(fedn__source *source, uint32_t first, fedn_model **ret,
                              fedn_error *err);

#endif
