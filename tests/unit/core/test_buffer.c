/* SPDX-License-Identifier: Apache-2.0
 * The growing buffer: its ceiling, its text, what a failure leaves. */
#include "test.h"

#include "core/buffer.h"

static void it_grows_up_to_its_ceiling_and_stays_as_it_was_beyond(void **state)
{
    (void)state;
    fedn__buffer buffer;

    fedn__buffer_init(&buffer, 100);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(fedn__buffer_add(&buffer, "0123456789", 10), FEDN_OK);
    assert_int_equal(fedn__buffer_add(&buffer, "x", 1), FEDN_ERR_LIMIT);
    assert_int_equal(fedn__buffer_add_format(&buffer, "%d", 5), FEDN_ERR_LIMIT);
    assert_int_equal(fedn__buffer_add(&buffer, "", 0), FEDN_OK);
    assert_int_equal(buffer.len, 100);
    assert_int_equal(strlen(fedn__buffer_text(&buffer)), 100);
    fedn__buffer_clear(&buffer);
    assert_string_equal(fedn__buffer_text(&buffer), "");
    assert_int_equal(fedn__buffer_add(&buffer, "again", 5), FEDN_OK);
    fedn__buffer_done(&buffer);
    assert_int_equal(buffer.limit, 100);
    fedn__buffer_done(&buffer);
}

static void impossible_sizes_are_refused_without_wrapping_around(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX / 2, (uint64_t)1 << 63,
                                     ((uint64_t)1 << 62) + 1};
    fedn__buffer buffer;
    uint8_t *room = NULL;

    fedn__buffer_init(&buffer, UINT64_MAX);
    assert_int_equal(fedn__buffer_add_text(&buffer, "kept"), FEDN_OK);
    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        fedn_status rc = fedn__buffer_reserve(&buffer, sizes[i], &room);
        assert_true(rc == FEDN_ERR_LIMIT || rc == FEDN_ERR_NOMEM);
        assert_null(room);
    }
    assert_string_equal(fedn__buffer_text(&buffer), "kept");
    fedn__buffer_done(&buffer);
}

static void reserved_room_counts_once_it_is_written(void **state)
{
    (void)state;
    fedn__buffer buffer;
    uint8_t *room = NULL;

    fedn__buffer_init(&buffer, 1000);
    assert_int_equal(fedn__buffer_add_text(&buffer, "a"), FEDN_OK);
    assert_int_equal(fedn__buffer_reserve(&buffer, 500, &room), FEDN_OK);
    memset(room, 'b', 500);
    assert_int_equal(buffer.len, 1);
    fedn__buffer_grow(&buffer, 2);
    assert_string_equal(fedn__buffer_text(&buffer), "abb");
    fedn__buffer_done(&buffer);
}

static void what_is_taken_ends_in_a_nul_and_leaves_it_empty(void **state)
{
    (void)state;
    fedn__buffer buffer;

    fedn__buffer_init(&buffer, 64);
    assert_int_equal(fedn__buffer_add_format(&buffer, "%s=%d", "round", 7), FEDN_OK);
    char *text = fedn__buffer_take(&buffer);
    assert_string_equal(text, "round=7");
    assert_null(buffer.data);
    fedn__free(text);
    text = fedn__buffer_take(&buffer);
    assert_string_equal(text, "");
    fedn__free(text);
}

static fedn_status fill(void *arg)
{
    fedn__buffer buffer;
    (void)arg;

    fedn__buffer_init(&buffer, 10000);
    fedn_status rc = FEDN_OK;
    for (uint32_t i = 0; i < 100 && rc == FEDN_OK; i++) {
        uint64_t before = buffer.len;
        rc = fedn__buffer_add_format(&buffer, "%u,", i);
        if (rc != FEDN_OK)
            assert_int_equal(buffer.len, before);
    }
    char *text = rc == FEDN_OK ? fedn__buffer_take(&buffer) : NULL;
    fedn__buffer_done(&buffer);
    fedn__free(text);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(fill, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_up_to_its_ceiling_and_stays_as_it_was_beyond),
        cmocka_unit_test(impossible_sizes_are_refused_without_wrapping_around),
        cmocka_unit_test(reserved_room_counts_once_it_is_written),
        cmocka_unit_test(what_is_taken_ends_in_a_nul_and_leaves_it_empty),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
