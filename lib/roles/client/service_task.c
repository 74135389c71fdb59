/* SPDX-License-Identifier: Apache-2.0
 * The shell's side of one task: its global model, its callback, its update, its answer. */
#include "roles/client/service_state.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/owner.h"
#include "core/text.h"
#include "fedn.pb-c.h"
#include <stdio.h>
#include <string.h>

static void await_transfer(fedn__client_service *service, const fedn__errand *errand)
{
    service->transfer = errand->transfer;
    service->transfer_step = errand->step;
}

/* A transfer has ended: 1 if anybody still waits for it. */
static int32_t transfer_over(const fedn__errand *errand)
{
    fedn__client_service *service = errand->service;

    if (service->transfer == errand->transfer)
        service->transfer = NULL;
    if (service->transfer_step != errand->step)
        return 0;
    service->transfer_step = 0;
    return 1;
}

static double seconds_since(int64_t begun_ns)
{
    return (double)(fedn__clock_ns() - begun_ns) / 1e9;
}

/* Takes over the path of a model that is in a file. */
static void keep_newest(fedn__client_service *service, fedn__blob *blob, char *path)
{
    if (service->model_path)
        (void)fedn__fs_unlink(service->model_path, NULL);
    fedn__free(service->model_path);
    service->model_path = path;
    fedn__blob_unref(service->model);
    service->model = fedn__blob_ref(blob);
}

static void keep_fetched(fedn__client_service *service, fedn__errand *errand, fedn__blob *blob)
{
    char *path = NULL;

    if (fedn__blob_fd(blob) >= 0) {
        path = errand->path;
        errand->path = NULL;
    }
    keep_newest(service, blob, path);
    service->fetch_s = seconds_since(errand->begun_ns);
}

static void on_fetched(fedn_status status, const fedn_error *err, fedn__blob *blob, void *user_data)
{
    fedn__errand *errand = user_data;
    fedn__client_service *service = errand->service;

    if (!transfer_over(errand)) {
        (void)fedn__fs_unlink(errand->path, NULL);
        fedn__errand_free(errand);
        return;
    }
    if (status == FEDN_OK)
        keep_fetched(service, errand, blob);
    fedn__client_engine_fetched(service->engine, fedn__clock_ms(), errand->step, status,
                                status == FEDN_OK ? "" : err->message);
    fedn__errand_free(errand);
    fedn__client_drain(service);
}

static fedn_status begin_fetch(fedn__client_service *service, const fedn__client_action *action,
                               fedn_error *err)
{
    fedn__errand *errand = fedn__errand_new(service, action);
    if (!errand)
        return fedn__error_nomem(err);
    errand->path =
        fedn__strf("%s/model-%llu", service->work_dir, (unsigned long long)++service->serial);
    fedn_status rc = errand->path ? FEDN_OK : fedn__error_nomem(err);
    const fedn__download what = {.id = action->order->model_id,
                                 .client_id = service->id,
                                 .path = errand->path,
                                 .parts = service->parts,
                                 .max_bytes = service->options->max_model_bytes,
                                 .memory_bytes = FEDN__LIMIT_MEMORY_MODEL};
    if (rc == FEDN_OK)
        rc = fedn__transfer_download(service->channel, service->pool, &what, on_fetched, errand,
                                     &errand->transfer, err);
    if (rc == FEDN_OK)
        await_transfer(service, errand);
    else
        fedn__errand_free(errand);
    return rc;
}

void fedn__client_fetch(fedn__client_service *service, const fedn__client_action *action)
{
    fedn_error err = {0};

    fedn_status rc = begin_fetch(service, action, &err);
    if (rc == FEDN_OK)
        return;
    fedn__client_engine_fetched(service->engine, fedn__clock_ms(), action->step, rc, err.message);
    fedn__client_drain(service);
}

void fedn__client_keep(fedn__client_service *service, const fedn__client_action *action)
{
    const fedn__order *order = action->order;
    fedn__blob *blob = NULL;
    fedn_error err = {0};

    fedn_status rc = fedn__blob_copy(order->model, order->model_bytes, &blob, &err);
    if (rc == FEDN_OK)
        keep_newest(service, blob, NULL);
    fedn__blob_unref(blob);
    fedn__client_engine_fetched(service->engine, fedn__clock_ms(), action->step, rc, err.message);
    fedn__client_drain(service);
}

