/* SPDX-License-Identifier: Apache-2.0
 * Predictions over a whole network: asked for by REST, answered by our clients and by one that is
 * spoken to as FEDn's are, read as records. */
#include "network.h"
#include "raw_call.h"
#include "test.h"

#include <stdlib.h>

static network *net;
static char *older;
static char *newest;

/* What the model says, and which it was. */
static fedn_status predict(fedn_task *task, fedn_error *err, void *user_data)
{
    fedn_model *model = NULL;
    char json[128];

    (void)user_data;
    assert_int_equal(fedn_task_get_type(task), FEDN_TASK_PREDICT);
    fedn_status rc = fedn_task_model(task, &model, err);
    if (rc != FEDN_OK)
        return rc;
    snprintf(json, sizeof json, "{\"first\": %g}",
             (double)((const float *)fedn_model_data(model, 0))[0]);
    return fedn_task_set_data(task, json, err);
}

static int open_network(void **state)
{
    (void)state;
    net = network_start(2);
    fedn_model *model = network_model(4, 1);
    older = network_push(net, model);
    fedn_model_unref(model);
    return 0;
}

static int close_network(void **state)
{
    (void)state;
    fedn_free(older);
    fedn_free(newest);
    network_stop(net);
    return 0;
}

static json_t *post(const char *body, fedn_status wanted, const char *words)
{
    char *text = NULL;
    fedn_error err = {0};

    fedn_status rc =
        fedn_control_request(net->control, "POST", "predictions/start", body, &text, &err);
    if (rc != wanted)
        fail_msg("%s: %s", body, err.message);
    json_t *answer = json_loads(text, 0, NULL);
    test_assert_words(json_string_value(json_object_get(answer, "message")), words);
    fedn_free(text);
    return answer;
}

/* Waits until the prediction has so many records. */
static json_t *await_answers(const char *id, uint32_t count)
{
    char path[128];
    json_t *list = NULL;

    snprintf(path, sizeof path, "predictions/?prediction_id=%s", id);
    for (;;) {
        list = network_get(net, path);
        if (json_integer_value(json_object_get(list, "count")) >= count)
            return list;
        json_decref(list);
        json_decref(network_get(net, "status"));
    }
}

static void refusals_say_what_is_wrong(void **state)
{
    (void)state;
    json_decref(post("{}", FEDN_ERR_INVALID, "prediction_id required"));
    json_decref(post("{\"prediction_id\": \"\"}", FEDN_ERR_INVALID, "prediction_id required"));
    json_decref(post("{\"prediction_id\": \"p\", \"model_id\": \"nobody\"}", FEDN_ERR_NOT_FOUND,
                     "Model_nobody_not_found"));
    json_decref(post("{\"prediction_id\": \"p\", \"model_id\": null}", FEDN_ERR_INVALID,
                     "No_active_clients"));
}

static void every_client_answers_and_every_answer_is_a_record(void **state)
{
    raw_caller *stranger = raw_dial(fedn_combiner_port(net->combiners[0]), "stranger");
    raw_stream *tasks = raw_open(stranger, "");
    Fedn__ModelPrediction said = FEDN__MODEL_PREDICTION__INIT;
    Fedn__Client sender = FEDN__CLIENT__INIT;
    raw_answer answer;

    (void)state;
    network_predictor(net, "ann", predict, NULL);
    network_predictor(net, "bob", predict, NULL);
    network_await_clients(net, 3);
    fedn_model *model = network_model(4, 2);
    newest = network_push(net, model);
    fedn_model_unref(model);
    json_t *started = post("{\"prediction_id\": \"p1\", \"model_id\": null}", FEDN_OK, "started");
    assert_int_equal(json_integer_value(json_object_get(started, "clients")), 3);
    json_decref(started);
    const Fedn__TaskRequest *task = raw_task(tasks, 0);
    assert_int_equal(task->type, FEDN__STATUS_TYPE__MODEL_PREDICTION);
    assert_string_equal(task->session_id, "p1");
    assert_string_equal(task->model_id, newest);
    assert_string_equal(task->data, "{}");
    sender.name = (char *)(uintptr_t) "Stranger";
    sender.role = FEDN__ROLE__CLIENT;
    said.sender = &sender;
    said.prediction_id = task->session_id;
    said.model_id = task->model_id;
    said.correlation_id = task->correlation_id;
    said.data = (char *)(uintptr_t) "null";
    raw_unary(stranger, "/fedn.Combiner/SendModelPrediction", &said.base,
              &fedn__response__descriptor, &answer);
    assert_int_equal(answer.rpc, FEDN__RPC_OK);
    raw_answer_done(&answer);
    json_t *list = await_answers("p1", 3);
    assert_int_equal(json_integer_value(json_object_get(list, "count")), 3);
    const json_t *record = NULL;
    size_t i = 0;
    json_array_foreach(json_object_get(list, "result"), i, record)
    {
        const char *who =
            json_string_value(json_object_get(json_object_get(record, "sender"), "client_id"));
        assert_string_equal(json_string_value(json_object_get(record, "data")),
                            strcmp(who, "stranger") == 0 ? "null" : "{\"first\": 2}");
    }
    json_decref(list);
    json_t *one = network_get(net, "predictions/p1");
    assert_string_equal(json_string_value(json_object_get(one, "prediction_id")), "p1");
    json_decref(one);
    raw_close(tasks);
    raw_hang_up(stranger);
}

static void an_older_model_may_be_asked(void **state)
{
    char body[128];

    (void)state;
    snprintf(body, sizeof body, "{\"prediction_id\": \"p2\", \"model_id\": \"%s\"}", older);
    json_decref(post(body, FEDN_OK, "started"));
    json_t *list = await_answers("p2", 2);
    const json_t *record = json_array_get(json_object_get(list, "result"), 0);
    assert_string_equal(json_string_value(json_object_get(record, "model_id")), older);
    assert_string_equal(json_string_value(json_object_get(record, "data")), "{\"first\": 1}");
    json_decref(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_say_what_is_wrong),
        cmocka_unit_test(every_client_answers_and_every_answer_is_a_record),
        cmocka_unit_test(an_older_model_may_be_asked),
    };
    fedn_tune_process();
    return cmocka_run_group_tests(tests, open_network, close_network);
}
