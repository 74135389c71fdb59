/* SPDX-License-Identifier: Apache-2.0
 * Properties: names, ranges, units, the environment, copies; the table checks itself. */
#include "test.h"

#include "core/config.h"
#include <locale.h>
#include <stdlib.h>

static fedn_config *new_config(void)
{
    fedn_config *config = NULL;
    fedn_error err;

    assert_ok(fedn_config_new(&config, &err), &err);
    return config;
}

static void every_default_passes_the_check_of_its_own_row(void **state)
{
    (void)state;
    fedn_config *config = new_config();
    fedn_error err;

    for (const fedn__property *row = fedn__properties; row->name; row++) {
        assert_string_equal(fedn_config_get(config, row->name), row->initial);
        if (fedn_config_set(config, row->name, row->initial, &err) != FEDN_OK)
            fail_msg("%s", err.message);
        assert_true(row->doc && *row->doc && strlen(row->doc) < 100);
        assert_true(row->doc[strlen(row->doc) - 1] != '.');
        assert_non_null(strchr(row->name, '.'));
        for (const fedn__property *other = row + 1; other->name; other++)
            assert_string_not_equal(row->name, other->name);
    }
    fedn_config_free(config);
}

static void an_unknown_name_is_answered_with_the_nearest(void **state)
{
    (void)state;
    fedn_config *config = new_config();
    fedn_error err;
    char longest[400];

    assert_fails(fedn_config_set(config, "combiner.lisen", "x", &err), FEDN_ERR_INVALID, &err,
                 "combiner.lisen did_you_mean combiner.listen");
    assert_fails(fedn_config_set(config, "client.heartbeat", "1", &err), FEDN_ERR_INVALID, &err,
                 "client.heartbeat_ms");
    assert_fails(fedn_config_set(config, "", "1", &err), FEDN_ERR_INVALID, &err, "no_property");
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_fails(fedn_config_set(config, longest, "1", &err), FEDN_ERR_INVALID, &err,
                 "did_you_mean");
    assert_null(fedn_config_get(config, "combiner.lisen"));
    fedn_config_free(config);
}

static void values_outside_are_refused_with_property_value_and_range(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *words;
    } cases[] = {
        {"combiner.max_clients", "0", "combiner.max_clients 0 1..1000000"},
        {"combiner.max_clients", "1000001", "1..1000000"},
        {"combiner.max_clients", "1.5", "integer"},
        {"combiner.max_clients", "10k", "\"10k\""},
        {"combiner.max_clients", "", "combiner.max_clients"},
        {"combiner.max_clients", "ten", "ten"},
        {"combiner.max_clients", "1e300", "1..1000000"},
        {"combiner.max_clients", "-1e300", "1..1000000"},
        {"combiner.max_clients", " 5", "1..1000000"},
        {"combiner.max_clients", "nan", "1..1000000"},
        {"client.heartbeat_ms", "49ms", "50..60000_ms"},
        {"client.heartbeat_ms", "2 s", "2_s"},
        {"client.heartbeat_ms", "1G", "1G"},
        {"client.max_model_bytes", "1h", "1..1152921504606846976_bytes"},
        {"client.max_model_bytes", "2000000T", "bytes"},
        {"session.round_timeout", "0", "session.round_timeout number 0.05..31536000"},
        {"session.validate", "maybe", "session.validate maybe true_or_false"},
        {"session.validate", "", "session.validate"},
        {"log.level", "Info", "log.level error|warning|info|debug"},
        {"log.level", "", "log.level"},
        {"log.level", "error|warning", "log.level"},
        {"client.name", "two\nlines", "client.name 255"},
        {"client.name", "\xff", "client.name"},
    };
    fedn_config *config = new_config();
    fedn_error err;

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *before = fedn_config_get(config, cases[i].name);
        assert_fails(fedn_config_set(config, cases[i].name, cases[i].value, &err), FEDN_ERR_INVALID,
                     &err, cases[i].words);
        assert_ptr_equal(fedn_config_get(config, cases[i].name), before);
    }
    fedn_config_free(config);
}

