/* SPDX-License-Identifier: Apache-2.0
 * What a restart needs, from the engine's view into records and back. */
#include "roles/reducer/resumption.h"

#include "core/alloc.h"
#include "reducer_bench.h"
#include "test.h"
#include <stdlib.h>

/* A record as it comes back from a store: its text, parsed. */
static json_t *stored(json_t *record)
{
    char *text = json_dumps(record, 0);
    json_t *read = json_loads(text, 0, NULL);

    json_decref(record);
    free(text);
    assert_non_null(read);
    return read;
}

static json_t *round_record(const fedn__reducer_round *round, const char *status)
{
    char id[FEDN__ROUND_ID_TEXT];

    fedn__trail_round_id(round->id, id);
    return stored(json_pack("{s:s, s:s, s:{s:s}, s:o}", "round_id", id, "status", status,
                            "round_config", "model_id", round->model_id, FEDN__RESUMPTION,
                            fedn__resumption_of_round(round)));
}

static void a_round_comes_back_as_it_was(void **state)
{
    bench *f = *state;
    fedn__reducer_round read = {.id = 0};
    uint32_t count = 0;

    fedn__reducer_combiner *a = bench_attach(f, "a", "l1", 2);
    fedn__reducer_combiner *b = bench_attach(f, "b", "l2", 2);
    bench_attach(f, "c", "l3", 2);
    bench_start(f, 3, 2);
    bench_report(f, b, 7, PARTIAL);
    bench_report(f, a, 7, "");
    json_t *record = round_record(fedn__reducer_engine_round(f->engine), "Running");
    assert_int_equal(fedn__resumption_round(record, &read), 1);
    assert_int_equal(read.id, 7);
    assert_int_equal(read.number, 1);
    assert_int_equal(read.state, FEDN__ROUND_RUNNING);
    assert_string_equal(read.model_id, MODEL_0);
    fedn__restored_part *parts = fedn__resumption_parts(NULL, record, &count);
    assert_int_equal(count, 3);
    assert_int_equal(parts[0].state, FEDN__PART_FAILED);
    assert_string_equal(parts[0].error, "no update was accepted");
    assert_int_equal(parts[1].state, FEDN__PART_MERGED);
    assert_int_equal(parts[1].place, 1);
    assert_int_equal(parts[1].accepted, 2);
    assert_string_equal(parts[1].partial_id, PARTIAL);
    assert_int_equal(parts[2].state, FEDN__PART_ASKED);
    assert_string_equal(parts[2].combiner, "c");
    fedn__free(parts);
    json_decref(record);
}

static void a_round_that_is_over_or_says_nothing_is_not_open(void **state)
{
    static const char *const over[] = {"Finished", "Failed", "Terminated", "Success", ""};
    bench *f = *state;
    fedn__reducer_round read = {.id = 0};

    bench_attach(f, "a", "l1", 2);
    bench_start(f, 3, 2);
    for (uint32_t i = 0; i < sizeof over / sizeof over[0]; i++) {
        json_t *record = round_record(fedn__reducer_engine_round(f->engine), over[i]);
        assert_int_equal(fedn__resumption_round(record, &read), 0);
        json_decref(record);
    }
    json_t *record = round_record(fedn__reducer_engine_round(f->engine), "Pending");
    assert_int_equal(fedn__resumption_round(record, &read), 1);
    assert_int_equal(read.state, FEDN__ROUND_WAITING);
    json_object_del(record, FEDN__RESUMPTION);
    assert_int_equal(fedn__resumption_round(record, &read), 0);
    assert_int_equal(fedn__resumption_round(NULL, &read), 0);
    json_decref(record);
}

static void a_session_comes_back_with_its_counts_and_those_it_asked(void **state)
{
    bench *f = *state;
    fedn__course course = {.run_id = "run", .combiners = json_pack("[s, s]", "a", "b")};
    fedn__reducer_session read = {.opened = 0};
    uint32_t count = 0;

    bench_attach(f, "a", "l1", 2);
    bench_start(f, 3, 2);
    const fedn__reducer_session *session = bench_session(f);
    const fedn__reducer_round *round = fedn__reducer_engine_round(f->engine);
    json_t *record = stored(json_pack("{s:o}", FEDN__RESUMPTION,
                                      fedn__resumption_of_session(&course, session, round, 1)));
    assert_int_equal(fedn__resumption_session(record, &read), 1);
    assert_int_equal(read.opened, 1);
    assert_int_equal(read.done, 1); /* it is the commit that it stands beside */
    assert_int_equal(read.failures, 0);
    assert_int_equal(fedn__resumption_round_id(record), 7);
    json_t *open = round_record(round, "Running");
    fedn__restored_part *parts = fedn__resumption_parts(record, open, &count);
    assert_int_equal(count, 2);
    assert_int_equal(parts[0].state, FEDN__PART_ASKED);
    assert_string_equal(parts[1].combiner, "b");
    assert_int_equal(parts[1].state, FEDN__PART_NONE);
    fedn__free(parts);
    json_decref(open);
    json_decref(record);
    json_decref(course.combiners);
    assert_int_equal(fedn__resumption_session(NULL, &read), 0);
    assert_int_equal(fedn__resumption_round_id(NULL), 0);
}

static fedn_status write_and_read(void *arg)
{
    const bench *f = arg;
    const fedn__course course = {.run_id = "run"};
    uint32_t count = 0;
    json_t *round = json_pack("{s:o}", FEDN__RESUMPTION,
                              fedn__resumption_of_round(fedn__reducer_engine_round(f->engine)));
    json_t *session = json_pack("{s:o}", FEDN__RESUMPTION,
                                fedn__resumption_of_session(&course, bench_session(f), NULL, 0));
    fedn__restored_part *parts =
        round && session ? fedn__resumption_parts(session, round, &count) : NULL;
    fedn_status rc = parts ? FEDN_OK : FEDN_ERR_NOMEM;

    fedn__free(parts);
    json_decref(session);
    json_decref(round);
    return rc;
}

static void running_out_of_memory_is_survived(void **state)
{
    bench *f = *state;

    bench_attach(f, "a", "l1", 2);
    bench_start(f, 3, 2);
    test_fail_each_allocation(write_and_read, f);
}

int main(void)
{
#define BENCH_TEST(fn) cmocka_unit_test_setup_teardown(fn, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        BENCH_TEST(a_round_comes_back_as_it_was),
        BENCH_TEST(a_round_that_is_over_or_says_nothing_is_not_open),
        BENCH_TEST(a_session_comes_back_with_its_counts_and_those_it_asked),
        BENCH_TEST(running_out_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
