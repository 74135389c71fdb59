/* SPDX-License-Identifier: Apache-2.0
 * Files: whole or not at all, directories, locks, and what each failure says. */
#include "test.h"

#include "core/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static int32_t exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void assert_holds(const char *path, const char *text)
{
    uint64_t bytes = 0;
    char *content = test_read_file(path, &bytes);
    assert_int_equal(bytes, strlen(text));
    assert_string_equal(content, text);
    free(content);
}

static void directories_are_made_below_each_other_and_may_exist(void **state)
{
    (void)state;
    fedn_error err;
    struct stat info;
    char *deep = fedn__fs_join(scratch, "a/b//c/");
    char *file = fedn__fs_join(scratch, "plain");
    char *below = fedn__fs_join(file, "x");

    assert_ok(fedn__fs_mkdirs(deep, &err), &err);
    assert_ok(fedn__fs_mkdirs(deep, &err), &err);
    assert_int_equal(stat(deep, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    test_write_file(file, "x", 1);
    assert_fails(fedn__fs_mkdirs(file, &err), FEDN_ERR_IO, &err, "plain not_a_directory");
    assert_fails(fedn__fs_mkdirs(below, &err), FEDN_ERR_IO, &err, "plain");
    assert_fails(fedn__fs_mkdirs("", &err), FEDN_ERR_IO, &err, "directory");
    fedn__free(deep);
    fedn__free(file);
    fedn__free(below);
}

static void a_tree_is_removed_without_following_links(void **state)
{
    (void)state;
    fedn_error err;
    char *tree = fedn__fs_join(scratch, "tree");
    char *deep = fedn__fs_join(tree, "x/y");
    char *kept = fedn__fs_join(scratch, "kept");
    char *link_path = fedn__fs_join(tree, "link");

    assert_ok(fedn__fs_mkdirs(deep, &err), &err);
    assert_ok(fedn__fs_mkdirs(kept, &err), &err);
    assert_int_equal(symlink(kept, link_path), 0);
    assert_ok(fedn__fs_remove_tree(tree, &err), &err);
    assert_false(exists(tree));
    assert_true(exists(kept));
    assert_ok(fedn__fs_remove_tree(tree, &err), &err);
    assert_ok(fedn__fs_unlink(tree, &err), &err);
    fedn__free(tree);
    fedn__free(deep);
    fedn__free(kept);
    fedn__free(link_path);
}

static void a_file_appears_with_its_commit_only(void **state)
{
    (void)state;
    fedn_error err;
    int fd = -1;
    char *path = fedn__fs_join(scratch, "model");
    char *part = fedn__strf("%s.part", path);

    for (int32_t durable = 0; durable < 2; durable++) {
        assert_ok(fedn__fs_create(path, &fd, &err), &err);
        assert_ok(fedn__fs_write(fd, "hello", 5, &err), &err);
        assert_ok(fedn__fs_write_at(fd, 1, "a", 1, &err), &err);
        assert_int_equal(exists(path), durable);
        assert_true(exists(part));
        assert_ok(fedn__fs_commit(fd, path, durable, &err), &err);
        assert_holds(path, "hallo");
        assert_false(exists(part));
    }
    assert_ok(fedn__fs_create(path, &fd, &err), &err);
    fedn__fs_abandon(fd, path);
    assert_holds(path, "hallo");
    assert_false(exists(part));
    fedn__free(path);
    fedn__free(part);
}

static void a_commit_that_fails_leaves_neither_part_nor_descriptor(void **state)
{
    (void)state;
    fedn_error err;
    int fd = -1;
    char *path = fedn__fs_join(scratch, "taken");
    char *inside = fedn__fs_join(path, "full");
    char *part = fedn__strf("%s.part", path);

    assert_ok(fedn__fs_mkdirs(inside, &err), &err);
    assert_ok(fedn__fs_create(path, &fd, &err), &err);
    assert_fails(fedn__fs_commit(fd, path, 1, &err), FEDN_ERR_IO, &err, "taken");
    assert_false(exists(part));
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    fedn__free(path);
    fedn__free(inside);
    fedn__free(part);
}

static void a_part_that_is_a_link_is_not_written_through(void **state)
{
    (void)state;
    fedn_error err;
    int fd = -1;
    char *victim = fedn__fs_join(scratch, "victim");
    char *path = fedn__fs_join(scratch, "trap");
    char *part = fedn__strf("%s.part", path);

    test_write_file(victim, "safe", 4);
    assert_int_equal(symlink(victim, part), 0);
    assert_fails(fedn__fs_create(path, &fd, &err), FEDN_ERR_IO, &err, "trap.part");
    assert_int_equal(fd, -1);
    assert_holds(victim, "safe");
    fedn__free(victim);
    fedn__free(path);
    fedn__free(part);
}

static void a_path_that_is_too_long_is_refused_and_nothing_is_touched(void **state)
{
    (void)state;
    static char path[PATH_MAX + 16];
    fedn_error err;
    int fd = -1;

    memset(path, 'p', sizeof path - 1);
    assert_fails(fedn__fs_create(path, &fd, &err), FEDN_ERR_IO, &err, "cannot_write");
    assert_int_equal(fd, -1);
    fedn__fs_abandon(-1, path);
}

static void a_file_is_moved_and_copied_whole(void **state)
{
    (void)state;
    fedn_error err;
    char *from = fedn__fs_join(scratch, "from");
    char *to = fedn__fs_join(scratch, "to");
    char *copy = fedn__fs_join(scratch, "copy");

    for (int32_t durable = 0; durable < 2; durable++) {
        assert_ok(fedn__fs_write_file(from, "0123", 4, durable, &err), &err);
        assert_ok(fedn__fs_move(from, to, durable, &err), &err);
        assert_false(exists(from));
        assert_holds(to, "0123");
        assert_fails(fedn__fs_move(from, to, durable, &err), FEDN_ERR_NOT_FOUND, &err, "from");
    }
    assert_ok(fedn__fs_copy(to, copy, &err), &err);
    assert_holds(copy, "0123");
    assert_fails(fedn__fs_copy(from, copy, &err), FEDN_ERR_NOT_FOUND, &err, "from");
    assert_fails(fedn__fs_copy(scratch, copy, &err), FEDN_ERR_IO, &err, "cannot_read");
    assert_holds(copy, "0123");
    fedn__free(from);
    fedn__free(to);
    fedn__free(copy);
}

/* /dev/shm is another file system than the scratch directory on most machines. */
static void a_file_crosses_file_systems(void **state)
{
    (void)state;
    fedn_error err;
    char *other = NULL;
    struct stat here;
    struct stat there;

    if (stat("/dev/shm", &there) != 0 || stat(scratch, &here) != 0 || there.st_dev == here.st_dev ||
        fedn__fs_temp_dir("/dev/shm", "fedn-test-", &other, &err) != FEDN_OK)
        skip();
    char *from = fedn__fs_join(other, "from");
    char *to = fedn__fs_join(scratch, "crossed");
    test_write_file(from, "over", 4);
    assert_ok(fedn__fs_move(from, to, 1, &err), &err);
    assert_holds(to, "over");
    assert_false(exists(from));
    assert_ok(fedn__fs_remove_tree(other, &err), &err);
    fedn__free(from);
    fedn__free(to);
    fedn__free(other);
}

static void a_file_is_read_up_to_the_limit_to_the_byte(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 4095, 4096, 4097, 20000};
    fedn_error err;
    char *path = fedn__fs_join(scratch, "sized");

    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *content = calloc(1, sizes[i] + 1);
        char *text = NULL;
        uint64_t bytes = 99;
        memset(content, 'r', sizes[i]);
        test_write_file(path, content, sizes[i]);
        assert_ok(fedn__fs_read(path, sizes[i], &text, &bytes, &err), &err);
        assert_int_equal(bytes, sizes[i]);
        assert_string_equal(text, content);
        fedn__free(text);
        assert_ok(fedn__fs_size(path, &bytes, &err), &err);
        assert_int_equal(bytes, sizes[i]);
        if (sizes[i]) {
            assert_fails(fedn__fs_read(path, sizes[i] - 1, &text, &bytes, &err), FEDN_ERR_LIMIT,
                         &err, "sized over");
            assert_null(text);
        }
        free(content);
    }
    fedn__free(path);
}

