/* SPDX-License-Identifier: Apache-2.0
 * Reading a file in place through a moving window, and what cannot be read so. */
#include "test.h"

#include "core/fs.h"
#include "core/limits.h"
#include "model/mapping.h"
#include "model/source.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_BYTES (FEDN__LIMIT_MAP_WINDOW + 3 * FEDN__MIB + 17)

typedef struct fixture {
    char *scratch;
    char *path;
    uint8_t *data;
    int fd;
} fixture;

static int setup(void **state)
{
    static fixture of;

    of.scratch = test_scratch();
    of.path = fedn__fs_join(of.scratch, "file");
    of.data = malloc(FILE_BYTES);
    for (uint64_t i = 0; i < FILE_BYTES; i++)
        of.data[i] = (uint8_t)(i * 2654435761u >> 13);
    test_write_file(of.path, of.data, FILE_BYTES);
    of.fd = open(of.path, O_RDWR | O_CLOEXEC);
    *state = &of;
    return of.fd < 0;
}

static int teardown(void **state)
{
    fixture *of = *state;

    close(of->fd);
    free(of->data);
    fedn__free(of->path);
    test_scratch_done(of->scratch);
    return 0;
}

static void bytes_in_place_are_those_of_the_file(void **state)
{
    static const uint64_t offsets[] = {
        0, 1, 4095, 70000, FEDN__LIMIT_MAP_WINDOW - 5000, FEDN__LIMIT_MAP_WINDOW + 100, 3};
    const fixture *of = *state;
    fedn__mapping mapping = {0};

    for (uint32_t i = 0; i < 7; i++) {
        const uint8_t *at = fedn__mapping_at(&mapping, of->fd, FILE_BYTES, offsets[i], 10000);
        if (at) /* the system may have let go of the file */
            assert_memory_equal(at, of->data + offsets[i], 10000);
    }
    const uint8_t *end = fedn__mapping_at(&mapping, of->fd, FILE_BYTES, FILE_BYTES - 17, 17);
    if (end)
        assert_memory_equal(end, of->data + FILE_BYTES - 17, 17);
    fedn__mapping_done(&mapping);
    fedn__mapping_done(&mapping);
}

static void what_is_outside_of_the_file_is_not_mapped(void **state)
{
    const fixture *of = *state;
    fedn__mapping mapping = {0};

    assert_null(fedn__mapping_at(&mapping, -1, FILE_BYTES, 0, 10));
    assert_null(fedn__mapping_at(&mapping, of->fd, FILE_BYTES, FILE_BYTES, 1));
    assert_null(fedn__mapping_at(&mapping, of->fd, FILE_BYTES, FILE_BYTES + 1, 0));
    assert_null(fedn__mapping_at(&mapping, of->fd, FILE_BYTES, 1, UINT64_MAX));
    assert_null(fedn__mapping_at(&mapping, of->fd, FILE_BYTES, 0, FEDN__LIMIT_MAP_WINDOW + 1));
    assert_null(mapping.address);
}

/* A touch of pages behind the end would be a signal. */
static void a_file_that_became_shorter_is_not_mapped(void **state)
{
    const fixture *of = *state;
    fedn__mapping mapping = {0};

    assert_int_equal(ftruncate(of->fd, 4096), 0);
    assert_null(fedn__mapping_at(&mapping, of->fd, FILE_BYTES, 8192, 100));
    assert_null(fedn__mapping_at(&mapping, of->fd, FILE_BYTES, 100000, 100));
    fedn__mapping_done(&mapping);
}

/* In pieces that are not those of any buffer. */
static void assert_views(fedn__source *source, uint32_t tensor, const uint8_t *expected)
{
    uint64_t left = fedn__source_info(source, tensor)->bytes;
    uint64_t done = 0;
    uint8_t piece[5000];
    const void *at = NULL;
    fedn_error err;

    while (left > 0) {
        uint64_t bytes = left < sizeof piece ? left : sizeof piece;
        assert_ok(fedn__source_view(source, tensor, done, piece, bytes, &at, &err), &err);
        assert_memory_equal(at, expected + done, bytes);
        done += bytes;
        left -= bytes;
    }
    assert_fails(fedn__source_view(source, tensor, done, piece, 1, &at, &err), FEDN_ERR_INVALID,
                 &err, "beyond");
}

/* Tensors at places that are not aligned, each twice. */
static void a_view_gives_what_a_read_gives(void **state)
{
    static const char *const formats[] = {"npz", "npz-deflate", "safetensors"};
    const fixture *of = *state;
    const uint64_t n = 100003;
    fedn_model *model = NULL;
    fedn_error err;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "a", FEDN_DTYPE_U8, 1, &n, of->data, NULL, &err), &err);
    assert_ok(fedn_model_add(model, "b", FEDN_DTYPE_F32, 1, &n, of->data + 5, NULL, &err), &err);
    for (uint32_t f = 0; f < 3; f++) {
        fedn__blob *blob = NULL;
        fedn__source *source = NULL;
        assert_ok(fedn_model_save(model, of->path, formats[f], &err), &err);
        assert_ok(fedn__blob_from_file(of->path, &blob, &err), &err);
        assert_ok(fedn__source_open(blob, NULL, &source, &err), &err);
        for (uint32_t tensor = 0; tensor < 4; tensor++)
            assert_views(source, tensor % 2, fedn_model_data(model, tensor % 2));
        fedn__source_free(source);
        fedn__blob_unref(blob);
    }
    fedn_model_unref(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_in_place_are_those_of_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_outside_of_the_file_is_not_mapped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_became_shorter_is_not_mapped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_view_gives_what_a_read_gives, setup, teardown),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
