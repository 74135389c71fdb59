/* SPDX-License-Identifier: Apache-2.0
 * What a callback may do with its task: include/fedn/task.h. */
#include "roles/client/task.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/text.h"
#include "model/model.h"
#include "model/source.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROGRESS_PAUSE_MS = 1000 };

fedn_task_type fedn_task_get_type(const fedn_task *task)
{
    return task ? task->order->type : 0;
}

const char *fedn_task_session_id(const fedn_task *task)
{
    return task ? task->order->session_id : NULL;
}

const char *fedn_task_round_id(const fedn_task *task)
{
    return task ? task->order->round_id : NULL;
}

const char *fedn_task_model_id(const fedn_task *task)
{
    return task ? task->order->model_id : NULL;
}

const char *fedn_task_config(const fedn_task *task)
{
    return task ? task->order->config : NULL;
}

const char *fedn_task_dir(fedn_task *task)
{
    if (!task)
        return NULL;
    if (!task->has_dir && fedn__fs_mkdirs(task->dir, NULL) == FEDN_OK)
        task->has_dir = 1;
    return task->has_dir ? task->dir : NULL;
}

/* A small model came into memory: its file is written for whoever asks. */
const char *fedn_task_model_path(fedn_task *task)
{
    const uint8_t *data = NULL;

    if (!task || task->model_path)
        return task ? task->model_path : NULL;
    char *path = fedn__strf("%s-model", task->dir);
    if (path && fedn__blob_map(task->blob, &data, NULL) == FEDN_OK &&
        fedn__fs_write_file(path, data, fedn__blob_bytes(task->blob), 0, NULL) == FEDN_OK) {
        task->model_path = path;
        task->own_model_file = 1;
        return path;
    }
    fedn__free(path);
    return NULL;
}

int32_t fedn_task_is_cancelled(const fedn_task *task)
{
    return task && (atomic_load(&task->cancelled) || atomic_load(task->stopping));
}

int32_t fedn_task_cancel_fd(fedn_task *task)
{
    int32_t fd = -1;

    if (!task)
        return -1;
    (void)pthread_mutex_lock(&task->mutex);
    /* a pair of sockets is close-on-exec from its first moment: a program that the callback starts
     * must not hold the writing end open */
    if (task->cancel_fds[0] < 0 &&
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, task->cancel_fds) == 0 &&
        atomic_load(&task->cancelled)) {
        (void)close(task->cancel_fds[1]);
        task->cancel_fds[1] = -1;
    }
    fd = task->cancel_fds[0];
    (void)pthread_mutex_unlock(&task->mutex);
    return fd;
}

fedn_status fedn_task_model(fedn_task *task, fedn_model **ret, fedn_error *err)
{
    if (!task || !ret)
        return fedn__error(err, FEDN_ERR_INVALID, "task and ret must not be NULL");
    *ret = NULL;
    if (!task->model) {
        const char *format = task->order->format[0] ? task->order->format : NULL;
        fedn__source *source = NULL;
        fedn_status rc = fedn__source_open(task->blob, format, &source, err);
        if (rc == FEDN_OK)
            rc = fedn__source_load(source, 0, &task->model, err);
        fedn__source_free(source);
        if (rc != FEDN_OK)
            return fedn__error_prefix(err, rc, "global model");
    }
    *ret = task->model;
    return FEDN_OK;
}

fedn_status fedn_task_model_bytes(fedn_task *task, const void **ret_data, uint64_t *ret_bytes,
                                  fedn_error *err)
{
    const uint8_t *data = NULL;

    if (!task || !ret_data || !ret_bytes)
        return fedn__error(err, FEDN_ERR_INVALID, "task and results must not be NULL");
    *ret_data = NULL;
    fedn_status rc = fedn__blob_map(task->blob, &data, err);
    if (rc != FEDN_OK)
        return rc;
    *ret_data = data;
    *ret_bytes = fedn__blob_bytes(task->blob);
    return FEDN_OK;
}

