/* SPDX-License-Identifier: Apache-2.0
 * Column-major and big-endian tensors, of sizes that take each of the ways through. */
#include "samples.h"

#include "core/limits.h"
#include "model/source_impl.h"
#include <libdeflate.h>
#include <stdlib.h>

/* The value of the element whose row-major number is `n`. */
static uint64_t value_of(uint64_t n, uint64_t element)
{
    uint64_t value = n * 0x9e3779b97f4a7c15u ^ n >> 3;
    return element == 8 ? value : value & (((uint64_t)1 << 8 * element) - 1);
}

/* A .npz with one stored column-major member "w", written element by element. */
static uint8_t *make_file(const char *descr, uint32_t rank, const uint64_t *shape, uint64_t element,
                          uint64_t *ret_bytes)
{
    char header[512];
    uint64_t place[FEDN_MODEL_MAX_RANK] = {0};
    uint64_t elements = 1;
    int at =
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': True, 'shape': (", descr);

    for (uint32_t i = 0; i < rank; i++) {
        at += snprintf(header + at, sizeof header - (size_t)at, "%llu,",
                       (unsigned long long)shape[i]);
        elements *= shape[i];
    }
    snprintf(header + at, sizeof header - (size_t)at, ")}");
    uint8_t *file = sample_npz(header, elements * element, ret_bytes);
    uint8_t *member = file + 30 + 5;
    uint8_t *to = member + 10 + strlen(header);
    for (uint64_t n = 0; n < elements; n++, to += element) {
        uint64_t number = 0;
        for (uint32_t i = 0; i < rank; i++)
            number = number * shape[i] + place[i];
        uint64_t value = value_of(number, element);
        for (uint64_t b = 0; b < element; b++)
            to[*descr == '>' ? element - 1 - b : b] = (uint8_t)(value >> 8 * b);
        for (uint32_t i = 0; i < rank && ++place[i] == shape[i]; i++)
            place[i] = 0;
    }
    uint32_t crc = libdeflate_crc32(0, member, 10 + strlen(header) + elements * element);
    memcpy(file + 14, &crc, 4);
    memcpy(file + sample_find(file, *ret_bytes, "PK\x01\x02", 4, 0) + 16, &crc, 4);
    return file;
}

/* Reads it in pieces that no size divides, and compares each element. */
static void assert_turned(const uint8_t *file, uint64_t bytes, uint64_t element)
{
    fedn_error err;
    fedn__source *source = NULL;

    assert_ok(fedn__source_open_memory(file, bytes, "npz", &source, &err), &err);
    const fedn__tensor_info *info = fedn__source_info(source, 0);
    uint8_t *got = calloc(1, info->bytes);
    for (uint64_t at = 0; at < info->bytes;) {
        uint64_t left = info->bytes - at;
        uint64_t piece = left < 100003 ? left : 100003;
        assert_ok(fedn__source_read(source, 0, at, got + at, piece, &err), &err);
        at += piece;
    }
    for (uint64_t n = 0; n < info->elements; n++) {
        uint64_t value = 0;
        memcpy(&value, got + n * element, element);
        if (value != value_of(n, element))
            fail_msg("element %llu is wrong", (unsigned long long)n);
    }
    assert_int_equal(source->index.entries[0].member.checked, 1);
    free(got);
    fedn__source_free(source);
}

static void column_major_tensors_of_any_shape_are_turned(void **state)
{
    (void)state;
    static const struct {
        const char *descr;
        uint64_t element;
        uint32_t rank;
        uint64_t shape[6];
    } rows[] = {
        {"<f4", 4, 2, {3, 5}},
        {">f4", 4, 2, {3, 5}},
        {"|u1", 1, 2, {7, 2}},
        {">i2", 2, 3, {2, 3, 4}},
        {"<f8", 8, 6, {2, 1, 3, 1, 2, 4}},
        {">u8", 8, 4, {3, 2, 2, 5}},
        {"<f4", 4, 2, {1, 9}},
        {">f4", 4, 2, {9, 1}},
        {"<f4", 4, 3, {700, 31, 3}},
        {"<f4", 4, 2, {3, 40000}},
        {">f8", 8, 2, {100000, 2}},
        {">i4", 4, 1, {100000}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t bytes = 0;
        uint8_t *file =
            make_file(rows[i].descr, rows[i].rank, rows[i].shape, rows[i].element, &bytes);
        assert_turned(file, bytes, rows[i].element);
        fedn_free(file);
    }
}

static void a_tensor_larger_than_the_window_is_turned_by_rows(void **state)
{
    (void)state;
    const uint64_t shape[2] = {100, FEDN__LIMIT_COLUMN_WINDOW / 90}; /* a window of 90 rows */
    uint64_t bytes = 0;
    uint8_t *file = make_file("|u1", 2, shape, 1, &bytes);

    assert_turned(file, bytes, 1);
    fedn_free(file);
}

static void damage_is_found_before_the_first_element(void **state)
{
    (void)state;
    static const char *const descrs[] = {"<f4", ">f4"};
    const uint64_t shape[2] = {300, 200};

    for (size_t i = 0; i < 2; i++) {
        fedn_error err;
        fedn__source *source = NULL;
        uint64_t bytes = 0;
        uint8_t element[4];
        uint8_t *file = make_file(descrs[i], 2, shape, 4, &bytes);
        file[bytes - 2000] ^= 4;
        assert_ok(fedn__source_open_memory(file, bytes, "npz", &source, &err), &err);
        assert_fails(fedn__source_read(source, 0, 0, element, 4, &err), FEDN_ERR_FORMAT, &err,
                     "\"w\" CRC-32");
        fedn__source_free(source);
        fedn_free(file);
    }
}

/* Nobody may make us hold more than the bound: here 2 GiB that are not even there. */
static void a_tensor_that_must_be_held_whole_is_bounded(void **state)
{
    (void)state;
    uint64_t shape[2] = {2, FEDN__GIB};
    fedn_error err;
    uint8_t byte = 0;
    fedn__entry *entry = NULL;
    fedn__source source = {.index.foreign = 1};

    assert_ok(fedn__index_add(&source.index, "w", FEDN_DTYPE_U8, 2, shape, &entry, &err), &err);
    entry->fortran = 1;
    entry->member.deflated = 1;
    assert_fails(fedn__window_read(&source, 0, 0, &byte, 1, &err), FEDN_ERR_LIMIT, &err,
                 "\"w\" 2147483648 1073741824 row-major");
    fedn__index_done(&source.index);
}

static fedn_status read_all(void *arg)
{
    fedn__source *source = NULL;
    uint8_t element[4];

    fedn_status rc = fedn__source_open(arg, NULL, &source, NULL);
    if (rc == FEDN_OK)
        rc = fedn__source_read(source, 0, 8, element, 4, NULL);
    fedn__source_free(source);
    return rc;
}

static void each_failed_allocation_is_survived(void **state)
{
    (void)state;
    const uint64_t shape[2] = {30, 20};
    fedn__blob *blob = NULL;
    fedn_error err;
    uint64_t bytes = 0;
    uint8_t *file = make_file(">f4", 2, shape, 4, &bytes);

    assert_ok(fedn__blob_from_memory(file, bytes, &blob, &err), &err);
    test_fail_each_allocation(read_all, blob);
    fedn__blob_unref(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(column_major_tensors_of_any_shape_are_turned),
        cmocka_unit_test(a_tensor_larger_than_the_window_is_turned_by_rows),
        cmocka_unit_test(damage_is_found_before_the_first_element),
        cmocka_unit_test(a_tensor_that_must_be_held_whole_is_bounded),
        cmocka_unit_test(each_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
