/* SPDX-License-Identifier: Apache-2.0
 * Registering rules, and what is demanded of what they return. */
#include "models.h"

#include "aggregate/aggregator.h"
#include "core/alloc.h"
#include "core/fs.h"
#include "core/limits.h"
#include <math.h>
#include <stddef.h>

static void an_unknown_name_is_answered_with_the_known_ones(void **state)
{
    fedn_aggregator *aggregator = NULL;
    fedn_error err;
    (void)state;

    test_register_median();
    assert_fails(fedn_aggregator_new("fedav", NULL, &aggregator, &err), FEDN_ERR_NOT_FOUND, &err,
                 "'fedav' fedavg median");
    assert_fails(fedn_aggregator_new("a\nb", NULL, &aggregator, &err), FEDN_ERR_NOT_FOUND, &err,
                 "fedavg");
    assert_null(aggregator);
    assert_fails(fedn__aggregator_known("", &err), FEDN_ERR_NOT_FOUND, &err, "fedavg");
    assert_ok(fedn__aggregator_known("median", &err), &err);
}

static void a_bad_table_is_refused(void **state)
{
    static const char *const names[] = {NULL, "", "Upper", "a b", "a/b"};
    fedn_aggregator_impl impl = test_median;
    fedn_error err;
    (void)state;

    assert_fails(fedn_aggregator_register(NULL, NULL, &err), FEDN_ERR_INVALID, &err, "table");
    impl.struct_size = 8;
    assert_fails(fedn_aggregator_register(&impl, NULL, &err), FEDN_ERR_INVALID, &err, "8_bytes");
    for (uint32_t i = 0; i < 5; i++) {
        impl = test_median;
        impl.name = names[i];
        assert_fails(fedn_aggregator_register(&impl, NULL, &err), FEDN_ERR_INVALID, &err, "name");
    }
    impl = test_median;
    impl.name = "incomplete";
    impl.merge = NULL;
    assert_fails(fedn_aggregator_register(&impl, NULL, &err), FEDN_ERR_INVALID, &err,
                 "'incomplete' lacks");
    impl = test_median;
    impl.name = "fedavg";
    assert_fails(fedn_aggregator_register(&impl, NULL, &err), FEDN_ERR_EXISTS, &err, "'fedavg'");
}

static void a_table_may_end_where_the_first_release_ended_it(void **state)
{
    static fedn_aggregator_impl shorter;
    fedn_aggregator_impl half = test_median;
    fedn_aggregator *aggregator = NULL;
    fedn_error err;

    (void)state;
    shorter = test_median;
    shorter.name = "shorter";
    shorter.struct_size = offsetof(fedn_aggregator_impl, save_state);
    shorter.save_state = (fedn_status(*)(void *, fedn_model **, fedn_error *))1; /* is not there */
    assert_ok(fedn_aggregator_register(&shorter, NULL, &err), &err);
    assert_ok(fedn_aggregator_new("shorter", NULL, &aggregator, &err), &err);
    assert_false(fedn__aggregator_has_state(aggregator));
    fedn__aggregator_forget(aggregator);
    fedn_aggregator_free(aggregator);
    half.name = "half";
    half.save_state = shorter.save_state;
    assert_fails(fedn_aggregator_register(&half, NULL, &err), FEDN_ERR_INVALID, &err,
                 "'half' save_state load_state");
}

/* "median" that counts its rounds. */
static float rounds_of_counting;

static fedn_status counting_finish(void *self, fedn_model **ret, fedn_error *err)
{
    rounds_of_counting++;
    return test_median.finish(self, ret, err);
}

static fedn_status counting_save(void *self, fedn_model **ret, fedn_error *err)
{
    (void)self;
    (void)err;
    *ret = test_model_of(FEDN_DTYPE_F32, &rounds_of_counting, 1);
    return FEDN_OK;
}

static fedn_status counting_load(void *self, fedn_model *kept, fedn_error *err)
{
    (void)self;
    (void)err;
    rounds_of_counting = kept ? *(const float *)fedn_model_data(kept, 0) : 0;
    return FEDN_OK;
}

