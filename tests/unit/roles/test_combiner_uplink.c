/* SPDX-License-Identifier: Apache-2.0
 * A combiner's link against a scripted reducer: greeting, refusals, and a close that is not in a
 * hurry. */
#include "uplink_rig.h"

#include "core/limits.h"
#include "core/uuid.h"
#include <stdlib.h>

static void the_greeting_says_who_it_is(void **state)
{
    rig *r = rig_linked();
    const Fedn__Tier__V1__Hello *said = rig_hello(r, 0);
    fedn__uuid uuid;

    (void)state;
    assert_int_equal(said->protocol, 1);
    assert_string_equal(said->name, "c1");
    assert_string_equal(said->host, "combiner.example");
    assert_int_equal(said->port, 12080);
    assert_int_equal(said->max_clients, 100);
    assert_true(fedn__uuid_parse(said->link_id, &uuid));
    assert_int_equal(said->last_seq_seen, 0);
    rig_free(r);
}

static void an_unreachable_reducer_is_named_once_however_often_it_is_dialled(void **state)
{
    rig *r = rig_new();
    char words[80];
    int32_t port = fake_tier_port(r->tier);

    (void)state;
    snprintf(words, sizeof words, "no link to the reducer at 127.0.0.1:%d: UNAVAILABLE", (int)port);
    fake_tier_free(r->tier);
    r->tier = NULL;
    fedn__loop_call(r->loop, rig_start, r);
    rig_await_log(r, words);
    r->tier = fake_tier_new_at(port);
    rig_await(r, &r->ups, 1);
    assert_int_equal(rig_logged(r, words), 1);
    rig_free(r);
}

static void a_refusal_is_logged_once_and_ends_when_the_reducer_relents(void **state)
{
    rig *r = rig_new();

    (void)state;
    fake_tier_refuse(r->tier, "another combiner of the name c1 is attached");
    fedn__loop_call(r->loop, rig_start, r);
    rig_hello(r, 3);
    assert_int_equal(rig_logged(r, "refuses: another combiner of the name c1 is attached"), 1);
    assert_int_equal(r->ups, 0);
    fake_tier_refuse(r->tier, NULL);
    rig_await(r, &r->ups, 1);
    rig_free(r);
}

static void what_does_not_begin_with_a_welcome_is_hung_up_on(void **state)
{
    rig *r = rig_new();

    (void)state;
    fake_tier_skip_welcome(r->tier, 1);
    fedn__loop_call(r->loop, rig_start, r);
    rig_hello(r, 0);
    fake_tier_start_round(r->tier, "1", "m");
    rig_await_log(r, "does not begin with a welcome");
    fake_tier_skip_welcome(r->tier, 0);
    fake_tier_forget(r->tier);
    rig_await(r, &r->ups, 1);
    assert_int_equal(r->messages, 0);
    rig_free(r);
}

static void a_close_lets_the_other_side_take_up_what_waits(void **state)
{
    rig *r = rig_linked();

    (void)state;
    rig_send_some(r, 0, 500);
    rig_close(r);
    rig_assert_came(r, 500);
    rig_free(r);
}

static void close_at_once(void *arg)
{
    rig *r = arg;
    fedn__uplink_close(r->uplink, 0, rig_on_gone, r);
}

static void a_close_does_not_wait_for_a_reducer_that_does_not_read(void **state)
{
    rig *r = rig_linked();

    (void)state;
    fake_tier_hold(r->tier, 1);
    rig_send_some(r, 0, 100);
    fedn__loop_call(r->loop, close_at_once, r);
    fedn__loop_free(r->loop);
    r->loop = NULL;
    assert_int_equal(r->gone, 1);
    rig_free(r);
}

static void a_link_that_was_never_there_is_closed_at_once(void **state)
{
    rig *r = rig_new();

    (void)state;
    rig_close(r);
    rig_free(r);
}

static fedn_status dial_and_send(void *arg)
{
    rig *r = arg;
    fedn_error err;
    sending s = {.r = r, .count = 2, .bytes = 10};

    r->gone = 0;
    fedn_status rc = rig_make_uplink(r, &err);
    if (rc != FEDN_OK)
        return rc;
    fedn__loop_call(r->loop, rig_do_send, &s);
    fedn__loop_call(r->loop, rig_close_now, r);
    assert_int_equal(r->gone, 1);
    return s.rc;
}

static void every_allocation_may_fail(void **state)
{
    rig *r = rig_linked();

    (void)state;
    fedn__loop_call(r->loop, rig_close_now, r);
    fedn__loop_free(r->loop);
    fake_tier_await_ends(r->tier, 1); /* which would be counted too */
    fedn_error err;
    assert_ok(fedn__loop_new("uplink", NULL, &r->loop, &err), &err);
    test_fail_each_allocation(dial_and_send, r);
    fedn__loop_free(r->loop);
    r->loop = NULL;
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_greeting_says_who_it_is),
        cmocka_unit_test(an_unreachable_reducer_is_named_once_however_often_it_is_dialled),
        cmocka_unit_test(a_refusal_is_logged_once_and_ends_when_the_reducer_relents),
        cmocka_unit_test(what_does_not_begin_with_a_welcome_is_hung_up_on),
        cmocka_unit_test(a_close_lets_the_other_side_take_up_what_waits),
        cmocka_unit_test(a_close_does_not_wait_for_a_reducer_that_does_not_read),
        cmocka_unit_test(a_link_that_was_never_there_is_closed_at_once),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
