/* SPDX-License-Identifier: Apache-2.0
 * A client and its network: assignment, loss, the end in every state, polling, identity. */
#include "client_rig.h"

#include "core/fs.h"
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

static void polling_runs_callbacks_on_the_calling_thread(void **state)
{
    fedn_error err;
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    rig_client(&r);
    assert_fails(fedn_client_poll(r.client, -1, &err), FEDN_ERR_INVALID, &err, "-1");
    assert_fails(fedn_client_poll(r.client, 0, &err), FEDN_ERR_TIMEOUT, &err, "0_ms");
    fake_combiner_task(r.combiner, VALIDATE, "c1", MODEL_A, NULL);
    assert_int_equal(rig_seen(&r, &r.validations), 0);
    assert_ok(fedn_client_poll(r.client, 20000, &err), &err);
    assert_int_equal(rig_seen(&r, &r.validations), 1);
    (void)fake_combiner_wait(r.combiner, "SendModelValidation", 0);
    assert_fails(fedn_client_start(r.client, &err), FEDN_ERR_STATE, &err, "started");
    assert_int_equal(fedn_client_set_train(r.client, NULL, NULL), FEDN_ERR_STATE);
    fake_combiner_task(r.combiner, VALIDATE, "c2", MODEL_A, NULL);
    fedn_client_stop(r.client);
    fedn_status rc = FEDN_OK; /* a task that came before the stop is popped as cancelled */
    while (rc == FEDN_OK)
        rc = fedn_client_poll(r.client, 20000, &err);
    assert_int_equal(rc, FEDN_ERR_CANCELLED);
    assert_int_equal(rig_seen(&r, &r.validations), 1);
    rig_done(&r);
}

static void polling_a_started_client_is_refused(void **state)
{
    fedn_error err;
    rig r;

    (void)state;
    rig_init(&r);
    rig_start(&r);
    assert_fails(fedn_client_poll(r.client, 0, &err), FEDN_ERR_STATE, &err, "started");
    rig_done(&r);
}

static void polling_tells_of_a_refusal(void **state)
{
    fedn_error err;
    rig r;

    (void)state;
    rig_init(&r);
    fake_reducer_answer(r.reducer, 401, "{\"message\":\"no\"}");
    rig_client(&r);
    assert_fails(fedn_client_poll(r.client, 20000, &err), FEDN_ERR_AUTH, &err, "401");
    assert_fails(fedn_client_poll(r.client, 20000, &err), FEDN_ERR_AUTH, &err, "401");
    rig_done(&r);
}

static void stop_before_the_start_makes_run_return(void **state)
{
    fedn_error err;
    rig r;

    (void)state;
    rig_init(&r);
    rig_client(&r);
    fedn_client_stop(r.client);
    fedn_client_stop(r.client);
    assert_ok(fedn_client_run(r.client, &err), &err);
    rig_done(&r);
}

static void *stop_later(void *arg)
{
    rig *r = arg;

    (void)fake_combiner_wait(r->combiner, "SendHeartbeat", 1);
    fedn_client_stop(r->client);
    return NULL;
}

static void stop_from_another_thread_makes_run_return(void **state)
{
    pthread_t thread;
    fedn_error err;
    rig r;

    (void)state;
    rig_init(&r);
    rig_client(&r);
    assert_ok(fedn__thread_start(&thread, "stopper", stop_later, &r, &err), &err);
    assert_ok(fedn_client_run(r.client, &err), &err);
    (void)pthread_join(thread, NULL);
    rig_done(&r);
}

static void free_in_every_state_leaves_nothing_behind(void **state)
{
    (void)state;
    for (int phase = 0; phase < 7; phase++) {
        rig r;
        rig_init(&r);
        rig_put_model(&r, MODEL_A, 3);
        r.wait_for_cancel = phase == 5;
        if (phase == 1) /* nobody listens */
            rig_set(&r, "client.api_url", "http://127.0.0.1:1");
        if (phase == 2)
            fake_combiner_kill(r.combiner);
        if (phase == 6)
            fake_combiner_hold(r.combiner, "SendModelUpdate", 1);
        rig_client(&r);
        fedn_error err;
        if (phase > 0)
            assert_ok(fedn_client_start(r.client, &err), &err);
        if (phase == 1)
            rig_wait_log(&r, "reducer trying_again");
        if (phase == 2)
            rig_wait_log(&r, "combiner trying_again");
        if (phase >= 4)
            fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
        if (phase == 5)
            (void)fedn__flag_wait(&r.entered, INT64_MAX);
        if (phase == 6)
            (void)fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
        fedn_client_free(r.client);
        r.client = NULL;
        assert_int_equal(rig_seen(&r, &r.cancelled), phase == 5);
        if (phase == 2)
            fake_combiner_revive(r.combiner);
        rig_done(&r);
    }
}

static char *id_of_a_new_client(rig *r)
{
    static uint32_t streams;

    rig_start(r);
    const json_t *request = fake_reducer_wait(r->reducer, streams++);
    char *id = strdup(rig_text(request, "client_id"));
    test_assert_words(rig_text(request, "name"), "client-");
    assert_memory_equal(rig_text(request, "name") + 7, id, 8);
    fedn_client_free(r->client);
    r->client = NULL;
    return id;
}

