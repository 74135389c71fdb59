/* SPDX-License-Identifier: Apache-2.0
 * The loops over tensor elements; see kernels.h.
 *
 * Every result is the same on every processor: products are rounded before they are added (the
 * compiler must not contract them), and fma() is exact wherever it is used.
 *
 * Twofold sums: an error-free transformation splits each product and each sum into its rounded
 * value and the exact rest, and the rests are summed beside. TwoSum: Knuth, The Art of Computer
 * Programming, volume 2, 4.2.2. TwoProduct by fma and the sum of rests: Ogita, Rump, Oishi,
 * Accurate sum and dot product, SIAM J. Sci. Comput. 26 (2005), algorithm Dot2: as if summed in
 * twice the precision and rounded once. */
#include "model/kernels.h"

#include "core/limits.h"
#include "model/half.h"
#include <float.h>
#include <math.h>
#include <string.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("O3") /* -O2 of gcc leaves most of these loops scalar */
#endif

/* Compiled twice, chosen when the program is loaded. The loader runs the choice before a sanitizer
 * is ready, and needs glibc. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && __GNUC__ >= 12 &&          \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define KERNEL __attribute__((target_clones("default", "arch=x86-64-v3")))
#else
#define KERNEL
#endif

/* Elements may lie at any address; vector loads do not mind. */
#define ANYWHERE __attribute__((aligned(1), may_alias))

static uint64_t bits_of_double(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* checks ---------------------------------------------------------------------------------------*/

/* 1 if the magnitude of any element, taken as an integer, is at least `bound`: the bits of floats
 * sort like their values, with inf and nan above all others. */
#define ANY_OVER(name, type)                                                                       \
    KERNEL static int32_t any_over_##name(const void *data, uint64_t n, uint64_t bound)            \
    {                                                                                              \
        typedef type ANYWHERE element;                                                             \
        const element *x = data;                                                                   \
        const type mask = (type)((type) ~(type)0 >> 1);                                            \
        type over = 0;                                                                             \
        for (uint64_t i = 0; i < n; i++)                                                           \
            over |= (type)((x[i] & mask) >= (type)bound);                                          \
        return over != 0;                                                                          \
    }

ANY_OVER(u16, uint16_t)
ANY_OVER(u32, uint32_t)
ANY_OVER(u64, uint64_t)

typedef double ANYWHERE loose_double;

KERNEL static int32_t any_beyond(const loose_double *restrict x, uint64_t n, double bound)
{
    int64_t over = 0;

    for (uint64_t i = 0; i < n; i++)
        over |= !(fabs(x[i]) <= bound);
    return over != 0;
}

uint64_t fedn__kernel_first_over(const void *data, uint64_t n, double bound)
{
    const loose_double *x = data;
    uint64_t i = 0;

    if (!any_beyond(x, n, bound))
        return n;
    while (fabs(x[i]) <= bound)
        i++;
    return i;
}

/* sums -----------------------------------------------------------------------------------------*/

#define SUMS double *restrict sum, double *restrict low, const void *restrict data, double weight

#define FOLD(name, type, convert)                                                                  \
    KERNEL static void set_##name(SUMS, uint64_t n)                                                \
    {                                                                                              \
        typedef type ANYWHERE element;                                                             \
        const element *restrict x = data;                                                          \
        (void)low;                                                                                 \
        for (uint64_t i = 0; i < n; i++)                                                           \
            sum[i] = weight * (double)convert(x[i]);                                               \
    }                                                                                              \
    KERNEL static void add_##name(SUMS, uint64_t n)                                                \
    {                                                                                              \
        typedef type ANYWHERE element;                                                             \
        const element *restrict x = data;                                                          \
        (void)low;                                                                                 \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            double product = weight * (double)convert(x[i]);                                       \
            sum[i] += product;                                                                     \
        }                                                                                          \
    }

/* numpy writes 0 and 1, but any other byte is true as well */
static inline uint8_t bool_value(uint8_t byte)
{
    return byte != 0;
}

