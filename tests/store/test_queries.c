/* SPDX-License-Identifier: Apache-2.0
 * The conformance suite of record stores: filters, sorting, paging; for the backend that argv
 * names. */
#include "conformance.h"

#include "core/limits.h"

/* What the filter cases ask about; the order of committed_at is the order of the letters. */
static void fill(bench *b)
{
    static const char *const documents[] = {
        "{'committed_at':1,'v':1,'sender':{'role':'WORKER','n':1}}",
        "{'committed_at':2,'v':1.5,'sender':{'role':'COMBINER','n':2}}",
        "{'committed_at':3,'v':'1','sender':null}",
        "{'committed_at':4,'v':null}",
        "{'committed_at':5,'sender':'WORKER'}",
        "{'committed_at':6,'v':true,'sender':{}}",
        "{'committed_at':7,'v':[1]}",
        "{'committed_at':8,'v':{'a':1}}",
        "{'committed_at':9,'v':'abc','sender':{'role':'worker'}}",
        "{'committed_at':10,'v':-9007199254740993}",
    };

    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        put(b, FEDN__KIND_STATUS, (char[]){(char)('a' + i), 0}, documents[i]);
}

static void filters_compare_values_of_one_type_only(void **state)
{
    bench *b = *state;
    static const struct {
        const char *field;
        int32_t op;
        const char *value;
        const char *expected;
    } rows[] = {
        {"v", FEDN__OP_EQ, "1", "a f"},
        {"v", FEDN__OP_EQ, "1.0", "a f"},
        {"v", FEDN__OP_EQ, "true", "a f"},
        {"v", FEDN__OP_EQ, "'1'", "c"},
        {"v", FEDN__OP_EQ, "null", "d e"},
        {"v", FEDN__OP_EQ, NULL, "d e"},
        {"v", FEDN__OP_EQ, "'[1]'", ""},
        {"v", FEDN__OP_EQ, "'{\\'a\\':1}'", ""},
        {"v", FEDN__OP_EQ, "-9007199254740993", "j"},
        {"v", FEDN__OP_EQ, "-9007199254740992", ""},
        {"v", FEDN__OP_NE, "1", "b c d e g h i j"},
        {"v", FEDN__OP_NE, "'1'", "a b d e f g h i j"},
        {"v", FEDN__OP_NE, "'[1]'", "a b c d e f g h i j"},
        {"v", FEDN__OP_NE, "null", "a b c f g h i j"},
        {"v", FEDN__OP_GT, "1", "b"},
        {"v", FEDN__OP_GTE, "1", "a b f"},
        {"v", FEDN__OP_LT, "1.5", "a f j"},
        {"v", FEDN__OP_LTE, "1.5", "a b f j"},
        {"v", FEDN__OP_GT, "'1'", "i"},
        {"v", FEDN__OP_GTE, "'1'", "c i"},
        {"v", FEDN__OP_LT, "'abc'", "c"},
        {"v", FEDN__OP_LTE, "'abc'", "c i"},
        {"v", FEDN__OP_GT, "null", ""},
        {"v", FEDN__OP_LTE, "null", ""},
        {"v", FEDN__OP_IN, "[1, 1.5]", "a b f"},
        {"v", FEDN__OP_IN, "[true]", "a f"},
        {"v", FEDN__OP_IN, "['1', 'abc', '[1]']", "c i"},
        {"v.a", FEDN__OP_IN, "[1]", "h"},
        {"unknown", FEDN__OP_IN, "['x']", ""},
        {"v.a", FEDN__OP_EQ, "1", "h"},
        {"sender.role", FEDN__OP_EQ, "'WORKER'", "a"},
        {"sender.n", FEDN__OP_GTE, "1", "a b"},
        {"sender.role", FEDN__OP_EQ, "null", "c d e f g h j"},
        {"sender", FEDN__OP_EQ, "'WORKER'", "e"},
        {"unknown", FEDN__OP_EQ, "'x'", ""},
        {"id", FEDN__OP_EQ, "'a\\' OR 1=1 --'", ""},
    };

    fill(b);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_match(b, rows[i].field, rows[i].op, rows[i].value, rows[i].expected);
}

