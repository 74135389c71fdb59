/* SPDX-License-Identifier: Apache-2.0
 * What a control client sends and receives piece by piece: models, and events as they happen. */
#include "site.h"

#include "core/fs.h"
#include <stdlib.h>

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
    fedn_control *control = site_control(self->url, "");
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
    fedn_control *control = site_control(self->url, "");
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
    fedn_control *control = site_control(self->url, "");
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
    fedn_control *control = site_control(self->url, "");
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, site_setup, site_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_model_goes_up_with_its_name),
        TEST(a_model_comes_down_whole_or_not_at_all),
        TEST(a_watch_hands_over_line_by_line),
        TEST(a_watch_is_left_from_another_thread),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