FOLD(f16, uint16_t, fedn__f16_to_f32)
FOLD(bf16, uint16_t, fedn__bf16_to_f32)
FOLD(f32, float, )
FOLD(i8, int8_t, )
FOLD(i16, int16_t, )
FOLD(i32, int32_t, )
FOLD(u8, uint8_t, )
FOLD(u16, uint16_t, )
FOLD(u32, uint32_t, )
FOLD(bool, uint8_t, bool_value)

typedef struct twofold {
    double high;
    double low;
} twofold;

static inline twofold two_sum(double a, double b)
{
    double sum = a + b;
    double part = sum - a;

    return (twofold){sum, (a - (sum - part)) + (b - part)};
}

/* weight * (x.high + x.low); the low part of the product is rounded */
static inline twofold two_product(double weight, twofold x)
{
    double product = weight * x.high;

    return (twofold){product, fma(weight, x.low, fma(weight, x.high, -product))};
}

static inline twofold split_f64(double x)
{
    return (twofold){x, 0};
}

/* Both halves are exact; the high one is a multiple of 2^32, so the rest of their sum is as well.
 */
static inline twofold split_halves(double high, double low)
{
    double sum = high + low;

    return (twofold){sum, low - (sum - high)};
}

static inline twofold split_i64(int64_t x)
{
    int64_t rest = x & 0xffffffff;

    return split_halves((double)(x - rest), (double)rest);
}

static inline twofold split_u64(uint64_t x)
{
    uint64_t rest = x & 0xffffffff;

    return split_halves((double)(x - rest), (double)rest);
}

#define FOLD_WIDE(name, type)                                                                      \
    KERNEL static void set_##name(SUMS, uint64_t n)                                                \
    {                                                                                              \
        typedef type ANYWHERE element;                                                             \
        const element *restrict x = data;                                                          \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            twofold product = two_product(weight, split_##name(x[i]));                             \
            sum[i] = product.high;                                                                 \
            low[i] = product.low;                                                                  \
        }                                                                                          \
    }                                                                                              \
    KERNEL static void add_##name(SUMS, uint64_t n)                                                \
    {                                                                                              \
        typedef type ANYWHERE element;                                                             \
        const element *restrict x = data;                                                          \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            twofold product = two_product(weight, split_##name(x[i]));                             \
            twofold total = two_sum(sum[i], product.high);                                         \
            sum[i] = total.high;                                                                   \
            low[i] += total.low + product.low;                                                     \
        }                                                                                          \
    }

FOLD_WIDE(f64, double)
FOLD_WIDE(i64, int64_t)
FOLD_WIDE(u64, uint64_t)

KERNEL static void merge_twofold(double *restrict sum, double *restrict low,
                                 const loose_double *restrict x, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        twofold total = two_sum(sum[i], x[i]);
        sum[i] = total.high;
        low[i] += total.low;
    }
}

KERNEL static void merge_plain(double *restrict sum, const loose_double *restrict x, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        sum[i] += x[i];
}

void fedn__kernel_merge(double *sum, double *low, const void *x, uint64_t n)
{
    if (low)
        merge_twofold(sum, low, x, n);
    else
        merge_plain(sum, x, n);
}

void fedn__weight_add(fedn__weight *weight, double more)
{
    twofold total = two_sum(weight->high, more);

    weight->high = total.high;
    weight->low += total.low;
}

/* means ----------------------------------------------------------------------------------------*/

#define MEANS const double *restrict sum, const double *restrict low, twofold weight, void *out

#define MEAN(name, type, expression)                                                               \
    KERNEL static void mean_##name(MEANS, uint64_t n)                                              \
    {                                                                                              \
        type *restrict to = out;                                                                   \
        const double w = weight.high + weight.low;                                                 \
        (void)low;                                                                                 \
        for (uint64_t i = 0; i < n; i++)                                                           \
            to[i] = (expression);                                                                  \
    }

static inline double clamp(double value, double least, double most)
{
    value = value < least ? least : value;
    return value > most ? most : value;
}