static void what_a_rule_of_the_application_keeps_is_saved_and_loaded(void **state)
{
    static fedn_aggregator_impl counting;
    fedn_aggregator *aggregator = NULL;
    fedn_model *model = test_model_pair(1);
    char *scratch = test_scratch();
    char *path = fedn__fs_join(scratch, "state");
    fedn_error err;

    (void)state;
    counting = test_median;
    counting.name = "counting";
    counting.finish = counting_finish;
    counting.save_state = counting_save;
    counting.load_state = counting_load;
    assert_ok(fedn_aggregator_register(&counting, NULL, &err), &err);
    assert_ok(fedn_aggregator_new("counting", NULL, &aggregator, &err), &err);
    assert_true(fedn__aggregator_has_state(aggregator));
    test_add(aggregator, model, 1);
    fedn_model_unref(test_finish(aggregator));
    assert_ok(fedn__aggregator_save_state(aggregator, path, &err), &err);
    fedn__aggregator_forget(aggregator);
    assert_true(rounds_of_counting == 0);
    assert_ok(fedn__aggregator_load_state(aggregator, path, &err), &err);
    assert_true(rounds_of_counting == 1);
    fedn_aggregator_free(aggregator);
    fedn_model_unref(model);
    fedn__free(path);
    test_scratch_done(scratch);
}

/* A table that stands on federated averaging, as examples/custom_aggregator.c does. */
static fedn_status on_fedavg_create(const char *kwargs, void *user_data, void **ret_self,
                                    fedn_error *err)
{
    fedn_aggregator *mean = NULL;
    fedn_status rc = fedn_aggregator_new("fedavg", kwargs, &mean, err);

    (void)user_data;
    *ret_self = mean;
    return rc;
}

static void on_fedavg_destroy(void *self)
{
    fedn_aggregator_free(self);
}

static fedn_status on_fedavg_add(void *self, fedn_model *model, double weight, fedn_error *err)
{
    return fedn_aggregator_add(self, model, weight, err);
}

static fedn_status on_fedavg_save(void *self, fedn_model **ret, fedn_error *err)
{
    return fedn_aggregator_save(self, ret, err);
}

static fedn_status on_fedavg_merge(void *self, fedn_model *partial, fedn_error *err)
{
    return fedn_aggregator_merge(self, partial, err);
}

static fedn_status on_fedavg_finish(void *self, fedn_model **ret, fedn_error *err)
{
    return fedn_aggregator_finish(self, ret, err);
}

static void on_fedavg_reset(void *self)
{
    fedn__aggregator_reset(self);
}

static void a_rule_that_saves_what_one_of_ours_saves_is_merged(void **state)
{
    static const fedn_aggregator_impl impl = {.struct_size = sizeof impl,
                                              .name = "on_fedavg",
                                              .create = on_fedavg_create,
                                              .destroy = on_fedavg_destroy,
                                              .add = on_fedavg_add,
                                              .save = on_fedavg_save,
                                              .merge = on_fedavg_merge,
                                              .finish = on_fedavg_finish,
                                              .reset = on_fedavg_reset};
    fedn_aggregator *first = NULL;
    fedn_aggregator *second = NULL;
    fedn_model *model = test_model_pair(1);
    fedn_model *partial = NULL;
    fedn_error err;

    (void)state;
    assert_ok(fedn_aggregator_register(&impl, NULL, &err), &err);
    assert_ok(fedn_aggregator_new("on_fedavg", NULL, &first, &err), &err);
    assert_ok(fedn_aggregator_new("on_fedavg", NULL, &second, &err), &err);
    test_add(first, model, 2);
    assert_ok(fedn_aggregator_save(first, &partial, &err), &err);
    assert_ok(fedn_aggregator_merge(second, partial, &err), &err);
    assert_ok(fedn_aggregator_merge(second, partial, &err), &err);
    fedn_model *mean = test_finish(second);
    test_assert_same_model(mean, model);
    fedn_model_unref(mean);
    fedn_model_unref(partial);
    fedn_model_unref(model);
    fedn_aggregator_free(second);
    fedn_aggregator_free(first);
}

