/* SPDX-License-Identifier: Apache-2.0
 * What every test program uses: cmocka, a scratch directory, the allocation driver. */
#ifndef FEDN__TEST_H
#define FEDN__TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include <fedn/error.h>

/* FEDN_OK, or the test fails with the error's text. */
#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        fedn_status rc_ = (call);                                                                  \
        if (rc_ != FEDN_OK)                                                                        \
            fail_msg("%s: %d %s", #call, (int)rc_, (err)->message);                                \
    } while (0)

/* The call fails with this code, and the text contains all that is to be named. */
#define assert_fails(call, expected, err, words)                                                   \
    do {                                                                                           \
        memset((err), 0, sizeof *(err));                                                           \
        fedn_status rc_ = (call);                                                                  \
        if (rc_ != (expected))                                                                     \
            fail_msg("%s: got %d (%s), wanted %d", #call, (int)rc_, (err)->message,                \
                     (int)(expected));                                                             \
        test_assert_words((err)->message, words);                                                  \
    } while (0)

/* Each word of a space-separated list ('_' stands for itself or a space) occurs in the text, which
 * is one line. */
void test_assert_words(const char *text, const char *words);

/* A scratch directory below TMPDIR; removed by test_scratch_done(). Aborts the test on failure. */
char *test_scratch(void);
void test_scratch_done(char *path);
/* Text of a file in it. */
char *test_read_file(const char *path, uint64_t *ret_bytes); /* free() it */
void test_write_file(const char *path, const void *data, uint64_t bytes);

/* Runs `scenario` failing its 1st, 2nd, 3rd ... allocation until it runs through untouched. Each
 * run must give FEDN_OK or FEDN_ERR_NOMEM and leave the count of outstanding allocations as it was.
 */
void test_fail_each_allocation(fedn_status (*scenario)(void *arg), void *arg);

/* Group fixtures that check the allocation counter: for cmocka_run_group_tests(). */
int test_count_setup(void **state);
int test_count_teardown(void **state);
/* The same, and every test finds a scratch directory in *state. */
int test_scratch_setup(void **state);
int test_scratch_teardown(void **state);

#endif
