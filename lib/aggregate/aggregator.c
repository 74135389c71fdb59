/* SPDX-License-Identifier: Apache-2.0
 * The public handle: what every rule relies on is checked here, then the rule is called. */
#include "aggregate/aggregator.h"

#include "aggregate/handle.h"
#include "aggregate/layout.h"
#include "aggregate/partial.h"
#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/literal.h"
#include <string.h>

static fedn_status no_argument(const char *name, fedn_error *err)
{
    return fedn__error(err, FEDN_ERR_INVALID, "%s is NULL", name);
}

fedn_status fedn_aggregator_new(const char *name, const char *kwargs, fedn_aggregator **ret,
                                fedn_error *err)
{
    fedn_aggregator *aggregator = NULL;
    const fedn__rule *rule = NULL;
    json_t *given = NULL;
    char *text = NULL;

    if (!ret)
        return no_argument("ret", err);
    *ret = NULL;
    if (!kwargs || !*kwargs)
        kwargs = "{}";
    fedn_status rc = fedn__rule_find(name ? name : "fedavg", &rule, err);
    if (rc == FEDN_OK)
        rc = fedn__literal_object(kwargs, "the aggregator's parameters", &given, err);
    if (rc != FEDN_OK)
        return rc;
    text = fedn__json_text(given);
    json_decref(given);
    if (!text)
        return fedn__error_nomem(err);
    aggregator = fedn__alloc_zero(sizeof *aggregator);
    if (!aggregator) {
        fedn__free(text);
        return fedn__error_nomem(err);
    }
    aggregator->rule = rule;
    fedn__round_init(&aggregator->round);
    aggregator->block = fedn__alloc_pages(FEDN__BLOCK_BYTES);
    rc = aggregator->block ? rule->create(rule, text, &aggregator->self, err)
                           : fedn__error_nomem(err);
    fedn__free(text);
    if (rc == FEDN_OK) {
        *ret = aggregator;
        aggregator = NULL;
    }
    fedn_aggregator_free(aggregator);
    return rc;
}

void fedn_aggregator_free(fedn_aggregator *aggregator)
{
    if (!aggregator)
        return;
    if (aggregator->self)
        aggregator->rule->destroy(aggregator->self);
    fedn__round_done(&aggregator->round);
    fedn__free_pages(aggregator->block, FEDN__BLOCK_BYTES);
    fedn__free(aggregator);
}

void fedn__aggregator_reset(fedn_aggregator *aggregator)
{
    aggregator->rule->reset(aggregator->self);
    fedn__round_done(&aggregator->round);
}

uint64_t fedn_aggregator_models(const fedn_aggregator *aggregator)
{
    return aggregator ? aggregator->round.models : 0;
}

double fedn_aggregator_weight(const fedn_aggregator *aggregator)
{
    return aggregator ? aggregator->round.weight.high + aggregator->round.weight.low : 0;
}

/* common checks --------------------------------------------------------------------------------*/

static fedn_status check_sound(const fedn_aggregator *aggregator, fedn_error *err)
{
    if (!aggregator->round.broken)
        return FEDN_OK;
    return fedn__error(err, FEDN_ERR_STATE,
                       "this round of aggregator '%s' was spoilt by an earlier failure half way; "
                       "reset it and merge what was saved before",
                       aggregator->rule->name);
}

static fedn_status check_weight(const fedn_aggregator *aggregator, double weight, fedn_error *err)
{
    if (!(weight >= FEDN__LIMIT_WEIGHT_LEAST && weight <= FEDN__LIMIT_WEIGHT))
        return fedn__error(err, FEDN_ERR_INVALID, "weight %g is not within %g to %g", weight,
                           FEDN__LIMIT_WEIGHT_LEAST, FEDN__LIMIT_WEIGHT);
    if (aggregator->round.weight.high + weight > FEDN__LIMIT_WEIGHT_TOTAL)
        return fedn__error(err, FEDN_ERR_LIMIT, "weight %g would take the total of %g over %g",
                           weight, aggregator->round.weight.high, FEDN__LIMIT_WEIGHT_TOTAL);
    return FEDN_OK;
}

