/* SPDX-License-Identifier: Apache-2.0
 * A source from the inside: what the openers of the formats fill in. */
#ifndef FEDN__MODEL_SOURCE_IMPL_H
#define FEDN__MODEL_SOURCE_IMPL_H

#include "model/index.h"
#include "model/input.h"
#include "model/member.h"

typedef struct fedn__format fedn__format;

/* Part of a tensor in C order and native byte order, for those that cannot be read in place. */
typedef struct fedn__window {
    uint8_t *data;
    uint64_t room;
    uint64_t start; /* offset of the first byte in the tensor */
    uint64_t bytes; /* 0: nothing */
    uint32_t index;
} fedn__window;

struct fedn__source {
    fedn__index index;
    fedn__input input; /* encoded bytes, unless there is a model */
    const fedn__format *format;
    fedn_model *model; /* owned reference; the index is then its own and `index` is empty */
    fedn__member_reader reader;
    fedn__window window;
    uint64_t keep; /* bytes left for what fedn__source_keep() is about */
};

/* Over borrowed memory that outlives the source. */
fedn_status fedn__source_open_memory(const void *data, uint64_t bytes, const char *format,
                                     fedn__source **ret, fedn_error *err);

/* The openers: read the index of source->input into source->index. */
fedn_status fedn__npz_open(fedn__source *source, const fedn__format *format, fedn_error *err);
fedn_status fedn__safetensors_open(fedn__source *source, const fedn__format *format,
                                   fedn_error *err);
fedn_status fedn__raw_open(fedn__source *source, const fedn__format *format, fedn_error *err);
/* ... or all of it into source->model. */
fedn_status fedn__custom_open(fedn__source *source, const fedn__format *format, fedn_error *err);

/* Reads through the window a tensor that is column-major or big-endian. */
fedn_status fedn__window_read(fedn__source *source, uint32_t index, uint64_t offset, uint8_t *to,
                              uint64_t bytes, fedn_error *err);
void fedn__window_done(fedn__window *window);

#endif
