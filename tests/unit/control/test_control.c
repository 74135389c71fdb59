/* SPDX-License-Identifier: Apache-2.0
 * The control client against a real HTTP server with answers that the test sets. */
#include "test.h"

#include "core/fs.h"
#include "core/limits.h"
#include "core/thread.h"
#include "http/server.h"
#include <fedn/control.h>
#include <stdlib.h>

/* What the server answers, and what it was asked last. */
typedef struct site {
    fedn__http_server *server;
    char *dir;
    char url[64];
    int32_t status;
    const char *type;
    const char *answer;
    char asked[1024];
    fedn__flag waiting; /* somebody reads the endless answer */
    int32_t endless;
} site;

static void note(site *self, const fedn__http_request *request)
{
    static const char *const headers[] = {"X-Limit", "X-Skip", "Authorization"};
    static const char *const forms[] = {"name", "helper"};
    uint64_t bytes = 0;
    size_t used = (size_t)snprintf(self->asked, sizeof self->asked, "%s %s",
                                   fedn__http_method(request), fedn__http_path(request));

    for (uint32_t i = 0; i < 3; i++)
        if (fedn__http_header(request, headers[i]))
            used += (size_t)snprintf(self->asked + used, sizeof self->asked - used, " %s=%s",
                                     headers[i], fedn__http_header(request, headers[i]));
    for (uint32_t i = 0; i < 2; i++)
        if (fedn__http_form(request, forms[i]))
            used += (size_t)snprintf(self->asked + used, sizeof self->asked - used, " %s=%s",
                                     forms[i], fedn__http_form(request, forms[i]));
    const char *after = fedn__http_query(request, "after");
    const char *session = fedn__http_query(request, "session_id");
    const char *body = fedn__http_body(request, &bytes);
    snprintf(self->asked + used, sizeof self->asked - used, "%s%s%s%s%s%.*s",
             after ? " after=" : "", after ? after : "", session ? " session=" : "",
             session ? session : "", bytes ? " body=" : "", (int)bytes, bytes ? body : "");
}

static void reply(void *service, const fedn__http_request *request, fedn__http_response *response)
{
    site *self = service;

    note(self, request);
    fedn__http_reply_text(response, self->status, self->type, self->answer);
}

static int64_t keep_waiting(void *state, char *to, uint64_t room, const _Atomic int32_t *stopping)
{
    site *self = state;

    (void)room;
    (void)stopping;
    if (self->endless == 1) {
        self->endless = 2;
        fedn__flag_set(&self->waiting);
        memcpy(to, "{}\n", 3);
        return 3;
    }
    return 0;
}

static void events(void *service, const fedn__http_request *request, fedn__http_response *response)
{
    site *self = service;

    note(self, request);
    if (self->endless)
        fedn__http_reply_stream(response, "application/x-ndjson", keep_waiting, NULL, self);
    else
        fedn__http_reply_text(response, self->status, "application/x-ndjson", self->answer);
}

static const fedn__http_route routes[] = {
    {"GET", "/api/v1/events", events, 0},       {"POST", "/api/v1/models", reply, 1},
    {"GET", "/api/v1/{kind}", reply, 0},        {"GET", "/api/v1/{kind}/{id}", reply, 0},
    {"POST", "/api/v1/{kind}", reply, 0},       {"GET", "/api/v1/{kind}/{id}/download", reply, 0},
    {"PATCH", "/api/v1/{kind}/{id}", reply, 0},
};

static int set_up(void **state)
{
    site *self = calloc(1, sizeof *self);
    fedn_error err;

    self->dir = test_scratch();
    fedn__flag_init(&self->waiting);
    fedn__http_options options = {
        .listen = "127.0.0.1:0", .upload_dir = self->dir, .max_upload_bytes = FEDN__MIB};
    assert_ok(fedn__http_server_new(&options, routes, sizeof routes / sizeof routes[0], self,
                                    &self->server, &err),
              &err);
    snprintf(self->url, sizeof self->url, "http://127.0.0.1:%d",
             (int)fedn__http_server_port(self->server));
    self->status = 200;
    self->type = "application/json";
    self->answer = "{}";
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    site *self = *state;

    fedn__http_server_free(self->server);
    fedn__flag_done(&self->waiting);
    test_scratch_done(self->dir);
    free(self);
    return 0;
}

