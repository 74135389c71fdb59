/* SPDX-License-Identifier: Apache-2.0
 * Federated optimisation: the formulas of adam, yogi and adagrad written out here once more, over
 * trees of partials and over saved states; steps that fail, are tried again, or go too far. */
#include "models.h"

#include "aggregate/aggregator.h"
#include "core/fs.h"
#include <math.h>
#include <stdlib.h>

enum { N = 40, ROUNDS = 6, UPDATES = 7 };

static char *scratch;

static int setup(void **state)
{
    scratch = test_scratch();
    return test_count_setup(state);
}

static int teardown(void **state)
{
    int rc = test_count_teardown(state);

    test_scratch_done(scratch);
    return rc;
}

static fedn_aggregator *optimiser(const char *kwargs)
{
    fedn_aggregator *aggregator = NULL;
    fedn_error err;

    assert_ok(fedn_aggregator_new("fedopt", kwargs, &aggregator, &err), &err);
    return aggregator;
}

typedef struct reference {
    const char *name;
    double learning_rate, beta1, beta2, tau;
    double x[N], m[N], v[N];
    int32_t begun;
} reference;

/* In plain floats, as the paper's algorithm reads. */
static void reference_round(reference *r, const float updates[UPDATES][N], const double *weights)
{
    for (uint32_t i = 0; i < N; i++) {
        long double sum = 0;
        long double total = 0;
        for (uint32_t k = 0; k < UPDATES; k++) {
            sum += (long double)weights[k] * ((long double)updates[k][i] - (long double)r->x[i]);
            total += (long double)weights[k];
        }
        double d = (double)(sum / total);
        double v = r->begun ? r->v[i] : r->tau * r->tau;
        r->m[i] = (r->begun ? r->beta1 * r->m[i] : 0) + (1 - r->beta1) * d;
        if (strcmp(r->name, "adam") == 0)
            r->v[i] = r->beta2 * v + (1 - r->beta2) * d * d;
        else if (strcmp(r->name, "yogi") == 0)
            r->v[i] = v - (1 - r->beta2) * d * d * (v > d * d ? 1 : v < d * d ? -1 : 0);
        else
            r->v[i] = v + d * d;
        r->x[i] = (float)(r->x[i] + r->learning_rate * r->m[i] / (sqrt(r->v[i]) + r->tau));
    }
    r->begun = 1;
}

static void draw(test_random *random, float updates[UPDATES][N], double *weights)
{
    for (uint32_t k = 0; k < UPDATES; k++) {
        weights[k] = 1 + (double)test_random_below(random, 500);
        for (uint32_t i = 0; i < N; i++)
            updates[k][i] = (float)test_random_unit(random);
    }
}

/* The updates over two combiners, merged by a third that alone steps. */
static fedn_model *round_of_two(fedn_aggregator *reducer, fedn_model *global,
                                const float updates[UPDATES][N], const double *weights)
{
    fedn_aggregator *combiners[2] = {optimiser(NULL), optimiser(NULL)};
    fedn_error err;

    assert_ok(fedn_aggregator_begin(reducer, global, &err), &err);
    for (uint32_t c = 0; c < 2; c++) {
        fedn_model *partial = NULL;
        assert_ok(fedn_aggregator_begin(combiners[c], global, &err), &err);
        for (uint32_t k = c; k < UPDATES; k += 2) {
            fedn_model *update = test_model_of(FEDN_DTYPE_F32, updates[k], N);
            test_add(combiners[c], update, weights[k]);
            fedn_model_unref(update);
        }
        assert_ok(fedn_aggregator_save(combiners[c], &partial, &err), &err);
        assert_ok(fedn_aggregator_merge(reducer, partial, &err), &err);
        fedn_model_unref(partial);
        fedn_aggregator_free(combiners[c]);
    }
    return test_finish(reducer);
}

