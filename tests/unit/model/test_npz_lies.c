/* SPDX-License-Identifier: Apache-2.0
 * .npz files that lie: about sizes, names, places, elements, checksums. */
#include "samples.h"

#include "model/npy.h"
#include "model/zip.h"
#include <libdeflate.h>
#include <stdlib.h>
#include <zlib.h>

#define LOCAL   "PK\x03\x04"
#define CENTRAL "PK\x01\x02"
#define END     "PK\x05\x06"
#define NPY     "\x93NUMPY"

/* Writes `to` at `offset` behind the nth such record. */
typedef struct patch {
    const char *record;
    uint32_t nth;
    uint32_t offset;
    const char *to;
    uint32_t bytes;
} patch;

/* Of a file with the members w.npy (deflated or stored, 24 bytes of elements) and n.npy (8 bytes).
 */
static const struct lie {
    const char *format;
    patch patches[2];
    fedn_status status;
    const char *words;
} lies[] = {
    {"npz", {{CENTRAL, 0, 8, "\1", 1}}, FEDN_ERR_UNSUPPORTED, "w.npy encrypted"},
    {"npz", {{CENTRAL, 1, 8, "\x40", 1}}, FEDN_ERR_UNSUPPORTED, "n.npy encrypted"},
    {"npz", {{CENTRAL, 0, 9, "\x20", 1}}, FEDN_ERR_UNSUPPORTED, "w.npy encrypted"},
    {"npz", {{LOCAL, 0, 6, "\1", 1}}, FEDN_ERR_FORMAT, "w.npy header"},
    {"npz", {{CENTRAL, 0, 10, "\x0c", 1}}, FEDN_ERR_UNSUPPORTED, "w.npy 12 deflated"},
    {"npz", {{CENTRAL, 0, 10, "\x63", 1}}, FEDN_ERR_UNSUPPORTED, "w.npy 99"},
    {"npz", {{LOCAL, 0, 8, "\x08", 1}}, FEDN_ERR_FORMAT, "w.npy header"},
    {"npz", {{CENTRAL, 0, 16, "\0\0\0\0", 4}}, FEDN_ERR_FORMAT, "w.npy differ"},
    {"npz",
     {{CENTRAL, 0, 16, "abcd", 4}, {LOCAL, 0, 14, "abcd", 4}},
     FEDN_ERR_FORMAT,
     "\"w\" CRC-32 64636261"},
    {"npz-deflate",
     {{CENTRAL, 0, 16, "abcd", 4}, {LOCAL, 0, 14, "abcd", 4}},
     FEDN_ERR_FORMAT,
     "\"w\" CRC-32"},
    {"npz", {{CENTRAL, 0, 20, "\1", 1}}, FEDN_ERR_FORMAT, "w.npy packed"},
    {"npz", {{CENTRAL, 0, 24, "\1", 1}}, FEDN_ERR_FORMAT, "w.npy packed"},
    {"npz", {{LOCAL, 0, 18, "\1", 1}}, FEDN_ERR_FORMAT, "w.npy differ"},
    {"npz", {{LOCAL, 0, 22, "\1", 1}}, FEDN_ERR_FORMAT, "w.npy differ"},
    {"npz",
     {{CENTRAL, 0, 23, "\x7f", 1}, {CENTRAL, 0, 27, "\x7f", 1}},
     FEDN_ERR_FORMAT,
     "w.npy directory"},
    /* a bomb that says so: 2 GiB of a few bytes */
    {"npz-deflate",
     {{CENTRAL, 0, 27, "\x7f", 1}, {LOCAL, 0, 25, "\x7f", 1}},
     FEDN_ERR_FORMAT,
     "w.npy packed"},
    /* one that says a little too much, and one too little */
    {"npz-deflate",
     {{CENTRAL, 0, 25, "\1", 1}, {LOCAL, 0, 23, "\1", 1}},
     FEDN_ERR_FORMAT,
     "\"w\" shape 24"},
    {"npz-deflate",
     {{CENTRAL, 0, 24, "\x90", 1}, {LOCAL, 0, 22, "\x90", 1}},
     FEDN_ERR_FORMAT,
     "\"w\" shape 24"},
    {"npz", {{CENTRAL, 0, 28, "\4", 1}}, FEDN_ERR_FORMAT, "w.np header"},
    {"npz", {{CENTRAL, 0, 29, "\1", 1}}, FEDN_ERR_FORMAT, "member 0"},
    {"npz", {{CENTRAL, 0, 29, "\x7f", 1}}, FEDN_ERR_FORMAT, "member 0"},
    {"npz", {{CENTRAL, 1, 31, "\1", 1}}, FEDN_ERR_FORMAT, "member 1"},
    {"npz", {{CENTRAL, 1, 32, "\1", 1}}, FEDN_ERR_FORMAT, "member 1"},
    {"npz", {{CENTRAL, 0, 34, "\1", 1}}, FEDN_ERR_UNSUPPORTED, "several"},
    {"npz", {{CENTRAL, 0, 42, "\1", 1}}, FEDN_ERR_FORMAT, "w.npy offset 1"},
    {"npz", {{CENTRAL, 0, 45, "\x7f", 1}}, FEDN_ERR_FORMAT, "w.npy 2130706432"},
    {"npz", {{CENTRAL, 0, 46, "\xff", 1}}, FEDN_ERR_FORMAT, "member 0 UTF-8"},
    {"npz", {{CENTRAL, 0, 46, "\0", 1}}, FEDN_ERR_FORMAT, "member 0 UTF-8"},
    {"npz", {{CENTRAL, 0, 46, "x", 1}}, FEDN_ERR_FORMAT, "x.npy header another"},
    {"npz", {{CENTRAL, 0, 46, "/", 1}, {LOCAL, 0, 30, "/", 1}}, FEDN_ERR_FORMAT, "\"/\" path"},
    {"npz",
     {{CENTRAL, 0, 46, "w.npz", 5}, {LOCAL, 0, 30, "w.npz", 5}},
     FEDN_ERR_FORMAT,
     "w.npz .npy"},
    {"npz", {{CENTRAL, 0, 46, "\n", 1}, {LOCAL, 0, 30, "\n", 1}}, FEDN_ERR_FORMAT, "name"},
    {"npz", {{CENTRAL, 0, 46, "n", 1}, {LOCAL, 0, 30, "n", 1}}, FEDN_ERR_FORMAT, "\"n\" twice"},
    {"npz", {{LOCAL, 0, 29, "\7", 1}}, FEDN_ERR_LIMIT, "w.npy 256"},
    {"npz", {{LOCAL, 0, 0, "X", 1}}, FEDN_ERR_FORMAT, "w.npy header"},
    {"npz", {{CENTRAL, 0, 0, "X", 1}}, FEDN_ERR_FORMAT, "member 0"},
    {"npz", {{END, 0, 4, "\1", 1}}, FEDN_ERR_UNSUPPORTED, "several"},
    {"npz", {{END, 0, 6, "\1", 1}}, FEDN_ERR_UNSUPPORTED, "several"},
    {"npz", {{END, 0, 8, "\1", 1}}, FEDN_ERR_UNSUPPORTED, "several"},
    {"npz", {{END, 0, 8, "\1\0\1\0", 4}}, FEDN_ERR_FORMAT, "last"},
    {"npz", {{END, 0, 8, "\3\0\3\0", 4}}, FEDN_ERR_FORMAT, "3 members"},
    {"npz", {{END, 0, 8, "\0\0\0\0", 4}}, FEDN_ERR_FORMAT, "0 members"},
    {"npz", {{END, 0, 8, "\xff\xff\xff\xff", 4}}, FEDN_ERR_FORMAT, "65535"},
    {"npz", {{END, 0, 12, "\1", 1}}, FEDN_ERR_FORMAT, "directory"},
    {"npz", {{END, 0, 16, "\1", 1}}, FEDN_ERR_FORMAT, "directory"},
    {"npz", {{END, 0, 20, "\1", 1}}, FEDN_ERR_FORMAT, "end"},
    {"npz", {{NPY, 0, 0, "X", 1}}, FEDN_ERR_FORMAT, "\"w\" .npy"},
    {"npz", {{NPY, 0, 8, "\xff\xff", 2}}, FEDN_ERR_FORMAT, "\"w\" header"},
};

