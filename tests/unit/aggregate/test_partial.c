/* SPDX-License-Identifier: Apache-2.0
 * Partials from outside: each that lies is refused, and the aggregate is as before. */
#include "models.h"

#include <math.h>
#include <stdlib.h>

/* A partial of two models: tensors "fedn.partial", "sum.0" (a), "sum.1" and "low.1" (b). */
static fedn_model *partial_of_two(void)
{
    fedn_aggregator *aggregator = test_aggregator("fedavg");
    fedn_model *model = test_model_pair(3);
    fedn_model *partial = NULL;
    fedn_error err;

    test_add(aggregator, model, 4);
    test_add(aggregator, model, 6);
    assert_ok(fedn_aggregator_save(aggregator, &partial, &err), &err);
    fedn_model_unref(model);
    fedn_aggregator_free(aggregator);
    return partial;
}

/* What to change on the way: in the description, and in one element of one tensor. */
typedef struct lie {
    const char *find; /* in the description */
    const char *replace;
    const char *rename; /* the tensor to give another name */
    const char *words;
    double value; /* for element 0 of the tensor `place`; 0: leave */
    uint32_t place;
    fedn_status rc;
} lie;

static char *replaced(const fedn_model *partial, const char *find, const char *replace)
{
    uint64_t bytes = fedn_model_bytes(partial, 0);
    char *text = calloc(1, bytes + 1);
    char *result = calloc(1, bytes + 4096);

    if (!text || !result)
        abort();
    memcpy(text, fedn_model_data(partial, 0), bytes);
    char *at = find ? strstr(text, find) : text + bytes;
    if (!at)
        fail_msg("no %s in %s", find ? find : "end", text);
    sprintf(result, "%.*s%s%s", (int)(at - text), text, replace ? replace : "",
            at + (find ? strlen(find) : 0));
    free(text);
    return result;
}

static fedn_model *with_lie(const fedn_model *partial, const lie *l)
{
    char *text = replaced(partial, l->find, l->replace);
    uint64_t bytes = strlen(text);
    fedn_model *model = NULL;
    void *data = NULL;
    fedn_error err;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "fedn.partial", FEDN_DTYPE_U8, 1, &bytes, text, NULL, &err),
              &err);
    for (uint32_t i = 1; i < fedn_model_count(partial); i++) {
        const char *name = fedn_model_name(partial, i);
        assert_ok(fedn_model_add(model, l->rename && i == l->place ? l->rename : name,
                                 fedn_model_dtype(partial, i), fedn_model_rank(partial, i),
                                 fedn_model_shape(partial, i), fedn_model_data(partial, i), &data,
                                 &err),
                  &err);
        if (i == l->place && l->value != 0)
            memcpy(data, &l->value, 8);
    }
    free(text);
    return model;
}

static const lie lies[] = {
    {"\"fedavg\"", "\"median\"", .words = "'median' 'fedavg'", .rc = FEDN_ERR_FORMAT},
    {"\"version\":1", "\"version\":2", .words = "version_2 expected_1", .rc = FEDN_ERR_FORMAT},
    {"\"models\":2", "\"models\":0", .words = "'models'", .rc = FEDN_ERR_FORMAT},
    {"\"models\":2", "\"models\":\"2\"", .words = "'models'", .rc = FEDN_ERR_FORMAT},
    {"[10.0,0.0]", "[0.0,0.0]", .words = "'weight'", .rc = FEDN_ERR_FORMAT},
    {"[10.0,0.0]", "[-10.0,0.0]", .words = "'weight'", .rc = FEDN_ERR_FORMAT},
    {"[10.0,0.0]", "[3e15,0.0]", .words = "'weight'", .rc = FEDN_ERR_FORMAT},
    {"[10.0,0.0]", "[10.0,5.0]", .words = "'weight'", .rc = FEDN_ERR_FORMAT},
    {"[10.0,0.0]", "10", .words = "'weight'", .rc = FEDN_ERR_FORMAT},
    {"[10.0,0.0]", "[1e999,0]", .words = "JSON", .rc = FEDN_ERR_FORMAT},
    {"\"float32\"", "\"float33\"", .words = "'tensors'", .rc = FEDN_ERR_FORMAT},
    {"[2,3]", "[3,2]", .words = "'a' (3,_2) (2,_3)", .rc = FEDN_ERR_FORMAT},
    {"[2,3]", "[-2,3]", .words = "'tensors'", .rc = FEDN_ERR_FORMAT},
    {"[2,3]", "[2,[3]]", .words = "'tensors'", .rc = FEDN_ERR_FORMAT},
    {"\"b\"", "\"a\"", .words = "a", .rc = FEDN_ERR_FORMAT},
    {"\"b\"", "\"c\"", .words = "'c' 'b'", .rc = FEDN_ERR_FORMAT},
    {"\"tensors\"", "\"tensor\"", .words = "'tensors'", .rc = FEDN_ERR_FORMAT},
    {"}", "", .words = "JSON", .rc = FEDN_ERR_FORMAT},
    {.rename = "sum.7", .place = 1, .words = "'sum.7' 'sum.0'", .rc = FEDN_ERR_FORMAT},
    {.value = NAN, .place = 1, .words = "'sum.0' element_0 nan", .rc = FEDN_ERR_FORMAT},
    {.value = INFINITY, .place = 2, .words = "'sum.1' element_0 inf", .rc = FEDN_ERR_FORMAT},
    {.value = -3.5e39, .place = 1, .words = "'sum.0' element_0 -3.5e+39", .rc = FEDN_ERR_FORMAT},
    {.value = 1e21, .place = 2, .words = "'sum.1' element_0 1e+21", .rc = FEDN_ERR_FORMAT},
    {.value = -1e21, .place = 3, .words = "'low.1' element_0", .rc = FEDN_ERR_FORMAT},
};

