/* SPDX-License-Identifier: Apache-2.0
 * Parts of models in a directory: whose they are, what is there, how many stay. */
#include "test.h"

#include "core/fs.h"
#include "core/limits.h"
#include "rpc/parts.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char *file_with(const char *dir, const char *id, const char *owner, const char *text)
{
    char *path = fedn__part_path(dir, id, owner);

    test_write_file(path, text, strlen(text));
    return path;
}

static int32_t exists(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0;
}

static void age(const char *path, int64_t by_ms)
{
    struct timespec times[2];

    assert_int_equal(clock_gettime(CLOCK_REALTIME, &times[0]), 0);
    times[0].tv_sec -= by_ms / 1000;
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void the_name_is_of_the_model_and_its_owner(void **state)
{
    static const char *const owners[] = {NULL, "", "a", "b", "../a", "a/b"};
    char *paths[6];

    for (uint32_t i = 0; i < 6; i++) {
        paths[i] = fedn__part_path(*state, "id", owners[i]);
        assert_null(strchr(paths[i] + strlen(*state) + 1, '/'));
        for (uint32_t j = 0; j < i; j++)
            assert_string_not_equal(paths[i], paths[j]);
    }
    for (uint32_t i = 0; i < 6; i++)
        fedn__free(paths[i]);
}

static void what_is_there_is_measured(void **state)
{
    uint8_t digest[FEDN__DIGEST_BYTES];
    uint8_t expected[FEDN__DIGEST_BYTES];
    uint64_t bytes = 99;
    fedn_error err;
    char *none = fedn__part_path(*state, "none", NULL);
    char *some = file_with(*state, "some", NULL, "0123456789");

    assert_ok(fedn__part_look(none, &bytes, digest, &err), &err);
    assert_int_equal(bytes, 0);
    assert_ok(fedn__part_look(some, &bytes, digest, &err), &err);
    assert_int_equal(bytes, 10);
    fedn__digest_of("0123456789", 10, expected);
    assert_memory_equal(digest, expected, sizeof digest);
    assert_fails(fedn__part_look(*state, &bytes, digest, &err), FEDN_ERR_IO, &err, "cannot_read");
    fedn__free(none);
    fedn__free(some);
}

static void it_is_gone_on_with_behind_all_that_is_there_or_anew(void **state)
{
    uint8_t seen[FEDN__DIGEST_BYTES];
    uint8_t expected[FEDN__DIGEST_BYTES];
    fedn_error err;
    int fd = -1;
    char *path = file_with(*state, "id", "me", "0123456789");
    fedn__digest *sums = fedn__digest_new();

    assert_fails(fedn__part_open(path, 9, sums, &fd, &err), FEDN_ERR_UNAVAILABLE, &err,
                 "at_byte_9 10_bytes ask");
    assert_fails(fedn__part_open(path, 11, sums, &fd, &err), FEDN_ERR_UNAVAILABLE, &err,
                 "at_byte_11 10_bytes");
    fedn__digest_free(sums);
    sums = fedn__digest_new();
    assert_ok(fedn__part_open(path, 10, sums, &fd, &err), &err);
    fedn__digest_value(sums, seen);
    fedn__digest_of("0123456789", 10, expected);
    assert_memory_equal(seen, expected, sizeof seen);
    assert_ok(fedn__fs_write(fd, "ab", 2, &err), &err);
    int second = -1;
    assert_fails(fedn__part_open(path, 12, sums, &second, &err), FEDN_ERR_UNAVAILABLE, &err,
                 "another_transfer");
    assert_int_equal(second, -1);
    close(fd);
    uint64_t bytes = 0;
    char *text = test_read_file(path, &bytes);
    assert_int_equal(bytes, 12);
    assert_memory_equal(text, "0123456789ab", 12);
    free(text);
    assert_ok(fedn__part_open(path, 0, sums, &fd, &err), &err);
    close(fd);
    assert_ok(fedn__part_look(path, &bytes, seen, &err), &err);
    assert_int_equal(bytes, 0);
    fedn__digest_free(sums);
    fedn__free(path);
}

static void the_old_go_and_the_newest_stay(void **state)
{
    enum { COUNT = 9 };
    char *paths[COUNT];
    fedn_error err;
    char name[8];
    int fd = -1;

    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "p%u", i);
        paths[i] = file_with(*state, name, "me", "x");
        age(paths[i], (int64_t)i * 1000 + 500);
    }
    char *other = fedn__fs_join(*state, "kept.txt");
    test_write_file(other, "x", 1);
    age(other, 100 * (int64_t)FEDN__LIMIT_PART_MS);
    /* the oldest is being written, the next was left alone for too long */
    fedn__digest *sums = fedn__digest_new();
    assert_ok(fedn__part_open(paths[8], 0, sums, &fd, &err), &err);
    age(paths[8], 3 * (int64_t)FEDN__LIMIT_PART_MS);
    age(paths[7], 2 * (int64_t)FEDN__LIMIT_PART_MS);
    fedn__parts_sweep(*state, 100);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(exists(paths[i]), i != 7);
    fedn__parts_sweep(*state, 3);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(exists(paths[i]), i < 3 || i == 8);
    close(fd);
    assert_ok(fedn__parts_open(*state, 100, &err), &err);
    assert_int_equal(exists(paths[8]), 0);
    assert_int_equal(exists(other), 1);
    fedn__parts_sweep("/nowhere/at/all", 1);
    fedn__digest_free(sums);
    fedn__free(other);
    for (uint32_t i = 0; i < COUNT; i++)
        fedn__free(paths[i]);
}

static fedn_status open_and_look(void *arg)
{
    uint8_t digest[FEDN__DIGEST_BYTES];
    uint64_t bytes = 0;
    fedn_error err;
    int fd = -1;
    char *path = fedn__part_path(arg, "id", "me");
    fedn__digest *sums = fedn__digest_new();
    fedn_status rc = path && sums ? FEDN_OK : FEDN_ERR_NOMEM;

    if (rc == FEDN_OK) {
        test_write_file(path, "0123456789", 10);
        rc = fedn__part_look(path, &bytes, digest, &err);
    }
    if (rc == FEDN_OK)
        rc = fedn__part_open(path, bytes, sums, &fd, &err);
    if (rc == FEDN_OK)
        close(fd);
    fedn__parts_sweep(arg, 1); /* without memory it does nothing */
    fedn__digest_free(sums);
    fedn__free(path);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    test_fail_each_allocation(open_and_look, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_scratch_setup, test_scratch_teardown)
        TEST(the_name_is_of_the_model_and_its_owner),
        TEST(what_is_there_is_measured),
        TEST(it_is_gone_on_with_behind_all_that_is_there_or_anew),
        TEST(the_old_go_and_the_newest_stay),
        TEST(each_allocation_may_fail),
    };

    return cmocka_run_group_tests_name("rpc parts", tests, NULL, NULL);
}