/* The sample's bytes with the patches of this row. */
static uint8_t *told(fedn_model *model, const struct lie *lie, uint64_t *ret_bytes)
{
    uint8_t *data = sample_encoded(model, lie->format, ret_bytes);

    for (size_t p = 0; p < 2 && lie->patches[p].record; p++) {
        const patch *it = &lie->patches[p];
        uint64_t at = sample_find(data, *ret_bytes, it->record, strlen(it->record), it->nth);
        memcpy(data + at + it->offset, it->to, it->bytes);
    }
    return data;
}

static void every_lie_in_the_records_is_refused(void **state)
{
    (void)state;
    fedn_model *model = sample_small();

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        fedn_error err;
        fedn_model *back = NULL;
        uint64_t bytes = 0;
        uint8_t *data = told(model, &lies[i], &bytes);
        fedn_status rc = fedn_model_decode(data, bytes, "npz", &back, &err);
        if (rc != lies[i].status)
            fail_msg("row %zu: got %d (%s)", i, (int)rc, rc == FEDN_OK ? "read" : err.message);
        test_assert_words(err.message, lies[i].words);
        fedn_free(data);
    }
    fedn_model_unref(model);
}

/* The elements of "a" are a whole member "b", which the directory names too: both are sound alone.
 */
static void members_that_share_bytes_are_refused(void **state)
{
    (void)state;
    fedn__zip_item a = {.name = "a.npy"};
    fedn__zip_item b = {.name = "b.npy", .header_offset = 35 + 128, .packed = 132, .bytes = 132};
    uint64_t inner = 35 + 132;
    uint8_t *file = calloc(1, 4096);
    uint8_t *member = file + 35;
    fedn_model *back = NULL;
    fedn_error err;

    assert_int_equal(fedn__npy_write(member, FEDN_DTYPE_U8, 1, &inner), 128);
    assert_int_equal(fedn__npy_write(file + 35 + 128 + 35, FEDN_DTYPE_F32, 0, NULL), 128);
    b.crc = libdeflate_crc32(0, file + 35 + 128 + 35, 132);
    assert_int_equal(fedn__zip_write_local(file + b.header_offset, &b, 1), 35);
    a.packed = a.bytes = 128 + inner;
    a.crc = libdeflate_crc32(0, member, a.bytes);
    assert_int_equal(fedn__zip_write_local(file, &a, 1), 35);
    for (int both = 0; both < 2; both++) {
        uint64_t directory = 35 + a.bytes;
        uint64_t at = directory + fedn__zip_write_central(file + directory, &a);
        if (both)
            at += fedn__zip_write_central(file + at, &b);
        at += fedn__zip_write_end(file + at, 1 + (uint64_t)both, directory, at - directory);
        fedn_status rc = fedn_model_decode(file, at, NULL, &back, &err);
        assert_int_equal(rc, both ? FEDN_ERR_FORMAT : FEDN_OK);
        fedn_model_unref(back);
    }
    test_assert_words(err.message, "\"a\" \"b\" overlap 163");
    free(file);
}

