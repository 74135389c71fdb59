/* SPDX-License-Identifier: Apache-2.0
 * A writer from the inside: what the formats add to it. */
#ifndef FEDN__MODEL_WRITER_IMPL_H
#define FEDN__MODEL_WRITER_IMPL_H

#include "model/index.h"
#include "model/out.h"

typedef struct fedn__format fedn__format; /* model/format.h */

/* How one format is written. The writer sees to it that every tensor gets exactly its bytes; all
 * but `data` may be NULL. */
typedef struct fedn__writer_ops {
    fedn_status (*begin)(fedn__writer *writer, fedn_error *err);
    /* before the first and after the last byte of a tensor, empty ones too */
    fedn_status (*open)(fedn__writer *writer, fedn__entry *entry, fedn_error *err);
    fedn_status (*data)(fedn__writer *writer, fedn__entry *entry, const void *data, uint64_t bytes,
                        fedn_error *err);
    fedn_status (*close)(fedn__writer *writer, fedn__entry *entry, fedn_error *err);
    fedn_status (*finish)(fedn__writer *writer, fedn_error *err);
    void (*done)(fedn__writer *writer);
} fedn__writer_ops;

struct fedn__writer {
    const fedn__format *format;
    fedn__index index; /* the entries' member: where each went */
    fedn__out out;
    void *state;     /* of the format */
    uint32_t at;     /* tensor that is written */
    uint64_t offset; /* bytes of it that came */
    int32_t opened;
    int32_t finished;
};

extern const fedn__writer_ops fedn__npz_writer;
extern const fedn__writer_ops fedn__npz_deflate_writer;
extern const fedn__writer_ops fedn__safetensors_writer;
extern const fedn__writer_ops fedn__raw_writer;
extern const fedn__writer_ops fedn__custom_writer;

#endif