static fedn_control *open_control(const char *url, const char *token)
{
    fedn_config *config = NULL;
    fedn_control *control = NULL;
    fedn_error err;

    assert_ok(fedn_config_new(&config, &err), &err);
    assert_ok(fedn_config_set(config, "control.url", url, &err), &err);
    assert_ok(fedn_config_set(config, "control.token", token, &err), &err);
    assert_ok(fedn_control_new(config, &control, &err), &err);
    fedn_config_free(config);
    return control;
}

static void a_url_is_joined_whatever_its_end(void **state)
{
    site *self = *state;
    const char *forms[] = {"%s", "%s/", "%s//", "bare"};

    for (uint32_t i = 0; i < 4; i++) {
        char url[96];
        fedn_error err;
        snprintf(url, sizeof url, "%s%s", strcmp(forms[i], "bare") ? self->url : self->url + 7,
                 i == 1   ? "/"
                 : i == 2 ? "//"
                          : "");
        fedn_control *control = open_control(url, "");
        assert_ok(fedn_control_request(control, "GET", "status", NULL, NULL, &err), &err);
        assert_string_equal(self->asked, "GET /api/v1/status");
        fedn_control_free(control);
    }
}

static void an_answer_comes_as_text(void **state)
{
    site *self = *state;
    fedn_control *control = open_control(self->url, "secret");
    char *json = NULL;
    fedn_error err;

    self->answer = "[1, 2]";
    assert_ok(
        fedn_control_request(control, "PATCH", "sessions/a-b", "{\"status\": 1}", &json, &err),
        &err);
    assert_string_equal(json, "[1, 2]");
    assert_string_equal(
        self->asked, "PATCH /api/v1/sessions/a-b Authorization=Bearer secret body={\"status\": 1}");
    fedn_free(json);
    fedn_control_free(control);
}

static void a_page_of_a_list_is_asked_for_in_headers(void **state)
{
    site *self = *state;
    fedn_control *control = open_control(self->url, "");
    char *json = NULL;
    fedn_error err;

    assert_ok(fedn_control_list(control, "models", NULL, 0, 0, &json, &err), &err);
    assert_string_equal(self->asked, "GET /api/v1/models/");
    fedn_free(json);
    assert_ok(fedn_control_list(control, "rounds", "status=Failed", 20, 10, &json, &err), &err);
    assert_string_equal(self->asked, "GET /api/v1/rounds/ X-Limit=10 X-Skip=20");
    fedn_free(json);
    fedn_control_free(control);
}

static void a_refusal_becomes_a_status_and_its_text(void **state)
{
    static const struct {
        int32_t http;
        const char *answer;
        fedn_status status;
        const char *words;
    } cases[] = {
        {400, "{\"message\": \"A session is already running!\"}", FEDN_ERR_INVALID,
         "already_running!"},
        {401, "{\"message\": \"no token\"}", FEDN_ERR_AUTH, "no_token"},
        {403, "{\"error\": \"not you\"}", FEDN_ERR_DENIED, "not_you"},
        {404, "{\"message\": \"Entity with id: 7 not found\"}", FEDN_ERR_NOT_FOUND, "id:_7_not"},
        {404, "<html>nothing</html>", FEDN_ERR_NOT_FOUND, "/api/v1/status 404"},
        {405, "", FEDN_ERR_UNSUPPORTED, "405"},
        {409, "{\"message\": \"now\\nnot\"}", FEDN_ERR_STATE, "now not"},
        {410, "{}", FEDN_ERR_UNSUPPORTED, "410"},
        {413, "{}", FEDN_ERR_LIMIT, "413"},
        {418, "{}", FEDN_ERR_PROTOCOL, "418 not_a_reducer"},
        {500, "{\"message\": \"An unexpected error occurred\"}", FEDN_ERR_UNAVAILABLE,
         "unexpected"},
        {503, "{\"message\": 5}", FEDN_ERR_UNAVAILABLE, "503"},
        {504, "{}", FEDN_ERR_TIMEOUT, "504"},
        {200, "<html>login</html>", FEDN_ERR_PROTOCOL, "not_a_reducer"},
        {200, "", FEDN_ERR_PROTOCOL, "not_a_reducer"},
    };
    site *self = *state;
    fedn_control *control = open_control(self->url, "");
    fedn_error err;

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *json = NULL;
        self->status = cases[i].http;
        self->answer = cases[i].answer;
        assert_fails(fedn_control_request(control, "GET", "status", NULL, &json, &err),
                     cases[i].status, &err, cases[i].words);
        assert_int_equal(err.detail, cases[i].http);
        assert_string_equal(json, cases[i].answer);
        fedn_free(json);
    }
    fedn_control_free(control);
}