/* The first model of a round fixes its layout: *ret_adopted is 1, and the caller takes it back if
 * the model does not make it into the round. */
static fedn_status settle_layout(fedn_aggregator *aggregator, const fedn__reader *reader,
                                 int32_t *ret_adopted, fedn_error *err)
{
    fedn__round *round = &aggregator->round;

    *ret_adopted = round->layout.count == 0;
    if (*ret_adopted)
        return fedn__layout_copy(reader->source, &round->layout, err);
    return fedn__layout_check_source(&round->layout, round->reference, reader->source, 0,
                                     reader->what, err);
}

static void drop_layout(fedn_aggregator *aggregator)
{
    fedn__index_done(&aggregator->round.layout);
    fedn__index_init(&aggregator->round.layout, 1);
}

/* begin, add -----------------------------------------------------------------------------------*/

static fedn_status begin(fedn_aggregator *aggregator, fedn__source *source, fedn_error *err)
{
    const fedn__reader reader = {source, "global model", aggregator->block};
    fedn__index layout;

    if (aggregator->round.models > 0)
        return fedn__error(err, FEDN_ERR_STATE, "a round of %llu models is in progress",
                           (unsigned long long)aggregator->round.models);
    fedn_status rc = fedn__reader_check(&reader, err);
    if (rc != FEDN_OK)
        return rc;
    rc = fedn__layout_copy(source, &layout, err);
    if (rc != FEDN_OK)
        return rc;
    if (aggregator->rule->begin)
        rc = aggregator->rule->begin(aggregator->self, &reader, err);
    if (rc == FEDN_OK) {
        fedn__round_done(&aggregator->round);
        aggregator->round.layout = layout;
        aggregator->round.reference = "the global model";
    } else {
        fedn__index_done(&layout);
    }
    return rc;
}

static fedn_status add(fedn_aggregator *aggregator, fedn__source *source, double weight,
                       fedn_error *err)
{
    const fedn__reader reader = {source, "update", aggregator->block};
    fedn__round *round = &aggregator->round;
    int32_t adopted = 0;
    fedn_status rc = check_sound(aggregator, err);

    if (rc == FEDN_OK)
        rc = check_weight(aggregator, weight, err);
    fedn__source_keep(source, FEDN__LIMIT_KEPT_BYTES);
    if (rc == FEDN_OK)
        rc = settle_layout(aggregator, &reader, &adopted, err);
    if (rc == FEDN_OK)
        rc = fedn__reader_check(&reader, err);
    if (rc == FEDN_OK)
        rc = aggregator->rule->add(aggregator->self, round, &reader, weight, err);
    if (rc == FEDN_OK) {
        fedn__weight_add(&round->weight, weight);
        round->models++;
    } else if (adopted) {
        drop_layout(aggregator);
    }
    return rc;
}

static fedn_status check_any(const fedn_aggregator *aggregator, fedn_error *err)
{
    if (aggregator->round.models == 0)
        return fedn__error(err, FEDN_ERR_STATE, "no model was added to aggregator '%s'",
                           aggregator->rule->name);
    return check_sound(aggregator, err);
}

fedn_status fedn__aggregator_check_source(fedn_aggregator *aggregator, fedn__source *model,
                                          fedn_error *err)
{
    const fedn__reader reader = {model, "base model", aggregator->block};
    const fedn__round *round = &aggregator->round;

    fedn__source_keep(model, FEDN__LIMIT_KEPT_BYTES);
    fedn_status rc =
        fedn__layout_check_source(&round->layout, round->reference, model, 0, reader.what, err);
    return rc == FEDN_OK ? fedn__reader_check(&reader, err) : rc;
}

