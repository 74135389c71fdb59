/* SPDX-License-Identifier: Apache-2.0
 * The rules of a client about an update that is trained and not delivered yet. */
#include "client_bench.h"

static void trained(bench *b)
{
    bench_connected(b);
    bench_give(b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(b, "F");
    fedn__client_engine_fetched(b->engine, b->now, b->step, FEDN_OK, "");
    expect(b, "R");
    fedn__client_engine_ran(b->engine, b->now, FEDN_OK, 1, "");
    expect(b, "U");
}

/* An engine that finds an update from host:1 when it starts. */
static void found(bench *b, const char *direct)
{
    fedn_error err;
    const fedn__client_settings settings = {.heartbeat_ms = 2000,
                                            .reconnect_min_ms = 100,
                                            .reconnect_max_ms = 1000,
                                            .seed = 7,
                                            .direct = direct,
                                            .has_train = 1,
                                            .has_validate = 1};

    memset(b, 0, sizeof *b);
    b->now = 1000000;
    assert_ok(fedn__client_engine_new(&settings, &b->engine, &err), &err);
    fedn__client_engine_kept(b->engine, bench_order(FEDN_TASK_TRAIN, "c1", "1", MODEL_A), "host:1");
    fedn__client_engine_start(b->engine, b->now);
}

static void connect_to(bench *b, const char *target)
{
    expect(b, "A");
    bench_assigned(b, target);
    expect(b, "Db");
    fedn__client_engine_opened(b->engine, b->now, b->dial);
}

/* Fails to reach the combiner until the reducer is asked. */
static void lose(bench *b)
{
    bench_closed(b, FEDN_ERR_UNAVAILABLE);
    for (int i = 0; i < 10; i++) {
        bench_wait(b, 4000);
        bench_drain(b);
        if (strchr(b->trace, 'A'))
            return;
        bench_closed(b, FEDN_ERR_UNAVAILABLE);
        bench_drain(b);
    }
    fail_msg("nobody else is asked for");
}

static void an_update_of_an_earlier_run_is_delivered_and_released(void **state)
{
    bench b;

    (void)state;
    found(&b, NULL);
    connect_to(&b, "host:1");
    expect(&b, "U");
    assert_int_equal(b.moved, 0);
    fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "S");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "-");
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A); /* and not trained again */
    expect(&b, "");
    bench_give(&b, FEDN_TASK_TRAIN, "c2", "2", MODEL_A);
    expect(&b, "F");
    bench_free(&b);
}

static void its_task_that_comes_again_is_answered_by_it(void **state)
{
    bench b;

    (void)state;
    found(&b, "host:1");
    expect(&b, "Db");
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    expect(&b, "U");
    bench_give(&b, FEDN_TASK_TRAIN, "c9", "1", MODEL_A); /* the same round under another id */
    expect(&b, "");
    fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "S");
    assert_string_equal(b.correlation, "c9");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "-");
    bench_give(&b, FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
    bench_give(&b, FEDN_TASK_TRAIN, "c9", "1", MODEL_A);
    expect(&b, "");
    bench_free(&b);
}

static void a_later_round_or_a_refusal_ends_it(void **state)
{
    bench b;

    (void)state;
    found(&b, "host:1");
    expect(&b, "Db");
    bench_give(&b, FEDN_TASK_TRAIN, "c2", "2", MODEL_A);
    expect(&b, "X-F");
    bench_free(&b);
    found(&b, "host:1");
    expect(&b, "Db");
    fedn__client_engine_opened(b.engine, b.now, b.dial);
    expect(&b, "U");
    fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "S");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_OK, "REFUSED ModelUpdate: over");
    expect(&b, "w-");
    assert_non_null(strstr(b.text, "REFUSED ModelUpdate: over"));
    bench_free(&b);
}

static void a_stop_leaves_it_for_the_next_run(void **state)
{
    bench b;

    (void)state;
    found(&b, NULL);
    expect(&b, "A");
    fedn__client_engine_stop(b.engine, b.now);
    expect(&b, ".");
    bench_free(&b);
    trained(&b);
    fedn__client_engine_stop(b.engine, b.now);
    expect(&b, "H.");
    bench_free(&b);
}

