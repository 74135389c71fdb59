/* SPDX-License-Identifier: Apache-2.0
 * The HTTP client: methods, bounds, redirects, files, failures. */
#include "http/client.h"

#include "core/fs.h"
#include "site.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void methods_arrive_as_they_are(void **state)
{
    site *s = *state;
    static const char *const methods[] = {"GET", "PUT", "DELETE"};

    for (int i = 0; i < 3; i++) {
        char *body = NULL;
        char word[32];
        assert_int_equal(site_call(s, methods[i], "/echo/x", NULL, NULL, &body), 200);
        snprintf(word, sizeof word, "\"method\":\"%s\"", methods[i]);
        assert_non_null(strstr(body, word));
        fedn__free(body);
    }
    site_expect(s, "HEAD", "/echo/x", NULL, 200, "");
    site_expect(s, "POST", "/json", "{\"a\":1}", 201, "{\"a\":1}\n");
}

static void answer_over_the_bound_is_refused(void **state)
{
    site *s = *state;
    char url[SITE_URL];
    fedn_error err;
    char *body = NULL;
    int32_t status = 0;
    uint64_t bytes = 0;
    fedn__http_call call = {.method = "GET", .url = site_url(s, "/blob", url), .max_bytes = 36};

    assert_ok(fedn__http_fetch(s->client, &call, &status, &body, &bytes, &err), &err);
    assert_int_equal(bytes, 36);
    fedn__free(body);
    call.max_bytes = 35;
    assert_fails(fedn__http_fetch(s->client, &call, &status, &body, &bytes, &err), FEDN_ERR_LIMIT,
                 &err, "over_the_limit 35");
    assert_null(body);
}

static void bad_calls_are_refused(void **state)
{
    site *s = *state;
    char url[SITE_URL];
    static const char *const injected[] = {"X: a\r\nY: b", NULL};
    static const char *const no_colon[] = {"X", NULL};
    static const char *const urls[] = {"", "http://", "ftp://localhost/", "file:///etc/passwd"};
    fedn_error err;
    char *body = NULL;
    int32_t status = 0;
    fedn__http_call call = {.method = "GET", .url = site_url(s, "/blob", url), .headers = injected};

    assert_fails(fedn__http_fetch(s->client, &call, &status, &body, NULL, &err), FEDN_ERR_INVALID,
                 &err, "header");
    call.headers = no_colon;
    assert_fails(fedn__http_fetch(s->client, &call, &status, &body, NULL, &err), FEDN_ERR_INVALID,
                 &err, "header");
    call.headers = NULL;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        call.url = urls[i];
        assert_fails(fedn__http_fetch(s->client, &call, &status, &body, NULL, &err),
                     FEDN_ERR_INVALID, &err, "GET");
        assert_null(body);
    }
}

/* A listener that accepts into its backlog and never answers. */
static int mute_listener(char url[SITE_URL])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(url, SITE_URL, "http://user:secret@127.0.0.1:%d/path?token=secret",
             ntohs(address.sin_port));
    return fd;
}

static void silence_times_out_and_the_error_holds_no_secret(void **state)
{
    site *s = *state;
    char url[SITE_URL];
    fedn_error err;
    char *body = NULL;
    int32_t status = 0;
    int fd = mute_listener(url);
    fedn__http_call call = {.method = "GET", .url = url, .timeout_ms = 100};

    assert_fails(fedn__http_fetch(s->client, &call, &status, &body, NULL, &err), FEDN_ERR_TIMEOUT,
                 &err, "GET http://127.0.0.1");
    assert_null(strstr(err.message, "secret"));
    close(fd);
    call.timeout_ms = 5000;
    assert_fails(fedn__http_fetch(s->client, &call, &status, &body, NULL, &err),
                 FEDN_ERR_UNAVAILABLE, &err, "GET http://127.0.0.1");
    assert_null(strstr(err.message, "secret"));
}

typedef struct caller {
    site *site;
    const char *url;
    pthread_t thread;
    fedn_status rc;
} caller;

static void *call_mute(void *arg)
{
    caller *c = arg;
    char *body = NULL;
    int32_t status = 0;
    fedn__http_call call = {.method = "GET", .url = c->url};

    c->rc = fedn__http_fetch(c->site->client, &call, &status, &body, NULL, NULL);
    return NULL;
}

static void cancel_ends_a_call_that_waits(void **state)
{
    site *s = *state;
    char url[SITE_URL];
    fedn_error err;
    int fd = mute_listener(url);
    caller c = {.site = s, .url = url};

    assert_ok(fedn__thread_start(&c.thread, "caller", call_mute, &c, &err), &err);
    int peer = accept(fd, NULL, NULL);
    fedn__http_client_cancel(s->client);
    pthread_join(c.thread, NULL);
    assert_int_equal(c.rc, FEDN_ERR_CANCELLED);
    close(peer);
    close(fd);
}

static void tls_against_plain_http_is_an_error(void **state)
{
    site *s = *state;
    char url[SITE_URL];
    char secure[SITE_URL + 8];
    fedn_error err;
    char *body = NULL;
    int32_t status = 0;
    fedn__http_call call = {.method = "GET", .url = secure, .timeout_ms = 5000};

    snprintf(secure, sizeof secure, "https%s", site_url(s, "/blob", url) + 4);
    assert_fails(fedn__http_fetch(s->client, &call, &status, &body, NULL, &err), FEDN_ERR_AUTH,
                 &err, "https://127.0.0.1");
}

