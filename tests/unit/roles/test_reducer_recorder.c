/* SPDX-License-Identifier: Apache-2.0
 * The writer of records: order, patches, what a bad ticket does to its neighbours. */
#include "roles/reducer/recorder.h"

#include "core/clock.h"
#include "core/thread.h"
#include "test.h"
#include <stdlib.h>

typedef struct fixture {
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__store *store;
    fedn__recorder *recorder;
    uint32_t told;
    fedn_status last;
    fedn__flag idle;
} fixture;

static void on_settled(void *user_data)
{
    fixture *f = user_data;
    if (fedn__recorder_is_idle(f->recorder))
        fedn__flag_set(&f->idle);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    fedn_error err;

    assert_ok(fedn__loop_new("test", NULL, &f->loop, &err), &err);
    assert_ok(fedn__pool_new(2, "test", &f->pool, &err), &err);
    assert_ok(fedn__store_open("mem:", &f->store, &err), &err);
    fedn__recorder_options options = {
        .loop = f->loop, .pool = f->pool, .store = f->store, .settled = on_settled, .user_data = f};
    assert_ok(fedn__recorder_new(&options, &f->recorder, &err), &err);
    fedn__flag_init(&f->idle);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    fedn__pool_free(f->pool);
    fedn__loop_free(f->loop);
    fedn__recorder_free(f->recorder);
    fedn__store_close(f->store);
    fedn__flag_done(&f->idle);
    free(f);
    return 0;
}

static void on_told(void *user_data, fedn_status status, const fedn_error *err)
{
    fixture *f = user_data;
    (void)err;
    f->told++;
    f->last = status;
}

/* Tickets that are submitted in one turn of the loop. */
typedef struct turn {
    fixture *f;
    fedn__ticket *tickets[8];
    uint32_t count;
} turn;

static void do_submit(void *arg)
{
    turn *t = arg;
    for (uint32_t i = 0; i < t->count; i++)
        fedn__recorder_submit(t->f->recorder, t->tickets[i]);
}

static void submit(turn *t)
{
    fedn__loop_call(t->f->loop, do_submit, t);
    assert_true(fedn__flag_wait(&t->f->idle, fedn__clock_ns() + INT64_C(20000000000)));
    t->f->idle.set = 0;
    t->count = 0;
}

static fedn__ticket *ticket(turn *t)
{
    t->tickets[t->count] = fedn__ticket_new(on_told, t->f);
    return t->tickets[t->count++];
}

static json_t *client(const char *id, const char *combiner, const char *status)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "client_id", id, "combiner", combiner, "status",
                     status, "name", id);
}

static void assert_member(const fixture *f, int32_t kind, const char *id, const char *key,
                          const char *value)
{
    json_t *record = NULL;
    fedn_error err;

    assert_ok(fedn__store_get(f->store, kind, id, &record, &err), &err);
    assert_string_equal(fedn__json_string(record, key, "-"), value);
    assert_true(json_is_string(json_object_get(record, "committed_at")));
    assert_true(json_is_string(json_object_get(record, "updated_at")));
    json_decref(record);
}

static void patches_meet_what_waits_before_them_and_what_is_stored(void **state)
{
    fixture *f = *state;
    turn t = {.f = f};

    fedn__ticket_add(ticket(&t), FEDN__RECORD_PUT, FEDN__KIND_CLIENT, "c",
                     client("c", "a", "available"));
    fedn__ticket_add(ticket(&t), FEDN__RECORD_PATCH, FEDN__KIND_CLIENT, "c",
                     json_pack("{s:s}", "status", "online"));
    fedn__ticket_add(ticket(&t), FEDN__RECORD_PATCH, FEDN__KIND_CLIENT, "c",
                     json_pack("{s:s}", "ip", "1.2.3.4"));
    submit(&t);
    assert_int_equal(f->told, 3);
    assert_member(f, FEDN__KIND_CLIENT, "c", "status", "online");
    assert_member(f, FEDN__KIND_CLIENT, "c", "combiner", "a");
    fedn__ticket_add(ticket(&t), FEDN__RECORD_PATCH, FEDN__KIND_CLIENT, "c",
                     json_pack("{s:s}", "status", "offline"));
    submit(&t);
    assert_member(f, FEDN__KIND_CLIENT, "c", "status", "offline");
    assert_member(f, FEDN__KIND_CLIENT, "c", "ip", "1.2.3.4");
}

static void a_client_that_moved_is_not_set_offline_by_its_old_combiner(void **state)
{
    fixture *f = *state;
    turn t = {.f = f};

    fedn__ticket_add(ticket(&t), FEDN__RECORD_PUT, FEDN__KIND_CLIENT, "c",
                     client("c", "new", "online"));
    fedn__ticket_add(ticket(&t), FEDN__RECORD_LEAVE, FEDN__KIND_CLIENT, "c",
                     client("c", "old", "offline"));
    submit(&t);
    assert_member(f, FEDN__KIND_CLIENT, "c", "status", "online");
    fedn__ticket_add(ticket(&t), FEDN__RECORD_LEAVE, FEDN__KIND_CLIENT, "c",
                     client("c", "new", "offline"));
    submit(&t);
    assert_member(f, FEDN__KIND_CLIENT, "c", "status", "offline");
}

