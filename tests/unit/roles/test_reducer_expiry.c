/* SPDX-License-Identifier: Apache-2.0
 * Which telemetry is old. */
#include "test.h"

#include "roles/reducer/expiry.h"

static void put(fedn__store *store, const char *id, const char *updated_at)
{
    json_t *record = json_pack("{s:s, s:s, s:s, s:s}", "telemetry_id", id, "key", "cpu_usage",
                               "committed_at", updated_at, "updated_at", updated_at);
    const fedn__change change = {FEDN__KIND_TELEMETRY, id, record};
    fedn_error err;

    assert_ok(fedn__store_apply(store, &change, 1, &err), &err);
    json_decref(record);
}

static fedn_status find(void *arg)
{
    json_t *ids = NULL;

    /* 2026-11-24T12:00:00Z */
    fedn_status rc = fedn__expiry_find(arg, INT64_C(1795521600000000), 10, &ids, NULL);
    if (rc == FEDN_OK) {
        assert_int_equal(json_array_size(ids), 1);
        assert_string_equal(json_string_value(json_array_get(ids, 0)), "old");
    }
    json_decref(ids);
    return rc;
}

static void what_is_older_is_found(void **state)
{
    fedn__store *store = NULL;
    fedn_error err;

    (void)state;
    assert_ok(fedn__store_open("mem:", &store, &err), &err);
    put(store, "old", "2026-11-24T11:59:59.999999Z");
    put(store, "new", "2026-11-24T12:00:00.000001Z");
    assert_ok(find(store), &err);
    fedn__store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_older_is_found),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
