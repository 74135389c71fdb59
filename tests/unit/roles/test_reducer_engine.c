/* SPDX-License-Identifier: Apache-2.0
 * Rules of the reducer's engine: which combiners take part, when a round ends, how a session ends.
 */
#include "reducer_bench.h"

#include "test.h"

static void a_round_goes_from_start_to_commit_and_the_next_begins_at_once(void **state)
{
    bench *f = *state;
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);

    bench_start(f, 2, 1);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_ROUND_OPENED), 1);
    assert_ptr_equal(bench_action(f, FEDN__REDUCER_SEND_START)->combiner, a);
    assert_int_equal(bench_action(f, FEDN__REDUCER_SEND_START)->round->id, 7);
    assert_int_equal(bench_report(f, a, 7, PARTIAL), 1);
    assert_string_equal(bench_action(f, FEDN__REDUCER_MERGE)->text, PARTIAL);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_COMMIT), 0);
    bench_merged(f, 7, 0, FEDN_OK);
    assert_int_equal(bench_action(f, FEDN__REDUCER_COMMIT)->last, 0);
    bench_committed(f, 7, FEDN_OK);
    assert_int_equal(bench_action(f, FEDN__REDUCER_ROUND_ENDED)->round->state,
                     FEDN__ROUND_FINISHED);
    assert_string_equal(bench_action(f, FEDN__REDUCER_SEND_VALIDATE)->text, MODEL_1);
    assert_int_equal(bench_action(f, FEDN__REDUCER_SEND_START)->round->id, 8);
    assert_string_equal(bench_action(f, FEDN__REDUCER_SEND_START)->round->model_id, MODEL_1);
    bench_report(f, a, 8, PARTIAL);
    bench_merged(f, 8, 0, FEDN_OK);
    assert_int_equal(bench_action(f, FEDN__REDUCER_COMMIT)->last, 1);
    bench_committed(f, 8, FEDN_OK);
    assert_int_equal(bench_session(f)->status, FEDN__SESSION_FINISHED);
    assert_int_equal(bench_session(f)->done, 2);
}

static void a_second_start_is_refused_in_the_words_of_fedn(void **state)
{
    bench *f = *state;
    fedn__reducer_session again = {.session_id = "t", .rounds = 1, .round_timeout_ms = 1};
    fedn_error err;

    bench_start(f, 1, 1);
    assert_fails(fedn__reducer_engine_start(f->engine, f->now, &again, &err), FEDN_ERR_STATE, &err,
                 "A_session_is_already_running!");
}

static void a_round_waits_for_a_combiner_with_clients_enough(void **state)
{
    bench *f = *state;
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 1);

    bench_start(f, 1, 2);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_SEND_START), 0);
    assert_string_equal(bench_session(f)->message, "waits for a combiner with 2 active clients");
    f->now += 4000;
    assert_int_equal(fedn__reducer_engine_roster(f->engine, f->now, a, 2), FEDN_OK);
    bench_drain(f);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_SEND_START), 1);
    assert_string_equal(bench_session(f)->message, "");
    /* the round's time begins when it is asked */
    assert_int_equal(fedn__reducer_engine_deadline(f->engine), f->now + 5100);
}

static void waiting_for_ever_fails_three_rounds_and_then_the_session(void **state)
{
    bench *f = *state;

    bench_start(f, 5, 1);
    bench_tick(f, 5000);
    assert_int_equal(bench_action(f, FEDN__REDUCER_ROUND_ENDED)->round->state, FEDN__ROUND_FAILED);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_ROUND_OPENED), 1);
    bench_tick(f, 5000);
    assert_int_equal(bench_session(f)->status, FEDN__SESSION_STARTED);
    bench_tick(f, 5000);
    assert_int_equal(bench_session(f)->status, FEDN__SESSION_FAILED);
    test_assert_words(bench_session(f)->message, "3_rounds_in_a_row 1_active_clients 5_s");
    assert_int_equal(fedn__reducer_engine_deadline(f->engine), INT64_MAX);
}

