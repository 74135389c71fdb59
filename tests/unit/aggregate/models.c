/* SPDX-License-Identifier: Apache-2.0
 * Models to aggregate, and a rule registered by the application; see models.h. */
#include "models.h"

#include <stdlib.h>

uint64_t test_random_next(test_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

uint64_t test_random_below(test_random *random, uint64_t bound)
{
    return test_random_next(random) % bound;
}

double test_random_unit(test_random *random)
{
    return (double)(int64_t)test_random_next(random) * 0x1p-63;
}

fedn_model *test_model_of(fedn_dtype dtype, const void *x, uint64_t n)
{
    fedn_model *model = NULL;
    fedn_error err;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "w", dtype, 1, &n, x, NULL, &err), &err);
    return model;
}

fedn_model *test_model_pair(float value)
{
    const uint64_t shape[] = {2, 3};
    const float a[] = {value, value, value, value, value, value};
    const int64_t b = (int64_t)value;
    fedn_model *model = NULL;
    fedn_error err;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "a", FEDN_DTYPE_F32, 2, shape, a, NULL, &err), &err);
    assert_ok(fedn_model_add(model, "b", FEDN_DTYPE_I64, 0, NULL, &b, NULL, &err), &err);
    return model;
}

void test_assert_same_model(fedn_model *got, fedn_model *expected)
{
    assert_int_equal(fedn_model_count(got), fedn_model_count(expected));
    for (uint32_t i = 0; i < fedn_model_count(got); i++) {
        uint32_t rank = fedn_model_rank(expected, i);
        assert_string_equal(fedn_model_name(got, i), fedn_model_name(expected, i));
        assert_int_equal(fedn_model_dtype(got, i), fedn_model_dtype(expected, i));
        assert_int_equal(fedn_model_rank(got, i), rank);
        for (uint32_t k = 0; k < rank; k++)
            assert_int_equal(fedn_model_shape(got, i)[k], fedn_model_shape(expected, i)[k]);
        if (fedn_model_bytes(got, i) > 0)
            assert_memory_equal(fedn_model_data(got, i), fedn_model_data(expected, i),
                                fedn_model_bytes(got, i));
    }
}

void test_add(fedn_aggregator *aggregator, fedn_model *model, double weight)
{
    fedn_error err;

    assert_ok(fedn_aggregator_add(aggregator, model, weight, &err), &err);
}

fedn_aggregator *test_aggregator(const char *name)
{
    fedn_aggregator *aggregator = NULL;
    fedn_error err;

    assert_ok(fedn_aggregator_new(name, NULL, &aggregator, &err), &err);
    return aggregator;
}

fedn_model *test_finish(fedn_aggregator *aggregator)
{
    fedn_model *model = NULL;
    fedn_error err;

    assert_ok(fedn_aggregator_finish(aggregator, &model, &err), &err);
    return model;
}

/* the median: keeps references to all models of the round
 * ----------------------------------------*/

#define MEDIAN_MODELS 64

typedef struct median {
    fedn_model *models[MEDIAN_MODELS];
    uint32_t count;
} median;

static fedn_status median_create(const char *kwargs, void *user_data, void **ret_self,
                                 fedn_error *err)
{
    (void)user_data;
    if (strcmp(kwargs, "{}") != 0)
        return fedn_error_set(err, FEDN_ERR_INVALID, "median takes no parameters");
    *ret_self = fedn__alloc_zero(sizeof(median));
    return *ret_self ? FEDN_OK : FEDN_ERR_NOMEM;
}

static void median_reset(void *of)
{
    median *self = of;

    while (self->count > 0)
        fedn_model_unref(self->models[--self->count]);
}

static void median_destroy(void *of)
{
    median_reset(of);
    fedn__free(of);
}

static fedn_status median_add(void *of, fedn_model *model, double weight, fedn_error *err)
{
    median *self = of;

    (void)weight;
    if (self->count == MEDIAN_MODELS)
        return fedn_error_set(err, FEDN_ERR_LIMIT, "median holds 64 models");
    self->models[self->count++] = fedn_model_ref(model);
    return FEDN_OK;
}

