/* SPDX-License-Identifier: Apache-2.0
 * Models at the REST API of a reducer: taken and given out; refused, cut off. */
#include "reducer_rig.h"
#include "test.h"

#include <arpa/inet.h>
#include <fedn/model.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static json_t *get(reducer_rig *rig, const char *path, int32_t status)
{
    return reducer_rig_send(rig, "GET", path, NULL, NULL, status);
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void a_pushed_model_is_listed_and_comes_back_unchanged(void **state)
{
    reducer_rig *rig = *state;
    char *id = reducer_rig_push(rig, 1.5f);
    char path[128];

    json_t *list = get(rig, "api/v1/models?name=seed", 200);
    const json_t *model = json_array_get(json_object_get(list, "result"), 0);
    assert_string_equal(text(model, "model_id"), id);
    assert_string_equal(text(model, "model"), id);
    assert_true(json_is_null(json_object_get(model, "parent_model")));
    assert_non_null(strstr(text(model, "committed_at"), " GMT"));
    json_decref(list);
    /* the first model says what the active helper is */
    json_t *helper = get(rig, "api/v1/helpers/active", 200);
    assert_string_equal(json_string_value(helper), "numpyhelper");
    json_decref(helper);
    snprintf(path, sizeof path, "api/v1/models/%s/download", id);
    char *data = reducer_rig_text(rig, path, 200);
    assert_memory_equal(data, "PK", 2);
    free(data);
    json_decref(get(rig, "api/v1/models/00000000-0000-4000-8000-000000000000/download", 404));
    json_decref(get(rig, "api/v1/models/..%2f..%2fstore.db/download", 404));
    free(id);
}

/* What was refused is nowhere. */
static void assert_no_model(reducer_rig *rig)
{
    json_t *list = get(rig, "api/v1/models/", 200);

    assert_int_equal(json_integer_value(json_object_get(list, "count")), 0);
    json_decref(list);
    json_decref(get(rig, "api/v1/helpers/active", 404));
}

static void refuses(reducer_rig *rig, const void *data, uint64_t bytes, int32_t status,
                    const char *words)
{
    char path[512];

    snprintf(path, sizeof path, "%s/pushed.npz", rig->dir);
    test_write_file(path, data, bytes);
    json_t *answer = reducer_rig_push_file(rig, path, status);
    test_assert_words(text(answer, "message"), words);
    json_decref(answer);
    assert_no_model(rig);
}

static void what_is_no_model_or_too_large_is_refused_and_changes_nothing(void **state)
{
    reducer_rig *rig = *state;
    const uint64_t shape[] = {2};
    const float values[] = {2, 2};
    fedn_model *model = NULL;
    void *data = NULL;
    uint64_t bytes = 0;
    uint8_t *large = calloc(1, 100001);
    fedn_error err;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "w", FEDN_DTYPE_F32, 1, shape, values, NULL, &err), &err);
    assert_ok(fedn_model_encode(model, "npz", &data, &bytes, &err), &err);
    refuses(rig, "", 0, 400, "npz");
    refuses(rig, "a text", 6, 400, "npz");
    refuses(rig, data, bytes / 2, 400, "npz");
    uint8_t *header = memchr(data, '\x93', bytes);
    assert_non_null(header);
    header[128] ^= 1; /* the first element */
    refuses(rig, data, bytes, 400, "w CRC-32");
    refuses(rig, large, 100001, 413, "100000");
    free(large);
    fedn_free(data);
    fedn_model_unref(model);
}

/* Sends the beginning of a form and hangs up. */
static void push_half(reducer_rig *rig)
{
    static const char part[] = "POST /api/v1/models/ HTTP/1.1\r\nHost: x\r\n"
                               "Content-Type: multipart/form-data; boundary=XX\r\n"
                               "Content-Length: 5000\r\n\r\n"
                               "--XX\r\nContent-Disposition: form-data; name=\"file\"; "
                               "filename=\"seed.npz\"\r\n\r\nPK";
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)fedn_reducer_http_port(rig->reducer)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(send(fd, part, sizeof part - 1, MSG_NOSIGNAL), sizeof part - 1);
    close(fd);
}

static void a_push_that_is_cut_leaves_nothing_and_may_be_repeated(void **state)
{
    reducer_rig *rig = *state;

    push_half(rig);
    assert_no_model(rig);
    char *id = reducer_rig_push(rig, 1);
    json_t *list = get(rig, "api/v1/models/", 200);
    assert_int_equal(json_integer_value(json_object_get(list, "count")), 1);
    json_decref(list);
    free(id);
}

int main(void)
{
#define RIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, reducer_rig_setup, reducer_rig_teardown)
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_pushed_model_is_listed_and_comes_back_unchanged),
        RIG_TEST(what_is_no_model_or_too_large_is_refused_and_changes_nothing),
        RIG_TEST(a_push_that_is_cut_leaves_nothing_and_may_be_repeated),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