static void suffixes_multiply_in_the_unit_of_the_row(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        int64_t number;
    } cases[] = {
        {"client.heartbeat_ms", "500", 500},
        {"client.heartbeat_ms", "500ms", 500},
        {"client.heartbeat_ms", "2s", 2000},
        {"client.heartbeat_ms", "0.5s", 500},
        {"client.heartbeat_ms", "1m", 60000},
        {"client.reconnect_max_ms", "2h", 7200000},
        {"client.max_model_bytes", "3k", 3072},
        {"client.max_model_bytes", "1.5K", 1536},
        {"client.max_model_bytes", "2M", 2097152},
        {"client.max_model_bytes", "2G", 2147483648},
        {"client.max_model_bytes", "1T", 1099511627776},
        {"client.max_model_bytes", "9007199254740993", 9007199254740992}, /* a double's precision */
        {"combiner.max_clients", "1e3", 1000},
        {"session.buffer_size", "-1", -1},
    };
    fedn_config *config = new_config();
    fedn_error err;

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(fedn_config_set(config, cases[i].name, cases[i].value, &err), &err);
        assert_true(fedn__config_integer(config, cases[i].name) == cases[i].number);
        assert_string_equal(fedn_config_get(config, cases[i].name), cases[i].value);
    }
    fedn_config_free(config);
}

static void booleans_and_numbers_are_read_as_what_they_are(void **state)
{
    (void)state;
    static const char *const yes[] = {"true", "yes", "1", "on", "True"};
    static const char *const no[] = {"false", "no", "0", "off", "False"};
    fedn_config *config = new_config();
    fedn_error err;

    for (uint32_t i = 0; i < 5; i++) {
        assert_ok(fedn_config_set(config, "session.validate", no[i], &err), &err);
        assert_int_equal(fedn__config_boolean(config, "session.validate"), 0);
        assert_ok(fedn_config_set(config, "session.validate", yes[i], &err), &err);
        assert_int_equal(fedn__config_boolean(config, "session.validate"), 1);
    }
    assert_ok(fedn_config_set(config, "session.round_timeout", "2.5", &err), &err);
    assert_true(fedn__config_number(config, "session.round_timeout") == 2.5);
    assert_string_equal(fedn__config_string(config, "session.aggregator"), "fedavg");
    fedn_config_free(config);
}

static void a_token_never_shows_in_an_error(void **state)
{
    (void)state;
    fedn_config *config = new_config();
    fedn_error err;

    assert_fails(fedn_config_set(config, "client.token", "secret-part\nrest", &err),
                 FEDN_ERR_INVALID, &err, "client.token");
    assert_null(strstr(err.message, "secret"));
    fedn_config_free(config);
}

static void wrong_arguments_are_an_error_and_no_crash(void **state)
{
    (void)state;
    fedn_config *config = new_config();
    fedn_error err;

    assert_int_equal(fedn_config_new(NULL, &err), FEDN_ERR_INVALID);
    assert_int_equal(fedn_config_set(NULL, "log.level", "info", &err), FEDN_ERR_INVALID);
    assert_int_equal(fedn_config_set(config, NULL, "info", &err), FEDN_ERR_INVALID);
    assert_int_equal(fedn_config_set(config, "log.level", NULL, NULL), FEDN_ERR_INVALID);
    assert_int_equal(fedn_config_load_env(NULL, &err), FEDN_ERR_INVALID);
    assert_int_equal(fedn_config_load_file(NULL, "x", &err), FEDN_ERR_INVALID);
    assert_int_equal(fedn_config_load_file(config, NULL, &err), FEDN_ERR_INVALID);
    assert_null(fedn_config_get(NULL, "log.level"));
    assert_null(fedn_config_get(config, NULL));
    fedn_config_each(NULL, "", NULL, NULL);
    fedn_config_free(NULL);
    fedn_config_free(config);
}

typedef struct listed {
    uint32_t all;
    uint32_t other; /* not of the prefix */
    uint32_t changed;
    const char *prefix;
} listed;

static void list_one(const char *name, const char *type, const char *range, const char *initial,
                     const char *value, const char *doc, void *user_data)
{
    listed *l = user_data;

    assert_true(*type && *doc && range);
    l->all++;
    l->other += strncmp(name, l->prefix, strlen(l->prefix)) != 0;
    l->changed += strcmp(initial, value) != 0;
}