static void job_free(fedn__client_job *job)
{
    if (!job)
        return;
    fedn__task_free(job->task);
    fedn__free(job);
}

/* A small update needs no upload if the combiner takes it with the announcement. */
static int32_t may_travel(const fedn_task *task)
{
    uint64_t bytes = fedn__blob_bytes(task->update);

    return bytes > 0 && bytes <= task->order->inline_bytes && fedn__report_has_room(task);
}

static void on_done(fedn__post *post)
{
    fedn__client_job *job = FEDN__OWNER(post, fedn__client_job, done_post);
    fedn__client_service *service = job->service;
    int32_t to_upload = job->task->order->type == FEDN_TASK_TRAIN;

    if (to_upload && job->status == FEDN_OK && may_travel(job->task)) {
        job->travels = 1;
        to_upload = 0;
    }
    fedn__client_engine_ran(service->engine, fedn__clock_ms(), job->status, to_upload,
                            job->err.message);
    fedn__client_drain(service);
}

static int32_t is_refusal(int32_t rpc, const ProtobufCMessage *response)
{
    return rpc == FEDN__RPC_OK &&
           fedn__text_starts(((const Fedn__Response *)response)->response, "REFUSED ");
}

static void on_progress_taken(int32_t rpc, const char *details, const ProtobufCMessage *response,
                              void *user_data)
{
    fedn__errand *errand = user_data;
    fedn__client_service *service = errand->service;

    (void)details;
    if (is_refusal(rpc, response)) {
        fedn__client_engine_unwanted(service->engine, fedn__clock_ms(), errand->step,
                                     ((const Fedn__Response *)response)->response);
        fedn__client_drain(service);
    }
    fedn__errand_free(errand);
}

static void on_progress(fedn__post *post)
{
    fedn__client_job *job = FEDN__OWNER(post, fedn__client_job, progress_post);
    fedn__client_service *service = job->service;
    uint64_t done = 0;
    uint64_t total = 0;

    atomic_store(&job->progress_posted, 0);
    const fedn__client_action about = {.step = job->run_step};
    fedn__errand *errand = service->channel ? fedn__errand_new(service, &about) : NULL;
    if (!errand)
        return; /* the next one says the same and more */
    fedn__task_get_progress(job->task, &done, &total);
    const fedn__reporter reporter = fedn__client_reporter(service);
    if (fedn__report_progress(&reporter, job->task->order, done, total, on_progress_taken,
                              errand) != FEDN_OK)
        fedn__errand_free(errand);
}

/* On the callback's thread. */
static void post_progress(void *user_data)
{
    fedn__client_job *job = user_data;

    if (atomic_exchange(&job->progress_posted, 1) == 0)
        fedn__loop_post(job->service->loop, &job->progress_post);
}

fedn_status fedn__client_job_new(fedn__client_service *service, fedn__client_job **ret,
                                 fedn_error *err)
{
    fedn__client_job *job = fedn__alloc_zero(sizeof *job);

    *ret = job;
    if (!job)
        return fedn__error_nomem(err);
    job->service = service;
    job->done_post.fn = on_done;
    job->progress_post.fn = on_progress;
    atomic_init(&job->progress_posted, 0);
    fedn__uuid_new_text(job->update_id);
    snprintf(job->target, sizeof job->target, "%s", service->address.target);
    return FEDN_OK;
}

static fedn_status log_metric(void *user_data, const char *name, double value, uint32_t step,
                              fedn_error *err)
{
    const fedn__client_job *job = user_data;
    const fedn__order *order = job->task->order;
    const fedn__note what = {.kind = FEDN__NOTE_METRIC,
                             .name = name,
                             .value = value,
                             .model_id = order->model_id,
                             .round_id = order->round_id,
                             .session_id = order->session_id,
                             .step = step};

    return fedn__client_service_note(job->service, &what, err);
}

