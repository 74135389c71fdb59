/* SPDX-License-Identifier: Apache-2.0
 * The application and its surroundings; see client_rig.h. */
#include "client_rig.h"

#include "core/clock.h"
#include "core/fs.h"
#include <poll.h>
#include <stdlib.h>

enum { WAIT_S = 20 };

static void note(int32_t level, const char *component, const char *message, void *user_data)
{
    rig *r = user_data;

    (void)component;
    if (level > FEDN_LOG_WARNING)
        return;
    (void)pthread_mutex_lock(&r->mutex);
    size_t len = strlen(r->log);
    snprintf(r->log + len, sizeof r->log - len, "%s\n", message);
    (void)pthread_cond_broadcast(&r->cond);
    (void)pthread_mutex_unlock(&r->mutex);
}

static int32_t names_all(const char *line, const char *words)
{
    char copy[256];
    char *save = NULL;

    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        for (char *c = word; *c; c++)
            *c = *c == '_' ? ' ' : *c;
        if (!strstr(line, word))
            return 0;
    }
    return 1;
}

static uint32_t count_lines(const char *log, const char *words)
{
    char copy[4096];
    char *save = NULL;
    uint32_t count = 0;

    snprintf(copy, sizeof copy, "%s", log);
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        count += (uint32_t)names_all(line, words);
    return count;
}

uint32_t rig_seen(rig *r, const uint32_t *counter)
{
    (void)pthread_mutex_lock(&r->mutex);
    uint32_t count = *counter;
    (void)pthread_mutex_unlock(&r->mutex);
    return count;
}

uint32_t rig_log_count(rig *r, const char *words)
{
    (void)pthread_mutex_lock(&r->mutex);
    uint32_t count = count_lines(r->log, words);
    (void)pthread_mutex_unlock(&r->mutex);
    return count;
}

void rig_wait_log(rig *r, const char *words)
{
    int64_t deadline = fedn__clock_ns() + WAIT_S * INT64_C(1000000000);
    int32_t in_time = 1;

    (void)pthread_mutex_lock(&r->mutex);
    while (count_lines(r->log, words) == 0 && in_time)
        in_time = fedn__cond_wait(&r->cond, &r->mutex, deadline);
    (void)pthread_mutex_unlock(&r->mutex);
    if (rig_log_count(r, words) == 0)
        fail_msg("no line names \"%s\" in: %s", words, r->log);
}

static fedn_status until_cancelled(rig *r, fedn_task *task, fedn_error *err)
{
    struct pollfd cancelled = {.fd = fedn_task_cancel_fd(task), .events = POLLIN};

    while (!fedn_task_is_cancelled(task))
        (void)poll(&cancelled, 1, -1);
    (void)pthread_mutex_lock(&r->mutex);
    r->cancelled++;
    (void)pthread_mutex_unlock(&r->mutex);
    return fedn_error_set(err, FEDN_ERR_CANCELLED, NULL);
}

