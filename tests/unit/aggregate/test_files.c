/* SPDX-License-Identifier: Apache-2.0
 * Aggregating from encoded files into encoded files: the same as with models in memory. */
#include "models.h"

#include "aggregate/aggregator.h"
#include "core/fs.h"
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define BIG 700001 /* elements of float64: several blocks and a rest */

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

static char *path_of(const char *name)
{
    char *path = fedn__fs_join(scratch, name);

    assert_non_null(path);
    return path;
}

static fedn_model *big_model(uint64_t seed)
{
    const uint64_t wide[] = {BIG}, half[] = {3, 5, 7}, none[] = {0, 4};
    test_random random = {seed};
    fedn_model *model = NULL;
    void *data = NULL;
    fedn_error err;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "0", FEDN_DTYPE_F64, 1, wide, NULL, &data, &err), &err);
    for (uint64_t i = 0; i < BIG; i++)
        ((double *)data)[i] = test_random_unit(&random);
    assert_ok(fedn_model_add(model, "1", FEDN_DTYPE_F32, 1, wide, NULL, &data, &err), &err);
    for (uint64_t i = 0; i < BIG; i++)
        ((float *)data)[i] = (float)test_random_unit(&random);
    assert_ok(fedn_model_add(model, "2", FEDN_DTYPE_I16, 3, half, NULL, &data, &err), &err);
    for (uint64_t i = 0; i < 105; i++)
        ((int16_t *)data)[i] = (int16_t)test_random_next(&random);
    assert_ok(fedn_model_add(model, "3", FEDN_DTYPE_F32, 2, none, NULL, NULL, &err), &err);
    return model;
}

static fedn__source *open_file(const char *path)
{
    fedn__blob *blob = NULL;
    fedn__source *source = NULL;
    fedn_error err;

    assert_ok(fedn__blob_from_file(path, &blob, &err), &err);
    assert_ok(fedn__source_open(blob, NULL, &source, &err), &err);
    fedn__blob_unref(blob);
    return source;
}

static fedn_status add_file(fedn_aggregator *aggregator, const char *path, double weight,
                            fedn_error *err)
{
    fedn__source *source = open_file(path);
    fedn_status rc = fedn__aggregator_add_source(aggregator, source, weight, err);

    fedn__source_free(source);
    return rc;
}

static void assert_file_holds(const char *path, fedn_model *expected)
{
    fedn_model *model = NULL;
    fedn_error err;

    assert_ok(fedn_model_load(path, NULL, &model, &err), &err);
    test_assert_same_model(model, expected);
    fedn_model_unref(model);
}

static const char *const formats[] = {"npz", "npz-deflate", "safetensors"};

static void add_to_both(fedn_aggregator *memory, fedn_aggregator *files, uint32_t format,
                        uint64_t seed)
{
    char *path = path_of(formats[format]);
    fedn_model *model = big_model(seed);
    double weight = 1000.0 / (format + 1);
    fedn_error err;

    assert_ok(fedn_model_save(model, path, formats[format], &err), &err);
    if (format == 0) {
        fedn__source *global = open_file(path);
        assert_ok(fedn__aggregator_begin_source(files, global, &err), &err);
        fedn__source_free(global);
    }
    test_add(memory, model, weight);
    assert_ok(add_file(files, path, weight, &err), &err);
    fedn_model_unref(model);
    fedn__free(path);
}

static void files_of_every_format_give_what_models_give(void **state)
{
    fedn_aggregator *memory = test_aggregator("fedavg");
    fedn_aggregator *files = test_aggregator("fedavg");
    char *result = path_of("result");
    fedn_error err;
    (void)state;

    for (uint64_t round = 0; round < 2; round++) { /* the second one in pages that were used */
        for (uint32_t i = 0; i < 3; i++)
            add_to_both(memory, files, i, round * 3 + i);
        fedn_model *expected = test_finish(memory);
        assert_ok(fedn__aggregator_finish_file(files, formats[round * 2], result, &err), &err);
        assert_file_holds(result, expected);
        fedn_model_unref(expected);
    }
    fedn__free(result);
    fedn_aggregator_free(memory);
    fedn_aggregator_free(files);
}

static void a_registered_rule_aggregates_files_as_well(void **state)
{
    fedn_aggregator *aggregator = test_aggregator("median");
    fedn_model *models[3] = {test_model_pair(1), test_model_pair(9), test_model_pair(4)};
    char *path = path_of("update"), *partial = path_of("partial"), *result = path_of("result");
    fedn_error err;
    (void)state;

    for (uint32_t i = 0; i < 3; i++) {
        assert_ok(fedn_model_save(models[i], path, "npz", &err), &err);
        assert_ok(add_file(aggregator, path, 1, &err), &err);
    }
    assert_ok(fedn__aggregator_save_file(aggregator, partial, &err), &err);
    fedn__aggregator_reset(aggregator);
    fedn__source *source = open_file(partial);
    assert_ok(fedn__aggregator_merge_source(aggregator, source, &err), &err);
    fedn__source_free(source);
    assert_int_equal(fedn_aggregator_models(aggregator), 3);
    assert_ok(fedn__aggregator_finish_file(aggregator, "safetensors", result, &err), &err);
    assert_file_holds(result, models[2]);
    for (uint32_t i = 0; i < 3; i++)
        fedn_model_unref(models[i]);
    fedn__free(path);
    fedn__free(partial);
    fedn__free(result);
    fedn_aggregator_free(aggregator);
}