static void headers_that_lie_about_the_elements_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        uint64_t elements;
        fedn_status status;
        const char *words;
    } rows[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 8, FEDN_OK, ""},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 7, FEDN_ERR_FORMAT,
         "\"w\" 8 7"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 9, FEDN_ERR_FORMAT,
         "\"w\" 8 9"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}", 4, FEDN_ERR_FORMAT,
         "\"w\" 0 4"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976, 16)}", 8,
         FEDN_ERR_LIMIT, "\"w\" elements float64"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", 8,
         FEDN_ERR_LIMIT, "\"w\" elements float64"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000,)}", 4, FEDN_ERR_FORMAT,
         "\"w\" 4000000000 4"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", 8, FEDN_ERR_UNSUPPORTED,
         "\"w\" pickled"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4,
         FEDN_ERR_UNSUPPORTED, "\"w\" structured"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,) if 1 else (2,)}", 4,
         FEDN_ERR_FORMAT, "\"w\" comma"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fedn_error err;
        fedn_model *back = NULL;
        uint64_t bytes = 0;
        uint8_t *data = sample_npz(rows[i].header, rows[i].elements, &bytes);
        if (rows[i].status == FEDN_OK)
            assert_ok(fedn_model_decode(data, bytes, NULL, &back, &err), &err);
        else
            assert_fails(fedn_model_decode(data, bytes, NULL, &back, &err), rows[i].status, &err,
                         rows[i].words);
        fedn_model_unref(back);
        fedn_free(data);
    }
}

static void a_long_header_is_read_and_one_too_long_refused(void **state)
{
    (void)state;
    static const char text[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}";
    char *header = malloc(65536);
    fedn_error err;
    fedn_model *back = NULL;
    uint64_t bytes = 0;

    memset(header, ' ', 65535);
    header[65535] = 0;
    memcpy(header, text, sizeof text - 1);
    uint8_t *data = sample_npz(header, 4, &bytes);
    assert_ok(fedn_model_decode(data, bytes, NULL, &back, &err), &err);
    fedn_model_unref(back);
    /* as version 2.0, whose length has four bytes */
    uint64_t at = sample_find(data, bytes, NPY, 6, 0);
    data[at + 6] = 2;
    memcpy(data + at + 8, "\xff\xff\xff\x00", 4);
    assert_fails(fedn_model_decode(data, bytes, NULL, &back, &err), FEDN_ERR_LIMIT, &err,
                 "\"w\" 16777215 65536");
    fedn_free(data);
    free(header);
}

