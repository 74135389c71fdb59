/* SPDX-License-Identifier: Apache-2.0
 * The array loops against exact references. */
#include "test.h"

#include "core/limits.h"
#include "model/half.h"
#include "model/kernels.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>

#define COUNT 67 /* not a multiple of any vector */

static uint64_t seed_state;

static uint64_t next_random(void)
{
    seed_state += 0x9e3779b97f4a7c15;
    uint64_t z = seed_state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static void a_value_that_is_not_finite_is_found(void **state)
{
    static const uint16_t half[] = {0x7c00, 0xfc00, 0x7c01, 0xffff};
    static const uint16_t brain[] = {0x7f80, 0xff80, 0x7f81, 0xffff};
    static const float single[] = {INFINITY, -INFINITY, NAN, -NAN};
    static const double wide[] = {INFINITY, -INFINITY, NAN, 1.0001e280};
    (void)state;

    for (uint64_t at = 0; at < COUNT; at++) {
        for (uint32_t k = 0; k < 4; k++) {
            uint16_t h[COUNT] = {0}, b[COUNT] = {0};
            float s[COUNT] = {0};
            double w[COUNT] = {0};
            h[(at + 7) % COUNT] = 0xfbff; /* the largest is fine */
            b[(at + 7) % COUNT] = 0xff7f;
            s[(at + 7) % COUNT] = -FLT_MAX;
            w[(at + 7) % COUNT] = -FEDN__LIMIT_VALUE;
            assert_int_equal(fedn__kernel_first_bad(FEDN_DTYPE_F16, h, COUNT), COUNT);
            assert_int_equal(fedn__kernel_first_bad(FEDN_DTYPE_BF16, b, COUNT), COUNT);
            assert_int_equal(fedn__kernel_first_bad(FEDN_DTYPE_F32, s, COUNT), COUNT);
            assert_int_equal(fedn__kernel_first_bad(FEDN_DTYPE_F64, w, COUNT), COUNT);
            h[at] = half[k];
            b[at] = brain[k];
            s[at] = single[k];
            w[at] = wide[k];
            assert_int_equal(fedn__kernel_first_bad(FEDN_DTYPE_F16, h, COUNT), at);
            assert_int_equal(fedn__kernel_first_bad(FEDN_DTYPE_BF16, b, COUNT), at);
            assert_int_equal(fedn__kernel_first_bad(FEDN_DTYPE_F32, s, COUNT), at);
            assert_int_equal(fedn__kernel_first_bad(FEDN_DTYPE_F64, w, COUNT), at);
            assert_int_equal(fedn__kernel_first_over(w, COUNT, FEDN__LIMIT_VALUE), at);
        }
    }
}

static void every_bit_pattern_of_an_integer_is_fine(void **state)
{
    uint64_t x[COUNT];
    (void)state;

    for (uint32_t i = 0; i < COUNT; i++)
        x[i] = UINT64_MAX - i;
    for (fedn_dtype dtype = FEDN_DTYPE_I8; dtype <= FEDN_DTYPE_BOOL; dtype++)
        assert_int_equal(fedn__kernel_first_bad(dtype, x, COUNT), COUNT);
}

/* Small integers in every type: set + add + merge + mean are exact. */
static void fill(fedn_dtype dtype, void *to, const int32_t *values)
{
    for (uint32_t i = 0; i < COUNT; i++) {
        double v = values[i];
        switch (dtype) {
        case FEDN_DTYPE_F16:
            ((uint16_t *)to)[i] = fedn__f64_to_f16(v);
            break;
        case FEDN_DTYPE_BF16:
            ((uint16_t *)to)[i] = fedn__f64_to_bf16(v);
            break;
        case FEDN_DTYPE_F32:
            ((float *)to)[i] = (float)v;
            break;
        case FEDN_DTYPE_F64:
            ((double *)to)[i] = v;
            break;
        default: /* little end first or one byte: the low bytes are the value */
            for (uint64_t k = 0; k < fedn_dtype_bytes(dtype); k++)
                ((uint8_t *)to)[i * fedn_dtype_bytes(dtype) + k] =
                    (uint8_t)((uint64_t)(int64_t)values[i] >> (8 * k));
        }
    }
}

/* Values a and b that weigh 10 and 30 with this mean, all of them in the type's range. */
static void values_around(fedn_dtype dtype, int32_t i, int32_t *a, int32_t *b, int32_t *mean)
{
    int32_t signed_type = dtype >= FEDN_DTYPE_I8 && dtype <= FEDN_DTYPE_I64;

    if (dtype == FEDN_DTYPE_BOOL) {
        *a = *b = *mean = i & 1;
        return;
    }
    *mean = signed_type ? i - 60 : i + 1;
    *a = *mean + 3;
    *b = *mean - 1;
}

static void assert_exact_mean(fedn_dtype dtype)
{
    int32_t a[COUNT], b[COUNT], mean[COUNT];
    uint64_t xa[COUNT], xb[COUNT], want[COUNT] = {0}, got[COUNT] = {0};
    double sum[COUNT], low[COUNT], other[COUNT], other_low[COUNT];
    fedn__weight weight = {0, 0};

    for (int32_t i = 0; i < COUNT; i++)
        values_around(dtype, i, &a[i], &b[i], &mean[i]);
    fill(dtype, xa, a);
    fill(dtype, xb, b);
    fill(dtype, want, mean);
    fedn__kernel_set(dtype, sum, low, xa, 10, COUNT);
    fedn__kernel_set(dtype, other, other_low, xb, 20, COUNT);
    fedn__kernel_add(dtype, other, other_low, xb, 10, COUNT);
    fedn__kernel_merge(sum, fedn__kernel_is_wide(dtype) ? low : NULL, other, COUNT);
    fedn__weight_add(&weight, 10);
    fedn__weight_add(&weight, 30);
    fedn__kernel_mean(dtype, sum, low, weight, got, COUNT);
    if (memcmp(got, want, COUNT * fedn_dtype_bytes(dtype)) != 0)
        fail_msg("%s: another mean", fedn_dtype_name(dtype));
    for (uint32_t i = 0; i < COUNT; i++)
        assert_true(fedn__kernel_value(dtype, got, i) == mean[i]);
}

static void small_integers_are_averaged_exactly_in_every_type(void **state)
{
    (void)state;
    for (fedn_dtype dtype = FEDN_DTYPE_F16; dtype <= FEDN_DTYPE_BOOL; dtype++)
        assert_exact_mean(dtype);
}

static void elements_at_any_address_are_summed_alike(void **state)
{
    (void)state;
    for (fedn_dtype dtype = FEDN_DTYPE_F16; dtype <= FEDN_DTYPE_BOOL; dtype++) {
        uint64_t bytes = COUNT * fedn_dtype_bytes(dtype);
        int32_t small[COUNT];
        uint64_t x[COUNT];
        uint8_t odd[COUNT * 8 + 1];
        double sum[2][COUNT], low[2][COUNT];

        for (int32_t i = 0; i < COUNT; i++)
            small[i] = i & 63;
        fill(dtype, x, small);
        memcpy(odd + 1, x, bytes);
        assert_int_equal(fedn__kernel_first_bad(dtype, odd + 1, COUNT), COUNT);
        fedn__kernel_set(dtype, sum[0], low[0], x, 0.1, COUNT);
        fedn__kernel_set(dtype, sum[1], low[1], odd + 1, 0.1, COUNT);
        fedn__kernel_add(dtype, sum[0], low[0], x, 7, COUNT);
        fedn__kernel_add(dtype, sum[1], low[1], odd + 1, 7, COUNT);
        assert_memory_equal(sum[0], sum[1], sizeof sum[0]);
        if (fedn__kernel_is_wide(dtype))
            assert_memory_equal(low[0], low[1], sizeof low[0]);
        assert_true(fedn__kernel_value(dtype, odd + 1, 1) == 1);
    }
}

static void integers_round_to_even_and_saturate(void **state)
{
    static const double sums[] = {5, 7, -5, -7, 5.1, 1e9, -1e9, 0, 253.9, 255, 256.9};
    static const uint8_t bytes[] = {2, 4, 0, 0, 3, 255, 0, 0, 127, 128, 128};
    static const int8_t signs[] = {2, 4, -2, -4, 3, 127, -128, 0, 127, 127, 127};
    fedn__weight two = {2, 0};
    uint8_t got[11];
    int8_t got_signed[11];
    (void)state;

    fedn__kernel_mean(FEDN_DTYPE_U8, sums, NULL, two, got, 11);
    fedn__kernel_mean(FEDN_DTYPE_I8, sums, NULL, two, got_signed, 11);
    assert_memory_equal(got, bytes, 11);
    assert_memory_equal(got_signed, signs, 11);
}

static void a_bool_is_true_from_one_half(void **state)
{
    static const double sums[] = {0, 1.4999999, 1.5, 3};
    static const uint8_t wanted[] = {0, 0, 1, 1};
    uint8_t got[4];
    (void)state;

    fedn__kernel_mean(FEDN_DTYPE_BOOL, sums, NULL, (fedn__weight){3, 0}, got, 4);
    assert_memory_equal(got, wanted, 4);
}

static void sixty_four_bit_integers_keep_their_last_digit(void **state)
{
    static const int64_t edge[] = {INT64_MAX, INT64_MIN, INT64_MAX - 1,   INT64_MIN + 1,
                                   0,         -1,        (1LL << 53) + 1, 0x7fffffffffffffeeLL};
    static const double weights[] = {1, 3, 0.1, 123456789, 1e15, 1e-15};
    double sum[8], low[8];
    int64_t got[8];
    uint64_t got_u[8];
    (void)state;

    for (uint32_t w = 0; w < 6; w++) {
        fedn__weight weight = {weights[w], 0};
        fedn__kernel_set(FEDN_DTYPE_I64, sum, low, edge, weights[w], 8);
        fedn__kernel_mean(FEDN_DTYPE_I64, sum, low, weight, got, 8);
        assert_memory_equal(got, edge, sizeof edge);
        fedn__kernel_add(FEDN_DTYPE_I64, sum, low, edge, weights[w] * 2, 8);
        fedn__weight_add(&weight, weights[w] * 2);
        fedn__kernel_mean(FEDN_DTYPE_I64, sum, low, weight, got, 8);
        assert_memory_equal(got, edge, sizeof edge);
        fedn__kernel_set(FEDN_DTYPE_U64, sum, low, edge, weights[w], 8);
        fedn__kernel_mean(FEDN_DTYPE_U64, sum, low, (fedn__weight){weights[w], 0}, got_u, 8);
        assert_memory_equal(got_u, edge, sizeof edge);
    }
}

static void ties_of_64_bit_integers_go_to_even(void **state)
{
    static const int64_t a[] = {1, 3, -1, -3, 4611686018427387905, INT64_MAX, INT64_MIN};
    static const int64_t b[] = {2, 4, -2, -4, 4611686018427387906, INT64_MAX - 1, INT64_MIN + 1};
    static const int64_t even[] = {2, 4, -2, -4, 4611686018427387906, INT64_MAX - 1, INT64_MIN};
    double sum[7], low[7];
    int64_t got[7];
    (void)state;

    fedn__kernel_set(FEDN_DTYPE_I64, sum, low, a, 1, 7);
    fedn__kernel_add(FEDN_DTYPE_I64, sum, low, b, 1, 7);
    fedn__kernel_mean(FEDN_DTYPE_I64, sum, low, (fedn__weight){2, 0}, got, 7);
    assert_memory_equal(got, even, sizeof even);
}

/* Cancellation that plain float64 loses altogether. */
static void float64_is_summed_in_twice_the_precision(void **state)
{
    static const double x[][3] = {{1e200, 1, 1e-300}, {1, 3, 5e-324}, {-1e200, 1e16, -1e-300}};
    double sum[3], low[3], got[3];
    (void)state;

    fedn__kernel_set(FEDN_DTYPE_F64, sum, low, x[0], 3, 3);
    fedn__kernel_add(FEDN_DTYPE_F64, sum, low, x[1], 3, 3);
    fedn__kernel_add(FEDN_DTYPE_F64, sum, low, x[2], 3, 3);
    fedn__kernel_mean(FEDN_DTYPE_F64, sum, low, (fedn__weight){9, 0}, got, 3);
    assert_true(got[0] == 1.0 / 3);
    assert_true(got[1] == 1e16 / 3 + 0 || fabs(got[1] - (1e16 + 4) / 3) <= 0.5);
    assert_true(got[2] >= 0 && got[2] <= 1e-323);
}

static void a_weight_keeps_what_rounding_would_lose(void **state)
{
    fedn__weight weight = {0, 0};
    (void)state;

    fedn__weight_add(&weight, 1e15);
    for (uint32_t i = 0; i < 1000; i++)
        fedn__weight_add(&weight, 1e-3);
    fedn__weight_add(&weight, -1e15);
    assert_true(fabs(weight.high + weight.low - 1) < 1e-12);
}

/* f32 with weights below 2^29: each product is exact, so the sums differ from exact ones only by
 * the rounding of additions. */
static void float32_means_are_those_of_a_long_double(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        enum { MODELS = 20, N = 501 };
        static float x[MODELS][N];
        static double sum[N];
        static float got[N];
        static long double exact[N];
        fedn__weight weight = {0, 0};

        seed_state = seed;
        memset(exact, 0, sizeof exact);
        for (uint32_t k = 0; k < MODELS; k++) {
            double w = (double)(next_random() >> 40) + 1;
            for (uint32_t i = 0; i < N; i++) {
                x[k][i] = (float)((double)(int64_t)next_random() * 0x1p-62);
                exact[i] += (long double)w * (long double)x[k][i];
            }
            if (k == 0)
                fedn__kernel_set(FEDN_DTYPE_F32, sum, NULL, x[k], w, N);
            else
                fedn__kernel_add(FEDN_DTYPE_F32, sum, NULL, x[k], w, N);
            fedn__weight_add(&weight, w);
        }
        fedn__kernel_mean(FEDN_DTYPE_F32, sum, NULL, weight, got, N);
        for (uint32_t i = 0; i < N; i++)
            assert_true(got[i] == (float)(exact[i] / (long double)weight.high));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_that_is_not_finite_is_found),
        cmocka_unit_test(every_bit_pattern_of_an_integer_is_fine),
        cmocka_unit_test(small_integers_are_averaged_exactly_in_every_type),
        cmocka_unit_test(elements_at_any_address_are_summed_alike),
        cmocka_unit_test(integers_round_to_even_and_saturate),
        cmocka_unit_test(a_bool_is_true_from_one_half),
        cmocka_unit_test(sixty_four_bit_integers_keep_their_last_digit),
        cmocka_unit_test(ties_of_64_bit_integers_go_to_even),
        cmocka_unit_test(float64_is_summed_in_twice_the_precision),
        cmocka_unit_test(a_weight_keeps_what_rounding_would_lose),
        cmocka_unit_test(float32_means_are_those_of_a_long_double),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