static void filters_hold_together(void **state)
{
    bench *b = *state;
    json_t *low = object_of("2");
    json_t *high = object_of("5");
    json_t *none = json_null();
    const fedn__filter filters[] = {{"committed_at", FEDN__OP_GTE, low},
                                    {"committed_at", FEDN__OP_LT, high},
                                    {"v", FEDN__OP_NE, none}};
    fedn__query query = {.filters = filters, .filter_count = 3, .ascending = 1};

    fill(b);
    expect_list(b, FEDN__KIND_STATUS, &query, "b c");
    json_decref(low);
    json_decref(high);
}

static void sorting_orders_types_then_values_then_insertion(void **state)
{
    bench *b = *state;
    fedn__query query = {.sort_key = "k", .ascending = 1};

    put(b, FEDN__KIND_MODEL, "t2", "{'k':'b'}");
    put(b, FEDN__KIND_MODEL, "n2", "{'k':10}");
    put(b, FEDN__KIND_MODEL, "t1", "{'k':'a'}");
    put(b, FEDN__KIND_MODEL, "none", "{}");
    put(b, FEDN__KIND_MODEL, "n1", "{'k':9.5}");
    put(b, FEDN__KIND_MODEL, "t3", "{'k':'\\u00e9'}");
    put(b, FEDN__KIND_MODEL, "t1b", "{'k':'a'}");
    put(b, FEDN__KIND_MODEL, "null", "{'k':null}");
    expect_list(b, FEDN__KIND_MODEL, &query, "none null n1 n2 t1 t1b t2 t3");
    query.ascending = 0;
    expect_list(b, FEDN__KIND_MODEL, &query, "t3 t2 t1b t1 n2 n1 null none");
    query = (fedn__query){.sort_key = "deep.k", .ascending = 1};
    put(b, FEDN__KIND_ROUND, "two", "{'deep':{'k':2}}");
    put(b, FEDN__KIND_ROUND, "one", "{'deep':{'k':1}}");
    expect_list(b, FEDN__KIND_ROUND, &query, "one two");
}

static void default_order_is_latest_first(void **state)
{
    bench *b = *state;

    put(b, FEDN__KIND_MODEL, "b", "{'committed_at':'2026-01-02T00:00:00.000000Z'}");
    put(b, FEDN__KIND_MODEL, "a", "{'committed_at':'2026-01-01T00:00:00.000000Z'}");
    put(b, FEDN__KIND_MODEL, "c", "{'committed_at':'2026-01-02T00:00:00.000000Z'}");
    expect_list(b, FEDN__KIND_MODEL, NULL, "c b a");
    /* a put over a record keeps its place, a new one comes last */
    put(b, FEDN__KIND_MODEL, "b", "{'committed_at':'2026-01-02T00:00:00.000000Z','n':2}");
    expect_list(b, FEDN__KIND_MODEL, NULL, "c b a");
    drop(b, FEDN__KIND_MODEL, "b");
    put(b, FEDN__KIND_MODEL, "b", "{'committed_at':'2026-01-02T00:00:00.000000Z'}");
    expect_list(b, FEDN__KIND_MODEL, NULL, "b c a");
}

static void limit_and_skip_page_and_count_ignores_them(void **state)
{
    bench *b = *state;
    static const struct {
        uint64_t limit;
        uint64_t skip;
        const char *expected;
    } rows[] = {
        {0, 0, "a b c d"},
        {2, 0, "a b"},
        {2, 1, "b c"},
        {2, 3, "d"},
        {0, 2, "c d"},
        {9, 4, ""},
        {1, 400, ""},
        {UINT64_MAX, 1, "b c d"},
        {UINT64_MAX, UINT64_MAX, ""},
        {0, UINT64_MAX, ""},
    };

    for (const char *id = "abcd"; *id; id++)
        put(b, FEDN__KIND_SESSION, (char[]){*id, 0}, "{'committed_at':1}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fedn_error err;
        uint64_t count = 0;
        fedn__query query = {.ascending = 1, .limit = rows[i].limit, .skip = rows[i].skip};
        expect_list(b, FEDN__KIND_SESSION, &query, rows[i].expected);
        assert_ok(fedn__store_list(b->store, FEDN__KIND_SESSION, &query, NULL, &count, &err), &err);
        assert_int_equal(count, 4);
    }
}

