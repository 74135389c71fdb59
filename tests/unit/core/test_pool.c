/* SPDX-License-Identifier: Apache-2.0
 * The worker pool: everything runs once, lanes keep their order, neither kind starves. */
#include "test.h"

#include "core/pool.h"
#include "core/thread.h"
#include <stdatomic.h>

typedef struct counted {
    fedn__job job;
    atomic_uint *runs;
} counted;

static void count_up(fedn__job *job)
{
    atomic_fetch_add(((counted *)job)->runs, 1);
}

static void everything_submitted_has_run_when_the_pool_is_gone(void **state)
{
    (void)state;
    enum { JOBS = 2000 };
    static counted jobs[JOBS];
    static fedn__lane lanes[7];
    atomic_uint runs = 0;
    fedn_error err;
    fedn__pool *pool = NULL;

    assert_ok(fedn__pool_new(4, "test", &pool, &err), &err);
    for (uint32_t i = 0; i < 7; i++)
        fedn__lane_init(&lanes[i]);
    for (uint32_t i = 0; i < JOBS; i++) {
        jobs[i] = (counted){.job = {.fn = count_up}, .runs = &runs};
        if (i % 3)
            fedn__lane_submit(pool, &lanes[i % 7], &jobs[i].job);
        else
            fedn__pool_submit(pool, &jobs[i].job);
    }
    fedn__pool_free(pool);
    assert_int_equal(runs, JOBS);
    fedn__pool_free(NULL);
}

typedef struct ordered {
    fedn__job job;
    uint32_t *next; /* guarded by the lane alone */
    uint32_t place;
    uint32_t wrong;
} ordered;

static void check_order(fedn__job *job)
{
    ordered *o = (ordered *)job;
    o->wrong = (*o->next)++ != o->place;
}

static void the_jobs_of_a_lane_run_in_order_and_never_side_by_side(void **state)
{
    (void)state;
    enum { LANES = 5, EACH = 300 };
    static ordered jobs[LANES][EACH];
    fedn__lane lanes[LANES];
    uint32_t next[LANES] = {0};
    fedn_error err;
    fedn__pool *pool = NULL;

    assert_ok(fedn__pool_new(4, "test", &pool, &err), &err);
    for (uint32_t l = 0; l < LANES; l++)
        fedn__lane_init(&lanes[l]);
    for (uint32_t i = 0; i < EACH; i++) {
        for (uint32_t l = 0; l < LANES; l++) {
            jobs[l][i] = (ordered){.job = {.fn = check_order}, .next = &next[l], .place = i};
            fedn__lane_submit(pool, &lanes[l], &jobs[l][i].job);
        }
    }
    fedn__pool_free(pool);
    for (uint32_t l = 0; l < LANES; l++) {
        assert_int_equal(next[l], EACH);
        for (uint32_t i = 0; i < EACH; i++)
            assert_int_equal(jobs[l][i].wrong, 0);
    }
}

typedef struct waiting {
    fedn__job job;
    fedn__flag *own; /* set when it runs */
    fedn__flag *other;
    int32_t met;
} waiting;

static void meet(fedn__job *job)
{
    waiting *w = (waiting *)job;
    fedn__flag_set(w->own);
    w->met = fedn__flag_wait(w->other, INT64_MAX);
}

static void two_lanes_run_side_by_side(void **state)
{
    (void)state;
    fedn__lane lanes[2];
    fedn__flag flags[2];
    waiting jobs[2];
    fedn_error err;
    fedn__pool *pool = NULL;

    assert_ok(fedn__pool_new(2, "test", &pool, &err), &err);
    for (uint32_t i = 0; i < 2; i++) {
        fedn__lane_init(&lanes[i]);
        fedn__flag_init(&flags[i]);
        jobs[i] = (waiting){.job = {.fn = meet}, .own = &flags[i], .other = &flags[1 - i]};
    }
    fedn__lane_submit(pool, &lanes[0], &jobs[0].job);
    fedn__lane_submit(pool, &lanes[1], &jobs[1].job);
    fedn__pool_free(pool);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(jobs[i].met, 1);
        fedn__flag_done(&flags[i]);
    }
}

/* A job that submits itself to its lane until a loose job has run; it would never end if lanes came
 * first always. */
typedef struct busy {
    fedn__job job;
    fedn__pool *pool;
    fedn__lane lanes[2];
    fedn__flag loose_ran;
    uint32_t turns;
    int32_t gave_up;
} busy;

static void again(fedn__job *job)
{
    busy *b = (busy *)job;
    b->gave_up = ++b->turns > 100000;
    if (!fedn__flag_wait(&b->loose_ran, 0) && !b->gave_up)
        fedn__lane_submit(b->pool, &b->lanes[b->turns % 2], job);
}

typedef struct loose {
    fedn__job job;
    busy *b;
} loose;

static void run_loose(fedn__job *job)
{
    fedn__flag_set(&((loose *)job)->b->loose_ran);
}

static void a_busy_lane_does_not_starve_other_jobs(void **state)
{
    (void)state;
    static busy b;
    loose l = {.job = {.fn = run_loose}, .b = &b};
    fedn_error err;

    b = (busy){.job = {.fn = again}};
    fedn__flag_init(&b.loose_ran);
    fedn__lane_init(&b.lanes[0]);
    fedn__lane_init(&b.lanes[1]);
    assert_ok(fedn__pool_new(1, "test", &b.pool, &err), &err);
    fedn__lane_submit(b.pool, &b.lanes[0], &b.job);
    fedn__pool_submit(b.pool, &l.job);
    fedn__pool_free(b.pool);
    assert_int_equal(b.gave_up, 0);
    fedn__flag_done(&b.loose_ran);
}

static fedn_status make(void *arg)
{
    fedn_error err;
    fedn__pool *pool = NULL;
    (void)arg;

    fedn_status rc = fedn__pool_new(2, "test", &pool, &err);
    fedn__pool_free(pool);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(make, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_submitted_has_run_when_the_pool_is_gone),
        cmocka_unit_test(the_jobs_of_a_lane_run_in_order_and_never_side_by_side),
        cmocka_unit_test(two_lanes_run_side_by_side),
        cmocka_unit_test(a_busy_lane_does_not_starve_other_jobs),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
