/* SPDX-License-Identifier: Apache-2.0
 * The ring of events: numbers, waiting, filters by session, what is too old. */
#include "roles/reducer/events.h"

#include "core/clock.h"
#include "core/limits.h"
#include "core/thread.h"
#include "test.h"
#include <stdlib.h>

static int setup(void **state)
{
    fedn_error err;
    assert_ok(fedn__events_new((fedn__events **)state, &err), &err);
    return 0;
}

static int teardown(void **state)
{
    fedn__events_free(*state);
    return 0;
}

static void add(fedn__events *events, const char *session, int n)
{
    fedn__events_add(events, session, json_pack("{s:s, s:i}", "type", "test", "n", n));
}

/* The member "n" of the next event; -1: none is there. */
static int next(fedn__events *events, const char *session, uint64_t *after)
{
    char *line = NULL;
    fedn_status rc = fedn__events_wait(events, session, 0, after, &line);

    if (rc == FEDN_ERR_TIMEOUT)
        return -1;
    assert_int_equal(rc, FEDN_OK);
    assert_int_equal(line[strlen(line) - 1], '\n');
    json_t *event = json_loads(line, 0, NULL);
    int n = (int)json_integer_value(json_object_get(event, "n"));
    assert_int_equal(json_integer_value(json_object_get(event, "seq")), *after);
    assert_true(json_is_string(json_object_get(event, "time")));
    json_decref(event);
    fedn__free(line);
    return n;
}

static void events_come_in_order_and_each_once(void **state)
{
    fedn__events *events = *state;
    uint64_t after = 0;

    add(events, NULL, 10);
    add(events, NULL, 11);
    assert_int_equal(fedn__events_last(events), 2);
    assert_int_equal(next(events, NULL, &after), 10);
    assert_int_equal(next(events, NULL, &after), 11);
    assert_int_equal(next(events, NULL, &after), -1);
    add(events, NULL, 12);
    assert_int_equal(next(events, NULL, &after), 12);
}

static void a_reader_of_one_session_sees_it_and_what_is_of_none(void **state)
{
    fedn__events *events = *state;
    uint64_t after = 0;

    add(events, "a", 1);
    add(events, "b", 2);
    add(events, NULL, 3);
    assert_int_equal(next(events, "b", &after), 2);
    assert_int_equal(next(events, "b", &after), 3);
    assert_int_equal(next(events, "b", &after), -1);
}

static void the_oldest_are_dropped_and_who_waits_for_them_is_told(void **state)
{
    fedn__events *events = *state;
    uint64_t after = 0;
    char *line = NULL;

    for (int i = 0; i < FEDN__LIMIT_EVENTS + 3; i++)
        add(events, NULL, i);
    assert_int_equal(fedn__events_wait(events, NULL, 0, &after, &line), FEDN_ERR_LIMIT);
    assert_null(line);
    after = 3;
    assert_int_equal(next(events, NULL, &after), 3);
}

static void big_events_push_out_earlier_ones(void **state)
{
    fedn__events *events = *state;
    uint64_t bytes = 9 * FEDN__MIB;
    char *text = malloc(bytes + 1);
    uint64_t after = 0;
    char *line = NULL;

    memset(text, 'x', bytes);
    text[bytes] = 0;
    for (int i = 0; i < 10; i++)
        fedn__events_add(events, NULL, json_pack("{s:s}", "text", text));
    free(text);
    assert_int_equal(fedn__events_wait(events, NULL, 0, &after, &line), FEDN_ERR_LIMIT);
    after = 9;
    assert_int_equal(fedn__events_wait(events, NULL, 0, &after, &line), FEDN_OK);
    fedn__free(line);
}

static void *add_one(void *arg)
{
    add(arg, NULL, 42);
    return NULL;
}

static void *close_them(void *arg)
{
    fedn__events_close(arg);
    return NULL;
}

static void a_waiting_reader_is_woken_by_the_next_and_by_the_end(void **state)
{
    fedn__events *events = *state;
    uint64_t after = 0;
    char *line = NULL;
    pthread_t thread;
    fedn_error err;
    int64_t bound = fedn__clock_ns() + INT64_C(20000000000);

    assert_ok(fedn__thread_start(&thread, "adds", add_one, events, &err), &err);
    assert_int_equal(fedn__events_wait(events, NULL, bound, &after, &line), FEDN_OK);
    pthread_join(thread, NULL);
    fedn__free(line);
    assert_ok(fedn__thread_start(&thread, "closes", close_them, events, &err), &err);
    assert_int_equal(fedn__events_wait(events, NULL, bound, &after, &line), FEDN_ERR_CANCELLED);
    pthread_join(thread, NULL);
}

static fedn_status one_of_each(void *arg)
{
    fedn__events *events = NULL;
    uint64_t after = 0;
    char *line = NULL;
    fedn_error err;
    fedn_status rc = fedn__events_new(&events, &err);

    (void)arg;
    if (rc == FEDN_OK) {
        add(events, "a", 1); /* it may get lost */
        rc = fedn__events_wait(events, "a", 0, &after, &line);
        if (rc == FEDN_ERR_TIMEOUT)
            rc = FEDN_ERR_NOMEM;
    }
    fedn__free(line);
    fedn__events_free(events);
    return rc;
}

static void running_out_of_memory_loses_the_event_only(void **state)
{
    (void)state;
    test_fail_each_allocation(one_of_each, NULL);
}

int main(void)
{
#define RING_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        RING_TEST(events_come_in_order_and_each_once),
        RING_TEST(a_reader_of_one_session_sees_it_and_what_is_of_none),
        RING_TEST(the_oldest_are_dropped_and_who_waits_for_them_is_told),
        RING_TEST(big_events_push_out_earlier_ones),
        RING_TEST(a_waiting_reader_is_woken_by_the_next_and_by_the_end),
        cmocka_unit_test(running_out_of_memory_loses_the_event_only),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
