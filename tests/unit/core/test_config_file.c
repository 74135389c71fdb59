/* SPDX-License-Identifier: Apache-2.0
 * Configuration files: nested and dotted names, errors by line, hostile YAML. */
#include "test.h"

#include "core/config.h"
#include "core/fs.h"
#include "core/limits.h"
#include <stdlib.h>

static char *scratch;
static char *path;

static int setup(void **state)
{
    int rc = test_count_setup(state);
    scratch = test_scratch();
    path = fedn__fs_join(scratch, "fedn.yaml");
    return rc;
}

static int teardown(void **state)
{
    fedn__free(path);
    test_scratch_done(scratch);
    return test_count_teardown(state);
}

static fedn_status load_bytes(fedn_config *config, const char *text, uint64_t bytes,
                              fedn_error *err)
{
    test_write_file(path, text, bytes);
    return fedn_config_load_file(config, path, err);
}

static void nested_and_dotted_names_mean_the_same(void **state)
{
    (void)state;
    static const char *const files[] = {
        "combiner:\n  listen: \"127.0.0.1:1\"\n  max_clients: 7\n",
        "combiner.listen: 127.0.0.1:1\ncombiner.max_clients: 7\n",
        "{combiner: {listen: '127.0.0.1:1', max_clients: 7}}",
        "%YAML 1.1\n---\ncombiner: &c\n  listen: 127.0.0.1:1\n  max_clients: 7\nclient:\n",
    };

    for (uint32_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        fedn_config *config = NULL;
        fedn_error err;
        assert_ok(fedn_config_new(&config, &err), &err);
        assert_ok(load_bytes(config, files[i], strlen(files[i]), &err), &err);
        assert_string_equal(fedn_config_get(config, "combiner.listen"), "127.0.0.1:1");
        assert_int_equal(fedn__config_integer(config, "combiner.max_clients"), 7);
        fedn_config_free(config);
    }
}

static void empty_files_change_nothing(void **state)
{
    (void)state;
    static const char *const files[] = {"", "\n# only a comment\n", "---\n", "{}", "combiner:\n"};

    for (uint32_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        fedn_config *config = NULL;
        fedn_error err;
        assert_ok(fedn_config_new(&config, &err), &err);
        if (load_bytes(config, files[i], strlen(files[i]), &err) != FEDN_OK)
            fail_msg("\"%s\": %s", files[i], err.message);
        fedn_config_free(config);
    }
}

static void errors_name_file_line_and_property_and_change_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        fedn_status status;
        const char *words;
    } cases[] = {
        {"log.level: debug\ncombiner:\n  max_clients: many\n", FEDN_ERR_INVALID,
         "fedn.yaml line_3 combiner.max_clients many 1..1000000"},
        {"log.level: debug\ncombiner:\n  lisen: x\n", FEDN_ERR_INVALID,
         "line_3 combiner.lisen combiner.listen"},
        {"log.level: debug\nclient: [1, 2]\n", FEDN_ERR_FORMAT, "line_2 scalar"},
        {"log.level: debug\n? [a]\n: b\n", FEDN_ERR_FORMAT, "line_2 name"},
        {"log.level: debug\n\"client.na\\0me\": b\n", FEDN_ERR_FORMAT, "line_2 NUL"},
        {"log.level: debug\nclient.name: \"a\\0b\"\n", FEDN_ERR_FORMAT, "line_2 NUL"},
        {"log.level: debug\n'': {client.name: x}\n", FEDN_ERR_FORMAT, "line_2 empty"},
        {"log.level: debug\nnothing:\n", FEDN_ERR_INVALID, "line_2 nothing"},
        {"- a\n", FEDN_ERR_FORMAT, "line_1 map"},
        {"scalar", FEDN_ERR_FORMAT, "line_1 map"},
        {"a: b: c\n", FEDN_ERR_FORMAT, "line_1 not_YAML"},
        {"log.level: debug\n\tx: y\n", FEDN_ERR_FORMAT, "line_2 not_YAML"},
        {"a: *nowhere\n", FEDN_ERR_FORMAT, "line_1 not_YAML"},
        {"a: \"\xff\"\n", FEDN_ERR_FORMAT, "not_YAML"},
        {"a: &a {b: *a}\n", FEDN_ERR_FORMAT, "line_1"},
    };

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fedn_config *config = NULL;
        fedn_error err = {0};
        assert_ok(fedn_config_new(&config, &err), &err);
        fedn_status rc = load_bytes(config, cases[i].text, strlen(cases[i].text), &err);
        if (rc != cases[i].status)
            fail_msg("case %u: %d %s", i, (int)rc, err.message);
        test_assert_words(err.message, cases[i].words);
        assert_string_equal(fedn_config_get(config, "log.level"), "info");
        fedn_config_free(config);
    }
}

