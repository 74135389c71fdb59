/* SPDX-License-Identifier: Apache-2.0
 * A trained update on disk: as it was, or not at all. */
#include "test.h"

#include "core/fs.h"
#include "roles/client/kept.h"
#include <stdlib.h>
#include <unistd.h>

typedef struct desk {
    char *dir;
    char *work;
    atomic_int stopping;
    fedn__order order;
} desk;

static char correlation[] = "c-1", session[] = "s-1", number[] = "3", npz[] = "npz",
            name[] = "combiner", model_id[] = "aaaaaaaa-0000-4000-8000-000000000001",
            config[] = "{\"round_id\": \"3\", \"more\": [1, 2]}";

static void desk_init(desk *d, char *dir)
{
    fedn_error err;

    memset(d, 0, sizeof *d);
    d->dir = dir;
    d->work = fedn__fs_join(dir, "work");
    assert_ok(fedn__fs_mkdirs(d->work, &err), &err);
    d->order = (fedn__order){.type = FEDN_TASK_TRAIN,
                             .wire_type = 2,
                             .correlation_id = correlation,
                             .session_id = session,
                             .round_id = number,
                             .model_id = model_id,
                             .config = config,
                             .format = npz,
                             .combiner = name,
                             .inline_bytes = 131072};
}

/* As a callback leaves it: a model of `bytes` in memory or in a file of its own. */
static fedn_status train(desk *d, uint64_t bytes, int32_t in_file, fedn_task **ret, fedn_error *err)
{
    const fedn__task_setup setup = {.order = &d->order,
                                    .work_dir = d->work,
                                    .model_format = "",
                                    .stopping = &d->stopping,
                                    .serial = 1};
    uint8_t *data = calloc(1, bytes + 1);

    memset(data, 7, bytes);
    fedn_status rc = fedn__task_new(&setup, ret, err);
    if (rc == FEDN_OK && in_file) {
        test_write_file((*ret)->update_path, data, bytes);
        (*ret)->result = FEDN__RESULT_FILE;
        rc = fedn__blob_from_file((*ret)->update_path, &(*ret)->update, err);
    } else if (rc == FEDN_OK) {
        (*ret)->result = FEDN__RESULT_BYTES;
        rc = fedn__blob_copy(data, bytes, &(*ret)->update, err);
    }
    free(data);
    if (rc != FEDN_OK)
        return rc;
    (*ret)->num_examples = 12.5;
    (*ret)->processing_s = 0.1;
    rc = fedn_task_set_metric(*ret, "loss", 1.0 / 3, err);
    return rc == FEDN_OK ? fedn_task_set_metric(*ret, "acc", 1, err) : rc;
}

static const fedn__kept about = {
    .update_id = "bbbbbbbb-0000-4000-8000-000000000002", .target = "host:12080", .fetch_s = 2};

static void store_one(desk *d, uint64_t bytes, int32_t in_file)
{
    fedn_task *task = NULL;
    fedn_error err;

    assert_ok(train(d, bytes, in_file, &task, &err), &err);
    assert_ok(fedn__kept_store(d->dir, task, &about, &err), &err);
    assert_int_equal(access(task->update_path, F_OK), -1);
    fedn__task_free(task);
}

