/* SPDX-License-Identifier: Apache-2.0
 * Dotted fields and the order of values. */
#include "store/match.h"
#include "test.h"

static void dotted_names_reach_inner_members(void **state)
{
    json_t *document =
        json_pack("{s:{s:{s:i},s:i},s:n,s:[i]}", "a", "b", "c", 1, "x", 2, "null", "list", 3);

    (void)state;
    assert_int_equal(json_integer_value(fedn__match_field(document, "a.b.c")), 1);
    assert_int_equal(json_integer_value(fedn__match_field(document, "a.x")), 2);
    assert_true(json_is_object(fedn__match_field(document, "a")));
    assert_true(json_is_null(fedn__match_field(document, "null")));
    assert_null(fedn__match_field(document, "a.b.c.d"));
    assert_null(fedn__match_field(document, "null.x"));
    assert_null(fedn__match_field(document, "list.0"));
    assert_null(fedn__match_field(document, "b"));
    json_decref(document);
}

/* Each is before the ones below it; equals on one row. */
static void values_have_one_order(void **state)
{
    json_t *rows[][3] = {
        {json_null(), NULL, NULL},
        {json_integer(INT64_MIN), NULL, NULL},
        {json_real(-1.5), NULL, NULL},
        {json_false(), json_integer(0), json_real(-0.0)},
        {json_true(), json_integer(1), json_real(1.0)},
        {json_real(1e15), json_integer(1000000000000000), NULL},
        {json_integer(9007199254740992), json_real(9007199254740992.0), NULL},
        {json_integer(9007199254740993), NULL, NULL},
        {json_integer(INT64_MAX), NULL, NULL},
        {json_real(9223372036854775808.0), NULL, NULL},
        {json_string(""), NULL, NULL},
        {json_string("1"), NULL, NULL},
        {json_string("A"), NULL, NULL},
        {json_string("a"), NULL, NULL},
        {json_string("\u00e4"), NULL, NULL},
        {json_array(), json_object(), NULL},
    };
    enum { ROWS = sizeof rows / sizeof *rows };

    (void)state;
    assert_int_equal(fedn__match_compare(NULL, rows[0][0]), 0);
    for (int i = 0; i < ROWS * 3; i++)
        for (int j = 0; j < ROWS * 3; j++) {
            const json_t *a = rows[i / 3][i % 3];
            const json_t *b = rows[j / 3][j % 3];
            int wanted = (i / 3 > j / 3) - (i / 3 < j / 3);
            if (a && b && fedn__match_compare(a, b) != wanted)
                fail_msg("row %d to row %d: %d", i / 3, j / 3, (int)fedn__match_compare(a, b));
        }
    for (int i = 0; i < ROWS * 3; i++)
        json_decref(rows[i / 3][i % 3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dotted_names_reach_inner_members),
        cmocka_unit_test(values_have_one_order),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
