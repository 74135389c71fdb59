/* SPDX-License-Identifier: Apache-2.0
 * Asynchronous sessions: a round is a buffer, and who trains slowly counts in a later one. */
#include "combiner_bench.h"
#include "test.h"

#include "core/alloc.h"

#define MODEL_2 "33333333-3333-4333-8333-333333333333"
#define MODEL_3 "44444444-4444-4444-8444-444444444444"

/* A round that starts from the newest of `models`, which are told oldest first. */
static void start(bench *b, const char *round_id, int32_t buffer, const char *const *models,
                  uint32_t count)
{
    fedn__round_plan plan = bench_plan(round_id, buffer);

    plan.async = 1;
    plan.staleness_exponent = 0.5;
    plan.recent = fedn__alloc_array(count, sizeof *plan.recent);
    for (uint32_t i = 0; i < count; i++)
        snprintf(plan.recent[i], FEDN__UUID_TEXT, "%s", models[count - 1 - i]);
    plan.recent_count = count;
    snprintf(plan.model_id, sizeof plan.model_id, "%s", models[count - 1]);
    assert_int_equal(fedn__combiner_engine_round_start(b->engine, b->now, &plan), FEDN_OK);
    bench_drain(b);
    assert_int_equal(
        fedn__combiner_engine_model_ready(b->engine, b->now, models[count - 1], NULL, bench_ids, b),
        FEDN_OK);
    bench_drain(b);
}

static const char *const models[] = {MODEL, MODEL_2, MODEL_3};

static void finish(bench *b, const char *round_id)
{
    assert_int_equal(fedn__combiner_engine_saved(b->engine, b->now, round_id, NULL), FEDN_OK);
    bench_drain(b);
}

static void announce_from(bench *b, const char *client, const char *update, const char *model)
{
    fedn__announcement said = bench_said(client, update, NULL);

    said.model_id = model;
    bench_announce(b, &said);
}

static fedn__participant *client_of(const bench *b, const char *id)
{
    return fedn__roster_find(fedn__combiner_engine_roster(b->engine), id);
}

/* c0 has answered round 1, c1 and c2 still train. */
static bench *after_one(void)
{
    bench *b = bench_new(8);

    bench_attach_many(b, 3);
    start(b, "1", 1, models, 1);
    assert_int_equal(b->tasks, 3);
    bench_update(b, "c0", "u0", "1");
    assert_int_equal(b->saves, 1);
    finish(b, "1");
    return b;
}

static void a_full_buffer_ends_the_round_and_nobody_is_late(void **state)
{
    bench *b = after_one();

    (void)state;
    assert_int_equal(b->reports, 1);
    assert_int_equal(b->reported.accepted, 1);
    assert_int_equal(b->reported.pending, 2);
    assert_int_equal(client_of(b, "c1")->outcome, FEDN__OUTCOME_PENDING);
    bench_free(b);
}

static void who_still_trains_gets_no_new_task_and_counts_as_stale(void **state)
{
    bench *b = after_one();

    (void)state;
    start(b, "2", 2, models, 2);
    assert_int_equal(b->tasks, 4); /* c0 again */
    announce_from(b, "c1", "u1", MODEL);
    assert_int_equal(client_of(b, "c1")->staleness, 1);
    bench_folded(b, "c1", "u1", NULL);
    announce_from(b, "c0", "u0-2", MODEL_2);
    assert_int_equal(client_of(b, "c0")->staleness, 0);
    bench_folded(b, "c0", "u0-2", NULL);
    assert_int_equal(b->replies_ok, 3);
    assert_int_equal(b->saves, 2);
    bench_free(b);
}

