/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/limits.h"
#include "model/index.h"

static const uint64_t pair[2] = {2, 3};

static fedn_status add(fedn__index *index, const char *name, fedn_error *err)
{
    fedn__entry *entry = NULL;
    return fedn__index_add(index, name, FEDN_DTYPE_F32, 2, pair, &entry, err);
}

static void names_and_sizes_are_copied(void **state)
{
    (void)state;
    fedn_error err;
    fedn__index index;
    fedn__entry *entry = NULL;
    char name[] = "a/b";
    uint64_t shape[2] = {4, 5};

    fedn__index_init(&index, 0);
    assert_ok(fedn__index_add(&index, name, FEDN_DTYPE_F64, 2, shape, &entry, &err), &err);
    name[0] = 'x';
    shape[0] = 9;
    assert_string_equal(entry->info.name, "a/b");
    assert_int_equal(entry->info.shape[0], 4);
    assert_int_equal(entry->info.elements, 20);
    assert_int_equal(entry->info.bytes, 160);
    assert_int_equal(index.bytes, 160);
    assert_int_equal(fedn__index_find(&index, "a/b"), 0);
    assert_int_equal(fedn__index_find(&index, "x/b"), -1);
    fedn__index_done(&index);
}

static void bad_names_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",        "/x",   "..",    "../x",     "a/..",     "a/../b",
        "a//../b", "a\nb", "a\x7f", "\xff\xfe", "\xc0\xaf", "\xed\xa0\x80",
    };
    static const char *const good[] = {"..a", "a..", "a/..b", "a/b..", "a.b", "größe", "a b", "."};
    fedn_error err;
    fedn__index index;
    char longest[257];

    for (int32_t foreign = 0; foreign < 2; foreign++) {
        fedn_status wanted = foreign ? FEDN_ERR_FORMAT : FEDN_ERR_INVALID;
        fedn__index_init(&index, foreign);
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
            assert_fails(add(&index, bad[i], &err), wanted, &err, "tensor name");
        for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
            assert_ok(add(&index, good[i], &err), &err);
        memset(longest, 'n', sizeof longest);
        longest[256] = 0;
        assert_fails(add(&index, longest, &err), wanted, &err, "255");
        longest[255] = 0;
        assert_ok(add(&index, longest, &err), &err);
        assert_fails(add(&index, "a.b", &err), foreign ? FEDN_ERR_FORMAT : FEDN_ERR_EXISTS, &err,
                     "a.b twice");
        fedn__index_done(&index);
    }
}

static void shapes_that_overflow_are_refused(void **state)
{
    (void)state;
    const uint64_t big = (uint64_t)1 << 60;
    const struct {
        uint32_t rank;
        uint64_t shape[4];
        int32_t fits;
        uint64_t elements;
    } rows[] = {
        {1, {big}, 1, big},       {1, {big * 2}, 0, 0},
        {2, {big, 2}, 0, 0},      {2, {(uint64_t)1 << 32, (uint64_t)1 << 32}, 0, 0},
        {3, {0, big, big}, 0, 0}, /* empty, but a part of it would overflow */
        {3, {0, 7, 8}, 1, 0},     {4, {UINT64_MAX, 1, 1, 1}, 0, 0},
        {0, {0}, 1, 1},
    };
    fedn_error err;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fedn__index index;
        fedn__entry *entry = NULL;
        fedn__index_init(&index, 1);
        fedn_status rc =
            fedn__index_add(&index, "t", FEDN_DTYPE_F32, rows[i].rank, rows[i].shape, &entry, &err);
        assert_int_equal(rc, rows[i].fits ? FEDN_OK : FEDN_ERR_LIMIT);
        if (rows[i].fits)
            assert_int_equal(entry->info.elements, rows[i].elements);
        else
            test_assert_words(err.message, "\"t\" elements float32");
        fedn__index_done(&index);
    }
}

static void the_sum_of_all_bytes_does_not_overflow(void **state)
{
    (void)state;
    fedn_error err;
    fedn__index index;
    fedn__entry *entry = NULL;
    uint64_t shape = (uint64_t)1 << 60;

    fedn__index_init(&index, 1);
    assert_ok(fedn__index_add(&index, "a", FEDN_DTYPE_F32, 1, &shape, &entry, &err), &err);
    assert_fails(fedn__index_add(&index, "b", FEDN_DTYPE_F32, 1, &shape, &entry, &err),
                 FEDN_ERR_LIMIT, &err, "\"b\" model");
    assert_int_equal(index.count, 1);
    assert_int_equal(fedn__index_find(&index, "b"), -1);
    fedn__index_done(&index);
}

