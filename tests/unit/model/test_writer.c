/* SPDX-License-Identifier: Apache-2.0
 * Encoding piece by piece into files and buffers. */
#include "samples.h"

#include "core/fs.h"
#include "core/limits.h"
#include "model/writer.h"
#include <stdlib.h>
#include <unistd.h>

static const char *const formats[] = {"npz", "npz-deflate", "safetensors"};

static fedn__tensor_info *infos_of(fedn__source *source)
{
    fedn__tensor_info *infos = calloc(fedn__source_count(source) + 1, sizeof *infos);
    for (uint32_t i = 0; i < fedn__source_count(source); i++)
        infos[i] = *fedn__source_info(source, i);
    return infos;
}

/* All elements in one run, as a caller may hand them over. */
static uint8_t *flat_of(fedn__source *source)
{
    fedn_error err;
    uint8_t *flat = malloc(fedn__source_bytes(source));
    uint64_t at = 0;

    for (uint32_t i = 0; i < fedn__source_count(source); i++) {
        uint64_t bytes = fedn__source_info(source, i)->bytes;
        assert_ok(fedn__source_read(source, i, 0, flat + at, bytes, &err), &err);
        at += bytes;
    }
    return flat;
}

static void pieces_of_any_size_give_the_same_file(void **state)
{
    (void)state;
    fedn_model *model = sample_model();
    fedn__source *source = NULL;
    fedn_error err;

    assert_ok(fedn__source_from_model(model, &source, &err), &err);
    fedn__tensor_info *infos = infos_of(source);
    uint8_t *flat = flat_of(source);
    uint64_t total = fedn__source_bytes(source);
    for (size_t f = 0; f < 3; f++) {
        uint64_t bytes = 0;
        uint8_t *wanted = sample_encoded(model, formats[f], &bytes);
        for (uint64_t piece = 1; piece < total * 2; piece = piece * 3 + 1) {
            fedn__buffer buffer;
            fedn__sink sink = {-1, &buffer};
            fedn__writer *writer = NULL;
            fedn__buffer_init(&buffer, FEDN__MIB);
            assert_int_equal(fedn__buffer_add(&buffer, "before", 6), FEDN_OK);
            assert_ok(fedn__writer_new(formats[f], &sink, infos, fedn__source_count(source),
                                       &writer, &err),
                      &err);
            for (uint64_t at = 0; at < total; at += piece)
                assert_ok(fedn__writer_write(writer, flat + at,
                                             total - at < piece ? total - at : piece, &err),
                          &err);
            assert_ok(fedn__writer_finish(writer, &err), &err);
            fedn__writer_free(writer);
            if (strcmp(formats[f], "npz-deflate") !=
                0) { /* that one's blocks depend on the pieces */
                assert_int_equal(buffer.len, 6 + bytes);
                assert_memory_equal(buffer.data + 6, wanted, bytes);
            }
            fedn_model *back = NULL;
            assert_ok(fedn_model_decode(buffer.data + 6, buffer.len - 6, NULL, &back, &err), &err);
            assert_same_model(model, back);
            fedn_model_unref(back);
            fedn__buffer_done(&buffer);
        }
        fedn_free(wanted);
    }
    free(flat);
    free(infos);
    fedn__source_free(source);
    fedn_model_unref(model);
}

static void too_many_and_too_few_elements_are_refused(void **state)
{
    (void)state;
    fedn_model *model = sample_small();
    fedn__source *source = NULL;
    fedn_error err;
    uint8_t data[64] = {0};

    assert_ok(fedn__source_from_model(model, &source, &err), &err);
    fedn__tensor_info *infos = infos_of(source);
    for (size_t f = 0; f < 3; f++) {
        fedn__buffer buffer;
        fedn__sink sink = {-1, &buffer};
        fedn__writer *writer = NULL;
        fedn__buffer_init(&buffer, FEDN__MIB);
        assert_ok(fedn__writer_new(formats[f], &sink, infos, 2, &writer, &err), &err);
        assert_fails(fedn__writer_finish(writer, &err), FEDN_ERR_STATE, &err, "\"w\" 24");
        assert_ok(fedn__writer_write(writer, data, 25, &err), &err);
        assert_fails(fedn__writer_finish(writer, &err), FEDN_ERR_STATE, &err, "\"n\" 7 8");
        assert_ok(fedn__writer_write(writer, data, 7, &err), &err);
        assert_fails(fedn__writer_write(writer, data, 3, &err), FEDN_ERR_STATE, &err, "3 2");
        assert_ok(fedn__writer_finish(writer, &err), &err);
        assert_fails(fedn__writer_finish(writer, &err), FEDN_ERR_STATE, &err, "already");
        fedn__writer_free(writer);
        fedn__buffer_done(&buffer);
    }
    free(infos);
    fedn__source_free(source);
    fedn_model_unref(model);
}