static void what_comes_between_two_rounds_waits_for_the_next(void **state)
{
    bench *b = after_one();

    (void)state;
    announce_from(b, "c1", "u1", MODEL);
    assert_int_equal(b->replies_refused + b->replies_later, 0);
    uint32_t folds = b->folds;
    start(b, "2", 1, models, 2);
    assert_int_equal(b->folds, folds + 1);
    bench_folded(b, "c1", "u1", NULL);
    assert_int_equal(b->replies_ok, 2);
    assert_int_equal(b->saves, 2);
    bench_free(b);
}

static void what_is_too_much_for_the_buffer_waits_for_the_next(void **state)
{
    bench *b = after_one();

    (void)state;
    start(b, "2", 1, models, 2);
    announce_from(b, "c1", "u1", MODEL);
    announce_from(b, "c2", "u2", MODEL); /* while c1's is checked */
    bench_folded(b, "c1", "u1", NULL);
    assert_int_equal(b->saves, 2);
    finish(b, "2");
    start(b, "3", 1, models, 3);
    assert_int_equal(client_of(b, "c2")->staleness, 2);
    bench_folded(b, "c2", "u2", NULL);
    assert_int_equal(b->replies_ok, 3);
    assert_int_equal(b->replies_refused, 0);
    bench_free(b);
}

static void one_that_waits_fills_the_place_of_one_that_is_refused(void **state)
{
    bench *b = after_one();

    (void)state;
    start(b, "2", 1, models, 2);
    announce_from(b, "c1", "u1", MODEL);
    announce_from(b, "c2", "u2", MODEL);
    bench_folded(b, "c1", "u1", "shapes differ");
    bench_folded(b, "c2", "u2", NULL);
    assert_int_equal(b->saves, 2);
    bench_free(b);
}

static void a_model_that_is_too_old_is_refused(void **state)
{
    bench *b = after_one();

    (void)state;
    start(b, "2", 2, &models[1], 2);
    announce_from(b, "c1", "u1", MODEL);
    assert_int_equal(b->replies_refused, 1);
    assert_non_null(strstr(b->reason, "none of the 2 newest"));
    bench_free(b);
}

static void one_that_counted_in_an_earlier_round_does_not_count_again(void **state)
{
    bench *b = after_one();

    (void)state;
    start(b, "2", 2, models, 2);
    uint32_t folds = b->folds;
    announce_from(b, "c0", "u0", MODEL); /* its answer was lost */
    assert_int_equal(b->folds, folds);
    assert_int_equal(b->replies_ok, 2);
    bench_free(b);
}

/* It is another one than the update of its client that counts. */
static void one_that_waits_is_not_said_to_count(void **state)
{
    bench *b = bench_new(8);

    (void)state;
    bench_attach_many(b, 1);
    start(b, "1", 1, models, 1);
    bench_update(b, "c0", "u0", "1");
    assert_int_equal(b->saves, 1);
    assert_int_equal(b->replies_ok, 1);
    announce_from(b, "c0", "u0b", MODEL);
    announce_from(b, "c0", "u0b", MODEL);
    assert_int_equal(b->replies_ok, 1);
    finish(b, "1");
    announce_from(b, "c0", "u0b", MODEL);
    assert_int_equal(b->replies_ok, 1);
    bench_free(b);
}

static void a_second_one_while_the_first_is_checked_comes_again(void **state)
{
    bench *b = bench_new(8);

    (void)state;
    bench_attach_many(b, 1);
    start(b, "1", 1, models, 1);
    announce_from(b, "c0", "u0", MODEL);
    b->now += 1000000; /* its time is up while it is checked */
    assert_int_equal(fedn__combiner_engine_tick(b->engine, b->now), FEDN_OK);
    bench_drain(b);
    announce_from(b, "c0", "u0b", MODEL);
    assert_int_equal(b->replies_later, 1);
    bench_folded(b, "c0", "u0", NULL);
    assert_int_equal(b->replies_ok, 1);
    assert_int_equal(b->saves, 1);
    bench_free(b);
}