static void a_partial_file_restores_the_aggregate_to_the_last_bit(void **state)
{
    fedn_aggregator *one = test_aggregator("fedavg");
    fedn_aggregator *other = test_aggregator("fedavg");
    char *path = path_of("partial");
    fedn_error err;
    (void)state;

    for (uint32_t i = 0; i < 3; i++) {
        fedn_model *model = big_model(i);
        test_add(one, model, i + 0.3);
        fedn_model_unref(model);
    }
    assert_ok(fedn__aggregator_save_file(one, path, &err), &err);
    fedn__source *source = open_file(path);
    assert_ok(fedn__aggregator_merge_source(other, source, &err), &err);
    fedn__source_free(source);
    fedn_model *more = big_model(77);
    test_add(one, more, 2);
    test_add(other, more, 2);
    fedn_model *expected = test_finish(one), *got = test_finish(other);
    test_assert_same_model(got, expected);
    fedn_model_unref(more);
    fedn_model_unref(expected);
    fedn_model_unref(got);
    fedn__free(path);
    fedn_aggregator_free(one);
    fedn_aggregator_free(other);
}

/* The last element of the last tensor with elements: all that comes before is read already. */
static void a_damaged_file_is_refused_and_changes_nothing(void **state)
{
    fedn_aggregator *aggregator = test_aggregator("fedavg");
    fedn_model *model = test_model_pair(6);
    char *path = path_of("update");
    uint64_t bytes = 0;
    fedn_error err;
    (void)state;

    test_add(aggregator, model, 1);
    assert_ok(fedn_model_save(model, path, "npz", &err), &err);
    char *data = test_read_file(path, &bytes);
    uint64_t at = 0;
    for (uint64_t i = 0; i + 8 <= bytes; i++)
        if (memcmp(data + i, "\6\0\0\0\0\0\0\0", 8) == 0)
            at = i;
    data[at] ^= 1;
    test_write_file(path, data, bytes);
    assert_fails(add_file(aggregator, path, 5, &err), FEDN_ERR_FORMAT, &err, "b damaged");
    fedn__source *source = open_file(path);
    assert_int_equal(truncate(path, 0), 0);
    assert_fails(fedn__aggregator_add_source(aggregator, source, 5, &err), FEDN_ERR_IO, &err,
                 "shorter");
    fedn__source_free(source);
    assert_int_equal(fedn_aggregator_models(aggregator), 1);
    fedn_model *mean = test_finish(aggregator);
    test_assert_same_model(mean, model);
    free(data);
    fedn_model_unref(mean);
    fedn_model_unref(model);
    fedn__free(path);
    fedn_aggregator_free(aggregator);
}

static void a_result_that_cannot_be_written_stays_in_the_aggregate(void **state)
{
    fedn_aggregator *aggregator = test_aggregator("fedavg");
    fedn_model *model = test_model_pair(6);
    char *path = path_of("unwritten"), *part = path_of("unwritten.part"),
         *absent = path_of("no/such/result");
    fedn_error err;
    (void)state;

    test_add(aggregator, model, 1);
    assert_fails(fedn__aggregator_finish_file(aggregator, "npz", absent, &err), FEDN_ERR_NOT_FOUND,
                 &err, "result");
    assert_fails(fedn__aggregator_save_file(aggregator, absent, &err), FEDN_ERR_NOT_FOUND, &err,
                 "result");
    assert_fails(fedn__aggregator_finish_file(aggregator, "raw-float32", path, &err),
                 FEDN_ERR_UNSUPPORTED, &err, "raw-float32 int64");
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(part, F_OK), -1);
    assert_int_equal(fedn_aggregator_models(aggregator), 1);
    assert_ok(fedn__aggregator_finish_file(aggregator, NULL, path, &err), &err);
    assert_file_holds(path, model);
    fedn_model_unref(model);
    fedn__free(path);
    fedn__free(part);
    fedn__free(absent);
    fedn_aggregator_free(aggregator);
}

static uint32_t number(const char *at, uint32_t bytes)
{
    uint32_t value = 0;

    memcpy(&value, at, bytes);
    return value;
}

