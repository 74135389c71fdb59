/* SPDX-License-Identifier: Apache-2.0
 * Compute packages at the REST API of a reducer: taken and given out, chosen, refused. The reducer
 * looks at how an archive begins, never into it. */
#include "reducer_rig.h"
#include "test.h"

#include <stdlib.h>

static const char gzip[] = "\x1f\x8b\x08 of a package";

static json_t *get(reducer_rig *rig, const char *path, int32_t status)
{
    return reducer_rig_send(rig, "GET", path, NULL, NULL, status);
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "(none)";
}

static json_t *upload(reducer_rig *rig, const char *name, const char *helper, const void *data,
                      uint64_t bytes, int32_t status)
{
    const char *const fields[] = {"name", name, "helper", helper, "description", "of a test", NULL};
    char path[512];

    snprintf(path, sizeof path, "%s/package.tar.gz", rig->dir);
    test_write_file(path, data, bytes);
    return reducer_rig_upload(rig, "api/v1/packages/", path, fields, status);
}

/* Uploads one; its id, which the caller frees. */
static char *add(reducer_rig *rig, const char *name, const char *helper)
{
    json_decref(upload(rig, name, helper, gzip, sizeof gzip - 1, 200));
    json_t *active = get(rig, "api/v1/packages/active", 200);
    assert_string_equal(text(active, "name"), name);
    char *id = strdup(text(active, "package_id"));
    json_decref(active);
    return id;
}

static void a_package_comes_back_as_it_was(void **state)
{
    reducer_rig *rig = *state;
    char *id = add(rig, "adds", "binaryhelper");
    char wanted[80];

    json_t *record = get(rig, "api/v1/packages/active", 200);
    assert_string_equal(text(record, "file_name"), "package.tar.gz");
    assert_string_equal(text(record, "description"), "of a test");
    snprintf(wanted, sizeof wanted, "%s.tgz", id);
    assert_string_equal(text(record, "storage_file_name"), wanted);
    assert_true(json_is_true(json_object_get(record, "active")));
    char *data = reducer_rig_text(rig, "api/v1/packages/download", 200);
    assert_memory_equal(data, gzip, sizeof gzip - 1);
    free(data);
    /* of "\x1f\x8b\x08 of a package", by another program */
    json_t *sum = get(rig, "api/v1/packages/checksum", 200);
    assert_string_equal(text(sum, "checksum"),
                        "f2c713fdcba0cef29c1e7dc51042b5975089735c52a10bb8c6c6979de90763e3");
    json_decref(sum);
    json_t *helper = get(rig, "api/v1/helpers/active", 200);
    assert_string_equal(json_string_value(helper), "binaryhelper");
    json_decref(helper);
    json_t *config = get(rig, "api/v1/clients/config", 200);
    assert_string_equal(text(config, "checksum"), text(record, "checksum"));
    json_decref(config);
    config = get(rig, "api/v1/clients/config?checksum=false", 200);
    assert_null(json_object_get(config, "checksum"));
    json_decref(config);
    json_decref(record);
    free(id);
}

static void one_package_is_active_and_another_can_be_chosen(void **state)
{
    reducer_rig *rig = *state;
    char *first = add(rig, "first", "numpyhelper");
    char *second = add(rig, "second", "androidhelper");
    char body[128];

    snprintf(body, sizeof body, "{\"id\": \"%s\"}", first);
    json_decref(reducer_rig_send(rig, "PUT", "api/v1/packages/active", NULL, body, 200));
    reducer_rig_restart(rig);
    json_t *list = get(rig, "api/v1/packages/?active=true", 200);
    assert_int_equal(json_integer_value(json_object_get(list, "count")), 1);
    assert_string_equal(text(json_array_get(json_object_get(list, "result"), 0), "package_id"),
                        first);
    json_decref(list);
    json_t *helper = get(rig, "api/v1/helpers/active", 200);
    assert_string_equal(json_string_value(helper), "numpyhelper");
    json_decref(helper);
    json_decref(get(rig, "api/v1/packages/checksum?name=second", 200));
    json_decref(get(rig, "api/v1/packages/checksum?name=third", 404));
    json_decref(
        reducer_rig_send(rig, "PUT", "api/v1/packages/active", NULL, "{\"id\": \"x\"}", 404));
    json_t *said =
        reducer_rig_send(rig, "PUT", "api/v1/packages/active", NULL, "{\"name\": \"x\"}", 400);
    test_assert_words(text(said, "message"), "id: which package");
    json_decref(said);
    free(second);
    free(first);
}

/* Until there is one, clients that want its code are told to come again. */
static void clients_wait_for_a_package(void **state)
{
    reducer_rig *rig = *state;
    static const char asks[] = "{\"name\": \"c\", \"client_id\": \"c\", \"package\": \"remote\"}";

    json_t *said = reducer_rig_send(rig, "POST", "api/v1/clients/add", NULL, asks, 203);
    assert_string_equal(text(said, "status"), "retry");
    json_decref(said);
    char *id = add(rig, "adds", "numpyhelper");
    said = reducer_rig_send(rig, "POST", "api/v1/clients/add", NULL, asks, 400);
    assert_string_equal(text(said, "message"), "No combiner available.");
    json_decref(said);
    json_decref(reducer_rig_send(rig, "DELETE", "api/v1/packages/active", NULL, NULL, 200));
    json_decref(reducer_rig_send(rig, "DELETE", "api/v1/packages/active", NULL, NULL, 404));
    json_decref(reducer_rig_send(rig, "POST", "api/v1/clients/add", NULL, asks, 203));
    json_decref(get(rig, "api/v1/packages/download", 404));
    /* as in FEDn: with a helper alone, that is what is shown */
    json_t *active = get(rig, "api/v1/packages/active", 200);
    assert_string_equal(text(active, "helper"), "numpyhelper");
    assert_true(json_is_null(json_object_get(active, "package_id")));
    json_decref(active);
    free(id);
}

static void refuses(reducer_rig *rig, json_t *said, const char *words)
{
    test_assert_words(text(said, "message"), words);
    json_decref(said);
    json_t *count = get(rig, "api/v1/packages/count", 200);
    assert_int_equal(json_integer_value(count), 0);
    json_decref(count);
}

static void what_no_client_could_use_is_refused(void **state)
{
    reducer_rig *rig = *state;
    static char long_name[300];

    memset(long_name, 'n', sizeof long_name - 1);
    json_decref(get(rig, "api/v1/packages/active", 404));
    refuses(rig, upload(rig, "zip", "numpyhelper", "PK\3\4", 4, 400), "no tar archive gzip");
    refuses(rig, upload(rig, "none", "numpyhelper", "", 0, 400), "no tar archive");
    refuses(rig, upload(rig, "odd", "nonesuch", gzip, sizeof gzip - 1, 400),
            "\"nonesuch\" numpyhelper");
    refuses(rig, upload(rig, long_name, "numpyhelper", gzip, sizeof gzip - 1, 400), "name 255");
    refuses(rig,
            reducer_rig_send(rig, "POST", "api/v1/packages/",
                             "Content-Type: application/x-www-form-urlencoded", "name=x", 400),
            "no file named");
    json_decref(get(rig, "api/v1/helpers/active", 404));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define EACH(name) cmocka_unit_test_setup_teardown(name, reducer_rig_setup, reducer_rig_teardown)
        EACH(a_package_comes_back_as_it_was),
        EACH(one_package_is_active_and_another_can_be_chosen),
        EACH(clients_wait_for_a_package),
        EACH(what_no_client_could_use_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