static void properties_are_listed_by_prefix_with_default_and_value(void **state)
{
    (void)state;
    fedn_config *config = new_config();
    fedn_error err;
    listed all = {.prefix = ""};
    listed combiner = {.prefix = "combiner."};
    listed none = {.prefix = "nothing."};

    assert_ok(fedn_config_set(config, "combiner.name", "c2", &err), &err);
    fedn_config_each(config, "", list_one, &all);
    fedn_config_each(config, "combiner.", list_one, &combiner);
    fedn_config_each(config, "nothing.", list_one, &none);
    assert_true(all.all > combiner.all && combiner.all > 5);
    assert_int_equal(all.changed, 1);
    assert_int_equal(combiner.changed, 1);
    assert_int_equal(combiner.other, 0);
    assert_int_equal(none.all, 0);
    fedn_config_free(config);
}

static void the_environment_sets_what_it_names_and_all_or_nothing(void **state)
{
    (void)state;
    fedn_config *config = new_config();
    fedn_error err;

    setenv("FEDN_COMBINER_LISTEN", "127.0.0.1:1", 1);
    setenv("FEDN_CLIENT_API_URL", "http://a", 1);
    setenv("FEDN_SOMETHING_ELSE", "left alone", 1);
    setenv("FEDN_COMBINER", "left alone", 1);
    setlocale(LC_ALL, "tr_TR.UTF-8");
    assert_ok(fedn_config_load_env(config, &err), &err);
    setlocale(LC_ALL, "C");
    assert_string_equal(fedn_config_get(config, "combiner.listen"), "127.0.0.1:1");
    assert_string_equal(fedn_config_get(config, "client.api_url"), "http://a");
    setenv("FEDN_COMBINER_LISTEN", "127.0.0.1:2", 1);
    setenv("FEDN_COMBINER_MAX_CLIENTS", "many", 1);
    assert_fails(fedn_config_load_env(config, &err), FEDN_ERR_INVALID, &err,
                 "FEDN_COMBINER_MAX_CLIENTS combiner.max_clients many 1..1000000");
    assert_string_equal(fedn_config_get(config, "combiner.listen"), "127.0.0.1:1");
    unsetenv("FEDN_COMBINER_LISTEN");
    unsetenv("FEDN_CLIENT_API_URL");
    unsetenv("FEDN_SOMETHING_ELSE");
    unsetenv("FEDN_COMBINER");
    unsetenv("FEDN_COMBINER_MAX_CLIENTS");
    fedn_config_free(config);
}

static fedn_status set_and_copy(void *arg)
{
    fedn_error err;
    fedn_config *config = NULL;
    fedn_config *copy = NULL;
    (void)arg;

    fedn_status rc = fedn_config_new(&config, &err);
    if (rc == FEDN_OK)
        rc = fedn_config_set(config, "combiner.name", "one", &err);
    if (rc == FEDN_OK && (rc = fedn_config_set(config, "combiner.name", "two", &err)) != FEDN_OK)
        assert_string_equal(fedn_config_get(config, "combiner.name"), "one");
    if (rc == FEDN_OK)
        rc = fedn__config_copy(config, &copy, &err);
    if (rc == FEDN_OK)
        assert_string_equal(fedn_config_get(copy, "combiner.name"), "two");
    else
        assert_null(copy);
    if (rc == FEDN_OK)
        rc = fedn_config_load_env(copy, &err);
    fedn_config_free(config);
    fedn_config_free(copy);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    setenv("FEDN_COMBINER_HOST", "host", 1);
    test_fail_each_allocation(set_and_copy, NULL);
    unsetenv("FEDN_COMBINER_HOST");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_passes_the_check_of_its_own_row),
        cmocka_unit_test(an_unknown_name_is_answered_with_the_nearest),
        cmocka_unit_test(values_outside_are_refused_with_property_value_and_range),
        cmocka_unit_test(suffixes_multiply_in_the_unit_of_the_row),
        cmocka_unit_test(booleans_and_numbers_are_read_as_what_they_are),
        cmocka_unit_test(a_token_never_shows_in_an_error),
        cmocka_unit_test(wrong_arguments_are_an_error_and_no_crash),
        cmocka_unit_test(properties_are_listed_by_prefix_with_default_and_value),
        cmocka_unit_test(the_environment_sets_what_it_names_and_all_or_nothing),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
