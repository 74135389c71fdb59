/* SPDX-License-Identifier: Apache-2.0
 * Models to aggregate, random numbers from a seed, and a rule registered by the application: the
 * coordinate-wise median. */
#ifndef FEDN__TEST_AGGREGATE_MODELS_H
#define FEDN__TEST_AGGREGATE_MODELS_H

#include "test.h"

#include <fedn/aggregator.h>
#include <fedn/ext/aggregator_impl.h>

typedef struct test_random {
    uint64_t state;
} test_random;

uint64_t test_random_next(test_random *random);
uint64_t test_random_below(test_random *random, uint64_t bound);
double test_random_unit(test_random *random); /* -1 to 1 */

/* One tensor of `n` elements named "w", copied from `x`. Aborts the test on failure. */
fedn_model *test_model_of(fedn_dtype dtype, const void *x, uint64_t n);
/* "a" float32 (2, 3) with all elements `value`, "b" int64 () with `value`. */
fedn_model *test_model_pair(float value);
/* Same tensors with the same bytes. */
void test_assert_same_model(fedn_model *got, fedn_model *expected);
void test_add(fedn_aggregator *aggregator, fedn_model *model, double weight);
fedn_aggregator *test_aggregator(const char *name);
fedn_model *test_finish(fedn_aggregator *aggregator);

/* The lower median of float32 and int64 elements, one vote a model; under the name "median". */
extern const fedn_aggregator_impl test_median;
void test_register_median(void);

#endif
