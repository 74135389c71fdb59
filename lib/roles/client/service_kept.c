/* SPDX-License-Identifier: Apache-2.0
 * The shell's side of an update that outlives the process: written when its callback has returned,
 * found at the start, removed when nobody wants it any more. */
#include "roles/client/service_state.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "roles/client/kept.h"
#include <stdio.h>
#include <string.h>

/* On the callback's thread. Without it the update lives as long as the process. */
void fedn__client_keep_update(fedn__client_job *job)
{
    const fedn__client_service *service = job->service;
    const fedn__order *order = job->task->order;
    fedn__kept about = {.fetch_s = job->timings.fetch_s};
    fedn_error err;

    if (service->temporary || order->type != FEDN_TASK_TRAIN || atomic_load(&job->task->cancelled))
        return;
    if (job->task->processing_s * 1000 < (double)service->options->keep_after_ms)
        return; /* sooner trained again than written and flushed each time */
    memcpy(about.update_id, job->update_id, sizeof about.update_id);
    memcpy(about.target, job->target, sizeof about.target);
    job->kept = 1;
    if (fedn__kept_store(service->kept_dir, job->task, &about, &err) != FEDN_OK)
        fedn__log_write(&service->options->log, FEDN_LOG_WARNING, "client",
                        "the update of round %s would not outlive this process: %s",
                        order->round_id, err.message);
}

void fedn__client_drop_update(const fedn__client_service *service)
{
    if (service->job && service->job->kept)
        fedn__kept_drop(service->kept_dir);
}

static fedn_status take_up(fedn__client_service *service, fedn__kept *kept, fedn_error *err)
{
    fedn__client_job *job = NULL;

    fedn_status rc = fedn__client_job_new(service, &job, err);
    if (rc == FEDN_OK)
        rc = fedn__kept_task(kept, service->work_dir, &service->stopping, &job->task, err);
    if (rc != FEDN_OK) {
        fedn__free(job);
        return rc;
    }
    memcpy(job->update_id, kept->update_id, sizeof job->update_id);
    job->timings.fetch_s = kept->fetch_s;
    job->kept = 1;
    job->begun = 1;
    service->job = job;
    fedn__client_engine_kept(service->engine, kept->order, kept->target);
    kept->order = NULL;
    return FEDN_OK;
}

fedn_status fedn__client_restore(fedn__client_service *service, fedn_error *err)
{
    fedn__kept kept;

    if (service->temporary)
        return FEDN_OK;
    fedn_status rc = fedn__kept_load(service->kept_dir, &kept, err);
    if (rc == FEDN_ERR_NOT_FOUND || rc == FEDN_ERR_NOMEM)
        return rc == FEDN_ERR_NOMEM ? rc : FEDN_OK;
    if (rc != FEDN_OK) {
        int32_t damaged = rc == FEDN_ERR_FORMAT;
        fedn__log_write(&service->options->log, FEDN_LOG_WARNING, "client",
                        "what an earlier run has left in %s is %s: %s", service->kept_dir,
                        damaged ? "dropped" : "left alone", err->message);
        if (damaged)
            fedn__kept_drop(service->kept_dir);
        return FEDN_OK;
    }
    rc = take_up(service, &kept, err);
    fedn__kept_done(&kept);
    return rc;
}