static fedn_status set_file(rig *r, fedn_task *task, const char *dir, fedn_error *err)
{
    const void *data = NULL;
    uint64_t bytes = 0;

    (void)r;
    fedn_status rc = fedn_task_model_bytes(task, &data, &bytes, err);
    char *path = fedn__fs_join(dir, "trained.npz");
    if (rc == FEDN_OK)
        rc = fedn__fs_write_file(path, data, bytes, 0, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_model_file(task, path, err);
    fedn__free(path);
    return rc;
}

static fedn_status set_tensors(fedn_task *task, fedn_error *err)
{
    static const uint64_t shape[] = {2};
    fedn_model *global = NULL;
    fedn_model *trained = NULL;
    void *data = NULL;

    fedn_status rc = fedn_task_model(task, &global, err);
    if (rc == FEDN_OK)
        rc = fedn_model_new(&trained, err);
    if (rc == FEDN_OK)
        rc = fedn_model_add(trained, NULL, FEDN_DTYPE_F32, 1, shape, fedn_model_data(global, 0),
                            &data, err);
    if (rc == FEDN_OK) {
        ((float *)data)[0] += 1;
        rc = fedn_task_set_model(task, trained, err);
    }
    fedn_model_unref(trained);
    return rc;
}

static fedn_status set_bytes(fedn_task *task, fedn_error *err)
{
    const void *data = NULL;
    uint64_t bytes = 0;

    fedn_status rc = fedn_task_model_bytes(task, &data, &bytes, err);
    return rc == FEDN_OK ? fedn_task_set_model_bytes(task, data, bytes, err) : rc;
}

static fedn_status train(fedn_task *task, fedn_error *err, void *user_data)
{
    rig *r = user_data;
    fedn_status rc = FEDN_OK;

    (void)pthread_mutex_lock(&r->mutex);
    r->trainings++;
    (void)pthread_mutex_unlock(&r->mutex);
    fedn__flag_set(&r->entered);
    fedn_task_progress(task, 1, 4);
    fedn_task_progress(task, 2, 4); /* within the same second: not sent */
    if (r->wait_for_cancel)
        return until_cancelled(r, task, err);
    if (r->wait_for_go)
        (void)fedn__flag_wait(&r->go, INT64_MAX);
    switch (r->how) {
    case WITH_TENSORS:
        rc = set_tensors(task, err);
        break;
    case WITH_BYTES:
        rc = set_bytes(task, err);
        break;
    case WITH_OWN_FILE:
        rc = set_file(r, task, fedn_task_dir(task), err);
        break;
    case WITH_FILE_ELSEWHERE:
        rc = set_file(r, task, r->dir, err);
        break;
    case WITH_FAILURE:
        return fedn_error_set(err, FEDN_ERR_CALLBACK, "the sensor\nis unplugged");
    default:
        break;
    }
    if (rc == FEDN_OK)
        rc = fedn_task_set_num_examples(task, 42, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_metric(task, "loss", 0.5, err);
    return rc;
}

static fedn_status validate(fedn_task *task, fedn_error *err, void *user_data)
{
    rig *r = user_data;

    (void)pthread_mutex_lock(&r->mutex);
    r->validations++;
    (void)pthread_mutex_unlock(&r->mutex);
    fedn_status rc = fedn_task_set_metric(task, "accuracy", 0.25, err);
    return rc == FEDN_OK ? fedn_task_set_metric(task, "accuracy", 0.75, err) : rc;
}

static fedn_status predict(fedn_task *task, fedn_error *err, void *user_data)
{
    (void)user_data;
    return fedn_task_set_data(task, "[1, 2]", err);
}

void rig_set(rig *r, const char *name, const char *value)
{
    fedn_error err;

    assert_ok(fedn_config_set(r->config, name, value, &err), &err);
}

void rig_init(rig *r)
{
    fedn_error err;

    memset(r, 0, sizeof *r);
    (void)pthread_mutex_init(&r->mutex, NULL);
    fedn__cond_init(&r->cond);
    fedn__flag_init(&r->entered);
    fedn__flag_init(&r->go);
    r->dir = test_scratch();
    r->combiner = fake_combiner_new();
    r->reducer = fake_reducer_new();
    assert_ok(fedn_config_new(&r->config, &err), &err);
    rig_set(r, "client.api_url", fake_reducer_url(r->reducer));
    rig_set(r, "client.id", "client-7");
    rig_set(r, "client.name", "seven");
    rig_set(r, "client.heartbeat_ms", "50");
    rig_set(r, "client.reconnect_min_ms", "10");
    rig_set(r, "client.reconnect_max_ms", "50");
    fake_reducer_assign(r->reducer, r->combiner, "client-7");
}

void rig_client(rig *r)
{
    fedn_error err;

    assert_ok(fedn_client_new(r->config, &r->client, &err), &err);
    assert_int_equal(fedn_client_set_train(r->client, train, r), FEDN_OK);
    assert_int_equal(fedn_client_set_validate(r->client, validate, r), FEDN_OK);
    assert_int_equal(fedn_client_set_predict(r->client, predict, r), FEDN_OK);
    assert_int_equal(fedn_client_set_log(r->client, note, r), FEDN_OK);
}

void rig_start(rig *r)
{
    fedn_error err;

    rig_client(r);
    assert_ok(fedn_client_start(r->client, &err), &err);
}

void rig_done(rig *r)
{
    fedn_client_free(r->client);
    fedn_config_free(r->config);
    fake_reducer_free(r->reducer);
    fake_combiner_free(r->combiner);
    test_scratch_done(r->dir);
    fedn__flag_done(&r->go);
    fedn__flag_done(&r->entered);
    (void)pthread_cond_destroy(&r->cond);
    (void)pthread_mutex_destroy(&r->mutex);
}

void rig_put_model(rig *r, const char *id, float value)
{
    static const uint64_t shape[] = {2};
    const float data[] = {value, value};
    fedn_model *model = NULL;
    void *bytes = NULL;
    uint64_t count = 0;
    fedn_error err;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, NULL, FEDN_DTYPE_F32, 1, shape, data, NULL, &err), &err);
    assert_ok(fedn_model_encode(model, "npz", &bytes, &count, &err), &err);
    fake_combiner_put_model(r->combiner, id, bytes, count);
    fedn_free(bytes);
    fedn_model_unref(model);
}

static const json_t *field(const json_t *message, const char *path)
{
    char copy[128];
    char *save = NULL;

    snprintf(copy, sizeof copy, "%s", path);
    for (char *key = strtok_r(copy, ".", &save); key; key = strtok_r(NULL, ".", &save))
        message = json_object_get(message, key);
    if (!message)
        fail_msg("there is no %s", path);
    return message;
}

const char *rig_text(const json_t *message, const char *path)
{
    const json_t *value = field(message, path);

    return json_is_string(value) ? json_string_value(value) : "(no text)";
}

int64_t rig_number(const json_t *message, const char *path)
{
    return json_integer_value(field(message, path));
}

json_t *rig_json(const json_t *message, const char *path)
{
    json_t *value = json_loads(rig_text(message, path), JSON_DECODE_ANY, NULL);

    if (!value)
        fail_msg("%s is not JSON: %s", path, rig_text(message, path));
    return value;
}
