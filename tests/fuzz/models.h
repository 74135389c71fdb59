/* SPDX-License-Identifier: Apache-2.0
 * What the targets of the model formats share. */
#ifndef FEDN__FUZZ_MODELS_H
#define FEDN__FUZZ_MODELS_H

#include "fuzz.h"

/* Opens the bytes, loads what opens, and demands that it survives being written and read again. */
void fuzz_model(const uint8_t *data, size_t bytes, const char *format);
/* A model of every element type, encoded. */
size_t fuzz_model_seed(const char *format, uint8_t to[FUZZ_SEED_BYTES]);

#endif