static fedn_status shift(fedn_aggregator *aggregator, fedn__source *source, double weight,
                         fedn_error *err)
{
    const fedn__reader reader = {source, "base model", aggregator->block};
    fedn__round *round = &aggregator->round;
    int32_t adopted = 0;

    fedn_status rc = check_any(aggregator, err);
    if (rc == FEDN_OK && !aggregator->rule->is_mean)
        rc = fedn__error(err, FEDN_ERR_STATE, "aggregator '%s' is no mean", aggregator->rule->name);
    if (rc != FEDN_OK)
        return rc;
    fedn__source_keep(source, FEDN__LIMIT_KEPT_BYTES);
    rc = settle_layout(aggregator, &reader, &adopted, err);
    if (rc == FEDN_OK)
        rc = fedn__reader_check(&reader, err);
    if (rc == FEDN_OK)
        rc = aggregator->rule->add(aggregator->self, round, &reader, weight, err);
    if (rc != FEDN_OK)
        round->broken = 1;
    return rc;
}

int32_t fedn__aggregator_is_mean(const fedn_aggregator *aggregator)
{
    return aggregator->rule->is_mean;
}

/* merge ----------------------------------------------------------------------------------------*/

/* As settle_layout(), from a partial's description. */
static fedn_status settle_described(fedn_aggregator *aggregator, fedn__round *more,
                                    const char *what, int32_t *ret_adopted, fedn_error *err)
{
    fedn__round *round = &aggregator->round;

    if (round->weight.high + more->weight.high > FEDN__LIMIT_WEIGHT_TOTAL ||
        round->models > INT64_MAX - more->models)
        return fedn__error(err, FEDN_ERR_LIMIT, "weight %g would take the total of %g over %g",
                           more->weight.high, round->weight.high, FEDN__LIMIT_WEIGHT_TOTAL);
    *ret_adopted = round->layout.count == 0;
    if (*ret_adopted) {
        fedn__index empty = round->layout;
        round->layout = more->layout;
        more->layout = empty;
        return FEDN_OK;
    }
    return fedn__layout_check_index(&round->layout, round->reference, &more->layout, what, err);
}

static fedn_status merge(fedn_aggregator *aggregator, fedn__source *source, fedn_error *err)
{
    const fedn__reader reader = {source, "partial", aggregator->block};
    fedn__round *round = &aggregator->round;
    fedn__round more;
    int32_t adopted = 0;
    fedn_status rc = check_sound(aggregator, err);

    fedn__source_keep(source, FEDN__LIMIT_KEPT_BYTES);
    fedn__round_init(&more);
    if (rc == FEDN_OK)
        rc = fedn__partial_parse(&reader, aggregator->rule->name, &more, err);
    if (rc == FEDN_OK)
        rc = settle_described(aggregator, &more, reader.what, &adopted, err);
    if (rc == FEDN_OK)
        rc = aggregator->rule->merge(aggregator->self, round, &reader, &more, err);
    if (rc == FEDN_OK) {
        fedn__weight_add(&round->weight, more.weight.high);
        round->weight.low += more.weight.low;
        round->models += more.models;
    } else if (adopted) {
        drop_layout(aggregator);
    }
    fedn__round_done(&more);
    return rc;
}

/* save, finish ---------------------------------------------------------------------------------*/

static fedn_status save(fedn_aggregator *aggregator, const char *path, fedn_model **ret,
                        fedn_error *err)
{
    fedn__output output;
    char *text = NULL;
    fedn_status rc = check_any(aggregator, err);

    if (rc != FEDN_OK)
        return rc;
    text = fedn__partial_text(aggregator->rule->name, &aggregator->round);
    if (!text)
        return fedn__error_nomem(err);
    fedn__output_init(&output, path, "npz", text);
    rc = aggregator->rule->save(aggregator->self, &aggregator->round, &output, err);
    if (rc == FEDN_OK)
        rc = fedn__output_commit(&output, ret, err);
    fedn__output_done(&output);
    fedn__free(text);
    return rc;
}

