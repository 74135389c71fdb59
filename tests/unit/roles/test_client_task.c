/* SPDX-License-Identifier: Apache-2.0
 * What a callback may do with its task, and what is checked after it. */
#include "test.h"

#include "core/fs.h"
#include "core/limits.h"
#include "roles/client/task.h"
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct bench {
    char *dir;
    char *model_path;
    fedn__blob *model;
    atomic_int stopping;
    fedn__order order;
    fedn_task *task;
    uint32_t reports;
    fedn_status (*body)(struct bench *b, fedn_task *task, fedn_error *err);
} bench;

static void count_report(void *user_data)
{
    bench *b = user_data;

    b->reports++;
}

static fedn_status make_task(bench *b, fedn_error *err)
{
    const fedn__task_setup setup = {.order = &b->order,
                                    .work_dir = b->dir,
                                    .model = b->model,
                                    .model_path = b->model_path,
                                    .model_format = "",
                                    .stopping = &b->stopping,
                                    .serial = 7,
                                    .progress = count_report,
                                    .user_data = b};

    return fedn__task_new(&setup, &b->task, err);
}

static void bench_init(bench *b, fedn_task_type type)
{
    static char session[] = "s";
    static char round[] = "3";
    static char model[] = "aaaaaaaa-0000-4000-8000-000000000001";
    static char config[] = "{\"round_id\":\"3\"}";
    static char empty[] = "";
    static const uint64_t shape[] = {2};
    static const float data[] = {1, 2};
    fedn_model *tensors = NULL;
    fedn_error err;

    memset(b, 0, sizeof *b);
    b->dir = test_scratch();
    b->model_path = fedn__fs_join(b->dir, "model");
    b->order.type = type;
    b->order.session_id = session;
    b->order.round_id = round;
    b->order.model_id = model;
    b->order.config = config;
    b->order.format = empty;
    atomic_init(&b->stopping, 0);
    assert_ok(fedn_model_new(&tensors, &err), &err);
    assert_ok(fedn_model_add(tensors, NULL, FEDN_DTYPE_F32, 1, shape, data, NULL, &err), &err);
    assert_ok(fedn_model_save(tensors, b->model_path, "npz", &err), &err);
    fedn_model_unref(tensors);
    assert_ok(fedn__blob_from_file(b->model_path, &b->model, &err), &err);
    assert_ok(make_task(b, &err), &err);
}

static void bench_done(bench *b)
{
    fedn__task_free(b->task);
    fedn__blob_unref(b->model);
    fedn__free(b->model_path);
    test_scratch_done(b->dir);
}

static fedn_status enter(fedn_task *task, fedn_error *err, void *user_data)
{
    bench *b = user_data;

    return b->body(b, task, err);
}

static fedn_status run(bench *b, fedn_status (*body)(bench *b, fedn_task *task, fedn_error *err),
                       fedn_error *err)
{
    b->body = body;
    return fedn__task_run(b->task, enter, b, err);
}

static void facts_are_those_of_the_order(void **state)
{
    bench b;

    (void)state;
    bench_init(&b, FEDN_TASK_TRAIN);
    assert_int_equal(fedn_task_get_type(b.task), FEDN_TASK_TRAIN);
    assert_string_equal(fedn_task_session_id(b.task), "s");
    assert_string_equal(fedn_task_round_id(b.task), "3");
    assert_string_equal(fedn_task_config(b.task), "{\"round_id\":\"3\"}");
    assert_string_equal(fedn_task_model_path(b.task), b.model_path);
    assert_string_equal(fedn_task_model_id(b.task), "aaaaaaaa-0000-4000-8000-000000000001");
    assert_null(fedn_task_session_id(NULL));
    assert_int_equal(fedn_task_get_type(NULL), 0);
    bench_done(&b);
}