static void files_without_a_size_are_read_to_their_end(void **state)
{
    (void)state;
    fedn_error err;
    char *text = NULL;
    uint64_t bytes = 0;

    assert_ok(fedn__fs_read("/proc/self/status", 100000, &text, &bytes, &err), &err);
    assert_non_null(strstr(text, "Threads:"));
    fedn__free(text);
    assert_fails(fedn__fs_read("/dev/zero", 10000, &text, &bytes, &err), FEDN_ERR_LIMIT, &err,
                 "/dev/zero 10000");
    assert_fails(fedn__fs_read(scratch, 100, &text, NULL, &err), FEDN_ERR_IO, &err, "cannot_read");
}

/* The limit on file size stands for a full disk. In a child, which loses its signal. */
static void a_full_disk_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    char *path = fedn__fs_join(scratch, "big");
    char *part = fedn__strf("%s.part", path);
    pid_t child = fork();

    if (child == 0) {
        struct rlimit small = {8192, 8192};
        static char data[20000];
        fedn_error err;
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &small);
        fedn_status rc = fedn__fs_write_file(path, data, sizeof data, 0, &err);
        _exit(rc == FEDN_ERR_IO && err.detail == EFBIG ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_false(exists(path));
    assert_false(exists(part));
    fedn__free(path);
    fedn__free(part);
}

