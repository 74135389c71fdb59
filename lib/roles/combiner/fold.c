/* SPDX-License-Identifier: Apache-2.0
 * The aggregate of a combiner's round, worked on by one lane of the pool. */
#include "roles/combiner/fold.h"

#include "aggregate/aggregator.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include <string.h>

struct fedn__fold {
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__lane lane;

    /* the lane's alone */
    fedn_aggregator *aggregator;
    char *name;
    char *kwargs;
    char *format;
    uint64_t models; /* that were replaced by one; 0: the aggregator has them */
};

typedef struct step {
    fedn__work work;
    fedn__fold *fold;
    fedn_status (*run)(struct step *step, fedn_error *err);
    fedn__fold_fn fn;
    void *user_data;
    fedn__fold_result result;
    fedn__blob *blob;
    fedn__blob *base;   /* the model that an update started from; NULL: the global one */
    fedn__blob *global; /* with it */
    double weight;
    char *texts[4]; /* name, kwargs, format, path: what the step needs of them */
    char *id;
} step;

enum { TEXT_NAME, TEXT_KWARGS, TEXT_FORMAT, TEXT_PATH };

fedn_status fedn__fold_new(fedn__loop *loop, fedn__pool *pool, fedn__fold **ret, fedn_error *err)
{
    *ret = fedn__alloc_zero(sizeof **ret);
    if (!*ret)
        return fedn__error_nomem(err);
    (*ret)->loop = loop;
    (*ret)->pool = pool;
    fedn__lane_init(&(*ret)->lane);
    return FEDN_OK;
}

static void forget_aggregator(fedn__fold *fold)
{
    fedn_aggregator_free(fold->aggregator);
    fold->aggregator = NULL;
    fedn__free(fold->name);
    fedn__free(fold->kwargs);
    fold->name = fold->kwargs = NULL;
}

void fedn__fold_free(fedn__fold *fold)
{
    if (!fold)
        return;
    forget_aggregator(fold);
    fedn__free(fold->format);
    fedn__free(fold);
}

static void step_free(step *s)
{
    for (uint32_t i = 0; i < 4; i++)
        fedn__free(s->texts[i]);
    fedn__free(s->id);
    fedn__blob_unref(s->blob);
    fedn__blob_unref(s->base);
    fedn__blob_unref(s->global);
    fedn__free(s);
}

static void step_work(fedn__work *work)
{
    step *s = (step *)work;
    int64_t start = fedn__clock_ns();

    s->result.status = s->run(s, &s->result.err);
    s->result.seconds = (double)(fedn__clock_ns() - start) * 1e-9;
}

static void step_done(fedn__work *work)
{
    step *s = (step *)work;

    if (s->fn)
        s->fn(&s->result, s->id, s->user_data);
    step_free(s);
}

static step *step_new(fedn__fold *fold, fedn_status (*run)(step *, fedn_error *), const char *id)
{
    step *s = fedn__alloc_zero(sizeof *s);

    if (!s)
        return NULL;
    s->fold = fold;
    s->run = run;
    s->work.work = step_work;
    s->work.done = step_done;
    s->id = fedn__strdup(id);
    if (!s->id) {
        step_free(s);
        return NULL;
    }
    return s;
}

static void step_submit(step *s, fedn__fold_fn fn, void *user_data)
{
    s->fn = fn;
    s->user_data = user_data;
    fedn__work_submit(&s->work, s->fold->loop, s->fold->pool, &s->fold->lane);
}

static fedn_status open_source(fedn__blob *blob, const char *format, fedn__source **ret,
                               fedn_error *err)
{
    return fedn__source_open(blob, format && *format ? format : NULL, ret, err);
}

/* The same rule with the same parameters goes on with what it keeps between rounds. */
static fedn_status use_aggregator(fedn__fold *fold, step *s, fedn_error *err)
{
    if (fold->aggregator && strcmp(fold->name, s->texts[TEXT_NAME]) == 0 &&
        strcmp(fold->kwargs, s->texts[TEXT_KWARGS]) == 0) {
        fedn__aggregator_reset(fold->aggregator);
        return FEDN_OK;
    }
    forget_aggregator(fold);
    fedn_status rc =
        fedn_aggregator_new(s->texts[TEXT_NAME], s->texts[TEXT_KWARGS], &fold->aggregator, err);
    if (rc != FEDN_OK)
        return rc;
    fold->name = s->texts[TEXT_NAME];
    fold->kwargs = s->texts[TEXT_KWARGS];
    s->texts[TEXT_NAME] = s->texts[TEXT_KWARGS] = NULL;
    return FEDN_OK;
}

