/* SPDX-License-Identifier: Apache-2.0
 * The rules of a combiner about rounds and clients, scenario by scenario. Updates are in
 * test_combiner_engine_updates.c. */
#include "combiner_bench.h"
#include "test.h"

#include "core/text.h"
#include <math.h>

static void a_round_ends_when_all_asked_have_answered(void **state)
{
    bench *b = bench_new(10);

    (void)state;
    bench_attach_many(b, 3);
    bench_start(b, "1", -1);
    assert_int_equal(b->tasks, 3);
    bench_update(b, "c0", "u0", "1");
    bench_update(b, "c1", "u1", "1");
    assert_int_equal(b->saves, 0);
    bench_update(b, "c2", "u2", "1");
    assert_int_equal(b->saves, 1);
    assert_int_equal(b->replies_ok, 3);
    assert_int_equal(fedn__combiner_engine_saved(b->engine, b->now, "1", NULL), FEDN_OK);
    bench_drain(b);
    assert_int_equal(b->reports, 1);
    assert_string_equal(b->report_error, "");
    assert_int_equal(b->reported.accepted, 3);
    bench_free(b);
}

static void a_client_that_disappears_does_not_block_the_round(void **state)
{
    bench *b = bench_new(10);

    (void)state;
    bench_attach_many(b, 2);
    bench_start(b, "1", -1);
    bench_update(b, "c0", "u0", "1");
    fedn__combiner_engine_detach(b->engine, "c1", 101);
    bench_drain(b);
    assert_int_equal(b->saves, 0);
    b->now += 10001;
    assert_true(fedn__combiner_engine_deadline(b->engine) <= b->now);
    assert_int_equal(fedn__combiner_engine_tick(b->engine, b->now), FEDN_OK);
    bench_drain(b);
    assert_int_equal(b->saves, 1);
    bench_free(b);
}

static void a_client_that_comes_back_gets_its_task_again(void **state)
{
    bench *b = bench_new(10);
    char task[FEDN__UUID_TEXT];
    uint32_t asked = 0;

    (void)state;
    bench_attach_many(b, 2);
    bench_start(b, "1", -1);
    memcpy(task, fedn__combiner_engine_asked(b->engine, &asked)[0]->task_id, sizeof task);
    fedn__combiner_engine_detach(b->engine, "c0", 100);
    bench_drain(b);
    bench_attach(b, "c0", 555);
    assert_int_equal(b->tasks, 3);
    assert_string_equal(fedn__combiner_engine_asked(b->engine, &asked)[0]->task_id, task);
    bench_update(b, "c0", "u0", "1");
    bench_attach(b, "c0", 556); /* answered: nothing to send again */
    assert_int_equal(b->tasks, 3);
    assert_int_equal(b->ended, 1); /* the stream 555 that was still open */
    bench_free(b);
}

static void a_failing_callback_is_known_at_once(void **state)
{
    bench *b = bench_new(10);
    uint32_t asked = 0;

    (void)state;
    bench_attach_many(b, 2);
    bench_start(b, "1", -1);
    bench_update(b, "c0", "u0", "1");
    fedn__participant *failing = fedn__combiner_engine_asked(b->engine, &asked)[1];
    fedn__combiner_engine_task_failed(b->engine, b->now, "c1", "another task", "no");
    bench_drain(b);
    assert_int_equal(b->saves, 0);
    fedn__combiner_engine_task_failed(b->engine, b->now, "c1", failing->task_id, "disk on fire");
    bench_drain(b);
    assert_int_equal(b->saves, 1);
    assert_int_equal(failing->outcome, FEDN__OUTCOME_FAILED);
    assert_string_equal(failing->reason, "disk on fire");
    bench_free(b);
}

static void a_time_out_ends_the_round_with_what_it_has(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement slow = bench_said("c1", "u1", "1");

    (void)state;
    bench_attach_many(b, 3);
    bench_start(b, "1", -1);
    bench_update(b, "c0", "u0", "1");
    bench_announce(b, &slow);               /* being checked when time runs out: still counted */
    for (int step = 0; step < 10; step++) { /* all stay alive until the bound */
        b->now += 6000;
        for (int i = 0; i < 3; i++) {
            char name[8];
            snprintf(name, sizeof name, "c%d", i);
            fedn__combiner_engine_heartbeat(b->engine, b->now, name, "");
        }
        fedn__combiner_engine_tick(b->engine, b->now);
        bench_drain(b);
    }
    assert_int_equal(b->saves, 0);
    bench_folded(b, "c1", "u1", NULL);
    assert_int_equal(b->saves, 1);
    assert_int_equal(fedn__combiner_engine_counts(b->engine).accepted, 2);
    assert_int_equal(fedn__combiner_engine_counts(b->engine).failed, 1);
    bench_free(b);
}

