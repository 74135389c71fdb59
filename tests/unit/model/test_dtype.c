/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "model/dtype.h"

static void every_type_is_found_by_each_of_its_names(void **state)
{
    (void)state;
    for (fedn_dtype dtype = FEDN_DTYPE_F16; dtype <= FEDN_DTYPE_BOOL; dtype++) {
        const fedn__dtype_row *row = fedn__dtype_row_of(dtype);
        int32_t big = -1;
        assert_non_null(row);
        assert_int_equal(row->dtype, dtype);
        assert_ptr_equal(fedn__dtype_by_name(fedn_dtype_name(dtype)), row);
        assert_ptr_equal(fedn__dtype_by_safetensors(row->safetensors), row);
        assert_ptr_equal(fedn__dtype_by_npy(row->npy, &big), row);
        assert_int_equal(big, 0);
        assert_int_equal(fedn_dtype_bytes(dtype), row->bytes);
    }
}

static void other_numbers_are_no_type(void **state)
{
    (void)state;
    static const fedn_dtype others[] = {0, -1, 14, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(fedn_dtype_bytes(others[i]), 0);
        assert_string_equal(fedn_dtype_name(others[i]), "unknown");
    }
}

static void descr_tells_type_and_byte_order(void **state)
{
    (void)state;
    static const struct {
        const char *descr;
        fedn_dtype dtype; /* 0: refused */
        int32_t big;
    } rows[] = {
        {"<f4", FEDN_DTYPE_F32, 0},
        {">f4", FEDN_DTYPE_F32, 1},
        {"=f8", FEDN_DTYPE_F64, 0},
        {">i1", FEDN_DTYPE_I8, 0},
        {"|u1", FEDN_DTYPE_U8, 0},
        {"|b1", FEDN_DTYPE_BOOL, 0},
        {"<V2", FEDN_DTYPE_BF16, 0},
        {"|V2", FEDN_DTYPE_BF16, 0},
        {">u8", FEDN_DTYPE_U64, 1},
        {"", 0, 0},
        {"<", 0, 0},
        {"f4", 0, 0},
        {"<f16", 0, 0},
        {"<c8", 0, 0},
        {"<V4", 0, 0},
        {"|O", 0, 0},
        {"<U3", 0, 0},
        {"<f4 ", 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int32_t big = 0;
        const fedn__dtype_row *row = fedn__dtype_by_npy(rows[i].descr, &big);
        assert_int_equal(row ? row->dtype : 0, rows[i].dtype);
        assert_int_equal(big, rows[i].big);
    }
}

static void swapping_reverses_each_element(void **state)
{
    (void)state;
    uint8_t data[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    fedn__dtype_swap(data, 8, 1);
    assert_memory_equal(data, "\1\2\3\4\5\6\7\10", 8);
    fedn__dtype_swap(data, 4, 2);
    assert_memory_equal(data, "\2\1\4\3\6\5\10\7", 8);
    fedn__dtype_swap(data, 2, 4);
    assert_memory_equal(data, "\3\4\1\2\7\10\5\6", 8);
    fedn__dtype_swap(data, 1, 8);
    assert_memory_equal(data, "\6\5\10\7\2\1\4\3", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_found_by_each_of_its_names),
        cmocka_unit_test(other_numbers_are_no_type),
        cmocka_unit_test(descr_tells_type_and_byte_order),
        cmocka_unit_test(swapping_reverses_each_element),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
