/* SPDX-License-Identifier: Apache-2.0
 * The shell from the inside, for its three files. */
#ifndef FEDN__CLIENT_SERVICE_STATE_H
#define FEDN__CLIENT_SERVICE_STATE_H

#include "core/queue.h"
#include "core/thread.h"
#include "roles/client/assign.h"
#include "roles/client/identity.h"
#include "roles/client/report.h"
#include "roles/client/service.h"
#include "roles/client/usage.h"
#include "rpc/transfer.h"

/* The task that is worked on. Its callback's thread holds it between the queue and done_post. */
typedef struct fedn__client_job {
    fedn__client_service *service;
    fedn_task *task;
    fedn__post done_post;
    fedn__post progress_post;
    atomic_int progress_posted;
    fedn_status status; /* of the callback */
    fedn_error err;
    fedn__timings timings;
    uint64_t run_step; /* of the action that began it */
    int32_t metrics_sent;
    char update_id[FEDN__UUID_TEXT];
    char target[300]; /* address of the combiner that gave the task */
    int32_t travels;  /* the update goes with its announcement */
    int32_t kept;     /* it may be on disk */
    int32_t begun;    /* an upload under its id was */
    int32_t plain;    /* the combiner is none of ours: every upload has an id of its own */
} fedn__client_job;

/* One call or transfer on its way. */
typedef struct fedn__errand {
    fedn__client_service *service;
    uint64_t dial;
    uint64_t step;
    fedn__transfer *transfer;
    int64_t begun_ns;
    int32_t moved; /* of an upload: another combiner gave the task */
    char *path;    /* of a download */
} fedn__errand;

/* What waits for the combiner, or its answer; oldest first. */
typedef struct fedn__notes {
    pthread_mutex_t mutex; /* guards all but `ahead` */
    fedn__note *first;
    fedn__note **last;
    uint32_t count;
    int32_t open; /* there is a loop to post to */
    int32_t posted;
    fedn__post post;
    uint32_t ahead; /* the loop's: calls under way */
} fedn__notes;

struct fedn__client_service {
    const fedn__client_options *options;
    fedn__identity identity;
    char *state_dir;
    char *work_dir;
    char *kept_dir;
    char *parts;       /* the directory of global models of which a part has come */
    int32_t temporary; /* the state_dir goes with us */
    int lock_fd;
    atomic_int stopping;
    fedn__flag finished; /* set once outcome is final */
    fedn_error outcome;

    pthread_mutex_t mutex; /* guards the next three */
    int32_t started;
    int32_t stop_posted;
    fedn__post stop_post;

    fedn__queue *queue; /* jobs, from the loop to whoever runs callbacks */
    fedn__pool *pool;
    fedn__loop *loop;

    /* The loop's own. */
    fedn__client_engine *engine;
    int32_t draining;
    fedn__timer timer;
    fedn__http_client *http;
    fedn__work assigning;
    fedn__assign_request request;
    fedn__assignment assignment;
    fedn__address address;
    char id[FEDN__LIMIT_ID_BYTES + 1];       /* the reducer may give another than ours */
    char helper[FEDN__LIMIT_NAME_BYTES + 1]; /* format of models, last heard */
    char *authorization;
    char *trusted_pem; /* authorities; NULL: the system's */
    fedn__channel *channel;
    fedn__client_job *job;
    fedn__transfer *transfer;
    uint64_t transfer_step; /* whose end is of interest; 0: none */
    fedn__blob *model;      /* the newest global model */
    char *model_path;       /* its file; NULL: it is in memory */
    double fetch_s;
    uint64_t serial;
    uint32_t metric_reports;
    int32_t is_open; /* the stream of tasks is */
    fedn__notes notes;
    fedn__timer telemetry;
    fedn__usage usage;
};

/* service.c: after every event of the engine */
void fedn__client_drain(fedn__client_service *service);
fedn__reporter fedn__client_reporter(const fedn__client_service *service);
fedn__errand *fedn__errand_new(fedn__client_service *service, const fedn__client_action *action);
void fedn__errand_free(fedn__errand *errand);
/* A finished call as the engine takes it: err is filled in unless FEDN_OK. */
fedn_status fedn__client_judge(int32_t rpc, const char *details, const char *what, fedn_error *err);

/* service_link.c: reducer and combiner */
void fedn__client_assign(fedn__client_service *service);
void fedn__client_dial(fedn__client_service *service, const fedn__client_action *action);
void fedn__client_hang_up(fedn__client_service *service);
void fedn__client_heartbeat(fedn__client_service *service, const fedn__client_action *action);

/* service_task.c: one task */
void fedn__client_fetch(fedn__client_service *service, const fedn__client_action *action);
void fedn__client_keep(fedn__client_service *service, const fedn__client_action *action);
void fedn__client_run(fedn__client_service *service, const fedn__client_action *action);
void fedn__client_cancel(fedn__client_service *service);
void fedn__client_upload(fedn__client_service *service, const fedn__client_action *action);
void fedn__client_answer(fedn__client_service *service, const fedn__client_action *action);
void fedn__client_release(fedn__client_service *service);
fedn_status fedn__client_job_new(fedn__client_service *service, fedn__client_job **ret,
                                 fedn_error *err);
void fedn__client_job_done(fedn__client_service *service); /* the one there is, if any */
void fedn__client_refuse(fedn__client_service *service, const fedn__client_action *action);

/* service_notes.c: what is said beside the tasks. Open and close on the loop. */
void fedn__notes_init(fedn__notes *notes);
void fedn__notes_done(fedn__notes *notes);
void fedn__client_open_notes(fedn__client_service *service);
void fedn__client_close_notes(fedn__client_service *service);
void fedn__client_flush_notes(fedn__client_service *service); /* the combiner has answered */

/* service_kept.c: updates that outlive the process */
fedn_status fedn__client_restore(fedn__client_service *service, fedn_error *err);
void fedn__client_keep_update(fedn__client_job *job);
void fedn__client_drop_update(const fedn__client_service *service);

#endif
