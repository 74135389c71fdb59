/* SPDX-License-Identifier: Apache-2.0
 * The writer of records while its store cannot be written: what waits, who is told, in which order.
 */
#include "roles/reducer/recorder.h"

#include "core/clock.h"
#include "core/thread.h"
#include "test.h"
#include <sqlite3.h>
#include <stdlib.h>

#define BOUND_NS INT64_C(20000000000)

typedef struct fixture {
    char *dir;
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__store *store;
    sqlite3 *other; /* another program, which has the file locked */
    fedn__log log;
    fedn__recorder *recorder;
    fedn__flag idle;
    fedn__flag refused; /* somebody was told of the fault */
    uint32_t told;
    uint32_t errors; /* lines */
    char order[16];  /* of those that were told, by a letter each */
    fedn_status last;
} fixture;

static void on_settled(void *user_data)
{
    fixture *f = user_data;
    if (fedn__recorder_is_idle(f->recorder))
        fedn__flag_set(&f->idle);
}

static void on_line(int32_t level, const char *component, const char *line, void *user_data)
{
    fixture *f = user_data;

    (void)component;
    f->errors += level == FEDN_LOG_ERROR;
    if (level == FEDN_LOG_ERROR)
        assert_non_null(strstr(line, "store.db"));
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    char path[512];
    fedn_error err;

    f->dir = test_scratch();
    f->log = (fedn__log){.fn = on_line, .user_data = f, .level = FEDN_LOG_INFO};
    snprintf(path, sizeof path, "sqlite:%s/store.db", f->dir);
    assert_ok(fedn__loop_new("test", NULL, &f->loop, &err), &err);
    assert_ok(fedn__pool_new(2, "test", &f->pool, &err), &err);
    assert_ok(fedn__store_open(path, &f->store, &err), &err);
    assert_int_equal(sqlite3_open(path + strlen("sqlite:"), &f->other), SQLITE_OK);
    fedn__recorder_options options = {.loop = f->loop,
                                      .pool = f->pool,
                                      .store = f->store,
                                      .log = &f->log,
                                      .settled = on_settled,
                                      .user_data = f};
    assert_ok(fedn__recorder_new(&options, &f->recorder, &err), &err);
    fedn__flag_init(&f->idle);
    fedn__flag_init(&f->refused);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    sqlite3_close(f->other);
    fedn__pool_free(f->pool);
    fedn__loop_free(f->loop);
    fedn__recorder_free(f->recorder);
    fedn__store_close(f->store);
    fedn__flag_done(&f->idle);
    fedn__flag_done(&f->refused);
    test_scratch_done(f->dir);
    free(f);
    return 0;
}

static void lock(fixture *f, const char *how)
{
    assert_int_equal(sqlite3_exec(f->other, how, NULL, NULL, NULL), SQLITE_OK);
}

/* One ticket of one record; its letter is its id and what it is called. */
typedef struct note {
    fixture *f;
    char letter[2];
    int32_t brief;
} note;

static void on_told(void *user_data, fedn_status status, const fedn_error *err)
{
    note *n = user_data;

    (void)err;
    n->f->order[n->f->told++] = n->letter[0];
    n->f->last = status;
    if (status != FEDN_OK)
        fedn__flag_set(&n->f->refused);
}

static void do_submit(void *arg)
{
    note *n = arg;
    fedn__ticket *ticket = fedn__ticket_new(on_told, n);

    fedn__ticket_add(ticket, FEDN__RECORD_PUT, FEDN__KIND_STATUS, n->letter, json_object());
    if (n->brief)
        fedn__recorder_try(n->f->recorder, ticket);
    else
        fedn__recorder_submit(n->f->recorder, ticket);
}

static int32_t has(const fixture *f, const char *id)
{
    json_t *record = NULL;
    fedn_error err;
    fedn_status rc = fedn__store_get(f->store, FEDN__KIND_STATUS, id, &record, &err);

    json_decref(record);
    return rc == FEDN_OK;
}

static void what_waits_is_written_in_its_order_and_who_cannot_wait_is_told(void **state)
{
    fixture *f = *state;
    note notes[] = {{f, "a", 0}, {f, "b", 1}, {f, "c", 0}};

    lock(f, "BEGIN IMMEDIATE");
    for (uint32_t i = 0; i < 3; i++)
        fedn__loop_call(f->loop, do_submit, &notes[i]);
    assert_true(fedn__flag_wait(&f->refused, fedn__clock_ns() + BOUND_NS));
    assert_string_equal(f->order, "b");
    assert_int_equal(f->last, FEDN_ERR_STATE);
    lock(f, "ROLLBACK");
    assert_true(fedn__flag_wait(&f->idle, fedn__clock_ns() + BOUND_NS));
    assert_string_equal(f->order, "bac");
    assert_int_equal(f->errors, 1); /* said once */
    assert_true(has(f, "a") && !has(f, "b") && has(f, "c"));
}

static void do_close(void *arg)
{
    fixture *f = arg;
    fedn__recorder_close(f->recorder);
}

static void an_end_does_not_wait_for_the_store(void **state)
{
    fixture *f = *state;
    note notes[] = {{f, "a", 0}, {f, "b", 1}};

    lock(f, "BEGIN IMMEDIATE");
    fedn__loop_call(f->loop, do_submit, &notes[0]);
    fedn__loop_call(f->loop, do_submit, &notes[1]);
    assert_true(fedn__flag_wait(&f->refused, fedn__clock_ns() + BOUND_NS));
    fedn__loop_call(f->loop, do_close, f);
    assert_true(fedn__flag_wait(&f->idle, fedn__clock_ns() + BOUND_NS));
    assert_string_equal(f->order, "ba");
    assert_int_equal(f->last, FEDN_ERR_STATE);
    lock(f, "ROLLBACK");
    assert_false(has(f, "a"));
}

int main(void)
{
#define FAULT_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        FAULT_TEST(what_waits_is_written_in_its_order_and_who_cannot_wait_is_told),
        FAULT_TEST(an_end_does_not_wait_for_the_store),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
