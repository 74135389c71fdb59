/* SPDX-License-Identifier: Apache-2.0
 * A reducer's engine on a bench; see reducer_bench.h. */
#include "reducer_bench.h"

#include "test.h"
#include <stdlib.h>

void bench_drain(bench *f)
{
    f->count = 0;
    while (fedn__reducer_engine_next(f->engine, &f->actions[f->count]))
        assert_true(++f->count < 256);
}

uint32_t bench_seen(const bench *f, int32_t type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->count; i++)
        count += f->actions[i].type == type;
    return count;
}

const fedn__reducer_action *bench_action(const bench *f, int32_t type)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (f->actions[i].type == type)
            return &f->actions[i];
    fail_msg("no action %d", (int)type);
    return NULL;
}

int bench_setup(void **state)
{
    static const fedn__reducer_settings settings = {
        .first_round = 7, .grace_ms = 100, .gone_ms = 1000, .max_failures = 3};
    fedn_error err;
    bench *f = calloc(1, sizeof *f);

    assert_ok(fedn__reducer_engine_new(&settings, &f->engine, &err), &err);
    f->now = 1000;
    *state = f;
    return 0;
}

int bench_teardown(void **state)
{
    bench *f = *state;
    fedn__reducer_engine_free(f->engine);
    free(f);
    return 0;
}

fedn__reducer_hello bench_hello(const char *name, const char *link)
{
    fedn__reducer_hello ret = {.name = name,
                               .combiner_id = name,
                               .link_id = link,
                               .protocol = FEDN__TIER_PROTOCOL,
                               .max_clients = 10};
    return ret;
}

fedn__reducer_combiner *bench_attach(bench *f, const char *name, const char *link, uint32_t active)
{
    fedn__reducer_hello greeting = bench_hello(name, link);
    fedn__reducer_combiner *combiner = NULL;
    int32_t resumed = 0;
    fedn_error err;

    assert_ok(fedn__reducer_engine_attach(f->engine, f->now, &greeting, &combiner, &resumed, &err),
              &err);
    assert_int_equal(fedn__reducer_engine_roster(f->engine, f->now, combiner, active), FEDN_OK);
    bench_drain(f);
    return combiner;
}

void bench_start(bench *f, uint32_t rounds, uint32_t clients)
{
    fedn__reducer_session session = {.session_id = "s",
                                     .model_id = MODEL_0,
                                     .rounds = rounds,
                                     .round_timeout_ms = 5000,
                                     .clients_required = clients,
                                     .validate = 1};
    fedn_error err;

    assert_ok(fedn__reducer_engine_start(f->engine, f->now, &session, &err), &err);
    bench_drain(f);
}

int32_t bench_report(bench *f, fedn__reducer_combiner *combiner, uint64_t round,
                     const char *partial)
{
    fedn__reducer_report what = {
        .round = round, .partial_id = partial, .error = "", .expected = 2, .accepted = 2};
    int32_t taken = 0;

    assert_int_equal(fedn__reducer_engine_report(f->engine, f->now, combiner, &what, &taken),
                     FEDN_OK);
    bench_drain(f);
    return taken;
}

void bench_merged(bench *f, uint64_t round, uint32_t part, fedn_status status)
{
    assert_int_equal(
        fedn__reducer_engine_merged(f->engine, f->now, round, part, status, "bad partial"),
        FEDN_OK);
    bench_drain(f);
}

void bench_committed(bench *f, uint64_t round, fedn_status status)
{
    assert_int_equal(
        fedn__reducer_engine_committed(f->engine, f->now, round, status, MODEL_1, "disk full"),
        FEDN_OK);
    bench_drain(f);
}

void bench_tick(bench *f, int64_t ms)
{
    f->now += ms;
    assert_int_equal(fedn__reducer_engine_tick(f->engine, f->now), FEDN_OK);
    bench_drain(f);
}

const fedn__reducer_session *bench_session(const bench *f)
{
    return fedn__reducer_engine_session(f->engine);
}
