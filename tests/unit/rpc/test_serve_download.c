/* SPDX-License-Identifier: Apache-2.0
 * What a peer that asks for a model gets, message by message. */
#include "depot.h"

#include "core/limits.h"
#include <stdlib.h>

typedef struct test_request {
    test_depot *depot;
    const char *id;
    fedn__stream *stream;
    uint64_t offset;
    const void *digest;
    uint64_t digest_bytes;
} test_request;

static void got_message(fedn__stream *stream, const ProtobufCMessage *message, void *user_data)
{
    const Fedn__ModelResponse *response = (const Fedn__ModelResponse *)message;
    test_request *request = user_data;

    (void)stream;
    rig_note(&request->depot->rig.notes, "%d:%zu%s", (int)response->status, response->data.len,
             strcmp(response->id, request->id) == 0 ? "" : "!");
    if (response->offset)
        rig_note(&request->depot->rig.notes, "at%llu", (unsigned long long)response->offset);
}

static void got_end(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    test_request *request = user_data;

    (void)stream;
    (void)details;
    rig_note(&request->depot->rig.notes, "rpc%d", (int)rpc);
}

static void ask(void *arg)
{
    static const fedn__stream_events events = {.message = got_message, .closed = got_end};
    test_request *request = arg;
    Fedn__ModelRequest message = FEDN__MODEL_REQUEST__INIT;

    message.id = (char *)(uintptr_t)request->id;
    message.resumable = request->offset != 0;
    message.offset = request->offset;
    message.digest.data = (uint8_t *)(uintptr_t)request->digest;
    message.digest.len = request->digest_bytes;
    if (fedn__channel_stream(request->depot->rig.channel, "/fedn.ModelService/Download",
                             &message.base, &fedn__model_response__descriptor, &events, request,
                             &request->stream, NULL) < 0)
        rig_note(&request->depot->rig.notes, "rpc-none");
}

/* The messages of one download, and its end. */
static void assert_answer(test_request *request, const char *expected)
{
    test_depot *depot = request->depot;
    const char *space = strrchr(expected, ' ');
    const char *end = space ? space + 1 : expected;

    pthread_mutex_lock(&depot->rig.notes.mutex);
    depot->rig.notes.text[0] = 0;
    pthread_mutex_unlock(&depot->rig.notes.mutex);
    rig_dialling(&depot->rig, ask, request);
    rig_wait(&depot->rig.notes, end);
    pthread_mutex_lock(&depot->rig.notes.mutex);
    assert_memory_equal(depot->rig.notes.text, expected, strlen(expected));
    pthread_mutex_unlock(&depot->rig.notes.mutex);
}

static void assert_messages(test_depot *depot, const char *id, const char *expected)
{
    test_request request = {.depot = depot, .id = id};

    assert_answer(&request, expected);
}

static void a_download_begins_at_an_offset_only_with_the_digest_of_what_comes_before(void **state)
{
    test_depot *depot = *state;
    uint64_t bytes = FEDN__LIMIT_CHUNK_BYTES + 7;
    uint8_t *data = depot_pattern(bytes);
    uint8_t digest[FEDN__DIGEST_BYTES];
    fedn_error err;

    assert_ok(depot_upload(depot, ID, data, bytes, &err), &err);
    fedn__digest_of(data, 10, digest);
    test_request request = {.depot = depot, .id = ID, .offset = 10, .digest = digest};
    assert_answer(&request, "rpc3");
    request.digest_bytes = 15;
    assert_answer(&request, "rpc3");
    request.digest_bytes = sizeof digest;
    assert_answer(&request, "1:1048573 at10 0:0 rpc0");
    request.offset = 11;
    assert_answer(&request, "1:1048576 1:7 0:0 rpc0");
    request.offset = UINT64_MAX;
    assert_answer(&request, "1:1048576 1:7 0:0 rpc0");
    request.offset = bytes;
    fedn__digest_of(data, bytes, digest);
    assert_answer(&request, "0:0 at1048583 rpc0");
    free(data);
}

static void a_complete_model_comes_in_chunks_and_ends_with_ok(void **state)
{
    test_depot *depot = *state;
    uint64_t bytes = 2 * FEDN__LIMIT_CHUNK_BYTES + 7;
    uint8_t *data = depot_pattern(bytes);
    fedn_error err;

    assert_ok(depot_upload(depot, ID, data, bytes, &err), &err);
    assert_messages(depot, ID, "1:1048576 1:1048576 1:7 0:0 rpc0");
    assert_messages(depot, "0B5C2F0E-9D3A-4C8F-8E7A-1F2E3D4C5B6A",
                    "1:1048576 1:1048576 1:7 0:0 rpc0");
    free(data);
}

static void an_empty_model_is_ok_alone(void **state)
{
    test_depot *depot = *state;
    fedn_error err;

    assert_ok(depot_upload(depot, ID, "", 0, &err), &err);
    assert_messages(depot, ID, "0:0 rpc0");
}

static void an_unknown_model_is_unknown_and_then_failed(void **state)
{
    assert_messages(*state, ID, "4:0 3:0 rpc0");
    assert_messages(*state, "../../etc/passwd", "4:0 3:0 rpc0");
    assert_messages(*state, "", "4:0 3:0 rpc0");
}

static void a_model_still_coming_is_in_progress_and_then_failed(void **state)
{
    depot_find(*state, FEDN_ERR_STATE);
    assert_messages(*state, ID, "1:0 3:0 rpc0");
}

static void a_refusal_is_a_status_of_the_call(void **state)
{
    depot_find(*state, FEDN_ERR_DENIED);
    assert_messages(*state, ID, "rpc7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, depot_setup, depot_teardown)
        TEST(a_complete_model_comes_in_chunks_and_ends_with_ok),
        TEST(a_download_begins_at_an_offset_only_with_the_digest_of_what_comes_before),
        TEST(an_empty_model_is_ok_alone),
        TEST(an_unknown_model_is_unknown_and_then_failed),
        TEST(a_model_still_coming_is_in_progress_and_then_failed),
        TEST(a_refusal_is_a_status_of_the_call),
    };

    return cmocka_run_group_tests_name("rpc download", tests, test_count_setup,
                                       test_count_teardown);
}
