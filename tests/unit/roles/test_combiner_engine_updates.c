/* SPDX-License-Identifier: Apache-2.0
 * The rules of a combiner about updates that are announced: what counts, what is refused and why.
 */
#include "combiner_bench.h"
#include "test.h"

#include "core/text.h"
#include <math.h>

static void a_buffer_that_is_full_ends_the_round_and_late_updates_are_refused(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement late = bench_said("c2", "u2", "1");

    (void)state;
    bench_attach_many(b, 3);
    bench_start(b, "1", 2);
    bench_update(b, "c0", "u0", "1");
    bench_update(b, "c1", "u1", "1");
    assert_int_equal(b->saves, 1);
    bench_announce(b, &late);
    assert_int_equal(b->replies_refused, 1);
    test_assert_words(b->reason, "round_1_is_over");
    bench_free(b);
}

static void an_update_of_another_round_is_refused_and_costs_its_client_nothing(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement old = bench_said("c0", "u-old", "1");

    (void)state;
    bench_attach_many(b, 1);
    bench_start(b, "2", -1);
    bench_announce(b, &old);
    assert_int_equal(b->replies_refused, 1);
    test_assert_words(b->reason, "round_1_is_over round_2_is_running");
    bench_update(b, "c0", "u0", "2");
    assert_int_equal(b->saves, 1);
    bench_free(b);
}

static void an_update_announced_twice_counts_once(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement again = bench_said("c0", "u0", "1");
    fedn__announcement other = bench_said("c0", "u9", "1");

    (void)state;
    bench_attach_many(b, 2);
    bench_start(b, "1", -1);
    bench_update(b, "c0", "u0", "1");
    bench_announce(b, &again);
    assert_int_equal(b->replies_ok, 2);
    assert_int_equal(b->folds, 1);
    assert_int_equal(b->drops, 1); /* it came along once more */
    again.upload_error = "was not uploaded";
    bench_announce(b, &again);
    assert_int_equal(b->replies_ok, 3);
    assert_int_equal(b->drops, 1);
    bench_announce(b, &other);
    assert_int_equal(b->replies_refused, 1);
    test_assert_words(b->reason, "counted_in_round_1_already");
    assert_int_equal(fedn__combiner_engine_counts(b->engine).accepted, 1);
    bench_free(b);
}

static void a_refused_update_that_comes_again_is_dropped_when_the_round_is_over(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement again = bench_said("c0", "u0", "1");

    (void)state;
    bench_attach_many(b, 2);
    bench_start(b, "1", -1);
    bench_announce(b, &again);
    bench_folded(b, "c0", "u0", "tensor 0: not finite");
    assert_int_equal(b->replies_refused, 1);
    bench_update(b, "c1", "u1", "1");
    assert_int_equal(b->saves, 1);
    bench_announce(b, &again);
    assert_int_equal(b->replies_refused, 2);
    assert_int_equal(b->folds, 2);
    assert_int_equal(b->drops, 1);
    bench_free(b);
}

static void what_cannot_count_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *client, *model, *session, *upload_error;
        double weight;
        const char *words;
    } cases[] = {
        {"stranger", MODEL, SESSION, NULL, 1, "stranger not_asked"},
        {"c0", "33333333-3333-4333-8333-333333333333", SESSION, NULL, 1, "trained_from 33333333"},
        {"c0", MODEL, "44444444-4444-4444-8444-444444444444", NULL, 1, "session 44444444"},
        {"c0", MODEL, SESSION, NULL, 0, "num_examples_0"},
        {"c0", MODEL, SESSION, NULL, -3, "num_examples_-3"},
        {"c0", MODEL, SESSION, NULL, NAN, "num_examples_nan"},
        {"c0", MODEL, SESSION, NULL, INFINITY, "num_examples_inf"},
        {"c0", MODEL, SESSION, NULL, 1e16, "num_examples_1e+16 1e+15"},
        {"c0", MODEL, SESSION, "model update u was not uploaded", 1, "was_not_uploaded"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench *b = bench_new(10);
        bench_attach_many(b, 2);
        bench_start(b, "1", -1);
        fedn__announcement a = bench_said(cases[i].client, "u", "1");
        a.model_id = cases[i].model;
        a.session_id = cases[i].session;
        a.upload_error = cases[i].upload_error;
        a.num_examples = cases[i].weight;
        bench_announce(b, &a);
        assert_int_equal(b->folds, 0);
        assert_int_equal(b->replies_refused, 1);
        test_assert_words(b->reason, cases[i].words);
        bench_update(b, "c0", "good", "1"); /* a second try of the same client is welcome */
        bench_update(b, "c1", "u1", "1");
        assert_int_equal(b->reported.accepted + b->saves, 1);
        bench_free(b);
    }
}

