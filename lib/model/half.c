/* SPDX-License-Identifier: Apache-2.0
 * Rounding to the 16-bit floats. */
#include "model/half.h"

#include <math.h>

/* A double rounded once to a 16-bit float of `fraction` bits whose smallest normal number is
 * 2^lowest; the largest has the exponent -lowest + 1. */
static uint16_t narrow(double value, uint32_t fraction, int32_t lowest)
{
    uint16_t infinite = (uint16_t)(0x7fff >> fraction << fraction);
    uint32_t drop = 52 - fraction;
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 63 << 15);
    bits &= INT64_MAX;
    if (bits >= (uint64_t)0x7ff << 52)
        return sign | infinite | (uint16_t)(value != value ? 1u << (fraction - 1) : 0);
    double magnitude = fabs(value);
    if (magnitude < ldexp(1, lowest)) /* the units of the subnormals count themselves up */
        return sign | (uint16_t)rint(ldexp(magnitude, (int32_t)fraction - lowest));
    bits += ((uint64_t)1 << (drop - 1)) - 1 + ((bits >> drop) & 1);
    bits = (bits >> drop) - ((uint64_t)(1022 + lowest) << fraction);
    return sign | (bits < infinite ? (uint16_t)bits : infinite);
}

uint16_t fedn__f64_to_f16(double value)
{
    return narrow(value, 10, -14);
}

uint16_t fedn__f64_to_bf16(double value)
{
    return narrow(value, 7, -126);
}
