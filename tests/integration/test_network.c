/* SPDX-License-Identifier: Apache-2.0
 * Sessions over a whole network: what is averaged, what is refused, who does not block whom. */
#include "network.h"
#include "test.h"

#include <math.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { ELEMENTS = 1000 };

/* How a client of these tests behaves. */
typedef struct behaviour {
    float add;
    double weight;
    int32_t fault; /* one of below */
    atomic_int trained;
    atomic_int validated;
    atomic_int cancelled;
    fedn_client *self;
} behaviour;

enum { SOUND, FAILS, NOT_FINITE, OTHER_SHAPE, NO_MODEL, HANGS };

static fedn_status wait_for_cancel(fedn_task *task, behaviour *b, fedn_error *err)
{
    struct pollfd cancelled = {.fd = fedn_task_cancel_fd(task), .events = POLLIN};

    fedn_task_progress(task, 1, 2);
    assert_true(cancelled.fd >= 0);
    while (!fedn_task_is_cancelled(task))
        poll(&cancelled, 1, -1);
    atomic_store(&b->cancelled, 1);
    return fedn_error_set(err, FEDN_ERR_CANCELLED, NULL);
}

static fedn_status train(fedn_task *task, fedn_error *err, void *user_data)
{
    behaviour *b = user_data;
    fedn_model *global = NULL;

    atomic_fetch_add(&b->trained, 1);
    if (b->fault == FAILS)
        return fedn_error_set(err, FEDN_ERR_CALLBACK, "the sensor is unplugged");
    if (b->fault == HANGS)
        return wait_for_cancel(task, b, err);
    fedn_status rc = fedn_task_model(task, &global, err);
    if (rc != FEDN_OK)
        return rc;
    float base = ((const float *)fedn_model_data(global, 0))[0];
    fedn_model *model = network_model(b->fault == OTHER_SHAPE ? ELEMENTS + 1 : ELEMENTS,
                                      b->fault == NOT_FINITE ? INFINITY : base + b->add);
    rc = fedn_task_set_num_examples(task, b->weight, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_metric(task, "loss", 0.25, err);
    if (rc == FEDN_OK && b->fault != NO_MODEL)
        rc = fedn_task_set_model(task, model, err);
    fedn_model_unref(model);
    return rc;
}

static fedn_status validate(fedn_task *task, fedn_error *err, void *user_data)
{
    behaviour *b = user_data;

    atomic_fetch_add(&b->validated, 1);
    return fedn_task_set_metric(task, "accuracy", 0.5, err);
}

static void add_client(network *net, const char *id, behaviour *b)
{
    b->self = network_client(net, id, train, validate, b);
}

static void push_zero(network *net)
{
    fedn_model *seed = network_model(ELEMENTS, 0);

    fedn_free(network_push(net, seed));
    fedn_model_unref(seed);
}

static void assert_newest_is(network *net, float value)
{
    fedn_model *newest = network_newest(net);

    assert_int_equal(fedn_model_count(newest), 1);
    assert_int_equal(fedn_model_elements(newest, 0), ELEMENTS);
    const float *data = fedn_model_data(newest, 0);
    for (uint32_t i = 0; i < ELEMENTS; i++)
        if (data[i] != value)
            fail_msg("element %u is %.9g, not %.9g", (unsigned)i, (double)data[i], (double)value);
    fedn_model_unref(newest);
}

static const json_t *outcome_of(const json_t *round, const char *client_id)
{
    size_t i = 0;
    size_t j = 0;
    const json_t *combiner = NULL;
    const json_t *client = NULL;

    json_array_foreach(json_object_get(round, "combiners"), i, combiner)
    {
        json_array_foreach(json_object_get(combiner, "clients"), j, client)
        {
            if (strcmp(json_string_value(json_object_get(client, "client_id")), client_id) == 0)
                return client;
        }
    }
    fail_msg("%s is not in the round's record", client_id);
    return NULL;
}

static void assert_outcome(const json_t *round, const char *client_id, const char *outcome,
                           const char *words)
{
    const json_t *client = outcome_of(round, client_id);

    assert_string_equal(json_string_value(json_object_get(client, "outcome")), outcome);
    test_assert_words(json_string_value(json_object_get(client, "reason")), words);
}

static void run_and_expect(network *net, const char *extra, int rounds, const char *status,
                           char **ret_session)
{
    char *session = network_session(net, extra, rounds);
    char *ended = network_await_session(net, session);

    assert_string_equal(ended, status);
    free(ended);
    if (ret_session)
        *ret_session = session;
    else
        fedn_free(session);
}

static void the_global_model_is_the_mean_by_examples_over_both_combiners(void **state)
{
    behaviour b[3] = {{.add = 1, .weight = 10}, {.add = 2, .weight = 10}, {.add = 6, .weight = 20}};
    network *net = network_start(2);
    char *session = NULL;

    (void)state;
    add_client(net, "one", &b[0]);
    network_await_clients(net, 1); /* the next go to the combiner with fewer clients */
    add_client(net, "two", &b[1]);
    network_await_clients(net, 2);
    add_client(net, "three", &b[2]);
    network_await_clients(net, 3);
    push_zero(net);
    run_and_expect(net, "\"validate\": true", 3, "Finished", &session);
    assert_newest_is(net, 3 * 3.75f); /* (10 + 20 + 120) / 40 a round */
    json_t *rounds = network_rounds(net, session);
    assert_int_equal(json_array_size(rounds), 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(json_string_value(json_object_get(json_array_get(rounds, i), "status")),
                            "Finished");
    assert_int_equal(json_array_size(json_object_get(json_array_get(rounds, 0), "combiners")), 2);
    assert_outcome(json_array_get(rounds, 2), "three", "accepted", "");
    json_decref(rounds);
    for (int i = 0; i < 3; i++)
        assert_int_equal(atomic_load(&b[i].trained), 3);
    fedn_free(session);
    network_stop(net);
}

static void bad_updates_are_refused_and_the_round_goes_on(void **state)
{
    behaviour b[4] = {{.add = 1, .weight = 5},
                      {.add = 1, .weight = 5, .fault = NOT_FINITE},
                      {.add = 1, .weight = 5, .fault = OTHER_SHAPE},
                      {.add = 1, .weight = 5, .fault = FAILS}};
    const char *const ids[4] = {"sound", "infinite", "misshapen", "failing"};
    network *net = network_start(1);
    char *session = NULL;

    (void)state;
    for (int i = 0; i < 4; i++)
        add_client(net, ids[i], &b[i]);
    network_await_clients(net, 4);
    push_zero(net);
    run_and_expect(net, "", 1, "Finished", &session);
    assert_newest_is(net, 1);
    json_t *rounds = network_rounds(net, session);
    const json_t *round = json_array_get(rounds, 0);
    assert_outcome(round, "sound", "accepted", "");
    assert_outcome(round, "infinite", "refused", "tensor_0 element_0 inf");
    assert_outcome(round, "misshapen", "refused", "1001");
    assert_outcome(round, "failing", "failed", "the_sensor_is_unplugged");
    json_decref(rounds);
    fedn_free(session);
    network_stop(net);
}

static void a_client_that_dies_in_a_round_does_not_block_it(void **state)
{
    behaviour b[2] = {{.add = 1, .weight = 5}, {.fault = HANGS}};
    network_set("combiner.liveness_ms", "300");
    network_set("client.heartbeat_ms", "100");
    network *net = network_start(1);

    (void)state;
    add_client(net, "alive", &b[0]);
    add_client(net, "dying", &b[1]);
    network_await_clients(net, 2);
    push_zero(net);
    char *session = network_session(net, "", 1);
    while (atomic_load(&b[0].trained) == 0 || atomic_load(&b[1].trained) == 0)
        json_decref(network_get(net, "status")); /* each answer is an event's worth of waiting */
    fedn_client_free(net->clients[1]);
    net->client_count = 1;
    char *ended = network_await_session(net, session);
    assert_string_equal(ended, "Finished");
    assert_int_equal(atomic_load(&b[1].cancelled), 1);
    json_t *rounds = network_rounds(net, session);
    assert_string_equal(json_string_value(json_object_get(
                            outcome_of(json_array_get(rounds, 0), "alive"), "outcome")),
                        "accepted");
    assert_string_not_equal(json_string_value(json_object_get(
                                outcome_of(json_array_get(rounds, 0), "dying"), "outcome")),
                            "accepted");
    json_decref(rounds);
    free(ended);
    fedn_free(session);
    network_stop(net);
}

static void a_slow_client_is_late_when_the_buffer_is_full(void **state)
{
    behaviour b[3] = {{.add = 1, .weight = 5}, {.add = 1, .weight = 5}, {.fault = HANGS}};
    network *net = network_start(1);
    char *session = NULL;

    (void)state;
    add_client(net, "quick-1", &b[0]);
    add_client(net, "quick-2", &b[1]);
    add_client(net, "slow", &b[2]);
    network_await_clients(net, 3);
    push_zero(net);
    run_and_expect(net, "\"buffer_size\": 2", 2, "Finished", &session);
    json_t *rounds = network_rounds(net, session);
    assert_int_equal(json_array_size(rounds), 2);
    assert_outcome(json_array_get(rounds, 0), "slow", "late", "enough_updates");
    json_decref(rounds);
    assert_newest_is(net, 2);
    fedn_free(session);
    network_stop(net);
}

static void a_running_session_can_be_stopped(void **state)
{
    behaviour b = {.fault = HANGS};
    network *net = network_start(1);
    fedn_error err;
    char path[128];

    (void)state;
    add_client(net, "hanging", &b);
    network_await_clients(net, 1);
    push_zero(net);
    char *session = network_session(net, "", 5);
    while (atomic_load(&b.trained) == 0)
        json_decref(network_get(net, "status"));
    snprintf(path, sizeof path, "sessions/%s", session);
    assert_ok(fedn_control_request(net->control, "PATCH", path, "{\"status\": \"Terminated\"}",
                                   NULL, &err),
              &err);
    char *ended = network_await_session(net, session);
    assert_string_equal(ended, "Terminated");
    free(ended);
    fedn_free(session);
    network_stop(net);
}

static void whoever_follows_an_ended_session_is_told_how_it_ended(void **state)
{
    behaviour b = {.add = 1, .weight = 5};
    network *net = network_start(1);
    char *first = NULL;

    (void)state;
    add_client(net, "one", &b);
    network_await_clients(net, 1);
    push_zero(net);
    run_and_expect(net, "", 2, "Finished", &first);
    run_and_expect(net, "", 1, "Finished", NULL);
    char *again = network_await_session(net, first); /* by its record: another one ran since */
    assert_string_equal(again, "Finished");
    free(again);
    fedn_free(first);
    network_stop(net);
}

static void a_session_without_a_model_or_clients_says_what_is_missing(void **state)
{
    network *net = network_start(1);
    fedn_error err;
    char *answer = NULL;

    (void)state;
    assert_ok(fedn_control_request(net->control, "POST", "sessions/",
                                   "{\"session_config\": {\"aggregator\": \"fedavg\", "
                                   "\"round_timeout\": 1, \"buffer_size\": -1, "
                                   "\"delete_models_storage\": true, \"clients_required\": 1, "
                                   "\"validate\": false, \"helper_type\": \"numpyhelper\", "
                                   "\"model_id\": null}}",
                                   &answer, &err),
              &err);
    json_t *session = json_loads(answer, 0, NULL);
    char body[128];
    snprintf(body, sizeof body, "{\"session_id\": \"%s\"}",
             json_string_value(json_object_get(session, "session_id")));
    assert_fails(fedn_control_request(net->control, "POST", "sessions/start", body, NULL, &err),
                 FEDN_ERR_INVALID, &err, "model");
    json_decref(session);
    fedn_free(answer);
    network_stop(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_global_model_is_the_mean_by_examples_over_both_combiners),
        cmocka_unit_test(bad_updates_are_refused_and_the_round_goes_on),
        cmocka_unit_test(a_client_that_dies_in_a_round_does_not_block_it),
        cmocka_unit_test(a_slow_client_is_late_when_the_buffer_is_full),
        cmocka_unit_test(a_running_session_can_be_stopped),
        cmocka_unit_test(whoever_follows_an_ended_session_is_told_how_it_ended),
        cmocka_unit_test(a_session_without_a_model_or_clients_says_what_is_missing),
    };
    fedn_tune_process();
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
