/* SPDX-License-Identifier: Apache-2.0
 * A client as its caller has it: polling, the end in every state, identity, properties, failures.
 */
#include "client_rig.h"

#include "core/fs.h"
#include <dirent.h>
#include <stdlib.h>

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
        {"client.tls_ca", "/nowhere.pem", FEDN_ERR_NOT_FOUND, "client.tls_ca /nowhere.pem"},
        {"client.tls_ca", "/proc/version", FEDN_ERR_FORMAT, "client.tls_ca /proc/version PEM"},
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

/* The one thing that is in work/ of the rig's directory. */
static char *only_work_of_a_new_client(rig *r)
{
    char *work = fedn__fs_join(r->dir, "work");
    char *found = NULL;
    struct dirent *entry;

    rig_client(r);
    DIR *dir = opendir(work);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) /* NOLINT(concurrency-mt-unsafe) */
        if (entry->d_name[0] != '.') {
            assert_null(found);
            found = strdup(entry->d_name);
        }
    closedir(dir);
    fedn_client_free(r->client);
    r->client = NULL;
    fedn__free(work);
    assert_non_null(found);
    return found;
}

static void a_program_of_an_earlier_process_meets_no_file_of_this_one(void **state)
{
    rig r;
    fedn_error err;

    (void)state;
    rig_init(&r);
    rig_set(&r, "client.state_dir", r.dir);
    char *left = fedn__fs_join(r.dir, "work/task-1/deeper");
    assert_ok(fedn__fs_mkdirs(left, &err), &err);
    char *first = only_work_of_a_new_client(&r);
    char *second = only_work_of_a_new_client(&r);
    assert_string_not_equal(first, "task-1");
    assert_string_not_equal(first, second);
    free(first);
    free(second);
    fedn__free(left);
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
        cmocka_unit_test(polling_runs_callbacks_on_the_calling_thread),
        cmocka_unit_test(polling_a_started_client_is_refused),
        cmocka_unit_test(polling_tells_of_a_refusal),
        cmocka_unit_test(stop_before_the_start_makes_run_return),
        cmocka_unit_test(stop_from_another_thread_makes_run_return),
        cmocka_unit_test(free_in_every_state_leaves_nothing_behind),
        cmocka_unit_test(identity_is_kept_in_the_state_dir),
        cmocka_unit_test(bad_properties_are_named),
        cmocka_unit_test(state_dir_belongs_to_one_client),
        cmocka_unit_test(a_program_of_an_earlier_process_meets_no_file_of_this_one),
        cmocka_unit_test(creation_survives_failing_allocations),
        cmocka_unit_test(start_survives_failing_allocations),
        cmocka_unit_test(null_is_refused_or_ignored),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
