/* SPDX-License-Identifier: Apache-2.0
 * The loops over tensor elements: checking, weighted summing, dividing. One row per element type.
 */
#ifndef FEDN__MODEL_KERNELS_H
#define FEDN__MODEL_KERNELS_H

#include <fedn/model.h>

/* Sums are wider than the elements, so that a mean is as exact as its type can hold. Up to 32 bits
 * an element is summed in float64: `sum`. 64-bit types ("wide") are summed in twofold float64: the
 * value is sum[i] + low[i]. `low` is NULL for types that are not wide. Arrays must not overlap;
 * elements `x` may lie at any address. */
int32_t fedn__kernel_is_wide(fedn_dtype dtype);

/* Largest magnitude that an element may have: the type's own, but FEDN__LIMIT_VALUE for float64. */
double fedn__kernel_largest(fedn_dtype dtype);

/* Index of the first element that is not finite or over fedn__kernel_largest(); n if none is. */
uint64_t fedn__kernel_first_bad(fedn_dtype dtype, const void *x, uint64_t n);
/* Index of the first of n doubles whose magnitude is not at most `bound`; n if none is. */
uint64_t fedn__kernel_first_over(const void *x, uint64_t n, double bound);
/* One element as a double, for error texts and tests. */
double fedn__kernel_value(fedn_dtype dtype, const void *x, uint64_t index);

/* sum + low = weight * x */
void fedn__kernel_set(fedn_dtype dtype, double *sum, double *low, const void *x, double weight,
                      uint64_t n);
/* sum + low += weight * x */
void fedn__kernel_add(fedn_dtype dtype, double *sum, double *low, const void *x, double weight,
                      uint64_t n);
/* sum + low += x, other sums; low may be NULL */
void fedn__kernel_merge(double *sum, double *low, const void *x, uint64_t n);

/* A weight with what its sum lost to rounding: the value is high + low. */
typedef struct fedn__weight {
    double high;
    double low;
} fedn__weight;

void fedn__weight_add(fedn__weight *weight, double more);

/* out = (sum + low) / weight in `dtype`: floats and integers to nearest, ties to even; integers
 * saturate; bool is 1 from a mean of 0.5. */
void fedn__kernel_mean(fedn_dtype dtype, const double *sum, const double *low, fedn__weight weight,
                       void *out, uint64_t n);

#endif
