/* SPDX-License-Identifier: Apache-2.0
 * A server with routes of every sort, and ways to ask it. */
#include "site.h"

#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void add_pair(const char *name, const char *value, void *user_data)
{
    json_array_append_new(user_data, json_pack("[s,s]", name, value));
}

static void get_echo(void *service, const fedn__http_request *request,
                     fedn__http_response *response)
{
    json_t *query = json_array();

    (void)service;
    fedn__http_query_each(request, add_pair, query);
    fedn__http_reply_json(
        response, 200,
        json_pack("{s:s,s:s,s:s,s:s,s:o,s:s?,s:s?}", "method", fedn__http_method(request), "path",
                  fedn__http_path(request), "id", fedn__http_param(request, "id"), "peer",
                  fedn__http_peer(request), "query", query, "x",
                  fedn__http_header(request, "x-test"), "none", fedn__http_query(request, "none")));
}

static void post_json(void *service, const fedn__http_request *request,
                      fedn__http_response *response)
{
    json_t *body = NULL;
    fedn_error err;

    (void)service;
    fedn_status rc = fedn__http_body_json(request, &body, &err);
    if (rc == FEDN_OK)
        fedn__http_reply_json(response, 201, body);
    else
        fedn__http_reply_error(response, rc, &err);
}

static void post_size(void *service, const fedn__http_request *request,
                      fedn__http_response *response)
{
    uint64_t bytes = 0;

    (void)service;
    fedn__http_body(request, &bytes);
    fedn__http_reply_json(response, 200, json_integer((json_int_t)bytes));
}

static void post_form(void *service, const fedn__http_request *request,
                      fedn__http_response *response)
{
    json_t *fields = json_array();

    (void)service;
    fedn__http_form_each(request, add_pair, fields);
    fedn__http_reply_json(response, 200, fields);
}

static void post_upload(void *service, const fedn__http_request *request,
                        fedn__http_response *response)
{
    site *self = service;
    const char *path = fedn__http_file_path(request);
    json_t *fields = json_array();
    fedn_error err;
    uint64_t bytes = 0;
    fedn_status rc = path ? fedn__fs_size(path, &bytes, &err) : FEDN_OK;

    fedn__http_form_each(request, add_pair, fields);
    if (rc == FEDN_OK && path && fedn__http_form(request, "keep"))
        rc = fedn__fs_move(path, self->moved_path, 0, &err);
    if (rc != FEDN_OK)
        fedn__http_reply_error(response, rc, &err);
    else
        fedn__http_reply_json(response, 200,
                              json_pack("{s:s?,s:o,s:I}", "name", fedn__http_file_name(request),
                                        "fields", json_incref(fields), "bytes",
                                        path ? (json_int_t)bytes : (json_int_t)-1));
    json_decref(fields);
}

static void get_blob(void *service, const fedn__http_request *request,
                     fedn__http_response *response)
{
    site *self = service;
    fedn__http_reply_blob(response, self->blob, "application/octet-stream",
                          fedn__http_query(request, "name"));
}

static void get_error(void *service, const fedn__http_request *request,
                      fedn__http_response *response)
{
    fedn_status code = (fedn_status)strtol(fedn__http_param(request, "code"), NULL, 10);
    fedn_error err;

    (void)service;
    fedn__error(&err, code, "text of %d", (int)code);
    fedn__http_reply_error(response, code, &err);
}

static void get_headers(void *service, const fedn__http_request *request,
                        fedn__http_response *response)
{
    (void)service;
    fedn__http_add_header(response, "X-Good", "fine");
    fedn__http_add_header(response, "X-Query", fedn__http_query(request, "value"));
    fedn__http_add_header(response, fedn__http_query(request, "name"), "value");
    fedn__http_reply_text(response, 200, "text/plain", "OK");
}

static void get_nothing(void *service, const fedn__http_request *request,
                        fedn__http_response *response)
{
    (void)service;
    (void)request;
    (void)response;
}

static void get_bytes(void *service, const fedn__http_request *request,
                      fedn__http_response *response)
{
    (void)service;
    (void)request;
    fedn__http_reply_message(response, 409, "\xff");
}