static fedn_status may_set_model(const fedn_task *task, const void *what, fedn_error *err)
{
    if (!task || !what)
        return fedn__error(err, FEDN_ERR_INVALID, "task and model must not be NULL");
    if (task->order->type != FEDN_TASK_TRAIN)
        return fedn__error(err, FEDN_ERR_STATE, "only train tasks have a trained model");
    return FEDN_OK;
}

/* What was set before is dropped; a file at update_path is replaced by the next one. */
static fedn_status result_is(fedn_task *task, int32_t result, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    if (task->result == FEDN__RESULT_FILE && result != FEDN__RESULT_FILE)
        rc = fedn__fs_unlink(task->update_path, err);
    if (rc != FEDN_OK)
        return rc;
    task->trained = fedn_model_unref(task->trained);
    task->update = fedn__blob_unref(task->update);
    task->result = result;
    return FEDN_OK;
}

fedn_status fedn_task_set_model(fedn_task *task, fedn_model *model, fedn_error *err)
{
    fedn_status rc = may_set_model(task, model, err);
    if (rc != FEDN_OK)
        return rc;
    fedn__model_seal(model);
    fedn_model *kept = fedn_model_ref(model);
    rc = result_is(task, FEDN__RESULT_TENSORS, err);
    if (rc == FEDN_OK)
        task->trained = kept;
    else
        fedn_model_unref(kept);
    return rc;
}

fedn_status fedn_task_set_model_bytes(fedn_task *task, const void *data, uint64_t bytes,
                                      fedn_error *err)
{
    fedn_status rc = may_set_model(task, data, err);
    if (rc == FEDN_OK && bytes == 0)
        rc = fedn__error(err, FEDN_ERR_INVALID, "the trained model has 0 bytes");
    if (rc != FEDN_OK)
        return rc;
    if (bytes > FEDN__LIMIT_MEMORY_MODEL) {
        rc = fedn__fs_write_file(task->update_path, data, bytes, 0, err);
        return rc == FEDN_OK ? result_is(task, FEDN__RESULT_FILE, err) : rc;
    }
    fedn__blob *blob = NULL;
    rc = fedn__blob_copy(data, bytes, &blob, err);
    if (rc == FEDN_OK)
        rc = result_is(task, FEDN__RESULT_BYTES, err);
    if (rc == FEDN_OK)
        task->update = blob;
    else
        fedn__blob_unref(blob);
    return rc;
}

/* Compared without links and dots, so that a file elsewhere is never taken away from its owner. */
static int32_t lies_in(const char *path, const char *dir)
{
    char real_path[PATH_MAX];
    char real_dir[PATH_MAX];

    if (!realpath(path, real_path) || !realpath(dir, real_dir))
        return 0;
    size_t len = strlen(real_dir);
    return strncmp(real_path, real_dir, len) == 0 && real_path[len] == '/';
}

fedn_status fedn_task_set_model_file(fedn_task *task, const char *path, fedn_error *err)
{
    uint64_t bytes = 0;
    struct stat info;

    fedn_status rc = may_set_model(task, path, err);
    if (rc == FEDN_OK)
        rc = fedn__fs_size(path, &bytes, err);
    if (rc != FEDN_OK)
        return rc;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode) || bytes == 0)
        return fedn__error(err, FEDN_ERR_INVALID, "%s is not a file with a model in it", path);
    if (lies_in(path, task->dir))
        rc = fedn__fs_move(path, task->update_path, 0, err);
    else
        rc = fedn__fs_copy(path, task->update_path, err);
    return rc == FEDN_OK ? result_is(task, FEDN__RESULT_FILE, err) : rc;
}

fedn_status fedn_task_set_num_examples(fedn_task *task, double num_examples, fedn_error *err)
{
    if (!task)
        return fedn__error(err, FEDN_ERR_INVALID, "task must not be NULL");
    if (!isfinite(num_examples) || num_examples <= 0 || num_examples > FEDN__LIMIT_WEIGHT)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "number of examples %g is not above 0 and at most %g", num_examples,
                           FEDN__LIMIT_WEIGHT);
    task->num_examples = num_examples;
    return FEDN_OK;
}

