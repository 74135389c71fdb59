/* SPDX-License-Identifier: Apache-2.0
 * Driving a registered function table: it gets whole models, and what it returns is checked. */
#include "aggregate/layout.h"
#include "aggregate/partial.h"
#include "aggregate/rule.h"
#include "core/alloc.h"
#include "core/error.h"
#include "core/text.h"
#include "model/model.h"
#include <string.h>

typedef struct custom {
    const fedn__rule *rule;
    void *self;
    fedn_model *result; /* finished, but has not arrived yet: only finish and reset go on */
} custom;

/* The table's functions may return anything and may leave the error empty. */
static fedn_status outcome(const fedn__rule *rule, const char *verb, fedn_status rc,
                           const fedn_error *theirs, fedn_error *err)
{
    if (rc == FEDN_OK)
        return FEDN_OK;
    if (rc > 0)
        rc = FEDN_ERR_CALLBACK;
    if (theirs->message[0])
        return fedn__error_detail(err, rc, theirs->detail, "aggregator '%s': %.400s", rule->name,
                                  theirs->message);
    return fedn__error(err, rc, "aggregator '%s' failed to %s: %s", rule->name, verb,
                       fedn_status_string(rc));
}

static fedn_status check_open(const custom *self, fedn_error *err)
{
    if (!self->result)
        return FEDN_OK;
    return fedn__error(err, FEDN_ERR_STATE,
                       "aggregator '%s' has finished its round; take the result or reset it",
                       self->rule->name);
}

static fedn_status create(const fedn__rule *rule, const char *kwargs, void **ret_self,
                          fedn_error *err)
{
    fedn_error theirs = {0};
    custom *self = fedn__alloc_zero(sizeof *self);

    if (!self)
        return fedn__error_nomem(err);
    self->rule = rule;
    fedn_status rc = rule->impl->create(kwargs, rule->user_data, &self->self, &theirs);
    if (rc != FEDN_OK) {
        fedn__free(self);
        return outcome(rule, "start", rc, &theirs, err);
    }
    *ret_self = self;
    return FEDN_OK;
}

static void destroy(void *of)
{
    custom *self = of;

    fedn_model_unref(self->result);
    self->rule->impl->destroy(self->self);
    fedn__free(self);
}

static void reset(void *of)
{
    custom *self = of;

    if (!self->result) /* else finish has emptied it already */
        self->rule->impl->reset(self->self);
    self->result = fedn_model_unref(self->result);
}

static fedn_status begin(void *of, const fedn__reader *global, fedn_error *err)
{
    custom *self = of;
    fedn_error theirs = {0};
    fedn_model *model = NULL;

    if (!self->rule->impl->begin)
        return FEDN_OK;
    fedn_status rc = fedn__source_load(global->source, 0, &model, err);
    if (rc == FEDN_OK)
        rc = outcome(self->rule, "begin", self->rule->impl->begin(self->self, model, &theirs),
                     &theirs, err);
    fedn_model_unref(model);
    return rc;
}

static fedn_status add(void *of, fedn__round *round, const fedn__reader *update, double weight,
                       fedn_error *err)
{
    custom *self = of;
    fedn_error theirs = {0};
    fedn_model *model = NULL;
    fedn_status rc = check_open(self, err);

    (void)round;
    if (rc == FEDN_OK)
        rc = fedn__source_load(update->source, 0, &model, err);
    if (rc == FEDN_OK)
        rc = outcome(self->rule, "add", self->rule->impl->add(self->self, model, weight, &theirs),
                     &theirs, err);
    fedn_model_unref(model);
    return rc;
}

/* A table may stand on a rule of ours and save what that one saves: a tensor of its model that is
 * named as our description has one dot more in the file. */
#define INNER FEDN__PARTIAL_TENSOR "."

static fedn_status inner_layout(const fedn__index *model, fedn__index *ret, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    fedn__index_init(ret, 1);
    for (uint32_t i = 0; rc == FEDN_OK && i < model->count; i++) {
        const fedn__tensor_info *info = &model->entries[i].info;
        int32_t ours = strncmp(info->name, INNER, sizeof INNER - 2) == 0;
        char *name = fedn__strf("%s%s", info->name, ours ? "." : "");
        fedn__entry *entry = NULL;
        rc = name ? fedn__index_add(ret, name, info->dtype, info->rank, info->shape, &entry, err)
                  : fedn__error_nomem(err);
        fedn__free(name);
    }
    return rc;
}

/* The same the other way round; the first tensor is our description. */
static fedn_status load_inner(fedn__source *source, fedn_model **ret, fedn_error *err)
{
    fedn_model *model = NULL;
    fedn_status rc = fedn_model_new(&model, err);

    for (uint32_t i = 1; rc == FEDN_OK && i < fedn__source_count(source); i++) {
        const fedn__tensor_info *info = fedn__source_info(source, i);
        uint64_t bytes = strlen(info->name);
        int32_t ours = strncmp(info->name, INNER, sizeof INNER - 1) == 0;
        char *name = fedn__strndup(info->name, ours ? bytes - 1 : bytes);
        void *data = NULL;
        rc = name ? fedn_model_add(model, name, info->dtype, info->rank, info->shape, NULL, &data,
                                   err)
                  : fedn__error_nomem(err);
        if (rc == FEDN_OK)
            rc = fedn__source_read(source, i, 0, data, info->bytes, err);
        fedn__free(name);
    }
    if (rc == FEDN_OK)
        *ret = model;
    else
        fedn_model_unref(model);
    return rc;
}

