/* SPDX-License-Identifier: Apache-2.0
 * Whole models: files that are there whole or not at all, formats by name, wrong arguments. */
#include "samples.h"

#include "core/fs.h"
#include <stdlib.h>
#include <unistd.h>

static char *path_in(void **state, const char *name)
{
    return fedn__fs_join(*state, name);
}

static void the_name_of_a_file_chooses_the_format(void **state)
{
    static const struct {
        const char *name;
        const char *format;
        const char *head; /* first or ninth byte on */
    } rows[] = {
        {"model.npz", NULL, "PK\x03\x04"}, {"model", NULL, "PK\x03\x04"},
        {".safetensors", NULL, "{"},       {"safetensors", NULL, "PK\x03\x04"},
        {"model.safetensors", NULL, "{"},  {"model.safetensors", "npz", "PK\x03\x04"},
        {"model.npz", "safetensors", "{"},
    };
    fedn_model *model = sample_model();
    fedn_error err;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *path = path_in(state, rows[i].name);
        fedn_model *back = NULL;
        assert_ok(fedn_model_save(model, path, rows[i].format, &err), &err);
        char *data = test_read_file(path, NULL);
        const char *head = rows[i].head;
        assert_memory_equal(*head == '{' ? data + 8 : data, head, strlen(head));
        free(data);
        assert_ok(fedn_model_load(path, NULL, &back, &err), &err);
        assert_same_model(model, back);
        fedn_model_unref(back);
        fedn__free(path);
    }
    fedn_model_unref(model);
}

static void a_failed_save_leaves_the_old_file(void **state)
{
    fedn_model *model = sample_model();
    fedn_error err;
    char *path = path_in(state, "kept");
    char *part = path_in(state, "kept.part");

    test_write_file(path, "old", 3);
    assert_fails(fedn_model_save(model, path, "raw-float32", &err), FEDN_ERR_UNSUPPORTED, &err,
                 "raw-float32 float16");
    char *data = test_read_file(path, NULL);
    assert_string_equal(data, "old");
    assert_int_not_equal(access(part, F_OK), 0);
    free(data);
    fedn__free(part);
    fedn__free(path);
    path = path_in(state, "absent/model.npz");
    assert_fails(fedn_model_save(model, path, NULL, &err), FEDN_ERR_NOT_FOUND, &err,
                 "absent/model.npz");
    fedn__free(path);
    fedn_model_unref(model);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    fedn_model *model = NULL;
    fedn_error err;
    char *path = path_in(state, "bad.npz");

    assert_fails(fedn_model_load(path, NULL, &model, &err), FEDN_ERR_NOT_FOUND, &err, "bad.npz");
    test_write_file(path, "PK\x03\x04", 4);
    assert_fails(fedn_model_load(path, NULL, &model, &err), FEDN_ERR_FORMAT, &err, "bad.npz npz");
    assert_fails(fedn_model_load(path, "none", &model, &err), FEDN_ERR_UNSUPPORTED, &err,
                 "bad.npz none");
    test_write_file(path, "", 0);
    assert_fails(fedn_model_load(path, NULL, &model, &err), FEDN_ERR_FORMAT, &err, "bad.npz");
    assert_null(model);
    fedn__free(path);
}

static void encoding_and_saving_seal_the_model(void **state)
{
    fedn_error err;
    uint64_t bytes = 0;
    char *path = path_in(state, "sealed");

    for (int how = 0; how < 2; how++) {
        fedn_model *model = sample_small();
        if (how)
            assert_ok(fedn_model_save(model, path, NULL, &err), &err);
        else
            fedn_free(sample_encoded(model, NULL, &bytes));
        assert_int_equal(fedn_model_add(model, NULL, FEDN_DTYPE_I8, 0, NULL, NULL, NULL, NULL),
                         FEDN_ERR_STATE);
        fedn_model_unref(model);
    }
    fedn__free(path);
}