static fedn_status begin_job(fedn__client_service *service, const fedn__client_action *action,
                             fedn_error *err)
{
    fedn__client_job *job = NULL;

    fedn_status rc = fedn__client_job_new(service, &job, err);
    if (rc != FEDN_OK)
        return rc;
    job->run_step = action->step;
    job->timings.fetch_s = service->fetch_s;
    service->fetch_s = 0; /* the next task may find the model here */
    const fedn__task_setup setup = {
        .order = action->order,
        .work_dir = service->work_dir,
        .model = service->model,
        .model_path = service->model_path,
        .model_format = service->options->model_format,
        .stopping = &service->stopping,
        .serial = ++service->serial,
        .progress = post_progress,
        .log_metric = log_metric,
        .user_data = job,
    };
    rc = fedn__task_new(&setup, &job->task, err);
    if (rc == FEDN_OK)
        service->job = job;
    else
        job_free(job);
    return rc;
}

void fedn__client_run(fedn__client_service *service, const fedn__client_action *action)
{
    fedn_error err = {0};

    fedn_status rc = begin_job(service, action, &err);
    if (rc == FEDN_OK)
        rc = fedn__queue_push(service->queue, service->job);
    if (rc == FEDN_OK)
        return;
    if (!err.message[0])
        (void)fedn__error(&err, rc, "the callback could not be started");
    fedn__client_engine_ran(service->engine, fedn__clock_ms(), rc, 0, err.message);
    fedn__client_drain(service);
}

static const fedn__callback *callback_of(const fedn__client_service *service, fedn_task_type type)
{
    const fedn__client_options *options = service->options;

    if (type == FEDN_TASK_TRAIN)
        return &options->train;
    return type == FEDN_TASK_VALIDATE ? &options->validate : &options->predict;
}

fedn_status fedn__client_service_work(fedn__client_service *service, int64_t deadline_ns)
{
    void *item = NULL;

    fedn_status rc = fedn__queue_pop(service->queue, deadline_ns, &item);
    if (rc != FEDN_OK)
        return rc;
    fedn__client_job *job = item;
    const fedn__callback *callback = callback_of(service, job->task->order->type);
    if (fedn_task_is_cancelled(job->task))
        job->status = fedn__error(&job->err, FEDN_ERR_CANCELLED, "the task was cancelled");
    else
        job->status = fedn__task_run(job->task, callback->fn, callback->user_data, &job->err);
    if (job->status == FEDN_OK)
        fedn__client_keep_update(job);
    fedn__loop_post(service->loop, &job->done_post);
    return FEDN_OK;
}

void fedn__client_cancel(fedn__client_service *service)
{
    service->transfer_step = 0;
    if (service->transfer)
        fedn__transfer_cancel(service->transfer);
    if (service->job)
        fedn__task_cancel(service->job->task);
}

static fedn_status begin_upload(fedn__client_service *service, fedn__errand *errand, int32_t moved,
                                fedn_error *err);

static void on_uploaded(fedn_status status, const fedn_error *err, fedn__blob *blob,
                        void *user_data)
{
    fedn__errand *errand = user_data;
    fedn__client_service *service = errand->service;
    fedn_error why = {0};

    (void)blob;
    if (!transfer_over(errand)) {
        fedn__errand_free(errand);
        return;
    }
    if (status != FEDN_OK)
        why = *err;
    if (status == FEDN_ERR_UNSUPPORTED && !errand->moved) {
        service->job->plain = 1; /* its combiner has become one of FEDn's */
        status = begin_upload(service, errand, 0, &why);
        if (status == FEDN_OK)
            return;
    }
    service->job->timings.upload_s = seconds_since(errand->begun_ns);
    fedn__client_engine_uploaded(service->engine, fedn__clock_ms(), errand->step, status,
                                 why.message);
    fedn__errand_free(errand);
    fedn__client_drain(service);
}

/* A libfedn combiner goes on with what it has of the update; FEDn's appends a second try to it, so
 * there every one has a name of its own. Who gave the task has said which it is; another combiner
 * must show that it can tell. */
