/* SPDX-License-Identifier: Apache-2.0
 * What every rule promises, built in or registered: the same cases for all. */
#include "models.h"

#include "aggregate/aggregator.h"
#include <math.h>

static const char *const rules[] = {"fedavg", "median"};

/* Each case once a rule. */
#define EACH_RULE(body)                                                                            \
    for (uint32_t rule_ = 0; rule_ < 2; rule_++) {                                                 \
        fedn_aggregator *aggregator = test_aggregator(rules[rule_]);                               \
        body(aggregator);                                                                          \
        fedn_aggregator_free(aggregator);                                                          \
    }

#define CASE(name)                                                                                 \
    static void check_##name(fedn_aggregator *aggregator);                                         \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        EACH_RULE(check_##name)                                                                    \
    }                                                                                              \
    static void check_##name(fedn_aggregator *aggregator)

/* Two equal models: mean and median are that model. */
static void assert_result(fedn_aggregator *aggregator, float value)
{
    fedn_model *expected = test_model_pair(value);
    fedn_model *got = test_finish(aggregator);

    test_assert_same_model(got, expected);
    fedn_model_unref(got);
    fedn_model_unref(expected);
}

static void add_pair(fedn_aggregator *aggregator, float value, double weight)
{
    fedn_model *model = test_model_pair(value);

    test_add(aggregator, model, weight);
    fedn_model_unref(model);
}

CASE(equal_models_give_that_model)
{
    add_pair(aggregator, 7.25f, 3);
    add_pair(aggregator, 7.25f, 100);
    assert_int_equal(fedn_aggregator_models(aggregator), 2);
    assert_true(fedn_aggregator_weight(aggregator) == 103);
    assert_result(aggregator, 7.25f);
}

CASE(the_middle_of_three_models_is_the_result)
{
    add_pair(aggregator, 4, 1);
    add_pair(aggregator, 1, 1);
    add_pair(aggregator, 7, 1);
    assert_result(aggregator, 4);
}

CASE(a_finished_aggregator_begins_the_next_round)
{
    const float x[] = {5, 6};
    fedn_model *other = test_model_of(FEDN_DTYPE_F32, x, 2);

    add_pair(aggregator, 1, 1);
    assert_result(aggregator, 1);
    assert_int_equal(fedn_aggregator_models(aggregator), 0);
    assert_true(fedn_aggregator_weight(aggregator) == 0);
    add_pair(aggregator, 2, 5);
    assert_result(aggregator, 2);
    test_add(aggregator, other, 1);
    fedn_model *got = test_finish(aggregator);
    test_assert_same_model(got, other);
    fedn_model_unref(got);
    fedn_model_unref(other);
}

CASE(an_empty_aggregator_has_nothing_to_give)
{
    fedn_model *model = NULL;
    fedn_error err;

    assert_fails(fedn_aggregator_finish(aggregator, &model, &err), FEDN_ERR_STATE, &err,
                 "no_model");
    assert_fails(fedn_aggregator_save(aggregator, &model, &err), FEDN_ERR_STATE, &err, "no_model");
    assert_null(model);
}

CASE(what_was_begun_fixes_the_layout)
{
    const float x[] = {5, 6};
    fedn_model *global = test_model_pair(0);
    fedn_model *other = test_model_of(FEDN_DTYPE_F32, x, 2);
    fedn_error err;

    assert_ok(fedn_aggregator_begin(aggregator, other, &err), &err);
    assert_ok(fedn_aggregator_begin(aggregator, global, &err), &err);
    assert_fails(fedn_aggregator_add(aggregator, other, 1, &err), FEDN_ERR_FORMAT, &err,
                 "update 1_tensors 2 global_model");
    add_pair(aggregator, 3, 1);
    assert_fails(fedn_aggregator_begin(aggregator, global, &err), FEDN_ERR_STATE, &err,
                 "1_models progress");
    assert_result(aggregator, 3);
    fedn_model_unref(global);
    fedn_model_unref(other);
}

