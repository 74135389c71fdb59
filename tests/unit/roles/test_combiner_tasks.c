/* SPDX-License-Identifier: Apache-2.0
 * What a client may say about models inside of tasks, and what a combiner makes of it. */
#include "test.h"

#include "roles/combiner/service.h"

static void only_a_number_in_an_object_is_understood(void **state)
{
    static const struct {
        const char *data;
        uint64_t most;
    } cases[] = {
        {"", 0},
        {"{\"inline_bytes\":5000}", 5000},
        {"{\"inline_bytes\": 1, \"more\": [true]}", 1},
        {"{\"inline_bytes\":131072}", 131072},
        {"{\"inline_bytes\":131073}", FEDN__LIMIT_INLINE_MODEL},
        {"{\"inline_bytes\":9223372036854775807}", FEDN__LIMIT_INLINE_MODEL},
        {"{\"inline_bytes\":99999999999999999999}", 0},
        {"{\"inline_bytes\":0}", 0},
        {"{\"inline_bytes\":-1}", 0},
        {"{\"inline_bytes\":\"5000\"}", 0},
        {"{\"inline_bytes\":5e3}", 0},
        {"{\"inline_bytes\":null}", 0},
        {"{\"inline_bytes\":5000", 0},
        {"{}", 0},
        {"[5000]", 0},
        {"5000", 0},
        {"client is ready", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (fedn__combiner_read_inline(cases[i].data) != cases[i].most)
            fail_msg("%s is understood as %llu", cases[i].data,
                     (unsigned long long)fedn__combiner_read_inline(cases[i].data));
}

static void a_long_text_is_not_even_parsed(void **state)
{
    char *data = fedn__strf("{\"inline_bytes\":5000%*s}", (int)FEDN__LIMIT_TEXT_BYTES, "");

    (void)state;
    (void)fedn__alloc_fail_at(0);
    assert_int_equal(fedn__combiner_read_inline(data), 0);
    assert_int_equal(fedn__alloc_fail_at(0), 0);
    fedn__free(data);
}

static void updates_come_along_up_to_the_ceiling_of_the_combiner(void **state)
{
    static const struct {
        uint64_t max_model_bytes;
        uint64_t most;
    } cases[] = {{1000, 1000}, {FEDN__GIB, FEDN__LIMIT_INLINE_MODEL}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const fedn__combiner_service service = {.options.max_model_bytes =
                                                    cases[i].max_model_bytes};
        assert_int_equal(fedn__combiner_most_inline(&service), cases[i].most);
    }
}

static fedn_status read_data(void *arg)
{
    return fedn__combiner_read_inline(arg) == 5000 ? FEDN_OK : FEDN_ERR_NOMEM;
}

static void without_memory_nothing_is_understood(void **state)
{
    char data[] = "{\"inline_bytes\":5000}";

    (void)state;
    test_fail_each_allocation(read_data, data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_number_in_an_object_is_understood),
        cmocka_unit_test(a_long_text_is_not_even_parsed),
        cmocka_unit_test(updates_come_along_up_to_the_ceiling_of_the_combiner),
        cmocka_unit_test(without_memory_nothing_is_understood),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
