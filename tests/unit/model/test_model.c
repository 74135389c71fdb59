/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "model/model.h"
#include <pthread.h>

static fedn_model *new_model(void)
{
    fedn_error err;
    fedn_model *model = NULL;
    assert_ok(fedn_model_new(&model, &err), &err);
    return model;
}

static void tensors_are_copied_in_and_read_back(void **state)
{
    (void)state;
    fedn_error err;
    fedn_model *model = new_model();
    const uint64_t shape[2] = {2, 2};
    const float data[4] = {1, -2, 3, -4};
    void *zeroes = NULL;

    assert_ok(fedn_model_add(model, "w", FEDN_DTYPE_F32, 2, shape, data, NULL, &err), &err);
    assert_ok(fedn_model_add(model, "b", FEDN_DTYPE_F64, 1, shape, NULL, &zeroes, &err), &err);
    assert_int_equal(fedn_model_count(model), 2);
    assert_int_equal(fedn_model_find(model, "b"), 1);
    assert_int_equal(fedn_model_find(model, "c"), -1);
    assert_string_equal(fedn_model_name(model, 0), "w");
    assert_int_equal(fedn_model_dtype(model, 0), FEDN_DTYPE_F32);
    assert_int_equal(fedn_model_rank(model, 0), 2);
    assert_memory_equal(fedn_model_shape(model, 0), shape, sizeof shape);
    assert_int_equal(fedn_model_elements(model, 0), 4);
    assert_int_equal(fedn_model_bytes(model, 0), 16);
    assert_memory_equal(fedn_model_data(model, 0), data, 16);
    assert_ptr_equal(fedn_model_data(model, 1), zeroes);
    assert_memory_equal(zeroes, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal((uintptr_t)fedn_model_data(model, i) % 64, 0);
    fedn_model_unref(model);
}

static void what_is_not_there_gives_null_or_zero(void **state)
{
    (void)state;
    fedn_model *model = new_model();

    assert_null(fedn_model_name(model, 0));
    assert_null(fedn_model_shape(model, UINT32_MAX));
    assert_null(fedn_model_data(model, 1));
    assert_int_equal(fedn_model_dtype(model, 0), 0);
    assert_int_equal(fedn_model_rank(model, 0), 0);
    assert_int_equal(fedn_model_elements(model, 0), 0);
    assert_int_equal(fedn_model_bytes(model, 0), 0);
    assert_int_equal(fedn_model_count(NULL), 0);
    assert_int_equal(fedn_model_find(NULL, "w"), -1);
    assert_int_equal(fedn_model_find(model, NULL), -1);
    assert_null(fedn_model_ref(NULL));
    assert_null(fedn_model_unref(NULL));
    fedn_model_unref(model);
}

static void unnamed_tensors_get_the_next_number(void **state)
{
    (void)state;
    static const char *const given[] = {NULL, "2", NULL, NULL, "x", NULL};
    static const char *const wanted[] = {"0", "2", "1", "3", "x", "4"};
    fedn_error err;
    fedn_model *model = new_model();

    for (uint32_t i = 0; i < 6; i++) {
        assert_ok(fedn_model_add(model, given[i], FEDN_DTYPE_I8, 0, NULL, NULL, NULL, &err), &err);
        assert_string_equal(fedn_model_name(model, i), wanted[i]);
    }
    fedn_model_unref(model);
}

static void a_refused_tensor_leaves_the_model_as_it_was(void **state)
{
    (void)state;
    fedn_error err;
    fedn_model *model = new_model();
    const uint64_t huge[2] = {(uint64_t)1 << 40, (uint64_t)1 << 20};
    void *data = &err;

    assert_ok(fedn_model_add(model, "w", FEDN_DTYPE_I8, 0, NULL, NULL, NULL, &err), &err);
    assert_fails(fedn_model_add(model, "w", FEDN_DTYPE_I8, 0, NULL, NULL, &data, &err),
                 FEDN_ERR_EXISTS, &err, "\"w\" twice");
    assert_null(data);
    assert_fails(fedn_model_add(model, "../w", FEDN_DTYPE_I8, 0, NULL, NULL, NULL, &err),
                 FEDN_ERR_INVALID, &err, "../w path");
    assert_fails(fedn_model_add(model, "h", FEDN_DTYPE_I8, 2, huge, NULL, NULL, &err),
                 FEDN_ERR_NOMEM, &err, "\"h\" 1152921504606846976");
    assert_fails(fedn_model_add(NULL, "h", FEDN_DTYPE_I8, 0, NULL, NULL, NULL, &err),
                 FEDN_ERR_INVALID, &err, "NULL");
    assert_int_equal(fedn_model_count(model), 1);
    assert_int_equal(fedn_model_find(model, "h"), -1);
    assert_ok(fedn_model_add(model, "h", FEDN_DTYPE_I8, 0, NULL, NULL, NULL, &err), &err);
    fedn_model_unref(model);
}

static void a_sealed_model_takes_no_tensor(void **state)
{
    (void)state;
    fedn_error err;
    fedn_model *model = new_model();

    fedn__model_seal(model);
    assert_fails(fedn_model_add(model, "w", FEDN_DTYPE_I8, 0, NULL, NULL, NULL, &err),
                 FEDN_ERR_STATE, &err, "handed_over");
    fedn_model_unref(model);
}

static void a_model_of_100000_tensors_is_quick(void **state)
{
    (void)state;
    fedn_error err;
    fedn_model *model = new_model();

    for (uint32_t i = 0; i < 100000; i++)
        assert_ok(fedn_model_add(model, NULL, FEDN_DTYPE_F32, 0, NULL, NULL, NULL, &err), &err);
    assert_fails(fedn_model_add(model, NULL, FEDN_DTYPE_F32, 0, NULL, NULL, NULL, &err),
                 FEDN_ERR_LIMIT, &err, "100000");
    assert_int_equal(fedn_model_find(model, "99999"), 99999);
    fedn_model_unref(model);
}

static void *ref_and_unref(void *arg)
{
    for (int i = 0; i < 20000; i++)
        fedn_model_unref(fedn_model_ref(arg));
    return NULL;
}

static void references_may_be_taken_by_several_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    fedn_model *model = new_model();

    fedn__model_seal(model);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ref_and_unref, model), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(fedn_model_count(model), 0);
    fedn_model_unref(model);
}

static fedn_status fill(void *arg)
{
    (void)arg;
    const uint64_t shape = 3 << 20; /* large enough for pages of its own */
    fedn_model *model = NULL;

    fedn_status rc = fedn_model_new(&model, NULL);
    for (int i = 0; i < 20 && rc == FEDN_OK; i++) {
        uint32_t count = fedn_model_count(model);
        rc = fedn_model_add(model, NULL, FEDN_DTYPE_I8, i == 7, &shape, NULL, NULL, NULL);
        if (rc != FEDN_OK)
            assert_int_equal(fedn_model_count(model), count);
    }
    fedn_model_unref(model);
    return rc;
}

static void each_failed_allocation_is_survived(void **state)
{
    (void)state;
    test_fail_each_allocation(fill, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_copied_in_and_read_back),
        cmocka_unit_test(what_is_not_there_gives_null_or_zero),
        cmocka_unit_test(unnamed_tensors_get_the_next_number),
        cmocka_unit_test(a_refused_tensor_leaves_the_model_as_it_was),
        cmocka_unit_test(a_sealed_model_takes_no_tensor),
        cmocka_unit_test(a_model_of_100000_tensors_is_quick),
        cmocka_unit_test(references_may_be_taken_by_several_threads),
        cmocka_unit_test(each_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