static void assert_near(const fedn_model *got, const double *expected)
{
    const float *x = fedn_model_data(got, 0);

    assert_int_equal(fedn_model_dtype(got, 0), FEDN_DTYPE_F32);
    for (uint32_t i = 0; i < N; i++)
        if (fabs((double)x[i] - expected[i]) > 1.2e-7 * (fabs(expected[i]) + 1e-3))
            fail_msg("element %u is %.9g, not %.9g", (unsigned)i, (double)x[i], expected[i]);
}

static void every_optimiser_follows_its_formula_over_two_combiners(void **state)
{
    static const struct {
        const char *kwargs;
        reference r;
    } cases[] = {
        {NULL, {.name = "adam", .learning_rate = 1e-3, .beta1 = .9, .beta2 = .99, .tau = 1e-4}},
        {"{'serveropt': 'yogi', 'learning_rate': 1}",
         {.name = "yogi", .learning_rate = 1, .beta1 = .9, .beta2 = .99, .tau = 1e-4}},
        {"{\"serveropt\": \"adagrad\", \"beta1\": 0, \"tau\": 0.25, \"learning_rate\": 0.1}",
         {.name = "adagrad", .learning_rate = .1, .beta1 = 0, .beta2 = .99, .tau = .25}},
    };
    float updates[UPDATES][N];
    double weights[UPDATES];

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        const float zero[N] = {0};
        test_random random = {c + 1};
        reference r = cases[c].r;
        fedn_aggregator *reducer = optimiser(cases[c].kwargs);
        fedn_model *global = test_model_of(FEDN_DTYPE_F32, zero, N);
        for (uint32_t n = 0; n < ROUNDS; n++) {
            draw(&random, updates, weights);
            reference_round(&r, (const float(*)[N])updates, weights);
            fedn_model *next = round_of_two(reducer, global, (const float(*)[N])updates, weights);
            assert_near(next, r.x);
            for (uint32_t i = 0; i < N; i++)
                r.x[i] = (double)((const float *)fedn_model_data(next, 0))[i];
            fedn_model_unref(global);
            global = next;
        }
        fedn_model_unref(global);
        fedn_aggregator_free(reducer);
    }
}

static void a_saved_state_goes_on_bit_for_bit(void **state)
{
    const float zero[N] = {0};
    test_random random = {9};
    fedn_aggregator *kept = optimiser(NULL);
    fedn_model *global = test_model_of(FEDN_DTYPE_F32, zero, N);
    char *path = fedn__fs_join(scratch, "state");
    float updates[UPDATES][N];
    double weights[UPDATES];
    fedn_error err;

    (void)state;
    assert_true(fedn__aggregator_has_state(kept));
    assert_fails(fedn__aggregator_save_state(kept, path, &err), FEDN_ERR_STATE, &err, "no state");
    for (uint32_t n = 0; n < ROUNDS; n++) {
        fedn_aggregator *other = optimiser(NULL);
        draw(&random, updates, weights);
        assert_ok(fedn_aggregator_begin(other, global, &err), &err);
        if (n > 0)
            assert_ok(fedn__aggregator_load_state(other, path, &err), &err);
        fedn_model *next = round_of_two(kept, global, (const float(*)[N])updates, weights);
        fedn_model *same = round_of_two(other, global, (const float(*)[N])updates, weights);
        test_assert_same_model(same, next);
        assert_ok(fedn__aggregator_save_state(n % 2 ? kept : other, path, &err), &err);
        fedn_model_unref(same);
        fedn_model_unref(global);
        fedn_aggregator_free(other);
        global = next;
    }
    fedn__aggregator_forget(kept);
    assert_fails(fedn__aggregator_save_state(kept, path, &err), FEDN_ERR_STATE, &err, "no state");
    fedn_model_unref(global);
    fedn_aggregator_free(kept);
    fedn__free(path);
}

