/* SPDX-License-Identifier: Apache-2.0
 * Federated averaging against exact references, in one aggregator and over trees of them. */
#include "models.h"

#include "core/limits.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>

#define MODELS 24
#define N      97

/* Random models of one type, and what their exact mean is. */
typedef struct batch {
    fedn_model *model[MODELS];
    double weight[MODELS];
    fedn_dtype dtype;
} batch;

/* Elements of the type: any floats of moderate size, integers of the whole range. */
static void fill(test_random *random, fedn_dtype dtype, void *to)
{
    for (uint64_t i = 0; i < N; i++) {
        if (dtype == FEDN_DTYPE_F32)
            ((float *)to)[i] = (float)(test_random_unit(random) * ldexp(1, (int)(i % 40) - 20));
        else if (dtype == FEDN_DTYPE_F64)
            ((double *)to)[i] = test_random_unit(random) * ldexp(1, (int)(i % 40) - 20);
        else if (dtype == FEDN_DTYPE_F16)
            ((uint16_t *)to)[i] = (uint16_t)test_random_below(random, 0x7c00);
        else if (dtype == FEDN_DTYPE_BF16)
            ((uint16_t *)to)[i] = (uint16_t)test_random_below(random, 0x7f80);
        else if (dtype == FEDN_DTYPE_BOOL)
            ((uint8_t *)to)[i] = (uint8_t)test_random_below(random, 2);
        else
            for (uint64_t k = 0; k < fedn_dtype_bytes(dtype); k++)
                ((uint8_t *)to)[i * fedn_dtype_bytes(dtype) + k] =
                    (uint8_t)test_random_next(random);
    }
}

static batch batch_of(uint64_t seed, fedn_dtype dtype)
{
    test_random random = {seed};
    batch b = {.dtype = dtype};
    uint64_t x[N];

    for (uint32_t k = 0; k < MODELS; k++) {
        fill(&random, dtype, x);
        b.model[k] = test_model_of(dtype, x, N);
        b.weight[k] = (double)test_random_below(&random, 100000) + 1;
    }
    return b;
}

static void batch_done(batch *b)
{
    for (uint32_t k = 0; k < MODELS; k++)
        fedn_model_unref(b->model[k]);
}

static fedn_model *mean_in_order(const batch *b, const uint32_t *order)
{
    fedn_aggregator *aggregator = test_aggregator("fedavg");

    for (uint32_t k = 0; k < MODELS; k++)
        test_add(aggregator, b->model[order ? order[k] : k], b->weight[order ? order[k] : k]);
    fedn_model *mean = test_finish(aggregator);
    fedn_aggregator_free(aggregator);
    return mean;
}

/* Folds models [first, last) through a random tree of aggregators into `into`. */
static void fold_tree(test_random *random, const batch *b, uint32_t first, uint32_t last,
                      fedn_aggregator *into)
{
    fedn_error err;

    while (first < last) {
        uint32_t n = 1 + (uint32_t)test_random_below(random, last - first);
        if (n == 1 || test_random_below(random, 3) == 0) {
            test_add(into, b->model[first], b->weight[first]);
            first++;
            continue;
        }
        fedn_model *partial = NULL;
        fedn_aggregator *branch = test_aggregator("fedavg");
        if (n == last - first && n > 1)
            n--;
        fold_tree(random, b, first, first + n, branch);
        assert_int_equal(fedn_aggregator_models(branch), n);
        assert_ok(fedn_aggregator_save(branch, &partial, &err), &err);
        fedn_aggregator_free(branch);
        assert_ok(fedn_aggregator_merge(into, partial, &err), &err);
        fedn_model_unref(partial);
        first += n;
    }
}

static fedn_model *mean_over_tree(const batch *b, uint64_t seed)
{
    test_random random = {seed};
    fedn_aggregator *aggregator = test_aggregator("fedavg");

    fold_tree(&random, b, 0, MODELS, aggregator);
    assert_int_equal(fedn_aggregator_models(aggregator), MODELS);
    fedn_model *mean = test_finish(aggregator);
    fedn_aggregator_free(aggregator);
    return mean;
}

/* float32: weights times elements are exact in float64, and a long double has 11 bits more. */
static void assert_float32_mean(const batch *b, fedn_model *mean)
{
    const float *got = fedn_model_data(mean, 0);

    for (uint64_t i = 0; i < N; i++) {
        long double sum = 0, weight = 0;
        for (uint32_t k = 0; k < MODELS; k++) {
            sum += (long double)b->weight[k] *
                   (long double)((const float *)fedn_model_data(b->model[k], 0))[i];
            weight += (long double)b->weight[k];
        }
        float exact = (float)(sum / weight);
        if (got[i] != exact)
            fail_msg("element %d: %.9g, not %.9g", (int)i, (double)got[i], (double)exact);
    }
}

