/* SPDX-License-Identifier: Apache-2.0
 * A client that is killed with a trained update in its hands delivers it after its restart. The
 * killed one is this program again, as "run <api_url> <state_dir>". */
#include "client_rig.h"

#include "core/fs.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static fedn_status train_once(fedn_task *task, fedn_error *err, void *user_data)
{
    const void *data = NULL;
    uint64_t bytes = 0;

    (void)user_data;
    fedn_status rc = fedn_task_model_bytes(task, &data, &bytes, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_model_bytes(task, data, bytes, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_num_examples(task, 17, err);
    return rc == FEDN_OK ? fedn_task_set_metric(task, "loss", 0.125, err) : rc;
}

static int run(const char *api_url, const char *state_dir)
{
    fedn_config *config = NULL;
    fedn_client *client = NULL;

    if (fedn_config_new(&config, NULL) < 0 ||
        fedn_config_set(config, "client.api_url", api_url, NULL) < 0 ||
        fedn_config_set(config, "client.state_dir", state_dir, NULL) < 0 ||
        fedn_config_set(config, "client.id", "client-7", NULL) < 0 ||
        fedn_config_set(config, "client.name", "seven", NULL) < 0 ||
        fedn_client_new(config, &client, NULL) < 0 ||
        fedn_client_set_train(client, train_once, NULL) < 0 || fedn_client_start(client, NULL) < 0)
        return 1;
    for (;;)
        (void)pause();
}

/* Killed when the combiner has its announcement and has not answered. Returns its update's id. */
static char *train_and_be_killed(rig *r, const char *state_dir)
{
    fake_combiner_hold(r->combiner, "SendModelUpdate", 1);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "test_client_kept", "run", fake_reducer_url(r->reducer), state_dir,
              (char *)NULL);
        _exit(1);
    }
    fake_combiner_task(r->combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    const json_t *update = fake_combiner_wait(r->combiner, "SendModelUpdate", 0);
    char *id = strdup(rig_text(update, "model_update_id"));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    fake_combiner_hold(r->combiner, "SendModelUpdate", 0);
    return id;
}

static void start_in(rig *r, const char *state_dir)
{
    rig_set(r, "client.state_dir", state_dir);
    rig_start(r);
}

/* Tasks are done one after the other: what came before this one is over when it is answered. */
static void wait_until_idle(rig *r)
{
    fake_combiner_task(r->combiner, VALIDATE, "v1", MODEL_A, "{}");
    (void)fake_combiner_wait(r->combiner, "SendModelValidation", 0);
}

static void assert_nothing_kept(const char *state_dir)
{
    char *record = fedn__strf("%s/kept/update.json", state_dir);
    char *model = fedn__strf("%s/kept/update.model", state_dir);

    assert_int_equal(access(record, F_OK), -1);
    assert_int_equal(access(model, F_OK), -1);
    fedn__free(record);
    fedn__free(model);
}

/* 0: a combiner of FEDn's, where each upload has an id of its own; else one of ours. */
static void killed_with_an_update(uint32_t inline_bytes)
{
    rig r;

    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    fake_combiner_inline(r.combiner, inline_bytes);
    char *state_dir = fedn__fs_join(r.dir, "state");
    char *id = train_and_be_killed(&r, state_dir);
    start_in(&r, state_dir);
    const json_t *update = fake_combiner_wait(r.combiner, "SendModelUpdate", 1);
    assert_int_equal(strcmp(rig_text(update, "model_update_id"), id) == 0, inline_bytes > 0);
    assert_string_equal(rig_text(update, "correlation_id"), "c1");
    assert_string_equal(rig_text(update, "model_id"), MODEL_A);
    assert_string_equal(rig_text(update, "config"), ROUND_1);
    assert_string_equal(rig_text(update, "receiver.name"), "fake");
    json_t *meta = rig_json(update, "meta");
    assert_int_equal(rig_number(meta, "training_metadata.num_examples"), 17);
    assert_true(json_object_get(json_object_get(meta, "training_metadata"), "loss") != NULL);
    json_decref(meta);
    uint64_t bytes = 0;
    free(fake_combiner_uploaded(r.combiner, rig_text(update, "model_update_id"), &bytes));
    assert_true(bytes > 0);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1); /* it is handed out again */
    wait_until_idle(&r);
    assert_int_equal(rig_seen(&r, &r.trainings), 0);
    assert_int_equal(fake_combiner_count(r.combiner, "SendModelUpdate"), 2);
    assert_nothing_kept(state_dir);
    rig_done(&r);
    fedn__free(state_dir);
    free(id);
}

static void an_update_outlives_its_client_and_goes_to_fedns_combiner(void **state)
{
    (void)state;
    killed_with_an_update(0);
}

static void an_update_outlives_its_client_and_keeps_its_id(void **state)
{
    (void)state;
    killed_with_an_update(131072);
}

static void an_update_that_is_refused_after_the_restart_is_dropped(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    char *state_dir = fedn__fs_join(r.dir, "state");
    char *id = train_and_be_killed(&r, state_dir);
    fake_combiner_answer(r.combiner, "SendModelUpdate", 0, "REFUSED ModelUpdate: round 1 is over");
    start_in(&r, state_dir);
    rig_wait_log(&r, "round_1 REFUSED over");
    wait_until_idle(&r);
    assert_nothing_kept(state_dir);
    rig_done(&r);
    fedn__free(state_dir);
    free(id);
}

static void a_damaged_record_is_dropped_with_one_line(void **state)
{
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    char *state_dir = fedn__fs_join(r.dir, "state");
    char *id = train_and_be_killed(&r, state_dir);
    char *record = fedn__strf("%s/kept/update.json", state_dir);
    assert_int_equal(truncate(record, 100), 0);
    start_in(&r, state_dir);
    rig_wait_log(&r, "kept dropped torn 100");
    assert_nothing_kept(state_dir);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1); /* and it is trained anew */
    (void)fake_combiner_wait(r.combiner, "SendModelUpdate", 1);
    assert_int_equal(rig_seen(&r, &r.trainings), 1);
    assert_int_equal(rig_log_count(&r, "dropped"), 1);
    rig_done(&r);
    fedn__free(record);
    fedn__free(state_dir);
    free(id);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_outlives_its_client_and_goes_to_fedns_combiner),
        cmocka_unit_test(an_update_outlives_its_client_and_keeps_its_id),
        cmocka_unit_test(an_update_that_is_refused_after_the_restart_is_dropped),
        cmocka_unit_test(a_damaged_record_is_dropped_with_one_line),
    };

    if (argc == 4 && strcmp(argv[1], "run") == 0)
        return run(argv[2], argv[3]);
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
