/* SPDX-License-Identifier: Apache-2.0
 * The shell's life: directories, threads, the start, the end, and the handing out of the engine's
 * actions. */
#include "roles/client/service_state.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/owner.h"
#include "core/pem.h"
#include "core/uuid.h"
#include "rpc/parts.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    QUEUED_JOBS = 2, /* the engine hands out one at a time */
    PARTS_KEPT = 1   /* at the start; the model is hardly another one meanwhile */
};

fedn__reporter fedn__client_reporter(const fedn__client_service *service)
{
    const fedn__reporter reporter = {service->channel, service->id, service->identity.name,
                                     service->options->call_timeout_ms};
    return reporter;
}

fedn__errand *fedn__errand_new(fedn__client_service *service, const fedn__client_action *action)
{
    fedn__errand *errand = fedn__alloc_zero(sizeof *errand);

    if (!errand)
        return NULL;
    errand->service = service;
    errand->dial = action->dial;
    errand->step = action->step;
    errand->begun_ns = fedn__clock_ns();
    return errand;
}

void fedn__errand_free(fedn__errand *errand)
{
    if (!errand)
        return;
    fedn__free(errand->path);
    fedn__free(errand);
}

fedn_status fedn__client_judge(int32_t rpc, const char *details, const char *what, fedn_error *err)
{
    if (rpc == FEDN__RPC_OK)
        return FEDN_OK;
    return fedn__rpc_error(err, what, rpc, details);
}

static void on_finished(fedn__client_service *service, const fedn__client_action *action)
{
    atomic_store(&service->stopping, 1);
    fedn__client_close_notes(service);
    fedn__http_client_cancel(service->http);
    fedn__queue_close(service->queue);
    if (action->status != FEDN_OK) {
        (void)fedn__error(&service->outcome, action->status, "%s", action->text);
        fedn__log_write(&service->options->log, FEDN_LOG_ERROR, "client", "%s", action->text);
    }
    fedn__flag_set(&service->finished);
}

static void perform(fedn__client_service *service, const fedn__client_action *action)
{
    switch (action->type) {
    case FEDN__CLIENT_ASSIGN:
        fedn__client_assign(service);
        break;
    case FEDN__CLIENT_DIAL:
        fedn__client_dial(service, action);
        break;
    case FEDN__CLIENT_HANG_UP:
        fedn__client_hang_up(service);
        break;
    case FEDN__CLIENT_HEARTBEAT:
        fedn__client_heartbeat(service, action);
        break;
    case FEDN__CLIENT_FETCH:
        fedn__client_fetch(service, action);
        break;
    case FEDN__CLIENT_KEEP:
        fedn__client_keep(service, action);
        break;
    case FEDN__CLIENT_RUN:
        fedn__client_run(service, action);
        break;
    case FEDN__CLIENT_CANCEL:
        fedn__client_cancel(service);
        break;
    case FEDN__CLIENT_UPLOAD:
        fedn__client_upload(service, action);
        break;
    case FEDN__CLIENT_ANSWER:
        fedn__client_answer(service, action);
        break;
    case FEDN__CLIENT_RELEASE:
        fedn__client_release(service);
        break;
    case FEDN__CLIENT_REFUSE:
        fedn__client_refuse(service, action);
        break;
    case FEDN__CLIENT_LOG:
        fedn__log_write(&service->options->log, action->level, "client", "%s", action->text);
        break;
    default:
        on_finished(service, action);
        break;
    }
}

/* The timer has had its place among the loop's since the start and never gives it up, so this needs
 * no memory. */
static void set_timer(fedn__client_service *service)
{
    int64_t due_ms = fedn__client_engine_deadline(service->engine);
    int64_t due_ns = due_ms == INT64_MAX ? INT64_MAX : due_ms * 1000000;

    (void)fedn__loop_timer_set(service->loop, &service->timer, due_ns);
}

/* What an action that fails at once reports to the engine leads to further actions: they are taken
 * up by the loop that runs already. */
void fedn__client_drain(fedn__client_service *service)
{
    fedn__client_action action;

    if (service->draining)
        return;
    service->draining = 1;
    while (fedn__client_engine_next(service->engine, &action))
        perform(service, &action);
    service->draining = 0;
    set_timer(service);
}

static void on_timer(fedn__timer *timer, void *user_data)
{
    fedn__client_service *service = user_data;

    (void)fedn__loop_timer_set(service->loop, timer, INT64_MAX); /* back into its place */
    fedn__client_engine_tick(service->engine, fedn__clock_ms());
    fedn__client_drain(service);
}