static void float32_over_random_trees_is_the_exact_mean_rounded(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        batch b = batch_of(seed, FEDN_DTYPE_F32);
        fedn_model *one = mean_in_order(&b, NULL);
        fedn_model *tree = mean_over_tree(&b, seed * 1000);
        assert_float32_mean(&b, one);
        test_assert_same_model(tree, one);
        fedn_model_unref(one);
        fedn_model_unref(tree);
        batch_done(&b);
    }
}

static void every_type_is_the_same_over_trees_and_in_any_order(void **state)
{
    (void)state;
    for (fedn_dtype dtype = FEDN_DTYPE_F16; dtype <= FEDN_DTYPE_BOOL; dtype++) {
        for (uint64_t seed = 1; seed <= 12; seed++) {
            test_random random = {seed};
            batch b = batch_of(seed * 77, dtype);
            uint32_t order[MODELS];
            for (uint32_t k = 0; k < MODELS; k++) {
                uint32_t other = (uint32_t)test_random_below(&random, k + 1);
                order[k] = order[other];
                order[other] = k;
            }
            fedn_model *one = mean_in_order(&b, NULL);
            fedn_model *shuffled = mean_in_order(&b, order);
            fedn_model *tree = mean_over_tree(&b, seed);
            test_assert_same_model(shuffled, one);
            test_assert_same_model(tree, one);
            fedn_model_unref(one);
            fedn_model_unref(shuffled);
            fedn_model_unref(tree);
            batch_done(&b);
        }
    }
}

/* float64 and 64-bit integers: sums in twice float64's precision, so a long double with its 64 bits
 * can only confirm a mean to its own last bits. */
static void float64_means_agree_with_a_long_double(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        batch b = batch_of(seed, FEDN_DTYPE_F64);
        fedn_model *mean = mean_in_order(&b, NULL);
        for (uint64_t i = 0; i < N; i++) {
            long double sum = 0, size = 0, weight = 0;
            for (uint32_t k = 0; k < MODELS; k++) {
                double x = ((const double *)fedn_model_data(b.model[k], 0))[i];
                sum += (long double)b.weight[k] * (long double)x;
                size += (long double)(b.weight[k] * fabs(x));
                weight += (long double)b.weight[k];
            }
            long double got = (long double)((const double *)fedn_model_data(mean, 0))[i];
            long double exact = sum / weight;
            long double bound = fabsl(exact) * 0x1p-53L + size / weight * MODELS * 0x1p-63L;
            assert_true(fabsl(got - exact) <= bound);
        }
        fedn_model_unref(mean);
        batch_done(&b);
    }
}

static void models_weigh_by_their_examples(void **state)
{
    const float x[] = {1, -2}, y[] = {4, 1};
    fedn_aggregator *aggregator = test_aggregator(NULL);
    fedn_model *a = test_model_of(FEDN_DTYPE_F32, x, 2);
    fedn_model *b = test_model_of(FEDN_DTYPE_F32, y, 2);
    (void)state;

    test_add(aggregator, a, 1);
    test_add(aggregator, b, 2);
    fedn_model *mean = test_finish(aggregator);
    assert_true(((const float *)fedn_model_data(mean, 0))[0] == 3);
    assert_true(((const float *)fedn_model_data(mean, 0))[1] == 0);
    fedn_model_unref(mean);
    fedn_model_unref(a);
    fedn_model_unref(b);
    fedn_aggregator_free(aggregator);
}

/* Many copies of one model with awkward weights: their mean is that model to the last bit. */
static void equal_models_stay_themselves_at_any_weight(void **state)
{
    static const double weights[] = {1e15, 1, 0.1, 1e-15, 3, 123456789.125, 1e15};
    const float f32[] = {FLT_MAX, -FLT_MAX, FLT_MIN, 1e-45f, -1e-45f, 0, 1.0f / 3};
    const double f64[] = {1e280, -1e280, DBL_MIN, 1e-300, -1.0 / 3, 0, 1e-200};
    const uint16_t f16[] = {0x7bff, 0xfbff, 1, 0x8001, 0x0400, 0, 0x3555};
    const int64_t i64[] = {INT64_MAX, INT64_MIN, INT64_MAX - 1, -1, 0, 1, (1LL << 53) + 1};
    const struct {
        fedn_dtype dtype;
        const void *x;
    } rows[] = {{FEDN_DTYPE_F32, f32},  {FEDN_DTYPE_F64, f64}, {FEDN_DTYPE_F16, f16},
                {FEDN_DTYPE_BF16, f16}, {FEDN_DTYPE_I64, i64}, {FEDN_DTYPE_U64, i64},
                {FEDN_DTYPE_I32, i64},  {FEDN_DTYPE_U32, i64}, {FEDN_DTYPE_I16, i64},
                {FEDN_DTYPE_U16, i64},  {FEDN_DTYPE_I8, i64},  {FEDN_DTYPE_U8, i64}};
    (void)state;

    for (uint32_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        fedn_model *model = test_model_of(rows[r].dtype, rows[r].x, 7);
        for (uint32_t many = 1; many <= 7; many++) {
            fedn_aggregator *aggregator = test_aggregator("fedavg");
            for (uint32_t k = 0; k < many; k++)
                test_add(aggregator, model, weights[k]);
            fedn_model *mean = test_finish(aggregator);
            test_assert_same_model(mean, model);
            fedn_model_unref(mean);
            fedn_aggregator_free(aggregator);
        }
        fedn_model_unref(model);
    }
}

