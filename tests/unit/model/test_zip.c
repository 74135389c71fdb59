/* SPDX-License-Identifier: Apache-2.0
 * The records of archives: what we write is what we read, and a zip64 archive of either kind. */
#include "samples.h"

#include "model/zip.h"
#include <stdlib.h>

static fedn_status open_all(const uint8_t *data, uint64_t bytes, fedn__zip_item *last,
                            fedn_error *err)
{
    fedn__input input = {.memory = data, .bytes = bytes};
    fedn__zip_reader zip;

    fedn_status rc = fedn__zip_open(&input, &zip, err);
    while (rc == FEDN_OK && zip.next < zip.count) {
        rc = fedn__zip_next(&zip, last, err);
        if (rc == FEDN_OK)
            rc = fedn__zip_locate(&zip, last, err);
    }
    fedn__zip_done(&zip);
    return rc;
}

static void headers_are_padded_so_that_data_is_aligned(void **state)
{
    (void)state;
    uint8_t record[FEDN__ZIP_RECORD_BYTES];
    static const uint64_t sizes[] = {0, 5, UINT32_MAX, (uint64_t)1 << 40};

    for (size_t s = 0; s < 4; s++) {
        for (uint64_t offset = 0; offset < 130; offset++) {
            fedn__zip_item item = {
                .name = "w.npy", .header_offset = offset, .bytes = sizes[s], .packed = sizes[s]};
            uint64_t length = fedn__zip_write_local(record, &item, 64);
            assert_int_equal((offset + length) % 64, 0);
            assert_true(length <= FEDN__ZIP_RECORD_BYTES);
        }
    }
}

/* An archive whose only member is big or far enough away for zip64; its bytes are not there, only
 * what the records say is compared. */
static void lines_of_the_directory_are_read_as_written(void **state)
{
    (void)state;
    static const struct {
        uint64_t offset;
        uint64_t bytes;
        uint32_t count;
    } rows[] = {
        {0, 100, 1},        {0, FEDN__ZIP_BIG - 1, 1},   {0, FEDN__ZIP_BIG, 1},
        {0, UINT32_MAX, 1}, {(uint64_t)1 << 33, 100, 1}, {(uint64_t)1 << 33, (uint64_t)1 << 41, 1},
        {0, 100, 70000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fedn__zip_item item = {.name = "größe.npy",
                               .header_offset = rows[i].offset,
                               .bytes = rows[i].bytes,
                               .packed = rows[i].bytes,
                               .crc = 0x12345678};
        fedn__zip_item got;
        fedn_error err;
        uint8_t *directory = malloc((size_t)rows[i].count * FEDN__ZIP_RECORD_BYTES);
        uint64_t length = 0;
        for (uint32_t n = 0; n < rows[i].count; n++)
            length += fedn__zip_write_central(directory + length, &item);
        fedn__zip_reader zip = {.directory = directory,
                                .directory_bytes = length,
                                .directory_offset = (uint64_t)1 << 50,
                                .count = rows[i].count};
        for (uint32_t n = 0; n < rows[i].count; n++) {
            assert_ok(fedn__zip_next(&zip, &got, &err), &err);
            assert_string_equal(got.name, item.name);
            assert_int_equal(got.header_offset, item.header_offset);
            assert_int_equal(got.bytes, item.bytes);
            assert_int_equal(got.packed, item.packed);
            assert_int_equal(got.crc, item.crc);
        }
        free(directory);
    }
}

static void an_archive_with_zip64_records_is_read(void **state)
{
    (void)state;
    const uint32_t count = 66000;
    uint8_t *file = malloc((size_t)count * 2 * FEDN__ZIP_RECORD_BYTES);
    uint64_t *offsets = malloc(count * sizeof *offsets);
    fedn__zip_item item = {.packed = 0};
    uint64_t at = 0;
    fedn_error err;

    for (uint32_t i = 0; i < count; i++) {
        snprintf(item.name, sizeof item.name, "%u.npy", i);
        item.header_offset = offsets[i] = at;
        at += fedn__zip_write_local(file + at, &item, 1);
    }
    uint64_t directory = at;
    for (uint32_t i = 0; i < count; i++) {
        snprintf(item.name, sizeof item.name, "%u.npy", i);
        item.header_offset = offsets[i];
        at += fedn__zip_write_central(file + at, &item);
    }
    at += fedn__zip_write_end(file + at, count, directory, at - directory);
    assert_ok(open_all(file, at, &item, &err), &err);
    assert_string_equal(item.name, "65999.npy");
    /* the 64-bit numbers are the ones that count */
    uint64_t end64 = sample_find(file, at, "PK\x06\x06", 4, 0);
    file[end64 + 32]++;
    file[end64 + 24]++;
    assert_fails(open_all(file, at, &item, &err), FEDN_ERR_FORMAT, &err, "66000 directory");
    file[end64 + 32]--;
    assert_fails(open_all(file, at, &item, &err), FEDN_ERR_UNSUPPORTED, &err, "several");
    file[end64 + 24]--;
    file[end64 + 31] = file[end64 + 39] = 0x10; /* 2^60 members */
    assert_fails(open_all(file, at, &item, &err), FEDN_ERR_LIMIT, &err,
                 "1152921504606912976 100000");
    file[end64 + 31] = file[end64 + 39] = 0;
    file[end64 + 55] = 0x10; /* the directory 2^60 bytes away */
    assert_fails(open_all(file, at, &item, &err), FEDN_ERR_FORMAT, &err, "directory");
    file[end64 + 55] = 0;
    file[end64 + 56 + 15] = 0xff; /* the record itself is nowhere */
    assert_fails(open_all(file, at, &item, &err), FEDN_ERR_FORMAT, &err, "zip64 beyond");
    free(offsets);
    free(file);
}

static void a_comment_behind_the_archive_is_skipped(void **state)
{
    (void)state;
    fedn_error err;
    fedn__zip_item item;
    uint64_t bytes = 0;
    uint8_t *file =
        sample_npz("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 4, &bytes);
    uint8_t *longer = calloc(1, bytes + 65536);

    memcpy(longer, file, bytes);
    memset(longer + bytes, 'c', 65535);
    longer[bytes - 2] = 0xff;
    longer[bytes - 1] = 0xff;
    assert_ok(open_all(longer, bytes + 65535, &item, &err), &err);
    assert_string_equal(item.name, "w.npy");
    /* a length that is not the comment's */
    assert_fails(open_all(longer, bytes + 65534, &item, &err), FEDN_ERR_FORMAT, &err, "end");
    assert_fails(open_all(longer, bytes + 65536, &item, &err), FEDN_ERR_FORMAT, &err, "end");
    /* an end record inside the comment does not count: its comment would have another length */
    memcpy(longer + bytes + 100, file + bytes - 22, 22);
    assert_ok(open_all(longer, bytes + 65535, &item, &err), &err);
    free(longer);
    fedn_free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_padded_so_that_data_is_aligned),
        cmocka_unit_test(lines_of_the_directory_are_read_as_written),
        cmocka_unit_test(an_archive_with_zip64_records_is_read),
        cmocka_unit_test(a_comment_behind_the_archive_is_skipped),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
