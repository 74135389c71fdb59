/* SPDX-License-Identifier: Apache-2.0
 * Reading tensors piece by piece: any piece, in any order, from any format, with damage found. */
#include "samples.h"

#include "model/writer.h"
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Pieces of every size and order give the same bytes as the model. */
static void assert_reads(fedn__source *source, const fedn_model *model)
{
    fedn_error err;
    uint8_t got[512];

    assert_int_equal(fedn__source_count(source), fedn_model_count(model));
    for (uint32_t pass = 1; pass < 40; pass += 6) {
        for (uint32_t n = 0; n < fedn_model_count(model); n++) {
            uint32_t i = pass % 4 == 1 ? n : fedn_model_count(model) - 1 - n;
            const fedn__tensor_info *info = fedn__source_info(source, i);
            const uint8_t *wanted = fedn_model_data(model, i);
            assert_string_equal(info->name, fedn_model_name(model, i));
            assert_int_equal(info->bytes, fedn_model_bytes(model, i));
            for (uint64_t at = 0; at < info->bytes; at += pass) {
                uint64_t left = info->bytes - at;
                uint64_t bytes = left < pass ? left : pass;
                assert_ok(fedn__source_read(source, i, at, got, bytes, &err), &err);
                assert_memory_equal(got, wanted + at, bytes);
            }
            for (uint64_t at = info->bytes; at-- > 0;) { /* backwards */
                assert_ok(fedn__source_read(source, i, at, got, 1, &err), &err);
                assert_int_equal(got[0], wanted[at]);
            }
        }
    }
}

static void any_piece_of_any_format_is_read(void **state)
{
    static const char *const formats[] = {"npz", "npz-deflate", "safetensors"};
    fedn_model *model = sample_model();
    fedn_error err;
    fedn__source *source = NULL;

    for (size_t f = 0; f < 3; f++) {
        uint64_t bytes = 0;
        uint8_t *data = sample_encoded(model, formats[f], &bytes);
        fedn__blob *blob = sample_file(*state, data, bytes);
        assert_ok(fedn__source_open(blob, NULL, &source, &err), &err);
        fedn__blob_unref(blob); /* the source has its own reference */
        assert_reads(source, model);
        fedn__source_free(source);
        fedn_free(data);
    }
    assert_ok(fedn__source_from_model(model, &source, &err), &err);
    assert_reads(source, model);
    fedn__source_free(source);
    fedn_model_unref(model);
}

static void pieces_outside_of_a_tensor_are_refused(void **state)
{
    (void)state;
    fedn_model *model = sample_small();
    fedn__source *source = NULL;
    fedn_error err;
    uint8_t to[32];

    assert_ok(fedn__source_from_model(model, &source, &err), &err);
    assert_ok(fedn__source_read(source, 0, 24, to, 0, &err), &err);
    assert_fails(fedn__source_read(source, 0, 24, to, 1, &err), FEDN_ERR_INVALID, &err, "\"w\" 24");
    assert_fails(fedn__source_read(source, 0, 0, to, 25, &err), FEDN_ERR_INVALID, &err, "\"w\" 25");
    assert_fails(fedn__source_read(source, 0, UINT64_MAX, to, 2, &err), FEDN_ERR_INVALID, &err,
                 "\"w\"");
    assert_int_equal(fedn__source_bytes(source), 32);
    fedn__source_free(source);
    fedn_model_unref(model);
}

/* A model in memory is looked at where it is, a file through the caller's buffer. */
static void a_view_copies_only_what_is_not_in_memory(void **state)
{
    fedn_model *model = sample_small();
    const uint8_t *wanted = fedn_model_data(model, 0);
    uint64_t bytes = 0;
    uint8_t *data = sample_encoded(model, "npz", &bytes);
    fedn__blob *blob = sample_file(*state, data, bytes);
    fedn__source *sources[2] = {NULL, NULL};
    fedn_error err;
    uint8_t to[32];
    const void *at = NULL;

    assert_ok(fedn__source_from_model(model, &sources[0], &err), &err);
    assert_ok(fedn__source_open(blob, NULL, &sources[1], &err), &err);
    for (uint32_t i = 0; i < 2; i++) {
        assert_ok(fedn__source_view(sources[i], 0, 3, to, 20, &at, &err), &err);
        assert_ptr_equal(at, i == 0 ? wanted + 3 : to);
        assert_memory_equal(at, wanted + 3, 20);
        assert_fails(fedn__source_view(sources[i], 0, 20, to, 5, &at, &err), FEDN_ERR_INVALID, &err,
                     "\"w\": 5 bytes at offset 20 are beyond its 24");
        fedn__source_free(sources[i]);
    }
    fedn__blob_unref(blob);
    fedn_free(data);
    fedn_model_unref(model);
}