static void get_wait(void *service, const fedn__http_request *request,
                     fedn__http_response *response)
{
    site *self = service;

    (void)request;
    fedn__flag_set(&self->entered);
    fedn__flag_wait(&self->release, INT64_MAX);
    fedn__http_reply_text(response, 200, "text/plain", "waited");
}

static int64_t stream_next(void *state, char *to, uint64_t room, const _Atomic int32_t *stopping)
{
    site *self = state;
    int64_t bytes = 0;

    pthread_mutex_lock(&self->mutex);
    if (self->lines == 0 && !*stopping)
        fedn__cond_wait(&self->cond, &self->mutex, fedn__clock_ns() + 50000000);
    if (self->lines < 0)
        bytes = -1;
    else if (self->lines > 0)
        bytes = snprintf(to, room, "line %d\n", (int)self->lines--);
    pthread_mutex_unlock(&self->mutex);
    return bytes;
}

static void stream_done(void *state)
{
    site *self = state;

    pthread_mutex_lock(&self->mutex);
    self->streams--;
    pthread_cond_broadcast(&self->cond);
    pthread_mutex_unlock(&self->mutex);
}

static void get_stream(void *service, const fedn__http_request *request,
                       fedn__http_response *response)
{
    site *self = service;

    (void)request;
    pthread_mutex_lock(&self->mutex);
    self->streams++;
    self->started++;
    pthread_cond_broadcast(&self->cond);
    pthread_mutex_unlock(&self->mutex);
    fedn__http_reply_stream(response, "application/x-ndjson", stream_next, stream_done, self);
}

static void redirect(void *service, const fedn__http_request *request,
                     fedn__http_response *response)
{
    (void)service;
    fedn__http_add_header(response, "Location", fedn__http_query(request, "to"));
    fedn__http_reply_message(
        response, (int32_t)strtol(fedn__http_param(request, "status"), NULL, 10), "moved");
}

static void circle(void *service, const fedn__http_request *request, fedn__http_response *response)
{
    (void)service;
    (void)request;
    fedn__http_add_header(response, "Location", "/circle");
    fedn__http_reply_message(response, 302, "round and round");
}

static const fedn__http_route routes[] = {
    {"GET", "/circle", circle, 0},
    {"GET", "/echo/{id}", get_echo, 0},
    {"DELETE", "/echo/{id}", get_echo, 0},
    {"PUT", "/echo/{id}", get_echo, 0},
    {"POST", "/json", post_json, 0},
    {"PATCH", "/json", post_json, 0},
    {"POST", "/size", post_size, 0},
    {"POST", "/form", post_form, 0},
    {"POST", "/upload/", post_upload, 1},
    {"GET", "/blob", get_blob, 0},
    {"GET", "/error/{code}", get_error, 0},
    {"GET", "/headers", get_headers, 0},
    {"GET", "/nothing", get_nothing, 0},
    {"GET", "/bytes", get_bytes, 0},
    {"GET", "/wait", get_wait, 0},
    {"GET", "/stream", get_stream, 0},
    {"GET", "/redirect/{status}", redirect, 0},
    {"POST", "/redirect/{status}", redirect, 0},
};

static void no_log(int32_t level, const char *component, const char *message, void *user_data)
{
    (void)level;
    (void)user_data;
    assert_string_equal(component, "http");
    assert_null(strchr(message, '\n'));
}

int site_setup(void **state)
{
    static const fedn__log log = {.fn = no_log, .level = FEDN_LOG_DEBUG};
    site *self = calloc(1, sizeof *self);
    fedn_error err;

    self->outstanding = fedn__alloc_outstanding();
    self->scratch = test_scratch();
    self->upload_dir = fedn__fs_join(self->scratch, "uploads");
    self->moved_path = fedn__fs_join(self->scratch, "moved");
    fedn__flag_init(&self->entered);
    fedn__flag_init(&self->release);
    pthread_mutex_init(&self->mutex, NULL);
    fedn__cond_init(&self->cond);
    fedn__http_options options = {.listen = "127.0.0.1:0",
                                  .upload_dir = self->upload_dir,
                                  .max_upload_bytes = SITE_UPLOAD_BYTES,
                                  .idle_ms = 1000,
                                  .prefix = "/net",
                                  .log = &log};
    assert_ok(fedn__blob_copy(SITE_BLOB, strlen(SITE_BLOB), &self->blob, &err), &err);
    assert_ok(fedn__http_server_new(&options, routes, sizeof routes / sizeof *routes, self,
                                    &self->server, &err),
              &err);
    assert_ok(fedn__http_client_new(&self->client, &err), &err);
    *state = self;
    return 0;
}

