/* SPDX-License-Identifier: Apache-2.0
 * A reducer for tests; see reducer_rig.h. */
#include "reducer_rig.h"

#include "core/clock.h"
#include "core/thread.h"
#include "http/client.h"
#include "test.h"
#include <fedn/model.h>
#include <stdlib.h>

static void set(fedn_config *config, const char *name, const char *value)
{
    fedn_error err;

    assert_ok(fedn_config_set(config, name, value, &err), &err);
}

fedn_config *reducer_rig_config(const reducer_rig *rig)
{
    fedn_config *config = NULL;
    char path[512];
    fedn_error err;

    assert_ok(fedn_config_new(&config, &err), &err);
    snprintf(path, sizeof path, "%s/reducer", rig->dir);
    set(config, "log.level", "error");
    set(config, "reducer.listen", "127.0.0.1:0");
    set(config, "reducer.http_listen", "127.0.0.1:0");
    set(config, "reducer.state_dir", path);
    set(config, "reducer.max_model_bytes", "100000");
    return config;
}

static void keep_line(int32_t level, const char *component, const char *line, void *user_data)
{
    reducer_rig *rig = user_data;

    (void)component;
    if (level > FEDN_LOG_ERROR)
        return;
    pthread_mutex_lock(&rig->mutex);
    strncat(rig->lines, line, sizeof rig->lines - strlen(rig->lines) - 2);
    strcat(rig->lines, "\n");
    pthread_cond_broadcast(&rig->said);
    pthread_mutex_unlock(&rig->mutex);
}

static void start(reducer_rig *rig)
{
    fedn_config *config = reducer_rig_config(rig);
    fedn_error err;

    assert_ok(fedn_reducer_new(config, &rig->reducer, &err), &err);
    assert_int_equal(fedn_reducer_set_log(rig->reducer, keep_line, rig), FEDN_OK);
    assert_ok(fedn_reducer_start(rig->reducer, &err), &err);
    fedn_config_free(config);
}

void reducer_rig_await_error(reducer_rig *rig, const char *text)
{
    int64_t deadline = fedn__clock_ns() + INT64_C(20000000000);

    pthread_mutex_lock(&rig->mutex);
    while (!strstr(rig->lines, text))
        if (!fedn__cond_wait(&rig->said, &rig->mutex, deadline))
            fail_msg("\"%s\" is not said: %s", text, rig->lines);
    pthread_mutex_unlock(&rig->mutex);
}

int reducer_rig_setup(void **state)
{
    reducer_rig *rig = calloc(1, sizeof *rig);

    rig->dir = test_scratch();
    pthread_mutex_init(&rig->mutex, NULL);
    fedn__cond_init(&rig->said);
    start(rig);
    *state = rig;
    return 0;
}

int reducer_rig_teardown(void **state)
{
    reducer_rig *rig = *state;

    fedn_reducer_free(rig->reducer);
    test_scratch_done(rig->dir);
    pthread_cond_destroy(&rig->said);
    pthread_mutex_destroy(&rig->mutex);
    free(rig);
    return 0;
}

void reducer_rig_restart(reducer_rig *rig)
{
    fedn_reducer_free(rig->reducer);
    start(rig);
}

static void url_of(const reducer_rig *rig, const char *path, char url[512])
{
    snprintf(url, 512, "http://127.0.0.1:%d/%s", (int)fedn_reducer_http_port(rig->reducer), path);
}

static char *fetch(reducer_rig *rig, const char *method, const char *path, const char *header,
                   const char *body, int32_t status)
{
    const char *headers[] = {header, NULL};
    char url[512];
    fedn__http_client *client = NULL;
    fedn__http_call call = {.method = method,
                            .url = url,
                            .headers = headers,
                            .body = body,
                            .timeout_ms = 20000,
                            .max_bytes = 16777216};
    int32_t got = 0;
    char *text = NULL;
    uint64_t bytes = 0;
    fedn_error err;

    url_of(rig, path, url);
    assert_ok(fedn__http_client_new(&client, &err), &err);
    assert_ok(fedn__http_fetch(client, &call, &got, &text, &bytes, &err), &err);
    fedn__http_client_free(client);
    if (got != status)
        fail_msg("%s %s: %d, wanted %d: %s", method, path, (int)got, (int)status, text);
    char *copy = strdup(text);
    fedn__free(text);
    return copy;
}

json_t *reducer_rig_send(reducer_rig *rig, const char *method, const char *path, const char *header,
                         const char *body, int32_t status)
{
    char *text = fetch(rig, method, path, header, body, status);
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    if (!value)
        value = json_string(text);
    free(text);
    return value;
}

char *reducer_rig_text(reducer_rig *rig, const char *path, int32_t status)
{
    return fetch(rig, "GET", path, NULL, NULL, status);
}

typedef struct awaiting {
    const char *type;
    const char *member;
    const char *text;
    json_t *found;
} awaiting;

