/* SPDX-License-Identifier: Apache-2.0
 * A whole network in one process; see network.h. */
#include "network.h"

#include "test.h"
#include <stdlib.h>

enum { MOST_SETTINGS = 16 };

static struct {
    char name[64];
    char value[256];
} settings[MOST_SETTINGS];
static uint32_t setting_count;

void network_set(const char *name, const char *value)
{
    assert_true(setting_count < MOST_SETTINGS);
    snprintf(settings[setting_count].name, sizeof settings[0].name, "%s", name);
    snprintf(settings[setting_count++].value, sizeof settings[0].value, "%s", value);
}

static void set(fedn_config *config, const char *name, const char *value)
{
    fedn_error err;

    assert_ok(fedn_config_set(config, name, value, &err), &err);
}

static fedn_config *configuration(void)
{
    fedn_error err;
    fedn_config *config = NULL;

    assert_ok(fedn_config_new(&config, &err), &err);
    set(config, "log.level", "error");
    set(config, "reducer.listen", "127.0.0.1:0");
    set(config, "reducer.http_listen", "127.0.0.1:0");
    set(config, "combiner.listen", "127.0.0.1:0");
    set(config, "client.reconnect_min_ms", "20");
    set(config, "combiner.reconnect_max_ms", "200");
    for (uint32_t i = 0; i < setting_count; i++)
        set(config, settings[i].name, settings[i].value);
    return config;
}

static fedn_combiner *start_combiner(network *net, uint32_t nth)
{
    fedn_error err;
    fedn_config *config = configuration();
    fedn_combiner *combiner = NULL;
    char value[512];

    snprintf(value, sizeof value, "combiner-%u", (unsigned)nth);
    set(config, "combiner.name", value);
    snprintf(value, sizeof value, "%s/combiner-%u", net->dir, (unsigned)nth);
    set(config, "combiner.state_dir", value);
    snprintf(value, sizeof value, "127.0.0.1:%d", (int)fedn_reducer_port(net->reducer));
    set(config, "combiner.reducer", value);
    assert_ok(fedn_combiner_new(config, &combiner, &err), &err);
    assert_ok(fedn_combiner_start(combiner, &err), &err);
    fedn_config_free(config);
    return combiner;
}

void network_restart(network *net, uint32_t nth)
{
    fedn_combiner_free(net->combiners[nth]);
    net->combiners[nth] = start_combiner(net, nth);
}

network *network_start(uint32_t combiners)
{
    fedn_error err;
    network *net = calloc(1, sizeof *net);
    fedn_config *config = configuration();
    char value[512];

    net->dir = test_scratch();
    snprintf(value, sizeof value, "%s/reducer", net->dir);
    set(config, "reducer.state_dir", value);
    assert_ok(fedn_reducer_new(config, &net->reducer, &err), &err);
    assert_ok(fedn_reducer_start(net->reducer, &err), &err);
    snprintf(net->url, sizeof net->url, "http://127.0.0.1:%d",
             (int)fedn_reducer_http_port(net->reducer));
    set(config, "control.url", net->url);
    assert_ok(fedn_control_new(config, &net->control, &err), &err);
    fedn_config_free(config);
    for (; net->combiner_count < combiners; net->combiner_count++)
        net->combiners[net->combiner_count] = start_combiner(net, net->combiner_count);
    return net;
}

void network_stop(network *net)
{
    for (uint32_t i = 0; i < net->client_count; i++)
        fedn_client_free(net->clients[i]);
    for (uint32_t i = 0; i < net->combiner_count; i++)
        fedn_combiner_free(net->combiners[i]);
    fedn_control_free(net->control);
    fedn_reducer_free(net->reducer);
    test_scratch_done(net->dir);
    free(net);
    setting_count = 0;
}

typedef struct callbacks {
    fedn_task_fn train, validate, predict;
    void *user_data;
} callbacks;

static fedn_client *start_client(network *net, const char *id, const callbacks *calls)
{
    fedn_error err;
    fedn_config *config = configuration();
    fedn_client *client = NULL;

    set(config, "client.api_url", net->url);
    set(config, "client.id", id);
    set(config, "client.name", id);
    assert_ok(fedn_client_new(config, &client, &err), &err);
    if (calls->train)
        fedn_client_set_train(client, calls->train, calls->user_data);
    if (calls->validate)
        fedn_client_set_validate(client, calls->validate, calls->user_data);
    if (calls->predict)
        fedn_client_set_predict(client, calls->predict, calls->user_data);
    assert_ok(fedn_client_start(client, &err), &err);
    fedn_config_free(config);
    net->clients[net->client_count++] = client;
    return client;
}

