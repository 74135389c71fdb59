/* SPDX-License-Identifier: Apache-2.0
 * The clocks: one that never goes back, one that knows the date. */
#include "test.h"

#include "core/clock.h"
#include <time.h>

static void the_monotonic_clock_never_goes_back(void **state)
{
    (void)state;
    int64_t last = fedn__clock_ns();

    for (uint32_t i = 0; i < 10000; i++) {
        int64_t now = fedn__clock_ns();
        assert_true(now >= last);
        last = now;
    }
    int64_t ms = fedn__clock_ms();
    assert_true(ms >= last / 1000000 && ms <= fedn__clock_ns() / 1000000);
}

static void the_wall_clock_counts_microseconds_since_1970(void **state)
{
    (void)state;
    int64_t before = (int64_t)time(NULL);
    int64_t us = fedn__clock_wall_us();

    /* time() may come from a coarser clock, a tick behind */
    assert_true(us / 1000000 >= before && us / 1000000 <= (int64_t)time(NULL) + 1);
}

static void a_time_splits_into_seconds_and_the_rest(void **state)
{
    (void)state;
    struct timespec when = fedn__clock_timespec(5000000001);

    assert_int_equal(when.tv_sec, 5);
    assert_int_equal(when.tv_nsec, 1);
    when = fedn__clock_timespec(INT64_MAX);
    assert_true(when.tv_nsec >= 0 && when.tv_nsec < 1000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
        cmocka_unit_test(the_wall_clock_counts_microseconds_since_1970),
        cmocka_unit_test(a_time_splits_into_seconds_and_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