static fedn_status finish(fedn_aggregator *aggregator, const char *path, const char *format,
                          fedn_model **ret, fedn_error *err)
{
    fedn__output output;
    fedn_status rc = check_any(aggregator, err);

    if (rc != FEDN_OK)
        return rc;
    fedn__output_init(&output, path, format, NULL);
    rc = aggregator->rule->finish(aggregator->self, &aggregator->round, &output, err);
    if (rc == FEDN_OK)
        rc = fedn__output_commit(&output, ret, err);
    fedn__output_done(&output);
    if (rc == FEDN_OK)
        fedn__aggregator_reset(aggregator);
    return rc;
}

/* the two front doors: models in memory, encoded files
 * -------------------------------------------*/

typedef fedn_status (*take_fn)(fedn_aggregator *aggregator, fedn__source *source, fedn_error *err);

static fedn_status take_model(fedn_aggregator *aggregator, fedn_model *model, take_fn take,
                              fedn_error *err)
{
    fedn__source *source = NULL;

    if (!aggregator || !model)
        return no_argument(aggregator ? "model" : "aggregator", err);
    fedn_status rc = fedn__source_from_model(model, &source, err);
    if (rc == FEDN_OK)
        rc = take(aggregator, source, err);
    fedn__source_free(source);
    return rc;
}

fedn_status fedn_aggregator_begin(fedn_aggregator *aggregator, fedn_model *global, fedn_error *err)
{
    return take_model(aggregator, global, begin, err);
}

fedn_status fedn_aggregator_merge(fedn_aggregator *aggregator, fedn_model *partial, fedn_error *err)
{
    return take_model(aggregator, partial, merge, err);
}

fedn_status fedn_aggregator_add(fedn_aggregator *aggregator, fedn_model *model, double num_examples,
                                fedn_error *err)
{
    fedn__source *source = NULL;

    if (!aggregator || !model)
        return no_argument(aggregator ? "model" : "aggregator", err);
    fedn_status rc = fedn__source_from_model(model, &source, err);
    if (rc == FEDN_OK)
        rc = add(aggregator, source, num_examples, err);
    fedn__source_free(source);
    return rc;
}

fedn_status fedn_aggregator_save(fedn_aggregator *aggregator, fedn_model **ret, fedn_error *err)
{
    if (!ret)
        return no_argument("ret", err);
    *ret = NULL;
    return aggregator ? save(aggregator, NULL, ret, err) : no_argument("aggregator", err);
}

fedn_status fedn_aggregator_finish(fedn_aggregator *aggregator, fedn_model **ret, fedn_error *err)
{
    if (!ret)
        return no_argument("ret", err);
    *ret = NULL;
    return aggregator ? finish(aggregator, NULL, NULL, ret, err) : no_argument("aggregator", err);
}

fedn_status fedn__aggregator_begin_source(fedn_aggregator *aggregator, fedn__source *global,
                                          fedn_error *err)
{
    return begin(aggregator, global, err);
}

fedn_status fedn__aggregator_add_source(fedn_aggregator *aggregator, fedn__source *update,
                                        double weight, fedn_error *err)
{
    return add(aggregator, update, weight, err);
}

fedn_status fedn__aggregator_shift_source(fedn_aggregator *aggregator, fedn__source *model,
                                          double weight, fedn_error *err)
{
    return shift(aggregator, model, weight, err);
}

fedn_status fedn__aggregator_merge_source(fedn_aggregator *aggregator, fedn__source *partial,
                                          fedn_error *err)
{
    return merge(aggregator, partial, err);
}

fedn_status fedn__aggregator_save_file(fedn_aggregator *aggregator, const char *path,
                                       fedn_error *err)
{
    return save(aggregator, path, NULL, err);
}

fedn_status fedn__aggregator_finish_file(fedn_aggregator *aggregator, const char *format,
                                         const char *path, fedn_error *err)
{
    return finish(aggregator, path, format, NULL, err);
}
