/* SPDX-License-Identifier: Apache-2.0
 * The allocator: counting, failing on demand, overflow, pages, threads, the hook. */
#include "test.h"

#include "core/thread.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void what_is_allocated_is_counted_until_it_is_freed(void **state)
{
    (void)state;
    int64_t before = fedn__alloc_outstanding();
    void *a = fedn__alloc(10);
    void *b = fedn__alloc_zero(0);
    void *c = fedn__realloc_array(NULL, 3, 8);
    char *d = fedn__strdup("text");
    void *e = fedn__alloc_pages(100);
    void *f = fedn__alloc_pages((uint64_t)4 << 20);

    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(fedn__alloc_outstanding(), before + 6);
    c = fedn__realloc_array(c, 300, 8);
    assert_non_null(c);
    assert_int_equal(fedn__alloc_outstanding(), before + 6);
    fedn__free(a);
    fedn__free(b);
    fedn_free(c);
    fedn_free(d);
    fedn__free_pages(e, 100);
    fedn__free_pages(f, (uint64_t)4 << 20);
    fedn_free(NULL);
    fedn__free_pages(NULL, 5);
    assert_int_equal(fedn__alloc_outstanding(), before);
}

static void sizes_that_overflow_give_null(void **state)
{
    (void)state;
    char *kept = fedn__strdup("kept");

    assert_null(fedn__alloc(UINT64_MAX));
    assert_null(fedn__alloc_zero(UINT64_MAX));
    assert_null(fedn__alloc_array(UINT64_MAX / 2, 3));
    assert_null(fedn__alloc_array((uint64_t)1 << 32, (uint64_t)1 << 32));
    assert_null(fedn__realloc_array(kept, UINT64_MAX / 2, 3));
    assert_null(fedn__realloc_array(kept, UINT64_MAX, 1));
    assert_null(fedn__strndup("text", UINT64_MAX));
    assert_null(fedn__alloc_pages(UINT64_MAX));
    assert_string_equal(kept, "kept");
    fedn__free(kept);
}

static void arrays_and_pages_are_zeroed_and_pages_are_aligned(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 63, 4096, (uint64_t)2 << 20, ((uint64_t)2 << 20) + 1};
    uint64_t *array = fedn__alloc_array(1000, sizeof *array);

    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(array[i], 0);
    fedn__free(array);
    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *pages = fedn__alloc_pages(sizes[i]);
        assert_non_null(pages);
        assert_int_equal((uintptr_t)pages % 64, 0);
        for (uint64_t at = 0; at < sizes[i]; at++)
            if (pages[at])
                fail_msg("byte %llu of %llu is not zero", (unsigned long long)at,
                         (unsigned long long)sizes[i]);
        fedn__free_pages(pages, sizes[i]);
    }
}

static void texts_are_copied_cut_and_formatted(void **state)
{
    (void)state;
    char *copy = fedn__strndup("combiner", 4);
    char *text = fedn__strf("%s-%d", copy, 7);

    assert_string_equal(copy, "comb");
    assert_string_equal(text, "comb-7");
    assert_null(fedn__strdup(NULL));
    fedn__free(copy);
    fedn__free(text);
}

static void the_nth_allocation_fails_once(void **state)
{
    (void)state;
    fedn__alloc_fail_at(2);
    void *first = fedn__alloc(1);
    void *second = fedn__alloc_pages(1);
    void *third = fedn__realloc_array(first, 2, 1);
    uint64_t asked = fedn__alloc_fail_at(0);

    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    assert_int_equal(asked, 3);
    assert_int_equal(fedn__alloc_fail_at(0), 0);
    fedn__free(third);
}

static void *allocate_much(void *arg)
{
    uint64_t *failures = arg;

    for (uint32_t i = 0; i < 2000; i++) {
        void *memory = fedn__alloc(16);
        *failures += !memory;
        fedn__free(memory);
    }
    return NULL;
}

static void threads_share_the_counters_and_one_allocation_alone_fails(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t ids[THREADS];
    uint64_t failures[THREADS] = {0};
    uint64_t all = 0;
    fedn_error err;
    int64_t before = fedn__alloc_outstanding();

    fedn__alloc_fail_at(1234);
    for (uint32_t i = 0; i < THREADS; i++)
        assert_ok(fedn__thread_start(&ids[i], "alloc", allocate_much, &failures[i], &err), &err);
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(ids[i], NULL);
        all += failures[i];
    }
    assert_int_equal(all, 1);
    assert_int_equal(fedn__alloc_fail_at(0), 2000 * THREADS);
    assert_int_equal(fedn__alloc_outstanding(), before);
}

static atomic_int hook_calls;

static void *hook_malloc(size_t bytes, void *user_data)
{
    ++*(atomic_int *)user_data;
    return malloc(bytes);
}

static void *hook_realloc(void *memory, size_t bytes, void *user_data)
{
    ++*(atomic_int *)user_data;
    return realloc(memory, bytes);
}

static void hook_free(void *memory, void *user_data)
{
    ++*(atomic_int *)user_data;
    free(memory);
}

/* Runs first: once something was allocated the hook is refused. */
static void the_hook_is_taken_before_the_first_allocation_only(void **state)
{
    (void)state;
    assert_int_equal(fedn_alloc_set(NULL, hook_realloc, hook_free, NULL), FEDN_ERR_INVALID);
    assert_int_equal(fedn_alloc_set(hook_malloc, NULL, hook_free, NULL), FEDN_ERR_INVALID);
    assert_int_equal(fedn_alloc_set(hook_malloc, hook_realloc, NULL, NULL), FEDN_ERR_INVALID);
    assert_int_equal(fedn_alloc_set(hook_malloc, hook_realloc, hook_free, &hook_calls), FEDN_OK);
    fedn__free(fedn__realloc_array(fedn__alloc(1), 9, 1));
    assert_int_equal(hook_calls, 3);
    assert_int_equal(fedn_alloc_set(hook_malloc, hook_realloc, hook_free, NULL), FEDN_ERR_STATE);
}

/* In a child: the settings are the process's own. */
static void a_tuned_process_survives_a_broken_pipe_and_has_all_its_descriptors(void **state)
{
    (void)state;
    pid_t child = fork();

    if (child == 0) {
        struct rlimit files;
        int ends[2];
        fedn_tune_process();
        int ok = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur == files.rlim_max &&
                 pipe(ends) == 0 && close(ends[0]) == 0 && write(ends[1], "x", 1) == -1;
        _exit(ok ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hook_is_taken_before_the_first_allocation_only),
        cmocka_unit_test(what_is_allocated_is_counted_until_it_is_freed),
        cmocka_unit_test(sizes_that_overflow_give_null),
        cmocka_unit_test(arrays_and_pages_are_zeroed_and_pages_are_aligned),
        cmocka_unit_test(texts_are_copied_cut_and_formatted),
        cmocka_unit_test(the_nth_allocation_fails_once),
        cmocka_unit_test(threads_share_the_counters_and_one_allocation_alone_fails),
        cmocka_unit_test(a_tuned_process_survives_a_broken_pipe_and_has_all_its_descriptors),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
