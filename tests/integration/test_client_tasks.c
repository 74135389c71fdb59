/* SPDX-License-Identifier: Apache-2.0
 * A client's tasks against a combiner that speaks real gRPC: what arrives there, field by field. */
#include "client_rig.h"

#include "core/fs.h"
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static void check_sender(const json_t *message)
{
    assert_string_equal(rig_text(message, "sender.name"), "seven");
    assert_string_equal(rig_text(message, "sender.client_id"), "client-7");
    assert_int_equal(rig_number(message, "sender.role"), 1);
}

static void check_receiver(const json_t *message)
{
    assert_string_equal(rig_text(message, "receiver.name"), "fake");
    assert_int_equal(rig_number(message, "receiver.role"), 2);
}

static void check_meta(const json_t *update)
{
    json_t *meta = rig_json(update, "meta");

    assert_int_equal(rig_number(meta, "training_metadata.num_examples"), 42);
    const json_t *loss = json_object_get(json_object_get(meta, "training_metadata"), "loss");
    assert_true(fabs(json_real_value(loss) - 0.5) < 1e-9);
    assert_null(json_object_get(meta, "config"));
    json_decref(meta);
}

static float uploaded_value(rig *r, const json_t *update)
{
    fedn_model *model = NULL;
    uint64_t bytes = 0;
    fedn_error err;

    char *data = fake_combiner_uploaded(r->combiner, rig_text(update, "model_update_id"), &bytes);
    assert_ok(fedn_model_decode(data, bytes, "npz", &model, &err), &err);
    float value = ((const float *)fedn_model_data(model, 0))[0];
    fedn_model_unref(model);
    free(data);
    return value;
}

static void training_with_tensors_sends_update_and_metrics(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    rig_start(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    const json_t *update = fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
    check_sender(update);
    check_receiver(update);
    check_meta(update);
    assert_string_equal(rig_text(update, "model_id"), MODEL_A);
    assert_string_equal(rig_text(update, "correlation_id"), "c1");
    assert_string_equal(rig_text(update, "config"), ROUND_1);
    assert_non_null(strstr(rig_text(update, "timestamp"), "+00:00"));
    assert_true(fabsf(uploaded_value(&r, update) - 4) < 1e-6F);
    assert_int_equal(rig_number(update, "model"), 0); /* a combiner like FEDn's is not sent it */
    assert_int_equal(fake_combiner_downloads(r.combiner), 1);
    assert_int_equal(fake_combiner_uploads(r.combiner), 1);
    const json_t *metric = fake_combiner_wait(r.combiner, "SendModelMetric", 0);
    check_sender(metric);
    assert_string_equal(rig_text(metric, "round_id"), "1");
    const json_t *element = json_array_get(json_object_get(metric, "metrics"), 0);
    assert_string_equal(rig_text(element, "key"), "loss");
    const json_t *progress = fake_combiner_wait(r.combiner, "SendStatus", 0);
    check_sender(progress);
    assert_string_equal(rig_text(progress, "status"), "progress");
    assert_string_equal(rig_text(progress, "data"), "{\"done\":1,\"total\":4}");
    assert_int_equal(rig_number(progress, "log_level"), LEVEL_INFO);
    assert_int_equal(fake_combiner_count(r.combiner, "SendStatus"), 1);
    rig_done(&r);
}

static const int32_t own_ways[] = {WITH_BYTES, WITH_OWN_FILE, WITH_FILE_ELSEWHERE};

/* A combiner that takes updates up to so many bytes inside of announcements has asked. */
static void train_in_way(rig *r, int32_t how, uint32_t inline_bytes)
{
    rig_init(r);
    rig_put_model(r, MODEL_A, 3);
    r->how = how;
    if (inline_bytes)
        fake_combiner_inline(r->combiner, inline_bytes);
    rig_start(r);
    fake_combiner_task(r->combiner, TRAIN, "c1", MODEL_A, ROUND_1);
}

static void training_with_bytes_and_files_uploads_them_as_they_are(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        rig r;
        train_in_way(&r, own_ways[i], 0);
        const json_t *update = fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
        assert_true(fabsf(uploaded_value(&r, update) - 3) < 1e-6F);
        char *path = fedn__fs_join(r.dir, "trained.npz");
        assert_int_equal(access(path, F_OK) == 0, own_ways[i] == WITH_FILE_ELSEWHERE);
        fedn__free(path);
        rig_done(&r);
    }
}