#define MEAN_INTEGER(name, type, least, most)                                                      \
    MEAN(name, type, (type)clamp(rint(sum[i] / w), least, most))

MEAN(f16, uint16_t, fedn__f64_to_f16(sum[i] / w))
MEAN(bf16, uint16_t, fedn__f64_to_bf16(sum[i] / w))
MEAN(f32, float, (float)(sum[i] / w))
MEAN(bool, uint8_t, sum[i] >= 0.5 * w)
MEAN_INTEGER(i8, int8_t, INT8_MIN, INT8_MAX)
MEAN_INTEGER(i16, int16_t, INT16_MIN, INT16_MAX)
MEAN_INTEGER(i32, int32_t, INT32_MIN, INT32_MAX)
MEAN_INTEGER(u8, uint8_t, 0, UINT8_MAX)
MEAN_INTEGER(u16, uint16_t, 0, UINT16_MAX)
MEAN_INTEGER(u32, uint32_t, 0, UINT32_MAX)

/* The quotient of the high parts, and by its exact remainder what is left of the true one. */
static inline twofold quotient(double sum, double low, twofold weight)
{
    twofold total = two_sum(sum, low);
    double high = total.high / weight.high;
    double rest = fma(-high, weight.high, total.high);
    double left = (rest + (total.low - high * weight.low)) / weight.high;

    return two_sum(high, left);
}

/* Nearest integer to mean.high + mean.low as a whole part and a step that is added to it. */
static inline double nearest(twofold mean, double *ret_step)
{
    double whole = rint(mean.high);
    double rest = mean.high - whole; /* exact, at most a half */

    if (fabs(rest) == 0.5) /* a tie of the high part alone: the low part decides */
        *ret_step = rest * mean.low > 0 ? rest * 2 : 0;
    else
        *ret_step = rint(rest + mean.low);
    return whole;
}

static int64_t to_i64(twofold mean)
{
    double step;
    double whole = nearest(mean, &step);

    if (whole >= 0x1p63) /* 2^63 itself may still be stepped back from */
        return whole > 0x1p63 || step >= 0 ? INT64_MAX : INT64_MAX + (int64_t)(step + 1);
    if (whole < -0x1p63 || (whole == -0x1p63 && step <= 0))
        return INT64_MIN;
    return (int64_t)whole + (int64_t)step;
}

static uint64_t to_u64(twofold mean)
{
    double step;
    double whole = nearest(mean, &step);

    if (whole >= 0x1p64)
        return whole > 0x1p64 || step >= 0 ? UINT64_MAX : UINT64_MAX - (uint64_t)(-step - 1);
    if (whole < 0 || (whole == 0 && step < 0))
        return 0;
    return step < 0 ? (uint64_t)whole - (uint64_t)-step : (uint64_t)whole + (uint64_t)step;
}

KERNEL static void mean_f64(MEANS, uint64_t n)
{
    double *restrict to = out;

    for (uint64_t i = 0; i < n; i++)
        to[i] = quotient(sum[i], low[i], weight).high;
}

KERNEL static void mean_i64(MEANS, uint64_t n)
{
    int64_t *restrict to = out;

    for (uint64_t i = 0; i < n; i++)
        to[i] = to_i64(quotient(sum[i], low[i], weight));
}

KERNEL static void mean_u64(MEANS, uint64_t n)
{
    uint64_t *restrict to = out;

    for (uint64_t i = 0; i < n; i++)
        to[i] = to_u64(quotient(sum[i], low[i], weight));
}

/* one element ----------------------------------------------------------------------------------*/

#define VALUE(name, type, convert)                                                                 \
    static double value_##name(const void *x, uint64_t index)                                      \
    {                                                                                              \
        typedef type ANYWHERE element;                                                             \
        return (double)convert(((const element *)x)[index]);                                       \
    }

VALUE(f16, uint16_t, fedn__f16_to_f32)
VALUE(bf16, uint16_t, fedn__bf16_to_f32)
VALUE(f32, float, )
VALUE(f64, double, )
VALUE(i8, int8_t, )
VALUE(i16, int16_t, )
VALUE(i32, int32_t, )
VALUE(i64, int64_t, )
VALUE(u8, uint8_t, )
VALUE(u16, uint16_t, )
VALUE(u32, uint32_t, )
VALUE(u64, uint64_t, )
VALUE(bool, uint8_t, bool_value)

