/* SPDX-License-Identifier: Apache-2.0
 * The conformance suite of record stores: the same cases for the backend that argv names. */
#include "conformance.h"

#include "core/fs.h"
#include "core/limits.h"
#include "core/thread.h"
#include <stdlib.h>

static void get_gives_what_was_put(void **state)
{
    bench *b = *state;
    fedn_error err;
    json_t *back = NULL;
    json_t *document = object_of("{'name':'a\\u00e9\\n\\'','n':1,'x':0.1,'big':9007199254740993,"
                                 "'none':null,'yes':true,'list':[1,[2,{}]],'deep':{'a':{'b':[]}}}");
    fedn__change change = {FEDN__KIND_SESSION, "s", document};

    assert_ok(fedn__store_apply(b->store, &change, 1, &err), &err);
    json_object_set_new(document, "name", json_string("changed by the caller afterwards"));
    assert_ok(fedn__store_get(b->store, FEDN__KIND_SESSION, "s", &back, &err), &err);
    assert_string_equal(json_string_value(json_object_get(back, "name")), "a\u00e9\n\"");
    json_object_set(document, "name", json_object_get(back, "name"));
    assert_true(json_equal(back, document));
    json_decref(back);
    json_decref(document);
}

static void absent_record_is_not_found_and_named(void **state)
{
    bench *b = *state;
    fedn_error err;
    json_t *back = (json_t *)state;

    assert_fails(fedn__store_get(b->store, FEDN__KIND_MODEL, "nobody", &back, &err),
                 FEDN_ERR_NOT_FOUND, &err, "nobody not_found");
    assert_null(back);
}

static void put_replaces_the_whole_document(void **state)
{
    bench *b = *state;
    fedn_error err;
    json_t *back = NULL;

    put(b, FEDN__KIND_CLIENT, "c", "{'name':'old','ip':'1.2.3.4'}");
    put(b, FEDN__KIND_CLIENT, "c", "{'name':'new'}");
    assert_ok(fedn__store_get(b->store, FEDN__KIND_CLIENT, "c", &back, &err), &err);
    assert_string_equal(json_string_value(json_object_get(back, "name")), "new");
    assert_null(json_object_get(back, "ip"));
    json_decref(back);
}

static void kinds_do_not_see_each_other(void **state)
{
    bench *b = *state;

    put(b, FEDN__KIND_CLIENT, "same", "{'n':1}");
    put(b, FEDN__KIND_MODEL, "same", "{'n':2}");
    drop(b, FEDN__KIND_CLIENT, "same");
    expect_list(b, FEDN__KIND_CLIENT, NULL, "");
    expect_list(b, FEDN__KIND_MODEL, NULL, "same");
}

static void deleting_what_is_absent_does_nothing(void **state)
{
    bench *b = *state;

    put(b, FEDN__KIND_CLIENT, "a", "{}");
    drop(b, FEDN__KIND_CLIENT, "b");
    drop(b, FEDN__KIND_CLIENT, "a");
    drop(b, FEDN__KIND_CLIENT, "a");
    expect_list(b, FEDN__KIND_CLIENT, NULL, "");
}

static void batch_applies_in_order(void **state)
{
    bench *b = *state;
    fedn_error err;
    json_t *one = object_of("{'id':'a','n':1}");
    json_t *two = object_of("{'id':'a','n':2}");
    json_t *back = NULL;
    const fedn__change changes[] = {{FEDN__KIND_MODEL, "a", one},
                                    {FEDN__KIND_MODEL, "a", NULL},
                                    {FEDN__KIND_MODEL, "b", one},
                                    {FEDN__KIND_MODEL, "a", two},
                                    {FEDN__KIND_MODEL, "b", NULL}};

    assert_ok(fedn__store_apply(b->store, changes, 5, &err), &err);
    assert_ok(fedn__store_get(b->store, FEDN__KIND_MODEL, "a", &back, &err), &err);
    assert_int_equal(json_integer_value(json_object_get(back, "n")), 2);
    expect_list(b, FEDN__KIND_MODEL, NULL, "a");
    json_decref(back);
    json_decref(one);
    json_decref(two);
}

static void failing_batch_changes_nothing(void **state)
{
    bench *b = *state;
    fedn_error err;
    json_t *good = object_of("{'id':'new'}");
    json_t *bad = object_of("[1]");
    const fedn__change changes[] = {{FEDN__KIND_MODEL, "new", good},
                                    {FEDN__KIND_MODEL, "old", NULL},
                                    {FEDN__KIND_MODEL, "bad", bad}};

    put(b, FEDN__KIND_MODEL, "old", "{}");
    assert_fails(fedn__store_apply(b->store, changes, 3, &err), FEDN_ERR_INVALID, &err,
                 "models bad object");
    expect_list(b, FEDN__KIND_MODEL, NULL, "old");
    json_decref(good);
    json_decref(bad);
}

