/* SPDX-License-Identifier: Apache-2.0
 * The bounded queue: order, limit, deadline, closing, many threads. */
#include "test.h"

#include "core/clock.h"
#include "core/queue.h"
#include "core/thread.h"

static void items_come_out_in_order_and_not_beyond_the_limit(void **state)
{
    (void)state;
    int cells[5];
    void *item = NULL;
    fedn_error err;
    fedn__queue *queue = NULL;

    assert_ok(fedn__queue_new(3, &queue, &err), &err);
    for (uint32_t round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < 3; i++)
            assert_int_equal(fedn__queue_push(queue, &cells[i]), FEDN_OK);
        assert_int_equal(fedn__queue_push(queue, &cells[3]), FEDN_ERR_LIMIT);
        assert_int_equal(fedn__queue_count(queue), 3);
        for (uint32_t i = 0; i < 3; i++) {
            assert_int_equal(fedn__queue_pop(queue, 0, &item), FEDN_OK);
            assert_ptr_equal(item, &cells[i]);
        }
        assert_int_equal(fedn__queue_push(queue, &cells[4]), FEDN_OK); /* move the ring's start */
        assert_int_equal(fedn__queue_pop(queue, INT64_MAX, &item), FEDN_OK);
    }
    fedn__queue_free(queue);
    fedn__queue_free(NULL);
}

static void an_empty_queue_waits_until_the_deadline(void **state)
{
    (void)state;
    void *item = &item;
    fedn_error err;
    fedn__queue *queue = NULL;

    assert_ok(fedn__queue_new(1, &queue, &err), &err);
    assert_int_equal(fedn__queue_pop(queue, 0, &item), FEDN_ERR_TIMEOUT);
    assert_null(item);
    assert_int_equal(fedn__queue_pop(queue, -5, &item), FEDN_ERR_TIMEOUT);
    int64_t deadline = fedn__clock_ns() + 2000000;
    assert_int_equal(fedn__queue_pop(queue, deadline, &item), FEDN_ERR_TIMEOUT);
    assert_true(fedn__clock_ns() >= deadline);
    fedn__queue_free(queue);
}

static void a_closed_queue_gives_what_it_has_and_takes_nothing(void **state)
{
    (void)state;
    int cell = 0;
    void *item = NULL;
    fedn_error err;
    fedn__queue *queue = NULL;

    assert_ok(fedn__queue_new(2, &queue, &err), &err);
    assert_int_equal(fedn__queue_push(queue, &cell), FEDN_OK);
    fedn__queue_close(queue);
    assert_int_equal(fedn__queue_push(queue, &cell), FEDN_ERR_CANCELLED);
    assert_int_equal(fedn__queue_pop(queue, 0, &item), FEDN_OK);
    assert_ptr_equal(item, &cell);
    assert_int_equal(fedn__queue_pop(queue, INT64_MAX, &item), FEDN_ERR_CANCELLED);
    fedn__queue_free(queue);
}

typedef struct side {
    fedn__queue *queue;
    uint64_t items;
    uint64_t sum;
} side;

static void *produce(void *arg)
{
    side *s = arg;
    for (uintptr_t i = 1; i <= s->items;)
        if (fedn__queue_push(s->queue, (void *)i) == FEDN_OK)
            s->sum += i++;
    return NULL;
}

static void *consume(void *arg)
{
    side *s = arg;
    void *item = NULL;
    while (fedn__queue_pop(s->queue, INT64_MAX, &item) == FEDN_OK) {
        s->sum += (uintptr_t)item;
        s->items++;
    }
    return NULL;
}

static void many_threads_lose_and_repeat_nothing(void **state)
{
    (void)state;
    enum { SIDES = 3, EACH = 2000 };
    pthread_t in[SIDES];
    pthread_t out[SIDES];
    side from[SIDES];
    side to[SIDES];
    uint64_t given = 0;
    uint64_t taken = 0;
    uint64_t items = 0;
    fedn_error err;
    fedn__queue *queue = NULL;

    assert_ok(fedn__queue_new(64, &queue, &err), &err);
    for (uint32_t i = 0; i < SIDES; i++) {
        from[i] = (side){.queue = queue, .items = EACH};
        to[i] = (side){.queue = queue};
        assert_ok(fedn__thread_start(&out[i], "consume", consume, &to[i], &err), &err);
        assert_ok(fedn__thread_start(&in[i], "produce", produce, &from[i], &err), &err);
    }
    for (uint32_t i = 0; i < SIDES; i++) {
        pthread_join(in[i], NULL);
        given += from[i].sum;
    }
    fedn__queue_close(queue);
    for (uint32_t i = 0; i < SIDES; i++) {
        pthread_join(out[i], NULL);
        taken += to[i].sum;
        items += to[i].items;
    }
    assert_int_equal(items, SIDES * EACH);
    assert_int_equal(given, taken);
    fedn__queue_free(queue);
}

static fedn_status make(void *arg)
{
    fedn_error err;
    fedn__queue *queue = NULL;
    (void)arg;

    fedn_status rc = fedn__queue_new(10, &queue, &err);
    if (rc != FEDN_OK)
        assert_null(queue);
    fedn__queue_free(queue);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    test_fail_each_allocation(make, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_order_and_not_beyond_the_limit),
        cmocka_unit_test(an_empty_queue_waits_until_the_deadline),
        cmocka_unit_test(a_closed_queue_gives_what_it_has_and_takes_nothing),
        cmocka_unit_test(many_threads_lose_and_repeat_nothing),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
