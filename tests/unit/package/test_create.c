/* SPDX-License-Identifier: Apache-2.0
 * Packages as they are made of folders. */
#include "core/alloc.h"
#include "core/fs.h"
#include "core/limits.h"
#include "test.h"
#include <fedn/package.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(const char *dir, const char *name, const char *text)
{
    char *path = fedn__fs_join(dir, name);

    test_write_file(path, text, strlen(text));
    fedn__free(path);
}

static void make(const char *dir, const char *name)
{
    char *path = fedn__fs_join(dir, name);

    assert_int_equal(mkdir(path, 0700), 0);
    fedn__free(path);
}

static void what_is_ignored_stays_out_and_bytes_stay_the_same(void **state)
{
    char *one = fedn__fs_join(*state, "one.tgz");
    char *two = fedn__fs_join(*state, "folder/two.tgz");
    char *folder = fedn__fs_join(*state, "folder");
    char *out = fedn__fs_join(*state, "out");
    char *sums[2] = {NULL, NULL};
    uint64_t files = 0;
    fedn_error err;

    make(*state, "folder");
    make(*state, "folder/data");
    make(*state, "folder/env");
    assert_fails(fedn_package_create(folder, one, &files, &err), FEDN_ERR_NOT_FOUND, &err,
                 "fedn.yaml");
    put(*state, "folder/fedn.yaml", "entry_points: {}\n");
    put(*state, "folder/.fednignore", "# a comment\n  data  \n*.log\n");
    put(*state, "folder/data/x.csv", "1\n");
    put(*state, "folder/a.log", "1\n");
    put(*state, "folder/env/pyvenv.cfg", "home = /usr\n");
    assert_ok(fedn_package_create(folder, one, &files, &err), &err);
    assert_int_equal(files, 2);
    assert_ok(fedn_package_create(folder, two, &files, &err), &err);
    assert_int_equal(files, 2); /* not itself */
    assert_ok(fedn_package_checksum(one, &sums[0], &err), &err);
    assert_ok(fedn_package_checksum(two, &sums[1], &err), &err);
    assert_string_equal(sums[0], sums[1]);
    assert_ok(fedn_package_extract(one, out, &err), &err);
    for (uint32_t i = 0; i < 2; i++)
        fedn__free(sums[i]);
    fedn__free(out);
    fedn__free(folder);
    fedn__free(two);
    fedn__free(one);
}

static int32_t is_there(const char *dir, const char *name)
{
    char *path = fedn__fs_join(dir, name);
    int32_t found = access(path, F_OK) == 0;

    fedn__free(path);
    return found;
}

/* The locale of this program is "C". */
static void names_are_kept_whatever_the_locale_is(void **state)
{
    char *archive = fedn__fs_join(*state, "names.tgz");
    char *folder = fedn__fs_join(*state, "folder");
    char *out = fedn__fs_join(*state, "out");
    char name[FEDN__LIMIT_NAME_BYTES + 1] = "";
    char path[FEDN__LIMIT_NAME_BYTES + 16];
    fedn_error err;

    while (strlen(name) < 240)
        strcat(name, "\xc3\xa4");
    make(*state, "folder");
    put(*state, "folder/fedn.yaml", "entry_points: {}\n");
    put(*state, "folder/mod\xc3\xa8le.py", "\n");
    snprintf(path, sizeof path, "folder/%s", name);
    put(*state, path, "\n");
    assert_ok(fedn_package_create(folder, archive, NULL, &err), &err);
    assert_ok(fedn_package_extract(archive, out, &err), &err);
    assert_true(is_there(out, "mod\xc3\xa8le.py"));
    assert_true(is_there(out, name));
    fedn__free(out);
    fedn__free(folder);
    fedn__free(archive);
}

static void what_nobody_could_unpack_is_not_made(void **state)
{
    char *archive = fedn__fs_join(*state, "names.tgz");
    char *folder = fedn__fs_join(*state, "folder");
    char *sums[2] = {NULL, NULL};
    fedn_error err;

    make(*state, "folder");
    put(*state, "folder/fedn.yaml", "entry_points: {}\n");
    assert_ok(fedn_package_create(folder, archive, NULL, &err), &err);
    assert_ok(fedn_package_checksum(archive, &sums[0], &err), &err);
    put(*state, "folder/two\nlines", "\n");
    assert_fails(fedn_package_create(folder, archive, NULL, &err), FEDN_ERR_FORMAT, &err,
                 "names.tgz lines printable");
    assert_false(is_there(*state, "names.tgz.part"));
    assert_ok(fedn_package_checksum(archive, &sums[1], &err), &err);
    assert_string_equal(sums[0], sums[1]); /* the one from before is still there */
    for (uint32_t i = 0; i < 2; i++)
        fedn__free(sums[i]);
    fedn__free(folder);
    fedn__free(archive);
}

static void patterns_are_those_of_fnmatch(void **state)
{
    char *archive = fedn__fs_join(*state, "out.tgz");
    char *folder = fedn__fs_join(*state, "folder");
    uint64_t files = 0;
    fedn_error err;

    make(*state, "folder");
    make(*state, "folder/src");
    put(*state, "folder/fedn.yaml", "entry_points: {}\n");
    put(*state, "folder/.fednignore", "src/*.tmp\n[ab].txt\n[!c].csv\nback\\*\n");
    static const char *const left_out[] = {"src/x.tmp", "a.txt", "src/b.txt", "d.csv", "back\\1"};
    static const char *const taken[] = {"x.tmp", "c.txt", "c.csv", "back1", "src/main.py"};
    for (uint32_t i = 0; i < 5; i++) {
        char path[64];
        snprintf(path, sizeof path, "folder/%s", left_out[i]);
        put(*state, path, "\n");
        snprintf(path, sizeof path, "folder/%s", taken[i]);
        put(*state, path, "\n");
    }
    assert_ok(fedn_package_create(folder, archive, &files, &err), &err);
    assert_int_equal(files, 2 + 5);
    fedn__free(folder);
    fedn__free(archive);
}

static fedn_status create_once(void *state)
{
    char archive[4096];
    char dir[4096];

    snprintf(archive, sizeof archive, "%s/oom.tgz", (const char *)state);
    snprintf(dir, sizeof dir, "%s/folder", (const char *)state);
    return fedn_package_create(dir, archive, NULL, NULL);
}

static void each_allocation_may_fail(void **state)
{
    make(*state, "folder");
    make(*state, "folder/src");
    put(*state, "folder/fedn.yaml", "entry_points: {}\n");
    put(*state, "folder/.fednignore", "*.log\n");
    put(*state, "folder/src/main.py", "\n");
    test_fail_each_allocation(create_once, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_ignored_stays_out_and_bytes_stay_the_same,
                                        test_scratch_setup, test_scratch_teardown),
        cmocka_unit_test_setup_teardown(names_are_kept_whatever_the_locale_is, test_scratch_setup,
                                        test_scratch_teardown),
        cmocka_unit_test_setup_teardown(what_nobody_could_unpack_is_not_made, test_scratch_setup,
                                        test_scratch_teardown),
        cmocka_unit_test_setup_teardown(patterns_are_those_of_fnmatch, test_scratch_setup,
                                        test_scratch_teardown),
        cmocka_unit_test_setup_teardown(each_allocation_may_fail, test_scratch_setup,
                                        test_scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