static void layouts_that_are_no_model_are_refused(void **state)
{
    (void)state;
    fedn_error err;
    fedn__buffer buffer;
    fedn__sink sink = {-1, &buffer};
    fedn__writer *writer = NULL;
    fedn__tensor_info infos[2] = {{.name = "a", .dtype = FEDN_DTYPE_I8},
                                  {.name = "a", .dtype = FEDN_DTYPE_I8}};

    fedn__buffer_init(&buffer, FEDN__MIB);
    assert_fails(fedn__writer_new("npz", &sink, infos, 2, &writer, &err), FEDN_ERR_EXISTS, &err,
                 "\"a\" twice");
    infos[1].name = "/b";
    assert_fails(fedn__writer_new("npz", &sink, infos, 2, &writer, &err), FEDN_ERR_INVALID, &err,
                 "/b");
    assert_fails(fedn__writer_new("zip", &sink, infos, 1, &writer, &err), FEDN_ERR_UNSUPPORTED,
                 &err, "zip");
    assert_null(writer);
    fedn__buffer_done(&buffer);
}

static void a_sink_that_is_full_stops_the_writer(void **state)
{
    (void)state;
    fedn_model *model = sample_model();
    fedn__source *source = NULL;
    fedn_error err;

    assert_ok(fedn__source_from_model(model, &source, &err), &err);
    for (size_t f = 0; f < 3; f++) {
        uint64_t bytes = 0;
        fedn_free(sample_encoded(model, formats[f], &bytes));
        for (uint64_t limit = 0; limit < bytes; limit += 61) {
            fedn__buffer buffer;
            fedn__sink sink = {-1, &buffer};
            fedn__buffer_init(&buffer, limit);
            assert_int_equal(fedn__writer_copy(source, formats[f], &sink, &err), FEDN_ERR_LIMIT);
            assert_non_null(strstr(err.message, "over"));
            fedn__buffer_done(&buffer);
        }
    }
    fedn__source_free(source);
    fedn_model_unref(model);
}

static void a_file_that_cannot_be_written_is_told(void **state)
{
    (void)state;
    fedn_model *model = sample_small();
    fedn__source *source = NULL;
    fedn_error err;
    int ends[2];

    assert_ok(fedn__source_from_model(model, &source, &err), &err);
    assert_int_equal(pipe(ends), 0); /* cannot be written at an offset */
    fedn__sink sink = {ends[1], NULL};
    for (size_t f = 0; f < 3; f++)
        assert_fails(fedn__writer_copy(source, formats[f], &sink, &err), FEDN_ERR_IO, &err,
                     "write");
    close(ends[0]);
    close(ends[1]);
    fedn__source_free(source);
    fedn_model_unref(model);
}

/* Members larger than what is gathered, so that headers are patched in the file and in memory. */
static void files_and_buffers_get_the_same_bytes(void **state)
{
    const char *dir = *state;
    const uint64_t sizes[] = {1, 70000, 60000, 65536, 3, 200000};
    fedn_model *model = NULL;
    fedn__source *source = NULL;
    fedn_error err;

    assert_ok(fedn_model_new(&model, &err), &err);
    for (size_t i = 0; i < 6; i++) {
        void *data = NULL;
        assert_ok(fedn_model_add(model, NULL, FEDN_DTYPE_U8, 1, &sizes[i], NULL, &data, &err),
                  &err);
        for (uint64_t n = 0; n < sizes[i]; n++)
            ((uint8_t *)data)[n] = (uint8_t)(n * n >> 5);
    }
    assert_ok(fedn__source_from_model(model, &source, &err), &err);
    for (size_t f = 0; f < 3; f++) {
        uint64_t bytes = 0;
        uint64_t file_bytes = 0;
        char *path = fedn__fs_join(dir, "model");
        fedn__sink sink = {-1, NULL};
        uint8_t *wanted = sample_encoded(model, formats[f], &bytes);
        assert_ok(fedn__fs_create(path, &sink.fd, &err), &err);
        assert_ok(fedn__writer_copy(source, formats[f], &sink, &err), &err);
        assert_ok(fedn__fs_commit(sink.fd, path, 0, &err), &err);
        char *got = test_read_file(path, &file_bytes);
        assert_int_equal(file_bytes, bytes);
        assert_memory_equal(got, wanted, bytes);
        free(got);
        fedn__free(path);
        fedn_free(wanted);
    }
    fedn__source_free(source);
    fedn_model_unref(model);
}

static fedn_status copy_to_file(void *arg)
{
    void **args = arg;
    fedn__source *source = NULL;
    char path[512];
    fedn__sink sink = {-1, NULL};

    snprintf(path, sizeof path, "%s/oom", (const char *)args[0]);
    FILE *file = fopen(path, "wb");
    sink.fd = fileno(file);
    fedn_status rc = fedn__source_from_model(args[1], &source, NULL);
    if (rc == FEDN_OK)
        rc = fedn__writer_copy(source, args[2], &sink, NULL);
    fedn__source_free(source);
    fclose(file);
    return rc;
}

static void each_failed_allocation_is_survived(void **state)
{
    fedn_model *model = sample_small();

    for (size_t f = 0; f < 3; f++)
        test_fail_each_allocation(copy_to_file,
                                  (void *[]){*state, model, (void *)(uintptr_t)formats[f]});
    fedn_model_unref(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_size_give_the_same_file),
        cmocka_unit_test(too_many_and_too_few_elements_are_refused),
        cmocka_unit_test(layouts_that_are_no_model_are_refused),
        cmocka_unit_test(a_sink_that_is_full_stops_the_writer),
        cmocka_unit_test(a_file_that_cannot_be_written_is_told),
        cmocka_unit_test(files_and_buffers_get_the_same_bytes),
        cmocka_unit_test(each_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, test_scratch_setup, test_scratch_teardown);
}
