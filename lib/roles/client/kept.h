/* SPDX-License-Identifier: Apache-2.0
 * A trained update that no combiner has yet, on disk: it outlives the process. One at a time. */
#ifndef FEDN__CLIENT_KEPT_H
#define FEDN__CLIENT_KEPT_H

#include "roles/client/task.h"

/* What is known of it beside its task. */
typedef struct fedn__kept {
    char update_id[FEDN__UUID_TEXT];
    char target[300]; /* address of the combiner that gave the task */
    double fetch_s;
    double processing_s;
    double num_examples;
    fedn__order *order;
    fedn__blob *update;
    fedn__metric *metrics;
    uint32_t metric_count;
} fedn__kept;

/* Whatever is not handed on. */
void fedn__kept_done(fedn__kept *kept);
/* Makes the task's update durable in `dir` and takes its file there; what was kept before goes.
 * update_id, target and fetch_s of `about` count. May wait for the disk. */
fedn_status fedn__kept_store(const char *dir, fedn_task *task, const fedn__kept *about,
                             fedn_error *err);
/* FEDN_ERR_NOT_FOUND there is none; FEDN_ERR_FORMAT what is there is damaged. */
fedn_status fedn__kept_load(const char *dir, fedn__kept *ret, fedn_error *err);
/* The task as it was when its callback had returned: takes update and metrics over on success; the
 * order must outlive it. */
fedn_status fedn__kept_task(fedn__kept *kept, const char *work_dir, const atomic_int *stopping,
                            fedn_task **ret, fedn_error *err);
void fedn__kept_drop(const char *dir); /* it was delivered, or nobody wants it */

#endif