static void a_session_that_does_not_go_on_lets_go_of_who_waits(void **state)
{
    bench *b = after_one();

    (void)state;
    announce_from(b, "c1", "u1", MODEL);
    int64_t due = fedn__combiner_engine_deadline(b->engine);
    assert_in_range(due, b->now, b->now + 30000);
    b->now += 30000;
    assert_int_equal(fedn__combiner_engine_tick(b->engine, b->now), FEDN_OK);
    bench_drain(b);
    assert_int_equal(b->replies_refused, 1);
    announce_from(b, "c2", "u2", MODEL);
    assert_int_equal(b->replies_refused, 2);
    bench_free(b);
}

static void another_session_lets_go_of_who_waits(void **state)
{
    bench *b = after_one();

    (void)state;
    announce_from(b, "c1", "u1", MODEL);
    fedn__round_plan other = bench_plan("2", -1);
    snprintf(other.session_id, sizeof other.session_id, "%s", MODEL_3);
    assert_int_equal(fedn__combiner_engine_round_start(b->engine, b->now, &other), FEDN_OK);
    bench_drain(b);
    assert_int_equal(b->replies_refused, 1);
    bench_free(b);
}

static void a_restart_knows_what_counted_before(void **state)
{
    static const fedn__restored_client asked[] = {
        {.client_id = "a", .name = "A", .task_id = "t", .update_id = "u-a", .base_id = MODEL}};
    bench *b = bench_new(8);
    fedn__round_plan plan = bench_plan("2", 2);

    (void)state;
    plan.async = 1;
    plan.recent = fedn__alloc_array(2, sizeof *plan.recent);
    snprintf(plan.recent[0], FEDN__UUID_TEXT, "%s", MODEL_2);
    snprintf(plan.recent[1], FEDN__UUID_TEXT, "%s", MODEL);
    plan.recent_count = 2;
    snprintf(plan.model_id, sizeof plan.model_id, "%s", MODEL_2);
    assert_int_equal(fedn__combiner_engine_restore(b->engine, b->now, &plan, asked, 1), FEDN_OK);
    assert_int_equal(fedn__combiner_engine_restore_counted(b->engine, "b", "u-b"), FEDN_OK);
    bench_drain(b);
    announce_from(b, "b", "u-b", MODEL);
    assert_int_equal(b->replies_ok, 1);
    assert_int_equal(
        fedn__combiner_engine_model_ready(b->engine, b->now, MODEL_2, NULL, bench_ids, b), FEDN_OK);
    bench_drain(b);
    assert_int_equal(client_of(b, "a")->staleness, 1);
    bench_folded(b, "a", "u-a", NULL);
    assert_int_equal(fedn__combiner_engine_counts(b->engine).accepted, 1);
    bench_free(b);
}

static void one_that_was_asked_elsewhere_is_refused(void **state)
{
    bench *b = after_one();

    (void)state;
    start(b, "2", 4, models, 2);
    bench_attach(b, "moved", 500); /* with what another combiner wanted */
    uint32_t refused = b->replies_refused;
    announce_from(b, "moved", "u-m", MODEL);
    assert_int_equal(b->replies_refused, refused + 1);
    bench_free(b);
}

/* It may be another process, which knows nothing of its task; one that does ignores it. */
static void who_comes_back_between_two_rounds_gets_its_task_again(void **state)
{
    bench *b = after_one();
    char task[FEDN__UUID_TEXT];

    (void)state;
    memcpy(task, client_of(b, "c1")->task_id, sizeof task);
    bench_attach(b, "c1", 500);
    assert_int_equal(b->tasks, 3);
    start(b, "2", 2, models, 2);
    assert_int_equal(b->tasks, 5); /* c0 anew, c1 again, c2 still trains */
    assert_string_equal(client_of(b, "c1")->task_id, task);
    bench_update(b, "c0", "u0-2", "2");
    start(b, "3", 2, models, 3);
    assert_int_equal(b->tasks, 6); /* c0's */
    bench_free(b);
}

