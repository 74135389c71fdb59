/* SPDX-License-Identifier: Apache-2.0
 * The table of record kinds. */
#include "store/records.h"
#include "test.h"

static void every_kind_has_a_name_a_key_and_fields(void **state)
{
    (void)state;
    for (int32_t kind = 0; kind < FEDN__KIND_COUNT; kind++) {
        const fedn__kind *row = fedn__kind_get(kind);
        int committed = 0;
        assert_non_null(row);
        assert_int_equal(fedn__kind_find(row->entity), kind);
        assert_string_equal(row->fields[0].name, row->key);
        for (const fedn__kind_field *field = row->fields; field->name; field++)
            committed += field->type == FEDN__FIELD_DATE && strstr(field->name, "ted_at") != NULL &&
                         strcmp(field->name, "completed_at") != 0;
        assert_int_equal(committed, 2);
    }
}

static void fields_are_found_by_their_dotted_names(void **state)
{
    static const struct {
        int32_t kind;
        const char *name;
        int32_t type; /* -1: no such field */
    } cases[] = {
        {FEDN__KIND_ROUND, "round_id", FEDN__FIELD_TEXT},
        {FEDN__KIND_ROUND, "round_config.rounds", FEDN__FIELD_INTEGER},
        {FEDN__KIND_ROUND, "round_config.session_id", FEDN__FIELD_TEXT},
        {FEDN__KIND_ROUND, "round_data.reduce.time_load_model", FEDN__FIELD_NUMBER},
        {FEDN__KIND_ROUND, "round_config", FEDN__FIELD_OBJECT},
        {FEDN__KIND_ROUND, "round_config.", -1},
        {FEDN__KIND_ROUND, "combiners.name", -1},
        {FEDN__KIND_SESSION, "session_config.validate", FEDN__FIELD_SWITCH},
        {FEDN__KIND_METRIC, "value", FEDN__FIELD_NUMBER},
        {FEDN__KIND_ATTRIBUTE, "value", FEDN__FIELD_TEXT},
        {FEDN__KIND_ATTRIBUTE, "sender.role", FEDN__FIELD_TEXT},
        {FEDN__KIND_CLIENT, "last_seen", FEDN__FIELD_DATE},
        {FEDN__KIND_CLIENT, "last", -1},
        {FEDN__KIND_CLIENT, "", -1},
    };

    (void)state;
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const fedn__kind_field *field =
            fedn__kind_field_find(fedn__kind_get(cases[i].kind)->fields, cases[i].name);
        assert_int_equal(field ? field->type : -1, cases[i].type);
    }
}

static void others_are_none(void **state)
{
    (void)state;
    assert_null(fedn__kind_get(-1));
    assert_null(fedn__kind_get(FEDN__KIND_COUNT));
    assert_int_equal(fedn__kind_find("client"), -1);
    assert_int_equal(fedn__kind_find(""), -1);
    assert_int_equal(fedn__kind_find("statuses"), FEDN__KIND_STATUS);
}

static void urls_name_a_backend_or_are_refused(void **state)
{
    static const char *const urls[] = {"", "mem", "mongo:x", "sqlit", "memory:", ":"};
    fedn__store *store = (fedn__store *)state;
    fedn_error err;

    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        assert_fails(fedn__store_open(urls[i], &store, &err), FEDN_ERR_INVALID, &err,
                     "sqlite:<file> mem:");
        assert_null(store);
    }
    assert_fails(fedn__store_open("mem:x", &store, &err), FEDN_ERR_INVALID, &err, "mem:x");
    assert_fails(fedn__store_open("sqlite:", &store, &err), FEDN_ERR_INVALID, &err, "no_file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_name_a_key_and_fields),
        cmocka_unit_test(fields_are_found_by_their_dotted_names),
        cmocka_unit_test(others_are_none),
        cmocka_unit_test(urls_name_a_backend_or_are_refused),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