static fedn_status bad_values(bench *b, fedn_task *task, fedn_error *err)
{
    static const double counts[] = {0, -1, NAN, INFINITY, 2e15};
    char name[300];

    (void)b;
    for (uint32_t i = 0; i < 5; i++)
        assert_fails(fedn_task_set_num_examples(task, counts[i], err), FEDN_ERR_INVALID, err,
                     "examples 1e+15");
    assert_fails(fedn_task_set_metric(task, "", 1, err), FEDN_ERR_INVALID, err, "name 255");
    assert_fails(fedn_task_set_metric(task, NULL, 1, err), FEDN_ERR_INVALID, err, "name");
    assert_fails(fedn_task_set_metric(task, "\xff", 1, err), FEDN_ERR_INVALID, err, "UTF-8");
    assert_fails(fedn_task_set_metric(task, "loss", NAN, err), FEDN_ERR_INVALID, err, "loss nan");
    memset(name, 'x', sizeof name);
    name[256] = 0;
    assert_fails(fedn_task_set_metric(task, name, 1, err), FEDN_ERR_INVALID, err, "255");
    assert_fails(fedn_task_set_data(task, "{}", err), FEDN_ERR_STATE, err, "train");
    assert_fails(fedn_task_set_model_bytes(task, "", 0, err), FEDN_ERR_INVALID, err, "0_bytes");
    assert_fails(fedn_task_set_model_file(task, "/no/file", err), FEDN_ERR_NOT_FOUND, err,
                 "/no/file");
    assert_fails(fedn_task_set_model_file(task, fedn_task_dir(task), err), FEDN_ERR_INVALID, err,
                 "not_a_file");
    assert_fails(fedn_task_set_model(task, NULL, err), FEDN_ERR_INVALID, err, "NULL");
    for (int i = 0; i < FEDN__LIMIT_METRICS; i++) {
        snprintf(name, sizeof name, "m%d", i);
        assert_ok(fedn_task_set_metric(task, name, i, err), err);
    }
    assert_ok(fedn_task_set_metric(task, "m3", 9, err), err);
    assert_fails(fedn_task_set_metric(task, "one more", 1, err), FEDN_ERR_LIMIT, err, "256");
    return FEDN_OK;
}

static void setters_refuse_bad_values(void **state)
{
    fedn_error err;
    bench b;

    (void)state;
    bench_init(&b, FEDN_TASK_TRAIN);
    assert_fails(run(&b, bad_values, &err), FEDN_ERR_CALLBACK, &err, "set_no_model");
    bench_done(&b);
}

static fedn_status set_three_times(bench *b, fedn_task *task, fedn_error *err)
{
    fedn_model *model = NULL;

    char *path = fedn__fs_join(fedn_task_dir(task), "own");
    test_write_file(path, "file", 4);
    assert_ok(fedn_task_set_model_file(task, path, err), err);
    assert_int_not_equal(access(path, F_OK), 0); /* moved */
    fedn__free(path);
    assert_ok(fedn_task_model(task, &model, err), err);
    assert_ok(fedn_task_set_model(task, model, err), err);
    assert_ok(fedn_task_set_model_bytes(task, "bytes", 5, err), err);
    (void)b;
    return fedn_task_set_num_examples(task, 1, err);
}

static void last_model_set_counts(void **state)
{
    fedn_error err;
    char text[6] = "";
    bench b;

    (void)state;
    bench_init(&b, FEDN_TASK_TRAIN);
    assert_ok(run(&b, set_three_times, &err), &err);
    assert_int_equal(fedn__blob_bytes(b.task->update), 5);
    assert_ok(fedn__blob_read(b.task->update, 0, text, 5, &err), &err);
    assert_string_equal(text, "bytes");
    assert_int_not_equal(access(b.task->dir, F_OK), 0);
    assert_int_not_equal(access(b.task->update_path, F_OK), 0); /* the file that was set first */
    bench_done(&b);
}

static fedn_status set_large(bench *b, fedn_task *task, fedn_error *err)
{
    uint64_t elements = FEDN__LIMIT_MEMORY_MODEL / 4 + 1;
    fedn_model *model = NULL;

    (void)b;
    assert_ok(fedn_model_new(&model, err), err);
    assert_ok(fedn_model_add(model, NULL, FEDN_DTYPE_F32, 1, &elements, NULL, NULL, err), err);
    assert_ok(fedn_task_set_model(task, model, err), err);
    fedn_model_unref(model);
    return fedn_task_set_num_examples(task, 1, err);
}

static void a_large_model_is_kept_in_a_file_until_the_task_is_gone(void **state)
{
    fedn_error err;
    bench b;

    (void)state;
    bench_init(&b, FEDN_TASK_TRAIN);
    assert_ok(run(&b, set_large, &err), &err);
    assert_true(fedn__blob_fd(b.task->update) >= 0);
    char *path = fedn__strdup(b.task->update_path);
    assert_int_equal(access(path, F_OK), 0);
    fedn__task_free(b.task);
    b.task = NULL;
    assert_int_not_equal(access(path, F_OK), 0);
    fedn__free(path);
    bench_done(&b);
}

