/* SPDX-License-Identifier: Apache-2.0
 * The rules of a client about its connection: assignments, dialling, heartbeats, stops. Tasks are
 * in test_client_engine_task.c, random worlds in test_client_simulation.c. */
#include "client_bench.h"

static void heartbeats_go_on_while_a_callback_runs(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    for (int i = 0; i < 5; i++) {
        bench_wait(&b, 2000);
        expect(&b, "b");
        assert_int_equal(fedn__client_engine_deadline(b.engine), INT64_MAX); /* one at a time */
        fedn__client_engine_heartbeat(b.engine, b.now, b.dial, FEDN_OK, "");
        expect(&b, "");
    }
    bench_wait(&b, 2000);
    expect(&b, "b");
    fedn__client_engine_heartbeat(b.engine, b.now, b.dial, FEDN_ERR_TIMEOUT, "no answer");
    expect(&b, "Hw");
    bench_free(&b);
}

static void pauses_grow_and_a_new_assignment_is_asked_for(void **state)
{
    bench b;
    int64_t most = 100;

    (void)state;
    bench_new(&b, NULL);
    expect(&b, "A");
    bench_assigned(&b, "host:1");
    expect(&b, "Db");
    for (int i = 0; i < 3; i++) {
        bench_closed(&b, FEDN_ERR_UNAVAILABLE);
        expect(&b, i == 0 ? "Hw" : "H"); /* warned once */
        int64_t pause = fedn__client_engine_deadline(b.engine) - b.now;
        assert_true(pause >= most / 2 && pause <= most);
        bench_wait(&b, most);
        expect(&b, "Db");
        most = most * 2 < 1000 ? most * 2 : 1000;
    }
    bench_closed(&b, FEDN_ERR_UNAVAILABLE);
    expect(&b, "H");
    bench_wait(&b, most);
    expect(&b, "A");
    bench_free(&b);
}

static void named_combiner_is_dialled_for_ever(void **state)
{
    bench b;

    (void)state;
    bench_new(&b, "host:1");
    expect(&b, "Db");
    for (int i = 0; i < 20; i++) {
        bench_closed(&b, FEDN_ERR_UNAVAILABLE);
        expect(&b, i == 0 ? "Hw" : "H");
        bench_wait(&b, 1000);
        expect(&b, "Db");
    }
    bench_free(&b);
}

static void connection_that_lasted_starts_the_pauses_anew(void **state)
{
    bench b;

    (void)state;
    bench_new(&b, "host:1");
    for (int i = 0; i < 8; i++) {
        bench_drain(&b);
        bench_closed(&b, FEDN_ERR_UNAVAILABLE);
        bench_drain(&b);
        bench_wait(&b, 1000);
    }
    expect(&b, "Db");
    bench_up(&b);
    b.now += 10000;
    bench_closed(&b, FEDN_ERR_UNAVAILABLE);
    expect(&b, "Hw");
    bench_wait(&b, 100);
    expect(&b, "Db");
    bench_free(&b);
}

static void other_combiner_gets_no_answer_to_old_tasks(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    bench_give(&b, FEDN_TASK_VALIDATE, "c2", "", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    for (int i = 0; i < 4; i++) {
        bench_closed(&b, FEDN_ERR_UNAVAILABLE);
        bench_drain(&b);
        bench_wait(&b, 1000);
        expect(&b, i < 3 ? "Db" : "A");
    }
    bench_assigned(&b, "host:2");
    expect(&b, "XDb");
    fedn__client_engine_opened(b.engine, b.now, b.dial);
    expect(&b, "");
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    expect(&b, "-");
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A); /* it may hand it out again */
    expect(&b, "R");
    bench_free(&b);
}

static void reducer_that_is_not_ready_is_asked_every_3_s(void **state)
{
    bench b;

    (void)state;
    bench_new(&b, NULL);
    expect(&b, "A");
    for (int i = 0; i < 3; i++) {
        fedn__client_engine_assigned(b.engine, b.now, FEDN__ASSIGN_WAIT, FEDN_ERR_UNAVAILABLE,
                                     "no package yet");
        expect(&b, i == 0 ? "w" : "");
        assert_int_equal(fedn__client_engine_deadline(b.engine), b.now + 3000);
        bench_wait(&b, 3000);
        expect(&b, "A");
    }
    bench_assigned(&b, "host:1");
    expect(&b, "Db");
    bench_free(&b);
}

