/* SPDX-License-Identifier: Apache-2.0
 * The life of a task: its files, its callback, the check of what the callback left. The functions
 * that the callback calls are in task_api.c. */
#include "roles/client/task.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/limits.h"
#include "core/text.h"
#include <string.h>
#include <unistd.h>

static const char *choose_format(const fedn__task_setup *setup)
{
    if (setup->model_format[0])
        return setup->model_format;
    return setup->order->format[0] ? setup->order->format : "npz";
}

fedn_status fedn__task_new(const fedn__task_setup *setup, fedn_task **ret, fedn_error *err)
{
    *ret = NULL;
    fedn_task *task = fedn__alloc_zero(sizeof *task);
    if (!task)
        return fedn__error_nomem(err);
    task->order = setup->order;
    task->stopping = setup->stopping;
    task->progress = setup->progress;
    task->log_metric = setup->log_metric;
    task->user_data = setup->user_data;
    task->progress_at_ms = INT64_MIN;
    atomic_init(&task->cancelled, 0);
    task->cancel_fds[0] = task->cancel_fds[1] = -1;
    (void)pthread_mutex_init(&task->mutex, NULL);
    unsigned long long serial = setup->serial;
    task->dir = fedn__strf("%s/task-%llu", setup->work_dir, serial);
    task->update_path = fedn__strf("%s/update-%llu", setup->work_dir, serial);
    task->blob = fedn__blob_ref(setup->model);
    task->model_path = fedn__strdup(setup->model_path);
    task->format = fedn__strdup(choose_format(setup));
    if (!task->dir || !task->update_path || (setup->model_path && !task->model_path) ||
        !task->format) {
        fedn__task_free(task);
        return fedn__error_nomem(err);
    }
    *ret = task;
    return FEDN_OK;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void drop_inputs(fedn_task *task)
{
    task->model = fedn_model_unref(task->model);
    task->trained = fedn_model_unref(task->trained);
    task->blob = fedn__blob_unref(task->blob);
    if (task->own_model_file)
        (void)fedn__fs_unlink(task->model_path, NULL);
    task->own_model_file = 0;
    if (task->has_dir)
        (void)fedn__fs_remove_tree(task->dir, NULL);
    task->has_dir = 0;
}

void fedn__task_free(fedn_task *task)
{
    if (!task)
        return;
    drop_inputs(task);
    if (task->result == FEDN__RESULT_FILE)
        (void)fedn__fs_unlink(task->update_path, NULL);
    task->update = fedn__blob_unref(task->update);
    for (uint32_t i = 0; i < task->metric_count; i++)
        fedn__free(task->metrics[i].name);
    fedn__free(task->metrics);
    fedn__free(task->data);
    fedn__free(task->dir);
    fedn__free(task->model_path);
    fedn__free(task->update_path);
    fedn__free(task->format);
    close_fd(&task->cancel_fds[0]);
    close_fd(&task->cancel_fds[1]);
    (void)pthread_mutex_destroy(&task->mutex);
    fedn__free(task);
}

void fedn__task_cancel(fedn_task *task)
{
    (void)pthread_mutex_lock(&task->mutex);
    atomic_store(&task->cancelled, 1);
    close_fd(&task->cancel_fds[1]);
    (void)pthread_mutex_unlock(&task->mutex);
}

void fedn__task_get_progress(fedn_task *task, uint64_t *ret_done, uint64_t *ret_total)
{
    (void)pthread_mutex_lock(&task->mutex);
    *ret_done = task->done;
    *ret_total = task->total;
    (void)pthread_mutex_unlock(&task->mutex);
}

static fedn_status check_result(const fedn_task *task, fedn_error *err)
{
    switch (task->order->type) {
    case FEDN_TASK_TRAIN:
        if (task->result == FEDN__RESULT_NONE)
            return fedn__error(err, FEDN_ERR_CALLBACK, "the train callback set no model");
        if (task->num_examples <= 0)
            return fedn__error(err, FEDN_ERR_CALLBACK,
                               "the train callback set no number of examples");
        return FEDN_OK;
    case FEDN_TASK_VALIDATE:
        if (!task->data && task->metric_count == 0)
            return fedn__error(err, FEDN_ERR_CALLBACK, "the validate callback set no metrics");
        return FEDN_OK;
    default:
        if (!task->data && task->metric_count == 0)
            return fedn__error(err, FEDN_ERR_CALLBACK, "the predict callback set no data");
        return FEDN_OK;
    }
}

static uint64_t tensor_bytes(const fedn_model *model)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < fedn_model_count(model); i++)
        bytes += fedn_model_bytes(model, i);
    return bytes;
}

static fedn_status encode_in_memory(fedn_task *task, fedn_error *err)
{
    void *data = NULL;
    uint64_t bytes = 0;

    fedn_status rc = fedn_model_encode(task->trained, task->format, &data, &bytes, err);
    if (rc == FEDN_OK)
        rc = fedn__blob_from_memory(data, bytes, &task->update, err);
    if (rc == FEDN_OK)
        task->result = FEDN__RESULT_BYTES;
    else
        fedn__free(data);
    return rc;
}

/* Whatever the callback left becomes bytes to upload: of a small model in memory, else in a file.
 */
static fedn_status encode(fedn_task *task, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    if (task->result == FEDN__RESULT_TENSORS &&
        tensor_bytes(task->trained) <= FEDN__LIMIT_MEMORY_MODEL)
        return encode_in_memory(task, err);
    if (task->result == FEDN__RESULT_TENSORS) {
        rc = fedn_model_save(task->trained, task->update_path, task->format, err);
        if (rc == FEDN_OK)
            task->result = FEDN__RESULT_FILE;
    }
    if (rc == FEDN_OK && task->result == FEDN__RESULT_FILE)
        rc = fedn__blob_from_file(task->update_path, &task->update, err);
    return rc;
}

/* A callback that fails without a text, or with more than a line, must still make sense to the
 * operator who reads it far away. */
static fedn_status call(fedn_task *task, fedn_task_fn fn, void *user_data, fedn_error *err)
{
    fedn_error why = {0};

    fedn_status rc = fn(task, &why, user_data);
    if (rc == FEDN_OK)
        return FEDN_OK;
    why.message[sizeof why.message - 1] = 0;
    if (!fedn__text_is_utf8(why.message, strlen(why.message)))
        return fedn__error(err, FEDN_ERR_CALLBACK,
                           "the callback failed with %d: its text is not UTF-8", (int)rc);
    if (!why.message[0])
        return fedn__error(err, FEDN_ERR_CALLBACK, "the callback failed: %s",
                           fedn_status_string(rc));
    return fedn__error(err, FEDN_ERR_CALLBACK, "%s", why.message);
}

fedn_status fedn__task_run(fedn_task *task, fedn_task_fn fn, void *user_data, fedn_error *err)
{
    int64_t begun_ns = fedn__clock_ns();

    fedn_status rc = call(task, fn, user_data, err);
    if (rc == FEDN_OK)
        rc = check_result(task, err);
    if (rc == FEDN_OK)
        rc = encode(task, err);
    task->processing_s = (double)(fedn__clock_ns() - begun_ns) / 1e9;
    drop_inputs(task);
    return rc;
}
