/* SPDX-License-Identifier: Apache-2.0
 * Sessions whose models are FEDn's raw formats: float64 by its binaryhelper, float32 by its
 * androidhelper. What is on the wire keeps its type. */
#include "network.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

enum { ELEMENTS = 100 };

static const struct {
    const char *helper;
    fedn_dtype dtype;
} helpers[] = {{"binaryhelper", FEDN_DTYPE_F64}, {"androidhelper", FEDN_DTYPE_F32}};

static double element(const fedn_model *model, uint64_t at)
{
    const void *data = fedn_model_data(model, 0);

    return fedn_model_dtype(model, 0) == FEDN_DTYPE_F64 ? ((const double *)data)[at]
                                                        : (double)((const float *)data)[at];
}

static fedn_model *flat(fedn_dtype dtype, const fedn_model *from, double step)
{
    uint64_t elements = ELEMENTS;
    fedn_model *model = NULL;
    fedn_error err;
    void *data = NULL;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "0", dtype, 1, &elements, NULL, &data, &err), &err);
    for (uint64_t i = 0; i < elements; i++) {
        double value = (from ? element(from, i) : 0) + step;
        if (dtype == FEDN_DTYPE_F64)
            ((double *)data)[i] = value;
        else
            ((float *)data)[i] = (float)value;
    }
    return model;
}

static fedn_status train(fedn_task *task, fedn_error *err, void *user_data)
{
    fedn_model *model = NULL;
    double step = *(const double *)user_data;
    fedn_status rc = fedn_task_model(task, &model, err);

    if (rc != FEDN_OK)
        return rc;
    fedn_model *trained = flat(fedn_model_dtype(model, 0), model, step);
    rc = fedn_task_set_model(task, trained, err);
    fedn_model_unref(trained);
    return rc == FEDN_OK ? fedn_task_set_num_examples(task, 1, err) : rc;
}

static char *push(network *net, const char *helper, fedn_dtype dtype)
{
    char path[512];
    char *id = NULL;
    fedn_error err;
    fedn_model *seed = flat(dtype, NULL, 0.5);

    snprintf(path, sizeof path, "%s/seed.bin", net->dir);
    assert_ok(fedn_model_save(seed, path, helper, &err), &err);
    assert_ok(fedn_control_model_push(net->control, path, helper, "seed", NULL, NULL, &id, &err),
              &err);
    fedn_model_unref(seed);
    return id;
}

static void run(network *net, const char *helper, fedn_dtype dtype)
{
    char extra[256];
    char path[512];
    char *id = push(net, helper, dtype);
    fedn_model *newest = NULL;
    fedn_error err;

    snprintf(extra, sizeof extra,
             "\"clients_required\": 2, \"helper_type\": \"%s\", \"model_id\": \"%s\"", helper, id);
    char *session = network_session(net, extra, 2);
    char *ended = network_await_session(net, session);
    assert_string_equal(ended, "Finished");
    snprintf(path, sizeof path, "%s/newest", net->dir);
    assert_ok(fedn_control_model_pull(net->control, NULL, path, NULL, NULL, &err), &err);
    assert_ok(fedn_model_load(path, helper, &newest, &err), &err);
    assert_int_equal(fedn_model_elements(newest, 0), ELEMENTS);
    assert_int_equal(fedn_model_dtype(newest, 0), dtype);
    for (uint64_t i = 0; i < ELEMENTS; i++)
        assert_true(element(newest, i) == 4.5); /* 0.5, and twice the mean of 1 and 3 */
    fedn_model_unref(newest);
    fedn_free(id);
    free(ended);
    fedn_free(session);
}

static void raw_models_train_under_fedns_names_of_them(void **state)
{
    static double steps[2] = {1, 3};
    network *net = network_start(1);

    (void)state;
    network_client(net, "one", train, NULL, &steps[0]);
    network_client(net, "two", train, NULL, &steps[1]);
    network_await_clients(net, 2);
    for (size_t i = 0; i < sizeof helpers / sizeof helpers[0]; i++)
        run(net, helpers[i].helper, helpers[i].dtype);
    network_stop(net);
}

static void an_npz_is_not_taken_for_raw_elements(void **state)
{
    network *net = network_start(1);
    fedn_model *seed = network_model(8, 1);
    char body[512];
    char *answer = NULL;
    fedn_error err;

    (void)state;
    char *id = network_push(net, seed);
    snprintf(body, sizeof body,
             "{\"session_config\": {\"aggregator\": \"fedavg\", \"round_timeout\": 20, "
             "\"buffer_size\": -1, \"delete_models_storage\": true, \"clients_required\": 1, "
             "\"validate\": false, \"helper_type\": \"binaryhelper\", \"model_id\": \"%s\"}}",
             id);
    assert_ok(fedn_control_request(net->control, "POST", "sessions/", body, &answer, &err), &err);
    json_t *made = json_loads(answer, 0, NULL);
    snprintf(body, sizeof body, "{\"session_id\": \"%s\"}",
             json_string_value(json_object_get(made, "session_id")));
    fedn_free(answer);
    assert_fails(fedn_control_request(net->control, "POST", "sessions/start", body, &answer, &err),
                 FEDN_ERR_INVALID, &err, "npz binaryhelper");
    fedn_free(answer);
    json_decref(made);
    fedn_free(id);
    fedn_model_unref(seed);
    network_stop(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_models_train_under_fedns_names_of_them),
        cmocka_unit_test(an_npz_is_not_taken_for_raw_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
