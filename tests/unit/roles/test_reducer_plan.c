/* SPDX-License-Identifier: Apache-2.0
 * Session settings: what is taken, what is refused, and how clients get them. */
#include "roles/reducer/plan.h"

#include "core/limits.h"
#include "test.h"
#include <stdlib.h>
#include <string.h>

static json_t *check(const char *text)
{
    json_t *given = text ? json_loads(text, 0, NULL) : NULL;
    json_t *config = NULL;
    fedn_error err;

    assert_true(!text || given);
    assert_ok(fedn__plan_check(given, &config, &err), &err);
    json_decref(given);
    return config;
}

static void silence_means_the_defaults_of_the_property_table(void **state)
{
    json_t *config = check(NULL);
    json_t *expected = json_loads(
        "{\"aggregator\": \"fedavg\", \"aggregator_kwargs\": null, \"round_timeout\": 180, "
        "\"buffer_size\": -1, \"rounds\": null, \"delete_models_storage\": true, "
        "\"clients_required\": 1, \"requested_clients\": 8, \"mode\": \"sync\", "
        "\"max_staleness\": 10, \"staleness_exponent\": 0.5, \"ask\": 0, "
        "\"straggler_quantile\": 0, \"straggler_factor\": 1.5, \"validate\": true, "
        "\"helper_type\": \"numpyhelper\", \"model_id\": null, \"server_functions\": null}",
        0, NULL);

    (void)state;
    assert_true(json_equal(config, expected));
    json_decref(expected);
    json_decref(config);
}

static void values_may_be_texts_numbers_or_null(void **state)
{
    json_t *config = check("{\"round_timeout\": 0.5, \"rounds\": \"3\", \"validate\": \"no\", "
                           "\"buffer_size\": null, \"server_functions\": \"\"}");

    (void)state;
    assert_true(json_real_value(json_object_get(config, "round_timeout")) == 0.5);
    assert_int_equal(json_integer_value(json_object_get(config, "rounds")), 3);
    assert_true(json_is_false(json_object_get(config, "validate")));
    assert_int_equal(json_integer_value(json_object_get(config, "buffer_size")), -1);
    json_decref(config);
}

static void parameters_may_be_written_as_python_does(void **state)
{
    json_t *config = check("{\"aggregator\": \"fedopt\", \"aggregator_kwargs\": "
                           "\"{'serveropt': 'yogi', 'learning_rate': 1}\"}");
    const json_t *kwargs = json_object_get(config, "aggregator_kwargs");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(kwargs, "serveropt")), "yogi");
    assert_int_equal(json_integer_value(json_object_get(kwargs, "learning_rate")), 1);
    json_decref(config);
    config = check("{\"aggregator_kwargs\": \"None\"}");
    assert_int_equal(json_object_size(json_object_get(config, "aggregator_kwargs")), 0);
    json_decref(config);
}

static void server_functions_are_a_text_of_a_bounded_length(void **state)
{
    json_t *config = check("{\"server_functions\": \"class ServerFunctions:\\n    pass\"}");
    char *source = calloc(1, FEDN__LIMIT_SOURCE_BYTES + 2);
    fedn_error err;

    (void)state;
    assert_string_equal(json_string_value(json_object_get(config, "server_functions")),
                        "class ServerFunctions:\n    pass");
    assert_non_null(source);
    memset(source, '#', FEDN__LIMIT_SOURCE_BYTES + 1);
    json_t *text = json_string(source);
    assert_fails(fedn__plan_set(config, "server_functions", text, &err), FEDN_ERR_INVALID, &err,
                 "server_functions 49153 49152");
    json_decref(text);
    free(source);
    json_decref(config);
}

static void what_does_not_fit_is_refused_by_name(void **state)
{
    static const struct {
        const char *given;
        fedn_status status;
        const char *words;
    } cases[] = {
        {"{\"rouds\": 1}", FEDN_ERR_INVALID, "rouds \"rounds\""},
        {"{\"helper_type\": \"picklehelper\"}", FEDN_ERR_UNSUPPORTED, "picklehelper"},
        {"{\"helper_type\": \"splitlearninghelper\"}", FEDN_ERR_UNSUPPORTED,
         "split learning is not supported"},
        {"{\"rouds\": null}", FEDN_ERR_INVALID, "rouds"},
        {"{\"rounds\": 0}", FEDN_ERR_INVALID, "rounds 0 1..1000000"},
        {"{\"rounds\": 2.5}", FEDN_ERR_INVALID, "rounds 2.5"},
        {"{\"rounds\": [1]}", FEDN_ERR_INVALID, "rounds"},
        {"{\"clients_required\": -1}", FEDN_ERR_INVALID, "clients_required"},
        {"{\"aggregator\": \"median\"}", FEDN_ERR_NOT_FOUND, "median fedavg"},
        {"{\"aggregator_kwargs\": \"[1]\"}", FEDN_ERR_INVALID, "aggregator_kwargs"},
        {"{\"aggregator_kwargs\": {\"tau\": 1}}", FEDN_ERR_INVALID, "fedavg tau"},
        {"{\"aggregator_kwargs\": \"{'serveropt': 'sgd'}\", \"aggregator\": \"fedopt\"}",
         FEDN_ERR_INVALID, "fedopt sgd adam"},
        {"{\"server_functions\": 1}", FEDN_ERR_INVALID, "server_functions"},
        {"{\"model_id\": \"a\\nb\"}", FEDN_ERR_INVALID, "model_id"},
    };

    (void)state;
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *given = json_loads(cases[i].given, 0, NULL);
        json_t *config = NULL;
        fedn_error err;
        assert_fails(fedn__plan_check(given, &config, &err), cases[i].status, &err, cases[i].words);
        assert_null(config);
        json_decref(given);
    }
}

