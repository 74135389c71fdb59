/* SPDX-License-Identifier: Apache-2.0
 * Federated optimisation: the mean of the updates less the global model is a gradient, which an
 * optimiser with momentum follows.
 *
 * Reddi, Charles, Zaheer, Garrett, Rush, Konecny, Kumar, McMahan, Adaptive federated optimization,
 * ICLR 2021, algorithm 2, as FEDn has it: v begins at tau^2 and is updated at once, and nothing
 * corrects the bias of the first rounds. Sums are those of fedavg; whoever finishes makes the step.
 *
 * The state is the momentum m and the second moment v, both float64 whatever the model's type: a
 * gradient of float32 squared leaves float32's range, and a state that is wider than the model
 * never moves it by its own rounding. Saved as "m.<i>" and "v.<i>" for each tensor i. */
#include "aggregate/layout.h"
#include "aggregate/optimiser.h"
#include "aggregate/sums.h"
#include "core/alloc.h"
#include "core/error.h"
#include <float.h>
#include <stdio.h>
#include <string.h>

typedef struct fedopt {
    fedn__sums sums; /* first: the functions of sums are the rule's */
    fedn__optimiser optimiser;
    fedn__source *global; /* what the round started from */
    int32_t stepped;      /* the sums hold the result */
    int32_t spoilt;       /* a step stopped half way */
    double *state;        /* m and v, tensor after tensor; NULL: no step was made yet */
    uint64_t bytes;
    fedn__index layout; /* of the state */
} fedopt;

static void destroy(void *of)
{
    fedopt *self = of;

    fedn__sums_done(&self->sums);
    fedn__source_free(self->global);
    fedn__free_pages(self->state, self->bytes);
    fedn__index_done(&self->layout);
    fedn__free(self);
}

static fedn_status create(const fedn__rule *rule, const char *kwargs, void **ret_self,
                          fedn_error *err)
{
    fedn__optimiser optimiser;
    fedopt *self = NULL;
    fedn_status rc = fedn__optimiser_parse(kwargs, &optimiser, err);

    (void)rule;
    if (rc != FEDN_OK)
        return rc;
    self = fedn__alloc_zero(sizeof *self);
    if (!self)
        return fedn__error_nomem(err);
    self->optimiser = optimiser;
    fedn__index_init(&self->layout, 1);
    *ret_self = self;
    return FEDN_OK;
}

/* the round ------------------------------------------------------------------------------------*/

static fedn_status begin(void *of, const fedn__reader *global, fedn_error *err)
{
    fedopt *self = of;

    fedn__source_free(self->global);
    return fedn__source_again(global->source, &self->global, err);
}

static void reset(void *of)
{
    fedopt *self = of;

    fedn__sums_reset(&self->sums);
    fedn__source_free(self->global);
    self->global = NULL;
    self->stepped = 0;
}

static fedn_status check_open(const fedopt *self, fedn_error *err)
{
    if (!self->stepped)
        return FEDN_OK;
    return fedn__error(err, FEDN_ERR_STATE,
                       "aggregator 'fedopt' has made its step; take the result or reset it");
}

static fedn_status add(void *of, fedn__round *round, const fedn__reader *update, double weight,
                       fedn_error *err)
{
    fedn_status rc = check_open(of, err);
    return rc == FEDN_OK ? fedn__sums_add(of, round, update, weight, err) : rc;
}

static fedn_status merge(void *of, fedn__round *round, const fedn__reader *partial,
                         const fedn__round *more, fedn_error *err)
{
    fedn_status rc = check_open(of, err);
    return rc == FEDN_OK ? fedn__sums_merge(of, round, partial, more, err) : rc;
}

static fedn_status save(void *of, const fedn__round *round, fedn__output *output, fedn_error *err)
{
    fedn_status rc = check_open(of, err);
    return rc == FEDN_OK ? fedn__sums_save(of, round, output, err) : rc;
}

/* the state ------------------------------------------------------------------------------------*/