static void identity_is_kept_in_the_state_dir(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_set(&r, "client.id", "");
    rig_set(&r, "client.name", "");
    char *dir = fedn__fs_join(r.dir, "state/of/client");
    rig_set(&r, "client.state_dir", dir);
    char *first = id_of_a_new_client(&r);
    char *second = id_of_a_new_client(&r);
    assert_string_equal(first, second);
    rig_set(&r, "client.state_dir", "");
    char *third = id_of_a_new_client(&r);
    assert_string_not_equal(first, third);
    free(first);
    free(second);
    free(third);
    fedn__free(dir);
    rig_done(&r);
}

static void bad_properties_are_named(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        fedn_status status;
        const char *words;
    } cases[] = {
        {"client.id", "two words", FEDN_ERR_INVALID, "client.id two_words"},
        {"client.api_url", "ftp://x", FEDN_ERR_INVALID, "client.api_url ftp"},
        {"client.api_url", "", FEDN_ERR_INVALID, "client.api_url"},
        {"client.combiner", "nowhere", FEDN_ERR_INVALID, "nowhere"},
        {"client.token", "a b", FEDN_ERR_INVALID, "client.token"},
        {"client.reconnect_min_ms", "100", FEDN_ERR_INVALID, "100 client.reconnect_max_ms 50"},
        {"client.state_dir", "/proc/none", FEDN_ERR_NOT_FOUND, "client.state_dir /proc/none"},
        {"client.state_dir", "/dev/null", FEDN_ERR_IO, "client.state_dir /dev/null"},
    };
    fedn_error err;
    rig r;

    (void)state;
    rig_init(&r);
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *before = strdup(fedn_config_get(r.config, cases[i].name));
        rig_set(&r, cases[i].name, cases[i].value);
        assert_fails(fedn_client_new(r.config, &r.client, &err), cases[i].status, &err,
                     cases[i].words);
        assert_null(r.client);
        rig_set(&r, cases[i].name, before);
        free(before);
    }
    rig_done(&r);
}

static void state_dir_belongs_to_one_client(void **state)
{
    fedn_client *second = NULL;
    fedn_error err;
    rig r;

    (void)state;
    rig_init(&r);
    rig_set(&r, "client.state_dir", r.dir);
    rig_client(&r);
    assert_fails(fedn_client_new(r.config, &second, &err), FEDN_ERR_STATE, &err, "in_use");
    rig_done(&r);
}

static fedn_status new_client(void *arg)
{
    const rig *r = arg;
    fedn_client *client = NULL;
    fedn_error err;

    fedn_status rc = fedn_client_new(r->config, &client, &err);
    fedn_client_free(client);
    return rc;
}

static void creation_survives_failing_allocations(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_set(&r, "client.state_dir", r.dir);
    rig_set(&r, "client.id", "");
    test_fail_each_allocation(new_client, &r);
    rig_done(&r);
}

static fedn_status start_client(void *arg)
{
    const rig *r = arg;
    fedn_client *client = NULL;
    fedn_error err;

    fedn_status rc = fedn_client_new(r->config, &client, &err);
    if (rc == FEDN_OK)
        rc = fedn_client_start(client, &err);
    fedn_client_free(client);
    return rc;
}

static void start_survives_failing_allocations(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_set(&r, "client.api_url", "http://127.0.0.1:1");
    rig_set(&r, "client.token", "t");
    rig_set(&r, "log.level", "error");
    test_fail_each_allocation(start_client, &r);
    rig_done(&r);
}

static void null_is_refused_or_ignored(void **state)
{
    fedn_client *client = NULL;

    (void)state;
    assert_int_equal(fedn_client_new(NULL, &client, NULL), FEDN_ERR_INVALID);
    assert_int_equal(fedn_client_start(NULL, NULL), FEDN_ERR_INVALID);
    assert_int_equal(fedn_client_run(NULL, NULL), FEDN_ERR_INVALID);
    assert_int_equal(fedn_client_poll(NULL, 0, NULL), FEDN_ERR_INVALID);
    assert_int_equal(fedn_client_set_predict(NULL, NULL, NULL), FEDN_ERR_INVALID);
    fedn_client_stop(NULL);
    fedn_client_free(NULL);
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
        cmocka_unit_test(polling_runs_callbacks_on_the_calling_thread),
        cmocka_unit_test(polling_a_started_client_is_refused),
        cmocka_unit_test(polling_tells_of_a_refusal),
        cmocka_unit_test(stop_before_the_start_makes_run_return),
        cmocka_unit_test(stop_from_another_thread_makes_run_return),
        cmocka_unit_test(free_in_every_state_leaves_nothing_behind),
        cmocka_unit_test(identity_is_kept_in_the_state_dir),
        cmocka_unit_test(bad_properties_are_named),
        cmocka_unit_test(state_dir_belongs_to_one_client),
        cmocka_unit_test(creation_survives_failing_allocations),
        cmocka_unit_test(start_survives_failing_allocations),
        cmocka_unit_test(null_is_refused_or_ignored),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
