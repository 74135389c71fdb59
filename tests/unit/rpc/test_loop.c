/* SPDX-License-Identifier: Apache-2.0
 * The loop's thread: posts in order from anywhere, timers, work on a pool, an end that waits. */
#include "rig.h"

#include "core/clock.h"
#include "core/thread.h"

static int make_loop(void **state)
{
    fedn_error err;
    fedn__loop *loop = NULL;

    assert_ok(fedn__loop_new("loop", NULL, &loop, &err), &err);
    *state = loop;
    return 0;
}

static int free_loop(void **state)
{
    fedn__loop_free(*state);
    return 0;
}

enum { POSTS = 5000, THREADS = 4 };

typedef struct test_post {
    fedn__post post;
    int32_t thread;
    int32_t number;
} test_post;

static test_post posts[THREADS][POSTS];
static int32_t next_of[THREADS];
static int32_t out_of_order;
static fedn__loop *posted_to;

static void take_post(fedn__post *post)
{
    test_post *mine = (test_post *)(void *)post;

    out_of_order += mine->number != next_of[mine->thread]++;
    out_of_order += !fedn__loop_is_current(posted_to);
}

static void *post_all(void *arg)
{
    int32_t thread = *(int32_t *)arg;

    for (int32_t i = 0; i < POSTS; i++) {
        posts[thread][i] = (test_post){{NULL, take_post}, thread, i};
        fedn__loop_post(posted_to, &posts[thread][i].post);
    }
    return NULL;
}

static void nothing(void *arg)
{
    (void)arg;
}

static void posts_of_many_threads_all_arrive_each_in_order(void **state)
{
    pthread_t threads[THREADS];
    int32_t numbers[THREADS];

    posted_to = *state;
    out_of_order = 0;
    memset(next_of, 0, sizeof next_of);
    for (int32_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, post_all, &numbers[i]);
    }
    for (int32_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    fedn__loop_call(posted_to, nothing, NULL); /* behind all of them */
    assert_int_equal(out_of_order, 0);
    for (int32_t i = 0; i < THREADS; i++)
        assert_int_equal(next_of[i], POSTS);
    assert_false(fedn__loop_is_current(posted_to));
}

typedef struct test_clockwork {
    fedn__loop *loop;
    fedn__timer timers[3];
    int32_t order[8];
    int32_t fired;
    int64_t due_ns;
    int64_t late_ns;
    fedn__flag done;
} test_clockwork;

static void tick(fedn__timer *timer, void *user_data)
{
    test_clockwork *clockwork = user_data;
    int32_t number = (int32_t)(timer - clockwork->timers);

    clockwork->order[clockwork->fired++] = number;
    if (clockwork->fired == 3) {
        clockwork->late_ns = fedn__clock_ns() - clockwork->due_ns;
        fedn__flag_set(&clockwork->done);
        return;
    }
    if (number == 0 && clockwork->fired == 1) /* a timer may set itself again */
        (void)fedn__loop_timer_set(clockwork->loop, timer, fedn__clock_ns() + 10000000);
}

static void wind_up(void *arg)
{
    test_clockwork *clockwork = arg;
    int64_t now = fedn__clock_ns();

    for (int32_t i = 0; i < 3; i++) {
        clockwork->timers[i].fn = tick;
        clockwork->timers[i].user_data = clockwork;
        (void)fedn__loop_timer_set(clockwork->loop, &clockwork->timers[i],
                                   now + (int64_t)5000000 * (i + 1));
    }
    fedn__loop_timer_cancel(clockwork->loop, &clockwork->timers[1]);
    clockwork->due_ns = now + 15000000;
}

static void timers_fire_in_order_unless_cancelled(void **state)
{
    test_clockwork clockwork = {.loop = *state};

    fedn__flag_init(&clockwork.done);
    fedn__loop_call(*state, wind_up, &clockwork);
    assert_true(fedn__flag_wait(&clockwork.done, INT64_MAX));
    assert_int_equal(clockwork.order[0], 0);
    assert_int_equal(clockwork.order[1] + clockwork.order[2], 2); /* 2, and 0 once more */
    assert_int_not_equal(clockwork.order[1], 1);
    assert_true(clockwork.late_ns >= 0);
    fedn__flag_done(&clockwork.done);
}

typedef struct test_load {
    fedn__work work;
    fedn__loop *loop;
    int32_t worked;
    int32_t done;
    int32_t wrong;
    fedn__flag flag;
} test_load;

static void on_worker(fedn__work *work)
{
    test_load *load = (test_load *)(void *)work;

    load->wrong += fedn__loop_is_current(load->loop);
    load->worked++;
}

static void on_loop(fedn__work *work)
{
    test_load *load = (test_load *)(void *)work;

    load->wrong += !fedn__loop_is_current(load->loop);
    load->done++;
}

typedef struct test_submission {
    test_load *load;
    fedn__pool *pool;
} test_submission;

static void submit(void *arg)
{
    test_submission *submission = arg;

    fedn__work_submit(&submission->load->work, submission->load->loop, submission->pool, NULL);
}

static void work_is_done_on_a_worker_and_ended_on_the_loop_before_that_ends(void **state)
{
    fedn_error err;
    fedn__pool *pool = NULL;
    test_load load = {.loop = *state};
    test_submission submission = {&load, NULL};

    load.work.work = on_worker;
    load.work.done = on_loop;
    assert_ok(fedn__pool_new(1, "worker", &pool, &err), &err);
    submission.pool = pool;
    fedn__loop_call(*state, submit, &submission);
    fedn__loop_free(*state); /* waits for it */
    *state = NULL;
    assert_int_equal(load.worked, 1);
    assert_int_equal(load.done, 1);
    assert_int_equal(load.wrong, 0);
    fedn__pool_free(pool);
}

static fedn_status make_and_free(void *arg)
{
    fedn__loop *loop = NULL;
    fedn_error err;

    (void)arg;
    fedn_status rc = fedn__loop_new("loop", NULL, &loop, &err);
    fedn__loop_free(loop);
    return rc;
}

static void no_allocation_of_a_loop_is_lost(void **state)
{
    (void)state;
    test_fail_each_allocation(make_and_free, NULL);
}

static void loops_may_come_and_go_many_times(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(make_and_free(NULL), FEDN_OK);
    fedn__loop_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_loop, free_loop)
        TEST(posts_of_many_threads_all_arrive_each_in_order),
        TEST(timers_fire_in_order_unless_cancelled),
        TEST(work_is_done_on_a_worker_and_ended_on_the_loop_before_that_ends),
        cmocka_unit_test(no_allocation_of_a_loop_is_lost),
        cmocka_unit_test(loops_may_come_and_go_many_times),
    };

    return cmocka_run_group_tests_name("rpc loop", tests, test_count_setup, test_count_teardown);
}
