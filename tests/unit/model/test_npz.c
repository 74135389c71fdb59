/* SPDX-License-Identifier: Apache-2.0
 * .npz both ways; files that are cut or changed anywhere. Files that lie are in test_npz_lies.c. */
#include "samples.h"

#include <stdlib.h>

static const char *const formats[] = {"npz", "npz-deflate"};

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    fedn_model *model = sample_model();
    fedn_error err;

    for (size_t f = 0; f < 2; f++) {
        uint64_t bytes = 0;
        fedn_model *back = NULL;
        uint8_t *data = sample_encoded(model, formats[f], &bytes);
        assert_ok(fedn_model_decode(data, bytes, NULL, &back, &err), &err);
        assert_same_model(model, back);
        fedn_model_unref(back);
        fedn_free(data);
    }
    fedn_model_unref(model);
}

static void the_same_model_gives_the_same_bytes(void **state)
{
    (void)state;
    fedn_model *model = sample_model();
    uint64_t bytes[2];
    uint8_t *one = sample_encoded(model, "npz", &bytes[0]);
    uint8_t *two = sample_encoded(model, "numpyhelper", &bytes[1]);

    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(one, two, bytes[0]);
    fedn_free(one);
    fedn_free(two);
    fedn_model_unref(model);
}

static void stored_elements_are_aligned_for_mapping(void **state)
{
    (void)state;
    fedn_model *model = sample_model();
    uint64_t bytes = 0;
    uint8_t *data = sample_encoded(model, "npz", &bytes);

    for (uint32_t i = 0; i < fedn_model_count(model); i++) {
        uint64_t magic = sample_find(data, bytes, "\x93NUMPY", 6, i);
        assert_int_equal(magic % 64, 0);
        uint64_t header = 10 + (data[magic + 8] | (uint64_t)data[magic + 9] << 8);
        assert_int_equal(header % 64, 0);
        assert_memory_equal(data + magic + header, fedn_model_data(model, i),
                            fedn_model_bytes(model, i));
    }
    fedn_free(data);
    fedn_model_unref(model);
}

/* The file is decoded up to this byte; everything read later lies in the directory. */
static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    fedn_model *model = sample_small();
    fedn_error err;

    for (size_t f = 0; f < 2; f++) {
        uint64_t bytes = 0;
        fedn_model *back = NULL;
        uint8_t *data = sample_encoded(model, formats[f], &bytes);
        for (uint64_t cut = 0; cut < bytes; cut++) {
            /* a copy of exactly that length, so that reading beyond it is seen */
            uint8_t *piece = malloc(cut ? cut : 1);
            memcpy(piece, data, cut);
            assert_fails(fedn_model_decode(piece, cut, "npz", &back, &err), FEDN_ERR_FORMAT, &err,
                         "npz");
            assert_null(back);
            free(piece);
        }
        fedn_free(data);
    }
    fedn_model_unref(model);
}

/* Every byte of the elements is under the CRC-32, every other one is checked or ignored: a flipped
 * bit gives an error or the same model. */
static void a_flipped_bit_never_changes_the_model(void **state)
{
    (void)state;
    fedn_model *model = sample_small();
    fedn_error err;

    for (size_t f = 0; f < 2; f++) {
        uint64_t bytes = 0;
        uint8_t *data = sample_encoded(model, formats[f], &bytes);
        for (uint64_t bit = 0; bit < bytes * 8; bit++) {
            fedn_model *back = NULL;
            data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (fedn_model_decode(data, bytes, "npz", &back, &err) == FEDN_OK) {
                assert_int_equal(fedn_model_count(back), 2);
                for (uint32_t i = 0; i < 2; i++)
                    assert_memory_equal(fedn_model_data(model, i), fedn_model_data(back, i),
                                        fedn_model_bytes(model, i));
            } else {
                test_assert_words(err.message, ""); /* one line */
                assert_true(err.message[0]);
            }
            fedn_model_unref(back);
            data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        fedn_free(data);
    }
    fedn_model_unref(model);
}

typedef struct bytes {
    const void *data;
    uint64_t count;
    const char *format;
} bytes;

static fedn_status decode(void *arg)
{
    const bytes *encoded = arg;
    fedn_model *model = NULL;

    fedn_status rc = fedn_model_decode(encoded->data, encoded->count, NULL, &model, NULL);
    assert_true((rc == FEDN_OK) == (model != NULL));
    fedn_model_unref(model);
    return rc;
}

static fedn_status encode(void *arg)
{
    const bytes *request = arg;
    void *data = NULL;
    uint64_t count = 0;
    fedn_model *model = NULL;

    fedn_status rc = fedn_model_new(&model, NULL);
    if (rc == FEDN_OK)
        rc = fedn_model_add(model, NULL, FEDN_DTYPE_F32, 0, NULL, NULL, NULL, NULL);
    if (rc == FEDN_OK)
        rc = fedn_model_encode(model, request->format, &data, &count, NULL);
    assert_true((rc == FEDN_OK) == (data != NULL));
    fedn_free(data);
    fedn_model_unref(model);
    return rc;
}

static void each_failed_allocation_is_survived(void **state)
{
    (void)state;
    fedn_model *model = sample_small();

    for (size_t f = 0; f < 2; f++) {
        bytes encoded = {.format = formats[f]};
        uint8_t *data = sample_encoded(model, formats[f], &encoded.count);
        encoded.data = data;
        test_fail_each_allocation(decode, &encoded);
        test_fail_each_allocation(encode, &encoded);
        fedn_free(data);
    }
    fedn_model_unref(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(the_same_model_gives_the_same_bytes),
        cmocka_unit_test(stored_elements_are_aligned_for_mapping),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(a_flipped_bit_never_changes_the_model),
        cmocka_unit_test(each_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
