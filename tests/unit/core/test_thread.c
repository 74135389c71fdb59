/* SPDX-License-Identifier: Apache-2.0
 * Threads: their names, their signals, the flag to wait for. */
#include "test.h"

#include "core/clock.h"
#include "core/thread.h"
#include <signal.h>
#include <sys/prctl.h>

typedef struct facts {
    char name[16];
    sigset_t mask;
} facts;

static void *look(void *arg)
{
    facts *f = arg;
    prctl(PR_GET_NAME, f->name, 0, 0, 0);
    pthread_sigmask(SIG_SETMASK, NULL, &f->mask);
    return arg;
}

static void a_thread_has_its_name_and_leaves_the_applications_signals_alone(void **state)
{
    (void)state;
    static const int blocked[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM};
    static const int delivered[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    facts f = {0};
    pthread_t id;
    void *result = NULL;
    sigset_t mine;
    fedn_error err;

    assert_ok(fedn__thread_start(&id, "fedn-worker", look, &f, &err), &err);
    pthread_join(id, &result);
    assert_ptr_equal(result, &f);
    assert_string_equal(f.name, "fedn-worker");
    for (uint32_t i = 0; i < sizeof blocked / sizeof blocked[0]; i++)
        assert_int_equal(sigismember(&f.mask, blocked[i]), 1);
    for (uint32_t i = 0; i < sizeof delivered / sizeof delivered[0]; i++)
        assert_int_equal(sigismember(&f.mask, delivered[i]), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    assert_int_equal(sigismember(&mine, SIGTERM), 0);
}

static void *wait_for_flag(void *arg)
{
    return fedn__flag_wait(arg, INT64_MAX) ? arg : NULL;
}

static void a_flag_wakes_everybody_and_stays_set(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t ids[THREADS];
    fedn__flag flag;
    fedn_error err;

    fedn__flag_init(&flag);
    assert_int_equal(fedn__flag_wait(&flag, 0), 0);
    assert_int_equal(fedn__flag_wait(&flag, fedn__clock_ns() + 1000000), 0);
    for (uint32_t i = 0; i < THREADS; i++)
        assert_ok(fedn__thread_start(&ids[i], "waits", wait_for_flag, &flag, &err), &err);
    fedn__flag_set(&flag);
    fedn__flag_set(&flag);
    for (uint32_t i = 0; i < THREADS; i++) {
        void *result = NULL;
        pthread_join(ids[i], &result);
        assert_ptr_equal(result, &flag);
    }
    assert_int_equal(fedn__flag_wait(&flag, 0), 1);
    fedn__flag_done(&flag);
}

static void *set_flag(void *arg)
{
    fedn__flag_set(arg);
    return NULL;
}

/* The waiter frees the flag as soon as it is woken, while the setter may still be inside. */
static void a_flag_may_be_dropped_by_the_one_it_woke(void **state)
{
    (void)state;
    fedn_error err;

    for (uint32_t i = 0; i < 200; i++) {
        pthread_t id;
        fedn__flag *flag = fedn__alloc(sizeof *flag);
        fedn__flag_init(flag);
        assert_ok(fedn__thread_start(&id, "sets", set_flag, flag, &err), &err);
        assert_int_equal(fedn__flag_wait(flag, INT64_MAX), 1);
        fedn__flag_done(flag);
        fedn__free(flag);
        pthread_join(id, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_has_its_name_and_leaves_the_applications_signals_alone),
        cmocka_unit_test(a_flag_wakes_everybody_and_stays_set),
        cmocka_unit_test(a_flag_may_be_dropped_by_the_one_it_woke),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