static void a_session_that_had_a_combiner_waits_for_one_without_end(void **state)
{
    bench *f = *state;
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);

    bench_start(f, 5, 1);
    fedn__reducer_engine_detach(f->engine, f->now, a, a->attachment);
    bench_tick(f, 1000);
    assert_int_equal(bench_session(f)->failures, 1); /* it was at work */
    for (uint32_t i = 0; i < 10; i++)
        bench_tick(f, 1000000);
    assert_int_equal(bench_session(f)->status, FEDN__SESSION_STARTED);
    assert_int_equal(bench_session(f)->opened, 2);
    assert_int_equal(fedn__reducer_engine_deadline(f->engine), INT64_MAX);
    assert_string_equal(bench_session(f)->message, "waits for a combiner with 1 active clients");
    bench_attach(f, "a", "l2", 1);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_SEND_START), 1);
}

static void a_bad_partial_leaves_the_round_to_the_others(void **state)
{
    bench *f = *state;
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);
    fedn__reducer_combiner *b = bench_attach(f, "b", "l2", 2);

    bench_start(f, 1, 1);
    bench_report(f, a, 7, PARTIAL);
    bench_report(f, b, 7, MODEL_0);
    bench_merged(f, 7, 0, FEDN_ERR_FORMAT);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_COMMIT), 0);
    bench_merged(f, 7, 1, FEDN_OK);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_COMMIT), 1);
    assert_string_equal(fedn__reducer_engine_round(f->engine)->parts[0].error, "bad partial");
}

static void the_deadline_cancels_the_silent_and_goes_on_with_what_is_there(void **state)
{
    bench *f = *state;
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);
    fedn__reducer_combiner *b = bench_attach(f, "b", "l2", 2);

    bench_start(f, 1, 1);
    bench_report(f, a, 7, PARTIAL);
    bench_merged(f, 7, 0, FEDN_OK);
    bench_tick(f, 5099);
    assert_int_equal(f->count, 0);
    bench_tick(f, 1);
    assert_ptr_equal(bench_action(f, FEDN__REDUCER_SEND_CANCEL)->combiner, b);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_COMMIT), 1);
    /* what comes afterwards is nobody's */
    assert_int_equal(bench_report(f, b, 7, MODEL_0), 0);
    assert_string_equal(bench_action(f, FEDN__REDUCER_DROP)->text, MODEL_0);
}

static void a_round_does_not_end_under_a_partial_on_its_way(void **state)
{
    bench *f = *state;
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);

    bench_start(f, 1, 1);
    assert_int_equal(fedn__reducer_engine_upload(f->engine, f->now, a, 1), FEDN_OK);
    assert_int_equal(fedn__reducer_engine_deadline(f->engine), INT64_MAX);
    bench_tick(f, 100000);
    assert_int_equal(f->count, 0);
    /* when it is there the report has its time to come */
    assert_int_equal(fedn__reducer_engine_upload(f->engine, f->now, a, 0), FEDN_OK);
    assert_int_equal(fedn__reducer_engine_deadline(f->engine), f->now + 100);
    bench_tick(f, 99);
    assert_int_equal(bench_report(f, a, 7, PARTIAL), 1);
}

static void a_cut_link_has_its_bound_and_a_resumed_one_keeps_the_round(void **state)
{
    bench *f = *state;
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);

    bench_start(f, 1, 1);
    fedn__reducer_engine_detach(f->engine, f->now, a, a->attachment);
    assert_int_equal(fedn__reducer_engine_deadline(f->engine), f->now + 1000);
    f->now += 900;
    bench_attach(f, "a", "l1", 2);
    bench_tick(f, 900);
    assert_int_equal(fedn__reducer_engine_round(f->engine)->parts[0].state, FEDN__PART_ASKED);
    fedn__reducer_engine_detach(f->engine, f->now, a, a->attachment);
    bench_drain(f);
    bench_tick(f, 1000);
    assert_int_equal(bench_action(f, FEDN__REDUCER_ROUND_ENDED)->round->state, FEDN__ROUND_FAILED);
    test_assert_words(bench_action(f, FEDN__REDUCER_ROUND_ENDED)->round->message, "a link cut 1_s");
}

