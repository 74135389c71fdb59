/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "model/npy.h"

/* A header of this version around the text. */
static uint64_t wrap(uint8_t data[4096], uint8_t version, const char *text)
{
    uint64_t length = strlen(text);
    uint64_t prefix = version == 1 ? 10 : 12;

    memcpy(data, "\x93NUMPY", 6);
    data[6] = version;
    data[7] = 0;
    for (uint64_t i = 8; i < prefix; i++)
        data[i] = (uint8_t)(length >> 8 * (i - 8));
    memcpy(data + prefix, text, length);
    return prefix + length;
}

static void headers_as_numpy_writes_them_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        fedn_dtype dtype;
        int32_t fortran;
        int32_t big;
        uint32_t rank;
        uint64_t shape[3];
    } rows[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }    \n",
         FEDN_DTYPE_F32,
         0,
         0,
         2,
         {3, 4}},
        {"{'descr': '>f8', 'fortran_order': True, 'shape': (7,), }\n",
         FEDN_DTYPE_F64,
         1,
         1,
         1,
         {7}},
        {"{'shape': (), 'fortran_order': False, 'descr': '|b1'}", FEDN_DTYPE_BOOL, 0, 0, 0, {0}},
        {"{\"descr\":\"<V2\",\"fortran_order\":False,\"shape\":(0,2,)}",
         FEDN_DTYPE_BF16,
         0,
         0,
         2,
         {0, 2}},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (3L, 4L, 5L)}",
         FEDN_DTYPE_I64,
         0,
         0,
         3,
         {3, 4, 5}},
    };
    uint8_t data[4096];
    fedn_error err;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (uint8_t version = 1; version <= 3; version++) {
            fedn__npy npy;
            uint64_t bytes = wrap(data, version, rows[i].text);
            assert_ok(fedn__npy_parse(data, bytes, &npy, &err), &err);
            assert_int_equal(npy.header_bytes, bytes);
            assert_int_equal(npy.dtype, rows[i].dtype);
            assert_int_equal(npy.fortran, rows[i].fortran);
            assert_int_equal(npy.big, rows[i].big);
            assert_int_equal(npy.rank, rows[i].rank);
            assert_memory_equal(npy.shape, rows[i].shape, (size_t)rows[i].rank * 8);
        }
    }
}

#define HEAD "{'descr': '<f4', 'fortran_order': False, "

static void everything_else_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        fedn_status status;
        const char *words;
    } rows[] = {
        {"", FEDN_ERR_FORMAT, "dictionary"},
        {"[]", FEDN_ERR_FORMAT, "dictionary"},
        {"{", FEDN_ERR_FORMAT, "quoted"},
        {"{}", FEDN_ERR_FORMAT, "lacks descr shape"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", FEDN_ERR_UNSUPPORTED,
         "|O pickled"},
        {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,)}", FEDN_ERR_UNSUPPORTED,
         "structured"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", FEDN_ERR_UNSUPPORTED, "<c8"},
        {"{'descr': '<f4' + '', 'fortran_order': False, 'shape': (1,)}", FEDN_ERR_FORMAT, "comma"},
        {"{'descr': 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'shape': ()}", FEDN_ERR_FORMAT, "31"},
        {"{'descr': '<f\\x34', 'fortran_order': False, 'shape': (1,)}", FEDN_ERR_FORMAT,
         "backslash"},
        {"{'descr': <f4, 'fortran_order': False, 'shape': (1,)}", FEDN_ERR_FORMAT, "quoted"},
        {"{'descr': '<f4", FEDN_ERR_FORMAT, "end"},
        {"{'descr' '<f4'}", FEDN_ERR_FORMAT, "colon"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", FEDN_ERR_FORMAT, "True"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", FEDN_ERR_FORMAT,
         "twice"},
        {HEAD "'extra': 1, 'shape': (1,)}", FEDN_ERR_FORMAT, "unknown"},
        {HEAD "'shape': (1,)} x", FEDN_ERR_FORMAT, "follows"},
        {HEAD "'shape': (1,)", FEDN_ERR_FORMAT, "header"},
        {HEAD "'shape': 3}", FEDN_ERR_FORMAT, "tuple"},
        {HEAD "'shape': (3)}", FEDN_ERR_FORMAT, "tuple"},
        {HEAD "'shape': (3 4)}", FEDN_ERR_FORMAT, "tuple"},
        {HEAD "'shape': (3,,4)}", FEDN_ERR_FORMAT, "tuple"},
        {HEAD "'shape': (-1,)}", FEDN_ERR_FORMAT, "tuple"},
        {HEAD "'shape': (1+1,)}", FEDN_ERR_FORMAT, "tuple"},
        {HEAD "'shape': ((1,),)}", FEDN_ERR_FORMAT, "tuple"},
        {HEAD "'shape': (__import__('os').system('x'),)}", FEDN_ERR_FORMAT, "tuple"},
        {HEAD "'shape': (9223372036854775808,)}", FEDN_ERR_LIMIT, "9223372036854775807"},
        {HEAD "'shape': (99999999999999999999999999999,)}", FEDN_ERR_LIMIT, "9223372036854775807"},
        {HEAD "'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)}",
         FEDN_ERR_LIMIT, "rank 32"},
        {"{'d\xe9scr': '<f4'}", FEDN_ERR_FORMAT, "UTF-8"},
    };
    uint8_t data[4096];
    fedn_error err;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fedn__npy npy;
        uint64_t bytes = wrap(data, 2, rows[i].text);
        assert_fails(fedn__npy_parse(data, bytes, &npy, &err), rows[i].status, &err, rows[i].words);
    }
}