typedef struct beginning {
    fedn__client_service *service;
    fedn_status status;
} beginning;

static void begin(void *arg)
{
    beginning *first = arg;
    fedn__client_service *service = first->service;

    first->status = fedn__loop_timer_set(service->loop, &service->timer, INT64_MAX);
    if (first->status != FEDN_OK)
        return;
    fedn__client_open_notes(service);
    fedn__client_engine_start(service->engine, fedn__clock_ms());
    fedn__client_drain(service);
}

static void on_stop(fedn__post *post)
{
    fedn__client_service *service = FEDN__OWNER(post, fedn__client_service, stop_post);

    fedn__client_engine_stop(service->engine, fedn__clock_ms());
    fedn__client_drain(service);
}

/* A directory of this process alone: a program of an earlier one that was killed may still be at
 * work, and must not meet the files of a task that came again. */
static fedn_status make_work_dir(fedn__client_service *service, fedn_error *err)
{
    char life[FEDN__UUID_TEXT];
    char *all = fedn__fs_join(service->state_dir, "work");

    fedn__uuid_new_text(life);
    service->work_dir = all ? fedn__fs_join(all, life) : NULL;
    fedn_status rc = service->work_dir ? FEDN_OK : fedn__error_nomem(err);
    if (rc == FEDN_OK) /* what such a program still adds goes at the next start */
        (void)fedn__fs_remove_tree(all, NULL);
    if (rc == FEDN_OK)
        rc = fedn__fs_mkdirs(service->work_dir, err);
    fedn__free(all);
    return rc;
}

/* What one run leaves to the next. */
static fedn_status make_lasting_dirs(fedn__client_service *service, fedn_error *err)
{
    service->kept_dir = fedn__fs_join(service->state_dir, "kept");
    service->parts = fedn__fs_join(service->state_dir, "parts");
    fedn_status rc = service->kept_dir && service->parts ? FEDN_OK : fedn__error_nomem(err);
    if (rc == FEDN_OK)
        rc = fedn__fs_mkdirs(service->kept_dir, err);
    return rc == FEDN_OK ? fedn__parts_open(service->parts, PARTS_KEPT, err) : rc;
}

static fedn_status make_dirs(fedn__client_service *service, fedn_error *err)
{
    const char *dir = service->options->state_dir;
    fedn_status rc = FEDN_OK;

    if (dir[0]) {
        service->state_dir = fedn__strdup(dir);
        rc = service->state_dir ? fedn__fs_mkdirs(dir, err) : fedn__error_nomem(err);
        if (rc == FEDN_OK)
            rc = fedn__fs_lock(dir, &service->lock_fd, err);
    } else {
        service->temporary = 1;
        rc = fedn__fs_temp_dir(NULL, "fedn-client-", &service->state_dir, err);
    }
    if (rc == FEDN_OK)
        rc = make_work_dir(service, err);
    if (rc == FEDN_OK)
        rc = make_lasting_dirs(service, err);
    return rc == FEDN_OK || rc == FEDN_ERR_NOMEM ? rc
                                                 : fedn__error_prefix(err, rc, "client.state_dir");
}

fedn_status fedn__client_service_new(const fedn__client_options *options,
                                     fedn__client_service **ret, fedn_error *err)
{
    *ret = NULL;
    fedn__client_service *service = fedn__alloc_zero(sizeof *service);
    if (!service)
        return fedn__error_nomem(err);
    service->options = options;
    service->lock_fd = -1;
    atomic_init(&service->stopping, 0);
    (void)pthread_mutex_init(&service->mutex, NULL);
    fedn__flag_init(&service->finished);
    fedn__notes_init(&service->notes);
    service->stop_post.fn = on_stop;
    service->timer.fn = on_timer;
    service->timer.user_data = service;
    fedn_status rc = make_dirs(service, err);
    if (rc == FEDN_OK)
        rc = fedn__identity_load(options->id, options->name,
                                 service->temporary ? NULL : service->state_dir, &service->identity,
                                 err);
    if (rc == FEDN_OK && options->tls_ca[0])
        rc = fedn__pem_read("client.tls_ca", options->tls_ca, &service->trusted_pem, err);
    if (rc == FEDN_OK && options->combiner[0])
        rc = fedn__address_parse(options->combiner, &service->address, err);
    if (rc != FEDN_OK) {
        fedn__client_service_free(service);
        return rc;
    }
    snprintf(service->id, sizeof service->id, "%s", service->identity.id);
    *ret = service;
    return FEDN_OK;
}

