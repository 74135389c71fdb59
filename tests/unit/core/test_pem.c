/* SPDX-License-Identifier: Apache-2.0
 * Files of certificates: read, or refused with the property and the file. */
#include "core/pem.h"

#include "core/fs.h"
#include "core/limits.h"
#include "test.h"
#include <stdlib.h>

#define ONE "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"

static void a_file_with_a_certificate_is_read(void **state)
{
    char *path = fedn__fs_join(*state, "ca.pem");
    char *text = NULL;
    fedn_error err;

    test_write_file(path, "# ours\n" ONE, sizeof "# ours\n" ONE - 1);
    assert_ok(fedn__pem_read("client.tls_ca", path, &text, &err), &err);
    assert_string_equal(text, "# ours\n" ONE);
    fedn__free(text);
    fedn__free(path);
}

static void what_is_none_is_refused_by_property_and_name(void **state)
{
    char *path = fedn__fs_join(*state, "not.pem");
    uint64_t bytes = FEDN__LIMIT_PEM_FILE + 1;
    char *large = calloc(1, bytes);
    char *text = NULL;
    fedn_error err;

    assert_fails(fedn__pem_read("client.tls_ca", path, &text, &err), FEDN_ERR_NOT_FOUND, &err,
                 "client.tls_ca not.pem");
    test_write_file(path, "", 0);
    assert_fails(fedn__pem_read("client.tls_ca", path, &text, &err), FEDN_ERR_FORMAT, &err,
                 "client.tls_ca not.pem PEM");
    memcpy(large, ONE, sizeof ONE - 1);
    test_write_file(path, large, bytes);
    assert_fails(fedn__pem_read("client.tls_ca", path, &text, &err), FEDN_ERR_LIMIT, &err,
                 "client.tls_ca not.pem 4194304");
    assert_true(fedn__pem_read("client.tls_ca", *state, &text, &err) != FEDN_OK);
    test_assert_words(err.message, "client.tls_ca");
    assert_null(text);
    free(large);
    fedn__free(path);
}

static fedn_status read_one(void *path)
{
    char *text = NULL;

    fedn_status rc = fedn__pem_read("client.tls_ca", path, &text, NULL);
    fedn__free(text);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    char *path = fedn__fs_join(*state, "ca.pem");

    test_write_file(path, ONE, sizeof ONE - 1);
    test_fail_each_allocation(read_one, path);
    fedn__free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_with_a_certificate_is_read),
        cmocka_unit_test(what_is_none_is_refused_by_property_and_name),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_scratch_setup, test_scratch_teardown);
}
