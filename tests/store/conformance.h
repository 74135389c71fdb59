/* SPDX-License-Identifier: Apache-2.0
 * What the conformance suite's files share: a store per test, short ways to fill and ask it. */
#ifndef FEDN__TEST_CONFORMANCE_H
#define FEDN__TEST_CONFORMANCE_H

#include "store/records.h"
#include "test.h"

/* One test's store; `backend` is the scheme under test. */
typedef struct bench {
    const char *backend;
    int64_t outstanding;
    char *scratch;
    char *url;
    fedn__store *store;
} bench;

int bench_setup(void **state);    /* *state: the scheme; becomes a bench with an open store */
int bench_teardown(void **state); /* checks that every allocation was given back */

/* A JSON object from text in which ' stands for ". */
json_t *object_of(const char *text);
void put(bench *bench, int32_t kind, const char *id, const char *text);
void drop(bench *bench, int32_t kind, const char *id);
/* The ids ("id" members) that a query lists, separated by spaces; free() it. */
char *list_ids(bench *bench, int32_t kind, const fedn__query *query);
/* One filter on statuses, its value as text of JSON; lists in ascending order of committed_at. */
void expect_match(bench *bench, const char *field, int32_t op, const char *value,
                  const char *expected);
void expect_list(bench *bench, int32_t kind, const fedn__query *query, const char *expected);

#endif