static void ids_of_clients_are_split_at_commas(void **state)
{
    json_t *ids = NULL;
    fedn_error err;

    (void)state;
    assert_ok(fedn__plan_client_ids(" a, b b ,,c", &ids, &err), &err);
    assert_int_equal(json_array_size(ids), 3);
    assert_string_equal(json_string_value(json_array_get(ids, 1)), "b b");
    json_decref(ids);
    assert_ok(fedn__plan_client_ids(" , ", &ids, &err), &err);
    assert_null(ids);
    assert_fails(fedn__plan_client_ids("a,b\tc", &ids, &err), FEDN_ERR_INVALID, &err, "client_ids");
    char *list = malloc(1000);
    memset(list, 'x', 999);
    list[999] = 0;
    assert_fails(fedn__plan_client_ids(list, &ids, &err), FEDN_ERR_INVALID, &err, "client_ids");
    free(list);
}

static void clients_get_every_value_as_python_writes_it(void **state)
{
    static const struct {
        const char *key, *text;
    } expected[] = {
        {"validate", "True"},
        {"server_functions", "None"},
        {"round_timeout", "0.1"},
        {"buffer_size", "-1"},
        {"rounds", "1"},
        {"aggregator", "fedavg"},
        {"round_id", "7"},
        {"session_id", "s"},
        {"model_id", "m"},
        {"task", "training"},
        {"aggregator_kwargs", "{'a': 1.0, 'b': [True, None, 'it\\'s']}"},
        {"selected_clients", "['x', 'y\\\\z']"},
    };
    json_t *config = check("{\"round_timeout\": 0.1}");
    json_object_set_new(config, "aggregator_kwargs",
                        json_loads("{\"a\": 1.0, \"b\": [true, null, \"it's\"]}", 0, NULL));
    json_t *ids = json_pack("[s, s]", "x", "y\\z");
    json_t *round = fedn__plan_round(config, "s", "7", "m", ids);
    json_t *task = fedn__plan_task(round);

    (void)state;
    for (uint32_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_string_equal(json_string_value(json_object_get(task, expected[i].key)),
                            expected[i].text);
    char *kwargs = fedn__plan_kwargs(config);
    assert_string_equal(kwargs, "{\"a\":1.0,\"b\":[true,null,\"it's\"]}");
    fedn__free(kwargs);
    json_decref(task);
    json_decref(round);
    json_decref(ids);
    json_decref(config);
}

static fedn_status whole_way(void *arg)
{
    json_t *config = NULL;
    json_t *round = NULL;
    json_t *task = NULL;
    fedn_error err;
    fedn_status rc = fedn__plan_check(arg, &config, &err);

    if (rc == FEDN_OK) {
        round = fedn__plan_round(config, "s", "1", "m", NULL);
        task = fedn__plan_task(round);
        rc = task ? FEDN_OK : FEDN_ERR_NOMEM;
    }
    json_decref(task);
    json_decref(round);
    json_decref(config);
    return rc;
}

static void running_out_of_memory_is_survived(void **state)
{
    json_t *given = json_loads("{\"rounds\": 3, \"aggregator_kwargs\": {}}", 0, NULL);

    (void)state;
    test_fail_each_allocation(whole_way, given);
    json_decref(given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_means_the_defaults_of_the_property_table),
        cmocka_unit_test(values_may_be_texts_numbers_or_null),
        cmocka_unit_test(parameters_may_be_written_as_python_does),
        cmocka_unit_test(server_functions_are_a_text_of_a_bounded_length),
        cmocka_unit_test(what_does_not_fit_is_refused_by_name),
        cmocka_unit_test(ids_of_clients_are_split_at_commas),
        cmocka_unit_test(clients_get_every_value_as_python_writes_it),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
