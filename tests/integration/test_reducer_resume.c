/* SPDX-License-Identifier: Apache-2.0
 * A reducer that is started again within a round: what was reported counts once, who was asked is
 * asked again, and what a disk lost is made anew. */
#include "fake_attach.h"
#include "reducer_rig.h"
#include "test.h"
#include <dirent.h>
#include <fedn/model.h>
#include <stdlib.h>
#include <unistd.h>

#define START  FEDN__TIER__V1__DOWN__BODY_START
#define CANCEL FEDN__TIER__V1__DOWN__BODY_CANCEL

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static fake_attach *join(reducer_rig *rig, const char *name, char *held)
{
    fake_attach *fake = fake_attach_new(fedn_reducer_port(rig->reducer), name);
    Fedn__Tier__V1__Hello hello = FEDN__TIER__V1__HELLO__INIT;
    char *rounds[] = {held};

    hello.protocol = 1;
    hello.port = 12080;
    hello.held_rounds = rounds;
    hello.n_held_rounds = held != NULL;
    assert_string_equal(fake_attach_greet(fake, &hello)->refused, "");
    fake_attach_roster(fake, 1);
    fake_attach_await_ack(fake, 1);
    return fake;
}

static const Fedn__Tier__V1__RoundStart *order(fake_attach *fake)
{
    return fake_attach_wait(fake, START, 0)->start;
}

/* Trains, reports and has the report acknowledged; the partial's id. */
static void answer(fake_attach *fake, const Fedn__Tier__V1__RoundStart *start, float value,
                   char partial[37])
{
    fake_attach_train(fake, start, value, 1, partial);
    fake_attach_report(fake, start, partial, NULL);
    fake_attach_await_ack(fake, fake_attach_sent(fake));
}

static void await_finished(reducer_rig *rig, const char *id)
{
    char query[128];

    snprintf(query, sizeof query, "after=0&session_id=%s", id);
    json_decref(reducer_rig_await(rig, query, "session", "status", "Finished"));
}

/* The one model that the session made, of so many updates, has this value. */
static void assert_result(reducer_rig *rig, const char *id, fake_attach *fake, float value)
{
    char path[512];
    fedn_model *model = NULL;
    fedn_error err;

    snprintf(path, sizeof path, "api/v1/models/?session_id=%s", id);
    json_t *models = reducer_rig_send(rig, "GET", path, NULL, NULL, 200);
    assert_int_equal(json_integer_value(json_object_get(models, "count")), 1);
    const json_t *newest = json_array_get(json_object_get(models, "result"), 0);
    snprintf(path, sizeof path, "%s/model.npz", rig->dir);
    assert_ok(fake_attach_download(fake, text(newest, "model_id"), path, &err), &err);
    assert_ok(fedn_model_load(path, "npz", &model, &err), &err);
    assert_true(((const float *)fedn_model_data(model, 0))[3] == value);
    fedn_model_unref(model);
    json_decref(models);
    json_t *round = reducer_rig_send(rig, "GET", "api/v1/rounds/1", NULL, NULL, 200);
    assert_string_equal(text(round, "status"), "Finished");
    assert_int_equal(json_array_size(json_object_get(round, "combiners")), 2);
    json_decref(round);
}

static uint32_t partials(const reducer_rig *rig, char last[512])
{
    char path[512];
    uint32_t count = 0;

    snprintf(path, sizeof path, "%s/reducer/partials", rig->dir);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(last, 512, "%.255s/%.200s", path, entry->d_name);
        count++;
    }
    closedir(dir);
    return count;
}

typedef struct scene { /* two combiners, of which the first has reported 1 */
    reducer_rig *rig;
    fake_attach *a, *b;
    char *session;
    char partial[37];
} scene;

static void open_scene(scene *s, reducer_rig *rig)
{
    s->rig = rig;
    s->a = join(rig, "a", NULL);
    s->b = join(rig, "b", NULL);
    free(reducer_rig_push(rig, 0));
    s->session = reducer_rig_session(rig, "", 1);
    order(s->b);
    answer(s->a, order(s->a), 1, s->partial);
}

static void restart(scene *s)
{
    fake_attach_free(s->a);
    fake_attach_free(s->b);
    reducer_rig_restart(s->rig);
}

static void close_scene(scene *s)
{
    char path[512];

    assert_int_equal(partials(s->rig, path), 0);
    fake_attach_free(s->a);
    fake_attach_free(s->b);
    free(s->session);
}

