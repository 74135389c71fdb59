/* SPDX-License-Identifier: Apache-2.0
 * Whom a combiner's round asks, and how long it waits for the slow ones. */
#include "combiner_bench.h"
#include "test.h"

#include <stdlib.h>

static void start(bench *b, fedn__round_plan *plan)
{
    assert_int_equal(fedn__combiner_engine_round_start(b->engine, b->now, plan), FEDN_OK);
    bench_drain(b);
    assert_int_equal(
        fedn__combiner_engine_model_ready(b->engine, b->now, MODEL, NULL, bench_ids, b), FEDN_OK);
    bench_drain(b);
}

static void answer(bench *b, uint32_t i, const char *round_id)
{
    char client[16];
    char update[32];

    snprintf(client, sizeof client, "c%u", (unsigned)i);
    snprintf(update, sizeof update, "u%u-%s", (unsigned)i, round_id);
    bench_update(b, client, update, round_id);
}

static void finish(bench *b, const char *round_id)
{
    assert_int_equal(fedn__combiner_engine_saved(b->engine, b->now, round_id, NULL), FEDN_OK);
    bench_drain(b);
}

/* Which clients the round asked, a bit each. */
static uint64_t asked_set(const bench *b)
{
    uint32_t count = 0;
    fedn__participant *const *asked = fedn__combiner_engine_asked(b->engine, &count);
    uint64_t set = 0;

    for (uint32_t i = 0; i < count; i++)
        set |= UINT64_C(1) << strtoul(asked[i]->id + 1, NULL, 10);
    return set;
}

static void so_many_are_drawn_as_are_to_be_asked(void **state)
{
    bench *b = bench_new(40);
    fedn__round_plan plan = bench_plan("1", 3);

    (void)state;
    bench_attach_many(b, 20);
    plan.ask = 5;
    start(b, &plan);
    assert_int_equal(b->tasks, 5);
    assert_int_equal(fedn__combiner_engine_counts(b->engine).asked, 5);
    uint64_t set = asked_set(b);
    assert_int_equal(__builtin_popcountll(set), 5);
    /* three of the five end it */
    for (uint32_t i = 0, sent = 0; sent < 3; i++) {
        if (!(set >> i & 1))
            continue;
        answer(b, i, "1");
        sent++;
    }
    assert_int_equal(b->saves, 1);
    assert_int_equal(fedn__combiner_engine_counts(b->engine).accepted, 3);
    bench_free(b);
}

static void the_lot_falls_otherwise_in_another_round_and_the_same_in_the_same(void **state)
{
    uint64_t sets[3];
    static const char *const rounds[3] = {"1", "2", "1"};

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        bench *b = bench_new(64);
        fedn__round_plan plan = bench_plan(rounds[i], -1);
        bench_attach_many(b, 60);
        plan.ask = 10;
        start(b, &plan);
        sets[i] = asked_set(b);
        bench_free(b);
    }
    assert_true(sets[0] == sets[2]);
    assert_true(sets[0] != sets[1]);
}

static void every_client_is_drawn_about_as_often(void **state)
{
    enum { CLIENTS = 20, ROUNDS = 2000, ASK = 5 };
    uint32_t drawn[CLIENTS] = {0};
    bench *b = bench_new(CLIENTS);

    (void)state;
    bench_attach_many(b, CLIENTS);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        char id[16];
        snprintf(id, sizeof id, "%u", (unsigned)round);
        fedn__round_plan plan = bench_plan(id, -1);
        plan.ask = ASK;
        start(b, &plan);
        uint64_t set = asked_set(b);
        for (uint32_t i = 0; i < CLIENTS; i++)
            drawn[i] += set >> i & 1;
        assert_int_equal(fedn__combiner_engine_round_cancel(b->engine, b->now, SESSION, id),
                         FEDN_OK);
        bench_drain(b);
    }
    /* binomial: 500 expected, deviation 19 */
    for (uint32_t i = 0; i < CLIENTS; i++)
        assert_in_range(drawn[i], 500 - 100, 500 + 100);
    bench_free(b);
}

static void asking_fewer_than_required_asks_those_required(void **state)
{
    bench *b = bench_new(8);
    fedn__round_plan plan = bench_plan("1", -1);

    (void)state;
    bench_attach_many(b, 6);
    plan.ask = 1;
    plan.clients_required = 4;
    start(b, &plan);
    assert_int_equal(b->tasks, 4);
    bench_free(b);
}

static void stragglers_are_waited_for_as_long_as_earlier_rounds_say(void **state)
{
    enum { CLIENTS = 10 };
    bench *b = bench_new(CLIENTS);
    fedn__round_plan plan = bench_plan("1", -1);

    (void)state;
    bench_attach_many(b, CLIENTS);
    plan.straggler_quantile = 0.5;
    plan.straggler_factor = 2;
    start(b, &plan);
    for (uint32_t i = 0; i < CLIENTS; i++) { /* 100, 200 ... 1000 ms: half of them within 600 */
        b->now += 100;
        answer(b, i, "1");
    }
    finish(b, "1");
    plan = bench_plan("2", -1);
    plan.straggler_quantile = 0.5;
    plan.straggler_factor = 2;
    start(b, &plan);
    int64_t asked = b->now;
    assert_int_equal(fedn__combiner_engine_deadline(b->engine) > asked + 1201, 1);
    answer(b, 0, "2"); /* nobody waits for time while there is nothing */
    assert_int_equal(fedn__combiner_engine_deadline(b->engine), asked + 1201);
    b->now = asked + 1200;
    assert_int_equal(fedn__combiner_engine_tick(b->engine, b->now), FEDN_OK);
    bench_drain(b);
    assert_int_equal(b->saves, 1);
    b->now++;
    assert_int_equal(fedn__combiner_engine_tick(b->engine, b->now), FEDN_OK);
    bench_drain(b);
    assert_int_equal(b->saves, 2);
    assert_non_null(strstr(fedn__roster_find(fedn__combiner_engine_roster(b->engine), "c1")->reason,
                           "stragglers"));
    bench_free(b);
}

static void a_few_times_say_nothing_of_stragglers(void **state)
{
    bench *b = bench_new(4);
    fedn__round_plan plan = bench_plan("1", -1);

    (void)state;
    bench_attach_many(b, 4);
    start(b, &plan);
    for (uint32_t i = 0; i < 4; i++)
        answer(b, i, "1");
    finish(b, "1");
    plan = bench_plan("2", -1);
    plan.straggler_quantile = 1;
    plan.straggler_factor = 1;
    start(b, &plan);
    answer(b, 0, "2");
    b->now += 500; /* others are still alive then */
    assert_int_equal(fedn__combiner_engine_tick(b->engine, b->now), FEDN_OK);
    bench_drain(b);
    assert_int_equal(b->saves, 1);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_are_drawn_as_are_to_be_asked),
        cmocka_unit_test(the_lot_falls_otherwise_in_another_round_and_the_same_in_the_same),
        cmocka_unit_test(every_client_is_drawn_about_as_often),
        cmocka_unit_test(asking_fewer_than_required_asks_those_required),
        cmocka_unit_test(stragglers_are_waited_for_as_long_as_earlier_rounds_say),
        cmocka_unit_test(a_few_times_say_nothing_of_stragglers),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