static fedn_status make_engine(fedn__client_service *service, fedn_error *err)
{
    const fedn__client_options *options = service->options;
    fedn__uuid seed;
    fedn__client_settings settings = {
        .heartbeat_ms = options->heartbeat_ms,
        .reconnect_min_ms = options->reconnect_min_ms,
        .reconnect_max_ms = options->reconnect_max_ms,
        .has_train = options->train.fn != NULL,
        .has_validate = options->validate.fn != NULL,
        .has_predict = options->predict.fn != NULL,
    };

    fedn__uuid_new(&seed);
    memcpy(&settings.seed, seed.bytes, sizeof settings.seed);
    settings.direct = options->combiner[0] ? service->address.target : NULL;
    return fedn__client_engine_new(&settings, &service->engine, err);
}

fedn_status fedn__client_service_start(fedn__client_service *service, fedn_error *err)
{
    const fedn__client_options *options = service->options;
    fedn_status rc = FEDN_OK;

    if (options->token[0]) {
        service->authorization = fedn__strf("Bearer %s", options->token);
        rc = service->authorization ? FEDN_OK : fedn__error_nomem(err);
    }
    if (rc == FEDN_OK)
        rc = make_engine(service, err);
    if (rc == FEDN_OK)
        rc = fedn__client_restore(service, err);
    if (rc == FEDN_OK)
        rc = fedn__queue_new(QUEUED_JOBS, &service->queue, err);
    if (rc == FEDN_OK)
        rc = fedn__http_client_new(&service->http, err);
    if (rc == FEDN_OK && options->tls_ca[0])
        rc = fedn__http_client_trust(service->http, options->tls_ca, err);
    if (rc == FEDN_OK)
        rc = fedn__pool_new(1, "fedn-client-io", &service->pool, err);
    if (rc == FEDN_OK)
        rc = fedn__loop_new("fedn-client", &options->log, &service->loop, err);
    if (rc != FEDN_OK)
        return rc;
    beginning first = {.service = service};
    fedn__loop_call(service->loop, begin, &first);
    if (first.status != FEDN_OK)
        return fedn__error_nomem(err);
    (void)pthread_mutex_lock(&service->mutex);
    service->started = 1;
    int32_t stopping = atomic_load(&service->stopping);
    (void)pthread_mutex_unlock(&service->mutex);
    if (stopping)
        fedn__client_service_stop(service);
    return FEDN_OK;
}

void fedn__client_service_stop(fedn__client_service *service)
{
    atomic_store(&service->stopping, 1);
    (void)pthread_mutex_lock(&service->mutex);
    if (service->started && !service->stop_posted) {
        service->stop_posted = 1;
        fedn__loop_post(service->loop, &service->stop_post);
    }
    (void)pthread_mutex_unlock(&service->mutex);
}

fedn_status fedn__client_service_wait(fedn__client_service *service, fedn_error *err)
{
    (void)fedn__flag_wait(&service->finished, INT64_MAX);
    if (service->outcome.code != FEDN_OK && err)
        *err = service->outcome;
    return service->outcome.code;
}

static void remove_files(fedn__client_service *service)
{
    if (service->work_dir)
        (void)fedn__fs_remove_tree(service->work_dir, NULL);
    if (service->temporary && service->state_dir)
        (void)fedn__fs_remove_tree(service->state_dir, NULL);
    if (service->lock_fd >= 0)
        (void)close(service->lock_fd);
}

void fedn__client_service_free(fedn__client_service *service)
{
    if (!service)
        return;
    fedn__loop_free(service->loop);
    fedn__pool_free(service->pool);
    fedn__http_client_free(service->http);
    fedn__queue_free(service->queue);
    fedn__client_job_done(service);
    fedn__client_engine_free(service->engine);
    remove_files(service);
    fedn__notes_done(&service->notes);
    fedn__identity_done(&service->identity);
    fedn__free(service->authorization);
    fedn__free(service->trusted_pem);
    fedn__blob_unref(service->model);
    fedn__free(service->model_path);
    fedn__free(service->work_dir);
    fedn__free(service->parts);
    fedn__free(service->kept_dir);
    fedn__free(service->state_dir);
    fedn__flag_done(&service->finished);
    (void)pthread_mutex_destroy(&service->mutex);
    fedn__free(service);
}
