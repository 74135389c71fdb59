/* SPDX-License-Identifier: Apache-2.0
 * The rules of a client about its tasks: from being handed out to the answer. The connection is in
 * test_client_engine.c. */
#include "client_bench.h"

static void give_with_model(bench *b, fedn_task_type type, const char *correlation,
                            const char *round, const char *model)
{
    fedn__order *order = bench_order(type, correlation, round, model);

    order->model = fedn__alloc_zero(4);
    order->model_bytes = 4;
    fedn__client_engine_order(b->engine, b->now, b->dial, order);
}

/* A callback that leaves nothing to upload, and its answer. */
static void to_the_end(bench *b, const char *then)
{
    fedn__client_engine_ran(b->engine, b->now, FEDN_OK, 0, "");
    expect(b, "S");
    fedn__client_engine_answered(b->engine, b->now, b->step, FEDN_OK, "");
    expect(b, then);
}

static void training_is_fetched_run_uploaded_answered(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "U");
    fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "S");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "-");
    bench_free(&b);
}

static void the_newest_model_is_not_fetched_again(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    bench_give(&b, FEDN_TASK_VALIDATE, "c1", "", MODEL_A);
    bench_give(&b, FEDN_TASK_TRAIN, "c2", "1", MODEL_A);
    bench_give(&b, FEDN_TASK_VALIDATE, "c3", "", MODEL_B);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    to_the_end(&b, "-R");
    fedn__client_engine_ran(b.engine, b.now, FEDN_ERR_CALLBACK, 1, "no data");
    expect(&b, "wE");
    assert_string_equal(b.text, "no data");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "-F");
    bench_free(&b);
}

static void a_model_that_comes_with_its_task_is_kept_not_fetched(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    give_with_model(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "K");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    to_the_end(&b, "-");                                   /* nothing to upload either */
    bench_give(&b, FEDN_TASK_VALIDATE, "c2", "", MODEL_A); /* it is the newest model from then on */
    expect(&b, "R");
    give_with_model(&b, FEDN_TASK_VALIDATE, "c3", "", MODEL_A); /* and known */
    give_with_model(&b, FEDN_TASK_VALIDATE, "c4", "", MODEL_B);
    bench_give(&b, FEDN_TASK_VALIDATE, "c5", "", MODEL_A);
    to_the_end(&b, "-R");
    to_the_end(&b, "-K");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    to_the_end(&b, "-F"); /* the other one has taken its place */
    bench_free(&b);
}

static void a_model_that_cannot_be_kept_for_lack_of_memory_is_tried_again(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    give_with_model(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "K");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_ERR_NOMEM, "out of memory");
    expect(&b, "w");
    bench_wait(&b, 100);
    expect(&b, "K");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    bench_free(&b);
}

static void an_announcement_that_carries_its_update_is_repeated_as_it_was(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    give_with_model(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "K");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 0, "");
    expect(&b, "S");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_ERR_UNAVAILABLE, "gone");
    expect(&b, "w");
    bench_wait(&b, 100);
    expect(&b, "S");
    bench_free(&b);
}

static void repeated_task_is_left_alone(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    bench_give(&b, FEDN_TASK_VALIDATE, "c1", "", MODEL_A);
    expect(&b, "F");
    bench_give(&b, FEDN_TASK_VALIDATE, "c1", "", MODEL_A);
    bench_give(&b, FEDN_TASK_VALIDATE, "c2", "", MODEL_A);
    bench_give(&b, FEDN_TASK_VALIDATE, "c2", "", MODEL_A);
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    to_the_end(&b, "-R");
    bench_give(&b, FEDN_TASK_VALIDATE, "c1", "", MODEL_A);
    to_the_end(&b, "-");
    bench_free(&b);
}

static void tasks_without_a_correlation_id_are_all_done(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    for (int i = 0; i < 2; i++) {
        bench_give(&b, FEDN_TASK_VALIDATE, "", "", MODEL_A);
        expect(&b, i == 0 ? "F" : "R");
        if (i == 0) {
            fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
            expect(&b, "R");
        }
        to_the_end(&b, "-");
    }
    bench_free(&b);
}

static void newer_round_cancels_the_running_one(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    bench_give(&b, FEDN_TASK_TRAIN, "c2", "2", MODEL_A);
    expect(&b, "X");
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A); /* a late repetition changes nothing */
    expect(&b, "");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "-R");
    bench_give(&b, FEDN_TASK_VALIDATE, "c3", "", MODEL_A); /* says nothing about rounds */
    expect(&b, "");
    bench_free(&b);
}

static void refused_progress_cancels_the_callback(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    uint64_t run = b.step;
    fedn__client_engine_unwanted(b.engine, b.now, run - 1, "REFUSED of an earlier one");
    expect(&b, "");
    fedn__client_engine_unwanted(b.engine, b.now, run, "REFUSED Status: round 1 is over");
    expect(&b, "X");
    fedn__client_engine_unwanted(b.engine, b.now, run, "REFUSED Status: round 1 is over");
    expect(&b, "");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "-");
    bench_free(&b);
}

static void newer_round_drops_what_waits_and_what_is_under_way(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    bench_give(&b, FEDN_TASK_TRAIN, "c2", "2", MODEL_A);
    expect(&b, "X-F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "U");
    bench_give(&b, FEDN_TASK_TRAIN, "c3", "3", MODEL_A);
    expect(&b, "X-R");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "U");
    fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "S");
    bench_give(&b, FEDN_TASK_TRAIN, "c4", "4", MODEL_A); /* the answer is out and may count */
    expect(&b, "");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_OK, "REFUSED ModelUpdate: over");
    expect(&b, "w-R");
    bench_free(&b);
}

