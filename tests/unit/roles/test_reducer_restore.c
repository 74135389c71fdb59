/* SPDX-License-Identifier: Apache-2.0
 * A session that goes on after the reducer's restart: nothing merged twice, nothing forgotten. */
#include "reducer_bench.h"

#include "test.h"

#define OTHER "10000000-0000-4000-8000-000000000001"

static const fedn__reducer_session ran = {.session_id = "s",
                                          .model_id = MODEL_0,
                                          .rounds = 5,
                                          .round_timeout_ms = 5000,
                                          .clients_required = 2,
                                          .opened = 3,
                                          .done = 2};

static const fedn__reducer_round running = {
    .id = 9, .number = 3, .state = FEDN__ROUND_RUNNING, .model_id = MODEL_0};

static fedn__restored_part part(const char *combiner, int32_t state, uint32_t place,
                                const char *partial)
{
    fedn__restored_part ret = {.combiner = combiner,
                               .state = state,
                               .place = place,
                               .expected = 2,
                               .accepted = 2,
                               .partial_id = partial,
                               .error = ""};
    return ret;
}

static void restore(bench *f, const fedn__reducer_session *session,
                    const fedn__reducer_round *round, const fedn__restored_part *parts,
                    uint32_t count)
{
    fedn_error err;

    assert_ok(fedn__reducer_engine_restore(f->engine, f->now, session, round, parts, count, &err),
              &err);
    bench_drain(f);
}

static void what_was_reported_is_merged_in_its_order_and_who_was_asked_is_told_again(void **state)
{
    bench *f = *state;
    const fedn__restored_part parts[] = {part("a", FEDN__PART_MERGED, 2, PARTIAL),
                                         part("b", FEDN__PART_MERGING, 1, OTHER),
                                         part("c", FEDN__PART_ASKED, 0, "")};
    const char *merged[2] = {0};
    uint32_t count = 0;

    restore(f, &ran, &running, parts, 3);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_ROUND_OPENED), 0);
    assert_int_equal(bench_action(f, FEDN__REDUCER_ROUND_RESUMED)->round->id, 9);
    for (uint32_t i = 0; i < f->count; i++)
        if (f->actions[i].type == FEDN__REDUCER_MERGE)
            merged[count++] = f->actions[i].text;
    assert_int_equal(count, 2);
    assert_string_equal(merged[0], OTHER);
    assert_string_equal(merged[1], PARTIAL);
    bench_merged(f, 9, 1, FEDN_OK);
    bench_merged(f, 9, 0, FEDN_OK);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_COMMIT), 0);

    fedn__reducer_combiner *c = bench_attach(f, "c", "l3", 2);
    assert_ptr_equal(bench_action(f, FEDN__REDUCER_SEND_START)->combiner, c);
    assert_string_equal(bench_action(f, FEDN__REDUCER_SEND_START)->round->model_id, MODEL_0);
    assert_int_equal(bench_report(f, c, 9, MODEL_1), 1);
    assert_int_equal(fedn__reducer_engine_round(f->engine)->parts[2].place, 3);
    bench_merged(f, 9, 2, FEDN_OK);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_COMMIT), 1);
    bench_committed(f, 9, FEDN_OK);
    assert_int_equal(bench_session(f)->done, 3);
    assert_int_equal(bench_action(f, FEDN__REDUCER_ROUND_OPENED)->round->id, 10);
    assert_int_equal(bench_action(f, FEDN__REDUCER_ROUND_OPENED)->round->number, 4);
}

static void a_report_that_comes_again_is_not_merged_again_and_its_partial_stays(void **state)
{
    bench *f = *state;
    const fedn__restored_part parts[] = {part("a", FEDN__PART_MERGED, 1, PARTIAL),
                                         part("b", FEDN__PART_ASKED, 0, "")};

    restore(f, &ran, &running, parts, 2);
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);
    assert_int_equal(bench_report(f, a, 9, PARTIAL), 0);
    assert_int_equal(f->count, 0);
    /* nor is it another's */
    fedn__reducer_combiner *b = bench_attach(f, "b", "l2", 2);
    assert_int_equal(bench_report(f, b, 9, PARTIAL), 1);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_MERGE) + bench_seen(f, FEDN__REDUCER_DROP), 0);
    test_assert_words(fedn__reducer_engine_round(f->engine)->parts[1].error, "another combiner");
}

