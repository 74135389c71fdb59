/* SPDX-License-Identifier: Apache-2.0
 * Compute packages at the REST API of a reducer: taken and given out, chosen, refused. */
#include "core/alloc.h"
#include "core/thread.h"
#include "http/client.h"
#include "reducer_rig.h"
#include "test.h"

#include <fedn/package.h>
#include <stdlib.h>
#include <sys/stat.h>

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

/* An archive of a folder with this one file; free() it. */
static char *archive(reducer_rig *rig, const char *file, uint64_t *ret_bytes)
{
    static const char plan[] = "entry_points:\n  train:\n    command: cp\n";
    char dir[256];
    char path[512];
    char packed[512];
    fedn_error err;

    snprintf(dir, sizeof dir, "%s/folder", rig->dir);
    mkdir(dir, 0700);
    snprintf(path, sizeof path, "%s/fedn.yaml", dir);
    test_write_file(path, plan, sizeof plan - 1);
    snprintf(packed, sizeof packed, "%s/packed.tgz", rig->dir);
    assert_ok(fedn_package_create(dir, packed, NULL, &err), &err);
    if (strcmp(file, "fedn.yaml") != 0) {
        char command[2048];
        snprintf(command, sizeof command, "cd %s && mv fedn.yaml %s && tar -czf %s %s", dir, file,
                 packed, file);
        assert_int_equal(system(command), 0);
    }
    return test_read_file(packed, ret_bytes);
}

/* Uploads one; its id, which the caller frees. */
static char *add(reducer_rig *rig, const char *name, const char *helper)
{
    uint64_t bytes = 0;
    char *data = archive(rig, "fedn.yaml", &bytes);

    json_decref(upload(rig, name, helper, data, bytes, 200));
    free(data);
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
    uint64_t bytes = 0;
    char packed[512];
    char *sum = NULL;
    fedn_error err;
    char *sent = archive(rig, "fedn.yaml", &bytes);
    uint64_t got = 0;
    char *data = reducer_rig_file(rig, "api/v1/packages/download", &got);
    assert_int_equal(got, bytes);
    assert_memory_equal(data, sent, bytes);
    free(data);
    free(sent);
    snprintf(packed, sizeof packed, "%s/packed.tgz", rig->dir);
    assert_ok(fedn_package_checksum(packed, &sum, &err), &err);
    json_t *said = get(rig, "api/v1/packages/checksum", 200);
    assert_string_equal(text(said, "checksum"), sum);
    json_decref(said);
    fedn_free(sum);
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

static void set_helper(reducer_rig *rig, const char *name)
{
    char body[64];

    snprintf(body, sizeof body, "{\"helper\": \"%s\"}", name);
    json_decref(reducer_rig_send(rig, "PUT", "api/v1/helpers/active", NULL, body, 200));
}

/* As in FEDn: a helper alone is shown as if it were a package, and one set later than a package
 * is that of the active package. */
static void the_helper_of_the_active_package_is_the_one_set_last(void **state)
{
    reducer_rig *rig = *state;

    set_helper(rig, "binaryhelper");
    json_t *active = get(rig, "api/v1/packages/active", 200);
    assert_string_equal(text(active, "helper"), "binaryhelper");
    assert_true(json_is_null(json_object_get(active, "package_id")));
    json_decref(active);
    char *id = add(rig, "adds", "numpyhelper");
    set_helper(rig, "androidhelper");
    active = get(rig, "api/v1/packages/active", 200);
    assert_string_equal(text(active, "package_id"), id);
    assert_string_equal(text(active, "helper"), "androidhelper");
    json_decref(active);
    free(id);
}

/* As a crash leaves it between the two: the package's record is what counts. */
static void the_helper_of_a_package_is_of_one_transaction_with_it(void **state)
{
    reducer_rig *rig = *state;
    char *id = add(rig, "adds", "androidhelper");
    char path[512];

    snprintf(path, sizeof path, "%s/reducer/helper", rig->dir);
    test_write_file(path, "binaryhelper", 12);
    reducer_rig_restart(rig);
    json_t *helper = get(rig, "api/v1/helpers/active", 200);
    assert_string_equal(json_string_value(helper), "androidhelper");
    json_decref(helper);
    free(id);
}

enum { SETTERS = 4, TIMES = 25 };

typedef struct setter {
    pthread_t thread;
    char url[128];
    int32_t good;
} setter;

static void *set_often(void *arg)
{
    setter *self = arg;
    const fedn__http_call call = {.method = "PUT",
                                  .url = self->url,
                                  .body = "{\"helper\": \"numpyhelper\"}",
                                  .timeout_ms = 20000,
                                  .max_bytes = 65536};
    fedn__http_client *client = NULL;
    fedn_error err;

    if (fedn__http_client_new(&client, &err) != FEDN_OK)
        return NULL;
    for (uint32_t i = 0; i < TIMES; i++) {
        int32_t status = 0;
        uint64_t bytes = 0;
        char *answer = NULL;
        if (fedn__http_fetch(client, &call, &status, &answer, &bytes, &err) == FEDN_OK)
            self->good += status == 200;
        fedn__free(answer);
    }
    fedn__http_client_free(client);
    return NULL;
}

static void many_set_the_helper_at_once(void **state)
{
    reducer_rig *rig = *state;
    setter setters[SETTERS] = {0};
    fedn_error err;

    for (uint32_t i = 0; i < SETTERS; i++) {
        snprintf(setters[i].url, sizeof setters[i].url, "http://127.0.0.1:%d/api/v1/helpers/active",
                 (int)fedn_reducer_http_port(rig->reducer));
        assert_ok(fedn__thread_start(&setters[i].thread, "setter", set_often, &setters[i], &err),
                  &err);
    }
    for (uint32_t i = 0; i < SETTERS; i++)
        pthread_join(setters[i].thread, NULL);
    for (uint32_t i = 0; i < SETTERS; i++)
        assert_int_equal(setters[i].good, TIMES);
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
    json_decref(get(rig, "api/v1/packages/active", 404));
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
    refuses(rig, upload(rig, "cut", "numpyhelper", "\x1f\x8b\x08 cut", 7, 400),
            "package.tar.gz no tar");
    uint64_t bytes = 0;
    char *data = archive(rig, "fedn.yaml", &bytes);
    refuses(rig, upload(rig, "odd", "nonesuch", data, bytes, 400), "\"nonesuch\" numpyhelper");
    refuses(rig, upload(rig, long_name, "numpyhelper", data, bytes, 400), "name 255");
    free(data);
    data = archive(rig, "other.yaml", &bytes);
    refuses(rig, upload(rig, "bare", "numpyhelper", data, bytes, 400), "no fedn.yaml");
    free(data);
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
        EACH(the_helper_of_the_active_package_is_the_one_set_last),
        EACH(the_helper_of_a_package_is_of_one_transaction_with_it),
        EACH(many_set_the_helper_at_once),
        EACH(clients_wait_for_a_package),
        EACH(what_no_client_could_use_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