static void a_report_counts_once_and_the_silent_one_is_asked_again(void **state)
{
    scene s;
    char partial[37];
    char path[512];

    open_scene(&s, *state);
    restart(&s);
    assert_int_equal(partials(s.rig, path), 1);
    s.b = join(s.rig, "b", NULL);
    assert_string_equal(order(s.b)->round_id, "1");
    s.a = join(s.rig, "a", NULL);
    /* its acknowledgement was lost: it comes again, and is acknowledged again */
    fake_attach_report(s.a, order(s.b), s.partial, NULL);
    fake_attach_await_ack(s.a, fake_attach_sent(s.a));
    answer(s.b, order(s.b), 3, partial);
    await_finished(s.rig, s.session);
    assert_int_equal(fake_attach_count(s.a, START), 0);
    assert_result(s.rig, s.session, s.a, 2);
    close_scene(&s);
}

static void who_holds_the_round_goes_on_and_who_holds_another_lets_it_go(void **state)
{
    scene s;
    char partial[37];

    open_scene(&s, *state);
    Fedn__Tier__V1__RoundStart start = FEDN__TIER__V1__ROUND_START__INIT;
    char model_id[64];
    snprintf(model_id, sizeof model_id, "%s", order(s.b)->model_id);
    start.session_id = s.session;
    start.round_id = (char *)(uintptr_t) "1";
    start.model_id = model_id;
    restart(&s);
    s.a = join(s.rig, "a", (char *)(uintptr_t) "77");
    assert_string_equal(fake_attach_wait(s.a, CANCEL, 0)->cancel->round_id, "77");
    s.b = join(s.rig, "b", (char *)(uintptr_t) "1");
    answer(s.b, &start, 3, partial);
    await_finished(s.rig, s.session);
    assert_int_equal(fake_attach_count(s.b, START), 0);
    assert_result(s.rig, s.session, s.a, 2);
    close_scene(&s);
}

static void a_partial_that_the_disk_lost_is_made_anew(void **state)
{
    scene s;
    char partial[37];
    char path[512];

    open_scene(&s, *state);
    fake_attach_free(s.a);
    fake_attach_free(s.b);
    assert_int_equal(partials(s.rig, path), 1);
    fedn_reducer_free(s.rig->reducer);
    s.rig->reducer = NULL;
    assert_int_equal(truncate(path, 100), 0);
    reducer_rig_restart(s.rig);
    s.a = join(s.rig, "a", NULL);
    s.b = join(s.rig, "b", NULL);
    answer(s.a, order(s.a), 5, partial);
    answer(s.b, order(s.b), 3, partial);
    await_finished(s.rig, s.session);
    assert_result(s.rig, s.session, s.a, 4);
    close_scene(&s);
}

static void a_later_round_goes_on_and_the_status_says_so(void **state)
{
    reducer_rig *rig = *state;
    char partial[37];
    char message[256] = "";
    scene s = {.rig = rig};

    s.a = join(rig, "a", NULL);
    free(reducer_rig_push(rig, 0));
    s.session = reducer_rig_session(rig, "\"clients_required\": 1", 2);
    answer(s.a, order(s.a), 1, partial);
    fake_attach_wait(s.a, START, 1);
    json_decref(reducer_rig_await(rig, "after=0", "round", "round_id", "2"));
    fake_attach_free(s.a);
    reducer_rig_restart(rig);
    json_t *status = reducer_rig_send(rig, "GET", "api/v1/status", NULL, NULL, 200);
    snprintf(message, sizeof message, "%s", text(status, "message"));
    json_decref(status);
    test_assert_words(message, "round_2_of_2 waits_for_1_of_1_combiners");
    s.a = join(rig, "a", NULL);
    assert_string_equal(order(s.a)->round_id, "2");
    answer(s.a, order(s.a), 2, partial);
    await_finished(rig, s.session);
    fake_attach_free(s.a);
    free(s.session);
}

int main(void)
{
#define RIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, reducer_rig_setup, reducer_rig_teardown)
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_report_counts_once_and_the_silent_one_is_asked_again),
        RIG_TEST(who_holds_the_round_goes_on_and_who_holds_another_lets_it_go),
        RIG_TEST(a_partial_that_the_disk_lost_is_made_anew),
        RIG_TEST(a_later_round_goes_on_and_the_status_says_so),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
