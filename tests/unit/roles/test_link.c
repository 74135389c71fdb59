/* SPDX-License-Identifier: Apache-2.0
 * Numbers of a resumable link: nothing lost, nothing twice, whatever is cut. */
#include "test.h"

#include "fedn_tier.pb-c.h"
#include "roles/link.h"

static void what_is_acknowledged_is_let_go(void **state)
{
    fedn__link link;

    (void)state;
    fedn__link_init(&link, 1000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fedn__link_add(&link, "abc", 3), FEDN_OK);
    assert_int_equal(link.next_seq, 4);
    fedn__link_acked(&link, 2);
    assert_int_equal(link.held_bytes, 3);
    assert_int_equal(link.head->seq, 3);
    fedn__link_acked(&link, 99);
    assert_null(link.head);
    assert_int_equal(fedn__link_add(&link, "d", 1), FEDN_OK);
    assert_int_equal(link.head->seq, 4);
    fedn__link_done(&link);
}

static void arrivals_are_new_repeated_or_out_of_order(void **state)
{
    fedn__link link;

    (void)state;
    fedn__link_init(&link, 1000);
    assert_int_equal(fedn__link_accept(&link, 1), 1);
    assert_int_equal(fedn__link_accept(&link, 1), 0);
    assert_int_equal(fedn__link_accept(&link, 3), -1);
    assert_int_equal(fedn__link_accept(&link, 2), 1);
    assert_int_equal(link.last_seen, 2);
    fedn__link_done(&link);
}

static void a_link_holds_no_more_than_its_bound(void **state)
{
    fedn__link link;

    (void)state;
    fedn__link_init(&link, 10);
    assert_int_equal(fedn__link_add(&link, "12345678", 8), FEDN_OK);
    assert_int_equal(fedn__link_add(&link, "123", 3), FEDN_ERR_LIMIT);
    assert_int_equal(link.next_seq, 2);
    fedn__link_acked(&link, 1);
    assert_int_equal(fedn__link_add(&link, "123", 3), FEDN_OK);
    fedn__link_done(&link);
}

static void a_peer_without_memory_is_told_all_from_one(void **state)
{
    fedn__link link;

    (void)state;
    fedn__link_init(&link, 1000);
    for (int i = 0; i < 5; i++)
        fedn__link_add(&link, "x", 1);
    fedn__link_acked(&link, 2);
    assert_int_equal(fedn__link_accept(&link, 1), 1);
    assert_true(fedn__link_continues(&link, 2));
    assert_true(fedn__link_continues(&link, 5));
    assert_false(fedn__link_continues(&link, 1)); /* 2 is gone: it must have had it */
    assert_false(fedn__link_continues(&link, 6)); /* never sent */
    fedn__link_renumber(&link);
    assert_int_equal(link.head->seq, 1);
    assert_int_equal(link.next_seq, 4);
    assert_int_equal(link.last_seen, 0);
    assert_true(fedn__link_continues(&link, 0));
    fedn__link_done(&link);
}

static void a_stamp_is_what_the_message_begins_with(void **state)
{
    static const uint64_t numbers[] = {1, 127, 128, 300, UINT64_MAX};
    Fedn__Tier__V1__Roster roster = FEDN__TIER__V1__ROSTER__INIT;
    Fedn__Tier__V1__Up up = FEDN__TIER__V1__UP__INIT;
    uint8_t bytes[64];

    (void)state;
    roster.active = 7;
    up.body_case = FEDN__TIER__V1__UP__BODY_ROSTER;
    up.roster = &roster;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uint64_t head = fedn__link_stamp(numbers[i], numbers[i] / 2, bytes);
        assert_true(head <= FEDN__LINK_STAMP_BYTES);
        size_t body = fedn__tier__v1__up__pack(&up, bytes + head);
        Fedn__Tier__V1__Up *read = fedn__tier__v1__up__unpack(NULL, head + body, bytes);
        assert_non_null(read);
        assert_int_equal(read->seq, numbers[i]);
        assert_int_equal(read->ack, numbers[i] / 2);
        assert_int_equal(read->roster->active, 7);
        fedn__tier__v1__up__free_unpacked(read, NULL);
    }
}

static void what_follows_a_number_is_found(void **state)
{
    fedn__link link;

    (void)state;
    fedn__link_init(&link, 1000);
    assert_null(fedn__link_after(&link, 0));
    for (int i = 0; i < 3; i++)
        fedn__link_add(&link, "x", 1);
    assert_ptr_equal(fedn__link_after(&link, 0), link.head);
    assert_ptr_equal(fedn__link_after(&link, 2), link.newest);
    assert_null(fedn__link_after(&link, 3));
    fedn__link_acked(&link, 3);
    assert_null(link.newest);
    fedn__link_done(&link);
}

/* Two ends over a wire that is cut at random: every message arrives once and in order. */
static void every_message_arrives_once_over_random_cuts(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 200; seed++) {
        fedn__link out;
        fedn__link in;
        uint32_t random = seed;
        uint64_t arrived = 0;
        fedn__link_init(&out, 100000);
        fedn__link_init(&in, 100000);
        for (int i = 0; i < 300; i++) {
            random = random * 1664525u + 1013904223u;
            assert_int_equal(fedn__link_add(&out, &random, sizeof random), FEDN_OK);
            if (random >> 28 < 10)
                continue; /* the wire is down: it stays */
            const fedn__link_item *item = fedn__link_resend(&out, in.last_seen);
            uint32_t carried = 0;
            for (; item && carried < (random >> 8 & 7); item = item->next, carried++) {
                int32_t order = fedn__link_accept(&in, item->seq);
                assert_int_equal(order, 1);
                arrived++;
                assert_int_equal(item->seq, arrived);
            }
        }
        while (fedn__link_resend(&out, in.last_seen))
            assert_int_equal(fedn__link_accept(&in, out.head->seq), 1);
        assert_int_equal(in.last_seen, 300);
        fedn__link_done(&out);
        fedn__link_done(&in);
    }
}

static fedn_status add_two(void *arg)
{
    fedn__link link;

    (void)arg;
    fedn__link_init(&link, 100);
    fedn_status rc = fedn__link_add(&link, "a", 1);
    if (rc == FEDN_OK)
        rc = fedn__link_add(&link, "b", 1);
    fedn__link_done(&link);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(add_two, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_acknowledged_is_let_go),
        cmocka_unit_test(arrivals_are_new_repeated_or_out_of_order),
        cmocka_unit_test(a_link_holds_no_more_than_its_bound),
        cmocka_unit_test(a_peer_without_memory_is_told_all_from_one),
        cmocka_unit_test(a_stamp_is_what_the_message_begins_with),
        cmocka_unit_test(what_follows_a_number_is_found),
        cmocka_unit_test(every_message_arrives_once_over_random_cuts),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
