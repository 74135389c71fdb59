/* SPDX-License-Identifier: Apache-2.0
 * Foreign JSON: depth, duplicates, trailing bytes, members with a default. */
#include "test.h"

#include "core/json.h"
#include "core/limits.h"

static void what_is_not_one_object_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        fedn_status status;
        const char *words;
    } cases[] = {
        {"{}", FEDN_OK, ""},
        {" {\"a\": [1, 2.5, null, true, \"\xc3\xbc\"]} ", FEDN_OK, ""},
        {"", FEDN_ERR_FORMAT, "settings line"},
        {"[]", FEDN_ERR_FORMAT, "settings object"},
        {"1", FEDN_ERR_FORMAT, "settings object"},
        {"{} {}", FEDN_ERR_FORMAT, "settings end_of_file"},
        {"{\"a\":1,\"a\":2}", FEDN_ERR_FORMAT, "settings duplicate"},
        {"{\"a\":\n\n tru}", FEDN_ERR_FORMAT, "settings line_3"},
        {"{\"a\":\"\\u0000\"}", FEDN_ERR_FORMAT, "settings"},
        {"{\"a\":\"\xff\"}", FEDN_ERR_FORMAT, "settings 0xff"},
        {"{\"a\":\"open", FEDN_ERR_FORMAT, "settings"},
        {"{\"a\":\"\\", FEDN_ERR_FORMAT, "settings"},
        {"{\"a\":1e999}", FEDN_ERR_FORMAT, "settings"},
        {"{\"a\":NaN}", FEDN_ERR_FORMAT, "settings"},
        {"{\"a\":99999999999999999999}", FEDN_ERR_FORMAT, "settings"},
        {"]]]]]]{", FEDN_ERR_FORMAT, "settings"},
    };

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fedn_error err = {0};
        json_t *value = NULL;
        fedn_status rc =
            fedn__json_parse(cases[i].text, strlen(cases[i].text), 0, "settings", &value, &err);
        if (rc != cases[i].status)
            fail_msg("case %u (%s): %d %s", i, cases[i].text, (int)rc, err.message);
        assert_int_equal(rc == FEDN_OK, value != NULL);
        test_assert_words(err.message, cases[i].words);
        json_decref(value);
    }
}

static void a_nul_byte_inside_ends_nothing_quietly(void **state)
{
    (void)state;
    fedn_error err;
    json_t *value = NULL;

    assert_fails(fedn__json_parse("{}\0{}", 5, 0, "body", &value, &err), FEDN_ERR_FORMAT, &err,
                 "body");
    assert_fails(fedn__json_parse(NULL, 0, 0, "body", &value, &err), FEDN_ERR_FORMAT, &err, "body");
    assert_ok(fedn__json_parse("{}junk", 2, 0, "body", &value, &err), &err);
    json_decref(value);
}

/* What Python's json.dumps() writes of a training that diverged, of a seed, of keys 1 and "1". */
static void what_python_writes_is_read_though_it_is_no_json(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected; /* NULL: refused */
    } cases[] = {
        {"{\"n\": 3}", "{\"n\":3}"},
        {"{\"n\": NaN}", "{\"n\":null}"},
        {"{\"n\": [Infinity, -Infinity, NaN]}", "{\"n\":[null,null,null]}"},
        {"{\"NaN\": \"Infinity \\\" NaN\", \"n\": NaN}",
         "{\"NaN\":\"Infinity \\\" NaN\",\"n\":null}"},
        {"{\"n\": \"\\\\\", \"m\": NaN}", "{\"m\":null,\"n\":\"\\\\\"}"},
        {"{\"seed\": 18446744073709551615, \"n\": 2}",
         "{\"n\":2.0,\"seed\":1.8446744073709552e19}"},
        {"{\"1\": 1, \"1\": 2.5}", "{\"1\":2.5}"},
        {"{\"a\": \"x\\u0000y\"}", "{\"a\":\"x\\u0000y\"}"},
        {"NaN", NULL},
        {"{\"n\": Na}", NULL},
        {"{\"n\": NaNN}", NULL},
        {"{\"n\": NaN", NULL},
        {"{\"n\": \"NaN\\", NULL},
        {"{\"n\": -NaN}", NULL},
        {"", NULL},
    };

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *value = NULL;
        fedn_error err = {0};
        const char *given = cases[i].text;
        if (!cases[i].expected) {
            assert_fails(fedn__json_parse_python(given, strlen(given), 0, "meta", &value, &err),
                         FEDN_ERR_FORMAT, &err, "meta");
            assert_null(value);
            continue;
        }
        assert_ok(fedn__json_parse_python(given, strlen(given), 0, "meta", &value, &err), &err);
        char *text = fedn__json_text(value);
        assert_string_equal(text, cases[i].expected);
        fedn__free(text);
        json_decref(value);
    }
}

