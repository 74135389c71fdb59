/* SPDX-License-Identifier: Apache-2.0
 * A combiner's round that goes on after a restart. */
#include "combiner_bench.h"
#include "test.h"

static const fedn__restored_client two[] = {
    {.client_id = "a",
     .name = "A",
     .task_id = "task-a",
     .update_id = "u-a",
     .digest = {1},
     .num_examples = 3},
    {.client_id = "b", .name = "B", .task_id = "task-b"},
};

static bench *restored(void)
{
    fedn__round_plan plan = bench_plan("4", -1);
    bench *b = bench_new(8);

    assert_int_equal(fedn__combiner_engine_restore(b->engine, b->now, &plan, two, 2), FEDN_OK);
    bench_drain(b);
    return b;
}

static void model_comes(bench *b)
{
    assert_int_equal(
        fedn__combiner_engine_model_ready(b->engine, b->now, MODEL, NULL, bench_ids, b), FEDN_OK);
    bench_drain(b);
}

static void what_was_accepted_counts_again_and_is_not_journaled_again(void **state)
{
    bench *b = restored();

    (void)state;
    model_comes(b);
    assert_int_equal(b->begins, 1);
    assert_int_equal(b->folds, 1);
    bench_folded(b, "a", "u-a", NULL);
    assert_int_equal(fedn__combiner_engine_counts(b->engine).accepted, 1);
    assert_int_equal(b->journaled, 0);
    assert_int_equal(b->saves, 0);
    bench_free(b);
}

static void who_had_not_answered_gets_the_same_task_again(void **state)
{
    bench *b = restored();

    (void)state;
    model_comes(b);
    bench_attach(b, "b", 9);
    bench_attach(b, "a", 10); /* it has answered */
    assert_int_equal(b->tasks, 1);
    assert_string_equal(fedn__roster_find(fedn__combiner_engine_roster(b->engine), "b")->task_id,
                        "task-b");
    bench_folded(b, "a", "u-a", NULL);
    bench_update(b, "b", "u-b", "4");
    assert_int_equal(b->journaled, 1);
    assert_int_equal(b->saves, 1);
    bench_free(b);
}

static void an_announcement_before_the_model_is_there_may_come_again(void **state)
{
    bench *b = restored();
    fedn__announcement said = bench_said("b", "u-b", "4");

    (void)state;
    bench_announce(b, &said);
    assert_int_equal(b->replies_later, 1);
    model_comes(b);
    bench_announce(b, &said);
    assert_int_equal(b->folds, 2);
    bench_free(b);
}

static void a_lost_acknowledgement_is_given_again_but_not_for_other_bytes(void **state)
{
    static const uint8_t same[FEDN__DIGEST_BYTES] = {1};
    static const uint8_t other[FEDN__DIGEST_BYTES] = {2};
    bench *b = restored();
    fedn__announcement said = bench_said("a", "u-a", "4");

    (void)state;
    said.digest = same;
    bench_announce(b, &said); /* before it is folded once more: answered then */
    model_comes(b);
    assert_int_equal(b->replies_ok, 0);
    bench_folded(b, "a", "u-a", NULL);
    assert_int_equal(b->replies_ok, 1);
    bench_announce(b, &said);
    assert_int_equal(b->replies_ok, 2);
    said.digest = other;
    bench_announce(b, &said);
    assert_int_equal(b->replies_ok, 2);
    assert_int_equal(b->replies_refused, 1);
    assert_non_null(strstr(b->reason, "other bytes"));
    assert_int_equal(fedn__combiner_engine_counts(b->engine).accepted, 1);
    bench_free(b);
}

/* What it reported before the restart may be merged already. */
static void a_round_that_was_closed_takes_no_more_updates(void **state)
{
    bench *b = restored();
    fedn__announcement said = bench_said("b", "u-b", "4");

    (void)state;
    fedn__combiner_engine_restore_closed(b->engine);
    bench_attach(b, "b", 9);
    model_comes(b);
    assert_int_equal(b->tasks, 0);
    bench_announce(b, &said);
    assert_int_equal(b->replies_refused, 1);
    assert_non_null(strstr(b->reason, "is over"));
    assert_int_equal(b->saves, 0);
    bench_folded(b, "a", "u-a", NULL);
    assert_int_equal(b->saves, 1);
    assert_int_equal(fedn__combiner_engine_counts(b->engine).accepted, 1);
    bench_free(b);
}

static void a_client_that_does_not_come_back_is_lost_and_the_round_ends(void **state)
{
    bench *b = restored();

    (void)state;
    model_comes(b);
    bench_folded(b, "a", "u-a", NULL);
    b->now += 20000; /* longer than the liveness bound: it may still be dialling */
    assert_int_equal(fedn__combiner_engine_tick(b->engine, b->now), FEDN_OK);
    bench_drain(b);
    assert_int_equal(b->saves, 0);
    b->now += 25000;
    assert_int_equal(fedn__combiner_engine_tick(b->engine, b->now), FEDN_OK);
    bench_drain(b);
    assert_int_equal(b->saves, 1);
    bench_free(b);
}

static void the_journal_is_kept_until_the_report_is_acknowledged(void **state)
{
    bench *b = restored();
    fedn__round_plan again = bench_plan("4", -1);

    (void)state;
    b->report_lost = 1;
    model_comes(b);
    bench_folded(b, "a", "u-a", NULL);
    bench_attach(b, "b", 9);
    bench_update(b, "b", "u-b", "4");
    assert_int_equal(fedn__combiner_engine_saved(b->engine, b->now, "4", NULL), FEDN_OK);
    bench_drain(b);
    assert_int_equal(b->reports, 1);
    assert_int_equal(b->forgotten, 0);
    /* the tier above has not seen the report yet, and asks once more */
    assert_int_equal(fedn__combiner_engine_round_start(b->engine, b->now, &again), FEDN_OK);
    bench_drain(b);
    fedn__round_plan_done(&again);
    assert_int_equal(b->begins, 1);
    assert_int_equal(fedn__combiner_engine_report_taken(b->engine, "3"), FEDN_OK);
    bench_drain(b);
    assert_int_equal(b->forgotten, 0);
    assert_int_equal(fedn__combiner_engine_report_taken(b->engine, "4"), FEDN_OK);
    bench_drain(b);
    assert_int_equal(b->forgotten, 1);
    bench_free(b);
}

static fedn_status restore(void *arg)
{
    fedn__combiner_settings settings = {.max_clients = 4, .liveness_ms = 1000};
    fedn__round_plan plan = bench_plan("1", -1);
    fedn__combiner_engine *engine = NULL;
    bench b = {0};

    (void)arg;
    fedn_status rc = fedn__combiner_engine_new(&settings, &engine, NULL);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_restore(engine, 1, &plan, two, 2);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_model_ready(engine, 1, MODEL, NULL, bench_ids, &b);
    fedn__combiner_engine_free(engine);
    fedn__round_plan_done(&plan);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(restore, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_accepted_counts_again_and_is_not_journaled_again),
        cmocka_unit_test(who_had_not_answered_gets_the_same_task_again),
        cmocka_unit_test(an_announcement_before_the_model_is_there_may_come_again),
        cmocka_unit_test(a_lost_acknowledgement_is_given_again_but_not_for_other_bytes),
        cmocka_unit_test(a_round_that_was_closed_takes_no_more_updates),
        cmocka_unit_test(a_client_that_does_not_come_back_is_lost_and_the_round_ends),
        cmocka_unit_test(the_journal_is_kept_until_the_report_is_acknowledged),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