CASE(a_weight_out_of_bounds_is_refused_and_changes_nothing)
{
    static const double weights[] = {0, -1, NAN, INFINITY, -INFINITY, 1.0001e15, 1e-16};
    fedn_model *bad = test_model_pair(1000);
    fedn_error err;

    add_pair(aggregator, 2, 10);
    for (uint32_t i = 0; i < 7; i++)
        assert_fails(fedn_aggregator_add(aggregator, bad, weights[i], &err), FEDN_ERR_INVALID, &err,
                     "weight 1e-15 1e+15");
    assert_int_equal(fedn_aggregator_models(aggregator), 1);
    assert_true(fedn_aggregator_weight(aggregator) == 10);
    assert_result(aggregator, 2);
    fedn_model_unref(bad);
}

/* A pair with one thing wrong. */
typedef struct fault {
    const char *second_name;
    const char *words; /* of the error */
    float last;        /* element 5 of "a" */
    fedn_dtype second_dtype;
    uint32_t tensors; /* 0 to 3 */
    uint32_t first_rank;
} fault;

static const fault faults[] = {
    {"b", "update no_tensors", 0, FEDN_DTYPE_I64, 0, 2},
    {"b", "1_tensors expected_2", 0, FEDN_DTYPE_I64, 1, 2},
    {"b", "3_tensors expected_2", 0, FEDN_DTYPE_I64, 3, 2},
    {"c", "tensor_1 'c' 'b' first_model", 0, FEDN_DTYPE_I64, 2, 2},
    {"b", "tensor_1 'b' float64 int64", 0, FEDN_DTYPE_F64, 2, 2},
    {"b", "tensor_0 'a' (6,) (2,_3)", 0, FEDN_DTYPE_I64, 2, 1},
    {"b", "tensor_0 'a' element_5 nan", NAN, FEDN_DTYPE_I64, 2, 2},
    {"b", "tensor_0 'a' element_5 inf", INFINITY, FEDN_DTYPE_I64, 2, 2},
    {"b", "tensor_0 'a' element_5 -inf", -INFINITY, FEDN_DTYPE_I64, 2, 2},
};

#define FAULTS (sizeof faults / sizeof faults[0])

static fedn_model *faulty(const fault *f)
{
    const uint64_t flat[] = {6};
    const uint64_t shape[] = {2, 3};
    const float a[] = {9, 9, 9, 9, 9, f->last};
    const int64_t b = 9;
    fedn_model *model = NULL;
    fedn_error err;

    assert_ok(fedn_model_new(&model, &err), &err);
    if (f->tensors > 0)
        assert_ok(fedn_model_add(model, "a", FEDN_DTYPE_F32, f->first_rank,
                                 f->first_rank == 1 ? flat : shape, a, NULL, &err),
                  &err);
    if (f->tensors > 1)
        assert_ok(fedn_model_add(model, f->second_name, f->second_dtype, 0, NULL, &b, NULL, &err),
                  &err);
    if (f->tensors > 2)
        assert_ok(fedn_model_add(model, "more", FEDN_DTYPE_I64, 0, NULL, &b, NULL, &err), &err);
    return model;
}

CASE(a_model_that_does_not_fit_is_refused_and_changes_nothing)
{
    fedn_error err;

    add_pair(aggregator, 5, 2);
    for (uint32_t i = 0; i < FAULTS; i++) {
        fedn_model *model = faulty(&faults[i]);
        fedn_model *before = NULL, *after = NULL;
        assert_ok(fedn_aggregator_save(aggregator, &before, &err), &err);
        assert_fails(fedn_aggregator_add(aggregator, model, 2, &err), FEDN_ERR_FORMAT, &err,
                     i == 0 ? "update 0_tensors" : faults[i].words);
        assert_ok(fedn_aggregator_save(aggregator, &after, &err), &err);
        test_assert_same_model(after, before);
        fedn_model_unref(model);
        fedn_model_unref(before);
        fedn_model_unref(after);
    }
    assert_int_equal(fedn_aggregator_models(aggregator), 1);
    assert_result(aggregator, 5);
}