static void wrong_beginnings_are_refused(void **state)
{
    (void)state;
    uint8_t data[16] = "\x93NUMPY\x01\x00\x10";
    uint64_t length = 0;
    fedn_error err;

    assert_ok(fedn__npy_length(data, 10, &length, &err), &err);
    assert_int_equal(length, 26);
    assert_fails(fedn__npy_length(data, 9, &length, &err), FEDN_ERR_FORMAT, &err, ".npy");
    data[6] = 2;
    assert_fails(fedn__npy_length(data, 11, &length, &err), FEDN_ERR_FORMAT, &err, "ends");
    data[10] = 1; /* 64 KiB and 16 bytes */
    assert_fails(fedn__npy_length(data, 12, &length, &err), FEDN_ERR_LIMIT, &err, "65552 65536");
    data[6] = 4;
    assert_fails(fedn__npy_length(data, 12, &length, &err), FEDN_ERR_UNSUPPORTED, &err, "4.0");
    data[6] = 1;
    data[7] = 1;
    assert_fails(fedn__npy_length(data, 12, &length, &err), FEDN_ERR_UNSUPPORTED, &err, "1.1");
    data[0] = 'P';
    assert_fails(fedn__npy_length(data, 12, &length, &err), FEDN_ERR_FORMAT, &err, ".npy");
}

static void what_is_written_is_aligned_and_read_back(void **state)
{
    (void)state;
    uint8_t data[FEDN__NPY_WRITTEN];
    uint64_t shape[FEDN_MODEL_MAX_RANK];
    fedn_error err;

    for (uint32_t i = 0; i < FEDN_MODEL_MAX_RANK; i++)
        shape[i] = INT64_MAX - i;
    for (fedn_dtype dtype = FEDN_DTYPE_F16; dtype <= FEDN_DTYPE_BOOL; dtype++) {
        for (uint32_t rank = 0; rank <= FEDN_MODEL_MAX_RANK; rank++) {
            fedn__npy npy;
            uint64_t bytes = fedn__npy_write(data, dtype, rank, shape);
            assert_int_equal(bytes % 64, 0);
            assert_int_equal(data[bytes - 1], '\n');
            assert_ok(fedn__npy_parse(data, bytes, &npy, &err), &err);
            assert_int_equal(npy.dtype, dtype);
            assert_int_equal(npy.rank, rank);
            assert_int_equal(npy.big || npy.fortran, 0);
            assert_memory_equal(npy.shape, shape, (size_t)rank * 8);
        }
    }
}

static void a_header_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    static const uint64_t shape[2] = {12, 34};
    uint8_t data[FEDN__NPY_WRITTEN];
    fedn_error err;
    fedn__npy npy;
    uint64_t bytes = fedn__npy_write(data, FEDN_DTYPE_F32, 2, shape);

    for (uint64_t cut = 0; cut < bytes; cut++)
        assert_fails(fedn__npy_parse(data, cut, &npy, &err), FEDN_ERR_FORMAT, &err, ".npy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_as_numpy_writes_them_are_read),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(wrong_beginnings_are_refused),
        cmocka_unit_test(what_is_written_is_aligned_and_read_back),
        cmocka_unit_test(a_header_that_is_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