static fedn_status begin_upload(fedn__client_service *service, fedn__errand *errand, int32_t moved,
                                fedn_error *err)
{
    fedn__client_job *job = service->job;
    int32_t ours = moved || (job->task->order->inline_bytes > 0 && !job->plain);

    if (!ours)
        fedn__uuid_new_text(job->update_id);
    const fedn__sending what = {.id = job->update_id,
                                .client_id = service->id,
                                .blob = job->task->update,
                                .resume = moved || (ours && job->begun)};
    fedn_status rc = fedn__transfer_upload(service->channel, service->pool, &what, on_uploaded,
                                           errand, &errand->transfer, err);
    if (rc != FEDN_OK)
        return rc;
    job->begun = 1;
    job->travels = 0;
    errand->moved = moved;
    await_transfer(service, errand);
    return FEDN_OK;
}

void fedn__client_upload(fedn__client_service *service, const fedn__client_action *action)
{
    fedn_error err = {0};

    fedn__errand *errand = fedn__errand_new(service, action);
    fedn_status rc =
        errand ? begin_upload(service, errand, action->moved, &err) : fedn__error_nomem(&err);
    if (rc == FEDN_OK)
        return;
    fedn__errand_free(errand);
    fedn__client_engine_uploaded(service->engine, fedn__clock_ms(), action->step, rc, err.message);
    fedn__client_drain(service);
}

static void on_answered(int32_t rpc, const char *details, const ProtobufCMessage *response,
                        void *user_data)
{
    fedn__errand *errand = user_data;
    fedn__client_service *service = errand->service;
    fedn_error err = {0};

    fedn_status rc = fedn__client_judge(rpc, details, "answer", &err);
    if (is_refusal(rpc, response))
        (void)fedn__error(&err, FEDN_OK, "%s", ((const Fedn__Response *)response)->response);
    fedn__client_engine_answered(service->engine, fedn__clock_ms(), errand->step, rc, err.message);
    fedn__errand_free(errand);
    fedn__client_drain(service);
}

static fedn_status send_answer(fedn__client_service *service, const fedn__client_action *action,
                               fedn__errand *errand)
{
    const fedn__reporter reporter = fedn__client_reporter(service);
    fedn__client_job *job = service->job;

    if (action->failed)
        return fedn__report_failure(&reporter, action->order, action->text, on_answered, errand);
    if (action->order->type == FEDN_TASK_TRAIN && !job->metrics_sent) {
        job->metrics_sent = 1;
        (void)fedn__report_metrics(&reporter, job->task, service->metric_reports++);
    }
    return fedn__report_result(&reporter, job->task, job->update_id,
                               job->travels ? job->task->update : NULL, &job->timings, on_answered,
                               errand);
}

void fedn__client_answer(fedn__client_service *service, const fedn__client_action *action)
{
    fedn_error err = {0};

    fedn__errand *errand = fedn__errand_new(service, action);
    fedn_status rc = errand ? send_answer(service, action, errand) : FEDN_ERR_NOMEM;
    if (rc == FEDN_OK)
        return;
    fedn__errand_free(errand);
    (void)fedn__error(&err, rc, "the answer could not be sent: %s", fedn_status_string(rc));
    fedn__client_engine_answered(service->engine, fedn__clock_ms(), action->step, rc, err.message);
    fedn__client_drain(service);
}

void fedn__client_job_done(fedn__client_service *service)
{
    job_free(service->job);
    service->job = NULL;
}

void fedn__client_release(fedn__client_service *service)
{
    service->transfer_step = 0;
    fedn__client_drop_update(service);
    fedn__client_job_done(service);
}

void fedn__client_refuse(fedn__client_service *service, const fedn__client_action *action)
{
    const fedn__reporter reporter = fedn__client_reporter(service);

    fedn__log_write(&service->options->log, FEDN_LOG_WARNING, "client", "a task%s%s is refused: %s",
                    action->order->round_id[0] ? " of round " : "", action->order->round_id,
                    action->text);
    (void)fedn__report_failure(&reporter, action->order, action->text, NULL, NULL);
}
