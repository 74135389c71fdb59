/* SPDX-License-Identifier: Apache-2.0
 * The clients of a combiner: who is seen, who sleeps, who is forgotten for whom. */
#include "test.h"

#include "roles/combiner/roster.h"

static fedn__participant *join(fedn__roster *roster, const char *id, int64_t now_ms)
{
    fedn__participant *client = NULL;

    assert_int_equal(fedn__roster_join(roster, id, "somebody", &client), FEDN_OK);
    fedn__roster_seen(roster, client, now_ms);
    return client;
}

static void the_oldest_is_who_was_seen_longest_ago(void **state)
{
    fedn__roster roster;

    (void)state;
    fedn__roster_init(&roster, 10);
    assert_null(fedn__roster_oldest(&roster));
    fedn__participant *a = join(&roster, "a", 1);
    fedn__participant *b = join(&roster, "b", 2);
    fedn__participant *c = join(&roster, "c", 3);
    assert_ptr_equal(fedn__roster_oldest(&roster), a);
    fedn__roster_seen(&roster, a, 4);
    assert_ptr_equal(fedn__roster_oldest(&roster), b);
    fedn__roster_sleep(&roster, c); /* from the middle */
    assert_ptr_equal(b->newer, a);
    fedn__roster_sleep(&roster, b);
    assert_ptr_equal(fedn__roster_oldest(&roster), a);
    fedn__roster_seen(&roster, b, 5);
    assert_ptr_equal(a->newer, b);
    assert_int_equal(roster.count, 3);
    fedn__roster_done(&roster);
}

static void time_does_not_go_back(void **state)
{
    fedn__roster roster;

    (void)state;
    fedn__roster_init(&roster, 10);
    fedn__participant *a = join(&roster, "a", 100);
    fedn__roster_seen(&roster, a, 50);
    assert_int_equal(a->last_seen_ms, 100);
    fedn__roster_done(&roster);
}

static void a_name_stays_until_another_is_told(void **state)
{
    fedn__roster roster;
    fedn__participant *client = NULL;

    (void)state;
    fedn__roster_init(&roster, 10);
    join(&roster, "a", 1);
    assert_int_equal(fedn__roster_join(&roster, "a", "", &client), FEDN_OK);
    assert_string_equal(client->name, "somebody");
    assert_int_equal(fedn__roster_join(&roster, "a", "other", &client), FEDN_OK);
    assert_string_equal(client->name, "other");
    assert_int_equal(roster.count, 1);
    fedn__roster_done(&roster);
}

static void the_longest_asleep_makes_room_unless_it_takes_part(void **state)
{
    fedn__roster roster;
    fedn__participant *client = NULL;

    (void)state;
    fedn__roster_init(&roster, 3);
    fedn__participant *a = join(&roster, "a", 1);
    fedn__participant *b = join(&roster, "b", 2);
    join(&roster, "c", 3);
    assert_int_equal(fedn__roster_join(&roster, "d", "", &client), FEDN_ERR_LIMIT);
    assert_null(client);
    fedn__roster_sleep(&roster, a);
    fedn__roster_sleep(&roster, b);
    a->outcome = 1;
    assert_int_equal(fedn__roster_join(&roster, "d", "", &client), FEDN_OK);
    assert_null(fedn__roster_find(&roster, "b"));
    assert_non_null(fedn__roster_find(&roster, "a"));
    assert_int_equal(fedn__roster_join(&roster, "e", "", &client), FEDN_OK); /* d never woke */
    assert_null(fedn__roster_find(&roster, "d"));
    a->stream = 7;
    client->stream = 8;
    assert_int_equal(fedn__roster_join(&roster, "f", "", &client), FEDN_ERR_LIMIT);
    fedn__roster_done(&roster);
}

static void the_count_of_those_online_follows_each_change(void **state)
{
    fedn__roster roster;

    (void)state;
    fedn__roster_init(&roster, 10);
    fedn__participant *a = join(&roster, "a", 1);
    fedn__participant *b = join(&roster, "b", 1);
    fedn__roster_set_online(&roster, a, 1);
    fedn__roster_set_online(&roster, a, 1);
    fedn__roster_set_online(&roster, b, 1);
    assert_int_equal(roster.online, 2);
    fedn__roster_set_online(&roster, a, 0);
    assert_int_equal(roster.online, 1);
    fedn__roster_done(&roster);
}

static void nobody_is_found_by_no_id(void **state)
{
    fedn__roster roster;

    (void)state;
    fedn__roster_init(&roster, 10);
    assert_null(fedn__roster_find(&roster, NULL));
    assert_null(fedn__roster_find(&roster, "a"));
    fedn__roster_done(&roster);
    fedn__roster_done(&roster);
}

static fedn_status two_names(void *arg)
{
    fedn__roster roster;
    fedn__participant *client = NULL;

    (void)arg;
    fedn__roster_init(&roster, 4);
    fedn_status rc = fedn__roster_join(&roster, "a", "first", &client);
    if (rc == FEDN_OK) {
        rc = fedn__roster_join(&roster, "a", "second", &client);
        assert_string_equal(client->name, rc == FEDN_OK ? "second" : "first");
    }
    fedn__roster_done(&roster);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(two_names, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_is_who_was_seen_longest_ago),
        cmocka_unit_test(time_does_not_go_back),
        cmocka_unit_test(a_name_stays_until_another_is_told),
        cmocka_unit_test(the_longest_asleep_makes_room_unless_it_takes_part),
        cmocka_unit_test(the_count_of_those_online_follows_each_change),
        cmocka_unit_test(nobody_is_found_by_no_id),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
