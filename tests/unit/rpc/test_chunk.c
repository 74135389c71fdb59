/* SPDX-License-Identifier: Apache-2.0
 * Chunk messages, cut anywhere, and what is wrong with them. */
#include "test.h"

#include "fedn.pb-c.h"
#include "rpc/chunk.h"
#include <stdlib.h>

/* The message in pieces of `run` bytes. */
static uint64_t cut(const uint8_t *message, uint64_t bytes, uint64_t run, fedn__piece *pieces)
{
    uint64_t count = 0;

    for (uint64_t at = 0; at < bytes; at += run, count++) {
        pieces[count].data = message + at;
        pieces[count].bytes = bytes - at < run ? bytes - at : run;
    }
    return count;
}

static void assert_data(const fedn__chunk *chunk, const void *data, uint64_t bytes)
{
    uint64_t at = 0;

    assert_int_equal(chunk->data_bytes, bytes);
    for (uint64_t i = 0; i < chunk->data_count; i++) {
        assert_true(at + chunk->data[i].bytes <= bytes);
        assert_memory_equal(chunk->data[i].data, (const uint8_t *)data + at, chunk->data[i].bytes);
        at += chunk->data[i].bytes;
    }
    assert_int_equal(at, bytes);
}

static void fields_are_found_wherever_the_message_is_cut(void **state)
{
    Fedn__ModelRequest message = FEDN__MODEL_REQUEST__INIT;
    Fedn__Client sender = FEDN__CLIENT__INIT;
    uint8_t packed[1024];
    fedn__piece pieces[1024], scratch[1024];
    fedn__chunk chunk;
    fedn_error err;
    uint8_t data[300];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    sender.name = (char *)(uintptr_t) "someone";
    sender.role = FEDN__ROLE__CLIENT;
    message.sender = &sender;
    message.receiver = &sender;
    message.id = (char *)(uintptr_t) "0b5c2f0e-9d3a-4c8f-8e7a-1f2e3d4c5b6a";
    message.status = FEDN__MODEL_STATUS__IN_PROGRESS;
    message.data.data = data;
    message.data.len = sizeof data;
    message.resumable = 1;
    message.offset = UINT64_MAX;
    message.digest.data = data;
    message.digest.len = FEDN__DIGEST_BYTES;
    size_t bytes = fedn__model_request__pack(&message, packed);
    for (uint64_t run = 1; run <= bytes; run++) {
        uint64_t count = cut(packed, bytes, run, pieces);
        assert_ok(fedn__chunk_parse(FEDN__CHUNK_REQUEST, pieces, count, scratch, &chunk, &err),
                  &err);
        assert_string_equal(chunk.id, message.id);
        assert_int_equal(chunk.status, 1);
        assert_data(&chunk, data, sizeof data);
        assert_true(chunk.resumable && chunk.has_digest && chunk.offset == UINT64_MAX);
        assert_memory_equal(chunk.digest, data, FEDN__DIGEST_BYTES);
    }
}