static void unreachable_reducer_is_warned_about_once_per_change(void **state)
{
    bench b;

    (void)state;
    bench_new(&b, NULL);
    expect(&b, "A");
    for (int i = 0; i < 6; i++) {
        fedn_status why = i < 3 ? FEDN_ERR_UNAVAILABLE : FEDN_ERR_AUTH;
        fedn__client_engine_assigned(b.engine, b.now, FEDN__ASSIGN_TROUBLE, why, "refused");
        expect(&b, i % 3 == 0 ? "w" : "");
        bench_wait(&b, 1000);
        expect(&b, "A");
    }
    bench_free(&b);
}

static void refusals_end_it_with_their_text(void **state)
{
    bench b;

    (void)state;
    bench_new(&b, NULL);
    expect(&b, "A");
    fedn__client_engine_assigned(b.engine, b.now, FEDN__ASSIGN_REFUSED, FEDN_ERR_AUTH, "401 no");
    expect(&b, ".");
    assert_int_equal(b.status, FEDN_ERR_AUTH);
    assert_string_equal(b.text, "401 no");
    bench_free(&b);
    bench_connected(&b);
    bench_closed(&b, FEDN_ERR_DENIED);
    expect(&b, "H.");
    assert_int_equal(b.status, FEDN_ERR_DENIED);
    bench_free(&b);
}

static void nothing_happens_after_a_stop(void **state)
{
    bench b;

    (void)state;
    bench_connected(&b);
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    bench_give(&b, FEDN_TASK_VALIDATE, "c2", "", MODEL_A);
    expect(&b, "F");
    fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "R");
    fedn__client_engine_stop(b.engine, b.now);
    expect(&b, "XH.");
    assert_int_equal(b.status, FEDN_OK);
    fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
    fedn__client_engine_stop(b.engine, b.now);
    fedn__client_engine_tick(b.engine, b.now + 100000);
    bench_closed(&b, FEDN_ERR_UNAVAILABLE);
    bench_give(&b, FEDN_TASK_TRAIN, "c3", "2", MODEL_A);
    bench_assigned(&b, "host:3");
    expect(&b, "");
    assert_int_equal(fedn__client_engine_deadline(b.engine), INT64_MAX);
    bench_free(&b);
}

/* An update is not released by a stop: the next run delivers it. */
static void stop_in_every_phase(void **state)
{
    static const char *const wanted[] = {".", "H.", "-H.", "XH.", "H.", "H.", "H.", "."};
    bench b;

    (void)state;
    for (int phase = 0; phase < 8; phase++) {
        bench_new(&b, NULL);
        expect(&b, "A");
        if (phase >= 1 && phase < 7) {
            bench_assigned(&b, "host:1");
            expect(&b, "Db");
        }
        if (phase >= 2 && phase < 7) {
            bench_up(&b);
            bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
            expect(&b, "F");
        }
        if (phase >= 3 && phase < 7)
            fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
        bench_drain(&b);
        if (phase >= 4 && phase < 7)
            fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
        bench_drain(&b);
        if (phase >= 5 && phase < 7)
            fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_OK, "");
        bench_drain(&b);
        if (phase == 6)
            fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_OK, "");
        if (phase == 7)
            fedn__client_engine_assigned(b.engine, b.now, FEDN__ASSIGN_WAIT, 0, "wait");
        bench_drain(&b);
        fedn__client_engine_stop(b.engine, b.now);
        expect(&b, wanted[phase]);
        bench_free(&b);
    }
}

static fedn_status new_engine(void *arg)
{
    fedn__client_engine *engine = NULL;
    fedn_error err;
    const fedn__client_settings settings = {.heartbeat_ms = 1};

    (void)arg;
    fedn_status rc = fedn__client_engine_new(&settings, &engine, &err);
    fedn__client_engine_free(engine);
    return rc;
}

static void engine_survives_failing_allocations(void **state)
{
    (void)state;
    test_fail_each_allocation(new_engine, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heartbeats_go_on_while_a_callback_runs),
        cmocka_unit_test(pauses_grow_and_a_new_assignment_is_asked_for),
        cmocka_unit_test(named_combiner_is_dialled_for_ever),
        cmocka_unit_test(connection_that_lasted_starts_the_pauses_anew),
        cmocka_unit_test(other_combiner_gets_no_answer_to_old_tasks),
        cmocka_unit_test(reducer_that_is_not_ready_is_asked_every_3_s),
        cmocka_unit_test(unreachable_reducer_is_warned_about_once_per_change),
        cmocka_unit_test(refusals_end_it_with_their_text),
        cmocka_unit_test(nothing_happens_after_a_stop),
        cmocka_unit_test(stop_in_every_phase),
        cmocka_unit_test(engine_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
