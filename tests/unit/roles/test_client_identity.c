/* SPDX-License-Identifier: Apache-2.0
 * Where a client's id and name come from. */
#include "test.h"

#include "core/fs.h"
#include "roles/client/identity.h"
#include <stdlib.h>

static void given_id_is_taken_and_nothing_is_written(void **state)
{
    fedn__identity identity;
    fedn_error err;
    char *dir = test_scratch();

    (void)state;
    assert_ok(fedn__identity_load("sensor-1", "Pump", dir, &identity, &err), &err);
    assert_string_equal(identity.id, "sensor-1");
    assert_string_equal(identity.name, "Pump");
    fedn__identity_done(&identity);
    char *path = fedn__fs_join(dir, "client_id");
    uint64_t bytes = 0;
    assert_int_equal(fedn__fs_size(path, &bytes, &err), FEDN_ERR_NOT_FOUND);
    fedn__free(path);
    test_scratch_done(dir);
}

static void made_id_is_kept(void **state)
{
    fedn__identity first;
    fedn__identity second;
    fedn_error err;
    char *dir = test_scratch();
    char name[32];

    (void)state;
    assert_ok(fedn__identity_load("", "", dir, &first, &err), &err);
    assert_ok(fedn__identity_load("", "", dir, &second, &err), &err);
    assert_string_equal(first.id, second.id);
    snprintf(name, sizeof name, "client-%.8s", first.id);
    assert_string_equal(first.name, name);
    fedn__identity_done(&first);
    fedn__identity_done(&second);
    test_scratch_done(dir);
}

static void spoilt_file_is_refused_not_replaced(void **state)
{
    fedn__identity identity;
    fedn_error err;
    char *dir = test_scratch();
    char *path = fedn__fs_join(dir, "client_id");

    (void)state;
    test_write_file(path, "\x01\x02", 2);
    assert_fails(fedn__identity_load("", "", dir, &identity, &err), FEDN_ERR_FORMAT, &err,
                 "client_id remove");
    assert_null(identity.id);
    fedn__free(path);
    test_scratch_done(dir);
}

static void names_and_ids_are_checked(void **state)
{
    fedn__identity identity;
    fedn_error err;
    char long_id[80];

    (void)state;
    memset(long_id, 'x', sizeof long_id);
    long_id[64] = 0;
    assert_fails(fedn__identity_load(long_id, "", NULL, &identity, &err), FEDN_ERR_INVALID, &err,
                 "client.id 63");
    assert_fails(fedn__identity_load("a\xc3\xa4", "", NULL, &identity, &err), FEDN_ERR_INVALID,
                 &err, "ASCII");
    assert_fails(fedn__identity_load("a", "two\nlines", NULL, &identity, &err), FEDN_ERR_INVALID,
                 &err, "client.name");
}

static fedn_status load(void *arg)
{
    fedn__identity identity;
    fedn_error err;

    fedn_status rc = fedn__identity_load("", "", arg, &identity, &err);
    fedn__identity_done(&identity);
    return rc;
}

static void loading_survives_failing_allocations(void **state)
{
    char *dir = test_scratch();

    (void)state;
    test_fail_each_allocation(load, dir);
    test_fail_each_allocation(load, NULL);
    test_scratch_done(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_id_is_taken_and_nothing_is_written),
        cmocka_unit_test(made_id_is_kept),
        cmocka_unit_test(spoilt_file_is_refused_not_replaced),
        cmocka_unit_test(names_and_ids_are_checked),
        cmocka_unit_test(loading_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
