/* SPDX-License-Identifier: Apache-2.0
 * How far a model moves along a gradient: adam, yogi or adagrad, as FEDn has them. */
#ifndef FEDN__AGGREGATE_OPTIMISER_H
#define FEDN__AGGREGATE_OPTIMISER_H

#include <fedn/error.h>

typedef struct fedn__optimiser {
    int32_t kind;
    double learning_rate;
    double beta1;
    double beta2;
    double tau;
} fedn__optimiser;

/* FEDn's parameters and defaults; whole numbers are numbers. FEDN_ERR_INVALID names what is wrong.
 */
fedn_status fedn__optimiser_parse(const char *kwargs, fedn__optimiser *ret, fedn_error *err);

/* In: the gradient of n elements, their momentum and second moment (`first`: not there yet). Out:
 * the moments with it, and in its place how far each element moves. */
void fedn__optimiser_follow(const fedn__optimiser *self, int32_t first, double *m, double *v,
                            double *gradient, uint64_t n);

#endif