static void hostile_ids_are_only_ids(void **state)
{
    bench *b = *state;
    char longest[FEDN__LIMIT_NAME_BYTES + 1];
    const char *ids[] = {"'; DROP TABLE record; --",
                         "../../etc/passwd",
                         "%s%n",
                         "\u00fcn\u00ef \U0001f600",
                         "\"",
                         "a\\b",
                         longest};

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        fedn_error err;
        json_t *back = NULL;
        put(b, FEDN__KIND_CLIENT, ids[i], "{}");
        assert_ok(fedn__store_get(b->store, FEDN__KIND_CLIENT, ids[i], &back, &err), &err);
        assert_string_equal(json_string_value(json_object_get(back, "id")), ids[i]);
        json_decref(back);
        drop(b, FEDN__KIND_CLIENT, ids[i]);
    }
    expect_list(b, FEDN__KIND_CLIENT, NULL, "");
}

static void impossible_ids_are_refused(void **state)
{
    bench *b = *state;
    fedn_error err;
    char too_long[FEDN__LIMIT_NAME_BYTES + 2];
    const char *ids[] = {"", "a\nb", "\x80", "\xc3", too_long};
    json_t *document = object_of("{}");
    json_t *back = NULL;

    memset(too_long, 'x', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = 0;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        fedn__change change = {FEDN__KIND_CLIENT, ids[i], document};
        assert_fails(fedn__store_apply(b->store, &change, 1, &err), FEDN_ERR_INVALID, &err,
                     "clients 255");
        assert_fails(fedn__store_get(b->store, FEDN__KIND_CLIENT, ids[i], &back, &err),
                     FEDN_ERR_NOT_FOUND, &err, "not_found");
    }
    expect_list(b, FEDN__KIND_CLIENT, NULL, "");
    json_decref(document);
}

static void documents_that_could_not_come_back_are_refused(void **state)
{
    bench *b = *state;
    fedn_error err;
    json_t *document = json_object();
    json_t *inner = document;
    fedn__change change = {FEDN__KIND_CLIENT, "c", document};

    json_object_set_new(document, "nul", json_stringn("a\0b", 3));
    assert_fails(fedn__store_apply(b->store, &change, 1, &err), FEDN_ERR_INVALID, &err, "NUL");
    json_object_clear(document);
    for (int i = 0; i < FEDN__LIMIT_JSON_DEPTH; i++) {
        json_object_set_new(inner, "deeper", json_object());
        inner = json_object_get(inner, "deeper");
    }
    assert_fails(fedn__store_apply(b->store, &change, 1, &err), FEDN_ERR_INVALID, &err, "32");
    json_object_clear(document);
    char *text = calloc(1, FEDN__LIMIT_RECORD_BYTES + 1);
    memset(text, 'x', FEDN__LIMIT_RECORD_BYTES);
    json_object_set_new(document, "big", json_string(text));
    assert_fails(fedn__store_apply(b->store, &change, 1, &err), FEDN_ERR_LIMIT, &err, "16777216");
    free(text);
    json_decref(document);
    expect_list(b, FEDN__KIND_CLIENT, NULL, "");
}

static void ten_thousand_records_in_one_batch_page_through(void **state)
{
    enum { COUNT = 10000, PAGE = 1000 };
    bench *b = *state;
    fedn_error err;
    fedn__change *changes = calloc(COUNT, sizeof *changes);
    char(*ids)[16] = calloc(COUNT, sizeof *ids);
    uint64_t seen = 0;

    for (int i = 0; i < COUNT; i++) {
        snprintf(ids[i], sizeof ids[i], "m%d", i);
        changes[i] = (fedn__change){FEDN__KIND_METRIC, ids[i],
                                    json_pack("{s:s,s:i,s:i}", "id", ids[i], "committed_at",
                                              COUNT - i, "even", i % 2 == 0)};
    }
    assert_ok(fedn__store_apply(b->store, changes, COUNT, &err), &err);
    for (uint64_t skip = 0; skip < COUNT + PAGE; skip += PAGE) {
        fedn__query query = {.ascending = 1, .limit = PAGE, .skip = skip};
        json_t *list = NULL;
        uint64_t count = 0;
        assert_ok(fedn__store_list(b->store, FEDN__KIND_METRIC, &query, &list, &count, &err), &err);
        assert_int_equal(count, COUNT);
        for (size_t i = 0; i < json_array_size(list); i++)
            assert_string_equal(json_string_value(json_object_get(json_array_get(list, i), "id")),
                                ids[COUNT - 1 - seen++]);
        json_decref(list);
    }
    assert_int_equal(seen, COUNT);
    for (int i = 0; i < COUNT; i++)
        json_decref((json_t *)(uintptr_t)changes[i].document);
    free(changes);
    free(ids);
}