static void missing_arguments_are_refused(void **state)
{
    (void)state;
    fedn_model *model = sample_small();
    fedn_model *out = NULL;
    fedn_error err;
    void *data = NULL;
    uint64_t bytes = 0;

    assert_fails(fedn_model_new(NULL, &err), FEDN_ERR_INVALID, &err, "NULL");
    assert_fails(fedn_model_decode("x", 1, NULL, NULL, &err), FEDN_ERR_INVALID, &err, "NULL");
    assert_fails(fedn_model_decode(NULL, 1, NULL, &out, &err), FEDN_ERR_INVALID, &err, "NULL");
    assert_fails(fedn_model_encode(NULL, NULL, &data, &bytes, &err), FEDN_ERR_INVALID, &err,
                 "NULL");
    assert_fails(fedn_model_encode(model, NULL, NULL, &bytes, &err), FEDN_ERR_INVALID, &err,
                 "NULL");
    assert_fails(fedn_model_encode(model, NULL, &data, NULL, &err), FEDN_ERR_INVALID, &err, "NULL");
    assert_fails(fedn_model_load(NULL, NULL, &out, &err), FEDN_ERR_INVALID, &err, "NULL");
    assert_fails(fedn_model_load("x", NULL, NULL, &err), FEDN_ERR_INVALID, &err, "NULL");
    assert_fails(fedn_model_save(NULL, "x", NULL, &err), FEDN_ERR_INVALID, &err, "NULL");
    assert_fails(fedn_model_save(model, NULL, NULL, &err), FEDN_ERR_INVALID, &err, "NULL");
    fedn_model_unref(model);
}

static void a_model_of_100000_tensors_goes_both_ways(void **state)
{
    (void)state;
    static const char *const formats[] = {"npz", "npz-deflate", "safetensors"};
    fedn_model *model = NULL;
    fedn_error err;

    assert_ok(fedn_model_new(&model, &err), &err);
    for (uint32_t i = 0; i < 100000; i++)
        assert_ok(fedn_model_add(model, NULL, FEDN_DTYPE_U32, 0, NULL, &i, NULL, &err), &err);
    for (size_t f = 0; f < 3; f++) {
        uint64_t bytes = 0;
        fedn_model *back = NULL;
        uint8_t *data = sample_encoded(model, formats[f], &bytes);
        assert_ok(fedn_model_decode(data, bytes, NULL, &back, &err), &err);
        assert_int_equal(fedn_model_count(back), 100000);
        for (uint32_t i = 0; i < 100000; i++)
            assert_memory_equal(fedn_model_data(back, i), &i, 4);
        fedn_model_unref(back);
        fedn_free(data);
    }
    fedn_model_unref(model);
}

static fedn_status save_and_load(void *arg)
{
    fedn_model *model = NULL;
    fedn_model *back = NULL;

    fedn_status rc = fedn_model_new(&model, NULL);
    if (rc == FEDN_OK)
        rc = fedn_model_add(model, NULL, FEDN_DTYPE_F64, 0, NULL, NULL, NULL, NULL);
    if (rc == FEDN_OK)
        rc = fedn_model_save(model, arg, NULL, NULL);
    if (rc == FEDN_OK)
        rc = fedn_model_load(arg, NULL, &back, NULL);
    assert_true((rc == FEDN_OK) == (back != NULL));
    fedn_model_unref(back);
    fedn_model_unref(model);
    return rc;
}

static void each_failed_allocation_is_survived(void **state)
{
    static const char *const names[] = {"oom.npz", "oom.safetensors"};

    for (size_t i = 0; i < 2; i++) {
        char *path = path_in(state, names[i]);
        test_fail_each_allocation(save_and_load, path);
        fedn__free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_of_a_file_chooses_the_format),
        cmocka_unit_test(a_failed_save_leaves_the_old_file),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(encoding_and_saving_seal_the_model),
        cmocka_unit_test(missing_arguments_are_refused),
        cmocka_unit_test(a_model_of_100000_tensors_goes_both_ways),
        cmocka_unit_test(each_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, test_scratch_setup, test_scratch_teardown);
}