static void it_goes_to_another_combiner_if_it_was_not_announced(void **state)
{
    bench b;

    (void)state;
    trained(&b);
    lose(&b);
    bench_assigned(&b, "host:2");
    expect(&b, "Db");
    fedn__client_engine_opened(b.engine, b.now, b.dial);
    expect(&b, "U");
    assert_int_equal(b.moved, 1);
    /* a combiner of FEDn's cannot tell whose it is */
    fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_ERR_UNSUPPORTED, "no such method");
    expect(&b, "w-");
    assert_non_null(strstr(b.text, "no such method"));
    bench_give(&b, FEDN_TASK_TRAIN, "c2", "1", MODEL_A);
    expect(&b, "R");
    bench_free(&b);
}

static void announced_it_may_count_and_goes_nowhere_else(void **state)
{
    bench b;

    (void)state;
    trained(&b);
    fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "S");
    lose(&b);
    bench_assigned(&b, "host:2");
    expect(&b, "wX-Db");
    assert_non_null(strstr(b.text, "may count"));
    bench_give(&b, FEDN_TASK_TRAIN, "x7", "1", MODEL_A); /* which is trained */
    expect(&b, "R");
    bench_free(&b);
}

static void one_found_at_the_start_may_count_as_well(void **state)
{
    bench b;

    (void)state;
    found(&b, "host:2");
    expect(&b, "wX-Db");
    bench_free(&b);
    found(&b, NULL);
    expect(&b, "A");
    bench_assigned(&b, "host:2");
    expect(&b, "wX-Db");
    bench_free(&b);
}

static void a_refusal_under_way_is_none_of_the_task_that_came_again(void **state)
{
    bench b;

    (void)state;
    trained(&b);
    fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "S");
    bench_give(&b, FEDN_TASK_TRAIN, "c9", "1", MODEL_A);
    expect(&b, "");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_OK, "REFUSED: no round");
    expect(&b, "S");
    assert_string_equal(b.correlation, "c9");
    fedn__client_engine_answered(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "-");
    bench_free(&b);
}

static void after_a_cut_our_combiner_is_asked_for_the_upload_again(void **state)
{
    bench b;

    (void)state;
    for (uint32_t ours = 0; ours < 2; ours++) {
        bench_connected(&b);
        fedn__order *order = bench_order(FEDN_TASK_TRAIN, "c1", "1", MODEL_A);
        order->inline_bytes = ours;
        fedn__client_engine_order(b.engine, b.now, b.dial, order);
        expect(&b, "F");
        fedn__client_engine_fetched(b.engine, b.now, b.step, FEDN_OK, "");
        expect(&b, "R");
        fedn__client_engine_ran(b.engine, b.now, FEDN_OK, 1, "");
        expect(&b, "U");
        fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_OK, "");
        expect(&b, "S");
        bench_closed(&b, FEDN_ERR_UNAVAILABLE);
        expect(&b, "Hw");
        bench_wait(&b, 100);
        expect(&b, "Db");
        fedn__client_engine_opened(b.engine, b.now, b.dial);
        expect(&b, ours ? "U" : "S");
        bench_free(&b);
    }
}

static void the_new_combiner_may_have_the_same_task(void **state)
{
    bench b;

    (void)state;
    trained(&b);
    lose(&b);
    bench_assigned(&b, "host:2");
    expect(&b, "Db");
    bench_give(&b, FEDN_TASK_TRAIN, "x7", "1", MODEL_A);
    expect(&b, "U");
    assert_int_equal(b.moved, 0);
    fedn__client_engine_uploaded(b.engine, b.now, b.step, FEDN_OK, "");
    expect(&b, "S");
    assert_string_equal(b.correlation, "x7");
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_of_an_earlier_run_is_delivered_and_released),
        cmocka_unit_test(its_task_that_comes_again_is_answered_by_it),
        cmocka_unit_test(a_later_round_or_a_refusal_ends_it),
        cmocka_unit_test(a_stop_leaves_it_for_the_next_run),
        cmocka_unit_test(it_goes_to_another_combiner_if_it_was_not_announced),
        cmocka_unit_test(announced_it_may_count_and_goes_nowhere_else),
        cmocka_unit_test(a_refusal_under_way_is_none_of_the_task_that_came_again),
        cmocka_unit_test(one_found_at_the_start_may_count_as_well),
        cmocka_unit_test(after_a_cut_our_combiner_is_asked_for_the_upload_again),
        cmocka_unit_test(the_new_combiner_may_have_the_same_task),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