/* A rule whose next answer is set by the test. */
typedef struct puppet {
    fedn_status rc;
    const char *message;
    float value; /* of the model it gives */
    fedn_dtype dtype;
    int32_t gives; /* a model */
    int32_t begun;
    int32_t resets;
} puppet;

static fedn_status puppet_answer(const puppet *self, fedn_error *err)
{
    if (self->rc != FEDN_OK && self->message)
        fedn_error_set(err, self->rc, self->message);
    return self->rc;
}

static fedn_status puppet_create(const char *kwargs, void *user_data, void **ret_self,
                                 fedn_error *err)
{
    (void)kwargs;
    *ret_self = user_data;
    return puppet_answer(user_data, err);
}

static void puppet_destroy(void *self)
{
    (void)self;
}

static fedn_status puppet_begin(void *self, fedn_model *global, fedn_error *err)
{
    assert_int_equal(fedn_model_count(global), 1);
    ((puppet *)self)->begun++;
    return puppet_answer(self, err);
}

static fedn_status puppet_add(void *self, fedn_model *model, double weight, fedn_error *err)
{
    assert_int_equal(fedn_model_count(model), 1);
    assert_true(weight > 0);
    return puppet_answer(self, err);
}

static fedn_status puppet_give(void *of, fedn_model **ret, fedn_error *err)
{
    puppet *self = of;
    uint64_t x[2] = {0, 0};

    if (self->rc == FEDN_OK && self->gives) {
        float values[2] = {self->value, 1};
        memcpy(x, values, sizeof values);
        *ret = test_model_of(self->dtype, x, 2);
    }
    return puppet_answer(self, err);
}

static fedn_status puppet_merge(void *self, fedn_model *partial, fedn_error *err)
{
    assert_int_equal(fedn_model_count(partial), 1);
    return puppet_answer(self, err);
}

static void puppet_reset(void *self)
{
    ((puppet *)self)->resets++;
}

static const fedn_aggregator_impl puppet_impl = {
    sizeof(fedn_aggregator_impl),
    "puppet",
    puppet_create,
    puppet_destroy,
    puppet_begin,
    puppet_add,
    puppet_give,
    puppet_merge,
    puppet_give,
    puppet_reset,
};

static puppet strings; /* what moves the puppet */

static fedn_aggregator *puppet_with_one_model(void)
{
    const float x[] = {1, 2};
    fedn_error err;
    fedn_status rc = fedn_aggregator_register(&puppet_impl, &strings, &err);

    if (rc != FEDN_ERR_EXISTS)
        assert_ok(rc, &err);
    strings = (puppet){.dtype = FEDN_DTYPE_F32, .gives = 1, .value = 3};
    fedn_aggregator *aggregator = test_aggregator("puppet");
    fedn_model *model = test_model_of(FEDN_DTYPE_F32, x, 2);
    assert_ok(fedn_aggregator_begin(aggregator, model, &err), &err);
    test_add(aggregator, model, 2);
    assert_int_equal(strings.begun, 1);
    fedn_model_unref(model);
    return aggregator;
}

static void what_a_rule_fails_with_reaches_the_caller(void **state)
{
    fedn_aggregator *aggregator = puppet_with_one_model();
    fedn_model *model = test_finish(aggregator);
    fedn_error err;
    (void)state;

    strings.rc = FEDN_ERR_LIMIT;
    strings.message = "strings are tangled";
    assert_fails(fedn_aggregator_add(aggregator, model, 1, &err), FEDN_ERR_LIMIT, &err,
                 "'puppet' tangled");
    assert_fails(fedn_aggregator_begin(aggregator, model, &err), FEDN_ERR_LIMIT, &err,
                 "'puppet' tangled");
    strings.message = NULL;
    assert_fails(fedn_aggregator_add(aggregator, model, 1, &err), FEDN_ERR_LIMIT, &err,
                 "'puppet' add");
    strings.rc = 7;
    assert_fails(fedn_aggregator_add(aggregator, model, 1, &err), FEDN_ERR_CALLBACK, &err,
                 "'puppet' add");
    assert_int_equal(fedn_aggregator_models(aggregator), 0);
    strings.rc = FEDN_OK;
    test_add(aggregator, model, 1);
    assert_int_equal(fedn_aggregator_models(aggregator), 1);
    fedn_model_unref(model);
    fedn_aggregator_free(aggregator);
}