static void files_that_cannot_be_read_are_named(void **state)
{
    (void)state;
    fedn_config *config = NULL;
    fedn_error err;
    char *absent = fedn__fs_join(scratch, "absent.yaml");
    static char big[1024 * 1024 + 2];

    assert_ok(fedn_config_new(&config, &err), &err);
    assert_fails(fedn_config_load_file(config, absent, &err), FEDN_ERR_NOT_FOUND, &err,
                 "absent.yaml");
    assert_fails(fedn_config_load_file(config, scratch, &err), FEDN_ERR_IO, &err, "cannot_read");
    memset(big, '#', sizeof big);
    assert_fails(load_bytes(config, big, sizeof big, &err), FEDN_ERR_LIMIT, &err,
                 "fedn.yaml 1048576");
    fedn__free(absent);
    fedn_config_free(config);
}

/* Aliases name one map many times: each level repeats the one below it a hundred times. */
static void a_bomb_of_aliases_is_stopped_early(void **state)
{
    (void)state;
    fedn_config *config = NULL;
    fedn_error err;
    char *text = malloc(1 << 20);
    int at = sprintf(text, "client: &l0 {name: a}\n");

    for (int level = 1; level < 8; level++) {
        at += sprintf(text + at, "client.x%d: &l%d {", level, level);
        for (int i = 0; i < 100; i++)
            at += sprintf(text + at, "%sx%d: *l%d", i ? ", " : "", i, level - 1);
        at += sprintf(text + at, "}\n");
    }
    assert_ok(fedn_config_new(&config, &err), &err);
    assert_fails(load_bytes(config, text, (uint64_t)at, &err), FEDN_ERR_INVALID, &err, "line");
    /* valid names, so that nothing but the count stops it */
    at = sprintf(text, "client:\n");
    for (int i = 0; i < FEDN__LIMIT_CONFIG_NODES; i++)
        at += sprintf(text + at, "  name: n\n");
    assert_fails(load_bytes(config, text, (uint64_t)at, &err), FEDN_ERR_LIMIT, &err, "too_many");
    assert_string_equal(fedn_config_get(config, "client.name"), "");
    fedn_config_free(config);
    free(text);
}

static void deep_nesting_is_refused_in_either_style(void **state)
{
    (void)state;
    fedn_config *config = NULL;
    fedn_error err;
    enum { DEEP = 300000 };
    char *text = malloc(DEEP);

    assert_ok(fedn_config_new(&config, &err), &err);
    memset(text, '{', DEEP);
    assert_fails(load_bytes(config, text, DEEP, &err), FEDN_ERR_LIMIT, &err, "200 open_brackets");
    memset(text, '[', DEEP);
    assert_fails(load_bytes(config, text, DEEP, &err), FEDN_ERR_LIMIT, &err, "200 open_brackets");
    for (int i = 0; i + 1 < DEEP; i += 2)
        memcpy(text + i, "- ", 2);
    assert_fails(load_bytes(config, text, DEEP, &err), FEDN_ERR_FORMAT, &err, "line");
    memset(text, '[', 150);
    assert_fails(load_bytes(config, text, 150, &err), FEDN_ERR_FORMAT, &err, "not_YAML");
    int at = 0;
    for (int i = 0; i < 20; i++)
        at += sprintf(text + at, "%*sa:\n", i, "");
    assert_fails(load_bytes(config, text, (uint64_t)at, &err), FEDN_ERR_FORMAT, &err, "scalar");
    fedn_config_free(config);
    free(text);
}

/* A file that says every property's default gives the configuration that is there anyway. */
static void the_whole_table_survives_a_round_trip(void **state)
{
    (void)state;
    fedn_config *config = NULL;
    fedn_error err;
    char *text = malloc(1 << 16);
    int at = 0;

    for (const fedn__property *row = fedn__properties; row->name; row++)
        at += sprintf(text + at, "%s: \"%s\"  # %s\n", row->name, row->initial, row->doc);
    assert_ok(fedn_config_new(&config, &err), &err);
    assert_ok(load_bytes(config, text, (uint64_t)at, &err), &err);
    for (const fedn__property *row = fedn__properties; row->name; row++)
        assert_string_equal(fedn_config_get(config, row->name), row->initial);
    fedn_config_free(config);
    free(text);
}

static fedn_status load(void *arg)
{
    fedn_error err;
    fedn_config *config = NULL;
    (void)arg;

    fedn_status rc = fedn_config_new(&config, &err);
    if (rc == FEDN_OK) {
        rc = fedn_config_load_file(config, path, &err);
        if (rc != FEDN_OK)
            assert_string_equal(fedn_config_get(config, "client.name"), "");
    }
    fedn_config_free(config);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    static const char text[] = "client: {name: n, id: i}\n";
    test_write_file(path, text, strlen(text));
    test_fail_each_allocation(load, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nested_and_dotted_names_mean_the_same),
        cmocka_unit_test(empty_files_change_nothing),
        cmocka_unit_test(errors_name_file_line_and_property_and_change_nothing),
        cmocka_unit_test(files_that_cannot_be_read_are_named),
        cmocka_unit_test(a_bomb_of_aliases_is_stopped_early),
        cmocka_unit_test(deep_nesting_is_refused_in_either_style),
        cmocka_unit_test(the_whole_table_survives_a_round_trip),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