static fedn_status run_begin(step *s, fedn_error *err)
{
    fedn__fold *fold = s->fold;
    fedn__source *global = NULL;

    fedn_status rc = use_aggregator(fold, s, err);
    if (rc != FEDN_OK)
        return rc;
    fedn__free(fold->format);
    fold->format = s->texts[TEXT_FORMAT];
    s->texts[TEXT_FORMAT] = NULL;
    fold->models = 0;
    rc = open_source(s->blob, fold->format, &global, err);
    if (rc == FEDN_OK)
        rc = fedn__aggregator_begin_source(fold->aggregator, global, err);
    fedn__source_free(global);
    if (rc != FEDN_OK) {
        forget_aggregator(fold); /* nothing is added to a round that has not begun */
        fedn__error_prefix(err, rc, "global model");
    }
    return rc;
}

static fedn_status shift(fedn__fold *fold, fedn__blob *model, double weight, fedn_error *err)
{
    fedn__source *source = NULL;
    fedn_status rc = open_source(model, fold->format, &source, err);

    if (rc == FEDN_OK)
        rc = fedn__aggregator_shift_source(fold->aggregator, source, weight, err);
    fedn__source_free(source);
    return rc;
}

/* Before anything is added: what cannot be read later would spoil the round. */
static fedn_status check(const fedn__fold *fold, fedn__blob *model, fedn_error *err)
{
    fedn__source *source = NULL;
    fedn_status rc = open_source(model, fold->format, &source, err);

    if (rc == FEDN_OK)
        rc = fedn__aggregator_check_source(fold->aggregator, source, err);
    fedn__source_free(source);
    return rc;
}

static fedn_status run_add(step *s, fedn_error *err)
{
    fedn__fold *fold = s->fold;
    fedn__source *update = NULL;

    if (!fold->aggregator)
        return fedn__error(err, FEDN_ERR_STATE, "no round is being aggregated");
    int32_t moves = s->base && fedn__aggregator_is_mean(fold->aggregator);
    fedn_status rc = moves ? check(fold, s->base, err) : FEDN_OK;
    if (rc == FEDN_OK && moves)
        rc = check(fold, s->global, err);
    if (rc == FEDN_OK)
        rc = open_source(s->blob, fold->format, &update, err);
    if (rc == FEDN_OK)
        rc = fedn__aggregator_add_source(fold->aggregator, update, s->weight, err);
    fedn__source_free(update);
    /* what it learned from its own model is added to the present one: w - base + global */
    if (rc == FEDN_OK && moves)
        rc = shift(fold, s->global, s->weight, err);
    if (rc == FEDN_OK && moves)
        rc = shift(fold, s->base, -s->weight, err);
    return rc;
}

/* Beside the one that there is, which goes on if this one cannot be. */
static fedn_status run_replace(step *s, fedn_error *err)
{
    fedn__fold *fold = s->fold;
    fedn__source *global = NULL;
    fedn__source *model = NULL;
    fedn_aggregator *fresh = NULL;

    if (!fold->aggregator)
        return fedn__error(err, FEDN_ERR_STATE, "no round is being aggregated");
    fedn_status rc = fedn_aggregator_new(fold->name, fold->kwargs, &fresh, err);
    if (rc == FEDN_OK)
        rc = open_source(s->global, fold->format, &global, err);
    if (rc == FEDN_OK)
        rc = fedn__aggregator_begin_source(fresh, global, err);
    if (rc == FEDN_OK)
        rc = open_source(s->blob, "npz", &model, err);
    if (rc == FEDN_OK)
        rc = fedn__aggregator_add_source(fresh, model, fedn_aggregator_weight(fold->aggregator),
                                         err);
    fedn__source_free(model);
    fedn__source_free(global);
    if (rc != FEDN_OK) {
        fedn_aggregator_free(fresh);
        return rc;
    }
    fold->models = fedn_aggregator_models(fold->aggregator);
    fedn_aggregator_free(fold->aggregator);
    fold->aggregator = fresh;
    return FEDN_OK;
}

static fedn_status run_save(step *s, fedn_error *err)
{
    fedn__fold *fold = s->fold;

    if (!fold->aggregator)
        return fedn__error(err, FEDN_ERR_STATE, "no round is being aggregated");
    s->result.weight = fedn_aggregator_weight(fold->aggregator);
    s->result.count = fold->models ? fold->models : fedn_aggregator_models(fold->aggregator);
    fedn_status rc = fedn__aggregator_save_file(fold->aggregator, s->texts[TEXT_PATH], err);
    if (rc == FEDN_OK) {
        fedn__aggregator_reset(fold->aggregator);
        fold->models = 0;
    }
    return rc;
}

static fedn_status run_checkpoint(step *s, fedn_error *err)
{
    const char *path = s->texts[TEXT_PATH];

    if (!s->fold->aggregator)
        return fedn__error(err, FEDN_ERR_STATE, "no round is being aggregated");
    char *fresh = fedn__strf("%s.new", path);
    fedn_status rc = fresh ? fedn__aggregator_save_file(s->fold->aggregator, fresh, err)
                           : fedn__error_nomem(err);
    if (rc == FEDN_OK)
        rc = fedn__fs_move(fresh, path, 1, err);
    fedn__free(fresh);
    return rc;
}