static void every_type_is_kept(void **state)
{
    static const fedn_dtype types[] = {FEDN_DTYPE_F16, FEDN_DTYPE_BF16, FEDN_DTYPE_F64,
                                       FEDN_DTYPE_I64, FEDN_DTYPE_U8,   FEDN_DTYPE_BOOL};
    const uint8_t zeros[8 * N] = {0};
    fedn_error err;

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        fedn_aggregator *aggregator = optimiser("{'learning_rate': 1}");
        fedn_model *model = test_model_of(types[i], zeros, N);
        assert_ok(fedn_aggregator_begin(aggregator, model, &err), &err);
        test_add(aggregator, model, 3);
        fedn_model *same = test_finish(aggregator);
        test_assert_same_model(same, model); /* no gradient, no step */
        fedn_model_unref(same);
        fedn_model_unref(model);
        fedn_aggregator_free(aggregator);
    }
}

static void integers_beyond_float64_move_by_whole_steps(void **state)
{
    const int64_t large = INT64_C(9007199254740993);
    const int64_t larger = large + 1000;
    fedn_aggregator *aggregator = optimiser("{'learning_rate': 10, 'beta1': 0}");
    fedn_model *global = test_model_of(FEDN_DTYPE_I64, &large, 1);
    fedn_model *update = test_model_of(FEDN_DTYPE_I64, &larger, 1);
    fedn_error err;

    (void)state;
    assert_ok(fedn_aggregator_begin(aggregator, global, &err), &err);
    test_add(aggregator, update, 2);
    fedn_model *next = test_finish(aggregator);
    assert_true(*(const int64_t *)fedn_model_data(next, 0) == large + 100);
    fedn_model_unref(next);
    fedn_model_unref(update);
    fedn_model_unref(global);
    fedn_aggregator_free(aggregator);
}

static void a_result_that_could_not_be_written_is_the_same_when_tried_again(void **state)
{
    const float values[N] = {1, 2, 3};
    fedn_aggregator *aggregator = optimiser(NULL);
    fedn_aggregator *other = optimiser(NULL);
    fedn_model *model = test_model_of(FEDN_DTYPE_F32, values, N);
    fedn_model *partial = NULL;
    fedn_error err;

    (void)state;
    assert_ok(fedn_aggregator_begin(aggregator, model, &err), &err);
    test_add(aggregator, model, 1);
    assert_fails(fedn__aggregator_finish_file(aggregator, "raw-int8", "/dev/null/x", &err),
                 FEDN_ERR_IO, &err, "/dev/null/x");
    assert_fails(fedn_aggregator_add(aggregator, model, 1, &err), FEDN_ERR_STATE, &err, "step");
    assert_fails(fedn_aggregator_save(aggregator, &partial, &err), FEDN_ERR_STATE, &err, "step");
    fedn_model *result = test_finish(aggregator);
    assert_ok(fedn_aggregator_begin(other, model, &err), &err);
    test_add(other, model, 1);
    fedn_model *expected = test_finish(other);
    test_assert_same_model(result, expected);
    fedn_model_unref(expected);
    fedn_model_unref(result);
    fedn_model_unref(model);
    fedn_aggregator_free(other);
    fedn_aggregator_free(aggregator);
}

