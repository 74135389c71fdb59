/* SPDX-License-Identifier: Apache-2.0
 * The 16-bit floats: IEEE 754 binary16 and bfloat16. */
#ifndef FEDN__MODEL_HALF_H
#define FEDN__MODEL_HALF_H

#include <stdint.h>
#include <string.h>

/* To nearest, ties to even. */
uint16_t fedn__f64_to_f16(double value);
uint16_t fedn__f64_to_bf16(double value);

static inline float fedn__float_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* No branches, so that the loops around it become vector code. A subnormal is its fraction times
 * 2^-24; an exponent of 31 (inf, nan) becomes 255. */
static inline float fedn__f16_to_f32(uint16_t half)
{
    uint32_t bits = half;
    uint32_t sign = (bits & 0x8000) << 16;
    uint32_t normal = ((bits & 0x7fff) << 13) + (112u << 23);
    uint32_t is_small = 0u - (uint32_t)((bits & 0x7c00) == 0);
    uint32_t is_last = 0u - (uint32_t)((bits & 0x7c00) == 0x7c00);
    float small = (float)(int32_t)(bits & 0x03ff) * 0x1p-24f;
    uint32_t small_bits;

    memcpy(&small_bits, &small, sizeof small_bits);
    normal += is_last & (112u << 23);
    return fedn__float_of_bits(sign | (normal & ~is_small) | (small_bits & is_small));
}

static inline float fedn__bf16_to_f32(uint16_t bits)
{
    return fedn__float_of_bits((uint32_t)bits << 16);
}

#endif
