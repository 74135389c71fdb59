/* SPDX-License-Identifier: Apache-2.0
 * Models and encoded bytes that several test programs start from. */
#include "samples.h"

#include "core/fs.h"
#include "model/dtype.h"
#include "model/zip.h"
#include <libdeflate.h>
#include <stdlib.h>

static void add_pattern(fedn_model *model, const char *name, fedn_dtype dtype, uint32_t rank,
                        const uint64_t *shape)
{
    fedn_error err;
    void *data = NULL;

    assert_ok(fedn_model_add(model, name, dtype, rank, shape, NULL, &data, &err), &err);
    uint64_t bytes = fedn_model_bytes(model, fedn_model_count(model) - 1);
    for (uint64_t i = 0; i < bytes; i++)
        ((uint8_t *)data)[i] = dtype == FEDN_DTYPE_BOOL ? i % 2 : (uint8_t)(i * 37 + dtype);
}

fedn_model *sample_model(void)
{
    static const uint64_t square[2] = {5, 3};
    static const uint64_t deep[5] = {2, 1, 3, 2, 4};
    static const uint64_t empty[3] = {3, 0, 2};
    fedn_error err;
    fedn_model *model = NULL;

    assert_ok(fedn_model_new(&model, &err), &err);
    for (fedn_dtype dtype = FEDN_DTYPE_F16; dtype <= FEDN_DTYPE_BOOL; dtype++)
        add_pattern(model, NULL, dtype, 2, square);
    add_pattern(model, NULL, FEDN_DTYPE_F64, 0, NULL);
    add_pattern(model, NULL, FEDN_DTYPE_F32, 3, empty);
    add_pattern(model, NULL, FEDN_DTYPE_F32, 5, deep);
    return model;
}

fedn_model *sample_small(void)
{
    static const uint64_t shape[2] = {2, 3};
    static const float w[6] = {1, 2, 3, 4, 5, 6};
    static const int64_t n = 7;
    fedn_error err;
    fedn_model *model = NULL;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "w", FEDN_DTYPE_F32, 2, shape, w, NULL, &err), &err);
    assert_ok(fedn_model_add(model, "n", FEDN_DTYPE_I64, 0, NULL, &n, NULL, &err), &err);
    return model;
}

void assert_same_model(const fedn_model *a, const fedn_model *b)
{
    assert_int_equal(fedn_model_count(a), fedn_model_count(b));
    for (uint32_t i = 0; i < fedn_model_count(a); i++) {
        uint32_t rank = fedn_model_rank(a, i);
        assert_string_equal(fedn_model_name(a, i), fedn_model_name(b, i));
        assert_int_equal(fedn_model_dtype(a, i), fedn_model_dtype(b, i));
        assert_int_equal(rank, fedn_model_rank(b, i));
        assert_memory_equal(fedn_model_shape(a, i), fedn_model_shape(b, i), (size_t)rank * 8);
        assert_memory_equal(fedn_model_data(a, i), fedn_model_data(b, i), fedn_model_bytes(a, i));
    }
}

uint8_t *sample_encoded(fedn_model *model, const char *format, uint64_t *ret_bytes)
{
    fedn_error err;
    void *data = NULL;

    assert_ok(fedn_model_encode(model, format, &data, ret_bytes, &err), &err);
    return data;
}

fedn__blob *sample_file(const char *dir, const void *data, uint64_t bytes)
{
    fedn_error err;
    fedn__blob *blob = NULL;
    char *path = fedn__fs_join(dir, "sample");

    test_write_file(path, data, bytes);
    assert_ok(fedn__blob_from_file(path, &blob, &err), &err);
    assert_ok(fedn__fs_unlink(path, &err), &err);
    fedn__free(path);
    return blob;
}

uint64_t sample_find(const uint8_t *data, uint64_t bytes, const char *run, uint64_t run_bytes,
                     uint32_t nth)
{
    for (uint64_t i = 0; i + run_bytes <= bytes; i++)
        if (memcmp(data + i, run, run_bytes) == 0 && nth-- == 0)
            return i;
    fail_msg("the run is not there");
    return 0;
}

uint8_t *sample_npz(const char *header, uint64_t elements, uint64_t *ret_bytes)
{
    fedn__zip_item item = {.name = "w.npy"};
    uint64_t header_bytes = strlen(header);
    uint8_t *file = fedn__alloc_zero(3 * FEDN__ZIP_RECORD_BYTES + 10 + header_bytes + elements);

    item.packed = item.bytes = 10 + header_bytes + elements;
    uint64_t at = fedn__zip_write_local(file, &item, 1);
    uint8_t *member = file + at;
    memcpy(member, "\x93NUMPY\x01\x00", 8);
    member[8] = (uint8_t)(header_bytes & 0xff);
    member[9] = (uint8_t)(header_bytes >> 8);
    memcpy(member + 10, header, header_bytes);
    item.crc = libdeflate_crc32(0, member, item.bytes);
    fedn__zip_write_local(file, &item, 1);
    at += item.bytes;
    uint64_t directory = at;
    at += fedn__zip_write_central(file + at, &item);
    at += fedn__zip_write_end(file + at, 1, directory, at - directory);
    *ret_bytes = at;
    return file;
}

uint8_t *sample_safetensors(const char *header, uint64_t elements, uint64_t *ret_bytes)
{
    uint64_t header_bytes = strlen(header);
    uint8_t *file = fedn__alloc_zero(8 + header_bytes + elements);

    for (uint32_t i = 0; i < 8; i++)
        file[i] = (uint8_t)(header_bytes >> 8 * i);
    memcpy(file + 8, header, header_bytes);
    *ret_bytes = 8 + header_bytes + elements;
    return file;
}