static void an_unreachable_reducer_is_named(void **state)
{
    fedn_control *control = open_control("http://127.0.0.1:1", "");
    fedn_error err;

    (void)state;
    assert_fails(fedn_control_request(control, "GET", "status", NULL, NULL, &err),
                 FEDN_ERR_UNAVAILABLE, &err, "http://127.0.0.1:1");
    fedn_control_free(control);
}

static void an_empty_url_is_refused(void **state)
{
    fedn_config *config = NULL;
    fedn_control *control = NULL;
    fedn_error err;

    (void)state;
    assert_ok(fedn_config_new(&config, &err), &err);
    assert_ok(fedn_config_set(config, "control.url", "", &err), &err);
    assert_fails(fedn_control_new(config, &control, &err), FEDN_ERR_INVALID, &err, "control.url");
    assert_null(control);
    fedn_config_free(config);
}

static void ids_are_escaped(void **state)
{
    char *text = fedn_control_escape("a/b c..%\xc3\xa9~-_9");

    (void)state;
    assert_string_equal(text, "a%2Fb%20c%2E%2E%25%C3%A9~-_9");
    fedn_free(text);
}

typedef struct moved {
    uint64_t done, total;
} moved;

static void on_progress(uint64_t done, uint64_t total, void *user_data)
{
    *(moved *)user_data = (moved){done, total};
}

static void a_model_goes_up_with_its_name(void **state)
{
    site *self = *state;
    fedn_control *control = open_control(self->url, "");
    char *path = fedn__fs_join(self->dir, "model.npz");
    char *id = NULL;
    moved progress = {0, 0};
    fedn_error err;

    test_write_file(path, "the bytes", 9);
    self->answer = "{\"success\": true, \"model_id\": \"m-1\"}";
    assert_ok(fedn_control_model_push(control, path, "numpyhelper", "seed", on_progress, &progress,
                                      &id, &err),
              &err);
    assert_string_equal(id, "m-1");
    assert_string_equal(self->asked, "POST /api/v1/models/ name=seed helper=numpyhelper");
    assert_true(progress.total >= 9 && progress.done == progress.total);
    fedn_free(id);

    self->answer = "{\"success\": true}";
    assert_fails(fedn_control_model_push(control, path, NULL, NULL, NULL, NULL, &id, &err),
                 FEDN_ERR_NOT_FOUND, &err, "named_no_id");
    assert_null(id);
    self->status = 400;
    self->answer = "{\"success\": false, \"message\": \"Failed to add model.\"}";
    assert_fails(fedn_control_model_push(control, path, NULL, NULL, NULL, NULL, &id, &err),
                 FEDN_ERR_INVALID, &err, "Failed_to_add");
    assert_fails(
        fedn_control_model_push(control, "/nowhere/m.npz", NULL, NULL, NULL, NULL, &id, &err),
        FEDN_ERR_NOT_FOUND, &err, "/nowhere/m.npz");
    fedn__free(path);
    fedn_control_free(control);
}

