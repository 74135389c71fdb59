/* SPDX-License-Identifier: Apache-2.0
 * Where a result goes, piece by piece: into a model in memory or into an encoded file. */
#ifndef FEDN__AGGREGATE_OUTPUT_H
#define FEDN__AGGREGATE_OUTPUT_H

#include "model/index.h"
#include "model/writer.h"

typedef struct fedn__output {
    const char *path;   /* borrowed; NULL: into memory */
    const char *format; /* borrowed */
    const char *head;   /* borrowed; text of a first tensor FEDN__PARTIAL_TENSOR, or NULL */
    int fd;             /* -1: not open */
    fedn__writer *writer;
    fedn_model *model;
    void **places; /* of the model's tensors */
    uint32_t place;
    uint64_t offset; /* in the tensor at `place` */
} fedn__output;

void fedn__output_init(fedn__output *output, const char *path, const char *format,
                       const char *head);
/* The layout of all that will be written (the head is not in it). */
fedn_status fedn__output_begin(fedn__output *output, const fedn__index *layout, fedn_error *err);
/* The next elements: tensor after tensor; a piece may cross tensors. */
fedn_status fedn__output_write(fedn__output *output, const void *data, uint64_t bytes,
                               fedn_error *err);
/* All was written: a file is durable and in its place; of a model the caller gets the reference. */
fedn_status fedn__output_commit(fedn__output *output, fedn_model **ret, fedn_error *err);
/* Releases everything; what was not committed leaves no trace. */
void fedn__output_done(fedn__output *output);

#endif