fedn_client *network_client(network *net, const char *id, fedn_task_fn train, fedn_task_fn validate,
                            void *user_data)
{
    const callbacks calls = {train, validate, NULL, user_data};

    return start_client(net, id, &calls);
}

fedn_client *network_predictor(network *net, const char *id, fedn_task_fn predict, void *user_data)
{
    const callbacks calls = {NULL, NULL, predict, user_data};

    return start_client(net, id, &calls);
}

typedef struct awaiting {
    uint32_t wanted;
    const char *session_id;
    char status[32];
    struct {
        char name[64];
        uint32_t active;
    } combiners[NETWORK_MOST];
} awaiting;

static const char *text_of(const json_t *event, const char *key)
{
    const char *text = json_string_value(json_object_get(event, key));
    return text ? text : "";
}

static void note_combiner(awaiting *a, const json_t *event)
{
    const char *name = text_of(event, "name");
    uint32_t i = 0;

    while (i < NETWORK_MOST - 1 && a->combiners[i].name[0] &&
           strcmp(a->combiners[i].name, name) != 0)
        i++;
    snprintf(a->combiners[i].name, sizeof a->combiners[i].name, "%s", name);
    a->combiners[i].active = (uint32_t)json_integer_value(json_object_get(event, "active_clients"));
}

static fedn_status until_clients(const char *json, void *user_data)
{
    awaiting *a = user_data;
    json_t *event = json_loads(json, 0, NULL);
    uint32_t active = 0;

    assert_non_null(event);
    if (strcmp(text_of(event, "type"), "combiner") == 0)
        note_combiner(a, event);
    json_decref(event);
    for (uint32_t i = 0; i < NETWORK_MOST; i++)
        active += a->combiners[i].active;
    return active >= a->wanted ? FEDN_ERR_CANCELLED : FEDN_OK;
}

void network_await_clients(network *net, uint32_t count)
{
    awaiting a = {.wanted = count};
    fedn_error err = {0};

    fedn_status rc = fedn_control_watch(net->control, NULL, 0, until_clients, &a, &err);
    if (rc != FEDN_ERR_CANCELLED)
        fail_msg("watching: %d %s", (int)rc, err.message);
}

static fedn_status until_combiners(const char *json, void *user_data)
{
    awaiting *a = user_data;
    json_t *event = json_loads(json, 0, NULL);
    uint32_t known = 0;

    assert_non_null(event);
    if (strcmp(text_of(event, "type"), "combiner") == 0)
        note_combiner(a, event);
    json_decref(event);
    while (known < NETWORK_MOST && a->combiners[known].name[0])
        known++;
    return known >= a->wanted ? FEDN_ERR_CANCELLED : FEDN_OK;
}

void network_await_combiners(network *net, uint32_t count)
{
    awaiting a = {.wanted = count};
    fedn_error err = {0};

    fedn_status rc = fedn_control_watch(net->control, NULL, 0, until_combiners, &a, &err);
    if (rc != FEDN_ERR_CANCELLED)
        fail_msg("watching: %d %s", (int)rc, err.message);
}

fedn_model *network_model(uint64_t elements, float value)
{
    fedn_error err;
    fedn_model *model = NULL;
    void *data = NULL;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "0", FEDN_DTYPE_F32, 1, &elements, NULL, &data, &err), &err);
    for (uint64_t i = 0; i < elements; i++)
        ((float *)data)[i] = value;
    return model;
}

