/* SPDX-License-Identifier: Apache-2.0
 * Bodies that become files: multipart and raw, whole, malformed, over the bound. */
#include "http/server.h"

#include "core/buffer.h"
#include "core/fs.h"
#include "site.h"
#include <stdlib.h>

#define HEAD "POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
#define FORM "Content-Type: multipart/form-data; boundary=XX\r\n"

static char *make_file(site *s, uint64_t bytes, char **ret_data)
{
    char *path = fedn__fs_join(s->scratch, "to send.bin");
    char *data = malloc(bytes + 1);
    uint32_t value = 12345;

    for (uint64_t i = 0; i < bytes; i++) {
        value = value * 1664525u + 1013904223u;
        data[i] = (char)(value >> 24);
    }
    test_write_file(path, data, bytes);
    *ret_data = data;
    return path;
}

static void count_progress(uint64_t done, uint64_t total, void *user_data)
{
    uint64_t *most = user_data;
    assert_true(total == 0 || done <= total);
    if (done > *most)
        *most = done;
}

static int32_t send_file(site *s, const char *path, const char *const *fields, char **ret_body,
                         uint64_t *most)
{
    char url[SITE_URL];
    fedn_error err;
    int32_t status = 0;
    fedn__http_call call = {
        .method = "POST", .url = site_url(s, "/upload/", url), .timeout_ms = 20000};

    assert_ok(fedn__http_send_file(s->client, &call, path, fields, count_progress, most, &status,
                                   ret_body, &err),
              &err);
    return status;
}

static void file_of_five_mebibytes_arrives_as_it_was(void **state)
{
    site *s = *state;
    static const char *const fields[] = {"name", "M\u00fcller", "empty", "", "keep", "1", NULL};
    const uint64_t bytes = 5 * FEDN__MIB + 3;
    char *data = NULL;
    char *path = make_file(s, bytes, &data);
    char *body = NULL;
    uint64_t most = 0;
    uint64_t got_bytes = 0;

    assert_int_equal(send_file(s, path, fields, &body, &most), 200);
    assert_string_equal(body, "{\"bytes\":5242883,\"fields\":[[\"name\",\"M\u00fcller\"],"
                              "[\"empty\",\"\"],[\"keep\",\"1\"]],\"name\":\"to send.bin\"}\n");
    assert_true(most >= bytes);
    char *got = test_read_file(s->moved_path, &got_bytes);
    assert_int_equal(got_bytes, bytes);
    assert_memory_equal(got, data, bytes);
    free(got);
    free(data);
    fedn__free(body);
    fedn__free(path);
}

static void file_over_the_bound_is_refused(void **state)
{
    site *s = *state;
    char *data = NULL;
    char *path = make_file(s, SITE_UPLOAD_BYTES + 1, &data);
    char *body = NULL;
    uint64_t most = 0;

    assert_int_equal(send_file(s, path, NULL, &body, &most), 413);
    assert_string_equal(body, "{\"message\":\"the file is over the limit of 8388608 bytes\"}\n");
    fedn__free(body);
    free(data);
    fedn__free(path);
}

static void file_at_the_bound_and_empty_file_are_taken(void **state)
{
    site *s = *state;
    char *data = NULL;
    char *path = make_file(s, SITE_UPLOAD_BYTES, &data);
    char *body = NULL;
    uint64_t most = 0;

    assert_int_equal(send_file(s, path, NULL, &body, &most), 200);
    assert_non_null(strstr(body, "\"bytes\":8388608"));
    fedn__free(body);
    test_write_file(path, "", 0);
    assert_int_equal(send_file(s, path, NULL, &body, &most), 200);
    assert_string_equal(body, "{\"bytes\":0,\"fields\":[],\"name\":\"to send.bin\"}\n");
    fedn__free(body);
    free(data);
    fedn__free(path);
}

/* A request of this content type and body; its answer. */
static char *post(const site *s, const char *type, const char *body)
{
    char *text = malloc(strlen(body) + strlen(type) + 256);

    sprintf(text, HEAD "%sContent-Length: %zu\r\n\r\n%s", type, strlen(body), body);
    char *raw = site_raw(s, text);
    free(text);
    return raw;
}

