/* SPDX-License-Identifier: Apache-2.0
 * A client and its network: assignment, refusals, loss. */
#include "client_rig.h"

#include <stdlib.h>

static void assignment_carries_identity_and_token(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_set(&r, "client.token", "s3cret");
    rig_set(&r, "client.preferred_combiner", "near");
    fake_reducer_assign(r.reducer, r.combiner, "renamed-by-reducer");
    rig_start(&r);
    const json_t *request = fake_reducer_wait(r.reducer, 0);
    assert_string_equal(rig_text(request, "client_id"), "client-7");
    assert_string_equal(rig_text(request, "name"), "seven");
    assert_string_equal(rig_text(request, "preferred_combiner"), "near");
    assert_string_equal(rig_text(request, "package"), "local");
    assert_string_equal(rig_text(request, "authorization"), "Bearer s3cret");
    const json_t *stream = fake_combiner_wait(r.combiner, "TaskStream", 0);
    assert_string_equal(rig_text(stream, "client"), "renamed-by-reducer");
    assert_string_equal(rig_text(stream, "sender.client_id"), "renamed-by-reducer");
    assert_string_equal(rig_text(stream, "sender.name"), "seven");
    assert_string_equal(rig_text(stream, "grpc-server"), "127.0.0.1");
    assert_string_equal(rig_text(stream, "authorization"), "Bearer s3cret");
    rig_done(&r);
}

static void named_combiner_is_dialled_without_a_reducer(void **state)
{
    char address[64];
    rig r;

    (void)state;
    rig_init(&r);
    snprintf(address, sizeof address, "127.0.0.1:%d", (int)fake_combiner_port(r.combiner));
    rig_set(&r, "client.combiner", address);
    rig_set(&r, "client.api_url", "http://127.0.0.1:1");
    rig_put_model(&r, MODEL_A, 3);
    rig_start(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    (void)fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
    rig_done(&r);
}

static void reducer_that_says_203_is_asked_again(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    fake_reducer_answer(r.reducer, 203, "{\"status\":\"retry\",\"message\":\"no package\"}");
    rig_start(&r);
    (void)fake_reducer_wait(r.reducer, 0);
    rig_wait_log(&r, "203 no package");
    fake_reducer_assign(r.reducer, r.combiner, "client-7");
    (void)fake_combiner_wait(r.combiner, "TaskStream", 0);
    rig_done(&r);
}

static void reducer_in_trouble_is_asked_again_and_warned_about_once(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    fake_reducer_answer(r.reducer, 400, "{\"message\":\"No combiner available.\"}");
    rig_start(&r);
    (void)fake_reducer_wait(r.reducer, 3);
    assert_int_equal(rig_log_count(&r, "400 combiner available"), 1);
    fake_reducer_assign(r.reducer, r.combiner, "client-7");
    (void)fake_combiner_wait(r.combiner, "TaskStream", 0);
    rig_done(&r);
}

static void refusal_ends_run_with_address_status_and_text(void **state)
{
    static const struct {
        int32_t http;
        fedn_status status;
    } cases[] = {{400, FEDN_ERR_INVALID},
                 {401, FEDN_ERR_AUTH},
                 {403, FEDN_ERR_DENIED},
                 {404, FEDN_ERR_INVALID}};
    fedn_error err;

    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        char words[128];
        rig r;
        rig_init(&r);
        fake_reducer_answer(r.reducer, cases[i].http, "{\"message\":\"go away\"}");
        rig_client(&r);
        snprintf(words, sizeof words, "%s %d go_away", fake_reducer_url(r.reducer),
                 (int)cases[i].http);
        assert_fails(fedn_client_run(r.client, &err), cases[i].status, &err, words);
        rig_done(&r);
    }
}

static void combiner_that_refuses_the_token_ends_run(void **state)
{
    fedn_error err;
    rig r;

    (void)state;
    rig_init(&r);
    rig_start(&r);
    fake_combiner_end_stream(r.combiner, 16, "token expired");
    rig_wait_log(&r, "UNAUTHENTICATED token expired");
    assert_fails(fedn_client_run(r.client, &err), FEDN_ERR_STATE, &err, "started");
    rig_done(&r);
}

static void stream_that_ends_well_is_opened_again(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_start(&r);
    fake_combiner_end_stream(r.combiner, 0, "");
    (void)fake_combiner_wait(r.combiner, "TaskStream", 1);
    rig_done(&r);
}

static void combiner_restart_during_training_costs_nothing(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    r.wait_for_go = 1;
    rig_start(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    (void)fedn__flag_wait(&r.entered, INT64_MAX);
    fake_combiner_kill(r.combiner);
    rig_wait_log(&r, "combiner trying_again");
    fake_combiner_revive(r.combiner);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1); /* handed out again */
    fedn__flag_set(&r.go);
    const json_t *update = fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
    assert_string_equal(rig_text(update, "correlation_id"), "c1");
    fake_combiner_task(r.combiner, VALIDATE, "c2", MODEL_A, NULL);
    (void)fake_combiner_wait(r.combiner, "SendModelValidation", 0);
    assert_int_equal(rig_seen(&r, &r.trainings), 1);
    assert_int_equal(fake_combiner_count(r.combiner, "SendModelUpdate"), 1);
    rig_done(&r);
}

static void unanswered_update_is_announced_again_under_its_name(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    fake_combiner_hold(r.combiner, "SendModelUpdate", 1);
    rig_start(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    const json_t *first = fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
    fake_combiner_kill(r.combiner);
    fake_combiner_hold(r.combiner, "SendModelUpdate", 0);
    fake_combiner_revive(r.combiner);
    const json_t *second = fake_combiner_wait(r.combiner, "SendModelUpdate", 1);
    assert_string_equal(rig_text(first, "model_update_id"), rig_text(second, "model_update_id"));
    assert_int_equal(fake_combiner_count(r.combiner, "SendModelMetric"), 1);
    assert_int_equal(rig_seen(&r, &r.trainings), 1);
    rig_done(&r);
}

static void combiner_that_stays_away_is_replaced(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    fake_combiner *other = fake_combiner_new();
    rig_start(&r);
    (void)fake_combiner_wait(r.combiner, "TaskStream", 0);
    fake_reducer_assign(r.reducer, other, "client-7");
    fake_combiner_kill(r.combiner);
    (void)fake_combiner_wait(other, "TaskStream", 0);
    (void)fake_reducer_wait(r.reducer, 1);
    fedn_client_free(r.client);
    r.client = NULL;
    fake_combiner_free(other);
    rig_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assignment_carries_identity_and_token),
        cmocka_unit_test(named_combiner_is_dialled_without_a_reducer),
        cmocka_unit_test(reducer_that_says_203_is_asked_again),
        cmocka_unit_test(reducer_in_trouble_is_asked_again_and_warned_about_once),
        cmocka_unit_test(refusal_ends_run_with_address_status_and_text),
        cmocka_unit_test(combiner_that_refuses_the_token_ends_run),
        cmocka_unit_test(stream_that_ends_well_is_opened_again),
        cmocka_unit_test(combiner_restart_during_training_costs_nothing),
        cmocka_unit_test(unanswered_update_is_announced_again_under_its_name),
        cmocka_unit_test(combiner_that_stays_away_is_replaced),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
