/* SPDX-License-Identifier: Apache-2.0
 * How busy this machine is, in percent. */
#ifndef FEDN__CLIENT_USAGE_H
#define FEDN__CLIENT_USAGE_H

#include <stdint.h>

/* Processor time up to the last look. */
typedef struct fedn__usage {
    uint64_t busy;
    uint64_t all;
} fedn__usage;

/* Since the last look, at first since the machine began. 1: *ret is from 0 to 100; 0: the system
 * does not say. */
int32_t fedn__usage_cpu(fedn__usage *usage, double *ret);
int32_t fedn__usage_memory(double *ret);

#endif