/* Tensor i of model k is "<k>.<name>". */
static fedn_status median_save(void *of, fedn_model **ret, fedn_error *err)
{
    median *self = of;
    fedn_model *all = NULL;
    fedn_status rc = fedn_model_new(&all, err);

    for (uint32_t k = 0; rc == FEDN_OK && k < self->count; k++) {
        fedn_model *m = self->models[k];
        for (uint32_t i = 0; rc == FEDN_OK && i < fedn_model_count(m); i++) {
            char name[64];
            snprintf(name, sizeof name, "%u.%.40s", k, fedn_model_name(m, i));
            rc = fedn_model_add(all, name, fedn_model_dtype(m, i), fedn_model_rank(m, i),
                                fedn_model_shape(m, i), fedn_model_data(m, i), NULL, err);
        }
    }
    if (rc == FEDN_OK)
        *ret = all;
    else
        fedn_model_unref(all);
    return rc;
}

static fedn_status median_take(median *self, fedn_model *all, uint32_t *place, fedn_error *err)
{
    fedn_model *model = NULL;
    unsigned long k = strtoul(fedn_model_name(all, *place), NULL, 10);
    fedn_status rc = fedn_model_new(&model, err);

    for (; rc == FEDN_OK && *place < fedn_model_count(all); ++*place) {
        const char *name = fedn_model_name(all, *place);
        if (strtoul(name, NULL, 10) != k)
            break;
        rc = fedn_model_add(model, strchr(name, '.') + 1, fedn_model_dtype(all, *place),
                            fedn_model_rank(all, *place), fedn_model_shape(all, *place),
                            fedn_model_data(all, *place), NULL, err);
    }
    if (rc == FEDN_OK)
        rc = median_add(self, model, 1, err);
    fedn_model_unref(model);
    return rc;
}

static fedn_status median_merge(void *of, fedn_model *partial, fedn_error *err)
{
    median *self = of;
    uint32_t before = self->count;
    fedn_status rc = FEDN_OK;

    for (uint32_t place = 0; rc == FEDN_OK && place < fedn_model_count(partial);)
        rc = median_take(self, partial, &place, err);
    while (rc != FEDN_OK && self->count > before)
        fedn_model_unref(self->models[--self->count]);
    return rc;
}

#define MEDIAN_OF(name, type)                                                                      \
    static int compare_##name(const void *a, const void *b)                                        \
    {                                                                                              \
        const type *x = a, *y = b;                                                                 \
        return (*x > *y) - (*x < *y);                                                              \
    }                                                                                              \
    static void median_##name(const median *self, uint32_t tensor, type *to, uint64_t n)           \
    {                                                                                              \
        for (uint64_t e = 0; e < n; e++) {                                                         \
            type all[MEDIAN_MODELS];                                                               \
            for (uint32_t k = 0; k < self->count; k++)                                             \
                all[k] = ((const type *)fedn_model_data(self->models[k], tensor))[e];              \
            qsort(all, self->count, sizeof all[0], compare_##name);                                \
            to[e] = all[(self->count - 1) / 2];                                                    \
        }                                                                                          \
    }

MEDIAN_OF(f32, float)
MEDIAN_OF(i64, int64_t)

static fedn_status median_finish(void *of, fedn_model **ret, fedn_error *err)
{
    median *self = of;
    fedn_model *first = self->models[0];
    fedn_model *result = NULL;
    void *data = NULL;
    fedn_status rc = fedn_model_new(&result, err);

    for (uint32_t i = 0; rc == FEDN_OK && i < fedn_model_count(first); i++) {
        rc =
            fedn_model_add(result, fedn_model_name(first, i), fedn_model_dtype(first, i),
                           fedn_model_rank(first, i), fedn_model_shape(first, i), NULL, &data, err);
        if (rc == FEDN_OK && fedn_model_dtype(first, i) == FEDN_DTYPE_F32)
            median_f32(self, i, data, fedn_model_elements(first, i));
        else if (rc == FEDN_OK)
            median_i64(self, i, data, fedn_model_elements(first, i));
    }
    if (rc != FEDN_OK) {
        fedn_model_unref(result);
        return rc;
    }
    median_reset(self);
    *ret = result;
    return FEDN_OK;
}

const fedn_aggregator_impl test_median = {
    .struct_size = sizeof(fedn_aggregator_impl),
    .name = "median",
    .create = median_create,
    .destroy = median_destroy,
    .add = median_add,
    .save = median_save,
    .merge = median_merge,
    .finish = median_finish,
    .reset = median_reset,
};

void test_register_median(void)
{
    fedn_error err;
    fedn_status rc = fedn_aggregator_register(&test_median, NULL, &err);

    if (rc != FEDN_ERR_EXISTS)
        assert_ok(rc, &err);
}