static fedn_status ask_for_the_file(bench *b, fedn_task *task, fedn_error *err)
{
    uint64_t bytes = 0;
    uint64_t file_bytes = 0;
    const void *data = NULL;

    (void)b;
    const char *path = fedn_task_model_path(task);
    assert_non_null(path);
    assert_ok(fedn_task_model_bytes(task, &data, &bytes, err), err);
    char *file = test_read_file(path, &file_bytes);
    assert_int_equal(file_bytes, bytes);
    assert_memory_equal(file, data, bytes);
    free(file);
    assert_ptr_equal(fedn_task_model_path(task), path);
    return FEDN_ERR_CALLBACK;
}

static void a_model_in_memory_gets_a_file_when_it_is_asked_for(void **state)
{
    fedn_error err;
    uint64_t bytes = 0;
    bench b;

    (void)state;
    bench_init(&b, FEDN_TASK_TRAIN);
    char *data = test_read_file(b.model_path, &bytes);
    fedn__blob_unref(b.model);
    assert_ok(fedn__blob_copy(data, bytes, &b.model, &err), &err);
    free(data);
    fedn__free(b.model_path);
    b.model_path = NULL;
    fedn__task_free(b.task);
    assert_ok(make_task(&b, &err), &err);
    assert_int_equal(run(&b, ask_for_the_file, &err), FEDN_ERR_CALLBACK);
    char *path = fedn__strf("%s-model", b.task->dir);
    assert_int_not_equal(access(path, F_OK), 0); /* gone with the callback */
    fedn__free(path);
    bench_done(&b);
}

static fedn_status link_out_of_dir(bench *b, fedn_task *task, fedn_error *err)
{
    char *link = fedn__fs_join(fedn_task_dir(task), "link");

    assert_int_equal(symlink(b->model_path, link), 0);
    assert_ok(fedn_task_set_model_file(task, link, err), err);
    fedn__free(link);
    return fedn_task_set_num_examples(task, 1, err);
}

static void file_behind_a_link_stays_where_it_is(void **state)
{
    fedn_error err;
    bench b;

    (void)state;
    bench_init(&b, FEDN_TASK_TRAIN);
    assert_ok(run(&b, link_out_of_dir, &err), &err);
    assert_int_equal(access(b.model_path, F_OK), 0);
    bench_done(&b);
}

static fedn_status set_data(bench *b, fedn_task *task, fedn_error *err)
{
    (void)b;
    assert_fails(fedn_task_set_data(task, "{", err), FEDN_ERR_INVALID, err, "not_JSON");
    assert_fails(fedn_task_set_model_bytes(task, "x", 1, err), FEDN_ERR_STATE, err, "train");
    uint64_t bytes = FEDN__LIMIT_RESULT_BYTES + 1;
    char *large = malloc(bytes + 1);
    memset(large, '1', bytes);
    large[bytes] = 0;
    assert_fails(fedn_task_set_data(task, large, err), FEDN_ERR_LIMIT, err, "131072");
    free(large);
    assert_ok(fedn_task_set_data(task, "1", err), err);
    assert_ok(fedn_task_set_data(task, "{\"loss\": NaN}", err), err); /* Python's JSON */
    return fedn_task_set_data(task, "[2]", err);
}

static void data_is_checked_json(void **state)
{
    fedn_error err;
    bench b;

    (void)state;
    bench_init(&b, FEDN_TASK_PREDICT);
    assert_ok(run(&b, set_data, &err), &err);
    assert_string_equal(b.task->data, "[2]");
    bench_done(&b);
}

static fedn_status nothing(bench *b, fedn_task *task, fedn_error *err)
{
    (void)b;
    (void)task;
    (void)err;
    return FEDN_OK;
}

static fedn_status fails_without_text(bench *b, fedn_task *task, fedn_error *err)
{
    (void)b;
    (void)task;
    (void)err;
    return FEDN_ERR_IO;
}

