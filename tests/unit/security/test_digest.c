/* SPDX-License-Identifier: Apache-2.0
 * SHA-256: the values of FIPS 180-4, and contents of more than one block. */
#include "test.h"

#include "core/alloc.h"
#include "security/digest.h"

static void assert_digest(const void *data, uint64_t bytes, const char *wanted)
{
    char text[FEDN__SHA256_TEXT];
    fedn__blob *blob = NULL;
    fedn_error err;

    assert_ok(fedn__blob_copy(data, bytes, &blob, &err), &err);
    assert_ok(fedn__sha256_blob(blob, text, &err), &err);
    fedn__blob_unref(blob);
    assert_string_equal(text, wanted);
}

static void known_texts_have_the_values_of_the_standard(void **state)
{
    (void)state;
    static uint8_t million[1000000];

    memset(million, 'a', sizeof million);
    assert_digest("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest(million, sizeof million,
                  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static fedn_status digest(void *arg)
{
    char text[FEDN__SHA256_TEXT];

    return fedn__sha256_blob(arg, text, NULL);
}

static void every_allocation_may_fail(void **state)
{
    fedn__blob *blob = NULL;
    fedn_error err;

    (void)state;
    assert_ok(fedn__blob_copy("abc", 3, &blob, &err), &err);
    test_fail_each_allocation(digest, blob);
    fedn__blob_unref(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts_have_the_values_of_the_standard),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
