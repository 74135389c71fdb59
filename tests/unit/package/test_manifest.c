/* SPDX-License-Identifier: Apache-2.0
 * fedn.yaml as it is read. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands_and_environment_are_read, test_scratch_setup,
                                        test_scratch_teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_told_with_its_line, test_scratch_setup,
                                        test_scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
