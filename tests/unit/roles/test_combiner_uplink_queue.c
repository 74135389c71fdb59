/* SPDX-License-Identifier: Apache-2.0
 * What a combiner's link holds for a reducer that is away: all of it arrives once, and it is
 * bounded. */
#include "uplink_rig.h"

#include "core/limits.h"
#include "core/uuid.h"
#include <stdlib.h>

static void what_was_sent_before_the_first_welcome_and_during_a_cut_arrives_once(void **state)
{
    rig *r = rig_new();

    (void)state;
    rig_send_some(r, 0, 3);
    fedn__loop_call(r->loop, rig_start, r);
    rig_await(r, &r->ups, 1);
    rig_assert_came(r, 3);
    for (uint32_t cut = 0; cut < 5; cut++) {
        fake_tier_cut(r->tier);
        rig_send_some(r, 3 + 10 * cut, 10);
        rig_await(r, &r->ups, cut + 2);
        rig_assert_came(r, 13 + 10 * cut);
    }
    assert_string_equal(rig_hello(r, 0)->link_id, rig_hello(r, 5)->link_id);
    assert_int_equal(rig_logged(r, "no link to the reducer"), 5);
    assert_int_equal(rig_logged(r, "linked to the reducer"), 5);
    rig_free(r);
}

static void more_than_a_stream_queues_may_wait(void **state)
{
    rig *r = rig_linked();
    sending s = {.r = r, .count = 2000, .bytes = 1000};

    (void)state;
    fake_tier_cut(r->tier);
    fake_tier_await_ends(r->tier, 1);
    fedn__loop_call(r->loop, rig_do_send, &s);
    assert_int_equal(s.rc, FEDN_OK);
    rig_assert_came(r, 2000);
    assert_int_equal(fake_tier_count(r->tier, FEDN__TIER__V1__UP__BODY_HELLO), 2);
    rig_free(r);
}

static void a_reducer_without_memory_is_told_all_that_it_did_not_acknowledge(void **state)
{
    rig *r = rig_linked();

    (void)state;
    rig_send_some(r, 0, 3);
    rig_assert_came(r, 3);
    fake_tier_start_round(r->tier, "a", "m");
    rig_await(r, &r->messages, 1); /* after which everything is acknowledged */
    fake_tier_hold(r->tier, 1);
    rig_send_some(r, 3, 2);
    fake_tier_forget(r->tier);
    fake_tier_cut(r->tier);
    fake_tier_await_ends(r->tier, 1);
    fake_tier_hold(r->tier, 0);
    rig_await(r, &r->ups, 2);
    fake_tier_start_round(r->tier, "b", "m"); /* number 1 again */
    rig_await(r, &r->messages, 2);
    assert_string_equal(r->rounds, "ab");
    fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_EVENTS, 4);
    assert_int_equal(rig_hello(r, 1)->last_seq_seen, 1);
    rig_free(r);
}

static void a_reducer_that_claims_what_was_never_sent_gets_a_new_link(void **state)
{
    rig *r = rig_linked();

    (void)state;
    rig_send_some(r, 0, 1);
    rig_assert_came(r, 1);
    fake_tier_claim(r->tier, 99);
    fake_tier_cut(r->tier);
    rig_await_log(r, "has seen other messages than were sent");
    fake_tier_forget(r->tier); /* as it does for a link that it does not know */
    rig_await(r, &r->ups, 2);
    assert_string_not_equal(rig_hello(r, 0)->link_id, rig_hello(r, 2)->link_id);
    assert_int_equal(rig_hello(r, 2)->last_seq_seen, 0);
    rig_free(r);
}

static void orders_come_once_and_a_gap_makes_it_link_anew(void **state)
{
    rig *r = rig_linked();
    Fedn__Tier__V1__RoundStart start_2 = FEDN__TIER__V1__ROUND_START__INIT;
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;

    (void)state;
    fake_tier_start_round(r->tier, "1", "m");
    rig_await(r, &r->messages, 1);
    start_2.round_id = (char *)(uintptr_t) "2";
    down.body_case = FEDN__TIER__V1__DOWN__BODY_START;
    down.start = &start_2;
    fake_tier_send_as(r->tier, &down, 1); /* repeated */
    fake_tier_send_as(r->tier, &down, 3);
    rig_await_log(r, "skipped messages");
    rig_await(r, &r->ups, 2);
    assert_int_equal(rig_hello(r, 1)->last_seq_seen, 1);
    fake_tier_send_as(r->tier, &down, 2);
    rig_await(r, &r->messages, 2);
    assert_string_equal(r->rounds, "12");
    rig_free(r);
}

static void what_waits_is_bounded_and_records_leave_room_for_reports(void **state)
{
    rig *r = rig_new(); /* never linked */
    sending records = {.r = r, .count = 100, .bytes = FEDN__MIB, .record = 1};
    sending reports = {.r = r, .count = 100, .bytes = FEDN__MIB};
    sending huge = {.r = r, .count = 1, .bytes = FEDN__LIMIT_TIER_BYTES};

    (void)state;
    fedn__loop_call(r->loop, rig_do_send, &records);
    assert_int_equal(records.rc, FEDN_ERR_LIMIT);
    assert_in_range(records.taken, 40, 48);
    fedn__loop_call(r->loop, rig_do_send, &reports);
    assert_int_equal(reports.rc, FEDN_ERR_LIMIT);
    assert_in_range(records.taken + reports.taken, 60, 64);
    fedn__loop_call(r->loop, rig_do_send, &huge);
    assert_int_equal(huge.rc, FEDN_ERR_INVALID);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sent_before_the_first_welcome_and_during_a_cut_arrives_once),
        cmocka_unit_test(more_than_a_stream_queues_may_wait),
        cmocka_unit_test(a_reducer_without_memory_is_told_all_that_it_did_not_acknowledge),
        cmocka_unit_test(a_reducer_that_claims_what_was_never_sent_gets_a_new_link),
        cmocka_unit_test(orders_come_once_and_a_gap_makes_it_link_anew),
        cmocka_unit_test(what_waits_is_bounded_and_records_leave_room_for_reports),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