static void a_combiner_that_holds_the_round_is_not_told_and_one_with_an_old_round_is(void **state)
{
    static const char *const held[] = {"9"};
    static const char *const old[] = {"4", "9"};
    bench *f = *state;
    const fedn__restored_part parts[] = {part("a", FEDN__PART_ASKED, 0, ""),
                                         part("b", FEDN__PART_FAILED, 0, "")};
    fedn__reducer_hello hello = bench_hello("a", "l1");
    fedn__reducer_combiner *combiner = NULL;
    int32_t resumed = 0;
    fedn_error err;

    restore(f, &ran, &running, parts, 2);
    hello.held = held;
    hello.held_count = 1;
    assert_ok(fedn__reducer_engine_attach(f->engine, f->now, &hello, &combiner, &resumed, &err),
              &err);
    fedn__reducer_engine_roster(f->engine, f->now, combiner, 2);
    bench_drain(f);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_SEND_START), 0);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_SEND_CANCEL), 0);
    hello = bench_hello("b", "l2");
    hello.held = old;
    hello.held_count = 2;
    assert_ok(fedn__reducer_engine_attach(f->engine, f->now, &hello, &combiner, &resumed, &err),
              &err);
    bench_drain(f);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_SEND_CANCEL), 2); /* its part failed before */
}

static void who_does_not_come_back_in_time_loses_the_round(void **state)
{
    bench *f = *state;
    const fedn__restored_part parts[] = {part("a", FEDN__PART_MERGED, 1, PARTIAL),
                                         part("b", FEDN__PART_ASKED, 0, "")};

    restore(f, &ran, &running, parts, 2);
    bench_merged(f, 9, 0, FEDN_OK);
    bench_tick(f, 999);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_COMMIT), 0);
    bench_tick(f, 1);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_COMMIT), 1);
}

static void between_two_rounds_the_next_waits_for_those_that_were_there(void **state)
{
    bench *f = *state;
    const fedn__restored_part parts[] = {part("a", FEDN__PART_NONE, 0, ""),
                                         part("b", FEDN__PART_NONE, 0, "")};

    restore(f, &ran, NULL, parts, 2);
    assert_int_equal(bench_action(f, FEDN__REDUCER_ROUND_OPENED)->round->id, 7);
    assert_int_equal(bench_session(f)->opened, 4);
    test_assert_words(bench_session(f)->message, "waits_for_a_combiner_with_2_active_clients");
    bench_attach(f, "a", "l1", 2);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_SEND_START), 0);
    test_assert_words(bench_session(f)->message, "waits combiner_b come_back 2_active_clients");
    assert_int_equal(fedn__reducer_engine_deadline(f->engine), f->now + 1000);
    bench_attach(f, "b", "l2", 2);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_SEND_START), 2);
}

static void one_that_stays_away_is_waited_for_no_longer_than_a_cut_link(void **state)
{
    bench *f = *state;
    const fedn__reducer_round waiting = {
        .id = 9, .number = 3, .state = FEDN__ROUND_WAITING, .model_id = MODEL_0};
    const fedn__restored_part parts[] = {part("a", FEDN__PART_NONE, 0, ""),
                                         part("b", FEDN__PART_NONE, 0, "")};

    restore(f, &ran, &waiting, parts, 2);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_ROUND_OPENED), 0);
    bench_attach(f, "b", "l2", 2);
    bench_tick(f, 1000);
    assert_int_equal(bench_seen(f, FEDN__REDUCER_SEND_START), 1);
    assert_int_equal(bench_action(f, FEDN__REDUCER_SEND_START)->round->id, 9);
}

static void a_partial_that_was_lost_is_asked_for_once_more_but_a_bad_one_is_not(void **state)
{
    bench *f = *state;
    const fedn__restored_part parts[] = {part("a", FEDN__PART_MERGED, 1, PARTIAL),
                                         part("b", FEDN__PART_MERGED, 2, OTHER)};

    restore(f, &ran, &running, parts, 2);
    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);
    bench_merged(f, 9, 1, FEDN_ERR_INVALID);
    bench_merged(f, 9, 0, FEDN_ERR_NOT_FOUND);
    assert_string_equal(bench_action(f, FEDN__REDUCER_DROP)->text, PARTIAL);
    assert_ptr_equal(bench_action(f, FEDN__REDUCER_SEND_START)->combiner, a);
    bench_report(f, a, 9, MODEL_1);
    bench_merged(f, 9, 0, FEDN_ERR_NOT_FOUND);
    assert_int_equal(bench_action(f, FEDN__REDUCER_ROUND_ENDED)->round->state, FEDN__ROUND_FAILED);
}

