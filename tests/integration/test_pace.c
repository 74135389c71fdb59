/* SPDX-License-Identifier: Apache-2.0
 * Sessions that do not wait for everybody, over a whole network: a slow client's update counts in a
 * later round, for what it learned and with the weight of its age; a round asks more than it needs.
 */
#include "network.h"
#include "test.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct trainer {
    float step;        /* what it adds to each element */
    atomic_int begun;  /* trainings */
    atomic_int passes; /* trainings that may end */
} trainer;

static fedn_status train(fedn_task *task, fedn_error *err, void *user_data)
{
    trainer *t = user_data;
    int turn = atomic_fetch_add(&t->begun, 1);

    while (atomic_load(&t->passes) <= turn && !fedn_task_is_cancelled(task))
        fedn_task_progress(task, 1, 2);
    return network_trained(task, t->step, 1, err);
}

/* The outcome of a client in a round's record. */
static json_t *outcome_of(const json_t *round, const char *client_id)
{
    const json_t *combiner = json_array_get(json_object_get(round, "combiners"), 0);
    const json_t *clients = json_object_get(combiner, "clients");
    json_t *client = NULL;
    size_t i = 0;

    json_array_foreach(clients, i, client)
    {
        if (strcmp(json_string_value(json_object_get(client, "client_id")), client_id) == 0)
            return client;
    }
    return NULL;
}

static void a_slow_client_counts_by_what_it_learned(void **state)
{
    trainer fast[2] = {{.step = 1}, {.step = 1}};
    trainer slow = {.step = 8};
    network *net = network_start(1);
    fedn_model *seed = network_model(4, 0);

    (void)state;
    atomic_store(&fast[0].passes, 2); /* not in the third round */
    atomic_store(&fast[1].passes, 3);
    network_client(net, "a", train, NULL, &fast[0]);
    network_client(net, "b", train, NULL, &fast[1]);
    network_client(net, "slow", train, NULL, &slow);
    network_await_clients(net, 3);
    fedn_free(network_push(net, seed));
    fedn_model_unref(seed);
    char *session = network_session(
        net, "\"mode\": \"async\", \"buffer_size\": 2, \"staleness_exponent\": 1", 3);
    while (atomic_load(&fast[0].begun) < 3) /* two rounds are over */
        json_decref(network_get(net, "status"));
    atomic_store(&slow.passes, 1);
    char *status = network_await_session(net, session);
    assert_string_equal(status, "Finished");
    assert_int_equal(atomic_load(&slow.begun), 1);

    /* models 0, 1, 2; b gives 3, the slow one 8 from model 0: (3 + (8 - 0 + 2) / 3) / (1 + 1 / 3)
     */
    fedn_model *newest = network_newest(net);
    float value = ((const float *)fedn_model_data(newest, 0))[2];
    assert_true(fabsf(value - 4.75f) < 1e-5f);
    json_t *rounds = network_rounds(net, session);
    const json_t *entry = outcome_of(json_array_get(rounds, 2), "slow");
    assert_non_null(entry);
    assert_string_equal(json_string_value(json_object_get(entry, "outcome")), "accepted");
    assert_int_equal(json_integer_value(json_object_get(entry, "staleness")), 2);
    assert_string_equal(json_string_value(json_object_get(
                            outcome_of(json_array_get(rounds, 0), "slow"), "outcome")),
                        "pending");
    json_decref(rounds);
    fedn_model_unref(newest);
    atomic_store(&fast[0].passes, 1000);
    free(status);
    fedn_free(session);
    network_stop(net);
}

static uint32_t count_outcomes(const json_t *round, const char *outcome)
{
    const json_t *combiner = json_array_get(json_object_get(round, "combiners"), 0);
    const json_t *client = NULL;
    uint32_t count = 0;
    size_t i = 0;

    json_array_foreach(json_object_get(combiner, "clients"), i, client) count +=
        strcmp(json_string_value(json_object_get(client, "outcome")), outcome) == 0;
    return count;
}

static void a_round_asks_more_than_it_needs_and_leaves_the_others_alone(void **state)
{
    trainer willing = {.step = 1};
    network *net = network_start(1);
    fedn_model *seed = network_model(4, 0);
    char id[8];

    (void)state;
    atomic_store(&willing.passes, 1000);
    for (int i = 0; i < 6; i++) {
        snprintf(id, sizeof id, "c%d", i);
        network_client(net, id, train, NULL, &willing);
    }
    network_await_clients(net, 6);
    fedn_free(network_push(net, seed));
    fedn_model_unref(seed);
    char *session = network_session(net, "\"ask\": 3, \"buffer_size\": 2", 4);
    char *status = network_await_session(net, session);
    assert_string_equal(status, "Finished");
    json_t *rounds = network_rounds(net, session);
    for (size_t i = 0; i < 4; i++) {
        const json_t *round = json_array_get(rounds, i);
        assert_int_equal(count_outcomes(round, "accepted"), 2);
        assert_int_equal(count_outcomes(round, "late") + count_outcomes(round, "refused"), 1);
    }
    fedn_model *newest = network_newest(net);
    assert_true(((const float *)fedn_model_data(newest, 0))[1] == 4);
    fedn_model_unref(newest);
    json_decref(rounds);
    free(status);
    fedn_free(session);
    network_stop(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_client_counts_by_what_it_learned),
        cmocka_unit_test(a_round_asks_more_than_it_needs_and_leaves_the_others_alone),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
