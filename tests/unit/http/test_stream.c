/* SPDX-License-Identifier: Apache-2.0
 * Answers without an end, followed line by line and ended by either side. */
#include "http/server.h"

#include "core/clock.h"
#include "site.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct follower {
    site *site;
    pthread_t thread;
    int32_t wanted; /* lines after which it ends the stream; 0: never */
    int32_t lines;
    int32_t more; /* asks the site for another line after each */
    fedn_status rc;
    int32_t status;
} follower;

static fedn_status on_line(const char *line, void *user_data)
{
    follower *f = user_data;

    if (strncmp(line, "line ", 5) != 0 || line[5] < '0' || line[5] > '9')
        return FEDN_ERR_FORMAT;
    f->lines++;
    if (f->more)
        site_lines(f->site, f->lines < f->more ? 1 : -1);
    return f->wanted && f->lines == f->wanted ? FEDN_ERR_CALLBACK : FEDN_OK;
}

static void *follow(void *arg)
{
    follower *f = arg;
    char url[SITE_URL];
    fedn_error err;
    fedn__http_call call = {
        .method = "GET", .url = site_url(f->site, "/stream", url), .timeout_ms = 5000};

    f->rc = fedn__http_follow(f->site->client, &call, on_line, f, &f->status, &err);
    return NULL;
}

static void start(follower *f)
{
    fedn_error err;

    assert_ok(fedn__thread_start(&f->thread, "follower", follow, f, &err), &err);
}

static void each_line_arrives_before_the_next_is_written(void **state)
{
    follower f = {.site = *state, .more = 200};
    int64_t before = fedn__clock_ms();

    /* a line is written only when the one before was received: none may wait in a buffer */
    site_lines(f.site, 1);
    follow(&f);
    assert_int_equal(f.rc, FEDN_OK);
    assert_int_equal(f.status, 200);
    assert_int_equal(f.lines, 200);
    assert_true(fedn__clock_ms() - before < 5000);
    site_wait_streams(f.site, 1, 0);
}

static void follower_ends_the_stream(void **state)
{
    follower f = {.site = *state, .wanted = 3};

    site_lines(f.site, 1000000);
    follow(&f);
    assert_int_equal(f.rc, FEDN_ERR_CALLBACK);
    assert_int_equal(f.lines, 3);
    site_wait_streams(f.site, 1, 0);
}

static void client_that_left_a_silent_stream_is_noticed(void **state)
{
    site *s = *state;
    static const char request[] = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = site_connect(s);

    site_send(fd, request, sizeof request - 1);
    site_wait_streams(s, 1, 1);
    close(fd);
    site_wait_streams(s, 1, 0);
}

static void end_of_the_server_is_a_proper_end_of_the_stream(void **state)
{
    follower f = {.site = *state};
    int64_t before = fedn__clock_ms();

    start(&f);
    site_wait_streams(f.site, 1, 1);
    site_stop(f.site);
    pthread_join(f.thread, NULL);
    assert_int_equal(f.rc, FEDN_OK);
    assert_int_equal(f.status, 200);
    assert_true(fedn__clock_ms() - before < 2000);
}

static void end_of_the_server_does_not_wait_for_a_client_that_does_not_read(void **state)
{
    site *s = *state;
    static const char request[] = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";
    int small = 4096;
    int fd = site_connect(s);

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    site_lines(s, INT32_MAX);
    site_send(fd, request, sizeof request - 1);
    site_wait_streams(s, 1, 1);
    int64_t before = fedn__clock_ms();
    site_stop(s);
    assert_true(fedn__clock_ms() - before < 8000);
    close(fd);
}

static void cancel_from_another_thread_ends_it(void **state)
{
    follower f = {.site = *state};
    fedn_error err;
    char *body = NULL;
    char url[SITE_URL];
    int32_t status = 0;
    fedn__http_call call = {.method = "GET", .url = site_url(f.site, "/stream", url)};

    start(&f);
    site_wait_streams(f.site, 1, 1);
    int64_t before = fedn__clock_ms();
    fedn__http_client_cancel(f.site->client);
    pthread_join(f.thread, NULL);
    assert_int_equal(f.rc, FEDN_ERR_CANCELLED);
    assert_true(fedn__clock_ms() - before < 900);
    assert_fails(fedn__http_fetch(f.site->client, &call, &status, &body, NULL, &err),
                 FEDN_ERR_CANCELLED, &err, "GET 127.0.0.1");
}

static void stream_is_chunked_and_not_cached(void **state)
{
    site *s = *state;

    site_lines(s, 1);
    static const char request[] = "GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    int fd = site_connect(s);
    site_send(fd, request, sizeof request - 1);
    site_wait_streams(s, 1, 1);
    site_stop(s);
    char *raw = site_receive(fd);
    assert_non_null(strstr(raw, "Transfer-Encoding: chunked\r\n"));
    assert_non_null(strstr(raw, "Cache-Control: no-store\r\n"));
    assert_non_null(strstr(raw, "\r\n0\r\n\r\n"));
    free(raw);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, site_setup, site_teardown)
    const struct CMUnitTest tests[] = {
        CASE(each_line_arrives_before_the_next_is_written),
        CASE(follower_ends_the_stream),
        CASE(client_that_left_a_silent_stream_is_noticed),
        CASE(end_of_the_server_is_a_proper_end_of_the_stream),
        CASE(end_of_the_server_does_not_wait_for_a_client_that_does_not_read),
        CASE(cancel_from_another_thread_ends_it),
        CASE(stream_is_chunked_and_not_cached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