static void count_is_of_what_the_filter_takes(void **state)
{
    bench *b = *state;
    fedn_error err;
    json_t *value = object_of("'WORKER'");
    fedn__filter filter = {"sender.role", FEDN__OP_NE, value};
    fedn__query query = {.filters = &filter, .filter_count = 1, .limit = 1};
    json_t *list = NULL;
    uint64_t count = 0;

    fill(b);
    assert_ok(fedn__store_list(b->store, FEDN__KIND_STATUS, &query, &list, &count, &err), &err);
    assert_int_equal(count, 9);
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
    json_decref(value);
}

static void names_that_are_no_fields_are_refused(void **state)
{
    bench *b = *state;
    fedn_error err;
    char too_long[FEDN__LIMIT_NAME_BYTES + 2];
    const char *names[] = {"",    "a'", "a\"", ".",      "a..b", ".a",  "a.",
                           "a b", "a)", "$",   "\u00e9", "a[0]", "a;b", too_long};
    json_t *list = (json_t *)state;
    uint64_t count = 77;

    memset(too_long, 'x', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fedn__filter filter = {names[i], FEDN__OP_EQ, NULL};
        fedn__query query = {.filters = &filter, .filter_count = 1};
        assert_fails(fedn__store_list(b->store, FEDN__KIND_RUN, &query, &list, &count, &err),
                     FEDN_ERR_INVALID, &err, "no_field_name");
        query = (fedn__query){.sort_key = names[i]};
        assert_fails(fedn__store_list(b->store, FEDN__KIND_RUN, &query, &list, &count, &err),
                     FEDN_ERR_INVALID, &err, "sort_key");
        assert_null(list);
        assert_int_equal(count, 77);
    }
}

static void queries_out_of_bounds_are_refused(void **state)
{
    bench *b = *state;
    fedn_error err;
    fedn__filter filters[FEDN__LIMIT_FILTERS + 1];
    fedn__query query = {.filters = filters, .filter_count = FEDN__LIMIT_FILTERS + 1};
    json_t *array = json_array();

    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        filters[i] = (fedn__filter){"a", FEDN__OP_EQ, NULL};
    assert_fails(fedn__store_list(b->store, FEDN__KIND_RUN, &query, NULL, NULL, &err),
                 FEDN_ERR_LIMIT, &err, "33 32");
    query.filter_count = FEDN__LIMIT_FILTERS;
    assert_ok(fedn__store_list(b->store, FEDN__KIND_RUN, &query, NULL, NULL, &err), &err);
    query.filter_count = 1;
    filters[0].op = FEDN__OP_IN + 1;
    assert_fails(fedn__store_list(b->store, FEDN__KIND_RUN, &query, NULL, NULL, &err),
                 FEDN_ERR_INVALID, &err, "operator");
    filters[0] = (fedn__filter){"a", FEDN__OP_EQ, array};
    assert_fails(fedn__store_list(b->store, FEDN__KIND_RUN, &query, NULL, NULL, &err),
                 FEDN_ERR_INVALID, &err, "text number boolean null");
    json_decref(array);
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
        CASE(filters_compare_values_of_one_type_only),
        CASE(filters_hold_together),
        CASE(sorting_orders_types_then_values_then_insertion),
        CASE(default_order_is_latest_first),
        CASE(limit_and_skip_page_and_count_ignores_them),
        CASE(count_is_of_what_the_filter_takes),
        CASE(names_that_are_no_fields_are_refused),
        CASE(queries_out_of_bounds_are_refused),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