/* The damage is in the elements: the index opens, and the tensor is refused when it is read to its
 * end, each time, however it is read; the other one is whole. */
static void damage_is_found_when_a_tensor_was_read(void **state)
{
    static const char *const formats[] = {"npz", "npz-deflate"};
    static const uint64_t shape = 1 << 20;
    fedn_model *model = NULL;
    fedn_error err;
    uint8_t *noise = NULL;
    uint8_t *to = malloc(shape);

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "a", FEDN_DTYPE_U8, 1, &shape, NULL, (void **)&noise, &err),
              &err);
    for (uint64_t i = 0; i < shape; i++)
        noise[i] = (uint8_t)(i * i >> 7);
    assert_ok(fedn_model_add(model, "b", FEDN_DTYPE_U8, 1, &shape, noise, NULL, &err), &err);
    for (size_t f = 0; f < 2; f++) {
        uint64_t bytes = 0;
        uint8_t *data = sample_encoded(model, formats[f], &bytes);
        fedn__source *source = NULL;
        data[bytes / 4] ^= 1; /* in the middle of "a" */
        fedn__blob *blob = sample_file(*state, data, bytes);
        assert_ok(fedn__source_open(blob, "npz", &source, &err), &err);
        for (int again = 0; again < 2; again++) {
            assert_fails(fedn__source_read(source, 0, 0, to, shape, &err), FEDN_ERR_FORMAT, &err,
                         "\"a\" damaged");
            assert_fails(fedn__source_read(source, 0, shape - 1, to, 1, &err), FEDN_ERR_FORMAT,
                         &err, "\"a\" damaged");
            assert_ok(fedn__source_read(source, 1, 0, to, shape, &err), &err);
            assert_memory_equal(to, noise, shape);
        }
        fedn__source_free(source);
        fedn__blob_unref(blob);
        fedn_free(data);
    }
    free(to);
    fedn_model_unref(model);
}

static void layouts_that_differ_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        fedn_dtype dtype;
        uint32_t rank;
        uint64_t shape[2];
        uint32_t more;     /* further tensors */
        const char *words; /* NULL: the same */
    } rows[] = {
        {"w", FEDN_DTYPE_F32, 2, {2, 3}, 0, NULL},
        {"v", FEDN_DTYPE_F32, 2, {2, 3}, 0, "tensor_0 \"v\" update \"w\" global_model"},
        {"w", FEDN_DTYPE_F64, 2, {2, 3}, 0, "\"w\" float64_(2,_3) float32_(2,_3)"},
        {"w", FEDN_DTYPE_F32, 2, {3, 2}, 0, "\"w\" float32_(3,_2) float32_(2,_3)"},
        {"w", FEDN_DTYPE_F32, 1, {6, 0}, 0, "\"w\" float32_(6,) float32_(2,_3)"},
        {"w", FEDN_DTYPE_F32, 2, {2, 3}, 1, "update 2 global_model 1"},
    };
    const uint64_t shape[2] = {2, 3};
    fedn_error err;
    fedn_model *expected = NULL;
    fedn__source *global = NULL;

    assert_ok(fedn_model_new(&expected, &err), &err);
    assert_ok(fedn_model_add(expected, "w", FEDN_DTYPE_F32, 2, shape, NULL, NULL, &err), &err);
    assert_ok(fedn__source_from_model(expected, &global, &err), &err);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fedn_model *model = NULL;
        fedn__source *update = NULL;
        assert_ok(fedn_model_new(&model, &err), &err);
        assert_ok(fedn_model_add(model, rows[i].name, rows[i].dtype, rows[i].rank, rows[i].shape,
                                 NULL, NULL, &err),
                  &err);
        for (uint32_t n = 0; n < rows[i].more; n++)
            assert_ok(fedn_model_add(model, NULL, FEDN_DTYPE_I8, 0, NULL, NULL, NULL, &err), &err);
        assert_ok(fedn__source_from_model(model, &update, &err), &err);
        fedn_status rc = fedn__source_same_layout(update, "update", global, "global model", &err);
        assert_int_equal(rc, rows[i].words ? FEDN_ERR_FORMAT : FEDN_OK);
        if (rows[i].words)
            test_assert_words(err.message, rows[i].words);
        fedn__source_free(update);
        fedn_model_unref(model);
    }
    fedn__source_free(global);
    fedn_model_unref(expected);
}

