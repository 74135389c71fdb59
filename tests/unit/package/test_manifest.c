/* SPDX-License-Identifier: Apache-2.0
 * fedn.yaml as it is read, and packages as they are made of folders. */
#include "core/alloc.h"
#include "core/fs.h"
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

static void commands_and_environment_are_read(void **state)
{
    fedn_package *package = NULL;
    fedn_error err;

    make(*state, "client");
    put(*state, "client/fedn.yaml",
        "python_env: env.yaml\nentry_points:\n  train:\n    command: python train.py\n");
    put(*state, "client/env.yaml",
        "name: mine\nbuild_dependencies: [pip, wheel]\ndependencies:\n  - numpy==1.26\n");
    assert_ok(fedn_package_open(*state, &package, &err), &err);
    assert_string_equal(fedn_package_command(package, "train"), "python train.py");
    assert_null(fedn_package_command(package, "validate"));
    assert_string_equal(fedn_package_env_name(package), "mine");
    assert_string_equal(fedn_package_env_requirements(package, 1), "pip\nwheel\n");
    assert_string_equal(fedn_package_env_requirements(package, 0), "numpy==1.26\n");
    assert_string_equal(strrchr(fedn_package_root(package), '/'), "/client");
    fedn_package_free(package);
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
    static const char *const texts[][2] = {
        {"", "fedn.yaml map"},
        {"- 1\n", "fedn.yaml map"},
        {"a: [\n", "fedn.yaml line YAML"},
        {"entry_points:\n", "fedn.yaml line 1 entry_points"},
        {"entry_points:\n  train: run\n", "fedn.yaml line 2 command"},
        {"entry_points:\n  train:\n    cmd: run\n", "fedn.yaml line 2 no command"},
        {"entry_points: {}\npython_env: gone.yaml\n", "gone.yaml"},
        {"entry_points: {}\npython_env: env.yaml\n", "env.yaml name folder"},
    };
    fedn_package *package = NULL;
    fedn_error err;

    put(*state, "env.yaml", "name: ../../home\n");
    assert_fails(fedn_package_open(*state, &package, &err), FEDN_ERR_NOT_FOUND, &err, "fedn.yaml");
    for (uint32_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put(*state, "fedn.yaml", texts[i][0]);
        assert_int_not_equal(fedn_package_open(*state, &package, &err), FEDN_OK);
        test_assert_words(err.message, texts[i][1]);
        assert_null(package);
    }
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
    put(*state, "folder/na\xc3\xafve caf\xc3\xa9.py", "1\n"); /* in the C locale too */
    put(*state, "folder/env/pyvenv.cfg", "home = /usr\n");
    assert_ok(fedn_package_create(folder, one, &files, &err), &err);
    assert_int_equal(files, 3);
    assert_ok(fedn_package_create(folder, two, &files, &err), &err);
    assert_int_equal(files, 3); /* not itself */
    assert_ok(fedn_package_checksum(one, &sums[0], &err), &err);
    assert_ok(fedn_package_checksum(two, &sums[1], &err), &err);
    assert_string_equal(sums[0], sums[1]);
    assert_ok(fedn_package_extract(one, out, &err), &err);
    char *accents = fedn__fs_join(out, "na\xc3\xafve caf\xc3\xa9.py");
    assert_int_equal(access(accents, R_OK), 0);
    fedn__free(accents);
    for (uint32_t i = 0; i < 2; i++)
        fedn__free(sums[i]);
    fedn__free(out);
    fedn__free(folder);
    fedn__free(two);
    fedn__free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands_and_environment_are_read, test_scratch_setup,
                                        test_scratch_teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_told_with_its_line, test_scratch_setup,
                                        test_scratch_teardown),
        cmocka_unit_test_setup_teardown(what_is_ignored_stays_out_and_bytes_stay_the_same,
                                        test_scratch_setup, test_scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