static void a_lost_combiner_takes_its_own_clients_offline(void **state)
{
    fixture *f = *state;
    turn t = {.f = f};

    fedn__ticket_add(ticket(&t), FEDN__RECORD_PUT, FEDN__KIND_CLIENT, "1",
                     client("1", "a", "online"));
    fedn__ticket_add(ticket(&t), FEDN__RECORD_PUT, FEDN__KIND_CLIENT, "2",
                     client("2", "b", "online"));
    submit(&t);
    fedn__ticket_add(ticket(&t), FEDN__RECORD_PUT, FEDN__KIND_CLIENT, "3",
                     client("3", "a", "online"));
    fedn__ticket_add(ticket(&t), FEDN__RECORD_OFFLINE, FEDN__KIND_CLIENT, "a", NULL);
    submit(&t);
    assert_member(f, FEDN__KIND_CLIENT, "1", "status", "offline");
    assert_member(f, FEDN__KIND_CLIENT, "2", "status", "online");
    assert_member(f, FEDN__KIND_CLIENT, "3", "status", "offline");
}

static void a_name_belongs_to_the_newest_combiner_alone(void **state)
{
    fixture *f = *state;
    turn t = {.f = f};
    uint64_t count = 0;
    fedn_error err;

    for (int i = 0; i < 2; i++) {
        const char *id = i ? "id-2" : "id-1";
        fedn__ticket_add(ticket(&t), FEDN__RECORD_RENAME, FEDN__KIND_COMBINER, id,
                         json_pack("{s:s, s:s}", "combiner_id", id, "name", "edge"));
        submit(&t);
    }
    assert_ok(fedn__store_list(f->store, FEDN__KIND_COMBINER, NULL, NULL, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_member(f, FEDN__KIND_COMBINER, "id-2", "name", "edge");
}

static void assert_active(const fixture *f, const char *wanted)
{
    json_t *found = NULL;
    json_t *record = NULL;
    size_t i = 0;
    fedn_error err;

    assert_ok(fedn__store_list(f->store, FEDN__KIND_PACKAGE, NULL, &found, NULL, &err), &err);
    json_array_foreach(found, i, record)
    {
        const char *id = json_string_value(json_object_get(record, "package_id"));
        assert_int_equal(json_is_true(json_object_get(record, "active")), strcmp(id, wanted) == 0);
    }
    assert_int_equal(json_array_size(found), 3);
    json_decref(found);
}

/* Whether the others are stored, or come in the same transaction. */
static void one_of_a_kind_is_active(void **state)
{
    fixture *f = *state;
    turn t = {.f = f};
    static const char *const ids[] = {"one", "two", "three"};

    /* the first is being written while the others come together */
    fedn__ticket_add(ticket(&t), FEDN__RECORD_PUT, FEDN__KIND_STATUS, "0", json_object());
    for (int i = 0; i < 3; i++)
        fedn__ticket_add(ticket(&t), FEDN__RECORD_ACTIVATE, FEDN__KIND_PACKAGE, ids[i],
                         json_pack("{s:s, s:b}", "package_id", ids[i], "active", 1));
    submit(&t);
    assert_active(f, "three");
    t.count = 0;
    fedn__ticket_add(ticket(&t), FEDN__RECORD_ACTIVATE, FEDN__KIND_PACKAGE, "one",
                     json_pack("{s:b}", "active", 1));
    submit(&t);
    assert_active(f, "one");
}

static void a_bad_ticket_fails_alone_and_as_a_whole(void **state)
{
    fixture *f = *state;
    turn t = {.f = f};
    json_t *record = NULL;
    fedn_error err;

    /* the first is being written while the others come together */
    fedn__ticket_add(ticket(&t), FEDN__RECORD_PUT, FEDN__KIND_STATUS, "0", json_object());
    fedn__ticket_add(ticket(&t), FEDN__RECORD_PUT, FEDN__KIND_STATUS, "1", json_object());
    fedn__ticket *bad = ticket(&t);
    fedn__ticket_add(bad, FEDN__RECORD_PUT, FEDN__KIND_STATUS, "2", json_object());
    fedn__ticket_add(bad, FEDN__RECORD_PUT, FEDN__KIND_STATUS, "no\nid", json_object());
    submit(&t);
    assert_int_equal(f->last, FEDN_ERR_INVALID);
    assert_ok(fedn__store_get(f->store, FEDN__KIND_STATUS, "1", &record, &err), &err);
    json_decref(record);
    assert_fails(fedn__store_get(f->store, FEDN__KIND_STATUS, "2", &record, &err),
                 FEDN_ERR_NOT_FOUND, &err, "2");
    /* a document that could not be built */
    bad = ticket(&t);
    fedn__ticket_add(bad, FEDN__RECORD_PUT, FEDN__KIND_STATUS, "3", json_object());
    fedn__ticket_add(bad, FEDN__RECORD_PUT, FEDN__KIND_STATUS, "4", NULL);
    submit(&t);
    assert_int_equal(f->last, FEDN_ERR_NOMEM);
    assert_fails(fedn__store_get(f->store, FEDN__KIND_STATUS, "3", &record, &err),
                 FEDN_ERR_NOT_FOUND, &err, "3");
}

int main(void)
{
#define RECORDER_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        RECORDER_TEST(patches_meet_what_waits_before_them_and_what_is_stored),
        RECORDER_TEST(a_client_that_moved_is_not_set_offline_by_its_old_combiner),
        RECORDER_TEST(a_lost_combiner_takes_its_own_clients_offline),
        RECORDER_TEST(a_name_belongs_to_the_newest_combiner_alone),
        RECORDER_TEST(one_of_a_kind_is_active),
        RECORDER_TEST(a_bad_ticket_fails_alone_and_as_a_whole),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