static void validation_and_training_of_one_model_fetch_it_once(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    rig_start(&r);
    fake_combiner_task(r.combiner, VALIDATE, "c1", MODEL_A, NULL);
    const json_t *validation = fake_combiner_wait(r.combiner, "SendModelValidation", 0);
    check_sender(validation);
    check_receiver(validation);
    assert_string_equal(rig_text(validation, "data"), "{\"accuracy\":0.75}");
    assert_string_equal(rig_text(validation, "correlation_id"), "c1");
    assert_string_equal(rig_text(validation, "session_id"), "5e551045-0000-4000-8000-000000000000");
    fake_combiner_task(r.combiner, TRAIN, "c2", MODEL_A, ROUND_1);
    (void)fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
    assert_int_equal(fake_combiner_downloads(r.combiner), 1);
    rig_done(&r);
}

static void a_small_model_comes_and_goes_without_a_transfer(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    fake_combiner_inline(r.combiner, 100000);
    rig_start(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    const json_t *update = fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
    check_sender(update);
    check_meta(update);
    assert_true(rig_number(update, "model") > 0);
    assert_true(fabsf(uploaded_value(&r, update) - 4) < 1e-6F);
    fake_combiner_task(r.combiner, VALIDATE, "c2", MODEL_A, NULL);
    (void)fake_combiner_wait(r.combiner, "SendModelValidation", 0);
    fake_combiner_inline(r.combiner, 0); /* it is the client's newest, whoever wants it */
    fake_combiner_task(r.combiner, VALIDATE, "c3", MODEL_A, NULL);
    (void)fake_combiner_wait(r.combiner, "SendModelValidation", 1);
    assert_int_equal(fake_combiner_downloads(r.combiner), 0);
    assert_int_equal(fake_combiner_uploads(r.combiner), 0);
    json_t *said = rig_json(fake_combiner_wait(r.combiner, "TaskStream", 0), "data");
    assert_int_equal(rig_number(said, "inline_bytes"), 131072);
    json_decref(said);
    rig_done(&r);
}

static void every_kind_of_update_travels_if_it_is_small(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        rig r;
        train_in_way(&r, own_ways[i], 100000);
        const json_t *update = fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
        assert_true(fabsf(uploaded_value(&r, update) - 3) < 1e-6F);
        assert_int_equal(fake_combiner_uploads(r.combiner), 0);
        rig_done(&r);
    }
}

