/* SPDX-License-Identifier: Apache-2.0
 * Digests: known values, and that it does not matter in what pieces the bytes come. */
#include "test.h"

#include "core/digest.h"

static void hex(const uint8_t digest[FEDN__DIGEST_BYTES], char ret[2 * FEDN__DIGEST_BYTES + 1])
{
    for (uint32_t i = 0; i < FEDN__DIGEST_BYTES; i++)
        snprintf(ret + (size_t)2 * i, 3, "%02x", digest[i]);
}

static void known_texts_have_the_values_of_other_programs(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *value;
    } cases[] = {{"", "99aa06d3014798d86001c324468d497f"},
                 {"abc", "06b05ab6733a618578af5f94892f3950"}};
    uint8_t digest[FEDN__DIGEST_BYTES];
    char text[2 * FEDN__DIGEST_BYTES + 1];

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fedn__digest_of(cases[i].text, strlen(cases[i].text), digest);
        hex(digest, text);
        assert_string_equal(text, cases[i].value);
    }
    fedn__digest_of(NULL, 0, digest);
    hex(digest, text);
    assert_string_equal(text, cases[0].value);
}

static void pieces_of_any_size_come_to_the_same(void **state)
{
    (void)state;
    static uint8_t data[100003];
    static const uint64_t sizes[] = {1, 7, 64, 255, 256, 257, 1023, 4096, 65537, sizeof data};
    uint8_t whole[FEDN__DIGEST_BYTES];
    uint8_t pieces[FEDN__DIGEST_BYTES];

    for (uint32_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    fedn__digest_of(data, sizeof data, whole);
    for (uint32_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        fedn__digest *sums = fedn__digest_new();
        assert_non_null(sums);
        for (uint64_t at = 0; at < sizeof data; at += sizes[s]) {
            uint64_t left = sizeof data - at;
            fedn__digest_add(sums, data + at, left < sizes[s] ? left : sizes[s]);
        }
        fedn__digest_value(sums, pieces);
        assert_memory_equal(pieces, whole, sizeof whole);
        fedn__digest_free(sums);
    }
}

static void a_value_in_the_middle_is_that_of_the_start_and_changes_nothing(void **state)
{
    (void)state;
    uint8_t data[1000];
    uint8_t expected[FEDN__DIGEST_BYTES];
    uint8_t seen[FEDN__DIGEST_BYTES];
    fedn__digest *sums = fedn__digest_new();

    memset(data, 9, sizeof data);
    assert_non_null(sums);
    for (uint64_t at = 0; at < sizeof data; at += 100) {
        fedn__digest_value(sums, seen);
        fedn__digest_of(data, at, expected);
        assert_memory_equal(seen, expected, sizeof seen);
        fedn__digest_add(sums, data + at, 100);
        fedn__digest_add(sums, NULL, 0);
    }
    fedn__digest_free(sums);
    fedn__digest_free(NULL);
}

static fedn_status make_one(void *arg)
{
    fedn__digest *sums = fedn__digest_new();

    (void)arg;
    fedn__digest_free(sums);
    return sums ? FEDN_OK : FEDN_ERR_NOMEM;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(make_one, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts_have_the_values_of_other_programs),
        cmocka_unit_test(pieces_of_any_size_come_to_the_same),
        cmocka_unit_test(a_value_in_the_middle_is_that_of_the_start_and_changes_nothing),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
