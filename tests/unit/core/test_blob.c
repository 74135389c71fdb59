/* SPDX-License-Identifier: Apache-2.0
 * Blobs: in memory and in files, mapped and read, shared between threads. */
#include "test.h"

#include "core/blob.h"
#include "core/fs.h"
#include "core/thread.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char *scratch;

static int setup(void **state)
{
    int rc = test_count_setup(state);
    scratch = test_scratch();
    return rc;
}

static int teardown(void **state)
{
    test_scratch_done(scratch);
    return test_count_teardown(state);
}

static char *file_with(const char *name, const char *text)
{
    char *path = fedn__fs_join(scratch, name);
    test_write_file(path, text, strlen(text));
    return path;
}

static void memory_is_taken_over_and_copied_memory_is_not(void **state)
{
    (void)state;
    fedn_error err;
    fedn__blob *taken = NULL;
    fedn__blob *copied = NULL;
    const uint8_t *bytes = NULL;
    char *text = fedn__strdup("abcdef");

    assert_ok(fedn__blob_from_memory(text, 6, &taken, &err), &err);
    assert_ok(fedn__blob_copy(text, 6, &copied, &err), &err);
    assert_ok(fedn__blob_map(taken, &bytes, &err), &err);
    assert_ptr_equal(bytes, text);
    assert_ok(fedn__blob_map(copied, &bytes, &err), &err);
    assert_ptr_not_equal(bytes, text);
    assert_memory_equal(bytes, "abcdef", 6);
    assert_int_equal(fedn__blob_bytes(copied), 6);
    assert_int_equal(fedn__blob_fd(copied), -1);
    assert_null(fedn__blob_unref(taken));
    assert_null(fedn__blob_unref(copied));
    assert_null(fedn__blob_unref(NULL));
    assert_null(fedn__blob_ref(NULL));
}

static void a_file_stays_readable_after_it_was_unlinked(void **state)
{
    (void)state;
    fedn_error err;
    fedn__blob *blob = NULL;
    const uint8_t *bytes = NULL;
    const uint8_t *again = NULL;
    char room[4] = {0};
    char *path = file_with("model", "0123456789");

    assert_ok(fedn__blob_from_file(path, &blob, &err), &err);
    assert_int_equal(unlink(path), 0);
    assert_ok(fedn__blob_read(blob, 7, room, 3, &err), &err);
    assert_string_equal(room, "789");
    assert_ok(fedn__blob_map(blob, &bytes, &err), &err);
    assert_memory_equal(bytes, "0123456789", 10);
    assert_ok(fedn__blob_map(blob, &again, &err), &err);
    assert_ptr_equal(bytes, again);
    assert_true(fedn__blob_fd(blob) >= 0);
    fedn__blob_unref(blob);
    fedn__free(path);
}

static void ranges_outside_are_refused_whatever_their_numbers(void **state)
{
    (void)state;
    static const struct {
        uint64_t offset, bytes;
        fedn_status status;
    } cases[] = {{0, 5, FEDN_OK},
                 {5, 0, FEDN_OK},
                 {4, 1, FEDN_OK},
                 {0, 6, FEDN_ERR_FORMAT},
                 {5, 1, FEDN_ERR_FORMAT},
                 {6, 0, FEDN_ERR_FORMAT},
                 {UINT64_MAX, 2, FEDN_ERR_FORMAT},
                 {2, UINT64_MAX, FEDN_ERR_FORMAT},
                 {UINT64_MAX, UINT64_MAX, FEDN_ERR_FORMAT}};
    fedn_error err;
    fedn__blob *blobs[2] = {NULL, NULL};
    char room[8];
    char *path = file_with("five", "12345");

    assert_ok(fedn__blob_copy("12345", 5, &blobs[0], &err), &err);
    assert_ok(fedn__blob_from_file(path, &blobs[1], &err), &err);
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (uint32_t b = 0; b < 2; b++)
            if (fedn__blob_read(blobs[b], cases[i].offset, room, cases[i].bytes, &err) !=
                cases[i].status)
                fail_msg("case %u, blob %u", i, b);
    fedn__blob_unref(blobs[0]);
    fedn__blob_unref(blobs[1]);
    fedn__free(path);
}

static void what_is_no_file_is_refused_by_name(void **state)
{
    (void)state;
    fedn_error err;
    fedn__blob *blob = (void *)1;
    char *path = fedn__fs_join(scratch, "absent");

    assert_fails(fedn__blob_from_file(path, &blob, &err), FEDN_ERR_NOT_FOUND, &err, "absent");
    assert_null(blob);
    assert_fails(fedn__blob_from_file(scratch, &blob, &err), FEDN_ERR_INVALID, &err,
                 "not_a_regular_file");
    fedn__free(path);
}

