/* SPDX-License-Identifier: Apache-2.0
 * A task as the client holds it: what the callback reads, what it leaves behind. */
#ifndef FEDN__CLIENT_TASK_H
#define FEDN__CLIENT_TASK_H

#include "core/blob.h"
#include "roles/client/engine.h"
#include <pthread.h>
#include <stdatomic.h>

typedef struct fedn__metric {
    char *name;
    double value;
} fedn__metric;

enum { FEDN__RESULT_NONE, FEDN__RESULT_TENSORS, FEDN__RESULT_BYTES, FEDN__RESULT_FILE };

/* What a task is made from; all borrowed. */
typedef struct fedn__task_setup {
    const fedn__order *order; /* outlives the task */
    const char *work_dir;
    fedn__blob *model;          /* the global model */
    const char *model_path;     /* its file; NULL: it is in memory */
    const char *model_format;   /* client.model_format; "" */
    const atomic_int *stopping; /* outlives the task */
    uint64_t serial;            /* makes names in work_dir unique */
    /* on the callback's thread, at most once a second */
    void (*progress)(void *user_data);
    /* on the callback's thread */
    fedn_status (*log_metric)(void *user_data, const char *name, double value, uint32_t step,
                              fedn_error *err);
    void *user_data;
} fedn__task_setup;

struct fedn_task {
    const fedn__order *order;
    const atomic_int *stopping;
    atomic_int cancelled;
    void (*progress)(void *user_data);
    fedn_status (*log_metric)(void *user_data, const char *name, double value, uint32_t step,
                              fedn_error *err);
    void *user_data;

    /* The callback's thread until fedn__task_run() returns, then the loop's. */
    char *dir;
    int32_t has_dir;        /* it was made */
    fedn__blob *blob;       /* the global model */
    char *model_path;       /* its file, once somebody asked for one */
    int32_t own_model_file; /* that was written for this task */
    char *format;           /* that a trained model is encoded in */
    fedn_model *model;
    int32_t result;
    fedn_model *trained;
    char *update_path;  /* FEDN__RESULT_FILE: encoded */
    fedn__blob *update; /* FEDN__RESULT_BYTES, and after fedn__task_run(): ready to be uploaded */
    double num_examples;
    fedn__metric *metrics;
    uint32_t metric_count;
    char *data;
    double processing_s;
    int64_t progress_at_ms;

    pthread_mutex_t mutex; /* guards what follows */
    uint64_t done;
    uint64_t total;
    int cancel_fds[2]; /* of fedn_task_cancel_fd(); the writing end is closed by a cancellation */
};

fedn_status fedn__task_new(const fedn__task_setup *setup, fedn_task **ret, fedn_error *err);
/* Removes the update's file as well. NULL allowed. */
void fedn__task_free(fedn_task *task);
/* Any thread. */
void fedn__task_cancel(fedn_task *task);
void fedn__task_get_progress(fedn_task *task, uint64_t *ret_done, uint64_t *ret_total);

/* Runs the callback, checks what it left, encodes a trained model, and drops everything that the
 * answer does not need. */
fedn_status fedn__task_run(fedn_task *task, fedn_task_fn fn, void *user_data, fedn_error *err);

#endif