static void too_few_clients_or_no_model_is_reported(void **state)
{
    bench *b = bench_new(10);
    fedn__round_plan p = bench_plan("1", -1);

    (void)state;
    bench_attach_many(b, 2);
    p.clients_required = 3;
    fedn__combiner_engine_round_start(b->engine, b->now, &p);
    fedn__combiner_engine_model_ready(b->engine, b->now, MODEL, NULL, bench_ids, b);
    bench_drain(b);
    assert_int_equal(b->reports, 1);
    test_assert_words(b->report_error, "2_active clients_required_is_3");
    p = bench_plan("2", -1);
    fedn__combiner_engine_round_start(b->engine, b->now, &p);
    fedn__combiner_engine_model_ready(b->engine, b->now, MODEL, "no such model", bench_ids, b);
    bench_drain(b);
    assert_int_equal(b->reports, 2);
    assert_string_equal(b->report_error, "no such model");
    bench_free(b);
}

/* Looks for the model again, which is there. */
static void bench_gather(bench *b)
{
    bench_drain(b);
    assert_int_equal(
        fedn__combiner_engine_model_ready(b->engine, b->now, MODEL, NULL, bench_ids, b), FEDN_OK);
    bench_drain(b);
}

static void a_client_that_is_cut_off_as_the_round_begins_is_waited_for(void **state)
{
    bench *b = bench_new(10);
    fedn__round_plan p = bench_plan("1", -1);

    (void)state;
    bench_attach_many(b, 3);
    fedn__combiner_engine_detach(b->engine, "c1", 101);
    p.clients_required = 3;
    fedn__combiner_engine_round_start(b->engine, b->now, &p);
    bench_gather(b);
    assert_int_equal(b->reports + b->tasks, 0);
    bench_attach(b, "c1", 201);
    bench_gather(b);
    assert_int_equal(b->tasks, 3);
    assert_int_equal(b->reports, 0);
    bench_free(b);
}

static void a_client_that_stays_cut_off_is_waited_for_until_it_counts_as_gone(void **state)
{
    bench *b = bench_new(10);
    fedn__round_plan p = bench_plan("1", -1);

    (void)state;
    bench_attach_many(b, 3);
    fedn__combiner_engine_detach(b->engine, "c1", 101);
    p.clients_required = 3;
    fedn__combiner_engine_round_start(b->engine, b->now, &p);
    bench_gather(b);
    b->now += 9000;
    fedn__combiner_engine_heartbeat(b->engine, b->now, "c0", "somebody");
    fedn__combiner_engine_heartbeat(b->engine, b->now, "c2", "somebody");
    b->now += 1001; /* the liveness bound of c1 is 10 s */
    assert_int_equal(fedn__combiner_engine_tick(b->engine, b->now), FEDN_OK);
    bench_gather(b);
    assert_int_equal(b->tasks, 0);
    assert_int_equal(b->reports, 1);
    test_assert_words(b->report_error, "2_active clients_required_is_3");
    bench_free(b);
}

static void only_selected_clients_are_asked(void **state)
{
    bench *b = bench_new(10);
    fedn__round_plan p = bench_plan("1", -1);
    const char *const selected[] = {"c1", "absent"};

    (void)state;
    bench_attach_many(b, 3);
    assert_int_equal(fedn__selection_copy(selected, 2, &p.selected), FEDN_OK);
    fedn__combiner_engine_round_start(b->engine, b->now, &p);
    fedn__combiner_engine_model_ready(b->engine, b->now, MODEL, NULL, bench_ids, b);
    bench_drain(b);
    assert_int_equal(b->tasks, 1);
    bench_free(b);
}

static void a_full_roster_makes_room_by_forgetting_who_is_gone(void **state)
{
    bench *b = bench_new(2);

    (void)state;
    bench_attach_many(b, 2);
    bench_attach(b, "c2", 500);
    assert_int_equal(b->ended, 1);
    fedn__combiner_engine_detach(b->engine, "c0", 100);
    b->now += 10001;
    fedn__combiner_engine_heartbeat(b->engine, b->now, "c1", "");
    fedn__combiner_engine_tick(b->engine, b->now);
    bench_drain(b);
    bench_attach(b, "c2", 501);
    assert_int_equal(b->ended, 1);
    assert_null(fedn__roster_find(fedn__combiner_engine_roster(b->engine), "c0"));
    bench_free(b);
}

static void validations_go_to_all_active_clients(void **state)
{
    bench *b = bench_new(10);
    fedn__model_task task = {.type = 4, .data = fedn__strf("{}")};

    (void)state;
    bench_attach_many(b, 3);
    snprintf(task.model_id, sizeof task.model_id, MODEL);
    snprintf(task.session_id, sizeof task.session_id, SESSION);
    assert_int_equal(fedn__combiner_engine_model_task(b->engine, b->now, &task), FEDN_OK);
    bench_drain(b);
    assert_int_equal(b->tasks, 0);
    fedn__combiner_engine_model_ready(b->engine, b->now, MODEL, NULL, bench_ids, b);
    bench_drain(b);
    assert_int_equal(b->tasks, 3);
    bench_free(b);
}