static void what_it_cannot_do_is_said(void **state)
{
    const double high[1] = {1e280};
    const double low[1] = {-1e280};
    fedn_aggregator *aggregator = optimiser("{'serveropt': 'adagrad', 'learning_rate': 1e6}");
    fedn_model *global = test_model_of(FEDN_DTYPE_F64, low, 1);
    fedn_model *update = test_model_of(FEDN_DTYPE_F64, high, 1);
    fedn_model *none = NULL;
    fedn_error err;

    (void)state;
    test_add(aggregator, update, 1);
    assert_fails(fedn_aggregator_finish(aggregator, &none, &err), FEDN_ERR_STATE, &err, "begin");
    fedn__aggregator_reset(aggregator);
    assert_ok(fedn_aggregator_begin(aggregator, global, &err), &err);
    test_add(aggregator, update, 1);
    assert_fails(fedn_aggregator_finish(aggregator, &none, &err), FEDN_ERR_FORMAT, &err,
                 "moments no longer finite");
    fedn__aggregator_reset(aggregator);
    assert_ok(fedn_aggregator_begin(aggregator, global, &err), &err);
    test_add(aggregator, global, 1);
    assert_fails(fedn_aggregator_finish(aggregator, &none, &err), FEDN_ERR_STATE, &err, "spoilt");
    fedn__aggregator_reset(aggregator);
    fedn__aggregator_forget(aggregator);
    assert_ok(fedn_aggregator_begin(aggregator, global, &err), &err);
    test_add(aggregator, global, 1);
    fedn_model *same = test_finish(aggregator);
    test_assert_same_model(same, global);
    fedn_model_unref(same);
    fedn_model_unref(update);
    fedn_model_unref(global);
    fedn_aggregator_free(aggregator);
}

static void parameters_are_refused_by_name(void **state)
{
    static const struct {
        const char *kwargs;
        const char *words;
    } rows[] = {{"{'lr': 1}", "'lr' serveropt learning_rate beta1 beta2 tau"},
                {"{'serveropt': 'sgd'}", "sgd adam yogi adagrad"},
                {"{'serveropt': 1}", "serveropt adam"},
                {"{'learning_rate': '1'}", "learning_rate number"},
                {"{'beta1': 1.5}", "beta1 1"},
                {"{'beta2': -1}", "beta2"},
                {"{'tau': 0}", "tau above 0"},
                {"[1]", "no object"}};

    (void)state;
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fedn_aggregator *aggregator = NULL;
        fedn_error err;
        assert_fails(fedn_aggregator_new("fedopt", rows[i].kwargs, &aggregator, &err),
                     FEDN_ERR_INVALID, &err, rows[i].words);
        assert_null(aggregator);
    }
}

static fedn_status one_round(void *user_data)
{
    fedn_model *global = user_data;
    fedn_aggregator *aggregator = NULL;
    fedn_model *next = NULL;
    char *path = fedn__fs_join(scratch, "oom");
    fedn_status rc = path ? FEDN_OK : FEDN_ERR_NOMEM;

    if (rc == FEDN_OK)
        rc = fedn_aggregator_new("fedopt", "{'tau': 1}", &aggregator, NULL);
    if (rc == FEDN_OK)
        rc = fedn_aggregator_begin(aggregator, global, NULL);
    if (rc == FEDN_OK)
        rc = fedn_aggregator_add(aggregator, global, 1, NULL);
    if (rc == FEDN_OK)
        rc = fedn_aggregator_finish(aggregator, &next, NULL);
    if (rc == FEDN_OK)
        rc = fedn__aggregator_save_state(aggregator, path, NULL);
    if (rc == FEDN_OK)
        rc = fedn_aggregator_begin(aggregator, next, NULL);
    if (rc == FEDN_OK)
        rc = fedn__aggregator_load_state(aggregator, path, NULL);
    fedn_model_unref(next);
    fedn_aggregator_free(aggregator);
    fedn__free(path);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    const float values[N] = {1, 2, 3};
    fedn_model *model = test_model_of(FEDN_DTYPE_F32, values, N);

    (void)state;
    test_fail_each_allocation(one_round, model);
    fedn_model_unref(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_optimiser_follows_its_formula_over_two_combiners),
        cmocka_unit_test(a_saved_state_goes_on_bit_for_bit),
        cmocka_unit_test(every_type_is_kept),
        cmocka_unit_test(integers_beyond_float64_move_by_whole_steps),
        cmocka_unit_test(a_result_that_could_not_be_written_is_the_same_when_tried_again),
        cmocka_unit_test(what_it_cannot_do_is_said),
        cmocka_unit_test(parameters_are_refused_by_name),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