static void types_ranks_and_counts_are_bounded(void **state)
{
    (void)state;
    fedn_error err;
    fedn__index index;
    fedn__entry *entry = NULL;
    uint64_t shape[33];
    char name[16];

    for (size_t i = 0; i < 33; i++)
        shape[i] = 1;
    fedn__index_init(&index, 0);
    assert_fails(fedn__index_add(&index, "t", 99, 0, NULL, &entry, &err), FEDN_ERR_INVALID, &err,
                 "\"t\" 99");
    assert_fails(fedn__index_add(&index, "t", FEDN_DTYPE_I8, 33, shape, &entry, &err),
                 FEDN_ERR_INVALID, &err, "\"t\" 33 32");
    assert_fails(fedn__index_add(&index, "t", FEDN_DTYPE_I8, 1, NULL, &entry, &err),
                 FEDN_ERR_INVALID, &err, "\"t\" shape");
    assert_ok(fedn__index_add(&index, "t", FEDN_DTYPE_I8, 32, shape, &entry, &err), &err);
    for (uint32_t i = 1; i < FEDN__LIMIT_TENSORS; i++) {
        snprintf(name, sizeof name, "%u", i);
        assert_ok(add(&index, name, &err), &err);
    }
    assert_fails(add(&index, "one more", &err), FEDN_ERR_LIMIT, &err, "one_more 100000");
    assert_int_equal(fedn__index_find(&index, "99999"), 99999);
    fedn__index_done(&index);
}

static void numbers_are_sorted_as_numbers(void **state)
{
    (void)state;
    static const char *const names[] = {"10", "2", "0", "100", "1"};
    static const char *const sorted[] = {"0", "1", "2", "10", "100"};
    fedn_error err;
    fedn__index index;

    fedn__index_init(&index, 1);
    for (size_t i = 0; i < 5; i++)
        assert_ok(add(&index, names[i], &err), &err);
    assert_ok(fedn__index_sort_numbers(&index, &err), &err);
    for (int32_t i = 0; i < 5; i++) {
        assert_string_equal(index.entries[i].info.name, sorted[i]);
        assert_int_equal(fedn__index_find(&index, sorted[i]), i);
    }
    /* one name that is none keeps the order of the file */
    static const char *const others[] = {"007", "3x", "1234567890", "-1"};
    for (size_t i = 0; i < 4; i++) {
        fedn__index_done(&index);
        assert_ok(add(&index, "2", &err), &err);
        assert_ok(add(&index, "1", &err), &err);
        assert_ok(add(&index, others[i], &err), &err);
        assert_ok(fedn__index_sort_numbers(&index, &err), &err);
        assert_string_equal(index.entries[0].info.name, "2");
    }
    fedn__index_done(&index);
}

static void long_shapes_are_cut_in_texts(void **state)
{
    (void)state;
    uint64_t shape[32];
    char text[FEDN__TENSOR_TEXT];
    fedn__tensor_info info = {.shape = shape, .dtype = FEDN_DTYPE_U64, .rank = 32};

    for (size_t i = 0; i < 32; i++)
        shape[i] = UINT64_MAX;
    fedn__tensor_text(&info, text);
    test_assert_words(text, "uint64 18446744073709551615 ...)");
    shape[0] = 7;
    info.rank = 1;
    fedn__tensor_text(&info, text);
    assert_string_equal(text, "uint64 (7,)");
    info.rank = 0;
    fedn__tensor_text(&info, text);
    assert_string_equal(text, "uint64 ()");
}

static fedn_status fill_and_sort(void *arg)
{
    (void)arg;
    fedn__index index;
    char name[16];
    fedn_status rc = FEDN_OK;

    fedn__index_init(&index, 1);
    for (int i = 40; i > 0 && rc == FEDN_OK; i--) {
        snprintf(name, sizeof name, "%d", i);
        rc = add(&index, name, NULL);
    }
    if (rc == FEDN_OK)
        rc = fedn__index_sort_numbers(&index, NULL);
    fedn__index_done(&index);
    return rc;
}

static void each_failed_allocation_is_survived(void **state)
{
    (void)state;
    test_fail_each_allocation(fill_and_sort, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_sizes_are_copied),
        cmocka_unit_test(bad_names_are_refused),
        cmocka_unit_test(shapes_that_overflow_are_refused),
        cmocka_unit_test(the_sum_of_all_bytes_does_not_overflow),
        cmocka_unit_test(types_ranks_and_counts_are_bounded),
        cmocka_unit_test(numbers_are_sorted_as_numbers),
        cmocka_unit_test(long_shapes_are_cut_in_texts),
        cmocka_unit_test(each_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
