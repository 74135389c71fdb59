/* SPDX-License-Identifier: Apache-2.0
 * Messages in and out of byte buffers: checked, bounded, without copies where it matters. */
#include "test.h"

#include "core/blob.h"
#include "core/limits.h"
#include "fedn.pb-c.h"
#include "rpc/codec.h"
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>

static grpc_byte_buffer *buffer_of(const void *data, size_t bytes, size_t run)
{
    grpc_slice slices[512];
    size_t count = 0;

    for (size_t at = 0; at < bytes; at += run)
        slices[count++] = grpc_slice_from_copied_buffer((const char *)data + at,
                                                        bytes - at < run ? bytes - at : run);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(slices, count);
    for (size_t i = 0; i < count; i++)
        grpc_slice_unref(slices[i]);
    return buffer;
}

static Fedn__Status sample(Fedn__Client *sender)
{
    Fedn__Status status = FEDN__STATUS__INIT;

    fedn__client__init(sender);
    sender->name = (char *)(uintptr_t) "caf\xc3\xa9";
    status.sender = sender;
    status.status = (char *)(uintptr_t) "training";
    status.log_level = FEDN__LOG_LEVEL__AUDIT;
    return status;
}

static void a_message_comes_back_as_it_was_however_it_is_cut(void **state)
{
    Fedn__Client sender;
    Fedn__Status status = sample(&sender);
    uint8_t packed[256];
    fedn_error err;

    (void)state;
    size_t bytes = fedn__status__pack(&status, packed);
    for (size_t run = 1; run <= bytes; run++) {
        grpc_byte_buffer *buffer = buffer_of(packed, bytes, run);
        ProtobufCMessage *message = NULL;
        assert_ok(fedn__codec_unpack(buffer, &fedn__status__descriptor, bytes, &message, &err),
                  &err);
        assert_string_equal(((Fedn__Status *)message)->sender->name, "caf\xc3\xa9");
        assert_string_equal(((Fedn__Status *)message)->status, "training");
        fedn__codec_release(message);
        grpc_byte_buffer_destroy(buffer);
    }
}

static void a_packed_message_is_bounded(void **state)
{
    static uint8_t data[4 * 1048576];
    Fedn__ClientConfigRequest message = FEDN__CLIENT_CONFIG_REQUEST__INIT;

    (void)state;
    message.data.data = data;
    message.data.len = sizeof data;
    assert_null(fedn__codec_pack(&message.base));
    message.data.len = sizeof data - 16;
    grpc_byte_buffer *buffer = fedn__codec_pack(&message.base);
    assert_non_null(buffer);
    assert_int_equal(grpc_byte_buffer_length(buffer),
                     protobuf_c_message_get_packed_size(&message.base));
    grpc_byte_buffer_destroy(buffer);
}

static void a_message_over_its_limit_is_refused_unread(void **state)
{
    uint8_t packed[16] = {0};
    grpc_byte_buffer *buffer = buffer_of(packed, sizeof packed, 16);
    ProtobufCMessage *message = NULL;
    fedn_error err;

    (void)state;
    assert_fails(fedn__codec_unpack(buffer, &fedn__status__descriptor, 15, &message, &err),
                 FEDN_ERR_LIMIT, &err, "Status 16 15");
    assert_null(message);
    grpc_byte_buffer_destroy(buffer);
}

static void broken_messages_are_refused(void **state)
{
    static const struct {
        const char *words;
        const char *bytes;
        size_t count;
    } cases[] = {
        {"malformed Status", "\x0a", 1},
        {"malformed Status", "\x12\x05tra", 5},
        {"Status.status UTF-8", "\x12\x02\xc3\x28", 4},
        {"Status.status NUL",
         "\x12\x03"
         "a\0b",
         5},
        {"Client.name UTF-8", "\x0a\x03\x12\x01\xff", 5},
        {"malformed Client", "\x0a\x02\x12\x7f", 4},
        {"malformed Status", "\x10\x05", 2},  /* text as a number */
        {"malformed Status", "\x08\x05", 2},  /* a message as a number */
        {"malformed Status", "\x03\x04", 2},  /* a group */
        {"malformed Status", "\x02\x01x", 3}, /* field 0 */
        {"malformed Status", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11},
        {"malformed Status", "\x92\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12},
        {"malformed Status", "\x79\x01", 2}, /* a fixed 64 that ends early */
    };
    fedn_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        grpc_byte_buffer *buffer = buffer_of(cases[i].bytes, cases[i].count, 16);
        ProtobufCMessage *message = NULL;
        assert_fails(fedn__codec_unpack(buffer, &fedn__status__descriptor, 100, &message, &err),
                     FEDN_ERR_FORMAT, &err, cases[i].words);
        assert_null(message);
        grpc_byte_buffer_destroy(buffer);
    }
}

static void a_slice_of_a_blob_points_into_it(void **state)
{
    fedn__blob *blob = NULL;
    const uint8_t *data = NULL;
    grpc_byte_buffer *buffer = NULL;
    fedn_error err;
    fedn__block block = {NULL, NULL, 0};
    static char text[4096];

    (void)state;
    assert_ok(fedn__blob_copy(text, sizeof text, &blob, &err), &err);
    assert_ok(fedn__blob_map(blob, &data, &err), &err);
    assert_ok(fedn__codec_from_blob("head", 4, blob, 10, 3000, &buffer), &err);
    assert_int_equal(fedn__codec_from_blob("head", 4, blob, 4096, 1, &buffer), FEDN_ERR_LIMIT);
    assert_int_equal(fedn__codec_from_blob("head", 4, blob, 4000, 97, &buffer), FEDN_ERR_LIMIT);
    assert_ok(fedn__block_init(&block, buffer), &err);
    assert_int_equal(block.count, 2);
    assert_memory_equal(block.pieces[0].data, "head", 4);
    assert_ptr_equal(block.pieces[1].data, data + 10);
    assert_int_equal(block.pieces[1].bytes, 3000);
    fedn__blob_unref(blob); /* the slice has its own reference */
    fedn__block_done(&block);
}

static fedn_status unpack_once(void *arg)
{
    ProtobufCMessage *message = NULL;
    fedn__block block = {NULL, NULL, 0};
    Fedn__Client sender;
    Fedn__Status status = sample(&sender);
    fedn_error err;

    (void)arg;
    grpc_byte_buffer *buffer = fedn__codec_pack(&status.base);
    fedn_status rc = fedn__codec_unpack(buffer, &fedn__status__descriptor, 1000, &message, &err);
    fedn__codec_release(message);
    if (rc == FEDN_OK)
        rc = fedn__block_init(&block, buffer);
    if (rc < 0)
        grpc_byte_buffer_destroy(buffer);
    fedn__block_done(&block);
    return rc;
}

static void no_allocation_is_lost(void **state)
{
    (void)state;
    test_fail_each_allocation(unpack_once, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_comes_back_as_it_was_however_it_is_cut),
        cmocka_unit_test(a_packed_message_is_bounded),
        cmocka_unit_test(a_message_over_its_limit_is_refused_unread),
        cmocka_unit_test(broken_messages_are_refused),
        cmocka_unit_test(a_slice_of_a_blob_points_into_it),
        cmocka_unit_test(no_allocation_is_lost),
    };

    grpc_init();
    int failed =
        cmocka_run_group_tests_name("rpc codec", tests, test_count_setup, test_count_teardown);
    grpc_shutdown();
    return failed;
}
