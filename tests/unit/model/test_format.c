/* SPDX-License-Identifier: Apache-2.0
 * The table of formats, recognising, raw files, and formats that are plugged in. */
#include "samples.h"

#include "core/limits.h"
#include "model/format.h"
#include <stdlib.h>

static void every_name_of_a_format_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *same;
    } rows[] = {
        {"npz", "numpyhelper"},           {"raw-float64", "binaryhelper"},
        {"raw-float32", "androidhelper"}, {"safetensors", "safetensors"},
        {"npz-deflate", "npz-deflate"},
    };
    fedn_error err;
    const fedn__format *one = NULL;
    const fedn__format *two = NULL;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_ok(fedn__format_find(rows[i].name, &one, &err), &err);
        assert_ok(fedn__format_find(rows[i].same, &two, &err), &err);
        assert_ptr_equal(one, two);
    }
    for (fedn_dtype dtype = FEDN_DTYPE_F16; dtype <= FEDN_DTYPE_BOOL; dtype++) {
        char name[32];
        snprintf(name, sizeof name, "raw-%s", fedn_dtype_name(dtype));
        assert_ok(fedn__format_find(name, &one, &err), &err);
        assert_int_equal(one->dtype, dtype);
    }
    assert_fails(fedn__format_find("splitlearninghelper", &one, &err), FEDN_ERR_UNSUPPORTED, &err,
                 "splitlearninghelper split learning is not supported");
    assert_fails(fedn__format_find("pickle", &one, &err), FEDN_ERR_UNSUPPORTED, &err,
                 "pickle npz safetensors");
    assert_null(one);
}

static void formats_are_recognised_by_their_first_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        uint64_t bytes;
        const char *name; /* NULL: neither */
    } rows[] = {
        {"PK\x03\x04xx", 6, "npz"},
        {"PK\x05\x06", 4, "npz"},
        {"PK\x01\x02", 4, NULL},
        {"\x02\0\0\0\0\0\0\0{}", 10, "safetensors"},
        {"\x02\0\0\0\0\0\0\1{}", 10, NULL},
        {"\x02\0\0\0\0\0\0\0[]", 10, NULL},
        {"\x02\0\0\0\0\0\0\0", 8, NULL},
        {"", 0, NULL},
        {"\x93NUMPY\1\0", 8, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fedn__input input = {.memory = (const uint8_t *)rows[i].head, .bytes = rows[i].bytes};
        const fedn__format *format = NULL;
        fedn_error err;
        if (rows[i].name) {
            assert_ok(fedn__format_recognise(&input, &format, &err), &err);
            assert_string_equal(format->name, rows[i].name);
        } else {
            assert_fails(fedn__format_recognise(&input, &format, &err), FEDN_ERR_FORMAT, &err,
                         "npz safetensors");
        }
    }
}

static void raw_files_are_one_flat_tensor(void **state)
{
    (void)state;
    static const float data[3] = {1, 2, 3};
    fedn_error err;
    fedn_model *model = NULL;

    assert_ok(fedn_model_decode(data, 12, "androidhelper", &model, &err), &err);
    assert_int_equal(fedn_model_count(model), 1);
    assert_string_equal(fedn_model_name(model, 0), "0");
    assert_int_equal(fedn_model_rank(model, 0), 1);
    assert_int_equal(fedn_model_shape(model, 0)[0], 3);
    assert_memory_equal(fedn_model_data(model, 0), data, 12);
    fedn_model_unref(model);
    assert_fails(fedn_model_decode(data, 11, "raw-float32", &model, &err), FEDN_ERR_FORMAT, &err,
                 "11 4");
    assert_null(model);
    assert_ok(fedn_model_decode(NULL, 0, "raw-float32", &model, &err), &err);
    assert_int_equal(fedn_model_elements(model, 0), 0);
    fedn_model_unref(model);
}

static void raw_files_hold_tensors_of_their_type_one_after_the_other(void **state)
{
    (void)state;
    static const float data[3] = {1, 2, 3};
    const uint64_t two = 2;
    fedn_error err;
    fedn_model *model = NULL;
    void *bytes = NULL;
    uint64_t count = 0;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "a", FEDN_DTYPE_F32, 1, &two, data, NULL, &err), &err);
    assert_ok(fedn_model_add(model, "b", FEDN_DTYPE_F32, 0, NULL, data + 2, NULL, &err), &err);
    assert_ok(fedn_model_encode(model, "raw-float32", &bytes, &count, &err), &err);
    assert_int_equal(count, 12);
    assert_memory_equal(bytes, data, 12);
    fedn_free(bytes);
    assert_fails(fedn_model_encode(model, "binaryhelper", &bytes, &count, &err),
                 FEDN_ERR_UNSUPPORTED, &err, "raw-float64 \"a\" float32");
    assert_null(bytes);
    fedn_model_unref(model);
}

/* A format of its own: every byte is an int8 scalar. */
static fedn_status decode_bytes(const void *data, uint64_t bytes, fedn_model *into, void *user_data,
                                fedn_error *err)
{
    const int8_t *from = data;

    assert_string_equal(user_data, "mine");
    if (bytes == 0)
        return FEDN_ERR_FORMAT; /* without a text */
    if (bytes == 1)
        return fedn_error_set(err, FEDN_ERR_FORMAT, "one byte is too few");
    if (bytes == 2)
        return 1; /* no status */
    for (uint64_t i = 0; i < bytes; i++) {
        fedn_status rc = fedn_model_add(into, NULL, FEDN_DTYPE_I8, 0, NULL, from + i, NULL, err);
        if (rc != FEDN_OK)
            return rc;
    }
    return FEDN_OK;
}