typedef struct writer {
    bench *bench;
    int number;
    pthread_t thread;
} writer;

static void *write_many(void *arg)
{
    writer *w = arg;

    for (int i = 0; i < 20; i++) {
        char id[32];
        json_t *document = json_pack("{s:i,s:i}", "n", i, "writer", w->number);
        json_t *list = NULL;
        fedn_error err;
        snprintf(id, sizeof id, "w%d-%d", w->number, i);
        fedn__change changes[] = {{FEDN__KIND_STATUS, id, document},
                                  {FEDN__KIND_METRIC, id, document}};
        if (fedn__store_apply(w->bench->store, changes, 2, &err) != FEDN_OK ||
            fedn__store_list(w->bench->store, FEDN__KIND_STATUS, NULL, &list, NULL, &err) !=
                FEDN_OK)
            return w;
        json_decref(document);
        json_decref(list);
    }
    return NULL;
}

static void many_threads_lose_nothing(void **state)
{
    bench *b = *state;
    writer writers[4];
    fedn_error err;
    uint64_t statuses = 0;
    uint64_t metrics = 0;

    for (int i = 0; i < 4; i++) {
        writers[i] = (writer){b, i, 0};
        assert_ok(fedn__thread_start(&writers[i].thread, "writer", write_many, &writers[i], &err),
                  &err);
    }
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        pthread_join(writers[i].thread, &failed);
        assert_null(failed);
    }
    assert_ok(fedn__store_list(b->store, FEDN__KIND_STATUS, NULL, NULL, &statuses, &err), &err);
    assert_ok(fedn__store_list(b->store, FEDN__KIND_METRIC, NULL, NULL, &metrics, &err), &err);
    assert_int_equal(statuses, 80);
    assert_int_equal(metrics, 80);
}

/* Open, change, list, get and close with allocations that fail; a batch that failed left nothing.
 */
static fedn_status out_of_memory_run(void *arg)
{
    bench *b = arg;
    fedn__store *store = NULL;
    json_t *document = object_of("{'session_id':'s'}");
    json_t *value = json_string("s");
    json_t *list = NULL;
    fedn_error err;
    fedn__filter filter = {"session_id", FEDN__OP_EQ, value};
    fedn__query query = {.filters = &filter, .filter_count = 1};
    const fedn__change changes[] = {{FEDN__KIND_MODEL, "a", document},
                                    {FEDN__KIND_MODEL, "b", document}};
    char url[512];
    snprintf(url, sizeof url, "%s%s", b->url, strcmp(b->backend, "mem") == 0 ? "" : ".again");
    fedn_status rc = fedn__store_open(url, &store, &err);
    if (rc == FEDN_OK) {
        rc = fedn__store_apply(store, changes, 2, &err);
        fedn_status rc2 = fedn__store_list(store, FEDN__KIND_MODEL, &query, &list, NULL, &err);
        if (rc2 == FEDN_OK)
            assert_true(json_array_size(list) == 2 ||
                        (rc != FEDN_OK && json_array_size(list) == 0));
        rc = rc == FEDN_OK ? rc2 : rc;
        const fedn__change gone[] = {{FEDN__KIND_MODEL, "a", NULL}, {FEDN__KIND_MODEL, "b", NULL}};
        rc2 = fedn__store_apply(store, gone, 2, &err);
        rc = rc == FEDN_OK ? rc2 : rc;
    }
    fedn__store_close(store);
    json_decref(list);
    json_decref(document);
    json_decref(value);
    return rc;
}

static void every_failed_allocation_is_survived(void **state)
{
    test_fail_each_allocation(out_of_memory_run, *state);
}

int main(int argc, char **argv)
{
    static char mem[] = "mem";
    char *backend = argc > 1 ? argv[1] : mem;
#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name, bench_setup, bench_teardown, backend                                          \
    }
    const struct CMUnitTest cases[] = {
        CASE(get_gives_what_was_put),
        CASE(absent_record_is_not_found_and_named),
        CASE(put_replaces_the_whole_document),
        CASE(kinds_do_not_see_each_other),
        CASE(deleting_what_is_absent_does_nothing),
        CASE(batch_applies_in_order),
        CASE(failing_batch_changes_nothing),
        CASE(hostile_ids_are_only_ids),
        CASE(impossible_ids_are_refused),
        CASE(documents_that_could_not_come_back_are_refused),
        CASE(ten_thousand_records_in_one_batch_page_through),
        CASE(many_threads_lose_nothing),
        CASE(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