static void empty_blobs_map_to_something_and_read_nothing(void **state)
{
    (void)state;
    fedn_error err;
    fedn__blob *blobs[2] = {NULL, NULL};
    char *path = file_with("empty", "");

    assert_ok(fedn__blob_copy(NULL, 0, &blobs[0], &err), &err);
    assert_ok(fedn__blob_from_file(path, &blobs[1], &err), &err);
    for (uint32_t b = 0; b < 2; b++) {
        const uint8_t *bytes = NULL;
        assert_ok(fedn__blob_map(blobs[b], &bytes, &err), &err);
        assert_non_null(bytes);
        assert_ok(fedn__blob_read(blobs[b], 0, NULL, 0, &err), &err);
        fedn__blob_unref(blobs[b]);
    }
    fedn__free(path);
}

static void a_file_that_shrank_is_an_error_of_reading(void **state)
{
    (void)state;
    fedn_error err;
    fedn__blob *blob = NULL;
    char room[16];
    char *path = file_with("shrinks", "0123456789");

    assert_ok(fedn__blob_from_file(path, &blob, &err), &err);
    assert_int_equal(truncate(path, 4), 0);
    assert_fails(fedn__blob_read(blob, 0, room, 10, &err), FEDN_ERR_IO, &err, "shorter 10");
    fedn__blob_unref(blob);
    fedn__free(path);
}

static void being_shared_is_seen_by_the_last_holder(void **state)
{
    (void)state;
    fedn_error err;
    fedn__blob *blob = NULL;

    assert_ok(fedn__blob_copy("x", 1, &blob, &err), &err);
    assert_int_equal(fedn__blob_is_shared(blob), 0);
    fedn__blob *second = fedn__blob_ref(blob);
    assert_int_equal(fedn__blob_is_shared(blob), 1);
    fedn__blob_unref(second);
    assert_int_equal(fedn__blob_is_shared(blob), 0);
    fedn__blob_unref(blob);
}

typedef struct reader {
    fedn__blob *blob; /* its own reference */
    uint64_t sum;
} reader;

static void *read_it(void *arg)
{
    reader *self = arg;
    const uint8_t *bytes = NULL;
    uint8_t copy[64];

    if (fedn__blob_map(self->blob, &bytes, NULL) == FEDN_OK &&
        fedn__blob_read(self->blob, 1000, copy, sizeof copy, NULL) == FEDN_OK)
        for (uint32_t i = 0; i < sizeof copy; i++)
            self->sum += copy[i] == bytes[1000 + i] ? copy[i] : 100000u;
    self->blob = fedn__blob_unref(self->blob);
    return NULL;
}

static void threads_map_one_file_together_and_the_last_releases_it(void **state)
{
    (void)state;
    enum { THREADS = 6 };
    fedn_error err;
    fedn__blob *blob = NULL;
    pthread_t ids[THREADS];
    reader readers[THREADS];
    static char content[5000];
    char *path = fedn__fs_join(scratch, "many");

    memset(content, 7, sizeof content);
    test_write_file(path, content, sizeof content);
    assert_ok(fedn__blob_from_file(path, &blob, &err), &err);
    for (uint32_t i = 0; i < THREADS; i++) {
        readers[i] = (reader){.blob = fedn__blob_ref(blob)};
        assert_ok(fedn__thread_start(&ids[i], "reader", read_it, &readers[i], &err), &err);
    }
    fedn__blob_unref(blob);
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(ids[i], NULL);
        assert_int_equal(readers[i].sum, 64 * 7);
    }
    fedn__free(path);
}

static void a_digest_is_of_the_bytes_wherever_they_are(void **state)
{
    (void)state;
    static char text[700000];
    fedn_error err;
    uint8_t expected[FEDN__DIGEST_BYTES];
    uint8_t seen[FEDN__DIGEST_BYTES];
    fedn__blob *blobs[2] = {NULL, NULL};
    char *path = fedn__fs_join(scratch, "digest");

    for (uint32_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 31 >> 3);
    fedn__digest_of(text, sizeof text, expected);
    test_write_file(path, text, sizeof text);
    assert_ok(fedn__blob_copy(text, sizeof text, &blobs[0], &err), &err);
    assert_ok(fedn__blob_from_file(path, &blobs[1], &err), &err);
    for (uint32_t b = 0; b < 2; b++) {
        assert_ok(fedn__blob_digest(blobs[b], seen, &err), &err);
        assert_memory_equal(seen, expected, sizeof seen);
    }
    /* known now: the file is not read again */
    assert_int_equal(truncate(path, 1), 0);
    assert_ok(fedn__blob_digest(blobs[1], seen, &err), &err);
    assert_memory_equal(seen, expected, sizeof seen);
    fedn__blob_unref(blobs[0]);
    fedn__blob_unref(blobs[1]);
    fedn__free(path);
}

