/* SPDX-License-Identifier: Apache-2.0
 * The timer heap against a plain search. */
#include "test.h"

#include "core/timer.h"

enum { TIMERS = 200 };

static int64_t earliest(const fedn__timer timers[TIMERS])
{
    int64_t least = INT64_MAX;
    for (uint32_t i = 0; i < TIMERS; i++)
        if (timers[i].place && timers[i].due_ns < least)
            least = timers[i].due_ns;
    return least;
}

static void a_long_random_history_agrees_with_a_plain_search(void **state)
{
    (void)state;
    static fedn__timer timers[TIMERS];
    fedn__timers heap;
    uint64_t random = 99;

    fedn__timers_init(&heap);
    for (uint32_t step = 0; step < 20000; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        fedn__timer *timer = &timers[(random >> 40) % TIMERS];
        int64_t due = (int64_t)((random >> 20) % 5000);
        int64_t first = earliest(timers);
        assert_true(fedn__timers_next(&heap) == first);
        switch (random >> 62) {
        case 0:
            fedn__timers_cancel(&heap, timer);
            assert_int_equal(timer->place, 0);
            break;
        case 1: {
            fedn__timer *fired = fedn__timers_pop(&heap, due);
            assert_int_equal(fired != NULL, first <= due);
            if (fired) {
                assert_true(fired->due_ns == first);
                assert_int_equal(fired->place, 0);
            }
            break;
        }
        default:
            assert_int_equal(fedn__timers_set(&heap, timer, due), FEDN_OK);
            assert_true(timer->due_ns == due && timer->place > 0);
        }
    }
    fedn__timers_done(&heap);
    for (uint32_t i = 0; i < TIMERS; i++)
        assert_int_equal(timers[i].place, 0);
}

static void what_is_due_at_this_very_moment_fires(void **state)
{
    (void)state;
    fedn__timers heap;
    fedn__timer timer = {0};

    fedn__timers_init(&heap);
    assert_null(fedn__timers_pop(&heap, INT64_MAX));
    assert_true(fedn__timers_next(&heap) == INT64_MAX);
    assert_int_equal(fedn__timers_set(&heap, &timer, 10), FEDN_OK);
    assert_null(fedn__timers_pop(&heap, 9));
    assert_ptr_equal(fedn__timers_pop(&heap, 10), &timer);
    assert_null(fedn__timers_pop(&heap, 10));
    fedn__timers_cancel(&heap, &timer);
    fedn__timers_done(&heap);
}

static fedn_status fill(void *arg)
{
    fedn__timers heap;
    fedn__timer timers[40] = {{0}};
    fedn_status rc = FEDN_OK;
    (void)arg;

    fedn__timers_init(&heap);
    for (uint32_t i = 0; i < 40 && rc == FEDN_OK; i++) {
        rc = fedn__timers_set(&heap, &timers[i], 40 - (int64_t)i);
        assert_int_equal(timers[i].place != 0, rc == FEDN_OK);
        if (rc == FEDN_OK)
            assert_true(fedn__timers_next(&heap) == 40 - (int64_t)i);
    }
    fedn__timers_done(&heap);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(fill, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_random_history_agrees_with_a_plain_search),
        cmocka_unit_test(what_is_due_at_this_very_moment_fires),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