static void a_partial_that_lies_is_refused_and_changes_nothing(void **state)
{
    fedn_model *partial = partial_of_two();
    fedn_model *global = test_model_pair(0);
    fedn_error err;
    (void)state;

    for (uint32_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        fedn_aggregator *aggregator = test_aggregator("fedavg");
        fedn_model *bad = with_lie(partial, &lies[i]);
        fedn_model *after = NULL;
        assert_ok(fedn_aggregator_begin(aggregator, global, &err), &err);
        assert_fails(fedn_aggregator_merge(aggregator, bad, &err), lies[i].rc, &err, lies[i].words);
        assert_ok(fedn_aggregator_merge(aggregator, partial, &err), &err);
        assert_fails(fedn_aggregator_merge(aggregator, bad, &err), lies[i].rc, &err, lies[i].words);
        assert_ok(fedn_aggregator_save(aggregator, &after, &err), &err);
        test_assert_same_model(after, partial);
        fedn_model_unref(after);
        fedn_model_unref(bad);
        fedn_aggregator_free(aggregator);
    }
    fedn_model_unref(partial);
    fedn_model_unref(global);
}

static void an_unchanged_copy_is_accepted(void **state)
{
    const lie none = {.words = ""};
    fedn_aggregator *aggregator = test_aggregator("fedavg");
    fedn_model *partial = partial_of_two();
    fedn_model *copy = with_lie(partial, &none);
    fedn_error err;
    (void)state;

    test_assert_same_model(copy, partial);
    assert_ok(fedn_aggregator_merge(aggregator, copy, &err), &err);
    fedn_model_unref(copy);
    fedn_model_unref(partial);
    fedn_aggregator_free(aggregator);
}

/* Weights that no double holds exactly come back as they were. */
static void weights_survive_saving_to_the_last_bit(void **state)
{
    fedn_aggregator *one = test_aggregator("fedavg");
    fedn_aggregator *other = test_aggregator("fedavg");
    fedn_model *model = test_model_pair(3);
    fedn_model *partial = NULL, *again = NULL;
    fedn_error err;
    (void)state;

    for (uint32_t i = 0; i < 50; i++)
        test_add(one, model, i % 2 ? 0.1 * i : 1e14 / (i + 1));
    assert_ok(fedn_aggregator_save(one, &partial, &err), &err);
    assert_ok(fedn_aggregator_merge(other, partial, &err), &err);
    assert_true(fedn_aggregator_weight(other) == fedn_aggregator_weight(one));
    assert_ok(fedn_aggregator_save(other, &again, &err), &err);
    test_assert_same_model(again, partial);
    fedn_model_unref(again);
    fedn_model_unref(partial);
    fedn_model_unref(model);
    fedn_aggregator_free(one);
    fedn_aggregator_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_partial_that_lies_is_refused_and_changes_nothing),
        cmocka_unit_test(an_unchanged_copy_is_accepted),
        cmocka_unit_test(weights_survive_saving_to_the_last_bit),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
