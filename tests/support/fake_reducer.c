/* SPDX-License-Identifier: Apache-2.0
 * The reducer half of fake_combiner.h: one route, with the answer that the test sets. */
#include "fake_combiner.h"
#include "test.h"

#include "core/clock.h"
#include "core/thread.h"
#include "http/server.h"
#include <stdlib.h>

enum { WAIT_S = 20 };

struct fake_reducer {
    fedn__http_server *server;
    char url[64];

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t cond;
    json_t *requests; /* array */
    int32_t status;
    char *answer;
};

static void on_add(void *service, const fedn__http_request *request, fedn__http_response *response)
{
    fake_reducer *fake = service;
    json_t *body = NULL;
    fedn_error err;

    const char *authorization = fedn__http_header(request, "Authorization");
    if (fedn__http_body_json(request, &body, &err) != FEDN_OK) {
        fedn__http_reply_error(response, err.code, &err);
        return;
    }
    if (authorization)
        json_object_set_new(body, "authorization", json_string(authorization));
    (void)pthread_mutex_lock(&fake->mutex);
    int32_t status = fake->status;
    json_t *answer = json_loads(fake->answer, 0, NULL);
    (void)pthread_mutex_unlock(&fake->mutex);
    fedn__http_reply_json(response, status, answer);
    (void)pthread_mutex_lock(&fake->mutex);
    json_array_append_new(fake->requests, body);
    (void)pthread_cond_broadcast(&fake->cond);
    (void)pthread_mutex_unlock(&fake->mutex);
}

fake_reducer *fake_reducer_new(void)
{
    static const fedn__http_route routes[] = {{"POST", "/api/v1/clients/add", on_add, 0}};
    const fedn__http_options options = {.listen = "127.0.0.1:0"};
    fedn_error err;

    fake_reducer *fake = calloc(1, sizeof *fake);
    (void)pthread_mutex_init(&fake->mutex, NULL);
    fedn__cond_init(&fake->cond);
    fake->requests = json_array();
    fake->status = 500;
    fake->answer = strdup("{}");
    assert_ok(fedn__http_server_new(&options, routes, 1, fake, &fake->server, &err), &err);
    snprintf(fake->url, sizeof fake->url, "http://127.0.0.1:%d",
             (int)fedn__http_server_port(fake->server));
    return fake;
}

void fake_reducer_free(fake_reducer *fake)
{
    fedn__http_server_free(fake->server);
    json_decref(fake->requests);
    (void)pthread_cond_destroy(&fake->cond);
    (void)pthread_mutex_destroy(&fake->mutex);
    free(fake->answer);
    free(fake);
}

const char *fake_reducer_url(const fake_reducer *fake)
{
    return fake->url;
}

void fake_reducer_answer(fake_reducer *fake, int32_t status, const char *json)
{
    (void)pthread_mutex_lock(&fake->mutex);
    fake->status = status;
    free(fake->answer);
    fake->answer = strdup(json);
    (void)pthread_mutex_unlock(&fake->mutex);
}

void fake_reducer_assign(fake_reducer *fake, const fake_combiner *combiner, const char *client_id)
{
    char json[256];

    snprintf(json, sizeof json,
             "{\"status\":\"assigned\",\"host\":\"127.0.0.1\",\"port\":%d,\"fqdn\":null,"
             "\"helper_type\":\"\",\"client_id\":\"%s\"}",
             (int)fake_combiner_port(combiner), client_id);
    fake_reducer_answer(fake, 200, json);
}

const json_t *fake_reducer_wait(fake_reducer *fake, uint32_t nth)
{
    int64_t deadline = fedn__clock_ns() + WAIT_S * INT64_C(1000000000);
    int32_t in_time = 1;

    (void)pthread_mutex_lock(&fake->mutex);
    while (json_array_size(fake->requests) <= nth && in_time)
        in_time = fedn__cond_wait(&fake->cond, &fake->mutex, deadline);
    const json_t *request = json_array_get(fake->requests, nth);
    (void)pthread_mutex_unlock(&fake->mutex);
    if (!request)
        fail_msg("request %u did not come within %d s", (unsigned)nth, WAIT_S);
    return request;
}