/* Makes all tensors of an npz file column-major by their headers, with the checksums of that. */
static void turn_columns(const char *path)
{
    uint64_t bytes = 0;
    char *data = test_read_file(path, &bytes);

    for (uint64_t i = 0; i + 30 < bytes; i++) {
        if (memcmp(data + i, "PK\3\4", 4) != 0)
            continue;
        uint32_t before = number(data + i + 14, 4), size = number(data + i + 18, 4);
        char *npy = data + i + 30 + number(data + i + 26, 2) + number(data + i + 28, 2);
        char *order = strstr(npy + 10, "False");
        assert_non_null(order);
        for (uint32_t k = 0; k < 5; k++)
            order[k] = "True "[k];
        uint32_t after = (uint32_t)crc32(0, (const unsigned char *)npy, size);
        for (uint64_t k = 0; k + 4 <= bytes; k++)
            if (memcmp(data + k, &before, 4) == 0)
                memcpy(data + k, &after, 4);
    }
    test_write_file(path, data, bytes);
    free(data);
}

/* Reading a column-major tensor needs memory in both passes: so this also fails between them, when
 * a part is folded; the aggregate must then say so until it is reset. */
typedef struct life {
    const char *update;
    const char *partial;
    const char *result;
    fedn_model *model;
    uint32_t spoilt; /* how often it came to that */
} life;

static fedn_status add_once(life *of, fedn_aggregator *aggregator)
{
    fedn__blob *blob = NULL;
    fedn__source *source = NULL;
    uint64_t before = fedn_aggregator_models(aggregator);
    fedn_status rc = fedn__blob_from_file(of->update, &blob, NULL);

    if (rc == FEDN_OK)
        rc = fedn__source_open(blob, NULL, &source, NULL);
    if (rc == FEDN_OK) {
        rc = fedn__aggregator_add_source(aggregator, source, 2, NULL);
        if (rc == FEDN_ERR_NOMEM) {
            fedn_status again = fedn__aggregator_add_source(aggregator, source, 2, NULL);
            assert_int_equal(fedn_aggregator_models(aggregator), before + (again == FEDN_OK));
            assert_true(again == FEDN_OK || again == FEDN_ERR_STATE);
            of->spoilt += again == FEDN_ERR_STATE;
        }
    }
    fedn__source_free(source);
    fedn__blob_unref(blob);
    return rc;
}

static fedn_status live(void *arg)
{
    life *of = arg;
    fedn_aggregator *aggregator = NULL;
    fedn_model *model = NULL;
    fedn_status rc = fedn_aggregator_new("fedavg", NULL, &aggregator, NULL);

    if (rc == FEDN_OK)
        rc = add_once(of, aggregator);
    if (rc == FEDN_OK)
        rc = add_once(of, aggregator);
    if (rc == FEDN_OK)
        rc = fedn__aggregator_save_file(aggregator, of->partial, NULL);
    if (rc == FEDN_OK)
        rc = fedn__aggregator_finish_file(aggregator, "npz", of->result, NULL);
    if (rc == FEDN_OK) {
        rc = fedn_model_load(of->result, NULL, &model, NULL);
        if (rc == FEDN_OK)
            test_assert_same_model(model, of->model);
    }
    if (aggregator) { /* whatever happened, the next round is clean */
        fedn__aggregator_reset(aggregator);
        if (rc == FEDN_OK)
            rc = fedn_aggregator_add(aggregator, of->model, 1, NULL);
    }
    fedn_model_unref(model);
    fedn_aggregator_free(aggregator);
    return rc;
}

static void a_failed_allocation_leaves_the_aggregate_sound_or_says_so(void **state)
{
    const uint64_t shape[] = {5, 4};
    life of = {path_of("columns"), path_of("partial"), path_of("result"), NULL, 0};
    float x[20];
    fedn_model *model = NULL;
    fedn_error err;
    (void)state;

    for (uint32_t i = 0; i < 20; i++)
        x[i] = (float)i;
    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "0", FEDN_DTYPE_F32, 2, shape, x, NULL, &err), &err);
    x[3] = -1;
    assert_ok(fedn_model_add(model, "1", FEDN_DTYPE_F32, 2, shape, x, NULL, &err), &err);
    assert_ok(fedn_model_save(model, of.update, "npz", &err), &err);
    fedn_model_unref(model);
    turn_columns(of.update);
    assert_ok(fedn_model_load(of.update, NULL, &of.model, &err), &err);
    assert_true(((const float *)fedn_model_data(of.model, 0))[1] == 5);
    test_fail_each_allocation(live, &of);
    fedn_model_unref(of.model);
    fedn__fs_unlink(of.update, NULL);
    fedn__free((void *)(uintptr_t)of.update);
    fedn__free((void *)(uintptr_t)of.partial);
    fedn__free((void *)(uintptr_t)of.result);
    assert_true(of.spoilt > 0);
}

static int setup_group(void **state)
{
    test_register_median();
    return setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_every_format_give_what_models_give),
        cmocka_unit_test(a_registered_rule_aggregates_files_as_well),
        cmocka_unit_test(a_partial_file_restores_the_aggregate_to_the_last_bit),
        cmocka_unit_test(a_damaged_file_is_refused_and_changes_nothing),
        cmocka_unit_test(a_result_that_cannot_be_written_stays_in_the_aggregate),
        cmocka_unit_test(a_failed_allocation_leaves_the_aggregate_sound_or_says_so),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown);
}
