/* SPDX-License-Identifier: Apache-2.0
 * UUIDs: one spelling in, one spelling out, never the same twice. */
#include "test.h"

#include "core/uuid.h"
#include <stdlib.h>

static void canonical_text_comes_back_in_lower_case(void **state)
{
    (void)state;
    fedn__uuid uuid;
    char text[FEDN__UUID_TEXT];

    assert_int_equal(fedn__uuid_parse("01234567-89AB-cdef-0123-456789ABCDEF", &uuid), 1);
    fedn__uuid_format(&uuid, text);
    assert_string_equal(text, "01234567-89ab-cdef-0123-456789abcdef");
    assert_int_equal(uuid.bytes[0], 0x01);
    assert_int_equal(uuid.bytes[15], 0xef);
}

static void anything_else_is_refused_without_reading_past_its_end(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "0",
                                      "01234567",
                                      "01234567-",
                                      "0123456789abcdef0123456789abcdef",
                                      "01234567-89ab-cdef-0123-456789abcde",
                                      "01234567-89ab-cdef-0123-456789abcdef0",
                                      "01234567-89ab-cdef-0123-456789abcdeg",
                                      "{0123456-89ab-cdef-0123-456789abcdef",
                                      "01234567_89ab-cdef-0123-456789abcdef",
                                      "0123456-789ab-cdef-0123-456789abcdef",
                                      "../../../../../../../../../etc/passwd",
                                      "01234567-89ab-cdef-0123-456789abcd\xc3\xbc"};
    fedn__uuid uuid = {{7}};

    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *copy = strdup(bad[i]); /* of its exact size, for the sanitizer */
        if (fedn__uuid_parse(copy, &uuid))
            fail_msg("\"%s\" was taken", copy);
        free(copy);
    }
    assert_int_equal(fedn__uuid_parse(NULL, &uuid), 0);
    assert_int_equal(uuid.bytes[0], 7);
}

static void random_bytes_become_version_4(void **state)
{
    (void)state;
    uint8_t random[16];
    char text[FEDN__UUID_TEXT];
    fedn__uuid uuid;

    memset(random, 0xff, sizeof random);
    fedn__uuid_from_random(random, &uuid);
    fedn__uuid_format(&uuid, text);
    assert_string_equal(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    memset(random, 0, sizeof random);
    fedn__uuid_from_random(random, &uuid);
    fedn__uuid_format(&uuid, text);
    assert_string_equal(text, "00000000-0000-4000-8000-000000000000");
}

static void new_ones_differ(void **state)
{
    (void)state;
    char a[FEDN__UUID_TEXT];
    char b[FEDN__UUID_TEXT];
    fedn__uuid uuid;

    for (uint32_t i = 0; i < 100; i++) {
        fedn__uuid_new_text(a);
        fedn__uuid_new_text(b);
        assert_string_not_equal(a, b);
        assert_int_equal(fedn__uuid_parse(a, &uuid), 1);
        assert_int_equal(uuid.bytes[6] >> 4, 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_text_comes_back_in_lower_case),
        cmocka_unit_test(anything_else_is_refused_without_reading_past_its_end),
        cmocka_unit_test(random_bytes_become_version_4),
        cmocka_unit_test(new_ones_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