static void an_update_comes_back_as_it_was(void **state)
{
    desk d;
    fedn_error err;

    desk_init(&d, *state);
    for (int32_t in_file = 0; in_file < 2; in_file++) {
        fedn__kept kept;
        fedn_task *task = NULL;
        const uint8_t *data = NULL;
        store_one(&d, 300000, in_file);
        assert_ok(fedn__kept_load(d.dir, &kept, &err), &err);
        assert_string_equal(kept.update_id, about.update_id);
        assert_string_equal(kept.target, "host:12080");
        assert_true(kept.fetch_s == 2 && kept.order->inline_bytes == 131072);
        assert_string_equal(kept.order->correlation_id, correlation);
        assert_string_equal(kept.order->session_id, session);
        assert_string_equal(kept.order->round_id, number);
        assert_string_equal(kept.order->model_id, model_id);
        assert_string_equal(kept.order->config, config);
        assert_string_equal(kept.order->combiner, name);
        assert_int_equal(kept.order->type, FEDN_TASK_TRAIN);
        assert_int_equal(kept.order->wire_type, 2);
        assert_ok(fedn__kept_task(&kept, d.work, &d.stopping, &task, &err), &err);
        assert_true(task->num_examples == 12.5 && task->processing_s == 0.1);
        assert_int_equal(task->metric_count, 2);
        assert_string_equal(task->metrics[0].name, "loss");
        assert_true(task->metrics[0].value == 1.0 / 3);
        assert_int_equal(fedn__blob_bytes(task->update), 300000);
        assert_ok(fedn__blob_map(task->update, &data, &err), &err);
        assert_int_equal(data[299999], 7);
        fedn__task_free(task);
        fedn__kept_done(&kept);
    }
    fedn__kept_drop(d.dir);
    fedn__kept kept;
    assert_fails(fedn__kept_load(d.dir, &kept, &err), FEDN_ERR_NOT_FOUND, &err, "update.json");
    fedn__free(d.work);
}

/* Every byte of the record, every length of it, and a model that is another. */
static void what_is_damaged_is_seen(void **state)
{
    desk d;
    fedn_error err;
    fedn__kept kept;
    uint64_t bytes = 0;

    desk_init(&d, *state);
    store_one(&d, 1000, 1);
    char *path = fedn__fs_join(d.dir, "update.json");
    char *model = fedn__fs_join(d.dir, "update.model");
    char *record = test_read_file(path, &bytes);
    for (uint64_t at = 0; at < bytes; at++) {
        record[at] ^= 4;
        test_write_file(path, record, bytes);
        assert_int_equal(fedn__kept_load(d.dir, &kept, &err), FEDN_ERR_FORMAT);
        record[at] ^= 4;
        test_write_file(path, record, at);
        assert_int_equal(fedn__kept_load(d.dir, &kept, &err), FEDN_ERR_FORMAT);
    }
    test_write_file(path, record, bytes);
    assert_ok(fedn__kept_load(d.dir, &kept, &err), &err);
    fedn__kept_done(&kept);
    test_write_file(model, record, bytes);
    assert_fails(fedn__kept_load(d.dir, &kept, &err), FEDN_ERR_FORMAT, &err, "1000");
    assert_int_equal(truncate(model, 1000), 0);
    assert_fails(fedn__kept_load(d.dir, &kept, &err), FEDN_ERR_FORMAT, &err, "1000 trained");
    assert_int_equal(unlink(model), 0);
    assert_fails(fedn__kept_load(d.dir, &kept, &err), FEDN_ERR_FORMAT, &err, "without_its_model");
    free(record);
    fedn__free(model);
    fedn__free(path);
    fedn__free(d.work);
}

static fedn_status store_and_load(void *arg)
{
    desk *d = arg;
    fedn_task *task = NULL;
    fedn_task *again = NULL;
    fedn__kept kept = {.fetch_s = 0};
    fedn_error err;

    fedn_status rc = train(d, 1000, 0, &task, &err);
    if (rc == FEDN_OK)
        rc = fedn__kept_store(d->dir, task, &about, &err);
    if (rc == FEDN_OK)
        rc = fedn__kept_load(d->dir, &kept, &err);
    if (rc == FEDN_OK)
        rc = fedn__kept_task(&kept, d->work, &d->stopping, &again, &err);
    fedn__task_free(again);
    fedn__kept_done(&kept);
    fedn__task_free(task);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    desk d;

    desk_init(&d, *state);
    test_fail_each_allocation(store_and_load, &d);
    fedn__free(d.work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, test_scratch_setup, test_scratch_teardown)
        TEST(an_update_comes_back_as_it_was),
        TEST(what_is_damaged_is_seen),
        TEST(each_allocation_may_fail),
    };

    return cmocka_run_group_tests_name("client kept", tests, NULL, NULL);
}