CASE(a_refused_first_model_fixes_no_layout)
{
    fedn_error err;

    for (uint32_t i = 0; i < FAULTS; i++) {
        if (isfinite(faults[i].last) && faults[i].tensors > 0)
            continue;
        fedn_model *model = faulty(&faults[i]);
        assert_fails(fedn_aggregator_add(aggregator, model, 2, &err), FEDN_ERR_FORMAT, &err,
                     faults[i].words);
        assert_fails(fedn_aggregator_begin(aggregator, model, &err), FEDN_ERR_FORMAT, &err,
                     "global_model");
        fedn_model_unref(model);
        const float x[] = {1};
        model = test_model_of(FEDN_DTYPE_F32, x, 1);
        test_add(aggregator, model, 1);
        fedn_model *got = test_finish(aggregator);
        test_assert_same_model(got, model);
        fedn_model_unref(got);
        fedn_model_unref(model);
    }
}

static void assert_goes_on(const char *rule, fedn_model *partial)
{
    fedn_aggregator *other = test_aggregator(rule);
    fedn_model *again = NULL;
    fedn_error err;

    assert_ok(fedn_aggregator_merge(other, partial, &err), &err);
    assert_int_equal(fedn_aggregator_models(other), 2);
    assert_true(fedn_aggregator_weight(other) == 8);
    assert_ok(fedn_aggregator_save(other, &again, &err), &err);
    test_assert_same_model(again, partial);
    fedn_model_unref(again);
    add_pair(other, 2, 4);
    assert_result(other, 2);
    fedn_aggregator_free(other);
}

static void a_saved_aggregate_goes_on_where_it_was(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        fedn_aggregator *aggregator = test_aggregator(rules[i]);
        fedn_aggregator *foreign = test_aggregator(rules[1 - i]);
        fedn_model *partial = NULL;
        fedn_error err;

        add_pair(aggregator, 1, 4);
        add_pair(aggregator, 3, 4);
        assert_ok(fedn_aggregator_save(aggregator, &partial, &err), &err);
        assert_goes_on(rules[i], partial);
        assert_fails(fedn_aggregator_merge(foreign, partial, &err), FEDN_ERR_FORMAT, &err,
                     "partial made_by fedavg median");
        assert_int_equal(fedn_aggregator_models(foreign), 0);
        fedn_model_unref(partial);
        fedn_aggregator_free(foreign);
        fedn_aggregator_free(aggregator);
    }
}

CASE(partials_of_two_tiers_merge)
{
    fedn_model *partial = NULL;
    fedn_error err;

    add_pair(aggregator, 1, 1);
    add_pair(aggregator, 4, 1);
    assert_ok(fedn_aggregator_save(aggregator, &partial, &err), &err);
    fedn__aggregator_reset(aggregator);
    assert_int_equal(fedn_aggregator_models(aggregator), 0);
    add_pair(aggregator, 7, 1);
    assert_ok(fedn_aggregator_merge(aggregator, partial, &err), &err);
    assert_int_equal(fedn_aggregator_models(aggregator), 3);
    assert_result(aggregator, 4);
    fedn_model_unref(partial);
}

CASE(a_partial_of_another_layout_is_refused_and_changes_nothing)
{
    const float x[] = {5, 6};
    fedn_model *model = test_model_of(FEDN_DTYPE_F32, x, 2);
    fedn_model *partial = NULL;
    fedn_error err;

    test_add(aggregator, model, 1);
    assert_ok(fedn_aggregator_save(aggregator, &partial, &err), &err);
    fedn__aggregator_reset(aggregator);
    add_pair(aggregator, 2, 1);
    assert_fails(fedn_aggregator_merge(aggregator, partial, &err), FEDN_ERR_FORMAT, &err,
                 "partial 1_tensors 2");
    assert_fails(fedn_aggregator_merge(aggregator, model, &err), FEDN_ERR_FORMAT, &err,
                 "no_saved_aggregate fedn.partial");
    assert_int_equal(fedn_aggregator_models(aggregator), 1);
    assert_result(aggregator, 2);
    fedn_model_unref(model);
    fedn_model_unref(partial);
}