static fedn_status on_line(const char *text, void *user_data)
{
    awaiting *wait = user_data;
    json_t *event = json_loads(text, 0, NULL);

    assert_non_null(event);
    const char *type = json_string_value(json_object_get(event, "type"));
    const char *value =
        wait->member ? json_string_value(json_object_get(event, wait->member)) : NULL;
    if (strcmp(type, wait->type) == 0 &&
        (!wait->member || (value && strcmp(value, wait->text) == 0))) {
        wait->found = event;
        return FEDN_ERR_CANCELLED;
    }
    json_decref(event);
    return FEDN_OK;
}

json_t *reducer_rig_await(reducer_rig *rig, const char *query, const char *type, const char *member,
                          const char *text)
{
    awaiting wait = {type, member, text, NULL};
    char path[256];
    char url[512];
    fedn__http_client *client = NULL;
    fedn__http_call call = {.method = "GET", .url = url, .timeout_ms = 20000, .max_bytes = 1048576};
    int32_t status = 0;
    fedn_error err;

    snprintf(path, sizeof path, "api/v1/events?%s", query);
    url_of(rig, path, url);
    assert_ok(fedn__http_client_new(&client, &err), &err);
    fedn_status rc = fedn__http_follow(client, &call, on_line, &wait, &status, &err);
    fedn__http_client_free(client);
    if (!wait.found)
        fail_msg("no %s event: %d, HTTP %d", type, (int)rc, (int)status);
    return wait.found;
}

char *reducer_rig_file(reducer_rig *rig, const char *path, uint64_t *ret_bytes)
{
    char url[512];
    char to[512];
    fedn__http_client *client = NULL;
    fedn__http_call call = {
        .method = "GET", .url = url, .timeout_ms = 20000, .max_bytes = UINT64_MAX};
    int32_t status = 0;
    char *text = NULL;
    fedn_error err;

    url_of(rig, path, url);
    snprintf(to, sizeof to, "%s/fetched", rig->dir);
    assert_ok(fedn__http_client_new(&client, &err), &err);
    assert_ok(fedn__http_fetch_file(client, &call, to, NULL, NULL, &status, &text, &err), &err);
    fedn__http_client_free(client);
    fedn__free(text);
    assert_int_equal(status, 200);
    return test_read_file(to, ret_bytes);
}

json_t *reducer_rig_upload(reducer_rig *rig, const char *to, const char *path,
                           const char *const *fields, int32_t wanted)
{
    char url[512];
    fedn__http_client *client = NULL;
    fedn__http_call call = {.method = "POST", .url = url, .timeout_ms = 20000, .max_bytes = 65536};
    int32_t status = 0;
    char *text = NULL;
    fedn_error err;

    url_of(rig, to, url);
    assert_ok(fedn__http_client_new(&client, &err), &err);
    assert_ok(fedn__http_send_file(client, &call, path, fields, NULL, NULL, &status, &text, &err),
              &err);
    fedn__http_client_free(client);
    if (status != wanted)
        fail_msg("%d, wanted %d: %s", (int)status, (int)wanted, text);
    json_t *answer = json_loads(text, 0, NULL);
    fedn__free(text);
    return answer;
}

json_t *reducer_rig_push_file(reducer_rig *rig, const char *path, int32_t wanted)
{
    static const char *const fields[] = {"name", "seed", "helper", "numpyhelper", NULL};

    return reducer_rig_upload(rig, "api/v1/models/", path, fields, wanted);
}

char *reducer_rig_push(reducer_rig *rig, float value)
{
    uint64_t elements = 4;
    fedn_model *model = NULL;
    void *data = NULL;
    char path[512];
    fedn_error err;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "0", FEDN_DTYPE_F32, 1, &elements, NULL, &data, &err), &err);
    for (uint64_t i = 0; i < elements; i++)
        ((float *)data)[i] = value;
    snprintf(path, sizeof path, "%s/seed.npz", rig->dir);
    assert_ok(fedn_model_save(model, path, "npz", &err), &err);
    fedn_model_unref(model);
    json_t *answer = reducer_rig_push_file(rig, path, 200);
    assert_true(json_is_true(json_object_get(answer, "success")));
    char *id = strdup(json_string_value(json_object_get(answer, "model_id")));
    json_decref(answer);
    return id;
}

char *reducer_rig_session(reducer_rig *rig, const char *extra, int rounds)
{
    char body[512];

    snprintf(body, sizeof body, "{\"name\": \"tested\", \"session_config\": {%s}}", extra);
    json_t *session = reducer_rig_send(rig, "POST", "api/v1/sessions/", NULL, body, 201);
    char *id = strdup(json_string_value(json_object_get(session, "session_id")));
    json_decref(session);
    snprintf(body, sizeof body, "{\"session_id\": \"%s\", \"rounds\": %d}", id, rounds);
    json_decref(reducer_rig_send(rig, "POST", "api/v1/sessions/start", NULL, body, 200));
    return id;
}