static fedn_status fails_in_latin1(bench *b, fedn_task *task, fedn_error *err)
{
    (void)b;
    (void)task;
    memcpy(err->message, "\xe4", 2);
    return FEDN_ERR_IO;
}

static void results_are_checked_and_failures_explained(void **state)
{
    static const struct {
        fedn_task_type type;
        fedn_status (*body)(bench *b, fedn_task *task, fedn_error *err);
        const char *words;
    } cases[] = {
        {FEDN_TASK_TRAIN, nothing, "set_no_model"},
        {FEDN_TASK_VALIDATE, nothing, "set_no_metrics"},
        {FEDN_TASK_PREDICT, nothing, "set_no_data"},
        {FEDN_TASK_TRAIN, fails_without_text, "input_or_output_failed"},
        {FEDN_TASK_TRAIN, fails_in_latin1, "UTF-8"},
    };
    fedn_error err;

    (void)state;
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench b;
        bench_init(&b, cases[i].type);
        assert_fails(run(&b, cases[i].body, &err), FEDN_ERR_CALLBACK, &err, cases[i].words);
        bench_done(&b);
    }
}

static void cancelling_is_seen_by_flag_and_descriptor(void **state)
{
    bench b;

    (void)state;
    bench_init(&b, FEDN_TASK_TRAIN);
    struct pollfd wait = {.fd = fedn_task_cancel_fd(b.task), .events = POLLIN};
    assert_int_equal(fedn_task_is_cancelled(b.task), 0);
    assert_int_equal(poll(&wait, 1, 0), 0);
    fedn__task_cancel(b.task);
    assert_int_equal(fedn_task_is_cancelled(b.task), 1);
    assert_int_equal(poll(&wait, 1, 0), 1);
    bench_done(&b);
    bench_init(&b, FEDN_TASK_TRAIN);
    atomic_store(&b.stopping, 1);
    assert_int_equal(fedn_task_is_cancelled(b.task), 1);
    bench_done(&b);
}

static void progress_is_reported_once_a_second(void **state)
{
    uint64_t done = 0;
    uint64_t total = 0;
    bench b;

    (void)state;
    bench_init(&b, FEDN_TASK_TRAIN);
    fedn_task_progress(b.task, 1, 0);
    assert_int_equal(b.reports, 0);
    fedn_task_progress(b.task, 9, 4);
    for (uint64_t i = 0; i < 1000; i++)
        fedn_task_progress(b.task, i, 1000);
    assert_int_equal(b.reports, 1);
    fedn__task_get_progress(b.task, &done, &total);
    assert_int_equal(done, 4);
    assert_int_equal(total, 4);
    bench_done(&b);
}

static fedn_status everything(bench *b, fedn_task *task, fedn_error *err)
{
    fedn_model *model = NULL;

    (void)b;
    fedn_status rc = fedn_task_model(task, &model, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_model(task, model, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_metric(task, "loss", 1, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_num_examples(task, 2, err);
    return rc;
}

static fedn_status one_run(void *arg)
{
    bench *b = arg;
    fedn_error err = {0};

    fedn_status rc = make_task(b, &err);
    if (rc == FEDN_OK)
        rc = run(b, everything, &err);
    fedn__task_free(b->task);
    b->task = NULL;
    /* a callback's failure is reported as such, whatever it was */
    return rc == FEDN_ERR_CALLBACK ? FEDN_ERR_NOMEM : rc;
}

static void running_survives_failing_allocations(void **state)
{
    bench b;

    (void)state;
    bench_init(&b, FEDN_TASK_TRAIN);
    fedn__task_free(b.task);
    b.task = NULL;
    test_fail_each_allocation(one_run, &b);
    bench_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_those_of_the_order),
        cmocka_unit_test(setters_refuse_bad_values),
        cmocka_unit_test(last_model_set_counts),
        cmocka_unit_test(a_large_model_is_kept_in_a_file_until_the_task_is_gone),
        cmocka_unit_test(a_model_in_memory_gets_a_file_when_it_is_asked_for),
        cmocka_unit_test(file_behind_a_link_stays_where_it_is),
        cmocka_unit_test(data_is_checked_json),
        cmocka_unit_test(results_are_checked_and_failures_explained),
        cmocka_unit_test(cancelling_is_seen_by_flag_and_descriptor),
        cmocka_unit_test(progress_is_reported_once_a_second),
        cmocka_unit_test(running_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