static void what_a_stranger_announces_is_not_dropped_when_it_is_not_his(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement a = bench_said("c1", "u0", "1");

    (void)state;
    bench_attach_many(b, 2);
    bench_start(b, "1", -1);
    a.upload_error = "model update u0 belongs to another client";
    bench_announce(b, &a); /* the file of c0, which it has not announced yet */
    assert_int_equal(b->replies_refused, 1);
    assert_int_equal(b->drops, 0);
    a.upload_error = NULL;
    a.num_examples = -1;
    bench_announce(b, &a);
    assert_int_equal(b->drops, 1); /* its own, of no use */
    bench_update(b, "c0", "u0", "1");
    assert_int_equal(b->replies_ok, 1);
    bench_free(b);
}

static void reasons_are_lines_of_whole_characters(void **state)
{
    bench *b = bench_new(10);
    char reason[3 * FEDN__REASON_BYTES];
    uint32_t asked = 0;

    (void)state;
    bench_attach_many(b, 1);
    bench_start(b, "1", -1);
    size_t used = (size_t)snprintf(reason, sizeof reason, "x\n");
    for (int i = 0; i < FEDN__REASON_BYTES; i++)
        used += (size_t)snprintf(reason + used, sizeof reason - used, "\xc3\xa9");
    fedn__participant *client = fedn__combiner_engine_asked(b->engine, &asked)[0];
    fedn__combiner_engine_task_failed(b->engine, b->now, "c0", client->task_id, reason);
    assert_true(fedn__text_is_line(client->reason, FEDN__REASON_BYTES));
    assert_true(strlen(client->reason) >= FEDN__REASON_BYTES - 2);
    bench_free(b);
}

static void a_client_that_is_not_waiting_any_more_counts_all_the_same(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement a = bench_said("c0", "u0", "1");

    (void)state;
    bench_attach_many(b, 2);
    bench_start(b, "1", -1);
    bench_announce(b, &a);
    fedn__combiner_engine_detach(b->engine, "c0", 100); /* its stream is gone, then its call */
    fedn__combiner_engine_call_gone(b->engine, "c0", 7);
    bench_folded(b, "c0", "u0", NULL);
    assert_int_equal(b->replies_ok, 0);
    assert_int_equal(fedn__combiner_engine_counts(b->engine).accepted, 1);
    bench_announce(b, &a); /* it comes back and asks what became of it */
    assert_int_equal(b->replies_ok, 1);
    assert_int_equal(b->folds, 1);
    bench_free(b);
}

static void an_update_announced_twice_at_once_is_answered_at_the_later_call(void **state)
{
    bench *b = bench_new(10);
    fedn__announcement first = bench_said("c0", "u0", "1");
    fedn__announcement second = bench_said("c0", "u0", "1");

    (void)state;
    second.call = 8;
    bench_attach_many(b, 1);
    bench_start(b, "1", -1);
    bench_announce(b, &first);
    bench_announce(b, &second);
    assert_int_equal(b->replies_refused, 1);
    fedn__combiner_engine_call_gone(b->engine, "c0", 7); /* answered: changes nothing */
    bench_folded(b, "c0", "u0", NULL);
    assert_int_equal(b->replies_ok, 1);
    assert_int_equal(b->folds, 1);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_that_is_full_ends_the_round_and_late_updates_are_refused),
        cmocka_unit_test(an_update_of_another_round_is_refused_and_costs_its_client_nothing),
        cmocka_unit_test(an_update_announced_twice_counts_once),
        cmocka_unit_test(a_refused_update_that_comes_again_is_dropped_when_the_round_is_over),
        cmocka_unit_test(what_cannot_count_is_refused_with_a_reason),
        cmocka_unit_test(what_a_stranger_announces_is_not_dropped_when_it_is_not_his),
        cmocka_unit_test(reasons_are_lines_of_whole_characters),
        cmocka_unit_test(a_client_that_is_not_waiting_any_more_counts_all_the_same),
        cmocka_unit_test(an_update_announced_twice_at_once_is_answered_at_the_later_call),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