static void what_we_write_is_what_protobuf_reads(void **state)
{
    uint8_t head[FEDN__CHUNK_HEAD_BYTES + 8];
    char long_id[300];

    (void)state;
    memset(long_id, 'x', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = 0;
    for (int32_t kind = 0; kind < 2; kind++) {
        const fedn__chunk_words words = {.id = "an-id",
                                         .client_id = long_id,
                                         .status = 1,
                                         .resumable = 1,
                                         .offset = UINT64_MAX - 7,
                                         .digest = (const uint8_t *)"0123456789abcdef"};
        uint64_t bytes = fedn__chunk_head(kind, &words, 3, head);
        assert_in_range(bytes, 10, FEDN__CHUNK_HEAD_BYTES);
        memcpy(head + bytes, "abc", 4);
        if (kind == FEDN__CHUNK_REQUEST) {
            Fedn__ModelRequest *got = fedn__model_request__unpack(NULL, bytes + 3, head);
            assert_non_null(got);
            assert_string_equal(got->id, "an-id");
            assert_int_equal(got->sender->role, FEDN__ROLE__CLIENT);
            assert_int_equal(strlen(got->sender->client_id), FEDN__LIMIT_ID_BYTES);
            assert_int_equal(got->status, 1);
            assert_memory_equal(got->data.data, "abc", 3);
            assert_true(got->resumable && got->offset == UINT64_MAX - 7);
            assert_int_equal(got->digest.len, FEDN__DIGEST_BYTES);
            assert_memory_equal(got->digest.data, "0123456789abcdef", FEDN__DIGEST_BYTES);
            fedn__model_request__free_unpacked(got, NULL);
        } else {
            Fedn__ModelResponse *got = fedn__model_response__unpack(NULL, bytes + 3, head);
            assert_non_null(got);
            assert_string_equal(got->id, "an-id");
            assert_int_equal(got->status, 1);
            assert_int_equal(got->data.len, 3);
            assert_true(got->offset == UINT64_MAX - 7);
            assert_memory_equal(got->digest.data, "0123456789abcdef", FEDN__DIGEST_BYTES);
            fedn__model_response__free_unpacked(got, NULL);
        }
    }
}

static void an_empty_message_is_an_end_without_an_id(void **state)
{
    fedn__chunk chunk;
    fedn_error err;

    (void)state;
    assert_ok(fedn__chunk_parse(FEDN__CHUNK_REQUEST, NULL, 0, NULL, &chunk, &err), &err);
    assert_string_equal(chunk.id, "");
    assert_int_equal(chunk.status, FEDN__MODEL_STATUS__OK);
    assert_int_equal(chunk.data_bytes, 0);
}

static void broken_messages_are_refused(void **state)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t count;
    } cases[] = {
        {"a key without a value", "\x1a", 1},
        {"data that ends early", "\x1a\x05hell", 6},
        {"data of 2^63 bytes", "\x1a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11},
        {"a length that never ends", "\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12},
        {"data that is a number", "\x18\x05", 2},
        {"an id that is a number", "\x20\x05", 2},
        {"a status that is text", "\x2a\x01x", 3},
        {"an id of 64 bytes",
         "\x22\x40"
         "0123456789012345678901234567890123456789012345678901234567890123",
         66},
        {"an id with a NUL",
         "\x22\x03"
         "a\0b",
         5},
        {"an id that is not UTF-8", "\x22\x02\xc3\x28", 4},
        {"field 0", "\x02\x01x", 3},
        {"a group", "\x33\x34", 2},
        {"wire type 7", "\x37", 1},
        {"a fixed 64 that ends early", "\x31\x01\x02", 3},
        {"a sender that ends early", "\x0a\x04\x12\x02", 4},
    };
    fedn__piece pieces[128], scratch[128];
    fedn__chunk chunk;
    fedn_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (uint64_t run = 1; run <= 2; run++) {
            uint64_t count = cut((const uint8_t *)cases[i].bytes, cases[i].count, run, pieces);
            if (fedn__chunk_parse(FEDN__CHUNK_REQUEST, pieces, count, scratch, &chunk, &err) !=
                FEDN_ERR_FORMAT)
                fail_msg("%s was taken", cases[i].what);
        }
}

static void unknown_fields_are_skipped_and_the_last_of_a_kind_counts(void **state)
{
    static const uint8_t message[] = "\x1a\x03old"
                                     "\x50\x7f"               /* 10: a number */
                                     "\x59\1\2\3\4\5\6\7\x08" /* 11: fixed 64 */
                                     "\x65\1\2\3\4"           /* 12: fixed 32 */
                                     "\x6a\x02zz"             /* 13: bytes */
                                     "\x28\x02\x28\x01"       /* status twice */
                                     "\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" /* -1 */
                                     "\x1a\x04newer\x5a\0";
    fedn__piece pieces[128], scratch[128];
    fedn__chunk chunk;
    fedn_error err;

    (void)state;
    uint64_t bytes = sizeof message - 1 - 3; /* up to the end of "newe" */
    uint64_t count = cut(message, bytes, 3, pieces);
    assert_ok(fedn__chunk_parse(FEDN__CHUNK_REQUEST, pieces, count, scratch, &chunk, &err), &err);
    assert_data(&chunk, "newe", 4);
    assert_int_equal(chunk.status, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_wherever_the_message_is_cut),
        cmocka_unit_test(what_we_write_is_what_protobuf_reads),
        cmocka_unit_test(an_empty_message_is_an_end_without_an_id),
        cmocka_unit_test(broken_messages_are_refused),
        cmocka_unit_test(unknown_fields_are_skipped_and_the_last_of_a_kind_counts),
    };

    return cmocka_run_group_tests_name("rpc chunk", tests, test_count_setup, test_count_teardown);
}
