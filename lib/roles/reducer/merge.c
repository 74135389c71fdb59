/* SPDX-License-Identifier: Apache-2.0
 * Merging partials on a lane of the pool. */
#include "roles/reducer/merge.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/owner.h"
#include "roles/reducer/keepsake.h"
#include <assert.h>
#include <stdio.h>

enum { SESSION, ROUND, MERGE, FINISH };

typedef struct merge_job {
    fedn__work work;
    fedn__merger *merger;
    int32_t type;
    fedn_aggregator *aggregator; /* session; afterwards the old one */
    char *text;                  /* format, model id or path */
    char run_id[FEDN__UUID_TEXT];
    int32_t is_first;
    fedn__merge_result result;
} merge_job;

struct fedn__merger {
    fedn__merger_options options;
    fedn__lane lane;
    uint64_t jobs; /* given and not answered */
    /* the lane's alone */
    fedn_aggregator *aggregator;
    char *format;
    char *model; /* a finished one that is not in the blob store yet; NULL: none */
    fedn__uuid model_id;
    fedn__keepsake keepsake;
    uint64_t round;
    fedn_status begun; /* how the round began */
    fedn_error begun_err;
};

fedn_status fedn__merger_new(const fedn__merger_options *options, fedn__merger **ret,
                             fedn_error *err)
{
    *ret = fedn__alloc_zero(sizeof **ret);
    if (!*ret)
        return fedn__error_nomem(err);
    (*ret)->options = *options;
    fedn__lane_init(&(*ret)->lane);
    fedn__keepsake_init(&(*ret)->keepsake, options->states);
    return FEDN_OK;
}

static void forget_model(fedn__merger *merger)
{
    if (merger->model)
        fedn__fs_unlink(merger->model, NULL);
    fedn__free(merger->model);
    merger->model = NULL;
}

void fedn__merger_free(fedn__merger *merger)
{
    if (!merger)
        return;
    assert(merger->jobs == 0);
    fedn_aggregator_free(merger->aggregator);
    forget_model(merger);
    fedn__free(merger->format);
    fedn__free(merger);
}

int32_t fedn__merger_is_idle(const fedn__merger *merger)
{
    return merger->jobs == 0;
}

static fedn_status begin_round(fedn__merger *merger, const char *model_id, int32_t is_first,
                               fedn_error *err)
{
    fedn__uuid id;
    fedn__blob *blob = NULL;
    fedn__source *global = NULL;
    fedn_status rc = FEDN_ERR_NOT_FOUND;

    forget_model(merger);
    fedn__aggregator_reset(merger->aggregator);
    if (!fedn__uuid_parse(model_id, &id)) {
        rc = fedn__error(err, rc, "model \"%.64s\" is not a UUID", model_id);
        goto out;
    }
    rc = fedn__blobs_get(merger->options.blobs, &id, &blob, err);
    if (rc == FEDN_OK)
        rc = fedn__source_open(blob, merger->format, &global, err);
    if (rc == FEDN_OK)
        rc = fedn__aggregator_begin_source(merger->aggregator, global, err);
    if (rc == FEDN_OK)
        rc = fedn__keepsake_use(&merger->keepsake, merger->aggregator, model_id, is_first, err);
out:
    fedn__source_free(global);
    fedn__blob_unref(blob);
    return rc;
}

static fedn_status merge_file(fedn__merger *merger, merge_job *job, fedn_error *err)
{
    fedn__blob *blob = NULL;
    fedn__source *partial = NULL;
    uint64_t before = fedn_aggregator_models(merger->aggregator);
    fedn_status rc = FEDN_ERR_STATE;

    if (merger->round != job->result.round) {
        rc = fedn__error(err, rc, "round %llu is over", (unsigned long long)job->result.round);
        goto out;
    }
    if (merger->begun != FEDN_OK) {
        rc = merger->begun;
        *err = merger->begun_err;
        goto out;
    }
    rc = fedn__blob_from_file(job->text, &blob, err);
    if (rc == FEDN_ERR_NOT_FOUND)
        fedn__error(err, rc, "the partial that was reported is not here");
    if (rc == FEDN_OK)
        rc = fedn__source_open(blob, "npz", &partial, err);
    if (rc == FEDN_OK)
        rc = fedn__aggregator_merge_source(merger->aggregator, partial, err);
    job->result.models = fedn_aggregator_models(merger->aggregator) - before;
out:
    fedn__source_free(partial);
    fedn__blob_unref(blob);
    return rc;
}