static fedn_status encode_bytes(const fedn_model *model, fedn_model_write_fn write, void *sink,
                                void *user_data, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    assert_string_equal(user_data, "mine");
    if (fedn_model_count(model) == 0)
        return fedn_error_set(err, FEDN_ERR_UNSUPPORTED, "no tensor");
    for (uint32_t i = 0; i < fedn_model_count(model) && rc == FEDN_OK; i++)
        rc = write(fedn_model_data(model, i), fedn_model_bytes(model, i), sink, err);
    return rc;
}

static const fedn_model_format mine = {sizeof mine, "my-bytes_1", decode_bytes, encode_bytes};

static void a_plugged_in_format_works_like_a_built_in_one(void **state)
{
    (void)state;
    fedn_error err;
    fedn_model *model = NULL;
    void *bytes = NULL;
    uint64_t count = 0;

    assert_ok(fedn_model_format_register(&mine, (void *)(uintptr_t) "mine", &err), &err);
    assert_ok(fedn_model_decode("abc", 3, "my-bytes_1", &model, &err), &err);
    assert_int_equal(fedn_model_count(model), 3);
    assert_fails(fedn_model_add(model, NULL, FEDN_DTYPE_I8, 0, NULL, NULL, NULL, &err),
                 FEDN_ERR_STATE, &err, "handed");
    assert_ok(fedn_model_encode(model, "my-bytes_1", &bytes, &count, &err), &err);
    assert_int_equal(count, 3);
    assert_memory_equal(bytes, "abc", 3);
    fedn_free(bytes);
    fedn_model_unref(model);
    assert_fails(fedn_model_decode("", 0, "my-bytes_1", &model, &err), FEDN_ERR_FORMAT, &err,
                 "my-bytes malformed");
    assert_null(model);
    assert_fails(fedn_model_decode("a", 1, "my-bytes_1", &model, &err), FEDN_ERR_FORMAT, &err,
                 "my-bytes one");
    assert_fails(fedn_model_decode("ab", 2, "my-bytes_1", &model, &err), FEDN_ERR_CALLBACK, &err,
                 "my-bytes callback");
    assert_ok(fedn_model_new(&model, &err), &err);
    assert_fails(fedn_model_encode(model, "my-bytes_1", &bytes, &count, &err), FEDN_ERR_UNSUPPORTED,
                 &err, "my-bytes no_tensor");
    fedn_model_unref(model);
}

static fedn_status decode_and_encode(void *arg)
{
    fedn_model *model = NULL;
    void *bytes = NULL;
    uint64_t count = 0;

    (void)arg;
    fedn_status rc = fedn_model_decode("abcd", 4, "my-bytes_1", &model, NULL);
    if (rc == FEDN_OK)
        rc = fedn_model_encode(model, "my-bytes_1", &bytes, &count, NULL);
    fedn_free(bytes);
    fedn_model_unref(model);
    return rc;
}

static void each_failed_allocation_is_survived(void **state)
{
    (void)state;
    test_fail_each_allocation(decode_and_encode, NULL);
}

static void tables_that_are_no_format_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        NULL,
        "",
        "Upper",
        "a b",
        "a/b",
        "x.y",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    static const char *const taken[] = {"npz", "numpyhelper", "raw-int8", "my-bytes_1"};
    fedn_error err;
    fedn_model_format format = mine;

    assert_fails(fedn_model_format_register(NULL, NULL, &err), FEDN_ERR_INVALID, &err, "NULL");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        format.name = names[i];
        assert_fails(fedn_model_format_register(&format, NULL, &err), FEDN_ERR_INVALID, &err,
                     "name 63");
    }
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        format.name = taken[i];
        assert_int_equal(fedn_model_format_register(&format, NULL, &err), FEDN_ERR_EXISTS);
        assert_non_null(strstr(err.message, taken[i]));
    }
    format = mine;
    format.struct_size--;
    assert_fails(fedn_model_format_register(&format, NULL, &err), FEDN_ERR_INVALID, &err, "table");
    format = mine;
    format.encode = NULL;
    assert_fails(fedn_model_format_register(&format, NULL, &err), FEDN_ERR_INVALID, &err, "encode");
}

/* The last test: it fills the table. */
static void the_table_of_formats_is_bounded(void **state)
{
    (void)state;
    static fedn_model_format formats[FEDN__LIMIT_REGISTRY];
    static char names[FEDN__LIMIT_REGISTRY][16];
    fedn_error err;
    fedn_status rc = FEDN_OK;
    uint32_t added = 0;

    for (; added < FEDN__LIMIT_REGISTRY && rc == FEDN_OK; added++) {
        snprintf(names[added], sizeof names[added], "format-%u", added);
        formats[added] = mine;
        formats[added].name = names[added];
        rc = fedn_model_format_register(&formats[added], NULL, &err);
    }
    assert_int_equal(rc, FEDN_ERR_LIMIT);
    assert_int_equal(added, FEDN__LIMIT_REGISTRY); /* one was there before */
    test_assert_words(err.message, "format-63 64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_of_a_format_is_found),
        cmocka_unit_test(formats_are_recognised_by_their_first_bytes),
        cmocka_unit_test(raw_files_are_one_flat_tensor),
        cmocka_unit_test(raw_files_hold_tensors_of_their_type_one_after_the_other),
        cmocka_unit_test(a_plugged_in_format_works_like_a_built_in_one),
        cmocka_unit_test(each_failed_allocation_is_survived),
        cmocka_unit_test(tables_that_are_no_format_are_refused),
        cmocka_unit_test(the_table_of_formats_is_bounded),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
