/* SPDX-License-Identifier: Apache-2.0
 * A reducer whose store fails in the middle of a round: locked by another program, its disk full,
 * the end of its log torn off. Nothing is acknowledged meanwhile, and nothing is lost. */
#include "fake_attach.h"
#include "reducer_rig.h"
#include "test.h"
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define START FEDN__TIER__V1__DOWN__BODY_START

typedef struct scene { /* one combiner that has trained and is about to report */
    reducer_rig *rig;
    fake_attach *a;
    char *session;
    char partial[37];
    uint64_t acked;
} scene;

static const Fedn__Tier__V1__RoundStart *order(fake_attach *fake)
{
    return fake_attach_wait(fake, START, 0)->start;
}

static void open_scene(scene *s, reducer_rig *rig)
{
    s->rig = rig;
    s->a = fake_attach_new(fedn_reducer_port(rig->reducer), "a");
    fake_attach_join(s->a, 1);
    fake_attach_await_ack(s->a, 1);
    free(reducer_rig_push(rig, 0));
    s->session = reducer_rig_session(rig, "", 1);
    fake_attach_train(s->a, order(s->a), 1, 1, s->partial);
    s->acked = fake_attach_acked(s->a);
}

static void assert_finishes(scene *s)
{
    char query[128];

    snprintf(query, sizeof query, "after=0&session_id=%s", s->session);
    json_decref(reducer_rig_await(s->rig, query, "session", "status", "Finished"));
    json_t *models = reducer_rig_send(s->rig, "GET", "api/v1/models/", NULL, NULL, 200);
    assert_int_equal(json_integer_value(json_object_get(models, "count")), 2);
    json_decref(models);
}

static void close_scene(scene *s)
{
    fake_attach_free(s->a);
    free(s->session);
}

static void store_path(const reducer_rig *rig, const char *end, char path[512])
{
    snprintf(path, 512, "%s/reducer/store.db%s", rig->dir, end);
}

/* The report is there and is not acknowledged; a REST call that would write is told why. */
static void assert_held_back(scene *s, const char *words, int32_t status)
{
    fake_attach_report(s->a, order(s->a), s->partial, NULL);
    reducer_rig_await_error(s->rig, "nothing is acknowledged until it is written");
    s->rig->lines[strlen(s->rig->lines) - 1] = 0; /* it is one line, and said once */
    test_assert_words(s->rig->lines, words);
    json_t *error = reducer_rig_send(s->rig, "POST", "api/v1/sessions/", NULL, "{}", status);
    test_assert_words(json_string_value(json_object_get(error, "message")), words);
    json_decref(error);
    assert_int_equal(fake_attach_acked(s->a), s->acked);
}

static void a_locked_store_holds_acknowledgements_back_and_costs_nothing(void **state)
{
    scene s;
    sqlite3 *other = NULL;
    char path[512];

    open_scene(&s, *state);
    store_path(s.rig, "", path);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_held_back(&s, "store.db another_program_holds_the_file_locked", 400);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    fake_attach_await_ack(s.a, fake_attach_sent(s.a));
    assert_finishes(&s);
    close_scene(&s);
}

static void a_full_disk_holds_acknowledgements_back_and_costs_nothing(void **state)
{
    scene s;
    char path[512];
    struct stat log;
    struct rlimit before;

    open_scene(&s, *state);
    store_path(s.rig, "-wal", path);
    assert_int_equal(stat(path, &log), 0);
    getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit full = {(rlim_t)log.st_size, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &full);
    assert_held_back(&s, "store.db free_space_on_its_disk", 400);
    setrlimit(RLIMIT_FSIZE, &before);
    fake_attach_await_ack(s.a, fake_attach_sent(s.a));
    assert_finishes(&s);
    close_scene(&s);
}

/* As kill -9 leaves it: the files as they are while the reducer runs. */
static void copy_state(const reducer_rig *rig, const char *to)
{
    char command[1200];

    snprintf(command, sizeof command, "cp -r '%s/reducer' '%s/%s'", rig->dir, rig->dir, to);
    assert_int_equal(system(command), 0);
}

static void use_state(reducer_rig *rig, const char *from)
{
    char copy[512];
    char place[512];

    fedn_reducer_free(rig->reducer);
    rig->reducer = NULL;
    snprintf(copy, sizeof copy, "%s/%s", rig->dir, from);
    snprintf(place, sizeof place, "%s/reducer", rig->dir);
    snprintf(rig->lines, sizeof rig->lines, "rm -rf '%s'", place);
    assert_int_equal(system(rig->lines), 0);
    rig->lines[0] = 0;
    assert_int_equal(rename(copy, place), 0);
    reducer_rig_restart(rig);
}

/* The last record is lost with it: who was asked is asked again. */
static void the_end_of_the_log_may_be_torn_off(void **state)
{
    scene s;
    char path[512];
    struct stat log;

    open_scene(&s, *state);
    copy_state(s.rig, "torn");
    snprintf(path, sizeof path, "%s/torn/store.db-wal", s.rig->dir);
    assert_int_equal(stat(path, &log), 0);
    assert_true(log.st_size > 1000);
    assert_int_equal(truncate(path, log.st_size - 1000), 0);
    fake_attach_free(s.a);
    use_state(s.rig, "torn");
    s.a = fake_attach_new(fedn_reducer_port(s.rig->reducer), "a");
    fake_attach_join(s.a, 1);
    assert_string_equal(order(s.a)->round_id, "1");
    fake_attach_train(s.a, order(s.a), 1, 1, s.partial);
    fake_attach_report(s.a, order(s.a), s.partial, NULL);
    assert_finishes(&s);
    close_scene(&s);
}

int main(void)
{
#define RIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, reducer_rig_setup, reducer_rig_teardown)
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_locked_store_holds_acknowledgements_back_and_costs_nothing),
        RIG_TEST(a_full_disk_holds_acknowledgements_back_and_costs_nothing),
        RIG_TEST(the_end_of_the_log_may_be_torn_off),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