static void forms_are_read_or_refused(void **state)
{
    site *s = *state;
    static const struct {
        const char *type;
        const char *body;
        const char *status;
        const char *words;
    } rows[] = {
        {FORM,
         "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n"
         "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nabc\r\n"
         "--XX--\r\n",
         " 200 ", "{\"bytes\":3,\"fields\":[[\"a\",\"one\"]],\"name\":\"f\"}"},
        {FORM, "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--XX--\r\n",
         " 200 ", "{\"bytes\":-1,\"fields\":[[\"a\",\"one\"]],\"name\":null}"},
        {FORM,
         "--XX\r\nContent-Disposition: form-data; name=\"file\"; "
         "filename=\"\"\r\n\r\n\r\n--XX--\r\n",
         " 200 ", "{\"bytes\":-1,\"fields\":[],\"name\":null}"},
        {FORM,
         "--XX\r\nContent-Disposition: form-data; name=\"x\"; filename=\"../../etc/passwd\"\r\n\r\n"
         "abc\r\n--XX--\r\n",
         " 200 ", "\"name\":\"../../etc/passwd\""},
        {"Content-Type: application/x-www-form-urlencoded\r\n", "a=1&b=2", " 200 ",
         "{\"bytes\":-1,\"fields\":[[\"a\",\"1\"],[\"b\",\"2\"]],\"name\":null}"},
        {"Content-Type: application/octet-stream\r\n", "raw bytes", " 200 ",
         "{\"bytes\":9,\"fields\":[],\"name\":null}"},
        {"", "raw bytes", " 200 ", "{\"bytes\":9,\"fields\":[],\"name\":null}"},
        {FORM, "nonsense", " 400 ", "malformed"},
        {FORM, "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none", " 400 ",
         "malformed"},
        {FORM,
         "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nabc\r\n",
         " 400 ", "malformed"},
        {FORM,
         "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\nabc\r\n"
         "--XX\r\nContent-Disposition: form-data; name=\"g\"; filename=\"g\"\r\n\r\nabc\r\n"
         "--XX--\r\n",
         " 400 ", "more than one file"},
        {FORM, "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xff\r\n--XX--\r\n",
         " 400 ", "not UTF-8"},
        {FORM,
         "--XX\r\nContent-Disposition: form-data; name=\"a\"; filename=\"\xff\"\r\n\r\nx\r\n"
         "--XX--\r\n",
         " 400 ", "file's name"},
        {"Content-Type: multipart/form-data\r\n", "--XX\r\n\r\n--XX--", " 400 ", "no boundary"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *raw = post(s, rows[i].type, rows[i].body);
        if (!strstr(raw, rows[i].status) || !strstr(raw, rows[i].words))
            fail_msg("form %d: wanted%s\"%s\", got %s", (int)i, rows[i].status, rows[i].words, raw);
        free(raw);
    }
}

static void too_many_and_too_large_fields_are_refused(void **state)
{
    site *s = *state;
    static const char part[] = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
    fedn__buffer body;

    fedn__buffer_init(&body, 2 * FEDN__LIMIT_HTTP_BODY);
    for (int i = 0; i <= FEDN__LIMIT_HTTP_PAIRS; i++)
        fedn__buffer_add_format(&body, "%sx\r\n", part);
    fedn__buffer_add_text(&body, "--XX--\r\n");
    char *raw = post(s, FORM, fedn__buffer_text(&body));
    assert_non_null(strstr(raw, " 413 "));
    assert_non_null(strstr(raw, "64 fields"));
    free(raw);
    fedn__buffer_clear(&body);
    fedn__buffer_add_text(&body, part);
    for (uint64_t i = 0; i <= FEDN__LIMIT_HTTP_BODY; i++)
        fedn__buffer_add(&body, "x", 1);
    fedn__buffer_add_text(&body, "\r\n--XX--\r\n");
    raw = post(s, FORM, fedn__buffer_text(&body));
    assert_non_null(strstr(raw, " 413 "));
    assert_non_null(strstr(raw, "fields of the form"));
    free(raw);
    fedn__buffer_done(&body);
}

static void broken_off_upload_leaves_nothing(void **state)
{
    site *s = *state;
    static const char head[] = HEAD "Content-Length: 1000000\r\n\r\nsome of it";
    int fd = site_connect(s);

    site_send(fd, head, sizeof head - 1);
    site_stop(s); /* while the upload is open; the teardown looks for files */
    char *raw = site_receive(fd);
    assert_null(strstr(raw, " 200 "));
    free(raw);
}

static void parts_left_by_a_crash_are_removed_at_start(void **state)
{
    site *s = *state;
    fedn__http_options options = {.listen = "127.0.0.1:0", .upload_dir = s->upload_dir};
    char *part = fedn__fs_join(s->upload_dir, "11111111-2222-3333-4444-555555555555.upload");
    char *other = fedn__fs_join(s->upload_dir, "not-ours");
    uint64_t bytes = 0;
    fedn_error err;

    site_stop(s);
    test_write_file(part, "x", 1);
    test_write_file(other, "x", 1);
    assert_ok(fedn__http_server_new(&options, NULL, 0, NULL, &s->server, &err), &err);
    assert_fails(fedn__fs_size(part, &bytes, &err), FEDN_ERR_NOT_FOUND, &err, "upload");
    assert_ok(fedn__fs_size(other, &bytes, &err), &err);
    assert_ok(fedn__fs_unlink(other, &err), &err);
    fedn__free(part);
    fedn__free(other);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, site_setup, site_teardown)
    const struct CMUnitTest tests[] = {
        CASE(file_of_five_mebibytes_arrives_as_it_was),   CASE(file_over_the_bound_is_refused),
        CASE(file_at_the_bound_and_empty_file_are_taken), CASE(forms_are_read_or_refused),
        CASE(too_many_and_too_large_fields_are_refused),  CASE(broken_off_upload_leaves_nothing),
        CASE(parts_left_by_a_crash_are_removed_at_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