void site_stop(site *self)
{
    fedn__http_server_free(self->server);
    self->server = NULL;
}

static int count_files(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);

    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}

int site_teardown(void **state)
{
    site *self = *state;
    int64_t before = self->outstanding;

    fedn__http_client_free(self->client);
    site_stop(self);
    fedn__blob_unref(self->blob);
    int left = count_files(self->upload_dir);
    fedn__free(self->upload_dir);
    fedn__free(self->moved_path);
    fedn__flag_done(&self->entered);
    fedn__flag_done(&self->release);
    pthread_mutex_destroy(&self->mutex);
    pthread_cond_destroy(&self->cond);
    test_scratch_done(self->scratch);
    free(self);
    if (left || fedn__alloc_outstanding() != before)
        fprintf(stderr, "%d files, %lld allocations left over\n", left,
                (long long)(fedn__alloc_outstanding() - before));
    return left == 0 && fedn__alloc_outstanding() == before ? 0 : -1;
}

void site_lines(site *self, int32_t count)
{
    pthread_mutex_lock(&self->mutex);
    self->lines = count;
    pthread_cond_broadcast(&self->cond);
    pthread_mutex_unlock(&self->mutex);
}

void site_wait_streams(site *self, int32_t started, int32_t open)
{
    int64_t deadline = fedn__clock_ns() + 10000000000;

    pthread_mutex_lock(&self->mutex);
    while ((self->started < started || self->streams != open) &&
           fedn__cond_wait(&self->cond, &self->mutex, deadline))
        ;
    assert_int_equal(self->streams, open);
    pthread_mutex_unlock(&self->mutex);
}

const char *site_url(const site *self, const char *path, char url[SITE_URL])
{
    snprintf(url, SITE_URL, "http://127.0.0.1:%d%s", (int)fedn__http_server_port(self->server),
             path);
    return url;
}

int32_t site_call(site *self, const char *method, const char *path, const char *body,
                  const char *const *headers, char **ret_body)
{
    char url[SITE_URL];
    fedn_error err;
    int32_t status = 0;
    fedn__http_call call = {.method = method,
                            .url = site_url(self, path, url),
                            .headers = headers,
                            .body = body,
                            .timeout_ms = 20000};

    assert_ok(fedn__http_fetch(self->client, &call, &status, ret_body, NULL, &err), &err);
    return status;
}

void site_expect(site *self, const char *method, const char *path, const char *body, int32_t status,
                 const char *expected_body)
{
    char *got = NULL;
    int32_t got_status = site_call(self, method, path, body, NULL, &got);

    if (got_status != status || strcmp(got, expected_body) != 0)
        fail_msg("%s %s: %d \"%s\", wanted %d \"%s\"", method, path, (int)got_status, got,
                 (int)status, expected_body);
    fedn__free(got);
}

int site_connect(const site *self)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)fedn__http_server_port(self->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void site_send(int fd, const void *data, uint64_t bytes)
{
    const char *at = data;

    while (bytes) {
        ssize_t n = send(fd, at, bytes, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the server cut it: what it said is what the test looks at */
        at += n;
        bytes -= (uint64_t)n;
    }
}

char *site_receive(int fd)
{
    uint64_t len = 0;
    char *text = NULL;

    for (;;) {
        text = realloc(text, len + 65536 + 1);
        ssize_t n = recv(fd, text + len, 65536, 0);
        if (n <= 0)
            break;
        len += (uint64_t)n;
    }
    text[len] = 0;
    close(fd);
    return text;
}

char *site_raw(const site *self, const char *text)
{
    int fd = site_connect(self);

    site_send(fd, text, strlen(text));
    return site_receive(fd);
}