static fedn_status state_layout(const fedn__index *layout, fedn__index *ret, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    fedn__index_init(ret, 1);
    for (uint32_t i = 0; rc == FEDN_OK && i < 2 * layout->count; i++) {
        const fedn__tensor_info *info = &layout->entries[i / 2].info;
        fedn__entry *entry = NULL;
        char name[32];
        snprintf(name, sizeof name, "%c.%u", i % 2 ? 'v' : 'm', i / 2);
        rc = fedn__index_add(ret, name, FEDN_DTYPE_F64, info->rank, info->shape, &entry, err);
    }
    return rc;
}

static void forget(void *of)
{
    fedopt *self = of;

    fedn__free_pages(self->state, self->bytes);
    fedn__index_done(&self->layout);
    fedn__index_init(&self->layout, 1);
    self->state = NULL;
    self->bytes = 0;
    self->spoilt = 0;
}

/* Room for a state, in place of what there was. */
static fedn_status make_state(fedopt *self, const fedn__index *layout, fedn_error *err)
{
    uint64_t bytes = 0;

    forget(self);
    fedn_status rc = state_layout(layout, &self->layout, err);
    if (rc != FEDN_OK)
        return rc;
    for (uint32_t i = 0; i < self->layout.count; i++)
        bytes += self->layout.entries[i].info.bytes; /* less than the sums, which are there */
    self->state = fedn__alloc_pages(bytes ? bytes : 8);
    if (!self->state)
        return fedn__error_nomem(err);
    self->bytes = bytes ? bytes : 8;
    return FEDN_OK;
}

static fedn_status save_state(void *of, fedn__output *output, fedn_error *err)
{
    const fedopt *self = of;
    fedn_status rc = FEDN_OK;

    if (!self->state || self->spoilt)
        return fedn__error(err, FEDN_ERR_STATE, "aggregator 'fedopt' has no state to save");
    rc = fedn__output_begin(output, &self->layout, err);
    return rc == FEDN_OK ? fedn__output_write(output, self->state, self->bytes, err) : rc;
}

static fedn_status load_block(void *arg, uint64_t first, const void *x, uint64_t n, fedn_error *err)
{
    (void)err;
    memcpy((double *)arg + first, x, (size_t)(n * 8));
    return FEDN_OK;
}

static fedn_status load_state(void *of, const fedn__round *round, const fedn__reader *state,
                              fedn_error *err)
{
    fedopt *self = of;
    double *to = NULL;
    fedn_status rc = make_state(self, &round->layout, err);

    if (rc == FEDN_OK)
        rc = fedn__layout_check_source(&self->layout, round->reference, state->source, 0,
                                       state->what, err);
    to = self->state;
    for (uint32_t i = 0; rc == FEDN_OK && i < self->layout.count; i++) {
        rc = fedn__reader_each(state, i, load_block, to, err);
        to += self->layout.entries[i].info.elements;
    }
    if (rc != FEDN_OK)
        forget(self);
    return rc;
}

/* the step -------------------------------------------------------------------------------------*/

typedef struct step {
    const fedopt *self;
    const char *name; /* of the tensor */
    fedn__weight weight;
    fedn__tensor_sums sums;
    double *m, *v;
    int32_t first; /* no momentum yet */
} step;

/* sum + low += more, and what rounding loses stays in low */
static void move_by(double *sum, double *low, double more)
{
    double whole = *sum + more;
    double part = whole - *sum;

    if (low)
        *low += (*sum - (whole - part)) + (more - part);
    *sum = whole;
}

static fedn_status check_block(const step *s, uint64_t first, uint64_t n, fedn_error *err)
{
    double largest = fedn__kernel_largest(s->sums.dtype);
    uint64_t over = fedn__kernel_first_over(s->sums.sum + first, n, largest);
    uint64_t at = first + over;

    if (over < n)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "fedopt takes tensor '%s' to %g at element %llu, the largest possible "
                           "is %g: lower learning_rate",
                           s->name, s->sums.sum[at], (unsigned long long)at, largest);
    if (fedn__kernel_first_over(s->m + first, n, DBL_MAX) < n ||
        fedn__kernel_first_over(s->v + first, n, DBL_MAX) < n)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "fedopt's moments of tensor '%s' are no longer finite", s->name);
    return FEDN_OK;
}