fedn_status network_trained(fedn_task *task, float step, double num_examples, fedn_error *err)
{
    fedn_model *global = NULL;
    fedn_model *model = NULL;
    uint64_t elements = 0;
    void *data = NULL;
    fedn_status rc = fedn_task_model(task, &global, err);

    if (rc == FEDN_OK)
        elements = fedn_model_shape(global, 0)[0];
    if (rc == FEDN_OK)
        rc = fedn_model_new(&model, err);
    if (rc == FEDN_OK)
        rc = fedn_model_add(model, "0", FEDN_DTYPE_F32, 1, &elements, NULL, &data, err);
    for (uint64_t i = 0; rc == FEDN_OK && i < elements; i++)
        ((float *)data)[i] = ((const float *)fedn_model_data(global, 0))[i] + step;
    if (rc == FEDN_OK)
        rc = fedn_task_set_num_examples(task, num_examples, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_model(task, model, err);
    fedn_model_unref(model);
    return rc;
}

char *network_push(network *net, fedn_model *model)
{
    fedn_error err;
    char path[512];
    char *id = NULL;

    snprintf(path, sizeof path, "%s/seed.npz", net->dir);
    assert_ok(fedn_model_save(model, path, "npz", &err), &err);
    assert_ok(fedn_control_model_push(net->control, path, NULL, "seed", NULL, NULL, &id, &err),
              &err);
    return id;
}

static char *session_body(const char *extra)
{
    char text[512];

    json_t *config = json_loads("{\"aggregator\": \"fedavg\", \"round_timeout\": 20, "
                                "\"buffer_size\": -1, \"delete_models_storage\": true, "
                                "\"clients_required\": 1, \"validate\": false, "
                                "\"helper_type\": \"numpyhelper\", \"model_id\": null}",
                                0, NULL);
    snprintf(text, sizeof text, "{%s}", extra);
    json_t *more = json_loads(text, 0, NULL);
    assert_non_null(more);
    json_object_update(config, more);
    json_decref(more);
    json_t *body = json_pack("{s:s, s:o}", "name", "test", "session_config", config);
    char *dumped = json_dumps(body, 0);
    json_decref(body);
    return dumped;
}

char *network_session(network *net, const char *extra, int rounds)
{
    fedn_error err;
    char start[256];
    char *answer = NULL;
    char *body = session_body(extra);

    assert_ok(fedn_control_request(net->control, "POST", "sessions/", body, &answer, &err), &err);
    free(body);
    json_t *session = json_loads(answer, 0, NULL);
    fedn_free(answer);
    char *id = fedn__strdup(text_of(session, "session_id"));
    json_decref(session);
    snprintf(start, sizeof start, "{\"session_id\": \"%s\", \"rounds\": %d}", id, rounds);
    assert_ok(fedn_control_request(net->control, "POST", "sessions/start", start, &answer, &err),
              &err);
    fedn_free(answer);
    return id;
}

static fedn_status until_session(const char *json, void *user_data)
{
    awaiting *a = user_data;
    json_t *event = json_loads(json, 0, NULL);

    assert_non_null(event);
    if (strcmp(text_of(event, "type"), "session") == 0 &&
        strcmp(text_of(event, "session_id"), a->session_id) == 0)
        snprintf(a->status, sizeof a->status, "%s", text_of(event, "status"));
    json_decref(event);
    return strcmp(a->status, "Finished") == 0 || strcmp(a->status, "Failed") == 0 ||
                   strcmp(a->status, "Terminated") == 0
               ? FEDN_ERR_CANCELLED
               : FEDN_OK;
}

char *network_await_session(network *net, const char *session_id)
{
    awaiting a = {.session_id = session_id};
    fedn_error err = {0};

    fedn_status rc = fedn_control_watch(net->control, session_id, 0, until_session, &a, &err);
    if (rc != FEDN_ERR_CANCELLED)
        fail_msg("watching: %d %s", (int)rc, err.message);
    return strdup(a.status);
}

json_t *network_get(network *net, const char *path)
{
    fedn_error err;
    char *answer = NULL;

    assert_ok(fedn_control_request(net->control, "GET", path, NULL, &answer, &err), &err);
    json_t *value = json_loads(answer, JSON_DECODE_ANY, NULL);
    fedn_free(answer);
    assert_non_null(value);
    return value;
}

json_t *network_rounds(network *net, const char *session_id)
{
    char path[256];

    snprintf(path, sizeof path, "rounds/?round_config.session_id=%s", session_id);
    json_t *answer = network_get(net, path);
    json_t *newest_first = json_object_get(answer, "result");
    json_t *rounds = json_array();
    for (size_t i = json_array_size(newest_first); i > 0; i--)
        json_array_append(rounds, json_array_get(newest_first, i - 1));
    json_decref(answer);
    return rounds;
}

fedn_model *network_newest(network *net)
{
    fedn_error err;
    char path[512];
    fedn_model *model = NULL;

    snprintf(path, sizeof path, "%s/newest.npz", net->dir);
    assert_ok(fedn_control_model_pull(net->control, NULL, path, NULL, NULL, &err), &err);
    assert_ok(fedn_model_load(path, NULL, &model, &err), &err);
    return model;
}