static fedn_status merge(void *of, fedn__round *round, const fedn__reader *partial,
                         const fedn__round *more, fedn_error *err)
{
    custom *self = of;
    fedn_error theirs = {0};
    fedn_model *model = NULL;
    fedn_status rc = check_open(self, err);

    (void)round;
    (void)more;
    if (rc == FEDN_OK)
        rc = load_inner(partial->source, &model, err);
    if (rc == FEDN_OK)
        rc = outcome(self->rule, "merge", self->rule->impl->merge(self->self, model, &theirs),
                     &theirs, err);
    fedn_model_unref(model);
    return rc;
}

/* A model that the table has made: it must be there, and is sealed. */
static fedn_status take(const custom *self, const char *verb, fedn_status rc, fedn_model *model,
                        const fedn_error *theirs, fedn_error *err)
{
    rc = outcome(self->rule, verb, rc, theirs, err);
    if (rc == FEDN_OK && !model)
        return fedn__error(err, FEDN_ERR_CALLBACK, "aggregator '%s' gave no model to %s",
                           self->rule->name, verb);
    if (rc == FEDN_OK)
        fedn__model_seal(model);
    return rc;
}

static fedn_status write_model(const fedn_model *model, const fedn__index *layout,
                               fedn__output *output, fedn_error *err)
{
    fedn_status rc = fedn__output_begin(output, layout, err);

    for (uint32_t i = 0; rc == FEDN_OK && i < fedn_model_count(model); i++)
        rc = fedn__output_write(output, fedn_model_data(model, i), fedn_model_bytes(model, i), err);
    return rc;
}

static fedn_status save(void *of, const fedn__round *round, fedn__output *output, fedn_error *err)
{
    custom *self = of;
    fedn_error theirs = {0};
    fedn_model *model = NULL;
    fedn__index layout;
    fedn_status rc = check_open(self, err);

    (void)round;
    if (rc == FEDN_OK) {
        rc = self->rule->impl->save(self->self, &model, &theirs);
        rc = take(self, "save", rc, model, &theirs, err);
    }
    if (rc == FEDN_OK) {
        rc = inner_layout(fedn__model_index(model), &layout, err);
        if (rc == FEDN_OK)
            rc = write_model(model, &layout, output, err);
        fedn__index_done(&layout);
    }
    fedn_model_unref(model);
    return rc;
}

/* A result of another layout, or one that is not finite, must not become a global model. */
static fedn_status check_result(const custom *self, const fedn__round *round, fedn_error *err)
{
    fedn_error why = {0};
    fedn__source *source = NULL;
    fedn_status rc = fedn__layout_check_index(&round->layout, round->reference,
                                              fedn__model_index(self->result), "result", &why);

    if (rc == FEDN_OK)
        rc = fedn__source_from_model(self->result, &source, &why);
    if (rc == FEDN_OK) {
        const fedn__reader reader = {source, "result", NULL};
        rc = fedn__reader_check(&reader, &why);
    }
    fedn__source_free(source);
    if (rc == FEDN_OK || rc == FEDN_ERR_NOMEM)
        return rc == FEDN_OK ? rc : fedn__error_nomem(err);
    return fedn__error(err, FEDN_ERR_CALLBACK, "aggregator '%s': %.400s", self->rule->name,
                       why.message);
}

static fedn_status finish(void *of, fedn__round *round, fedn__output *output, fedn_error *err)
{
    custom *self = of;
    fedn_error theirs = {0};
    fedn_status rc = FEDN_OK;

    if (!self->result) {
        rc = self->rule->impl->finish(self->self, &self->result, &theirs);
        rc = take(self, "finish", rc, self->result, &theirs, err);
    }
    if (rc == FEDN_OK)
        rc = check_result(self, round, err);
    if (rc == FEDN_OK)
        return write_model(self->result, fedn__model_index(self->result), output, err);
    if (rc == FEDN_ERR_CALLBACK && self->result) { /* the round is over and has no result */
        self->result = fedn_model_unref(self->result);
        round->broken = 1;
    }
    return rc;
}

static fedn_status save_state(void *of, fedn__output *output, fedn_error *err)
{
    custom *self = of;
    fedn_error theirs = {0};
    fedn_model *model = NULL;
    fedn_status rc = self->rule->impl->save_state(self->self, &model, &theirs);

    rc = take(self, "save_state", rc, model, &theirs, err);
    if (rc == FEDN_OK)
        rc = write_model(model, fedn__model_index(model), output, err);
    fedn_model_unref(model);
    return rc;
}

static fedn_status load_state(void *of, const fedn__round *round, const fedn__reader *state,
                              fedn_error *err)
{
    custom *self = of;
    fedn_error theirs = {0};
    fedn_model *model = NULL;
    fedn_status rc = fedn__source_load(state->source, 0, &model, err);

    (void)round;
    if (rc == FEDN_OK)
        rc = outcome(self->rule, "load_state",
                     self->rule->impl->load_state(self->self, model, &theirs), &theirs, err);
    fedn_model_unref(model);
    return rc;
}

static void forget(void *of)
{
    custom *self = of;
    fedn_error theirs = {0};

    self->rule->impl->load_state(self->self, NULL, &theirs);
}

const fedn__rule fedn__rule_custom = {
    .create = create,
    .destroy = destroy,
    .begin = begin,
    .add = add,
    .merge = merge,
    .save = save,
    .finish = finish,
    .reset = reset,
    .save_state = save_state,
    .load_state = load_state,
    .forget = forget,
};
