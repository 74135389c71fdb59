/* SPDX-License-Identifier: Apache-2.0
 * The ordered set of tensors that a model, an encoded file or a writer is made of. */
#ifndef FEDN__MODEL_INDEX_H
#define FEDN__MODEL_INDEX_H

#include "core/map.h"
#include "model/source.h"

/* A run of a file that is one member of an archive, or a plain range. A position in a member counts
 * its bytes as they are when inflated, from the member's first (an npy header's) on. */
typedef struct fedn__member {
    uint64_t offset; /* in the file */
    uint64_t packed; /* bytes in the file */
    uint64_t bytes;  /* bytes when inflated; equals packed unless deflated */
    uint64_t crc_at; /* positions before this are in crc_now */
    uint32_t crc;
    uint32_t crc_now;
    int32_t deflated;
    int32_t checked; /* the checksum was compared, or there is none */
} fedn__member;

typedef struct fedn__entry {
    fedn__tensor_info info;
    void *texts;         /* the block that info.shape and info.name point into */
    void *memory;        /* elements, when they are in memory; the owner of the index frees them */
    fedn__member member; /* otherwise where they are */
    uint64_t skip;       /* position of the first element in the member */
    uint64_t header_offset; /* of an archive member's own header in the file */
    int32_t fortran;        /* column-major */
    int32_t big;            /* big-endian */
} fedn__entry;

typedef struct fedn__index {
    fedn__entry *entries;
    uint32_t count;
    uint32_t capacity;
    int32_t foreign;  /* faults are the file's (FORMAT), not the caller's (INVALID, EXISTS) */
    uint64_t bytes;   /* of all elements */
    fedn__map places; /* name to place + 1 */
} fedn__index;

void fedn__index_init(fedn__index *index, int32_t foreign);
void fedn__index_done(fedn__index *index);

/* Checks name, type and shape, works out elements and bytes, copies all; *ret is valid until the
 * next call. */
fedn_status fedn__index_add(fedn__index *index, const char *name, fedn_dtype dtype, uint32_t rank,
                            const uint64_t *shape, fedn__entry **ret, fedn_error *err);
/* Takes back the tensor that was added last. */
void fedn__index_drop_last(fedn__index *index);
/* Place of a name, -1 if there is none. */
int32_t fedn__index_find(const fedn__index *index, const char *name);
/* Into the order of qsort()'s `compare` over entries. */
fedn_status fedn__index_sort(fedn__index *index, int (*compare)(const void *, const void *),
                             fedn_error *err);
/* If all names are decimal numbers: into their order, "2" before "10". Else nothing. */
fedn_status fedn__index_sort_numbers(fedn__index *index, fedn_error *err);

/* "float32 (3, 4)". */
#define FEDN__TENSOR_TEXT 160
void fedn__tensor_text(const fedn__tensor_info *info, char text[FEDN__TENSOR_TEXT]);

#endif