/* 96 MiB are read and written; the process grows by far less. */
static void a_large_file_is_read_without_growing(void **state)
{
    static const uint64_t shape[2] = {2048, 4096}; /* 32 MiB */
    fedn__tensor_info infos[3];
    static const char *const names[3] = {"0", "1", "2"};
    fedn_error err;
    fedn__writer *writer = NULL;
    fedn__source *source = NULL;
    fedn__blob *blob = NULL;
    struct rusage before;
    struct rusage after;
    char path[512];
    uint8_t *piece = calloc(1, 1 << 20);

    for (uint32_t i = 0; i < 3; i++)
        infos[i] = (fedn__tensor_info){
            .name = names[i], .shape = shape, .dtype = FEDN_DTYPE_F32, .rank = 2};
    snprintf(path, sizeof path, "%s/large", (const char *)*state);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fedn__sink sink = {fileno(file), NULL};
    getrusage(RUSAGE_SELF, &before);
    assert_ok(fedn__writer_new("npz", &sink, infos, 3, &writer, &err), &err);
    for (uint32_t i = 0; i < 96; i++) {
        memset(piece, (int)i, 1 << 20);
        assert_ok(fedn__writer_write(writer, piece, 1 << 20, &err), &err);
    }
    assert_ok(fedn__writer_finish(writer, &err), &err);
    fedn__writer_free(writer);
    fclose(file);
    assert_ok(fedn__blob_from_file(path, &blob, &err), &err);
    assert_ok(fedn__source_open(blob, NULL, &source, &err), &err);
    for (uint32_t i = 0; i < 96; i++) {
        assert_ok(fedn__source_read(source, i / 32, (uint64_t)(i % 32) << 20, piece, 1 << 20, &err),
                  &err);
        assert_int_equal(piece[0], i);
        assert_int_equal(piece[(1 << 20) - 1], i);
    }
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 16 << 10); /* KiB */
    fedn__source_free(source);
    fedn__blob_unref(blob);
    unlink(path);
    free(piece);
}

static fedn_status open_and_load(void *arg)
{
    fedn__source *source = NULL;
    fedn_model *model = NULL;

    fedn_status rc = fedn__source_open(arg, NULL, &source, NULL);
    if (rc == FEDN_OK)
        rc = fedn__source_load(source, 0, &model, NULL);
    fedn_model_unref(model);
    fedn__source_free(source);
    return rc;
}

static void each_failed_allocation_is_survived(void **state)
{
    static const char *const formats[] = {"npz", "npz-deflate", "safetensors"};
    fedn_model *model = sample_small();

    for (size_t f = 0; f < 3; f++) {
        uint64_t bytes = 0;
        uint8_t *data = sample_encoded(model, formats[f], &bytes);
        fedn__blob *blob = sample_file(*state, data, bytes);
        test_fail_each_allocation(open_and_load, blob);
        fedn__blob_unref(blob);
        fedn_free(data);
    }
    fedn_model_unref(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_piece_of_any_format_is_read),
        cmocka_unit_test(pieces_outside_of_a_tensor_are_refused),
        cmocka_unit_test(a_view_copies_only_what_is_not_in_memory),
        cmocka_unit_test(damage_is_found_when_a_tensor_was_read),
        cmocka_unit_test(layouts_that_differ_are_told_apart),
        cmocka_unit_test(a_large_file_is_read_without_growing),
        cmocka_unit_test(each_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, test_scratch_setup, test_scratch_teardown);
}
