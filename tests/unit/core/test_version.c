/* SPDX-License-Identifier: Apache-2.0
 * The loaded library and the headers say the same release. */
#include "test.h"

#include <fedn/version.h>

static void number_and_text_agree_with_the_headers(void **state)
{
    (void)state;
    char text[64];

    assert_int_equal(fedn_version(),
                     FEDN_VERSION_MAJOR * 1000000 + FEDN_VERSION_MINOR * 1000 + FEDN_VERSION_PATCH);
    snprintf(text, sizeof text, "%d.%d.%d", FEDN_VERSION_MAJOR, FEDN_VERSION_MINOR,
             FEDN_VERSION_PATCH);
    assert_string_equal(text, FEDN_VERSION_STRING);
    assert_non_null(strstr(fedn_version_string(), text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_and_text_agree_with_the_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