static void a_result_that_is_no_model_of_the_round_is_refused(void **state)
{
    static const struct {
        puppet answer;
        const char *words;
    } rows[] = {{{.gives = 0}, "'puppet' no_model finish"},
                {{.gives = 1, .dtype = FEDN_DTYPE_F64}, "'puppet' result 'w' float64 float32"},
                {{.gives = 1, .dtype = FEDN_DTYPE_F32, .value = NAN}, "'puppet' result element_0"}};
    (void)state;

    for (uint32_t i = 0; i < 3; i++) {
        fedn_aggregator *aggregator = puppet_with_one_model();
        fedn_model *model = NULL;
        fedn_error err;
        strings = rows[i].answer;
        assert_fails(fedn_aggregator_finish(aggregator, &model, &err), FEDN_ERR_CALLBACK, &err,
                     rows[i].words);
        assert_null(model);
        fedn__aggregator_reset(aggregator);
        assert_int_equal(strings.resets, 1);
        fedn_aggregator_free(aggregator);
    }
}

static void a_result_that_could_not_be_written_is_kept(void **state)
{
    fedn_aggregator *aggregator = puppet_with_one_model();
    fedn_model *model = NULL;
    fedn_error err;
    (void)state;

    assert_fails(fedn__aggregator_finish_file(aggregator, "npz", "/nonexistent/result.npz", &err),
                 FEDN_ERR_NOT_FOUND, &err, "result.npz");
    strings.rc = FEDN_ERR_INTERNAL; /* it is not asked again */
    assert_fails(fedn_aggregator_save(aggregator, &model, &err), FEDN_ERR_STATE, &err, "finished");
    model = test_finish(aggregator);
    assert_true(((const float *)fedn_model_data(model, 0))[0] == 3);
    assert_int_equal(strings.resets, 0);
    strings.rc = FEDN_OK;
    test_add(aggregator, model, 1);
    fedn_model_unref(model);
    fedn_aggregator_free(aggregator);
}

/* Fills the registry: the last test. */
static void the_registry_is_bounded(void **state)
{
    static char names[FEDN__LIMIT_REGISTRY][16];
    static fedn_aggregator_impl impls[FEDN__LIMIT_REGISTRY];
    fedn_status rc = FEDN_OK;
    fedn_error err;
    (void)state;

    for (uint32_t i = 0; i < FEDN__LIMIT_REGISTRY && rc == FEDN_OK; i++) {
        snprintf(names[i], sizeof names[i], "rule-%u", i);
        impls[i] = test_median;
        impls[i].name = names[i];
        rc = fedn_aggregator_register(&impls[i], NULL, &err);
    }
    assert_int_equal(rc, FEDN_ERR_LIMIT);
    test_assert_words(err.message, "64");
    assert_fails(fedn__aggregator_known("nothing", &err), FEDN_ERR_NOT_FOUND, &err, "rule-3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_name_is_answered_with_the_known_ones),
        cmocka_unit_test(a_bad_table_is_refused),
        cmocka_unit_test(a_table_may_end_where_the_first_release_ended_it),
        cmocka_unit_test(a_rule_that_saves_what_one_of_ours_saves_is_merged),
        cmocka_unit_test(what_a_rule_of_the_application_keeps_is_saved_and_loaded),
        cmocka_unit_test(what_a_rule_fails_with_reaches_the_caller),
        cmocka_unit_test(a_result_that_is_no_model_of_the_round_is_refused),
        cmocka_unit_test(a_result_that_could_not_be_written_is_kept),
        cmocka_unit_test(the_registry_is_bounded),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