static fedn_status run_resume(step *s, fedn_error *err)
{
    fedn__blob *blob = NULL;
    fedn__source *partial = NULL;

    if (!s->fold->aggregator)
        return fedn__error(err, FEDN_ERR_STATE, "no round is being aggregated");
    fedn_status rc = fedn__blob_from_file(s->texts[TEXT_PATH], &blob, err);
    if (rc == FEDN_OK)
        rc = fedn__source_open(blob, "npz", &partial, err);
    if (rc == FEDN_OK)
        rc = fedn__aggregator_merge_source(s->fold->aggregator, partial, err);
    fedn__source_free(partial);
    fedn__blob_unref(blob);
    return rc;
}

static fedn_status run_reset(step *s, fedn_error *err)
{
    (void)err;
    if (s->fold->aggregator)
        fedn__aggregator_reset(s->fold->aggregator);
    return FEDN_OK;
}

/* NOLINTNEXTLINE(readability-function-size): a rule, a model and who hears of it */
fedn_status fedn__fold_begin(fedn__fold *fold, const char *aggregator, const char *kwargs,
                             const char *format, fedn__blob *global, const char *round_id,
                             fedn__fold_fn fn, void *user_data)
{
    step *s = step_new(fold, run_begin, round_id);

    if (!s)
        return FEDN_ERR_NOMEM;
    s->blob = fedn__blob_ref(global);
    s->texts[TEXT_NAME] = fedn__strdup(aggregator);
    s->texts[TEXT_KWARGS] = fedn__strdup(kwargs);
    s->texts[TEXT_FORMAT] = fedn__strdup(format);
    if (!s->texts[TEXT_NAME] || !s->texts[TEXT_KWARGS] || !s->texts[TEXT_FORMAT]) {
        step_free(s);
        return FEDN_ERR_NOMEM;
    }
    step_submit(s, fn, user_data);
    return FEDN_OK;
}

/* NOLINTNEXTLINE(readability-function-size): an update, its models and who hears of it */
fedn_status fedn__fold_add(fedn__fold *fold, fedn__blob *update, const char *update_id,
                           double weight, fedn__blob *base, fedn__blob *global, fedn__fold_fn fn,
                           void *user_data)
{
    step *s = step_new(fold, run_add, update_id);

    if (!s)
        return FEDN_ERR_NOMEM;
    s->weight = weight;
    s->blob = fedn__blob_ref(update);
    s->base = base ? fedn__blob_ref(base) : NULL;
    s->global = base ? fedn__blob_ref(global) : NULL;
    step_submit(s, fn, user_data);
    return FEDN_OK;
}

fedn_status fedn__fold_replace(fedn__fold *fold, fedn__blob *model, fedn__blob *global,
                               const char *round_id, fedn__fold_fn fn, void *user_data)
{
    step *s = step_new(fold, run_replace, round_id);

    if (!s)
        return FEDN_ERR_NOMEM;
    s->blob = fedn__blob_ref(model);
    s->global = fedn__blob_ref(global);
    step_submit(s, fn, user_data);
    return FEDN_OK;
}

static fedn_status submit_file(fedn__fold *fold, fedn_status (*run)(step *, fedn_error *),
                               const char *path, const char *partial_id, fedn__fold_fn fn,
                               void *user_data)
{
    step *s = step_new(fold, run, partial_id);

    if (!s)
        return FEDN_ERR_NOMEM;
    s->texts[TEXT_PATH] = fedn__strdup(path);
    if (!s->texts[TEXT_PATH]) {
        step_free(s);
        return FEDN_ERR_NOMEM;
    }
    step_submit(s, fn, user_data);
    return FEDN_OK;
}

fedn_status fedn__fold_save(fedn__fold *fold, const char *path, const char *partial_id,
                            fedn__fold_fn fn, void *user_data)
{
    return submit_file(fold, run_save, path, partial_id, fn, user_data);
}

fedn_status fedn__fold_checkpoint(fedn__fold *fold, const char *path, const char *partial_id,
                                  fedn__fold_fn fn, void *user_data)
{
    return submit_file(fold, run_checkpoint, path, partial_id, fn, user_data);
}

fedn_status fedn__fold_resume(fedn__fold *fold, const char *path, const char *partial_id,
                              fedn__fold_fn fn, void *user_data)
{
    return submit_file(fold, run_resume, path, partial_id, fn, user_data);
}

fedn_status fedn__fold_reset(fedn__fold *fold)
{
    step *s = step_new(fold, run_reset, "");

    if (!s)
        return FEDN_ERR_NOMEM;
    step_submit(s, NULL, NULL);
    return FEDN_OK;
}