static void a_restarted_combiner_is_asked_again_unless_it_holds_the_round(void **state)
{
    static const char *const held[] = {"6", "7"};
    bench *f = *state;
    fedn__reducer_hello again = bench_hello("a", "l2");
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);
    int32_t resumed = 1;
    fedn_error err;

    bench_start(f, 1, 1);
    fedn__reducer_engine_detach(f->engine, f->now, a, a->attachment);
    f->now += 900;
    again.held = held;
    again.held_count = 2;
    assert_ok(fedn__reducer_engine_attach(f->engine, f->now, &again, &a, &resumed, &err), &err);
    bench_drain(f);
    assert_int_equal(resumed, 0);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_SEND_CANCEL), 1);
    assert_int_equal(bench_action(f, FEDN__REDUCER_SEND_CANCEL)->round_id, 6);
    /* what it holds it has its full time for */
    assert_int_equal(fedn__reducer_engine_deadline(f->engine), f->now + 5100);
    fedn__reducer_engine_roster(f->engine, f->now, a, 2);
    bench_drain(f);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_SEND_START), 0);
    again.link_id = "l3";
    again.held_count = 1;
    assert_ok(fedn__reducer_engine_attach(f->engine, f->now, &again, &a, &resumed, &err), &err);
    bench_drain(f);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_SEND_START), 0); /* it has no clients yet */
    fedn__reducer_engine_roster(f->engine, f->now, a, 1);
    bench_drain(f);
    assert_int_equal(bench_action(f, FEDN__REDUCER_SEND_START)->round->id, 7);
    assert_int_equal(bench_report(f, a, 7, PARTIAL), 1);
    bench_merged(f, 7, 0, FEDN_OK);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_COMMIT), 1);
}

/* What is committed is not on disk yet: a reducer that dies now asks for it once more. */
static void a_round_that_is_being_committed_is_not_cancelled_at_who_holds_it(void **state)
{
    static const char *const held[] = {"7"};
    bench *f = *state;
    fedn__reducer_hello again = bench_hello("a", "l2");
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);
    int32_t resumed = 1;
    fedn_error err;

    bench_start(f, 1, 1);
    assert_int_equal(bench_report(f, a, 7, PARTIAL), 1);
    bench_merged(f, 7, 0, FEDN_OK);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_COMMIT), 1);
    again.held = held;
    again.held_count = 1;
    assert_ok(fedn__reducer_engine_attach(f->engine, f->now, &again, &a, &resumed, &err), &err);
    bench_drain(f);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_SEND_CANCEL), 0);
}

static void a_restarted_combiner_without_clients_fails_at_its_time(void **state)
{
    bench *f = *state;
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);

    bench_start(f, 1, 1);
    fedn__reducer_engine_detach(f->engine, f->now, a, a->attachment);
    bench_attach(f, "a", "l2", 0);
    bench_tick(f, 5100);
    test_assert_words(bench_action(f, FEDN__REDUCER_ROUND_ENDED)->round->message,
                      "came_back_without_1_active_clients");
}

static void a_combiner_that_restarts_for_ever_loses_the_round(void **state)
{
    bench *f = *state;

    bench_attach(f, "a", "l1", 2);
    bench_start(f, 2, 1);
    for (uint32_t i = 0; i < 11; i++) {
        char link[16];
        snprintf(link, sizeof link, "again%u", (unsigned)i);
        assert_int_equal(fedn__reducer_engine_round(f->engine)->id, 7);
        bench_attach(f, "a", link, 2);
    }
    assert_int_equal(fedn__reducer_engine_round(f->engine)->id, 8);
    assert_int_equal(bench_session(f)->failures, 1);
}

static void an_older_attachment_that_ends_changes_nothing(void **state)
{
    bench *f = *state;
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);
    uint64_t first = a->attachment;

    bench_attach(f, "a", "l1", 2);
    fedn__reducer_engine_detach(f->engine, f->now, a, first);
    assert_int_not_equal(a->attachment, 0);
}

