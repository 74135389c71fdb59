/* SPDX-License-Identifier: Apache-2.0
 * What an application says beside its results, and a client of its machine: it arrives, also after
 * a connection was lost. */
#include "client_rig.h"

#include <stdlib.h>

static const json_t *first(const json_t *message, const char *list)
{
    return json_array_get(json_object_get(message, list), 0);
}

static void what_is_said_before_the_start_arrives_after_it(void **state)
{
    fedn_error err;
    rig r;

    (void)state;
    rig_init(&r);
    rig_client(&r);
    assert_ok(fedn_client_log_metric(r.client, "battery", 0.0, &err), &err);
    assert_ok(fedn_client_log_attribute(r.client, "site", "", &err), &err);
    assert_ok(fedn_client_log_telemetry(r.client, "heat", 21.5, &err), &err);
    assert_fails(fedn_client_log_metric(NULL, "battery", 0, &err), FEDN_ERR_INVALID, &err,
                 "client");
    assert_fails(fedn_client_log_attribute(r.client, "", "x", &err), FEDN_ERR_INVALID, &err, "255");
    assert_ok(fedn_client_start(r.client, &err), &err);
    const json_t *metric = fake_combiner_wait(r.combiner, "SendModelMetric", 0);
    assert_string_equal(rig_text(metric, "sender.client_id"), "client-7");
    assert_string_equal(rig_text(metric, "round_id"), "");
    assert_string_equal(rig_text(first(metric, "metrics"), "key"), "battery");
    const json_t *attribute = fake_combiner_wait(r.combiner, "SendAttributeMessage", 0);
    assert_string_equal(rig_text(attribute, "sender.name"), "seven");
    assert_string_equal(rig_text(first(attribute, "attributes"), "key"), "site");
    assert_string_equal(rig_text(first(attribute, "attributes"), "value"), "");
    const json_t *telemetry = fake_combiner_wait(r.combiner, "SendTelemetryMessage", 0);
    assert_true(json_real_value(json_object_get(first(telemetry, "telemetries"), "value")) == 21.5);
    assert_true(rig_number(telemetry, "timestamp.seconds") > 1700000000);
    rig_done(&r);
}

static fedn_status log_losses(fedn_task *task, fedn_error *err, void *user_data)
{
    (void)user_data;
    for (uint32_t epoch = 0; epoch < 3; epoch++)
        assert_ok(fedn_task_log_metric(task, "loss", 1.0 / (epoch + 1), epoch, err), err);
    assert_fails(fedn_task_log_metric(task, NULL, 1, 0, err), FEDN_ERR_INVALID, err, "255");
    assert_fails(fedn_task_log_metric(NULL, "loss", 1, 0, err), FEDN_ERR_INVALID, err, "task");
    return fedn_error_set(err, FEDN_ERR_CALLBACK, "that was all");
}

static void metrics_of_a_task_have_its_model_session_round_and_step(void **state)
{
    fedn_error err;
    uint32_t steps = 0;
    rig r;

    (void)state;
    rig_init(&r);
    rig_client(&r);
    rig_put_model(&r, MODEL_A, 1);
    assert_int_equal(fedn_client_set_train(r.client, log_losses, NULL), FEDN_OK);
    assert_ok(fedn_client_start(r.client, &err), &err);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    for (uint32_t i = 0; i < 3; i++) {
        const json_t *metric = fake_combiner_wait(r.combiner, "SendModelMetric", i);
        assert_string_equal(rig_text(metric, "round_id"), "1");
        assert_string_equal(rig_text(metric, "model_id"), MODEL_A);
        steps += 1u << rig_number(metric, "step.value"); /* calls at a time have no order */
    }
    assert_int_equal(steps, 7);
    rig_done(&r);
}

static void what_was_not_taken_is_said_again(void **state)
{
    fedn_error err;
    rig r;

    (void)state;
    rig_init(&r);
    rig_set(&r, "client.heartbeat_ms", "50");
    rig_start(&r);
    fake_combiner_wait(r.combiner, "SendHeartbeat", 0);
    fake_combiner_answer(r.combiner, "SendAttributeMessage", 14, "try again");
    assert_ok(fedn_client_log_attribute(r.client, "site", "north", &err), &err);
    fake_combiner_wait(r.combiner, "SendAttributeMessage", 0);
    fake_combiner_kill(r.combiner);
    assert_ok(fedn_client_log_attribute(r.client, "floor", "2", &err), &err);
    fake_combiner_answer(r.combiner, "SendAttributeMessage", 0, "");
    uint32_t before = fake_combiner_count(r.combiner, "SendAttributeMessage");
    fake_combiner_revive(r.combiner);
    const json_t *again = fake_combiner_wait(r.combiner, "SendAttributeMessage", before);
    const json_t *floor = fake_combiner_wait(r.combiner, "SendAttributeMessage", before + 1);
    assert_string_not_equal(rig_text(first(again, "attributes"), "key"),
                            rig_text(first(floor, "attributes"), "key"));
    rig_done(&r);
}

static void what_is_refused_for_good_is_dropped_with_a_line(void **state)
{
    fedn_error err;
    rig r;

    (void)state;
    rig_init(&r);
    rig_start(&r);
    fake_combiner_answer(r.combiner, "SendAttributeMessage", 2, "no such field");
    assert_ok(fedn_client_log_attribute(r.client, "site", "north", &err), &err);
    rig_wait_log(&r, "site UNKNOWN no_such_field");
    rig_done(&r);
}

static void too_much_that_waits_is_a_limit(void **state)
{
    fedn_error err;
    rig r;

    (void)state;
    rig_init(&r);
    rig_client(&r);
    for (int32_t i = 0; i < 4096; i++)
        assert_ok(fedn_client_log_metric(r.client, "n", i, &err), &err);
    assert_fails(fedn_client_log_metric(r.client, "n", 0, &err), FEDN_ERR_LIMIT, &err, "4096");
    assert_ok(fedn_client_start(r.client, &err), &err);
    fake_combiner_wait(r.combiner, "SendModelMetric", 0);
    rig_done(&r);
}

static void a_machine_says_how_busy_it_is(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_set(&r, "client.telemetry_ms", "50");
    rig_start(&r);
    const json_t *said = fake_combiner_wait(r.combiner, "SendTelemetryMessage", 0);
    assert_non_null(strstr(rig_text(first(said, "telemetries"), "key"), "_usage"));
    rig_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_before_the_start_arrives_after_it),
        cmocka_unit_test(metrics_of_a_task_have_its_model_session_round_and_step),
        cmocka_unit_test(what_was_not_taken_is_said_again),
        cmocka_unit_test(what_is_refused_for_good_is_dropped_with_a_line),
        cmocka_unit_test(too_much_that_waits_is_a_limit),
        cmocka_unit_test(a_machine_says_how_busy_it_is),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
