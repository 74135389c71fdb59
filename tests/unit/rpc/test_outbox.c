/* SPDX-License-Identifier: Apache-2.0
 * The queue of outgoing messages: order, bounds, nothing lost. */
#include "test.h"

#include "core/limits.h"
#include "rpc/outbox.h"
#include <grpc/grpc.h>
#include <grpc/slice.h>

static grpc_byte_buffer *message(size_t bytes)
{
    grpc_slice slice = grpc_slice_malloc(bytes);
    memset(GRPC_SLICE_START_PTR(slice), 0, bytes);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

static const fedn__sent nobody = {NULL};

static void messages_leave_in_order_one_at_a_time(void **state)
{
    fedn__outbox outbox;
    int names[3];

    (void)state;
    fedn__outbox_init(&outbox);
    assert_null(fedn__outbox_take(&outbox));
    assert_null(fedn__outbox_written(&outbox));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(fedn__outbox_add(&outbox, message(i + 1), i + 1, nobody, &names[i]),
                         FEDN_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(grpc_byte_buffer_length(fedn__outbox_take(&outbox)), i + 1);
        fedn__parcel *parcel = fedn__outbox_written(&outbox);
        assert_ptr_equal(parcel->user_data, &names[i]);
        fedn__parcel_free(parcel);
    }
    assert_int_equal(outbox.count, 0);
    assert_int_equal(outbox.heap_bytes, 0);
}

static void the_queue_is_bounded_by_count(void **state)
{
    fedn__outbox outbox;

    (void)state;
    fedn__outbox_init(&outbox);
    for (int i = 0; i < FEDN__LIMIT_STREAM_QUEUE; i++)
        assert_int_equal(fedn__outbox_add(&outbox, message(1), 1, nobody, NULL), FEDN_OK);
    assert_int_equal(fedn__outbox_add(&outbox, message(1), 1, nobody, NULL), FEDN_ERR_LIMIT);
    assert_non_null(fedn__outbox_take(&outbox)); /* what is being written does not wait */
    assert_int_equal(fedn__outbox_add(&outbox, message(1), 1, nobody, NULL), FEDN_OK);
    fedn__outbox_clear(&outbox);
    assert_int_equal(outbox.count, 0);
    fedn__parcel_free(fedn__outbox_written(&outbox));
}

static void the_queue_is_bounded_by_bytes_on_the_heap(void **state)
{
    fedn__outbox outbox;

    (void)state;
    fedn__outbox_init(&outbox);
    assert_int_equal(
        fedn__outbox_add(&outbox, message(1), FEDN__LIMIT_STREAM_BYTES - 1, nobody, NULL), FEDN_OK);
    assert_int_equal(fedn__outbox_add(&outbox, message(1), 2, nobody, NULL), FEDN_ERR_LIMIT);
    assert_int_equal(fedn__outbox_add(&outbox, message(1), 1, nobody, NULL), FEDN_OK);
    fedn__outbox_clear(&outbox);
}

static fedn_status add_some(void *arg)
{
    fedn__outbox outbox;
    fedn_status rc = FEDN_OK;

    (void)arg;
    fedn__outbox_init(&outbox);
    for (int i = 0; i < 3 && rc == FEDN_OK; i++)
        rc = fedn__outbox_add(&outbox, message(9), 9, nobody, NULL);
    fedn__outbox_clear(&outbox);
    return rc;
}

static void no_allocation_is_lost(void **state)
{
    (void)state;
    test_fail_each_allocation(add_some, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_leave_in_order_one_at_a_time),
        cmocka_unit_test(the_queue_is_bounded_by_count),
        cmocka_unit_test(the_queue_is_bounded_by_bytes_on_the_heap),
        cmocka_unit_test(no_allocation_is_lost),
    };

    grpc_init();
    int failed =
        cmocka_run_group_tests_name("rpc outbox", tests, test_count_setup, test_count_teardown);
    grpc_shutdown();
    return failed;
}
