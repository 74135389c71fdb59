/* SPDX-License-Identifier: Apache-2.0
 * Weighted sums of models, the running state of every rule that is made of a mean: never a mean
 * itself, so the sums of several tiers merge into what one aggregator would have, however the
 * models are spread over them. */
#ifndef FEDN__AGGREGATE_SUMS_H
#define FEDN__AGGREGATE_SUMS_H

#include "aggregate/rule.h"

/* The pages stay from round to round (faulting them in costs more than a fold), and are not
 * cleared: the first fold of a round overwrites them. */
typedef struct fedn__sums {
    double *pages;
    uint64_t bytes;
    int32_t filled;
} fedn__sums;

/* Sums of one tensor. */
typedef struct fedn__tensor_sums {
    fedn_dtype dtype;
    double *sum;
    double *low;  /* NULL unless the type is wide */
    double *next; /* where those of the next tensor begin */
} fedn__tensor_sums;

/* Of the tensor whose sums begin at `place`: the pages, or `next` of the one before. */
fedn__tensor_sums fedn__sums_of(const fedn__tensor_info *info, double *place);
void fedn__sums_done(fedn__sums *self);

/* As a rule has them, for a `self` that is or begins with sums. */
void fedn__sums_reset(void *self);
fedn_status fedn__sums_add(void *self, fedn__round *round, const fedn__reader *update,
                           double weight, fedn_error *err);
fedn_status fedn__sums_save(void *self, const fedn__round *round, fedn__output *output,
                            fedn_error *err);
fedn_status fedn__sums_merge(void *self, fedn__round *round, const fedn__reader *partial,
                             const fedn__round *more, fedn_error *err);
/* Each element, (sum + low) / weight, in the round's types. */
fedn_status fedn__sums_write(const fedn__sums *self, const fedn__round *round, fedn__weight weight,
                             fedn__output *output, fedn_error *err);

#endif