static void a_directory_is_locked_once_and_free_again_when_closed(void **state)
{
    (void)state;
    fedn_error err;
    int first = -1;
    int second = -1;
    char pid[32];

    snprintf(pid, sizeof pid, "process_%ld: in_use", (long)getpid());
    assert_ok(fedn__fs_lock(scratch, &first, &err), &err);
    assert_fails(fedn__fs_lock(scratch, &second, &err), FEDN_ERR_STATE, &err, pid);
    assert_int_equal(second, -1);
    close(first);
    assert_ok(fedn__fs_lock(scratch, &second, &err), &err);
    close(second);
    assert_fails(fedn__fs_lock("/nowhere", &second, &err), FEDN_ERR_NOT_FOUND, &err, "/nowhere");
}

static void temporary_directories_are_new_and_name_their_parent_on_failure(void **state)
{
    (void)state;
    fedn_error err;
    char *one = NULL;
    char *two = NULL;

    assert_ok(fedn__fs_temp_dir(scratch, "t-", &one, &err), &err);
    assert_ok(fedn__fs_temp_dir(scratch, "t-", &two, &err), &err);
    assert_string_not_equal(one, two);
    fedn__free(one);
    fedn__free(two);
    assert_fails(fedn__fs_temp_dir("/nowhere", "t-", &one, &err), FEDN_ERR_NOT_FOUND, &err,
                 "/nowhere");
    assert_null(one);
}

static void names_are_joined_with_one_slash(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}, {"", "b", "/b"}};

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path = fedn__fs_join(cases[i][0], cases[i][1]);
        assert_string_equal(path, cases[i][2]);
        fedn__free(path);
    }
}

static fedn_status touch_files(void *arg)
{
    fedn_error err;
    char *dir = NULL;
    char *path = NULL;
    char *text = NULL;
    int fd = -1;

    fedn_status rc = fedn__fs_temp_dir(arg, "oom-", &dir, &err);
    if (rc != FEDN_OK)
        return rc;
    rc = fedn__fs_mkdirs(dir, &err);
    path = fedn__strf("%s/file", dir);
    if (!path)
        rc = FEDN_ERR_NOMEM;
    if (rc == FEDN_OK)
        rc = fedn__fs_write_file(path, "content", 7, 1, &err);
    if (rc == FEDN_OK)
        rc = fedn__fs_read(path, 10000, &text, NULL, &err);
    if (rc == FEDN_OK)
        rc = fedn__fs_lock(dir, &fd, &err);
    if (rc == FEDN_OK)
        rc = fedn__fs_copy(path, path, &err);
    if (fd >= 0)
        close(fd);
    assert_int_equal(fedn__fs_remove_tree(dir, NULL), FEDN_OK);
    fedn__free(text);
    fedn__free(path);
    fedn__free(dir);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(touch_files, scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directories_are_made_below_each_other_and_may_exist),
        cmocka_unit_test(a_tree_is_removed_without_following_links),
        cmocka_unit_test(a_file_appears_with_its_commit_only),
        cmocka_unit_test(a_commit_that_fails_leaves_neither_part_nor_descriptor),
        cmocka_unit_test(a_part_that_is_a_link_is_not_written_through),
        cmocka_unit_test(a_path_that_is_too_long_is_refused_and_nothing_is_touched),
        cmocka_unit_test(a_file_is_moved_and_copied_whole),
        cmocka_unit_test(a_file_crosses_file_systems),
        cmocka_unit_test(a_file_is_read_up_to_the_limit_to_the_byte),
        cmocka_unit_test(files_without_a_size_are_read_to_their_end),
        cmocka_unit_test(a_full_disk_is_an_error_and_leaves_nothing),
        cmocka_unit_test(a_directory_is_locked_once_and_free_again_when_closed),
        cmocka_unit_test(temporary_directories_are_new_and_name_their_parent_on_failure),
        cmocka_unit_test(names_are_joined_with_one_slash),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
