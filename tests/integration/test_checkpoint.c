/* SPDX-License-Identifier: Apache-2.0
 * A combiner that writes its aggregate down in the midst of a round lets go of the updates in it,
 * and goes on from there after a restart. */
#include "network.h"
#include "test.h"

#include "core/alloc.h"
#include "core/fs.h"
#include <dirent.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS = 7, EARLY = 5, ELEMENTS = 100000 };

static atomic_int late_may_end;

/* Client n adds n + 1; its weight is 2^n. */
typedef struct trainer {
    int n;
} trainer;

static fedn_status train(fedn_task *task, fedn_error *err, void *user_data)
{
    const trainer *t = user_data;

    while (t->n >= EARLY && !atomic_load(&late_may_end) && !fedn_task_is_cancelled(task))
        fedn_task_progress(task, 1, 2);
    return network_trained(task, (float)(t->n + 1), 1 << t->n, err);
}

static uint32_t count_files(const network *net, const char *name)
{
    char *path = fedn__strf("%s/combiner-0/%s", net->dir, name);
    uint32_t count = 0;
    DIR *dir = opendir(path);

    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.' && !strstr(entry->d_name, ".");
    if (dir)
        closedir(dir);
    fedn__free(path);
    return count;
}

static void the_round_goes_on_from_the_checkpoint(void **state)
{
    trainer trainers[CLIENTS];
    char id[16];
    double sum = 0;
    double weight = 0;

    (void)state;
    atomic_store(&late_may_end, 0);
    network_set("combiner.checkpoint_bytes", "1");
    network *net = network_start(1);
    fedn_model *seed = network_model(ELEMENTS, 0);
    for (int i = 0; i < CLIENTS; i++) {
        trainers[i].n = i;
        sum += (double)(1 << i) * (i + 1);
        weight += 1 << i;
        snprintf(id, sizeof id, "c%d", i);
        network_client(net, id, train, NULL, &trainers[i]);
    }
    network_await_clients(net, CLIENTS);
    fedn_free(network_push(net, seed));
    fedn_model_unref(seed);
    char *session = network_session(net, "", 1);
    /* four updates became one aggregate, the fifth is kept beside it */
    while (count_files(net, "partials") != 1 || count_files(net, "updates") != 1)
        json_decref(network_get(net, "status"));
    network_restart(net, 0);
    assert_int_equal(count_files(net, "partials"), 1);
    atomic_store(&late_may_end, 1);
    char *status = network_await_session(net, session);
    assert_string_equal(status, "Finished");
    fedn_model *newest = network_newest(net);
    assert_true(((const float *)fedn_model_data(newest, 0))[ELEMENTS - 1] == (float)(sum / weight));
    json_t *rounds = network_rounds(net, session);
    const json_t *combiner =
        json_array_get(json_object_get(json_array_get(rounds, 0), "combiners"), 0);
    assert_int_equal(json_integer_value(
                         json_object_get(json_object_get(combiner, "data"), "nr_expected_updates")),
                     CLIENTS);
    assert_true(json_number_value(json_object_get(combiner, "weight")) == weight);
    json_decref(rounds);
    fedn_model_unref(newest);
    free(status);
    fedn_free(session);
    while (count_files(net, "partials") != 0 || count_files(net, "updates") != 0)
        json_decref(network_get(net, "status"));
    network_stop(net);
    network_set("combiner.checkpoint_bytes", "1G");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_round_goes_on_from_the_checkpoint),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