/* x is the global model. The sums are first brought to sum(n_k * (x_k - x)), in their own width. */
static fedn_status step_block(void *arg, uint64_t first, const void *x, uint64_t n, fedn_error *err)
{
    const step *s = arg;
    double *sum = s->sums.sum + first;
    double *low = s->sums.low ? s->sums.low + first : NULL;
    double total = s->weight.high + s->weight.low;
    double by[512];

    fedn__kernel_add(s->sums.dtype, sum, low, x, -s->weight.high, n);
    if (s->weight.low != 0)
        fedn__kernel_add(s->sums.dtype, sum, low, x, -s->weight.low, n);
    for (uint64_t done = 0; done < n; done += 512) {
        const uint8_t *from = (const uint8_t *)x + done * fedn_dtype_bytes(s->sums.dtype);
        uint64_t some = n - done < 512 ? n - done : 512;
        for (uint64_t i = 0; i < some; i++) {
            uint64_t at = done + i;
            by[i] = (sum[at] + (low ? low[at] : 0)) / total;
        }
        fedn__optimiser_follow(&s->self->optimiser, s->first, s->m + first + done,
                               s->v + first + done, by, some);
        fedn__kernel_set(s->sums.dtype, sum + done, low ? low + done : NULL, from, 1, some);
        for (uint64_t i = 0; i < some; i++)
            move_by(sum + done + i, low ? low + done + i : NULL, by[i]);
    }
    return check_block(s, first, n, err);
}

static fedn_status check_step(fedopt *self, const fedn__round *round, fedn_error *err)
{
    fedn__index expected;
    fedn_status rc = FEDN_OK;

    if (!self->global)
        return fedn__error(err, FEDN_ERR_STATE,
                           "aggregator 'fedopt' needs the model that the round starts from: begin "
                           "with it");
    if (self->spoilt)
        return fedn__error(err, FEDN_ERR_STATE,
                           "the state of aggregator 'fedopt' was spoilt by an earlier failure half "
                           "way");
    if (!self->state)
        return FEDN_OK;
    rc = state_layout(&round->layout, &expected, err);
    if (rc == FEDN_OK)
        rc = fedn__layout_check_index(&self->layout, "the rounds before", &expected, "state", err);
    fedn__index_done(&expected);
    return rc;
}

static fedn_status make_step(fedopt *self, fedn__round *round, fedn_error *err)
{
    void *block = fedn__alloc_pages(FEDN__BLOCK_BYTES);
    const fedn__reader global = {self->global, "global model", block};
    step s = {.self = self, .weight = round->weight, .first = !self->state};
    fedn_status rc = block ? FEDN_OK : fedn__error_nomem(err);

    if (rc == FEDN_OK && s.first)
        rc = make_state(self, &round->layout, err);
    if (rc != FEDN_OK) {
        if (s.first)
            forget(self);
        fedn__free_pages(block, FEDN__BLOCK_BYTES);
        return rc;
    }
    s.sums.next = self->sums.pages;
    s.m = self->state;
    for (uint32_t i = 0; rc == FEDN_OK && i < round->layout.count; i++) {
        const fedn__tensor_info *info = &round->layout.entries[i].info;
        s.name = info->name;
        s.sums = fedn__sums_of(info, s.sums.next);
        s.v = s.m + info->elements;
        rc = fedn__reader_each(&global, i, step_block, &s, err);
        s.m = s.v + info->elements;
    }
    fedn__free_pages(block, FEDN__BLOCK_BYTES);
    self->stepped = rc == FEDN_OK;
    self->spoilt = round->broken = rc != FEDN_OK;
    return rc;
}

static fedn_status finish(void *of, fedn__round *round, fedn__output *output, fedn_error *err)
{
    const fedn__weight one = {1, 0};
    fedopt *self = of;
    fedn_status rc = self->stepped ? FEDN_OK : check_step(self, round, err);

    if (rc == FEDN_OK && !self->stepped)
        rc = make_step(self, round, err);
    return rc == FEDN_OK ? fedn__sums_write(&self->sums, round, one, output, err) : rc;
}

const fedn__rule fedn__rule_fedopt = {
    .name = "fedopt",
    .is_mean = 1,
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
