/* SPDX-License-Identifier: Apache-2.0
 * Round settings: which clients are meant, what outcomes are called. */
#include "test.h"

#include "core/limits.h"
#include "roles/round.h"
#include <stdlib.h>

static const char *const mixed[] = {"zoe", "ann", "bob", "ann", "\xc3\xa9mile"};

static void an_empty_selection_is_of_all(void **state)
{
    fedn__selection all = {0};

    (void)state;
    assert_int_equal(fedn__selection_copy(NULL, 0, &all), FEDN_OK);
    assert_int_equal(all.count, 0);
    assert_true(fedn__selection_has(&all, "anybody"));
    fedn__selection_done(&all);
}

static void a_selection_has_those_it_names_in_any_order(void **state)
{
    fedn__selection some = {0};

    (void)state;
    assert_int_equal(fedn__selection_copy(mixed, 5, &some), FEDN_OK);
    for (int i = 0; i < 5; i++)
        assert_true(fedn__selection_has(&some, mixed[i]));
    assert_false(fedn__selection_has(&some, "an"));
    assert_false(fedn__selection_has(&some, "anna"));
    assert_false(fedn__selection_has(&some, ""));
    fedn__selection_done(&some);
    assert_true(fedn__selection_has(&some, "anna")); /* which is of all again */
}

static void a_selection_is_bounded(void **state)
{
    fedn__selection many = {0};
    const char **ids = calloc(FEDN__LIMIT_ROUND_CLIENTS + 1, sizeof *ids);

    (void)state;
    assert_int_equal(fedn__selection_copy(ids, FEDN__LIMIT_ROUND_CLIENTS + 1, &many),
                     FEDN_ERR_LIMIT);
    assert_int_equal(many.count, 0);
    free(ids);
}

static void every_outcome_has_a_name(void **state)
{
    (void)state;
    for (int32_t outcome = 0; outcome <= FEDN__OUTCOME_LATE; outcome++)
        assert_string_not_equal(fedn__outcome_name(outcome), "unknown");
    assert_string_equal(fedn__outcome_name(FEDN__OUTCOME_ACCEPTED), "accepted");
    assert_string_equal(fedn__outcome_name(FEDN__OUTCOME_LATE), "late");
    assert_string_equal(fedn__outcome_name(-1), "unknown");
    assert_string_equal(fedn__outcome_name(99), "unknown");
}

static fedn_status select_some(void *arg)
{
    fedn__round_plan plan = {0};

    (void)arg;
    fedn_status rc = fedn__selection_copy(mixed, 5, &plan.selected);
    if (rc != FEDN_OK)
        assert_int_equal(plan.selected.count, 0);
    fedn__round_plan_done(&plan);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(select_some, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_selection_is_of_all),
        cmocka_unit_test(a_selection_has_those_it_names_in_any_order),
        cmocka_unit_test(a_selection_is_bounded),
        cmocka_unit_test(every_outcome_has_a_name),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
