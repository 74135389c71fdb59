/* SPDX-License-Identifier: Apache-2.0
 * The listener: routes, bodies, headers, ranges, many clients, its end. */
#include "http/server.h"

#include "core/clock.h"
#include "core/fs.h"
#include "site.h"
#include <stdlib.h>
#include <unistd.h>

static void handler_sees_the_request_decoded(void **state)
{
    site *s = *state;
    static const char *const headers[] = {"X-Test: hello", NULL};
    char *body = NULL;

    assert_int_equal(site_call(s, "GET", "/echo//a%20b%C3%BC/?q=1&q=%26+", NULL, headers, &body),
                     200);
    assert_string_equal(body, "{\"id\":\"a b\u00fc\",\"method\":\"GET\",\"none\":null,"
                              "\"path\":\"/echo//a%20b%C3%BC/\",\"peer\":\"127.0.0.1\","
                              "\"query\":[[\"q\",\"1\"],[\"q\",\"& \"]],\"x\":\"hello\"}\n");
    fedn__free(body);
}

static void unknown_paths_and_methods_are_told_apart(void **state)
{
    site *s = *state;

    site_expect(s, "GET", "/nowhere/", NULL, 404, "{\"message\":\"there is no /nowhere/ here\"}\n");
    site_expect(s, "GET", "/echo/a%2Fb", NULL, 404,
                "{\"message\":\"there is no /echo/a%2Fb here\"}\n");
    site_expect(s, "POST", "/echo/a", "{}", 405,
                "{\"message\":\"/echo/a takes GET, HEAD, DELETE, PUT only\"}\n");
    site_expect(s, "GET", "/%zz", NULL, 400,
                "{\"message\":\"the path is not percent-encoded UTF-8\"}\n");
    char *raw = site_raw(s, "PUT /json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(raw, "405"));
    assert_non_null(strstr(raw, "Allow: POST, PATCH\r\n"));
    free(raw);
}

static void prefix_serves_the_same_routes(void **state)
{
    site *s = *state;

    site_expect(s, "GET", "/net/error/-5", NULL, 404, "{\"message\":\"text of -5\"}\n");
    site_expect(s, "GET", "/net/nothing", NULL, 500,
                "{\"message\":\"the handler gave no answer\"}\n");
}

static void head_is_get_without_the_body(void **state)
{
    site *s = *state;
    char *raw = site_raw(s, "HEAD /blob HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

    assert_non_null(strstr(raw, "200 OK"));
    assert_non_null(strstr(raw, "Content-Length: 36\r\n"));
    assert_null(strstr(raw, "0123"));
    free(raw);
}

static void json_bodies_are_parsed_or_refused(void **state)
{
    site *s = *state;

    site_expect(s, "POST", "/json", "{\"b\":[1,2],\"a\":\"x\"}", 201,
                "{\"a\":\"x\",\"b\":[1,2]}\n");
    site_expect(s, "PATCH", "/json", "{}", 201, "{}\n");
    site_expect(s, "POST", "/json", "[1]", 400,
                "{\"message\":\"the body is not a JSON object\"}\n");
    char *body = NULL;
    assert_int_equal(site_call(s, "POST", "/json", "{\"a\":", NULL, &body), 400);
    assert_non_null(strstr(body, "the body is not JSON"));
    fedn__free(body);
    assert_int_equal(site_call(s, "POST", "/json", NULL, NULL, &body), 400);
    fedn__free(body);
}

static void url_encoded_form_is_read(void **state)
{
    site *s = *state;
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    char *body = NULL;

    assert_int_equal(site_call(s, "POST", "/form", "a=1+2&b=%C3%BC&c", headers, &body), 200);
    assert_string_equal(body, "[[\"a\",\"1 2\"],[\"b\",\"\u00fc\"],[\"c\",\"\"]]\n");
    fedn__free(body);
    assert_int_equal(site_call(s, "POST", "/form", "a=%", headers, &body), 400);
    fedn__free(body);
}

static void bodies_have_a_bound(void **state)
{
    site *s = *state;
    char *text = calloc(1, FEDN__LIMIT_HTTP_BODY + 2);
    char *body = NULL;

    memset(text, 'x', FEDN__LIMIT_HTTP_BODY);
    site_expect(s, "POST", "/size", text, 200, "1048576\n");
    text[FEDN__LIMIT_HTTP_BODY] = 'x';
    assert_int_equal(site_call(s, "POST", "/size", text, NULL, &body), 413);
    assert_string_equal(body, "{\"message\":\"the body is over the limit of 1048576 bytes\"}\n");
    fedn__free(body);
    /* the connection that swallowed it is still good */
    site_expect(s, "POST", "/size", "abc", 200, "3\n");
    free(text);
}

static void chunked_body_over_the_bound_is_refused(void **state)
{
    site *s = *state;
    char *block = malloc(65536);
    int fd = site_connect(s);
    static const char head[] =
        "POST /size HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";

    memset(block, 'x', 65536);
    site_send(fd, head, sizeof head - 1);
    for (int i = 0; i < 20; i++) {
        site_send(fd, "10000\r\n", 7);
        site_send(fd, block, 65536);
        site_send(fd, "\r\n", 2);
    }
    site_send(fd, "0\r\n\r\n", 5);
    char *raw = site_receive(fd);
    assert_non_null(strstr(raw, "413"));
    assert_non_null(strstr(raw, "1048576"));
    free(raw);
    /* one that does not end is cut */
    fd = site_connect(s);
    site_send(fd, head, sizeof head - 1);
    for (int i = 0; i < 1000; i++) {
        site_send(fd, "10000\r\n", 7);
        site_send(fd, block, 65536);
        site_send(fd, "\r\n", 2);
    }
    raw = site_receive(fd);
    assert_string_equal(raw, "");
    free(raw);
    free(block);
}

static void huge_announcement_is_refused_at_once(void **state)
{
    site *s = *state;
    char *raw =
        site_raw(s, "POST /json HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n");

    assert_non_null(strstr(raw, "413"));
    free(raw);
    raw = site_raw(s, "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                      "Expect: 100-continue\r\n\r\n");
    assert_non_null(strstr(raw, "404"));
    assert_null(strstr(raw, "100 Continue"));
    free(raw);
}

static void ranges_of_a_blob(void **state)
{
    site *s = *state;
    static const struct {
        const char *header;
        int32_t status;
        const char *body;
    } rows[] = {
        {"Range: bytes=2-5", 206, "2345"},
        {"Range: bytes=30-", 206, "uvwxyz"},
        {"Range: bytes=-2", 206, "yz"},
        {"Range: bytes=36-", 416, "{\"message\":\"the range is not within the 36 bytes\"}\n"},
        {"Range: bytes=x", 416, "{\"message\":\"the range is not within the 36 bytes\"}\n"},
        {"Range: bytes=0-1,3-4", 200, SITE_BLOB},
        {"X: y", 200, SITE_BLOB},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *headers[] = {rows[i].header, NULL};
        char *body = NULL;
        assert_int_equal(site_call(s, "GET", "/blob", NULL, headers, &body), rows[i].status);
        assert_string_equal(body, rows[i].body);
        fedn__free(body);
    }
    char *raw = site_raw(
        s, "GET /blob HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: bytes=-3\r\n\r\n");
    assert_non_null(strstr(raw, "206 Partial Content"));
    assert_non_null(strstr(raw, "Content-Range: bytes 33-35/36\r\n"));
    assert_non_null(strstr(raw, "Accept-Ranges: bytes\r\n"));
    assert_non_null(strstr(raw, "Content-Length: 3\r\n"));
    free(raw);
    raw = site_raw(
        s, "GET /blob HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: bytes=99-\r\n\r\n");
    assert_non_null(strstr(raw, "Content-Range: bytes */36\r\n"));
    free(raw);
    raw = site_raw(s, "GET /blob HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: bytes=-3\r\n"
                      "If-Range: \"tag\"\r\n\r\n");
    assert_non_null(strstr(raw, "200 OK"));
    free(raw);
}

static void download_names_its_file(void **state)
{
    site *s = *state;
    static const struct {
        const char *name;
        const char *header;
    } rows[] = {
        {"package.tgz", "attachment; filename=package.tgz\r\n"},
        {"a%20%22b%0d%0a.bin",
         "attachment; filename=a__b__.bin; filename*=UTF-8''a%20%22b%0D%0A.bin\r\n"},
        {"%C3%BC", "attachment; filename=__; filename*=UTF-8''%C3%BC\r\n"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "GET /blob?name=%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                 rows[i].name);
        char *raw = site_raw(s, text);
        if (!strstr(raw, rows[i].header))
            fail_msg("%s", raw);
        free(raw);
    }
}

static void header_injection_is_refused(void **state)
{
    site *s = *state;
    char *raw =
        site_raw(s, "GET /headers?value=a%0d%0aX-Evil:+1%0d%0a%0d%0abody&name=X-A%0d%0aX-Bad"
                    " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

    assert_non_null(strstr(raw, "200 OK"));
    assert_non_null(strstr(raw, "X-Good: fine\r\n"));
    assert_null(strstr(raw, "Evil"));
    assert_null(strstr(raw, "X-Bad"));
    free(raw);
}

static void errors_become_statuses(void **state)
{
    site *s = *state;
    static const struct {
        fedn_status code;
        int32_t status;
    } rows[] = {
        {FEDN_ERR_NOT_FOUND, 404},   {FEDN_ERR_INVALID, 400}, {FEDN_ERR_FORMAT, 400},
        {FEDN_ERR_EXISTS, 409},      {FEDN_ERR_STATE, 409},   {FEDN_ERR_LIMIT, 413},
        {FEDN_ERR_AUTH, 401},        {FEDN_ERR_DENIED, 403},  {FEDN_ERR_TIMEOUT, 503},
        {FEDN_ERR_UNAVAILABLE, 503}, {FEDN_ERR_STORE, 500},   {FEDN_ERR_INTERNAL, 500},
        {FEDN_ERR_NOMEM, 500},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[32];
        char body[64];
        snprintf(path, sizeof path, "/error/%d", (int)rows[i].code);
        snprintf(body, sizeof body, "{\"message\":\"text of %d\"}\n", (int)rows[i].code);
        site_expect(s, "GET", path, NULL, rows[i].status, body);
    }
    site_expect(s, "GET", "/bytes", NULL, 409, "{\"message\":\"the reason is not UTF-8\"}\n");
}

static void garbage_is_answered_or_cut(void **state)
{
    site *s = *state;
    static const char *const texts[] = {
        "\r\n\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET /echo/a HTTP/9.9\r\n\r\n",
        "GET /echo/a HTTP/1.1\r\nno colon\r\nConnection: close\r\n\r\n",
        "POST /size HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: -1\r\n\r\n",
        ("POST /size HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
         "zz\r\n"),
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *raw = site_raw(s, texts[i]);
        assert_null(strstr(raw, "200 OK"));
        free(raw);
    }
    size_t bytes = 2 * FEDN__LIMIT_HTTP_HEAD;
    char *large = malloc(bytes + 1);
    memset(large, 'x', bytes);
    memcpy(large, "GET /", 5);
    large[bytes] = 0;
    char *raw = site_raw(s, large);
    assert_null(strstr(raw, "200 OK"));
    free(raw);
    free(large);
    site_expect(s, "GET", "/error/-2", NULL, 400, "{\"message\":\"text of -2\"}\n");
}

typedef struct visitor {
    site *site;
    pthread_t thread;
    int32_t number;
    int32_t good;
} visitor;

static void *visit(void *arg)
{
    visitor *v = arg;
    fedn__http_client *client = NULL;
    char url[SITE_URL];
    char path[32];
    char *body = NULL;
    int32_t status = 0;

    snprintf(path, sizeof path, "/echo/%d", (int)v->number);
    fedn__http_call call = {
        .method = "GET", .url = site_url(v->site, path, url), .timeout_ms = 20000};
    if (fedn__http_client_new(&client, NULL) != FEDN_OK)
        return NULL;
    for (int i = 0; i < 5; i++) {
        if (fedn__http_fetch(client, &call, &status, &body, NULL, NULL) != FEDN_OK)
            break;
        v->good += status == 200 && strstr(body, path) != NULL;
        fedn__free(body);
    }
    fedn__http_client_free(client);
    return NULL;
}

static void fifty_clients_at_once(void **state)
{
    site *s = *state;
    visitor visitors[50];
    fedn_error err;

    for (int32_t i = 0; i < 50; i++) {
        visitors[i] = (visitor){.site = s, .number = i};
        assert_ok(fedn__thread_start(&visitors[i].thread, "visitor", visit, &visitors[i], &err),
                  &err);
    }
    for (int i = 0; i < 50; i++) {
        pthread_join(visitors[i].thread, NULL);
        assert_int_equal(visitors[i].good, 5);
    }
}

static void taken_port_is_named(void **state)
{
    site *s = *state;
    char listen[32];
    fedn__http_options options = {.listen = listen};
    fedn__http_server *second = NULL;
    fedn_error err;

    snprintf(listen, sizeof listen, "127.0.0.1:%d", (int)fedn__http_server_port(s->server));
    assert_fails(fedn__http_server_new(&options, NULL, 0, NULL, &second, &err), FEDN_ERR_IO, &err,
                 listen);
    assert_null(second);
    options.listen = "no such name:80";
    assert_true(fedn__http_server_new(&options, NULL, 0, NULL, &second, &err) != FEDN_OK);
    options.listen = "127.0.0.1:99999";
    assert_true(fedn__http_server_new(&options, NULL, 0, NULL, &second, &err) != FEDN_OK);
}

static void any_address_listens_for_both_families(void **state)
{
    site *s = *state;
    fedn__http_options options = {.listen = ":0"};
    fedn__http_server *first = s->server;
    fedn_error err;

    assert_ok(fedn__http_server_new(&options, NULL, 0, NULL, &s->server, &err), &err);
    site_expect(s, "GET", "/x", NULL, 404, "{\"message\":\"there is no /x here\"}\n");
    site_stop(s);
    s->server = first;
}

static void idle_connections_are_closed(void **state)
{
    site *s = *state;
    static const char half[] = "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc";
    int64_t before = fedn__clock_ms();
    int quiet = site_connect(s);
    int slow = site_connect(s);

    site_send(slow, half, sizeof half - 1);
    char *nothing = site_receive(quiet);
    char *less = site_receive(slow);
    assert_string_equal(nothing, "");
    assert_null(strstr(less, "200 OK"));
    assert_in_range(fedn__clock_ms() - before, 500, 10000);
    free(nothing);
    free(less);
}

static void *visit_wait(void *arg)
{
    visitor *v = arg;
    char url[SITE_URL];
    char *body = NULL;
    int32_t status = 0;
    fedn__http_call call = {
        .method = "GET", .url = site_url(v->site, "/wait", url), .timeout_ms = 20000};

    v->good = fedn__http_fetch(v->site->client, &call, &status, &body, NULL, NULL) == FEDN_OK &&
              status == 200 && strcmp(body, "waited") == 0;
    fedn__free(body);
    return NULL;
}

static void handler_may_take_longer_than_the_idle_time(void **state)
{
    site *s = *state;
    visitor v = {.site = s};
    fedn__flag never;
    fedn_error err;

    fedn__flag_init(&never);
    assert_ok(fedn__thread_start(&v.thread, "visitor", visit_wait, &v, &err), &err);
    assert_true(fedn__flag_wait(&s->entered, fedn__clock_ns() + 10000000000));
    /* there is no event for "the idle time is over": this waits for it */
    assert_false(fedn__flag_wait(&never, fedn__clock_ns() + 1300000000));
    fedn__flag_set(&s->release);
    pthread_join(v.thread, NULL);
    assert_true(v.good);
    fedn__flag_done(&never);
}

static void *release_when_stopping(void *arg)
{
    visitor *v = arg;

    site_stop(v->site);
    return NULL;
}

static void end_waits_for_the_handler_and_its_answer(void **state)
{
    site *s = *state;
    visitor v = {.site = s};
    visitor stopper = {.site = s};
    fedn_error err;

    assert_ok(fedn__thread_start(&v.thread, "visitor", visit_wait, &v, &err), &err);
    assert_true(fedn__flag_wait(&s->entered, fedn__clock_ns() + 10000000000));
    assert_ok(fedn__thread_start(&stopper.thread, "stopper", release_when_stopping, &stopper, &err),
              &err);
    fedn__flag_set(&s->release);
    pthread_join(stopper.thread, NULL);
    pthread_join(v.thread, NULL);
    assert_true(v.good);
}

static fedn_status serve_once(void *arg)
{
    fedn__http_options options = {.listen = "127.0.0.1:0", .upload_dir = arg, .prefix = "/p"};
    fedn__http_server *server = NULL;

    fedn_status rc = fedn__http_server_new(&options, NULL, 0, NULL, &server, NULL);
    fedn__http_server_free(server);
    return rc;
}

static void failed_allocations_are_survived(void **state)
{
    site *s = *state;
    test_fail_each_allocation(serve_once, s->upload_dir);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, site_setup, site_teardown)
    const struct CMUnitTest tests[] = {
        CASE(handler_sees_the_request_decoded),
        CASE(unknown_paths_and_methods_are_told_apart),
        CASE(prefix_serves_the_same_routes),
        CASE(head_is_get_without_the_body),
        CASE(json_bodies_are_parsed_or_refused),
        CASE(url_encoded_form_is_read),
        CASE(bodies_have_a_bound),
        CASE(chunked_body_over_the_bound_is_refused),
        CASE(huge_announcement_is_refused_at_once),
        CASE(ranges_of_a_blob),
        CASE(download_names_its_file),
        CASE(header_injection_is_refused),
        CASE(errors_become_statuses),
        CASE(garbage_is_answered_or_cut),
        CASE(fifty_clients_at_once),
        CASE(taken_port_is_named),
        CASE(any_address_listens_for_both_families),
        CASE(idle_connections_are_closed),
        CASE(handler_may_take_longer_than_the_idle_time),
        CASE(end_waits_for_the_handler_and_its_answer),
        CASE(failed_allocations_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