static void a_model_over_the_bound_goes_the_long_way(void **state)
{
    rig r;
    uint64_t bytes = 0;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    free(fake_combiner_uploaded(r.combiner, MODEL_A, &bytes));
    r.how = WITH_BYTES; /* the update is as large as the model */
    fake_combiner_inline(r.combiner, (uint32_t)bytes - 1);
    rig_start(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    const json_t *update = fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
    assert_int_equal(rig_number(update, "model"), 0);
    assert_true(fabsf(uploaded_value(&r, update) - 3) < 1e-6F);
    assert_int_equal(fake_combiner_downloads(r.combiner), 1);
    assert_int_equal(fake_combiner_uploads(r.combiner), 1);
    fake_combiner_inline(r.combiner, (uint32_t)bytes); /* just not over it */
    fake_combiner_task(r.combiner, TRAIN, "c2", MODEL_A, ROUND_2);
    update = fake_combiner_wait(r.combiner, "SendModelUpdate", 1);
    assert_int_equal(rig_number(update, "model"), bytes);
    assert_int_equal(fake_combiner_uploads(r.combiner), 1);
    rig_done(&r);
}

static void a_repeated_announcement_brings_its_update_again(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    fake_combiner_inline(r.combiner, 100000);
    fake_combiner_answer(r.combiner, "SendModelUpdate", 14, "busy"); /* UNAVAILABLE */
    rig_start(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    const json_t *first = fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
    fake_combiner_answer(r.combiner, "SendModelUpdate", 0, "RECEIVED");
    const json_t *second = fake_combiner_wait(r.combiner, "SendModelUpdate", 1);
    assert_string_equal(rig_text(first, "model_update_id"), rig_text(second, "model_update_id"));
    assert_int_equal(rig_number(first, "model"), rig_number(second, "model"));
    assert_true(rig_number(second, "model") > 0);
    assert_int_equal(fake_combiner_uploads(r.combiner), 0);
    assert_int_equal(rig_seen(&r, &r.trainings), 1);
    rig_done(&r);
}

static void an_update_that_leaves_no_room_beside_it_is_uploaded(void **state)
{
    rig r;
    const size_t bytes = 258500; /* of what an announcement says beside: 256 KiB in all */

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    fake_combiner_inline(r.combiner, 100000);
    rig_start(&r);
    char *config = malloc(bytes + 1);
    size_t len = (size_t)snprintf(config, bytes, "{\"round_id\":\"1\",\"settings\":\"");
    memset(config + len, '-', bytes - len);
    memcpy(config + bytes - 2, "\"}", 3);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, config);
    const json_t *update = fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
    assert_int_equal(rig_number(update, "model"), 0);
    assert_true(fabsf(uploaded_value(&r, update) - 4) < 1e-6F);
    assert_int_equal(fake_combiner_uploads(r.combiner), 1);
    free(config);
    rig_done(&r);
}

/* The failure that the combiner is told, as the nth status that is no progress. */
static const json_t *wait_failure(rig *r, const char *correlation_id)
{
    for (uint32_t i = 0;; i++) {
        const json_t *status = fake_combiner_wait(r->combiner, "SendStatus", i);
        if (rig_number(status, "log_level") == LEVEL_ERROR &&
            strcmp(rig_text(status, "correlation_id"), correlation_id) == 0)
            return status;
    }
}

static void a_model_that_is_none_is_the_failure_of_its_task_alone(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    fake_combiner_put_model(r.combiner, MODEL_A, "no npz", 6);
    rig_put_model(&r, MODEL_B, 3);
    fake_combiner_inline(r.combiner, 100000);
    rig_start(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    test_assert_words(rig_text(wait_failure(&r, "c1"), "status"), "npz");
    fake_combiner_task(r.combiner, TRAIN, "c2", MODEL_B, ROUND_2);
    const json_t *update = fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
    assert_string_equal(rig_text(update, "correlation_id"), "c2");
    rig_done(&r);
}

static void prediction_sends_its_data(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    rig_start(&r);
    fake_combiner_task(r.combiner, PREDICT, "c1", MODEL_A, "{\"presigned_url\":\"http://x\"}");
    const json_t *prediction = fake_combiner_wait(r.combiner, "SendModelPrediction", 0);
    check_sender(prediction);
    check_receiver(prediction);
    assert_string_equal(rig_text(prediction, "data"), "[1, 2]");
    assert_string_equal(rig_text(prediction, "prediction_id"),
                        "5e551045-0000-4000-8000-000000000000");
    rig_done(&r);
}

static void failing_callback_tells_why(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    r.how = WITH_FAILURE;
    rig_start(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    const json_t *status = wait_failure(&r, "c1");
    check_sender(status);
    test_assert_words(rig_text(status, "status"), "sensor unplugged"); /* and one line */
    assert_int_equal(rig_number(status, "type"), TRAIN);
    json_t *data = rig_json(status, "data");
    assert_string_equal(rig_text(data, "round_id"), "1");
    assert_string_equal(rig_text(data, "model_id"), MODEL_A);
    assert_string_equal(rig_text(data, "error"), rig_text(status, "status"));
    json_decref(data);
    assert_int_equal(fake_combiner_count(r.combiner, "SendModelUpdate"), 0);
    rig_done(&r);
}

static void tasks_that_cannot_be_done_are_reported(void **state)
{
    static const struct {
        int32_t type;
        const char *correlation_id;
        const char *model_id;
        const char *data;
        const char *words;
    } cases[] = {
        {TRAIN, "no-uuid", "../../etc/passwd", ROUND_1, "model_id UUID"},
        {TRAIN, "no-json", MODEL_A, "round 1", "not_JSON"},
        {TRAIN, "no-round", MODEL_A, "{}", "round_id"},
        {TRAIN, "no-data", MODEL_A, NULL, "round_id"},
        {TRAIN, "no-model", MODEL_B, ROUND_1, MODEL_B " does_not_have"},
        {8, "no-type", MODEL_A, ROUND_1, "type_8"},
        {TRAIN, "too-large", MODEL_A, ROUND_1, "over 10_bytes"},
    };
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    rig_set(&r, "client.max_model_bytes", "10");
    rig_start(&r);
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_combiner_task(r.combiner, cases[i].type, cases[i].correlation_id, cases[i].model_id,
                           cases[i].data);
        const json_t *status = wait_failure(&r, cases[i].correlation_id);
        assert_int_equal(rig_number(status, "type"), cases[i].type);
        test_assert_words(rig_text(status, "status"), cases[i].words);
    }
    assert_int_equal(rig_seen(&r, &r.trainings), 0);
    rig_done(&r);
}

static void task_of_nobody_is_ignored(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    rig_start(&r);
    fake_combiner_task_as(r.combiner, 1, TRAIN, "c1", MODEL_A, ROUND_1);
    fake_combiner_task(r.combiner, TRAIN, "c2", MODEL_A, ROUND_1);
    const json_t *update = fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
    assert_string_equal(rig_text(update, "correlation_id"), "c2");
    rig_done(&r);
}

static void callback_that_sets_nothing_is_reported(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    r.how = WITH_NOTHING;
    rig_start(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    test_assert_words(rig_text(wait_failure(&r, "c1"), "status"), "set_no_model");
    rig_done(&r);
}

static void refused_update_is_logged_and_the_client_goes_on(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    fake_combiner_answer(r.combiner, "SendModelUpdate", 0, "REFUSED ModelUpdate x: too late");
    rig_start(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    rig_wait_log(&r, "REFUSED late");
    fake_combiner_task(r.combiner, VALIDATE, "c2", MODEL_A, NULL);
    (void)fake_combiner_wait(r.combiner, "SendModelValidation", 0);
    assert_int_equal(rig_log_count(&r, "REFUSED"), 1);
    assert_int_equal(fake_combiner_count(r.combiner, "SendModelUpdate"), 1);
    rig_done(&r);
}

static void newer_round_cancels_the_callback(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    rig_put_model(&r, MODEL_B, 5);
    r.wait_for_cancel = 1;
    rig_start(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    (void)fedn__flag_wait(&r.entered, INT64_MAX);
    fake_combiner_task(r.combiner, VALIDATE, "c2", MODEL_B, NULL);
    fake_combiner_task(r.combiner, TRAIN, "c3", MODEL_B, ROUND_2);
    (void)fake_combiner_wait(r.combiner, "SendModelValidation", 0);
    assert_int_equal(rig_seen(&r, &r.cancelled), 1);
    fedn_client_stop(r.client); /* the other one is cancelled by this */
    fedn_client_free(r.client);
    r.client = NULL;
    assert_int_equal(rig_seen(&r, &r.cancelled), rig_seen(&r, &r.trainings));
    assert_int_equal(fake_combiner_count(r.combiner, "SendModelUpdate"), 0);
    rig_done(&r);
}

static void refused_progress_cancels_the_callback(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    r.wait_for_cancel = 1;
    fake_combiner_answer(r.combiner, "SendStatus", 0, "REFUSED Status: round 1 is over");
    rig_start(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    fake_combiner_task(r.combiner, VALIDATE, "c2", MODEL_A, NULL);
    (void)fake_combiner_wait(r.combiner, "SendModelValidation", 0);
    assert_int_equal(rig_seen(&r, &r.cancelled), 1);
    assert_int_equal(fake_combiner_count(r.combiner, "SendModelUpdate"), 0);
    rig_done(&r);
}

static void heartbeats_go_on_while_a_callback_runs(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    r.wait_for_go = 1;
    rig_start(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    (void)fedn__flag_wait(&r.entered, INT64_MAX);
    uint32_t before = fake_combiner_count(r.combiner, "SendHeartbeat");
    check_sender(fake_combiner_wait(r.combiner, "SendHeartbeat", before + 3));
    fedn__flag_set(&r.go);
    (void)fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
    rig_done(&r);
}

static void model_format_of_the_client_wins(void **state)
{
    rig r;
    uint64_t bytes = 0;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    rig_set(&r, "client.model_format", "safetensors");
    rig_start(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    const json_t *update = fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
    char *data = fake_combiner_uploaded(r.combiner, rig_text(update, "model_update_id"), &bytes);
    assert_memory_not_equal(data, "PK", 2);
    free(data);
    rig_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_with_tensors_sends_update_and_metrics),
        cmocka_unit_test(training_with_bytes_and_files_uploads_them_as_they_are),
        cmocka_unit_test(validation_and_training_of_one_model_fetch_it_once),
        cmocka_unit_test(a_small_model_comes_and_goes_without_a_transfer),
        cmocka_unit_test(every_kind_of_update_travels_if_it_is_small),
        cmocka_unit_test(a_model_over_the_bound_goes_the_long_way),
        cmocka_unit_test(a_repeated_announcement_brings_its_update_again),
        cmocka_unit_test(an_update_that_leaves_no_room_beside_it_is_uploaded),
        cmocka_unit_test(a_model_that_is_none_is_the_failure_of_its_task_alone),
        cmocka_unit_test(prediction_sends_its_data),
        cmocka_unit_test(failing_callback_tells_why),
        cmocka_unit_test(tasks_that_cannot_be_done_are_reported),
        cmocka_unit_test(task_of_nobody_is_ignored),
        cmocka_unit_test(callback_that_sets_nothing_is_reported),
        cmocka_unit_test(refused_update_is_logged_and_the_client_goes_on),
        cmocka_unit_test(newer_round_cancels_the_callback),
        cmocka_unit_test(refused_progress_cancels_the_callback),
        cmocka_unit_test(heartbeats_go_on_while_a_callback_runs),
        cmocka_unit_test(model_format_of_the_client_wins),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
