/* SPDX-License-Identifier: Apache-2.0
 * Sessions over a whole network in which combiners come and go. */
#include "network.h"
#include "test.h"

#include "core/clock.h"
#include "core/thread.h"
#include <stdatomic.h>
#include <stdlib.h>

static atomic_int trained;
static atomic_int released; /* trainings that may end */

/* Adds one to the model, as often as it is let. */
static fedn_status train(fedn_task *task, fedn_error *err, void *user_data)
{
    int turn = atomic_fetch_add(&trained, 1);

    (void)user_data;
    while (atomic_load(&released) <= turn && !fedn_task_is_cancelled(task))
        fedn_task_progress(task, 1, 2);
    return network_trained(task, 1, 1, err);
}

static void push_zero(network *net)
{
    uint64_t elements = 4;
    fedn_model *seed = NULL;
    fedn_error err;

    assert_ok(fedn_model_new(&seed, &err), &err);
    assert_ok(fedn_model_add(seed, "0", FEDN_DTYPE_F32, 1, &elements, NULL, NULL, &err), &err);
    fedn_free(network_push(net, seed));
    fedn_model_unref(seed);
}

static void await_trained(network *net, int count)
{
    while (atomic_load(&trained) < count)
        json_decref(network_get(net, "status"));
}

static void a_session_outlives_its_combiner(void **state)
{
    network *net = network_start(1);

    (void)state;
    atomic_store(&trained, 0);
    atomic_store(&released, 1);
    network_client(net, "one", train, NULL, NULL);
    network_await_clients(net, 1);
    push_zero(net);
    char *session = network_session(net, "", 3);
    await_trained(net, 2); /* the second round waits for its client */
    network_restart(net, 0);
    atomic_store(&released, 1000);
    char *status = network_await_session(net, session);
    assert_string_equal(status, "Finished");
    fedn_model *newest = network_newest(net);
    assert_true(((const float *)fedn_model_data(newest, 0))[3] == 3); /* of every round */
    fedn_model_unref(newest);
    json_t *rounds = network_rounds(net, session);
    assert_int_equal(json_array_size(rounds), 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(json_string_value(json_object_get(json_array_get(rounds, i), "status")),
                            "Finished");
    json_decref(rounds);
    free(status);
    fedn_free(session);
    network_stop(net);
}

typedef struct lines {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    char text[4096];
} lines;

static void keep_line(int32_t level, const char *component, const char *line, void *user_data)
{
    lines *kept = user_data;

    (void)component;
    if (level > FEDN_LOG_ERROR)
        return;
    pthread_mutex_lock(&kept->mutex);
    strncat(kept->text, line, sizeof kept->text - strlen(kept->text) - 1);
    pthread_cond_broadcast(&kept->cond);
    pthread_mutex_unlock(&kept->mutex);
}

static void a_second_combiner_of_a_name_is_refused_and_says_so(void **state)
{
    network *net = network_start(1);
    fedn_config *config = NULL;
    fedn_combiner *second = NULL;
    fedn_error err;
    char value[512];
    lines kept = {.text = ""};
    int64_t deadline = fedn__clock_ns() + 20 * INT64_C(1000000000);

    (void)state;
    pthread_mutex_init(&kept.mutex, NULL);
    fedn__cond_init(&kept.cond);
    network_await_combiners(net, 1);
    assert_ok(fedn_config_new(&config, &err), &err);
    assert_ok(fedn_config_set(config, "combiner.name", "combiner-0", &err), &err);
    assert_ok(fedn_config_set(config, "combiner.listen", "127.0.0.1:0", &err), &err);
    snprintf(value, sizeof value, "%s/second", net->dir);
    assert_ok(fedn_config_set(config, "combiner.state_dir", value, &err), &err);
    snprintf(value, sizeof value, "127.0.0.1:%d", (int)fedn_reducer_port(net->reducer));
    assert_ok(fedn_config_set(config, "combiner.reducer", value, &err), &err);
    assert_ok(fedn_combiner_new(config, &second, &err), &err);
    assert_int_equal(fedn_combiner_set_log(second, keep_line, &kept), FEDN_OK);
    assert_ok(fedn_combiner_start(second, &err), &err);
    pthread_mutex_lock(&kept.mutex);
    while (!strstr(kept.text, "refuses"))
        if (!fedn__cond_wait(&kept.cond, &kept.mutex, deadline))
            fail_msg("no refusal is logged: %s", kept.text);
    test_assert_words(kept.text, "refuses combiner-0");
    pthread_mutex_unlock(&kept.mutex);
    fedn_combiner_free(second);
    fedn_config_free(config);
    pthread_cond_destroy(&kept.cond);
    pthread_mutex_destroy(&kept.mutex);
    network_stop(net);
}

static void clients_of_a_combiner_that_stops_go_to_another(void **state)
{
    network *net = network_start(2);

    (void)state;
    atomic_store(&trained, 0);
    atomic_store(&released, 1000);
    network_client(net, "one", train, NULL, NULL);
    network_await_clients(net, 1);
    push_zero(net);
    fedn_combiner_free(net->combiners[0]); /* whichever it was on */
    net->combiners[0] = NULL;
    char *session = network_session(net, "", 1);
    char *status = network_await_session(net, session);
    assert_string_equal(status, "Finished");
    free(status);
    fedn_free(session);
    network_stop(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_outlives_its_combiner),
        cmocka_unit_test(a_second_combiner_of_a_name_is_refused_and_says_so),
        cmocka_unit_test(clients_of_a_combiner_that_stops_go_to_another),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