static void greetings_that_do_not_fit_are_refused_with_a_reason(void **state)
{
    static const struct {
        const char *name, *id;
        uint32_t protocol;
        fedn_status status;
        const char *words;
    } cases[] = {
        {"b", "b", 99, FEDN_ERR_INVALID, "protocol 99"},
        {"no name", "b", 1, FEDN_ERR_INVALID, "no_name letters"},
        {"", "b", 1, FEDN_ERR_INVALID, "letters"},
        {"b", "../b", 1, FEDN_ERR_INVALID, "combiner_id"},
        {"a", "another", 1, FEDN_ERR_EXISTS, "a attached combiner.name"},
    };
    bench *f = *state;

    bench_attach(f, "a", "l1", 0);
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fedn__reducer_hello bad = bench_hello(cases[i].name, "l9");
        fedn__reducer_combiner *combiner = NULL;
        int32_t resumed = 0;
        fedn_error err;
        bad.combiner_id = cases[i].id;
        bad.protocol = cases[i].protocol;
        assert_fails(
            fedn__reducer_engine_attach(f->engine, f->now, &bad, &combiner, &resumed, &err),
            cases[i].status, &err, cases[i].words);
        assert_null(combiner);
    }
}

static void a_stop_ends_round_and_session_and_late_merges_are_ignored(void **state)
{
    bench *f = *state;
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);
    bench_attach(f, "b", "l2", 2);

    bench_start(f, 3, 1);
    bench_report(f, a, 7, PARTIAL);
    assert_int_equal(fedn__reducer_engine_stop(f->engine, f->now, "other", "x"),
                     FEDN_ERR_NOT_FOUND);
    assert_int_equal(fedn__reducer_engine_stop(f->engine, f->now, "s", "asked to"), FEDN_OK);
    bench_drain(f);
    assert_string_equal(bench_action(f, FEDN__REDUCER_SEND_CANCEL)->combiner->name, "b");
    assert_int_equal(bench_action(f, FEDN__REDUCER_ROUND_ENDED)->round->state,
                     FEDN__ROUND_TERMINATED);
    assert_int_equal(bench_session(f)->status, FEDN__SESSION_TERMINATED);
    bench_merged(f, 7, 0, FEDN_OK);
    assert_int_equal(f->count, 0);
}

static void a_stop_during_a_commit_lets_the_commit_count(void **state)
{
    bench *f = *state;
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);

    bench_start(f, 3, 1);
    bench_report(f, a, 7, PARTIAL);
    bench_merged(f, 7, 0, FEDN_OK);
    assert_int_equal(fedn__reducer_engine_stop(f->engine, f->now, "s", "asked to"), FEDN_OK);
    bench_drain(f);
    assert_int_equal(bench_session(f)->status, FEDN__SESSION_STARTED);
    bench_committed(f, 7, FEDN_OK);
    assert_int_equal(bench_session(f)->status, FEDN__SESSION_TERMINATED);
    assert_int_equal(bench_session(f)->done, 1);
    assert_string_equal(bench_session(f)->message, "asked to");
}

static void a_failed_commit_fails_the_round_and_keeps_the_model(void **state)
{
    bench *f = *state;
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);

    bench_start(f, 2, 1);
    bench_report(f, a, 7, PARTIAL);
    bench_merged(f, 7, 0, FEDN_OK);
    bench_committed(f, 7, FEDN_ERR_STORE);
    assert_string_equal(bench_action(f, FEDN__REDUCER_ROUND_ENDED)->round->message, "disk full");
    assert_string_equal(bench_action(f, FEDN__REDUCER_SEND_START)->round->model_id, MODEL_0);
}

static void clients_go_to_the_preferred_or_the_least_busy_combiner(void **state)
{
    bench *f = *state;
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 3);
    fedn__reducer_combiner *b = bench_attach(f, "b", "l2", 1);
    fedn__reducer_combiner *c = bench_attach(f, "c", "l3", 10);

    assert_ptr_equal(fedn__reducer_engine_choose(f->engine, "a"), a);
    assert_ptr_equal(fedn__reducer_engine_choose(f->engine, NULL), b);
    assert_ptr_equal(fedn__reducer_engine_choose(f->engine, "nobody"), b);
    assert_ptr_equal(fedn__reducer_engine_choose(f->engine, "c"), b); /* c is full */
    fedn__reducer_engine_detach(f->engine, f->now, b, b->attachment);
    assert_ptr_equal(fedn__reducer_engine_choose(f->engine, "b"), a);
    fedn__reducer_engine_detach(f->engine, f->now, a, a->attachment);
    assert_null(fedn__reducer_engine_choose(f->engine, NULL));
    fedn__reducer_engine_roster(f->engine, f->now, c, 9);
    assert_ptr_equal(fedn__reducer_engine_choose(f->engine, NULL), c);
}