static fedn_status parse_nested(uint32_t depth, char open, char close, json_t **ret,
                                fedn_error *err)
{
    static char text[200001];

    memset(text, open, depth);
    memset(text + depth, close, depth);
    return fedn__json_parse(text, (uint64_t)depth * 2, 1, "body", ret, err);
}

static void nesting_is_bounded_before_anything_recurses(void **state)
{
    (void)state;
    fedn_error err;
    json_t *value = NULL;

    assert_ok(parse_nested(FEDN__LIMIT_JSON_DEPTH, '[', ']', &value, &err), &err);
    json_decref(value);
    assert_fails(parse_nested(FEDN__LIMIT_JSON_DEPTH + 1, '[', ']', &value, &err), FEDN_ERR_LIMIT,
                 &err, "body nested 32");
    assert_null(value);
    assert_fails(parse_nested(100000, '[', ' ', &value, &err), FEDN_ERR_LIMIT, &err, "nested");
    assert_fails(parse_nested(100000, '{', '}', &value, &err), FEDN_ERR_LIMIT, &err, "nested");
}

static void brackets_inside_texts_are_not_nesting(void **state)
{
    (void)state;
    fedn_error err;
    json_t *value = NULL;
    static const char text[] = "{\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\":"
                               "\"{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{\\\\\"}";

    assert_ok(fedn__json_parse(text, strlen(text), 0, "body", &value, &err), &err);
    json_decref(value);
}

static void any_value_is_taken_when_it_may_be_any(void **state)
{
    (void)state;
    static const char *const texts[] = {"1", "\"x\"", "null", "[]", "true", "-0.5"};

    for (uint32_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        fedn_error err;
        json_t *value = NULL;
        assert_ok(fedn__json_parse(texts[i], strlen(texts[i]), 1, "value", &value, &err), &err);
        char *text = fedn__json_text(value);
        assert_string_equal(text, texts[i]);
        fedn__free(text);
        json_decref(value);
    }
}

static void text_is_compact_and_sorted(void **state)
{
    (void)state;
    json_t *value = json_pack("{s:i, s:[b, n], s:{s:s}}", "z", 1, "a", 1, "m", "k", "v\n");
    char *text = fedn__json_text(value);

    assert_string_equal(text, "{\"a\":[true,null],\"m\":{\"k\":\"v\\n\"},\"z\":1}");
    fedn__free(text);
    json_decref(value);
    assert_null(fedn__json_text(NULL));
}

static void members_of_another_type_give_the_default(void **state)
{
    (void)state;
    json_t *o = json_pack("{s:s, s:i, s:f, s:b, s:n}", "s", "x", "i", -5, "f", 2.5, "b", 1, "n");

    assert_string_equal(fedn__json_string(o, "s", "d"), "x");
    assert_string_equal(fedn__json_string(o, "i", "d"), "d");
    assert_null(fedn__json_string(o, "absent", NULL));
    assert_int_equal(fedn__json_integer(o, "i", 9), -5);
    assert_int_equal(fedn__json_integer(o, "f", 9), 9);
    assert_int_equal(fedn__json_integer(o, "n", 9), 9);
    assert_true(fedn__json_number(o, "i", 0) == -5.0);
    assert_true(fedn__json_number(o, "f", 0) == 2.5);
    assert_true(fedn__json_number(o, "s", 7) == 7.0);
    assert_int_equal(fedn__json_boolean(o, "b", 0), 1);
    assert_int_equal(fedn__json_boolean(o, "i", 0), 0);
    assert_int_equal(fedn__json_integer(NULL, "i", 9), 9);
    json_decref(o);
}

static fedn_status there_and_back(void *arg)
{
    fedn_error err;
    json_t *value = NULL;
    (void)arg;

    fedn_status rc = fedn__json_parse("{\"a\":[1]}", 9, 0, "value", &value, &err);
    char *text = rc == FEDN_OK ? fedn__json_text(value) : NULL;
    if (rc == FEDN_OK && !text)
        rc = FEDN_ERR_NOMEM;
    fedn__free(text);
    json_decref(value);
    if (rc == FEDN_OK)
        rc = fedn__json_parse_python("[NaN]", 5, 1, "value", &value, &err);
    if (rc == FEDN_OK)
        json_decref(value);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(there_and_back, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_one_object_is_refused_with_its_place),
        cmocka_unit_test(a_nul_byte_inside_ends_nothing_quietly),
        cmocka_unit_test(what_python_writes_is_read_though_it_is_no_json),
        cmocka_unit_test(nesting_is_bounded_before_anything_recurses),
        cmocka_unit_test(brackets_inside_texts_are_not_nesting),
        cmocka_unit_test(any_value_is_taken_when_it_may_be_any),
        cmocka_unit_test(text_is_compact_and_sorted),
        cmocka_unit_test(members_of_another_type_give_the_default),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