static void lost_connection_repeats_the_step_not_the_callback(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    uint64_t stale = b.step;
    bench_closed(&b, FEDN_ERR_UNAVAILABLE);
    expect(&b, "Hw");
    fedn__client_engine_fetched(b.engine, b.now, stale, FEDN_ERR_CANCELLED, "closed");
    expect(&b, "");
    bench_wait(&b, 100);
    expect(&b, "Db");
    fedn__client_engine_opened(b.engine, b.now, b.dial);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, stale, FEDN_OK, "");
    expect(&b, "");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    bench_closed(&b, FEDN_OK);
    expect(&b, "Hw");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "");
    bench_wait(&b, 200);
    expect(&b, "Db");
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1",
               MODEL_A); /* handed out again: goes on with the upload */
    expect(&b, "U");
    fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "S");
    bench_closed(&b, FEDN_ERR_UNAVAILABLE);
    expect(&b, "Hw");
    bench_wait(&b, 400);
    expect(&b, "Db");
    fedn__client_engine_heartbeat(b.engine, b.now, b.dial, FEDN_OK, ""); /* a sign of life */
    expect(&b, "S");
    bench_free(&b);
}

static void failing_step_is_tried_again_then_reported(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    for (int i = 0; i < 7; i++) {
        fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_ERR_TIMEOUT, "slow");
        expect(&b, i == 0 ? "w" : "");
        bench_wait(&b, 1000);
        bench_drain(&b);
        if (strcmp(b.trace, "b") == 0) { /* a heartbeat was due before */
            fedn__client_engine_heartbeat(b.engine, b.now, b.dial, FEDN_OK, "");
            bench_drain(&b);
            bench_wait(&b, 1000);
            bench_drain(&b);
        }
        assert_non_null(strchr(b.trace, 'F'));
    }
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_ERR_TIMEOUT, "slow");
    expect(&b, "wE");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_ERR_INVALID, "bad");
    expect(&b, "w-");
    bench_free(&b);
}

static void busy_combiner_is_asked_until_the_round_is_over(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "U");
    for (int i = 0; i < 50; i++) {
        fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_ERR_UNAVAILABLE, "busy");
        expect(&b, i == 0 ? "w" : "");
        while (!strchr(b.trace, 'U')) {
            bench_wait(&b, 1000);
            bench_drain(&b);
            if (strchr(b.trace, 'b'))
                fedn__client_engine_heartbeat(b.engine, b.now, b.dial, FEDN_OK, "");
        }
    }
    bench_give(&b, FEDN_TASK_TRAIN, "c2", "2", MODEL_A);
    expect(&b, "X-R");
    bench_free(&b);
}

static void hopeless_step_is_reported_at_once(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_ERR_LIMIT, "over 10 bytes");
    expect(&b, "wE");
    assert_string_equal(b.text, "over 10 bytes");
    bench_free(&b);
}

static void task_that_cannot_be_done_is_reported_without_a_fetch(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    bench_give(&b, FEDN_TASK_PREDICT, "c1", "", MODEL_A);
    expect(&b, "wE");
    test_assert_words(b.text, "predict callback");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "-");
    fedn__order *order = bench_order(0, "c2", "", "");
    order->fault = fedn__strdup("tasks of type 8 are not supported");
    fedn__client_engine_order(b.engine, b.now, b.dial, order);
    expect(&b, "wE");
    assert_string_equal(b.text, "tasks of type 8 are not supported");
    bench_free(&b);
}

static void full_queue_refuses(void **state)
{
    bench b;
    char id[32];

    (void)state;
    bench_connected(&b);
    for (int i = 0; i <= FEDN__LIMIT_CLIENT_TASKS; i++) {
        snprintf(id, sizeof id, "c%d", i);
        bench_give(&b, FEDN_TASK_VALIDATE, id, "", MODEL_A);
        expect(&b, i == 0 ? "F" : "");
    }
    bench_give(&b, FEDN_TASK_VALIDATE, "one more", "", MODEL_A);
    expect(&b, "Q");
    test_assert_words(b.text, "16 tasks");
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_is_fetched_run_uploaded_answered),
        cmocka_unit_test(the_newest_model_is_not_fetched_again),
        cmocka_unit_test(a_model_that_comes_with_its_task_is_kept_not_fetched),
        cmocka_unit_test(a_model_that_cannot_be_kept_for_lack_of_memory_is_tried_again),
        cmocka_unit_test(an_announcement_that_carries_its_update_is_repeated_as_it_was),
        cmocka_unit_test(repeated_task_is_left_alone),
        cmocka_unit_test(tasks_without_a_correlation_id_are_all_done),
        cmocka_unit_test(newer_round_cancels_the_running_one),
        cmocka_unit_test(refused_progress_cancels_the_callback),
        cmocka_unit_test(newer_round_drops_what_waits_and_what_is_under_way),
        cmocka_unit_test(lost_connection_repeats_the_step_not_the_callback),
        cmocka_unit_test(failing_step_is_tried_again_then_reported),
        cmocka_unit_test(busy_combiner_is_asked_until_the_round_is_over),
        cmocka_unit_test(hopeless_step_is_reported_at_once),
        cmocka_unit_test(task_that_cannot_be_done_is_reported_without_a_fetch),
        cmocka_unit_test(full_queue_refuses),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