static fedn_status short_life(void *arg)
{
    static const fedn__reducer_settings settings = {.first_round = 1, .max_failures = 3};
    fedn__reducer_session order = {
        .session_id = "s", .model_id = MODEL_0, .rounds = 1, .round_timeout_ms = 1};
    fedn__reducer_hello greeting = bench_hello("a", "l");
    fedn__reducer_engine *engine = NULL;
    fedn__reducer_combiner *a = NULL;
    fedn__reducer_report what = {.round = 1, .partial_id = PARTIAL, .error = ""};
    int32_t flag = 0;
    fedn_error err;
    fedn_status rc = fedn__reducer_engine_new(&settings, &engine, &err);

    (void)arg;
    if (rc == FEDN_OK)
        rc = fedn__reducer_engine_start(engine, 0, &order, &err);
    if (rc == FEDN_OK)
        rc = fedn__reducer_engine_attach(engine, 0, &greeting, &a, &flag, &err);
    if (rc == FEDN_OK)
        rc = fedn__reducer_engine_roster(engine, 0, a, 5);
    if (rc == FEDN_OK)
        rc = fedn__reducer_engine_report(engine, 0, a, &what, &flag);
    if (rc == FEDN_OK)
        rc = fedn__reducer_engine_merged(engine, 0, 1, 0, FEDN_OK, "");
    if (rc == FEDN_OK)
        rc = fedn__reducer_engine_committed(engine, 0, 1, FEDN_OK, MODEL_1, "");
    fedn__reducer_engine_free(engine);
    return rc;
}

static void running_out_of_memory_is_survived(void **state)
{
    (void)state;
    test_fail_each_allocation(short_life, NULL);
}

int main(void)
{
#define ENGINE_TEST(fn) cmocka_unit_test_setup_teardown(fn, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_round_goes_from_start_to_commit_and_the_next_begins_at_once),
        ENGINE_TEST(a_second_start_is_refused_in_the_words_of_fedn),
        ENGINE_TEST(a_round_waits_for_a_combiner_with_clients_enough),
        ENGINE_TEST(waiting_for_ever_fails_three_rounds_and_then_the_session),
        ENGINE_TEST(a_session_that_had_a_combiner_waits_for_one_without_end),
        ENGINE_TEST(a_bad_partial_leaves_the_round_to_the_others),
        ENGINE_TEST(the_deadline_cancels_the_silent_and_goes_on_with_what_is_there),
        ENGINE_TEST(a_round_does_not_end_under_a_partial_on_its_way),
        ENGINE_TEST(a_cut_link_has_its_bound_and_a_resumed_one_keeps_the_round),
        ENGINE_TEST(a_restarted_combiner_is_asked_again_unless_it_holds_the_round),
        ENGINE_TEST(a_round_that_is_being_committed_is_not_cancelled_at_who_holds_it),
        ENGINE_TEST(a_restarted_combiner_without_clients_fails_at_its_time),
        ENGINE_TEST(a_combiner_that_restarts_for_ever_loses_the_round),
        ENGINE_TEST(an_older_attachment_that_ends_changes_nothing),
        ENGINE_TEST(greetings_that_do_not_fit_are_refused_with_a_reason),
        ENGINE_TEST(a_stop_ends_round_and_session_and_late_merges_are_ignored),
        ENGINE_TEST(a_stop_during_a_commit_lets_the_commit_count),
        ENGINE_TEST(a_failed_commit_fails_the_round_and_keeps_the_model),
        ENGINE_TEST(clients_go_to_the_preferred_or_the_least_busy_combiner),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
