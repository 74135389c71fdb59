/* SPDX-License-Identifier: Apache-2.0
 * Models and encoded bytes that several test programs start from. */
#ifndef FEDN__TEST_SAMPLES_H
#define FEDN__TEST_SAMPLES_H

#include "test.h"

#include "core/blob.h"
#include "model/source.h"

/* A tensor of each element type, and a scalar, an empty one and one of five sizes. */
fedn_model *sample_model(void);
/* "w" float32 (2, 3) of 1, 2, ... 6 and "n" int64 () of 7: a model whose bytes tests take apart. */
fedn_model *sample_small(void);
void assert_same_model(const fedn_model *a, const fedn_model *b);

/* Encoded bytes, to be released with fedn_free(). */
uint8_t *sample_encoded(fedn_model *model, const char *format, uint64_t *ret_bytes);
/* A file blob of these bytes below the directory. */
fedn__blob *sample_file(const char *dir, const void *data, uint64_t bytes);
/* Where the nth (0 is the first) such run is; fails the test if there is none. */
uint64_t sample_find(const uint8_t *data, uint64_t bytes, const char *run, uint64_t run_bytes,
                     uint32_t nth);

/* A .npz with one stored member "w.npy" whose .npy header has this text and which has `elements`
 * bytes of zeroes; correct everywhere else. */
uint8_t *sample_npz(const char *header, uint64_t elements, uint64_t *ret_bytes);
/* A .safetensors with this header (padding included) and `elements` bytes of zeroes. */
uint8_t *sample_safetensors(const char *header, uint64_t elements, uint64_t *ret_bytes);

#endif