static fedn__metric *find_metric(const fedn_task *task, const char *name)
{
    for (uint32_t i = 0; i < task->metric_count; i++)
        if (strcmp(task->metrics[i].name, name) == 0)
            return &task->metrics[i];
    return NULL;
}

static fedn_status add_metric(fedn_task *task, const char *name, double value, fedn_error *err)
{
    if (task->metric_count >= FEDN__LIMIT_METRICS)
        return fedn__error(err, FEDN_ERR_LIMIT, "metric %s: there are %d metrics already", name,
                           FEDN__LIMIT_METRICS);
    char *copy = fedn__strdup(name);
    fedn__metric *more =
        fedn__realloc_array(task->metrics, task->metric_count + 1, sizeof *task->metrics);
    if (more)
        task->metrics = more;
    if (!copy || !more) {
        fedn__free(copy);
        return fedn__error_nomem(err);
    }
    fedn__metric metric = {copy, value};
    task->metrics[task->metric_count++] = metric;
    return FEDN_OK;
}

fedn_status fedn_task_set_metric(fedn_task *task, const char *name, double value, fedn_error *err)
{
    if (!task)
        return fedn__error(err, FEDN_ERR_INVALID, "task must not be NULL");
    if (!fedn__text_is_line(name, FEDN__LIMIT_NAME_BYTES))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "a metric's name must be one line of 1 to %d bytes of UTF-8",
                           FEDN__LIMIT_NAME_BYTES);
    if (!isfinite(value))
        return fedn__error(err, FEDN_ERR_INVALID, "metric %s: %g is not finite", name, value);
    fedn__metric *metric = find_metric(task, name);
    if (!metric)
        return add_metric(task, name, value, err);
    metric->value = value;
    return FEDN_OK;
}

fedn_status fedn_task_log_metric(fedn_task *task, const char *name, double value, uint32_t step,
                                 fedn_error *err)
{
    if (!task)
        return fedn__error(err, FEDN_ERR_INVALID, "task must not be NULL");
    return task->log_metric(task->user_data, name, value, step, err);
}

fedn_status fedn_task_set_data(fedn_task *task, const char *json, fedn_error *err)
{
    json_t *value = NULL;

    if (!task || !json)
        return fedn__error(err, FEDN_ERR_INVALID, "task and data must not be NULL");
    if (task->order->type == FEDN_TASK_TRAIN)
        return fedn__error(err, FEDN_ERR_STATE, "a train task has no data, only a model");
    uint64_t bytes = strlen(json);
    if (bytes > FEDN__LIMIT_RESULT_BYTES)
        return fedn__error(err, FEDN_ERR_LIMIT, "data of %llu bytes is over %llu",
                           (unsigned long long)bytes, (unsigned long long)FEDN__LIMIT_RESULT_BYTES);
    fedn_status rc = fedn__json_parse_python(json, bytes, 1, "data", &value, err);
    if (rc != FEDN_OK)
        return rc == FEDN_ERR_FORMAT && err ? (err->code = FEDN_ERR_INVALID) : rc;
    json_decref(value);
    char *copy = fedn__strdup(json);
    if (!copy)
        return fedn__error_nomem(err);
    fedn__free(task->data);
    task->data = copy;
    return FEDN_OK;
}

void fedn_task_progress(fedn_task *task, uint64_t done, uint64_t total)
{
    if (!task || total == 0)
        return;
    int64_t now_ms = fedn__clock_ms();
    if (task->progress_at_ms != INT64_MIN && now_ms - task->progress_at_ms < PROGRESS_PAUSE_MS)
        return;
    task->progress_at_ms = now_ms;
    (void)pthread_mutex_lock(&task->mutex);
    task->done = done < total ? done : total;
    task->total = total;
    (void)pthread_mutex_unlock(&task->mutex);
    task->progress(task->user_data);
}