static void redirects_stay_on_the_host(void **state)
{
    site *s = *state;
    char *body = NULL;

    site_expect(s, "GET", "/redirect/302?to=/blob", NULL, 200, SITE_BLOB);
    site_expect(s, "POST", "/redirect/308?to=/json", "{\"a\":1}", 201, "{\"a\":1}\n");
    site_expect(s, "POST", "/redirect/303?to=/blob", "{}", 200, SITE_BLOB);
    site_expect(s, "GET", "/redirect/301?to=http://localhost/blob", NULL, 301,
                "{\"message\":\"moved\"}\n");
    site_expect(s, "GET", "/redirect/307?to=file:///etc/passwd", NULL, 307,
                "{\"message\":\"moved\"}\n");
    assert_int_equal(site_call(s, "GET", "/redirect/302?to=/redirect/302?to=/x", NULL, NULL, &body),
                     404);
    fedn__free(body);
    site_expect(s, "GET", "/circle", NULL, 302, "{\"message\":\"round and round\"}\n");
}

static void file_is_fetched_whole_or_not_at_all(void **state)
{
    site *s = *state;
    char url[SITE_URL];
    fedn_error err;
    int32_t status = 0;
    char *body = NULL;
    uint64_t bytes = 0;
    char *path = fedn__fs_join(s->scratch, "fetched");
    char *part = fedn__fs_join(s->scratch, "fetched.part");
    fedn__http_call call = {.method = "GET", .url = site_url(s, "/blob", url), .timeout_ms = 5000};

    assert_ok(fedn__http_fetch_file(s->client, &call, path, NULL, NULL, &status, &body, &err),
              &err);
    assert_int_equal(status, 200);
    assert_null(body);
    char *got = test_read_file(path, &bytes);
    assert_string_equal(got, SITE_BLOB);
    free(got);
    assert_ok(fedn__fs_unlink(path, &err), &err);

    call.url = site_url(s, "/error/-5", url);
    assert_ok(fedn__http_fetch_file(s->client, &call, path, NULL, NULL, &status, &body, &err),
              &err);
    assert_int_equal(status, 404);
    assert_string_equal(body, "{\"message\":\"text of -5\"}\n");
    fedn__free(body);
    assert_fails(fedn__fs_size(path, &bytes, &err), FEDN_ERR_NOT_FOUND, &err, "fetched");

    call.url = site_url(s, "/blob", url);
    call.max_bytes = 10;
    assert_fails(fedn__http_fetch_file(s->client, &call, path, NULL, NULL, &status, &body, &err),
                 FEDN_ERR_LIMIT, &err, "10");
    assert_fails(fedn__fs_size(path, &bytes, &err), FEDN_ERR_NOT_FOUND, &err, "fetched");
    assert_fails(fedn__fs_size(part, &bytes, &err), FEDN_ERR_NOT_FOUND, &err, "fetched");
    fedn__free(path);
    fedn__free(part);
}

static void what_is_no_file_is_not_sent(void **state)
{
    site *s = *state;
    char url[SITE_URL];
    fedn_error err;
    int32_t status = 0;
    char *body = NULL;
    fedn__http_call call = {.method = "POST", .url = site_url(s, "/upload", url)};

    assert_fails(fedn__http_send_file(s->client, &call, "/nonexistent/file", NULL, NULL, NULL,
                                      &status, &body, &err),
                 FEDN_ERR_NOT_FOUND, &err, "/nonexistent/file");
    assert_fails(
        fedn__http_send_file(s->client, &call, "/proc", NULL, NULL, NULL, &status, &body, &err),
        FEDN_ERR_INVALID, &err, "/proc regular_file");
}

/* The server's side allocates as well, so a failure may show as its 500 or as a broken connection:
 * the count of what is left over is what matters, and it settles when the server has ended. */
static void every_failed_allocation_is_survived(void **state)
{
    site *s = *state;

    for (uint64_t nth = 1; nth <= 40; nth++) {
        char url[SITE_URL];
        char *body = NULL;
        int32_t status = 0;
        fedn__http_call call = {.method = "POST",
                                .url = site_url(s, "/json", url),
                                .body = "{\"a\":1}",
                                .timeout_ms = 5000};
        fedn__alloc_fail_at(nth);
        fedn_status rc = fedn__http_fetch(s->client, &call, &status, &body, NULL, NULL);
        fedn__alloc_fail_at(0);
        assert_true((rc == FEDN_OK && (status == 201 || status == 500)) || rc == FEDN_ERR_NOMEM ||
                    rc == FEDN_ERR_UNAVAILABLE);
        fedn__free(body);
    }
    site_expect(s, "POST", "/json", "{}", 201, "{}\n");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, site_setup, site_teardown)
    const struct CMUnitTest tests[] = {
        CASE(methods_arrive_as_they_are),    CASE(answer_over_the_bound_is_refused),
        CASE(bad_calls_are_refused),         CASE(silence_times_out_and_the_error_holds_no_secret),
        CASE(cancel_ends_a_call_that_waits), CASE(tls_against_plain_http_is_an_error),
        CASE(redirects_stay_on_the_host),    CASE(file_is_fetched_whole_or_not_at_all),
        CASE(what_is_no_file_is_not_sent),   CASE(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