static void a_model_comes_down_whole_or_not_at_all(void **state)
{
    site *self = *state;
    fedn_control *control = open_control(self->url, "");
    char *path = fedn__fs_join(self->dir, "pulled.npz");
    moved progress = {0, 0};
    uint64_t bytes = 0;
    fedn_error err;

    self->answer = "the bytes";
    assert_ok(fedn_control_model_pull(control, "m 1", path, on_progress, &progress, &err), &err);
    assert_string_equal(self->asked, "GET /api/v1/models/m%201/download");
    assert_int_equal(progress.done, 9);
    char *data = test_read_file(path, NULL);
    assert_string_equal(data, "the bytes");
    free(data);
    assert_ok(fedn__fs_unlink(path, &err), &err);

    self->status = 404;
    self->answer = "{\"message\": \"no such model\"}";
    assert_fails(fedn_control_model_pull(control, "m-2", path, NULL, NULL, &err),
                 FEDN_ERR_NOT_FOUND, &err, "no_such_model");
    assert_int_equal(fedn__fs_size(path, &bytes, NULL), FEDN_ERR_NOT_FOUND);

    self->status = 200;
    self->answer = "{\"count\": 0, \"result\": []}";
    assert_fails(fedn_control_model_pull(control, NULL, path, NULL, NULL, &err), FEDN_ERR_NOT_FOUND,
                 &err, "no_model_yet");
    self->answer = "{\"count\": 1, \"result\": [{\"model_id\": \"newest\"}]}";
    assert_ok(fedn_control_model_pull(control, NULL, path, NULL, NULL, &err), &err);
    assert_string_equal(self->asked, "GET /api/v1/models/newest/download");
    fedn__free(path);
    fedn_control_free(control);
}

/* Keeps what it was told, and ends at the third line. */
typedef struct listener {
    char text[64];
    int32_t lines, last;
} listener;

static fedn_status listen_to(const char *json, void *user_data)
{
    listener *self = user_data;

    snprintf(self->text + strlen(self->text), sizeof self->text - strlen(self->text), "%s;", json);
    return ++self->lines == self->last ? FEDN_ERR_EXISTS : FEDN_OK;
}

static void a_watch_hands_over_line_by_line(void **state)
{
    site *self = *state;
    fedn_control *control = open_control(self->url, "");
    listener heard = {.last = 3};
    fedn_error err;

    self->answer = "{\"a\":1}\n\n{\"b\":2}\n{\"c\":3}\n{\"d\":4}\n";
    assert_int_equal(fedn_control_watch(control, "s/1", 41, listen_to, &heard, &err),
                     FEDN_ERR_EXISTS);
    assert_string_equal(heard.text, "{\"a\":1};{\"b\":2};{\"c\":3};");
    assert_string_equal(self->asked, "GET /api/v1/events after=41 session=s/1");

    heard = (listener){.last = 9};
    assert_fails(fedn_control_watch(control, NULL, 0, listen_to, &heard, &err),
                 FEDN_ERR_UNAVAILABLE, &err, "ended_the_stream");
    assert_int_equal(heard.lines, 4);

    self->status = 403;
    self->answer = "{\"message\": \"no\"}\n";
    heard = (listener){.last = 9};
    assert_fails(fedn_control_watch(control, NULL, 0, listen_to, &heard, &err), FEDN_ERR_DENIED,
                 &err, "403");
    assert_int_equal(heard.lines, 0);
    fedn_control_free(control);
}

static void *cancel_when_reading(void *arg)
{
    void **both = arg;
    site *self = both[0];

    fedn__flag_wait(&self->waiting, INT64_MAX);
    fedn_control_cancel(both[1]);
    return NULL;
}

static void a_watch_is_left_from_another_thread(void **state)
{
    site *self = *state;
    fedn_control *control = open_control(self->url, "");
    void *both[] = {self, control};
    listener heard = {.last = 9};
    pthread_t thread;
    fedn_error err;

    self->endless = 1;
    assert_ok(fedn__thread_start(&thread, "canceller", cancel_when_reading, both, &err), &err);
    assert_int_equal(fedn_control_watch(control, NULL, 0, listen_to, &heard, &err),
                     FEDN_ERR_CANCELLED);
    pthread_join(thread, NULL);
    assert_int_equal(fedn_control_request(control, "GET", "status", NULL, NULL, &err),
                     FEDN_ERR_CANCELLED);
    fedn_control_free(control);
}