/* Replaces the deflated bytes of "w" and puts everything else right. */
static uint8_t *repacked(const uint8_t *packed, uint64_t packed_bytes, uint64_t declared,
                         uint64_t *ret_bytes)
{
    uint64_t local_bytes = 30 + 5;
    uint8_t *file = calloc(1, packed_bytes + 256);
    uint8_t record[46] = CENTRAL;
    uint64_t at = local_bytes + packed_bytes;

    record[6] = 20;
    record[10] = 8;
    memcpy(record + 16, "\0\0\0\0", 4);
    memcpy(record + 20, &(uint32_t){(uint32_t)packed_bytes}, 4);
    memcpy(record + 24, &(uint32_t){(uint32_t)declared}, 4);
    record[28] = 5;
    memcpy(file, LOCAL, 4);
    memcpy(file + 4, record + 6, 26);
    memcpy(file + 30, "w.npy", 5);
    memcpy(file + 35, packed, packed_bytes);
    memcpy(file + at, record, 46);
    memcpy(file + at + 46, "w.npy", 5);
    memcpy(file + at + 51, END, 4);
    memcpy(file + at + 51 + 8, "\1\0\1\0", 4);
    memcpy(file + at + 51 + 12, &(uint32_t){51}, 4);
    memcpy(file + at + 51 + 16, &(uint32_t){(uint32_t)at}, 4);
    *ret_bytes = at + 51 + 22;
    return file;
}

static uint64_t deflated(const uint8_t *data, uint64_t bytes, uint8_t *to, uint64_t room)
{
    z_stream stream = {.next_out = to, .avail_out = (uInt)room};

    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, 0), Z_OK);
    stream.next_in = (z_const Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)bytes;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return stream.total_out;
}

static void deflated_bytes_that_are_more_or_less_than_declared_are_refused(void **state)
{
    (void)state;
    static const char header[] = "\x93NUMPY\x01\x00\x76\x00{'descr': '|u1', 'fortran_order': "
                                 "False, 'shape': (20000,), }";
    uint8_t *member = calloc(1, 10 << 20);
    uint8_t *packed = malloc(1 << 20);
    fedn_model *back = NULL;
    fedn_error err;
    uint64_t bytes = 0;

    memset(member, ' ', 128);
    memcpy(member, header, sizeof header - 1);
    static const struct {
        uint64_t real;
        uint64_t extra; /* bytes behind the deflated ones */
        const char *words;
    } rows[] = {
        {128 + 20000, 0, "\"w\" CRC-32"},  /* only the checksum, which is 0 here, is wrong */
        {10 << 20, 0, "\"w\" more 20128"}, /* a bomb that does not say so */
        {128 + 20001, 0, "\"w\" more 20128"}, {128 + 19999, 0, "\"w\" 20127 20128"},
        {200, 0, "\"w\" 200 20128"},          {128 + 20000, 1, "\"w\" end"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(packed, 0, 1 << 20);
        uint64_t n = deflated(member, rows[i].real, packed, 1 << 20) + rows[i].extra;
        uint8_t *file = repacked(packed, n, 128 + 20000, &bytes);
        assert_fails(fedn_model_decode(file, bytes, NULL, &back, &err), FEDN_ERR_FORMAT, &err,
                     rows[i].words);
        free(file);
    }
    /* bytes that are no deflated ones, and too few of them */
    uint64_t n = deflated(member, 128 + 20000, packed, 1 << 20);
    uint8_t *file = repacked(packed, n - 3, 128 + 20000, &bytes);
    assert_fails(fedn_model_decode(file, bytes, NULL, &back, &err), FEDN_ERR_FORMAT, &err, "\"w\"");
    free(file);
    memset(packed + n / 2, 0xff, n / 2);
    file = repacked(packed, n, 128 + 20000, &bytes);
    assert_fails(fedn_model_decode(file, bytes, NULL, &back, &err), FEDN_ERR_FORMAT, &err, "\"w\"");
    free(file);
    free(packed);
    free(member);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_lie_in_the_records_is_refused),
        cmocka_unit_test(members_that_share_bytes_are_refused),
        cmocka_unit_test(headers_that_lie_about_the_elements_are_refused),
        cmocka_unit_test(a_long_header_is_read_and_one_too_long_refused),
        cmocka_unit_test(deflated_bytes_that_are_more_or_less_than_declared_are_refused),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
