/* SPDX-License-Identifier: Apache-2.0
 * Parameters as JSON and as Python prints them. */
#include "core/literal.h"

#include "core/alloc.h"
#include "core/limits.h"
#include "test.h"
#include <stdlib.h>
#include <string.h>

static void both_spellings_are_read(void **state)
{
    static const struct {
        const char *text;
        const char *json;
    } cases[] = {
        {"", "{}"},
        {" None ", "{}"},
        {"{}", "{}"},
        {"{\"a\": true, \"b\": null}", "{\"a\": true, \"b\": null}"},
        {"{'serveropt': 'yogi', 'learning_rate': 1e-3}",
         "{\"serveropt\": \"yogi\", \"learning_rate\": 0.001}"},
        {"{'a': True, 'b': False, 'c': None, 'd': -3, }",
         "{\"a\": true, \"b\": false, \"c\": null, \"d\": -3}"},
        {"{'a': [1, 2.5, [], {'b': \"it's\"}], \"c\": 'say \\'no\\' \\x41\\u00e4\\n'}",
         "{\"a\": [1, 2.5, [], {\"b\": \"it's\"}], \"c\": \"say 'no' A\\u00e4\\n\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *expected = json_loads(cases[i].json, 0, NULL);
        json_t *got = NULL;
        fedn_error err;
        assert_ok(fedn__literal_object(cases[i].text, "kwargs", &got, &err), &err);
        if (!json_equal(got, expected))
            fail_msg("%s is read as something else", cases[i].text);
        json_decref(got);
        json_decref(expected);
    }
}

static void what_is_neither_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {"[1]", "kwargs no object"},
        {"{'a'}", "colon byte_4"},
        {"{a: 1}", "key is no text byte_1"},
        {"{'a': 1, 'a': 2}", "twice"},
        {"{'a': b}", "no value byte_6"},
        {"{'a': 1e}", "no number"},
        {"{'a': 'b}", "does not end"},
        {"{'a': '\\q'}", "escape"},
        {"{'a': '\\x00'}", "escape"},
        {"{'a': '\\ud800'}", "escape"},
        {"{'a': '\xff'}", "UTF-8"},
        {"{'a': 1 'b': 2}", "comma"},
        {"{'a': 1", "comma or a closing bracket"},
        {"{'a': 1} {}", "behind"},
        {"{'a': __import__('os')}", "no value"},
        {"{'a': 1111111111111111111111111111111111111111111111111111111111111111}", "too long"},
    };
    json_t *got = NULL;
    fedn_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_fails(fedn__literal_object(cases[i].text, "kwargs", &got, &err), FEDN_ERR_INVALID,
                     &err, cases[i].words);
        assert_null(got);
    }
    char *deep = calloc(1, 1000);
    assert_non_null(deep);
    memset(deep, '[', 999);
    assert_fails(fedn__literal_object(deep, "kwargs", &got, &err), FEDN_ERR_INVALID, &err,
                 "nested too deep");
    free(deep);
    char *much = calloc(1, FEDN__LIMIT_CONTROL_BYTES + 2);
    assert_non_null(much);
    memset(much, ' ', FEDN__LIMIT_CONTROL_BYTES + 1);
    assert_fails(fedn__literal_object(much, "kwargs", &got, &err), FEDN_ERR_INVALID, &err,
                 "longer than 262144");
    free(much);
}

static fedn_status read_one(void *user_data)
{
    json_t *got = NULL;

    (void)user_data;
    fedn_status rc =
        fedn__literal_object("{'a': [1, 2.5, 'b'], 'c': {'d': None}}", "kwargs", &got, NULL);
    json_decref(got);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(read_one, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_spellings_are_read),
        cmocka_unit_test(what_is_neither_is_refused_with_its_place),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
