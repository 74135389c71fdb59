/* SPDX-License-Identifier: Apache-2.0
 * HTTP requests: the handle, plain calls, and answers without an end. */
#include "http/client.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "http/transfer.h"
#include <pthread.h>
#include <string.h>

static CURLcode started = CURLE_FAILED_INIT;

/* Once per process and never undone: the application may use curl as well. */
static void start_curl(void)
{
    started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

fedn_status fedn__http_client_new(fedn__http_client **ret, fedn_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    *ret = NULL;
    pthread_once(&once, start_curl);
    if (started != CURLE_OK)
        return fedn__error_detail(err, FEDN_ERR_INTERNAL, (int32_t)started,
                                  "cannot start libcurl: %s", curl_easy_strerror(started));
    fedn__http_client *client = fedn__alloc_zero(sizeof *client);
    if (!client)
        return fedn__error_nomem(err);
    client->multi = curl_multi_init();
    client->easy = curl_easy_init();
    if (!client->multi || !client->easy) {
        fedn__http_client_free(client);
        return fedn__error_nomem(err);
    }
    *ret = client;
    return FEDN_OK;
}

fedn_status fedn__http_client_trust(fedn__http_client *client, const char *path, fedn_error *err)
{
    fedn__free(client->trusted);
    client->trusted = fedn__strdup(path);
    return client->trusted ? FEDN_OK : fedn__error_nomem(err);
}

void fedn__http_client_free(fedn__http_client *client)
{
    if (!client)
        return;
    fedn__free(client->trusted);
    curl_easy_cleanup(client->easy);
    curl_multi_cleanup(client->multi);
    fedn__free(client);
}

void fedn__http_client_cancel(fedn__http_client *client)
{
    client->cancelled = 1;
    curl_multi_wakeup(client->multi);
}

fedn_status fedn__http_fetch(fedn__http_client *client, const fedn__http_call *call,
                             int32_t *ret_status, char **ret_body, uint64_t *ret_bytes,
                             fedn_error *err)
{
    fedn__transfer transfer = {.client = client, .call = call};

    *ret_body = NULL;
    fedn_status rc = fedn__transfer_run(&transfer, err);
    uint64_t bytes = transfer.body.len;
    if (rc == FEDN_OK) {
        *ret_body = fedn__buffer_take(&transfer.body);
        if (!*ret_body)
            rc = fedn__error_nomem(err);
    }
    if (rc == FEDN_OK) {
        *ret_status = transfer.status;
        if (ret_bytes)
            *ret_bytes = bytes;
    }
    fedn__transfer_done(&transfer);
    return rc;
}

typedef struct follower {
    fedn_status (*fn)(const char *line, void *user_data);
    void *user_data;
    fedn__buffer line; /* what came of the present one */
} follower;

static fedn_status hand_over(follower *self, fedn_error *err)
{
    const char *line = fedn__buffer_text(&self->line);

    if (!line)
        return fedn__error_nomem(err);
    fedn_status rc = self->fn(line, self->user_data);
    fedn__buffer_clear(&self->line);
    return rc == FEDN_OK ? rc : fedn_error_set(err, rc, NULL);
}

static fedn_status take_lines(void *opaque, const void *data, uint64_t bytes, fedn_error *err)
{
    follower *self = opaque;
    const char *at = data;
    fedn_status rc = FEDN_OK;

    while (rc == FEDN_OK && bytes) {
        const char *end = memchr(at, '\n', bytes);
        uint64_t len = end ? (uint64_t)(end - at) : bytes;
        rc = fedn__buffer_add(&self->line, at, len);
        if (rc == FEDN_ERR_LIMIT)
            return fedn__error(err, rc, "a line of the answer is over the limit of %llu bytes",
                               (unsigned long long)self->line.limit);
        if (rc == FEDN_OK && end)
            rc = hand_over(self, err);
        len += end != NULL;
        at += len;
        bytes -= len;
    }
    return rc;
}

fedn_status fedn__http_follow(fedn__http_client *client, const fedn__http_call *call,
                              fedn_status (*fn)(const char *line, void *user_data), void *user_data,
                              int32_t *ret_status, fedn_error *err)
{
    follower self = {.fn = fn, .user_data = user_data};
    fedn__transfer transfer = {
        .client = client, .call = call, .take = take_lines, .sink = &self, .endless = 1};

    fedn__buffer_init(&self.line, call->max_bytes ? call->max_bytes : FEDN__LIMIT_HTTP_BODY);
    fedn_status rc = fedn__transfer_run(&transfer, err);
    if (rc == FEDN_OK && self.line.len)
        rc = hand_over(&self, err);
    if (transfer.status)
        *ret_status = transfer.status;
    fedn__buffer_done(&self.line);
    fedn__transfer_done(&transfer);
    return rc;
}