/* the table ------------------------------------------------------------------------------------*/

typedef struct kernel_row {
    double largest;
    int32_t (*any_over)(const void *data, uint64_t n, uint64_t bound); /* NULL: all are fine */
    void (*set)(SUMS, uint64_t n);
    void (*add)(SUMS, uint64_t n);
    void (*mean)(MEANS, uint64_t n);
    double (*value)(const void *x, uint64_t index);
    uint64_t bound; /* of any_over: the first magnitude that is refused */
    int32_t wide;
} kernel_row;

#define ROW(name) .set = set_##name, .add = add_##name, .mean = mean_##name, .value = value_##name

static const kernel_row rows[] = {
    [FEDN_DTYPE_F16] = {ROW(f16), .largest = 65504, .any_over = any_over_u16, .bound = 0x7c00},
    [FEDN_DTYPE_BF16] = {ROW(bf16), .largest = 0x1.fep127, .any_over = any_over_u16,
                         .bound = 0x7f80},
    [FEDN_DTYPE_F32] = {ROW(f32), .largest = FLT_MAX, .any_over = any_over_u32,
                        .bound = 0x7f800000},
    [FEDN_DTYPE_F64] = {ROW(f64), .largest = FEDN__LIMIT_VALUE, .any_over = any_over_u64,
                        .wide = 1}, /* bound: the bits of largest */
    [FEDN_DTYPE_I8] = {ROW(i8), .largest = -(double)INT8_MIN},
    [FEDN_DTYPE_I16] = {ROW(i16), .largest = -(double)INT16_MIN},
    [FEDN_DTYPE_I32] = {ROW(i32), .largest = -(double)INT32_MIN},
    [FEDN_DTYPE_I64] = {ROW(i64), .largest = 0x1p63, .wide = 1},
    [FEDN_DTYPE_U8] = {ROW(u8), .largest = UINT8_MAX},
    [FEDN_DTYPE_U16] = {ROW(u16), .largest = UINT16_MAX},
    [FEDN_DTYPE_U32] = {ROW(u32), .largest = UINT32_MAX},
    [FEDN_DTYPE_U64] = {ROW(u64), .largest = 0x1p64, .wide = 1},
    [FEDN_DTYPE_BOOL] = {ROW(bool), .largest = 1},
};

int32_t fedn__kernel_is_wide(fedn_dtype dtype)
{
    return rows[dtype].wide;
}

double fedn__kernel_largest(fedn_dtype dtype)
{
    return rows[dtype].largest;
}

double fedn__kernel_value(fedn_dtype dtype, const void *x, uint64_t index)
{
    return rows[dtype].value(x, index);
}

uint64_t fedn__kernel_first_bad(fedn_dtype dtype, const void *x, uint64_t n)
{
    const kernel_row *row = &rows[dtype];
    uint64_t bound = dtype == FEDN_DTYPE_F64 ? bits_of_double(row->largest) + 1 : row->bound;
    uint64_t i = 0;

    if (!row->any_over || !row->any_over(x, n, bound))
        return n;
    while (fabs(row->value(x, i)) <= row->largest)
        i++;
    return i;
}

void fedn__kernel_set(fedn_dtype dtype, double *sum, double *low, const void *x, double weight,
                      uint64_t n)
{
    rows[dtype].set(sum, low, x, weight, n);
}

void fedn__kernel_add(fedn_dtype dtype, double *sum, double *low, const void *x, double weight,
                      uint64_t n)
{
    rows[dtype].add(sum, low, x, weight, n);
}

void fedn__kernel_mean(fedn_dtype dtype, const double *sum, const double *low, fedn__weight weight,
                       void *out, uint64_t n)
{
    twofold total = two_sum(weight.high, weight.low);

    rows[dtype].mean(sum, low, total, out, n);
}