static void scalars_and_tensors_without_elements_are_kept(void **state)
{
    const uint64_t empty[] = {3, 0, 2};
    const float scalar = 2.5f;
    fedn_aggregator *aggregator = test_aggregator("fedavg");
    fedn_model *model = NULL, *partial = NULL;
    fedn_error err;
    (void)state;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "e", FEDN_DTYPE_F64, 3, empty, NULL, NULL, &err), &err);
    assert_ok(fedn_model_add(model, "s", FEDN_DTYPE_F32, 0, NULL, &scalar, NULL, &err), &err);
    assert_ok(fedn_model_add(model, "t", FEDN_DTYPE_BOOL, 3, empty, NULL, NULL, &err), &err);
    test_add(aggregator, model, 3);
    assert_ok(fedn_aggregator_save(aggregator, &partial, &err), &err);
    assert_ok(fedn_aggregator_merge(aggregator, partial, &err), &err);
    assert_int_equal(fedn_aggregator_models(aggregator), 2);
    fedn_model *mean = test_finish(aggregator);
    test_assert_same_model(mean, model);
    fedn_model_unref(mean);
    fedn_model_unref(partial);
    fedn_model_unref(model);
    fedn_aggregator_free(aggregator);
}

static void a_float64_too_large_to_be_summed_is_refused(void **state)
{
    const double x[] = {1, -1.1e280};
    fedn_aggregator *aggregator = test_aggregator("fedavg");
    fedn_model *model = test_model_of(FEDN_DTYPE_F64, x, 2);
    fedn_error err;
    (void)state;

    assert_fails(fedn_aggregator_add(aggregator, model, 1, &err), FEDN_ERR_FORMAT, &err,
                 "tensor_0 'w' element_1 -1.1e+280 1e+280");
    fedn_model_unref(model);
    fedn_aggregator_free(aggregator);
}

/* A partial claims the weight of many models; the total stays bounded. */
static void the_total_weight_is_bounded(void **state)
{
    const float x[] = {1};
    fedn_aggregator *aggregator = test_aggregator("fedavg");
    fedn_model *model = test_model_of(FEDN_DTYPE_F32, x, 1);
    fedn_error err;
    fedn_status rc = FEDN_OK;
    (void)state;

    test_add(aggregator, model, FEDN__LIMIT_WEIGHT);
    while (rc == FEDN_OK) { /* doubles */
        fedn_model *partial = NULL;
        double before = fedn_aggregator_weight(aggregator);
        assert_ok(fedn_aggregator_save(aggregator, &partial, &err), &err);
        rc = fedn_aggregator_merge(aggregator, partial, &err);
        assert_true(fedn_aggregator_weight(aggregator) == before * (rc == FEDN_OK ? 2 : 1));
        fedn_model_unref(partial);
    }
    assert_int_equal(rc, FEDN_ERR_LIMIT);
    test_assert_words(err.message, "weight total 1e+24");
    fedn_model *mean = test_finish(aggregator);
    test_assert_same_model(mean, model);
    fedn_model_unref(mean);
    fedn_model_unref(model);
    fedn_aggregator_free(aggregator);
}

static void parameters_are_refused_by_name(void **state)
{
    static const struct {
        const char *kwargs;
        const char *words;
        fedn_status rc;
    } rows[] = {{"{\"beta\": 1}", "fedavg parameter 'beta'", FEDN_ERR_INVALID},
                {"[]", "no object", FEDN_ERR_INVALID},
                {"{", "neither JSON Python", FEDN_ERR_INVALID}};
    (void)state;

    for (uint32_t i = 0; i < 3; i++) {
        fedn_aggregator *aggregator = NULL;
        fedn_error err;
        assert_fails(fedn_aggregator_new("fedavg", rows[i].kwargs, &aggregator, &err), rows[i].rc,
                     &err, rows[i].words);
        assert_null(aggregator);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float32_over_random_trees_is_the_exact_mean_rounded),
        cmocka_unit_test(every_type_is_the_same_over_trees_and_in_any_order),
        cmocka_unit_test(float64_means_agree_with_a_long_double),
        cmocka_unit_test(models_weigh_by_their_examples),
        cmocka_unit_test(equal_models_stay_themselves_at_any_weight),
        cmocka_unit_test(scalars_and_tensors_without_elements_are_kept),
        cmocka_unit_test(a_float64_too_large_to_be_summed_is_refused),
        cmocka_unit_test(the_total_weight_is_bounded),
        cmocka_unit_test(parameters_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