/* Nobody listens: everything that the client does on its own. */
static fedn_status ask_nobody(void *unused)
{
    fedn_config *config = NULL;
    fedn_control *control = NULL;
    char *json = NULL;
    char *text = NULL;
    char *id = NULL;
    fedn_error err;

    (void)unused;
    fedn_status rc = fedn_config_new(&config, &err);
    if (rc == FEDN_OK)
        rc = fedn_config_set(config, "control.url", "http://127.0.0.1:1", &err);
    if (rc == FEDN_OK)
        rc = fedn_config_set(config, "control.token", "t", &err);
    if (rc == FEDN_OK)
        rc = fedn_control_new(config, &control, &err);
    if (rc == FEDN_OK && !(text = fedn_control_escape("a b")))
        rc = FEDN_ERR_NOMEM;
    if (rc == FEDN_OK)
        rc = fedn_control_list(control, "models", "a=b", 1, 1, &json, &err);
    if (rc == FEDN_ERR_UNAVAILABLE)
        rc = fedn_control_model_pull(control, "m-1", "/nowhere/at/all", NULL, NULL, &err);
    if (rc != FEDN_OK && rc != FEDN_ERR_NOMEM)
        rc = fedn_control_model_push(control, "/nowhere/at/all", NULL, "x", NULL, NULL, &id, &err);
    if (rc != FEDN_OK && rc != FEDN_ERR_NOMEM)
        rc = fedn_control_watch(control, "s-1", 0, listen_to, NULL, &err);
    assert_true(!json && !id);
    fedn_free(text);
    fedn_control_free(control);
    fedn_config_free(config);
    return rc == FEDN_ERR_UNAVAILABLE ? FEDN_OK : rc;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(ask_nobody, NULL);
}

static fedn_status every_call(void *arg)
{
    site *self = arg;
    fedn_config *config = NULL;
    fedn_control *control = NULL;
    char *json = NULL;
    char *path = NULL;
    char *id = NULL;
    fedn_error err;

    self->answer = "{\"model_id\": \"newest\", \"result\": [{\"model_id\": \"newest\"}]}";
    fedn_status rc = fedn_config_new(&config, &err);
    if (rc == FEDN_OK)
        rc = fedn_config_set(config, "control.url", self->url, &err);
    if (rc == FEDN_OK)
        rc = fedn_config_set(config, "control.token", "t", &err);
    if (rc == FEDN_OK)
        rc = fedn_control_new(config, &control, &err);
    if (rc == FEDN_OK)
        rc = fedn_control_list(control, "models", "a=b", 1, 1, &json, &err);
    if (rc == FEDN_OK) {
        path = fedn__fs_join(self->dir, "oom.npz");
        rc = path ? FEDN_OK : FEDN_ERR_NOMEM;
    }
    if (rc == FEDN_OK)
        rc = fedn_control_model_pull(control, NULL, path, NULL, NULL, &err);
    if (rc == FEDN_OK)
        rc = fedn_control_model_push(control, path, NULL, "x", NULL, NULL, &id, &err);
    fedn__free(path);
    fedn_free(json);
    fedn_free(id);
    fedn_control_free(control);
    fedn_config_free(config);
    return rc;
}

/* With a server that allocates as well: its failures become 5xx answers or cut connections, so no
 * NOMEM can be demanded. */
static void running_out_of_memory_is_survived(void **state)
{
    site *self = *state;

    for (uint64_t nth = 1; nth < 2000; nth++) {
        fedn__alloc_fail_at(nth);
        fedn_status rc = every_call(self);
        uint64_t asked = fedn__alloc_fail_at(0);
        if (asked < nth) {
            assert_int_equal(rc, FEDN_OK);
            return;
        }
        if (rc == FEDN_ERR_INVALID || rc == FEDN_ERR_INTERNAL)
            fail_msg("allocation %d failed: status %d", (int)nth, (int)rc);
    }
    fail_msg("the scenario never ran through");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_url_is_joined_whatever_its_end),
        TEST(an_answer_comes_as_text),
        TEST(a_page_of_a_list_is_asked_for_in_headers),
        TEST(a_refusal_becomes_a_status_and_its_text),
        TEST(an_unreachable_reducer_is_named),
        TEST(an_empty_url_is_refused),
        TEST(ids_are_escaped),
        TEST(a_model_goes_up_with_its_name),
        TEST(a_model_comes_down_whole_or_not_at_all),
        TEST(a_watch_hands_over_line_by_line),
        TEST(a_watch_is_left_from_another_thread),
        TEST(each_allocation_may_fail),
        TEST(running_out_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
