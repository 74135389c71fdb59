/* SPDX-License-Identifier: Apache-2.0
 * What a client makes of a TaskRequest, whatever its fields hold. */
#include "test.h"

#include "roles/client/order.h"

#define MODEL "AAAAAAAA-0000-4000-8000-00000000000F"

static Fedn__Client sender = FEDN__CLIENT__INIT;

static Fedn__TaskRequest request_of(int32_t type, const char *data)
{
    Fedn__TaskRequest request = FEDN__TASK_REQUEST__INIT;

    sender.role = FEDN__ROLE__COMBINER;
    sender.name = (char *)(uintptr_t) "combiner";
    request.sender = &sender;
    request.type = (Fedn__StatusType)type;
    request.correlation_id = (char *)(uintptr_t) "c1";
    request.session_id = (char *)(uintptr_t) "s1";
    request.model_id = (char *)(uintptr_t)MODEL;
    request.data = (char *)(uintptr_t)data;
    return request;
}

static fedn__order *parsed(const Fedn__TaskRequest *request)
{
    fedn__order *order = NULL;
    fedn_error err;

    assert_ok(fedn__order_parse(request, "before", 100, &order, &err), &err);
    return order;
}

static void good_training_task_is_taken_apart(void **state)
{
    const Fedn__TaskRequest request =
        request_of(2, "{\"round_id\":\"7\",\"helper_type\":\"binaryhelper\"}");

    (void)state;
    fedn__order *order = parsed(&request);
    assert_null(order->fault);
    assert_int_equal(order->type, FEDN_TASK_TRAIN);
    assert_string_equal(order->round_id, "7");
    assert_string_equal(order->format, "binaryhelper");
    assert_string_equal(order->model_id, "aaaaaaaa-0000-4000-8000-00000000000f");
    assert_string_equal(order->combiner, "combiner");
    fedn__order_free(order);
}

static void round_id_may_be_a_number_and_a_helper_may_be_missing(void **state)
{
    const Fedn__TaskRequest request =
        request_of(2, "{\"round_id\":12,\"helper_type\":\"None\",\"client_settings\":{\"a\":1}}");

    (void)state;
    fedn__order *order = parsed(&request);
    assert_null(order->fault);
    assert_string_equal(order->round_id, "12");
    assert_string_equal(order->format, "before");
    fedn__order_free(order);
}

static void validation_needs_no_data(void **state)
{
    const Fedn__TaskRequest request = request_of(4, "");

    (void)state;
    fedn__order *order = parsed(&request);
    assert_null(order->fault);
    assert_int_equal(order->type, FEDN_TASK_VALIDATE);
    assert_string_equal(order->config, "{}");
    assert_string_equal(order->round_id, "");
    fedn__order_free(order);
}

static void faults_are_named(void **state)
{
    static char long_id[80];
    static const struct {
        int32_t type;
        const char *data;
        const char *correlation_id;
        const char *model_id;
        const char *words;
    } cases[] = {
        {2, "[]", "c", MODEL, "data object"},
        {2, "{\"round_id\":null}", "c", MODEL, "round_id"},
        {2, "{\"round_id\":\"a\\nb\"}", "c", MODEL, "round_id one_line"},
        {2, "{\"round_id\":\"1\",\"helper_type\":\"../x\"}", "c", MODEL, "helper_type"},
        {4, "", long_id, MODEL, "correlation_id 63"},
        {4, "", "c", "/etc/passwd", "model_id UUID"},
        {9, "", "c", MODEL, "type_9"},
        {0, "", "c", MODEL, "type_0"},
    };

    (void)state;
    memset(long_id, 'x', sizeof long_id - 1);
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Fedn__TaskRequest request = request_of(cases[i].type, cases[i].data);
        request.correlation_id = (char *)(uintptr_t)cases[i].correlation_id;
        request.model_id = (char *)(uintptr_t)cases[i].model_id;
        fedn__order *order = parsed(&request);
        assert_non_null(order->fault);
        test_assert_words(order->fault, cases[i].words);
        fedn__order_free(order);
    }
}

static void a_model_comes_with_the_task_up_to_the_bound(void **state)
{
    static const struct {
        size_t bytes;
        size_t kept;
    } cases[] = {{0, 0}, {1, 1}, {100, 100}, {101, 0}};
    uint8_t data[101];

    (void)state;
    memset(data, 7, sizeof data);
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Fedn__TaskRequest request = request_of(4, "");
        request.model.data = data;
        request.model.len = cases[i].bytes;
        fedn__order *order = parsed(&request);
        assert_null(order->fault);
        assert_int_equal(order->model_bytes, cases[i].kept);
        assert_int_equal(order->model != NULL, cases[i].kept > 0);
        if (cases[i].kept)
            assert_memory_equal(order->model, data, cases[i].kept);
        fedn__order_free(order);
    }
}

static void an_update_may_travel_as_far_as_both_sides_agree(void **state)
{
    static const struct {
        uint32_t said;
        uint64_t meant;
    } cases[] = {{0, 0}, {5000, 5000}, {UINT32_MAX, FEDN__LIMIT_INLINE_MODEL}};

    (void)state;
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Fedn__TaskRequest request = request_of(4, "");
        request.inline_bytes = cases[i].said;
        fedn__order *order = parsed(&request);
        assert_int_equal(order->inline_bytes, cases[i].meant);
        fedn__order_free(order);
    }
}

static void task_of_another_role_is_left(void **state)
{
    Fedn__TaskRequest request = request_of(4, "");
    fedn__order *order = NULL;
    fedn_error err;

    (void)state;
    sender.role = FEDN__ROLE__CLIENT;
    assert_fails(fedn__order_parse(&request, "", 100, &order, &err), FEDN_ERR_UNSUPPORTED, &err,
                 "combiner");
    request.sender = NULL;
    assert_fails(fedn__order_parse(&request, "", 100, &order, &err), FEDN_ERR_UNSUPPORTED, &err,
                 "combiner");
}

static fedn_status parse(void *arg)
{
    fedn__order *order = NULL;
    fedn_error err;

    fedn_status rc = fedn__order_parse(arg, "npz", 100, &order, &err);
    fedn__order_free(order);
    return rc;
}

static void parsing_survives_failing_allocations(void **state)
{
    Fedn__TaskRequest good = request_of(2, "{\"round_id\":\"7\",\"helper_type\":\"npz\"}");
    Fedn__TaskRequest bad = request_of(2, "{");
    uint8_t model[4] = {1, 2, 3, 4};

    (void)state;
    good.model.data = model;
    good.model.len = sizeof model;
    test_fail_each_allocation(parse, &good);
    test_fail_each_allocation(parse, &bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_training_task_is_taken_apart),
        cmocka_unit_test(round_id_may_be_a_number_and_a_helper_may_be_missing),
        cmocka_unit_test(validation_needs_no_data),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(a_model_comes_with_the_task_up_to_the_bound),
        cmocka_unit_test(an_update_may_travel_as_far_as_both_sides_agree),
        cmocka_unit_test(task_of_another_role_is_left),
        cmocka_unit_test(parsing_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
