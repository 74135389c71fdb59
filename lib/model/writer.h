/* SPDX-License-Identifier: Apache-2.0
 * Encoding a model piece by piece into a file or into memory, without holding it. */
#ifndef FEDN__MODEL_WRITER_H
#define FEDN__MODEL_WRITER_H

#include "core/buffer.h"
#include "model/source.h"

typedef struct fedn__writer fedn__writer;

/* Where encoded bytes go: a descriptor (written with pwrite from offset 0) or, when fd is -1, a
 * buffer. */
typedef struct fedn__sink {
    int fd;
    fedn__buffer *buffer;
} fedn__sink;

/* The layout is told first; infos are copied. */
fedn_status fedn__writer_new(const char *format, const fedn__sink *sink,
                             const fedn__tensor_info *infos, uint32_t count, fedn__writer **ret,
                             fedn_error *err);
/* The next bytes of elements: tensor after tensor, row-major, native byte order; a piece may cross
 * tensors. */
fedn_status fedn__writer_write(fedn__writer *writer, const void *data, uint64_t bytes,
                               fedn_error *err);
/* FEDN_ERR_STATE when elements are missing. */
fedn_status fedn__writer_finish(fedn__writer *writer, fedn_error *err);
void fedn__writer_free(fedn__writer *writer);

/* Everything of a source in another format. */
fedn_status fedn__writer_copy(fedn__source *source, const char *format, const fedn__sink *sink,
                              fedn_error *err);

#endif