static void a_digest_that_was_told_is_not_computed_and_one_that_failed_is_tried_again(void **state)
{
    (void)state;
    static const uint8_t told[FEDN__DIGEST_BYTES] = {1, 2, 3};
    fedn_error err;
    fedn__blob *blob = NULL;
    uint8_t expected[FEDN__DIGEST_BYTES];
    uint8_t seen[FEDN__DIGEST_BYTES];
    char *path = file_with("told", "0123456789");

    assert_ok(fedn__blob_from_file(path, &blob, &err), &err);
    assert_int_equal(truncate(path, 4), 0);
    assert_fails(fedn__blob_digest(blob, seen, &err), FEDN_ERR_IO, &err, "shorter 10");
    test_write_file(path, "0123456789", 10);
    fedn__digest_of("0123456789", 10, expected);
    assert_ok(fedn__blob_digest(blob, seen, &err), &err);
    assert_memory_equal(seen, expected, sizeof seen);
    fedn__blob_unref(blob);
    assert_ok(fedn__blob_from_file(path, &blob, &err), &err);
    fedn__blob_set_digest(blob, told);
    assert_ok(fedn__blob_digest(blob, seen, &err), &err);
    assert_memory_equal(seen, told, sizeof seen);
    fedn__blob_unref(blob);
    fedn__free(path);
}

static fedn_status make_all_kinds(void *arg)
{
    uint8_t digest[FEDN__DIGEST_BYTES];
    fedn__blob *blob = NULL;
    fedn_error err;
    fedn_status rc = fedn__blob_copy("abc", 3, &blob, &err);

    if (rc != FEDN_OK) {
        assert_null(blob);
        return rc;
    }
    fedn__blob_unref(blob);
    rc = fedn__blob_from_file(arg, &blob, &err);
    if (rc != FEDN_OK)
        assert_null(blob);
    else
        rc = fedn__blob_digest(blob, digest, &err);
    fedn__blob_unref(blob);
    return rc;
}

/* How much of a mapping is in this process's memory, in KiB, as the kernel counts it. */
static long mapped_kib(const void *start)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[512];
    char head[32];
    int32_t here = 0;
    long kib = -1;

    snprintf(head, sizeof head, "%lx-", (unsigned long)(uintptr_t)start);
    assert_non_null(file);
    while (kib < 0 && fgets(line, sizeof line, file)) {
        here = here || strncmp(line, head, strlen(head)) == 0;
        if (here && strncmp(line, "Rss:", 4) == 0)
            kib = strtol(line + 4, NULL, 10);
    }
    fclose(file);
    return kib;
}

static void what_was_forgotten_is_read_again(void **state)
{
    (void)state;
    enum { PAGES = 64, PAGE = 4096 };
    static char text[PAGES * PAGE];
    fedn_error err;
    fedn__blob *blob = NULL;
    const uint8_t *bytes = NULL;
    uint64_t sum = 0;

    memset(text, 7, sizeof text);
    char *path = fedn__fs_join(scratch, "pages");
    test_write_file(path, text, sizeof text);
    assert_ok(fedn__blob_from_file(path, &blob, &err), &err);
    fedn__blob_forget(blob, 0, sizeof text); /* not mapped yet */
    assert_ok(fedn__blob_map(blob, &bytes, &err), &err);
    for (int round = 0; round < 2; round++) {
        fedn__blob_use(blob);
        fedn__blob_use(blob);
        for (size_t i = 0; i < sizeof text; i++)
            sum += bytes[i];
        fedn__blob_rest(blob); /* not the last */
        assert_int_equal(mapped_kib(bytes), PAGES * PAGE / 1024);
        fedn__blob_forget(blob, PAGE + 1, UINT64_MAX);
        assert_int_equal(mapped_kib(bytes), 2 * PAGE / 1024);
        fedn__blob_rest(blob);
        assert_int_equal(mapped_kib(bytes), 0);
    }
    assert_int_equal(sum, 2 * 7 * sizeof text);
    fedn__blob_unref(blob);
    fedn__free(path);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    char *path = file_with("alloc", "abc");
    test_fail_each_allocation(make_all_kinds, path);
    fedn__free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_taken_over_and_copied_memory_is_not),
        cmocka_unit_test(a_file_stays_readable_after_it_was_unlinked),
        cmocka_unit_test(ranges_outside_are_refused_whatever_their_numbers),
        cmocka_unit_test(what_is_no_file_is_refused_by_name),
        cmocka_unit_test(empty_blobs_map_to_something_and_read_nothing),
        cmocka_unit_test(a_file_that_shrank_is_an_error_of_reading),
        cmocka_unit_test(a_digest_is_of_the_bytes_wherever_they_are),
        cmocka_unit_test(a_digest_that_was_told_is_not_computed_and_one_that_failed_is_tried_again),
        cmocka_unit_test(being_shared_is_seen_by_the_last_holder),
        cmocka_unit_test(threads_map_one_file_together_and_the_last_releases_it),
        cmocka_unit_test(what_was_forgotten_is_read_again),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
