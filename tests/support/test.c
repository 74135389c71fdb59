/* SPDX-License-Identifier: Apache-2.0
 * What every test program uses; see test.h. */
#include "test.h"

#include "core/clock.h"
#include "core/fs.h"
#include <ctype.h>
#include <sched.h>
#include <stdlib.h>

/* '_' in the word stands for itself or for a space. */
static int32_t has_word(const char *text, const char *word)
{
    for (; *text; text++) {
        size_t i = 0;
        while (word[i] && (word[i] == text[i] || (word[i] == '_' && text[i] == ' ')))
            i++;
        if (!word[i])
            return 1;
    }
    return !*word;
}

void test_assert_words(const char *text, const char *words)
{
    char *copy = strdup(words);
    char *save = NULL;

    if (strchr(text, '\n'))
        fail_msg("more than one line: %s", text);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        if (!has_word(text, word))
            fail_msg("\"%s\" does not name \"%s\"", text, word);
    }
    free(copy);
}

char *test_scratch(void)
{
    fedn_error err;
    char *path = NULL;

    assert_ok(fedn__fs_temp_dir(NULL, "fedn-test-", &path, &err), &err);
    return path;
}

void test_scratch_done(char *path)
{
    fedn_error err;

    assert_ok(fedn__fs_remove_tree(path, &err), &err);
    fedn__free(path);
}

char *test_read_file(const char *path, uint64_t *ret_bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    fseek(file, 0, SEEK_END);
    long bytes = ftell(file);
    rewind(file);
    char *data = malloc((size_t)bytes + 1);
    assert_int_equal(fread(data, 1, (size_t)bytes, file), bytes);
    fclose(file);
    data[bytes] = 0;
    if (ret_bytes)
        *ret_bytes = (uint64_t)bytes;
    return data;
}

void test_write_file(const char *path, const void *data, uint64_t bytes)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        fail_msg("cannot write %s", path);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

/* gRPC lets go of what it has sent on threads of its own, a moment after its end, and says so to
 * nobody: the count is looked at until it is not above what it was, or a bound has passed. */
static int64_t left_over(int64_t before)
{
    int64_t bound_ns = fedn__clock_ns() + INT64_C(5000000000);

    while (fedn__alloc_outstanding() > before && fedn__clock_ns() < bound_ns)
        (void)sched_yield();
    return fedn__alloc_outstanding() - before;
}

/* One run with its allocation `nth` failing; 1: it asked for fewer, and ran through. */
static int32_t fail_allocation(uint64_t nth, fedn_status (*scenario)(void *arg), void *arg)
{
    uint64_t asked = 0;
    int64_t left = -1;
    fedn_status rc = FEDN_OK;

    /* fewer than before: another thread let go of what is older, and the run counts for nothing */
    for (uint32_t run = 0; left < 0 && run < 1000; run++) {
        int64_t before = fedn__alloc_outstanding();
        fedn__alloc_fail_at(nth);
        rc = scenario(arg);
        asked = fedn__alloc_fail_at(0);
        left = left_over(before);
    }
    if (left != 0)
        fail_msg("allocation %llu failed: %lld left over", (unsigned long long)nth,
                 (long long)left);
    if (asked < nth)
        assert_int_equal(rc, FEDN_OK);
    else if (rc != FEDN_OK && rc != FEDN_ERR_NOMEM)
        fail_msg("allocation %llu failed: status %d", (unsigned long long)nth, (int)rc);
    return asked < nth;
}

void test_fail_each_allocation(fedn_status (*scenario)(void *arg), void *arg)
{
    for (uint64_t nth = 1; nth < 1000000; nth++)
        if (fail_allocation(nth, scenario, arg))
            return;
    fail_msg("the scenario never ran through");
}

int test_count_setup(void **state)
{
    *state = (void *)(intptr_t)(fedn__alloc_outstanding() + 1);
    return 0;
}

int test_count_teardown(void **state)
{
    int64_t before = (int64_t)(intptr_t)*state - 1;

    if (fedn__alloc_outstanding() != before) {
        fprintf(stderr, "%lld allocations left over\n",
                (long long)(fedn__alloc_outstanding() - before));
        return -1;
    }
    return 0;
}

static void *count_before;

int test_scratch_setup(void **state)
{
    (void)test_count_setup(&count_before);
    *state = test_scratch();
    return 0;
}

int test_scratch_teardown(void **state)
{
    test_scratch_done(*state);
    return test_count_teardown(&count_before);
}