static void who_falls_asleep_before_a_round_begins_is_asked_anew_later(void **state)
{
    bench *b = after_one();
    fedn__round_plan plan = bench_plan("2", 1);

    (void)state;
    plan.async = 1;
    assert_int_equal(fedn__combiner_engine_round_start(b->engine, b->now, &plan), FEDN_OK);
    bench_drain(b);
    assert_int_equal(client_of(b, "c1")->carried, 1);
    b->now += 10001;
    assert_int_equal(fedn__combiner_engine_tick(b->engine, b->now), FEDN_OK);
    bench_drain(b);
    assert_int_equal(client_of(b, "c1")->carried, 0);
    bench_free(b);
}

static void another_session_carries_nobody(void **state)
{
    bench *b = after_one();
    fedn__round_plan plan = bench_plan("2", 1);
    uint32_t tasks = b->tasks;

    (void)state;
    plan.async = 1;
    assert_int_equal(fedn__combiner_engine_round_start(b->engine, b->now, &plan), FEDN_OK);
    bench_drain(b);
    plan = bench_plan("3", -1);
    snprintf(plan.session_id, sizeof plan.session_id, "%s", MODEL_3);
    assert_int_equal(fedn__combiner_engine_round_start(b->engine, b->now, &plan), FEDN_OK);
    bench_drain(b);
    assert_int_equal(
        fedn__combiner_engine_model_ready(b->engine, b->now, MODEL, NULL, bench_ids, b), FEDN_OK);
    bench_drain(b);
    assert_int_equal(b->tasks, tasks + 3);
    bench_free(b);
}

static void who_waits_for_the_next_round_keeps_its_place(void **state)
{
    bench *b = bench_new(1);

    (void)state;
    bench_attach(b, "c0", 100);
    start(b, "1", 1, models, 1);
    bench_update(b, "c0", "u0", "1");
    finish(b, "1");
    announce_from(b, "c0", "u1", MODEL);
    fedn__combiner_engine_detach(b->engine, "c0", 100);
    fedn__round_plan plan = bench_plan("2", 1); /* nobody takes part yet */
    plan.async = 1;
    assert_int_equal(fedn__combiner_engine_round_start(b->engine, b->now, &plan), FEDN_OK);
    b->now += 10001;
    assert_int_equal(fedn__combiner_engine_tick(b->engine, b->now), FEDN_OK);
    bench_drain(b);
    bench_attach(b, "c1", 101);
    assert_int_equal(b->ended, 1); /* there is no room */
    assert_non_null(client_of(b, "c0"));
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_buffer_ends_the_round_and_nobody_is_late),
        cmocka_unit_test(who_still_trains_gets_no_new_task_and_counts_as_stale),
        cmocka_unit_test(what_comes_between_two_rounds_waits_for_the_next),
        cmocka_unit_test(what_is_too_much_for_the_buffer_waits_for_the_next),
        cmocka_unit_test(one_that_waits_fills_the_place_of_one_that_is_refused),
        cmocka_unit_test(a_model_that_is_too_old_is_refused),
        cmocka_unit_test(one_that_counted_in_an_earlier_round_does_not_count_again),
        cmocka_unit_test(one_that_waits_is_not_said_to_count),
        cmocka_unit_test(a_second_one_while_the_first_is_checked_comes_again),
        cmocka_unit_test(a_session_that_does_not_go_on_lets_go_of_who_waits),
        cmocka_unit_test(another_session_lets_go_of_who_waits),
        cmocka_unit_test(one_that_was_asked_elsewhere_is_refused),
        cmocka_unit_test(a_restart_knows_what_counted_before),
        cmocka_unit_test(who_comes_back_between_two_rounds_gets_its_task_again),
        cmocka_unit_test(who_falls_asleep_before_a_round_begins_is_asked_anew_later),
        cmocka_unit_test(another_session_carries_nobody),
        cmocka_unit_test(who_waits_for_the_next_round_keeps_its_place),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