static void a_session_whose_last_round_was_recorded_ends(void **state)
{
    bench *f = *state;
    fedn__reducer_session session = ran;
    const fedn__restored_part parts[] = {part("a", FEDN__PART_NONE, 0, "")};

    session.opened = session.rounds;
    restore(f, &session, NULL, parts, 1);
    assert_int_equal(bench_session(f)->status, FEDN__SESSION_FINISHED);
    session.done = 0;
    session.failures = 3;
    snprintf(session.message, sizeof session.message, "disk full");
    restore(f, &session, NULL, parts, 1);
    assert_int_equal(bench_session(f)->status, FEDN__SESSION_FAILED);
    test_assert_words(bench_session(f)->message, "3_rounds disk_full");
}

static void a_stop_that_was_asked_for_is_carried_out(void **state)
{
    bench *f = *state;
    fedn__reducer_session session = ran;
    const fedn__restored_part parts[] = {part("a", FEDN__PART_MERGED, 1, PARTIAL)};

    session.stopping = 1;
    snprintf(session.message, sizeof session.message, "asked to");
    restore(f, &session, &running, parts, 1);
    assert_int_equal(bench_action(f, FEDN__REDUCER_ROUND_ENDED)->round->state,
                     FEDN__ROUND_TERMINATED);
    assert_int_equal(bench_session(f)->status, FEDN__SESSION_TERMINATED);
    restore(f, &session, NULL, parts, 1);
    assert_int_equal(bench_session(f)->status, FEDN__SESSION_TERMINATED);
}

static void parts_that_cannot_be_are_refused(void **state)
{
    static const fedn__restored_part bad[] = {{.combiner = "../a", .partial_id = "", .error = ""},
                                              {.combiner = "a", .state = 9}};
    bench *f = *state;
    fedn_error err;

    for (uint32_t i = 0; i < 2; i++)
        assert_fails(
            fedn__reducer_engine_restore(f->engine, f->now, &ran, &running, &bad[i], 1, &err),
            FEDN_ERR_INVALID, &err, "part 1 malformed");
    assert_int_equal(fedn__reducer_engine_is_running(f->engine), 0);
}

static fedn_status short_life(void *arg)
{
    static const fedn__reducer_settings settings = {.first_round = 1, .max_failures = 3};
    const fedn__restored_part parts[] = {part("a", FEDN__PART_MERGED, 1, PARTIAL),
                                         part("b", FEDN__PART_ASKED, 0, "")};
    fedn__reducer_engine *engine = NULL;
    fedn_error err;
    fedn_status rc = fedn__reducer_engine_new(&settings, &engine, &err);

    (void)arg;
    if (rc == FEDN_OK)
        rc = fedn__reducer_engine_restore(engine, 0, &ran, &running, parts, 2, &err);
    if (rc == FEDN_OK)
        rc = fedn__reducer_engine_merged(engine, 0, 9, 0, FEDN_OK, "");
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
#define RESTORE_TEST(fn) cmocka_unit_test_setup_teardown(fn, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        RESTORE_TEST(what_was_reported_is_merged_in_its_order_and_who_was_asked_is_told_again),
        RESTORE_TEST(a_report_that_comes_again_is_not_merged_again_and_its_partial_stays),
        RESTORE_TEST(a_combiner_that_holds_the_round_is_not_told_and_one_with_an_old_round_is),
        RESTORE_TEST(who_does_not_come_back_in_time_loses_the_round),
        RESTORE_TEST(between_two_rounds_the_next_waits_for_those_that_were_there),
        RESTORE_TEST(one_that_stays_away_is_waited_for_no_longer_than_a_cut_link),
        RESTORE_TEST(a_partial_that_was_lost_is_asked_for_once_more_but_a_bad_one_is_not),
        RESTORE_TEST(a_session_whose_last_round_was_recorded_ends),
        RESTORE_TEST(a_stop_that_was_asked_for_is_carried_out),
        RESTORE_TEST(parts_that_cannot_be_are_refused),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
