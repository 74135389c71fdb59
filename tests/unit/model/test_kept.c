/* SPDX-License-Identifier: Apache-2.0
 * Elements that a source keeps for who reads them twice. */
#include "samples.h"

#include "core/alloc.h"
#include "core/fs.h"
#include <unistd.h>

/* Tensor `index` from front to back in pieces; *ret_places counts those that `to` was not used for.
 */
static fedn_status view_all(fedn__source *source, uint32_t index, uint8_t *to,
                            const uint8_t *wanted, uint32_t *ret_places, fedn_error *err)
{
    const uint64_t bytes = fedn__source_info(source, index)->bytes;
    fedn_status rc = FEDN_OK;
    const void *at = NULL;

    *ret_places = 0;
    for (uint64_t done = 0; rc == FEDN_OK && done < bytes; done += 1000) {
        uint64_t piece = bytes - done < 1000 ? bytes - done : 1000;
        rc = fedn__source_view(source, index, done, to, piece, &at, err);
        if (rc == FEDN_OK && wanted)
            assert_memory_equal(at, wanted + done, piece);
        *ret_places += at != to;
    }
    return rc;
}

/* Three tensors of 4,000 bytes of noise. */
static fedn_model *noise_model(void)
{
    static const uint64_t shape[2] = {50, 20};
    fedn_model *model = NULL;
    uint32_t *data = NULL;
    fedn_error err;

    assert_ok(fedn_model_new(&model, &err), &err);
    for (uint32_t i = 0; i < 3; i++) {
        assert_ok(fedn_model_add(model, NULL, FEDN_DTYPE_U32, 2, shape, NULL, (void **)&data, &err),
                  &err);
        for (uint32_t k = 0; k < 1000; k++)
            data[k] = (k + i) * 2654435761u;
    }
    return model;
}

/* The file is gone the second time: two tensors are there all the same, for the third there was no
 * room. */
static void what_was_kept_is_not_inflated_again(void **state)
{
    fedn_model *model = noise_model();
    uint64_t bytes = 0;
    uint8_t *data = sample_encoded(model, "npz-deflate", &bytes);
    char *path = fedn__fs_join(*state, "kept");
    fedn__blob *blob = NULL;
    fedn__source *source = NULL;
    uint32_t places = 0;
    fedn_error err;
    uint8_t to[1000];

    test_write_file(path, data, bytes);
    assert_ok(fedn__blob_from_file(path, &blob, &err), &err);
    assert_ok(fedn__source_open(blob, NULL, &source, &err), &err);
    fedn__source_keep(source, 13000);
    for (uint32_t i = 0; i < 3; i++) {
        assert_ok(view_all(source, i, to, fedn_model_data(model, i), &places, &err), &err);
        assert_int_equal(places, i < 2 ? 4 : 0);
    }
    assert_int_equal(truncate(path, 0), 0);
    for (uint32_t i = 0; i < 2; i++)
        assert_ok(view_all(source, i, to, fedn_model_data(model, i), &places, &err), &err);
    assert_ok(fedn__source_read(source, 1, 500, to, 1000, &err), &err);
    assert_memory_equal(to, (const uint8_t *)fedn_model_data(model, 1) + 500, 1000);
    assert_fails(view_all(source, 2, to, NULL, &places, &err), FEDN_ERR_IO, &err, "shorter");
    fedn__source_free(source);
    fedn__blob_unref(blob);
    fedn__free(path);
    fedn_free(data);
    fedn_model_unref(model);
}

static void damage_is_found_each_time(void **state)
{
    fedn_model *model = noise_model();
    uint64_t bytes = 0;
    uint8_t *data = sample_encoded(model, "npz-deflate", &bytes);
    fedn__source *source = NULL;
    uint32_t places = 0;
    fedn_error err;
    uint8_t to[1000];

    data[bytes / 6] ^= 1; /* in the middle of the first */
    fedn__blob *blob = sample_file(*state, data, bytes);
    assert_ok(fedn__source_open(blob, NULL, &source, &err), &err);
    fedn__source_keep(source, 13000);
    for (int again = 0; again < 2; again++) {
        assert_fails(view_all(source, 0, to, NULL, &places, &err), FEDN_ERR_FORMAT, &err,
                     "\"0\" damaged");
        assert_fails(fedn__source_read(source, 0, 3999, to, 1, &err), FEDN_ERR_FORMAT, &err,
                     "\"0\" damaged");
        assert_ok(view_all(source, 1, to, fedn_model_data(model, 1), &places, &err), &err);
    }
    fedn__source_free(source);
    fedn__blob_unref(blob);
    fedn_free(data);
    fedn_model_unref(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_kept_is_not_inflated_again),
        cmocka_unit_test(damage_is_found_each_time),
    };
    return cmocka_run_group_tests(tests, test_scratch_setup, test_scratch_teardown);
}
