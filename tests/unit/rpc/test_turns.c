/* SPDX-License-Identifier: Apache-2.0
 * Turns of uploads: who is let in, when, in which order. The test is the clock. */
#include "rig.h"

#include "core/limits.h"
#include "rpc/turns.h"

enum { MANY = 40 };

typedef struct line {
    fedn__loop *loop;
    fedn__turns turns;
    fedn__turn turn[MANY];
    int started[MANY]; /* in which order, from 1 */
    int count;
} line;

static line *one; /* what go() belongs to */

static void go(fedn__turn *turn)
{
    one->started[turn - one->turn] = ++one->count;
    turn->asked = 1;
}

static void begin(void *arg)
{
    line *l = arg;

    fedn__turns_init(&l->turns, l->loop);
    for (int i = 0; i < MANY; i++) {
        l->turn[i].go = go;
        fedn__turns_ask(&l->turns, &l->turn[i]);
    }
}

/* An interval passes. */
static void tick(line *l)
{
    l->turns.look.fn(&l->turns.look, l->turns.look.user_data);
}

static void move(line *l, int from, int to, uint64_t bytes)
{
    for (int i = from; i < to; i++) {
        fedn__turns_moved(&l->turn[i], bytes);
        l->turn[i].asked = 1;
    }
}

static void leave_all(line *l)
{
    for (int i = 0; i < MANY; i++)
        fedn__turns_leave(&l->turns, &l->turn[i]);
    assert_int_equal(l->turns.cost, 0);
    assert_null(l->turns.reading);
    assert_null(l->turns.waiting);
    assert_null(l->turns.last);
    assert_int_equal(l->turns.look.place, 0);
}

static void on_loop(void (*scene)(void *arg))
{
    fedn_error err;
    line l = {0};

    assert_ok(fedn__loop_new("turns", NULL, &l.loop, &err), &err);
    one = &l;
    fedn__loop_call(l.loop, scene, &l);
    fedn__loop_free(l.loop);
}

static void fast_scene(void *arg)
{
    line *l = arg;

    begin(l);
    assert_int_equal(l->count, FEDN__LIMIT_TURNS);
    for (int interval = 0; interval < 3; interval++) {
        move(l, 0, FEDN__LIMIT_TURNS, FEDN__LIMIT_TURN_FAST);
        tick(l);
        assert_int_equal(l->count, FEDN__LIMIT_TURNS);
    }
    /* they end one by one: the next comes in when but one is left, in its order */
    for (int i = 0; i < FEDN__LIMIT_TURNS - 2; i++) {
        fedn__turns_leave(&l->turns, &l->turn[i]);
        assert_int_equal(l->count, FEDN__LIMIT_TURNS);
    }
    fedn__turns_leave(&l->turns, &l->turn[FEDN__LIMIT_TURNS - 2]);
    assert_in_range(l->count, FEDN__LIMIT_TURNS + 1, 2 * FEDN__LIMIT_TURNS);
    for (int i = 0; i < l->count; i++)
        assert_int_equal(l->started[i], i + 1);
    leave_all(l);
}

static void fast_senders_wait_for_each_other(void **state)
{
    (void)state;
    on_loop(fast_scene);
}

static void slow_scene(void *arg)
{
    line *l = arg;
    int before = 0;

    begin(l);
    tick(l); /* those that had but a part of it are not judged yet */
    assert_int_equal(l->count, FEDN__LIMIT_TURNS);
    while (l->count < MANY) {
        assert_true(l->count > before);
        before = l->count;
        move(l, 0, l->count, FEDN__LIMIT_TURN_FAST / 2);
        tick(l);
        move(l, 0, l->count, FEDN__LIMIT_TURN_FAST / 2);
        tick(l);
    }
    assert_int_equal(l->started[MANY - 1], MANY);
    leave_all(l);
}

static void slow_senders_are_read_side_by_side(void **state)
{
    (void)state;
    on_loop(slow_scene);
}

static void own_scene(void *arg)
{
    line *l = arg;

    begin(l);
    for (int interval = 0; interval < 5; interval++) {
        for (int i = 0; i < FEDN__LIMIT_TURNS; i++)
            fedn__turns_moved(&l->turn[i], 1); /* came, and lies before our disk */
        tick(l);
        assert_int_equal(l->count, FEDN__LIMIT_TURNS);
    }
    leave_all(l);
}

static void our_own_slowness_lets_nobody_in(void **state)
{
    (void)state;
    on_loop(own_scene);
}

static void leaving_scene(void *arg)
{
    line *l = arg;

    begin(l);
    /* from the end, the middle and the head of the line */
    fedn__turns_leave(&l->turns, &l->turn[MANY - 1]);
    fedn__turns_leave(&l->turns, &l->turn[20]);
    fedn__turns_leave(&l->turns, &l->turn[FEDN__LIMIT_TURNS]);
    fedn__turns_leave(&l->turns, &l->turn[FEDN__LIMIT_TURNS]); /* twice is once */
    assert_int_equal(l->count, FEDN__LIMIT_TURNS);
    fedn__turns_leave(&l->turns, &l->turn[0]);
    assert_int_equal(l->started[FEDN__LIMIT_TURNS + 1], FEDN__LIMIT_TURNS + 1);
    for (int i = 1; i < MANY; i++)
        fedn__turns_leave(&l->turns, &l->turn[i]);
    assert_int_equal(l->count, MANY - 3); /* all that had not left while they waited */
    leave_all(l);
}

static void who_leaves_the_line_is_skipped(void **state)
{
    (void)state;
    on_loop(leaving_scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_senders_wait_for_each_other),
        cmocka_unit_test(slow_senders_are_read_side_by_side),
        cmocka_unit_test(our_own_slowness_lets_nobody_in),
        cmocka_unit_test(who_leaves_the_line_is_skipped),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