CASE(absent_arguments_are_refused)
{
    fedn_model *model = test_model_pair(1);
    fedn_model *result = model;
    fedn_error err;

    assert_fails(fedn_aggregator_add(aggregator, NULL, 1, &err), FEDN_ERR_INVALID, &err, "model");
    assert_fails(fedn_aggregator_add(NULL, model, 1, &err), FEDN_ERR_INVALID, &err, "aggregator");
    assert_fails(fedn_aggregator_begin(NULL, model, &err), FEDN_ERR_INVALID, &err, "aggregator");
    assert_fails(fedn_aggregator_merge(aggregator, NULL, &err), FEDN_ERR_INVALID, &err, "model");
    assert_fails(fedn_aggregator_save(aggregator, NULL, &err), FEDN_ERR_INVALID, &err, "ret");
    assert_fails(fedn_aggregator_finish(NULL, &result, &err), FEDN_ERR_INVALID, &err, "aggregator");
    assert_null(result);
    assert_int_equal(fedn_aggregator_models(NULL), 0);
    assert_true(fedn_aggregator_weight(NULL) == 0);
    fedn_model_unref(model);
    fedn_aggregator_free(NULL);
}

/* A whole life; every failure must leave the aggregate as it was, so the step is tried again. */
typedef struct life {
    const char *rule;
    fedn_model *model;
} life;

static fedn_status live(void *arg)
{
    const life *of = arg;
    fedn_aggregator *aggregator = NULL, *other = NULL;
    fedn_model *partial = NULL, *result = NULL;
    fedn_status rc = fedn_aggregator_new(of->rule, NULL, &aggregator, NULL);

    if (rc == FEDN_OK)
        rc = fedn_aggregator_new(of->rule, "{}", &other, NULL);
    if (rc == FEDN_OK)
        rc = fedn_aggregator_begin(aggregator, of->model, NULL);
    if (rc == FEDN_OK)
        rc = fedn_aggregator_add(aggregator, of->model, 1, NULL);
    if (rc == FEDN_OK)
        rc = fedn_aggregator_add(other, of->model, 3, NULL);
    if (rc == FEDN_OK)
        rc = fedn_aggregator_save(other, &partial, NULL);
    if (rc == FEDN_OK)
        rc = fedn_aggregator_merge(aggregator, partial, NULL);
    if (rc == FEDN_ERR_NOMEM && partial) {
        assert_int_equal(fedn_aggregator_models(aggregator), 1);
        assert_int_equal(fedn_aggregator_merge(aggregator, partial, NULL), FEDN_OK);
    }
    if (rc == FEDN_OK) {
        rc = fedn_aggregator_finish(aggregator, &result, NULL);
        if (rc == FEDN_ERR_NOMEM)
            assert_int_equal(fedn_aggregator_finish(aggregator, &result, NULL), FEDN_OK);
        test_assert_same_model(result, of->model);
    }
    fedn_model_unref(result);
    fedn_model_unref(partial);
    fedn_aggregator_free(other);
    fedn_aggregator_free(aggregator);
    return rc;
}

static void a_failed_allocation_leaves_everything_as_it_was(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        life of = {rules[i], test_model_pair(3)};
        test_fail_each_allocation(live, &of);
        fedn_model_unref(of.model);
    }
}

static int setup(void **state)
{
    test_register_median();
    return test_count_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_models_give_that_model),
        cmocka_unit_test(the_middle_of_three_models_is_the_result),
        cmocka_unit_test(a_finished_aggregator_begins_the_next_round),
        cmocka_unit_test(an_empty_aggregator_has_nothing_to_give),
        cmocka_unit_test(what_was_begun_fixes_the_layout),
        cmocka_unit_test(a_weight_out_of_bounds_is_refused_and_changes_nothing),
        cmocka_unit_test(a_model_that_does_not_fit_is_refused_and_changes_nothing),
        cmocka_unit_test(a_refused_first_model_fixes_no_layout),
        cmocka_unit_test(a_saved_aggregate_goes_on_where_it_was),
        cmocka_unit_test(partials_of_two_tiers_merge),
        cmocka_unit_test(a_partial_of_another_layout_is_refused_and_changes_nothing),
        cmocka_unit_test(absent_arguments_are_refused),
        cmocka_unit_test(a_failed_allocation_leaves_everything_as_it_was),
    };
    return cmocka_run_group_tests(tests, setup, test_count_teardown);
}
