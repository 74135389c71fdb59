/* SPDX-License-Identifier: Apache-2.0
 * The description inside a partial aggregate: written and, as foreign text, checked. */
#include "aggregate/partial.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/json.h"
#include "core/limits.h"
#include "model/dtype.h"
#include <math.h>
#include <string.h>

#define VERSION 1

void fedn__round_init(fedn__round *round)
{
    memset(round, 0, sizeof *round);
    fedn__index_init(&round->layout, 1);
    round->reference = "the first model";
}

void fedn__round_done(fedn__round *round)
{
    fedn__index_done(&round->layout);
    fedn__round_init(round);
}

/* A new reference, or NULL when out of memory; `value` is taken over in any case. */
static int32_t append(json_t *array, json_t *value)
{
    return array && json_array_append_new(array, value) == 0;
}

static json_t *tensor_json(const fedn__tensor_info *info)
{
    json_t *shape = json_array();
    json_t *tensor = json_array();
    int32_t ok = shape != NULL;

    for (uint32_t i = 0; ok && i < info->rank; i++)
        ok = append(shape, json_integer((json_int_t)info->shape[i]));
    ok = ok && append(tensor, json_string(info->name)) &&
         append(tensor, json_string(fedn_dtype_name(info->dtype))) &&
         append(tensor, json_incref(shape));
    json_decref(shape);
    if (ok)
        return tensor;
    json_decref(tensor);
    return NULL;
}

static json_t *layout_json(const fedn__index *layout)
{
    json_t *tensors = json_array();
    int32_t ok = tensors != NULL;

    for (uint32_t i = 0; ok && i < layout->count; i++)
        ok = append(tensors, tensor_json(&layout->entries[i].info));
    if (ok)
        return tensors;
    json_decref(tensors);
    return NULL;
}

char *fedn__partial_text(const char *rule, const fedn__round *round)
{
    json_t *tensors = layout_json(&round->layout);
    json_t *whole = NULL;
    char *text = NULL;

    if (tensors)
        whole = json_pack("{s:s, s:i, s:I, s:[f, f], s:O}", "rule", rule, "version", VERSION,
                          "models", (json_int_t)round->models, "weight", round->weight.high,
                          round->weight.low, "tensors", tensors);
    if (whole)
        text = fedn__json_text(whole);
    json_decref(whole);
    json_decref(tensors);
    return text;
}

/* reading --------------------------------------------------------------------------------------*/

static fedn_status malformed(const char *what, const char *member, fedn_error *err)
{
    return fedn__error(err, FEDN_ERR_FORMAT, "the %s has no usable '%s' in its description", what,
                       member);
}

static fedn_status parse_tensor(const json_t *tensor, fedn__index *layout, const char *what,
                                fedn_error *err)
{
    const char *name = json_string_value(json_array_get(tensor, 0));
    const char *type = json_string_value(json_array_get(tensor, 1));
    const json_t *sizes = json_array_get(tensor, 2);
    const fedn__dtype_row *row = type ? fedn__dtype_by_name(type) : NULL;
    uint64_t shape[FEDN_MODEL_MAX_RANK];
    uint64_t rank = json_array_size(sizes);
    fedn__entry *entry = NULL;

    if (!name || !row || !json_is_array(sizes) || rank > FEDN_MODEL_MAX_RANK)
        return malformed(what, "tensors", err);
    for (uint64_t i = 0; i < rank; i++) {
        const json_t *size = json_array_get(sizes, (size_t)i);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return malformed(what, "tensors", err);
        shape[i] = (uint64_t)json_integer_value(size);
    }
    return fedn__index_add(layout, name, row->dtype, (uint32_t)rank, shape, &entry, err);
}

static fedn_status parse_layout(const json_t *whole, fedn__index *layout, const char *what,
                                fedn_error *err)
{
    const json_t *tensors = json_object_get(whole, "tensors");
    uint64_t count = json_array_size(tensors);
    fedn_status rc = FEDN_OK;

    if (count == 0 || count > FEDN__LIMIT_TENSORS)
        return malformed(what, "tensors", err);
    for (uint64_t i = 0; rc == FEDN_OK && i < count; i++)
        rc = parse_tensor(json_array_get(tensors, (size_t)i), layout, what, err);
    return rc;
}

/* So many models of weights within their bounds give a total within these; the lost part is a few
 * units in the last place. */
static int32_t is_weight(double high, double low, double models)
{
    const double slack = 1 + 1e-9;

    return high >= FEDN__LIMIT_WEIGHT_LEAST * models / slack &&
           high <= FEDN__LIMIT_WEIGHT * models * slack && high <= FEDN__LIMIT_WEIGHT_TOTAL &&
           fabs(low) <= high * 1e-6;
}

static fedn_status parse_round(const json_t *whole, const char *rule, const char *what,
                               fedn__round *round, fedn_error *err)
{
    const char *name = fedn__json_string(whole, "rule", "");
    int64_t version = fedn__json_integer(whole, "version", 0);
    int64_t models = fedn__json_integer(whole, "models", 0);
    const json_t *weight = json_object_get(whole, "weight");

    if (strcmp(name, rule) != 0)
        return fedn__error(err, FEDN_ERR_FORMAT, "the %s was made by aggregator '%.63s', not '%s'",
                           what, name, rule);
    if (version != VERSION)
        return fedn__error(err, FEDN_ERR_FORMAT, "the %s has version %lld, expected %d", what,
                           (long long)version, VERSION);
    if (models < 1)
        return malformed(what, "models", err);
    round->models = (uint64_t)models;
    round->weight.high = json_number_value(json_array_get(weight, 0));
    round->weight.low = json_number_value(json_array_get(weight, 1));
    if (!is_weight(round->weight.high, round->weight.low, (double)models))
        return malformed(what, "weight", err);
    return parse_layout(whole, &round->layout, what, err);
}

fedn_status fedn__partial_parse(const fedn__reader *partial, const char *rule, fedn__round *ret,
                                fedn_error *err)
{
    const fedn__tensor_info *info = NULL;
    json_t *whole = NULL;
    char *text = NULL;
    fedn_status rc = FEDN_OK;

    fedn__round_init(ret);
    if (fedn__source_count(partial->source) > 0)
        info = fedn__source_info(partial->source, 0);
    if (!info || strcmp(info->name, FEDN__PARTIAL_TENSOR) != 0 || info->dtype != FEDN_DTYPE_U8)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "the %s is no saved aggregate: its first tensor is not '%s'",
                           partial->what, FEDN__PARTIAL_TENSOR);
    if (info->bytes > FEDN__LIMIT_PARTIAL_TEXT)
        return fedn__error(err, FEDN_ERR_LIMIT, "the %s has a description of %llu bytes, over %llu",
                           partial->what, (unsigned long long)info->bytes,
                           (unsigned long long)FEDN__LIMIT_PARTIAL_TEXT);
    text = fedn__alloc(info->bytes);
    if (!text)
        return fedn__error_nomem(err);
    rc = fedn__source_read(partial->source, 0, 0, text, info->bytes, err);
    if (rc == FEDN_OK)
        rc = fedn__json_parse(text, info->bytes, 0, partial->what, &whole, err);
    if (rc == FEDN_OK)
        rc = parse_round(whole, rule, partial->what, ret, err);
    json_decref(whole);
    fedn__free(text);
    if (rc != FEDN_OK)
        fedn__round_done(ret);
    return rc;
}
