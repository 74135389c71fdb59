/* SPDX-License-Identifier: Apache-2.0
 * gRPC's statuses and ours, in both directions. */
#include "test.h"

#include "rpc/status.h"

static void every_status_of_ours_has_a_number_that_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(fedn__rpc_from_status(FEDN_OK), FEDN__RPC_OK);
    for (fedn_status status = -1; status >= FEDN_ERR_INTERNAL; status--) {
        int32_t rpc = fedn__rpc_from_status(status);
        assert_in_range(rpc, FEDN__RPC_CANCELLED, FEDN__RPC_UNAUTHENTICATED);
    }
    assert_int_equal(fedn__rpc_from_status(-1000), FEDN__RPC_INTERNAL);
}

static void what_a_client_may_retry_stays_so_over_the_wire(void **state)
{
    static const fedn_status same[] = {FEDN_ERR_INVALID,     FEDN_ERR_STATE,     FEDN_ERR_NOT_FOUND,
                                       FEDN_ERR_UNSUPPORTED, FEDN_ERR_EXISTS,    FEDN_ERR_LIMIT,
                                       FEDN_ERR_TIMEOUT,     FEDN_ERR_CANCELLED, FEDN_ERR_AUTH,
                                       FEDN_ERR_UNAVAILABLE, FEDN_ERR_DENIED,    FEDN_ERR_INTERNAL};

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        assert_int_equal(fedn__rpc_to_status(fedn__rpc_from_status(same[i])), same[i]);
}

static void numbers_outside_the_table_are_named_and_mapped(void **state)
{
    (void)state;
    for (int32_t rpc = 1; rpc <= FEDN__RPC_UNAUTHENTICATED; rpc++) {
        assert_true(fedn__rpc_to_status(rpc) < 0);
        assert_true(strlen(fedn__rpc_name(rpc)) > 3);
    }
    assert_int_equal(fedn__rpc_to_status(17), FEDN_ERR_PROTOCOL);
    assert_int_equal(fedn__rpc_to_status(-1), FEDN_ERR_PROTOCOL);
    assert_string_equal(fedn__rpc_name(99), "an unknown status");
}

static void an_error_names_what_failed_and_keeps_the_number(void **state)
{
    fedn_error err;

    (void)state;
    assert_fails(fedn__rpc_error(&err, "heartbeat", FEDN__RPC_UNAVAILABLE, "refused"),
                 FEDN_ERR_UNAVAILABLE, &err, "heartbeat: UNAVAILABLE: refused");
    assert_int_equal(err.detail, FEDN__RPC_UNAVAILABLE);
    assert_fails(fedn__rpc_error(&err, "heartbeat", FEDN__RPC_NOT_FOUND, ""), FEDN_ERR_NOT_FOUND,
                 &err, "heartbeat:");
    assert_fails(fedn__rpc_error(&err, "heartbeat", FEDN__RPC_NOT_FOUND, NULL), FEDN_ERR_NOT_FOUND,
                 &err, "heartbeat:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_of_ours_has_a_number_that_is_an_error),
        cmocka_unit_test(what_a_client_may_retry_stays_so_over_the_wire),
        cmocka_unit_test(numbers_outside_the_table_are_named_and_mapped),
        cmocka_unit_test(an_error_names_what_failed_and_keeps_the_number),
    };

    return cmocka_run_group_tests_name("rpc status", tests, NULL, NULL);
}
