/* SPDX-License-Identifier: Apache-2.0
 * All 65536 values of each 16-bit float, and what lies between them. */
#include "test.h"

#include "model/half.h"
#include <math.h>

/* The value of a small float by its definition. */
static double by_definition(uint16_t bits, int32_t fraction, int32_t lowest)
{
    int32_t exponent = (bits & 0x7fff) >> fraction;
    int32_t rest = bits & ((1 << fraction) - 1);
    double value;

    if (exponent == 0)
        value = ldexp(rest, lowest - fraction);
    else if (exponent == 0x7fff >> fraction)
        value = rest ? NAN : INFINITY;
    else
        value = ldexp(rest + (1 << fraction), exponent - 1 + lowest - fraction);
    return bits & 0x8000 ? -value : value;
}

static void each_16_bit_float_has_its_value(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 65536; bits++) {
        double half = by_definition((uint16_t)bits, 10, -14);
        double brain = by_definition((uint16_t)bits, 7, -126);
        float got_half = fedn__f16_to_f32((uint16_t)bits);
        float got_brain = fedn__bf16_to_f32((uint16_t)bits);
        if (isnan(half) != isnan(got_half) || (!isnan(half) && half != (double)got_half))
            fail_msg("f16 %04x is %g, not %g", bits, half, (double)got_half);
        if (isnan(brain) != isnan(got_brain) || (!isnan(brain) && brain != (double)got_brain))
            fail_msg("bf16 %04x is %g, not %g", bits, brain, (double)got_brain);
        assert_int_equal(signbit(got_half) != 0, bits >> 15);
    }
}

typedef struct small_float {
    uint16_t (*from)(double value);
    int32_t fraction;
    int32_t lowest;
} small_float;

static const small_float small_floats[] = {{fedn__f64_to_f16, 10, -14},
                                           {fedn__f64_to_bf16, 7, -126}};

static void each_16_bit_float_comes_back(void **state)
{
    (void)state;
    for (uint32_t f = 0; f < 2; f++) {
        const small_float *type = &small_floats[f];
        for (uint32_t bits = 0; bits < 65536; bits++) {
            double value = by_definition((uint16_t)bits, type->fraction, type->lowest);
            uint16_t got = type->from(value);
            if (isnan(value))
                assert_true(isnan(by_definition(got, type->fraction, type->lowest)));
            else
                assert_int_equal(got, bits);
        }
    }
}

static void a_double_between_two_16_bit_floats_goes_to_the_nearer(void **state)
{
    (void)state;
    for (uint32_t f = 0; f < 2; f++) {
        const small_float *type = &small_floats[f];
        uint16_t infinite = (uint16_t)(0x7fff >> type->fraction << type->fraction);
        for (uint16_t bits = 0; bits < infinite; bits++) {
            double lower = by_definition(bits, type->fraction, type->lowest);
            double upper = by_definition((uint16_t)(bits + 1), type->fraction, type->lowest);
            if (bits + 1 == infinite)
                upper = ldexp(1, 1 - type->lowest + 1);
            double middle = (lower + upper) / 2;
            uint16_t even = bits & 1 ? (uint16_t)(bits + 1) : bits;
            assert_int_equal(type->from(middle), even);
            assert_int_equal(type->from(nextafter(middle, 0)), bits);
            assert_int_equal(type->from(nextafter(middle, INFINITY)), bits + 1);
            assert_int_equal(type->from(-middle), even | 0x8000);
        }
        assert_int_equal(type->from(1e300), infinite);
        assert_int_equal(type->from(5e-324), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_16_bit_float_has_its_value),
        cmocka_unit_test(each_16_bit_float_comes_back),
        cmocka_unit_test(a_double_between_two_16_bit_floats_goes_to_the_nearer),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