/* The aggregate as a file beside the blob store; once it is there the aggregate is gone. */
static fedn_status write_model(fedn__merger *merger, fedn_error *err)
{
    char *path = NULL;

    if (merger->model)
        return FEDN_OK;
    fedn__uuid_new(&merger->model_id);
    path = fedn__blobs_incoming(merger->options.blobs, &merger->model_id);
    if (!path)
        return fedn__error_nomem(err);
    fedn__keepsake_move(&merger->keepsake);
    fedn_status rc = fedn__aggregator_finish_file(merger->aggregator, merger->format, path, err);
    if (rc != FEDN_OK) {
        fedn__free(path);
        return rc;
    }
    merger->model = path;
    return FEDN_OK;
}

static fedn_status finish(fedn__merger *merger, merge_job *job, fedn_error *err)
{
    fedn_status rc = FEDN_ERR_STATE;

    if (merger->round != job->result.round)
        return fedn__error(err, rc, "round %llu is over", (unsigned long long)job->result.round);
    if (!merger->model)
        job->result.models = fedn_aggregator_models(merger->aggregator);
    rc = write_model(merger, err);
    fedn__uuid_format(&merger->model_id, job->result.model_id);
    if (rc == FEDN_OK)
        rc = fedn__keepsake_store(&merger->keepsake, merger->aggregator, job->result.model_id, err);
    if (rc == FEDN_OK)
        rc = fedn__blobs_adopt(merger->options.blobs, &merger->model_id, merger->model, err);
    if (rc != FEDN_OK)
        return rc;
    fedn__free(merger->model);
    merger->model = NULL;
    return FEDN_OK;
}

static void on_work(fedn__work *work)
{
    merge_job *job = FEDN__OWNER(work, struct merge_job, work);
    fedn__merger *merger = job->merger;
    int64_t began = fedn__clock_ns();

    if (job->type == SESSION) {
        fedn_aggregator *old = merger->aggregator;
        char *old_format = merger->format;
        merger->aggregator = job->aggregator;
        merger->format = job->text;
        job->aggregator = old;
        job->text = old_format;
        merger->round = 0;
        fedn__keepsake_session(&merger->keepsake, job->run_id);
    } else if (job->type == ROUND) {
        merger->round = job->result.round;
        merger->begun = begin_round(merger, job->text, job->is_first, &merger->begun_err);
    } else if (job->type == MERGE) {
        job->result.status = merge_file(merger, job, &job->result.err);
    } else {
        job->result.status = finish(merger, job, &job->result.err);
    }
    job->result.seconds = (double)(fedn__clock_ns() - began) / 1e9;
}

static void on_done(fedn__work *work)
{
    merge_job *job = FEDN__OWNER(work, struct merge_job, work);
    fedn__merger *merger = job->merger;

    merger->jobs--;
    if (job->type == MERGE)
        merger->options.merged(merger->options.user_data, &job->result);
    else if (job->type == FINISH)
        merger->options.finished(merger->options.user_data, &job->result);
    fedn_aggregator_free(job->aggregator);
    fedn__free(job->text);
    fedn__free(job);
    if (merger->jobs == 0)
        merger->options.settled(merger->options.user_data);
}

/* `text` is copied; NULL: none. */
static merge_job *new_job(fedn__merger *merger, int32_t type, uint64_t round, const char *text)
{
    merge_job *job = fedn__alloc_zero(sizeof *job);

    if (!job)
        return NULL;
    job->text = fedn__strdup(text);
    if (text && !job->text) {
        fedn__free(job);
        return NULL;
    }
    job->merger = merger;
    job->type = type;
    job->result.round = round;
    job->work.work = on_work;
    job->work.done = on_done;
    return job;
}

static fedn_status submit(fedn__merger *merger, merge_job *job)
{
    if (!job)
        return FEDN_ERR_NOMEM;
    merger->jobs++;
    fedn__work_submit(&job->work, merger->options.loop, merger->options.pool, &merger->lane);
    return FEDN_OK;
}

fedn_status fedn__merger_session(fedn__merger *merger, fedn_aggregator *aggregator,
                                 const char *format, const char *run_id)
{
    merge_job *job = new_job(merger, SESSION, 0, format);

    if (job) {
        job->aggregator = aggregator;
        snprintf(job->run_id, sizeof job->run_id, "%s", run_id);
    }
    return submit(merger, job);
}

fedn_status fedn__merger_round(fedn__merger *merger, uint64_t round, const char *model_id,
                               int32_t is_first)
{
    merge_job *job = new_job(merger, ROUND, round, model_id);

    if (job)
        job->is_first = is_first;
    return submit(merger, job);
}

fedn_status fedn__merger_merge(fedn__merger *merger, uint64_t round, uint32_t part,
                               const char *path)
{
    merge_job *job = new_job(merger, MERGE, round, path);

    if (job)
        job->result.part = part;
    return submit(merger, job);
}

fedn_status fedn__merger_finish(fedn__merger *merger, uint64_t round)
{
    return submit(merger, new_job(merger, FINISH, round, NULL));
}