static void a_rule_that_cannot_begin_fails_the_round_and_all_that_is_being_checked(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement a = bench_said("c0", "u0", "1");

    (void)state;
    bench_attach_many(b, 2);
    bench_start(b, "1", -1);
    bench_announce(b, &a);
    assert_int_equal(
        fedn__combiner_engine_begin_failed(b->engine, b->now, "1", "no such aggregator"), FEDN_OK);
    bench_drain(b);
    assert_int_equal(b->reports, 1);
    assert_string_equal(b->report_error, "no such aggregator");
    assert_int_equal(b->reported.refused, 1);
    assert_int_equal(b->reported.checking, 0);
    assert_int_equal(b->replies_refused, 1);
    bench_folded(b, "c0", "u0", NULL); /* comes too late to matter */
    assert_int_equal(fedn__combiner_engine_counts(b->engine).accepted, 0);
    bench_free(b);
}

static void a_round_told_twice_goes_on_and_one_told_after_its_report_runs_again(void **state)
{
    bench *b = bench_new(10);
    fedn__round_plan other = bench_plan("1", -1);

    (void)state;
    bench_attach_many(b, 1);
    bench_start(b, "1", -1);
    bench_start(b, "1", -1);
    assert_int_equal(b->tasks, 1);
    assert_int_equal(b->abandons, 0);
    bench_update(b, "c0", "u0", "1");
    fedn__combiner_engine_saved(b->engine, b->now, "1", NULL);
    bench_drain(b);
    assert_int_equal(b->reports, 1);
    bench_start(b, "1", -1);
    assert_int_equal(b->tasks, 2);
    /* the same number in another session is another round */
    snprintf(other.session_id, sizeof other.session_id, "55555555-5555-4555-8555-555555555555");
    fedn__combiner_engine_round_start(b->engine, b->now, &other);
    bench_drain(b);
    assert_int_equal(b->abandons, 1);
    bench_free(b);
}

static void a_cancelled_round_answers_who_waits_and_reports_nothing(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement a = bench_said("c0", "u0", "1");

    (void)state;
    bench_attach_many(b, 2);
    bench_start(b, "1", -1);
    bench_announce(b, &a);
    fedn__combiner_engine_round_cancel(b->engine, b->now, SESSION, "2"); /* not this one */
    bench_drain(b);
    assert_int_equal(b->abandons, 0);
    fedn__combiner_engine_round_cancel(b->engine, b->now, SESSION, "1");
    bench_drain(b);
    assert_int_equal(b->replies_refused, 1);
    assert_string_equal(b->reason, "the round was cancelled");
    assert_int_equal(b->abandons, 1);
    assert_int_equal(b->reports, 0);
    assert_true(fedn__combiner_engine_is_idle(b->engine));
    bench_free(b);
}

static void a_heartbeat_without_a_stream_takes_no_place(void **state)
{
    bench *b = bench_new(10);

    (void)state;
    assert_int_equal(fedn__combiner_engine_heartbeat(b->engine, b->now, "nobody", ""), FEDN_OK);
    assert_int_equal(fedn__combiner_engine_roster(b->engine)->count, 0);
    bench_free(b);
}

static fedn_status one_round(void *arg)
{
    bench b = {.now = 1};
    fedn__combiner_settings settings = {.max_clients = 4, .liveness_ms = 1000};
    fedn__announcement a = bench_said("c", "u", "1");
    fedn__round_plan p = bench_plan("1", -1);

    (void)arg;
    fedn_status rc = fedn__combiner_engine_new(&settings, &b.engine, NULL);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_attach(b.engine, 1, "c", "name", 5);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_round_start(b.engine, 1, &p);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_model_ready(b.engine, 1, MODEL, NULL, bench_ids, &b);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_update(b.engine, 1, &a);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_folded(b.engine, 1, "c", "u", NULL);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_journaled(b.engine, 1, "c", "u");
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_saved(b.engine, 1, "1", NULL);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_report_taken(b.engine, "1");
    fedn__combiner_engine_free(b.engine);
    fedn__round_plan_done(&p);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(one_round, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_ends_when_all_asked_have_answered),
        cmocka_unit_test(a_client_that_disappears_does_not_block_the_round),
        cmocka_unit_test(a_client_that_comes_back_gets_its_task_again),
        cmocka_unit_test(a_failing_callback_is_known_at_once),
        cmocka_unit_test(a_time_out_ends_the_round_with_what_it_has),
        cmocka_unit_test(too_few_clients_or_no_model_is_reported),
        cmocka_unit_test(a_client_that_is_cut_off_as_the_round_begins_is_waited_for),
        cmocka_unit_test(a_client_that_stays_cut_off_is_waited_for_until_it_counts_as_gone),
        cmocka_unit_test(only_selected_clients_are_asked),
        cmocka_unit_test(a_full_roster_makes_room_by_forgetting_who_is_gone),
        cmocka_unit_test(validations_go_to_all_active_clients),
        cmocka_unit_test(a_rule_that_cannot_begin_fails_the_round_and_all_that_is_being_checked),
        cmocka_unit_test(a_round_told_twice_goes_on_and_one_told_after_its_report_runs_again),
        cmocka_unit_test(a_cancelled_round_answers_who_waits_and_reports_nothing),
        cmocka_unit_test(a_heartbeat_without_a_stream_takes_no_place),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
