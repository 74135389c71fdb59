/* SPDX-License-Identifier: Apache-2.0
 * What the conformance suite's files share. */
#include "conformance.h"

#include "core/fs.h"
#include <stdlib.h>

int bench_setup(void **state)
{
    fedn_error err;
    bench *b = calloc(1, sizeof *b);

    b->backend = *state;
    b->outstanding = fedn__alloc_outstanding();
    b->scratch = test_scratch();
    b->url = strcmp(b->backend, "mem") == 0 ? fedn__strf("mem:")
                                            : fedn__strf("%s:%s/store.db", b->backend, b->scratch);
    assert_ok(fedn__store_open(b->url, &b->store, &err), &err);
    *state = b;
    return 0;
}

int bench_teardown(void **state)
{
    bench *b = *state;
    int64_t before = b->outstanding;

    fedn__store_close(b->store);
    fedn__free(b->url);
    test_scratch_done(b->scratch);
    free(b);
    return fedn__alloc_outstanding() == before ? 0 : -1;
}

json_t *object_of(const char *text)
{
    json_error_t reason;
    char *copy = strdup(text);

    for (char *c = copy; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *value = json_loads(copy, JSON_DECODE_ANY, &reason);
    if (!value)
        fail_msg("%s: %s", copy, reason.text);
    free(copy);
    return value;
}

void put(bench *b, int32_t kind, const char *id, const char *text)
{
    fedn_error err;
    json_t *document = object_of(text);
    fedn__change change = {kind, id, document};

    json_object_set_new(document, "id", json_string(id));
    assert_ok(fedn__store_apply(b->store, &change, 1, &err), &err);
    json_decref(document);
}

void drop(bench *b, int32_t kind, const char *id)
{
    fedn_error err;
    fedn__change change = {kind, id, NULL};

    assert_ok(fedn__store_apply(b->store, &change, 1, &err), &err);
}

char *list_ids(bench *b, int32_t kind, const fedn__query *query)
{
    enum { ROOM = 4096 };
    fedn_error err;
    json_t *list = NULL;
    json_t *document = NULL;
    size_t i = 0;
    size_t len = 0;
    char *ids = calloc(1, ROOM);

    assert_ok(fedn__store_list(b->store, kind, query, &list, NULL, &err), &err);
    json_array_foreach(list, i, document) len +=
        (size_t)snprintf(ids + len, ROOM - len, "%s%s", i ? " " : "",
                         json_string_value(json_object_get(document, "id")));
    json_decref(list);
    return ids;
}

void expect_list(bench *b, int32_t kind, const fedn__query *query, const char *expected)
{
    char *ids = list_ids(b, kind, query);

    assert_string_equal(ids, expected);
    free(ids);
}

void expect_match(bench *b, const char *field, int32_t op, const char *value, const char *expected)
{
    json_t *operand = value ? object_of(value) : NULL;
    fedn__filter filter = {field, op, operand};
    fedn__query query = {.filters = &filter, .filter_count = 1, .ascending = 1};
    char *ids = list_ids(b, FEDN__KIND_STATUS, &query);
    if (strcmp(ids, expected) != 0)
        fail_msg("%s op %d %s: got \"%s\", wanted \"%s\"", field, (int)op, value ? value : "NULL",
                 ids, expected);
    free(ids);
    json_decref(operand);
}
