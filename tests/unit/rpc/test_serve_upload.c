/* SPDX-License-Identifier: Apache-2.0
 * Uploads that a peer does wrong, breaks off, or begins twice. */
#include "depot.h"

#include "core/limits.h"
#include "rpc/chunk.h"
#include <stdlib.h>

/* A hand-made upload: the test says which messages go out. */
typedef struct test_sender {
    test_depot *depot;
    fedn__stream *stream;
    const char *id;
    int32_t status;
    uint64_t bytes;
    int32_t resumable;
    uint64_t offset;
    const uint8_t *digest;
    fedn__blob *blob;
} test_sender;

static void sender_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    test_sender *sender = user_data;

    (void)stream;
    (void)details;
    sender->stream = NULL;
    rig_note(&sender->depot->rig.notes, "rpc%d", (int)rpc);
}

static void open_sender(void *arg)
{
    static const fedn__stream_events events = {.closed = sender_closed};
    test_sender *sender = arg;

    (void)fedn__channel_stream(sender->depot->rig.channel, "/fedn.ModelService/Upload", NULL,
                               &fedn__model_response__descriptor, &events, sender, &sender->stream,
                               NULL);
}

static void send_one(void *arg)
{
    test_sender *sender = arg;
    uint8_t head[FEDN__CHUNK_HEAD_BYTES];
    const fedn__chunk_words words = {.id = sender->id,
                                     .status = sender->status,
                                     .resumable = sender->resumable,
                                     .offset = sender->offset,
                                     .digest = sender->digest};
    uint64_t head_bytes = fedn__chunk_head(FEDN__CHUNK_REQUEST, &words, sender->bytes, head);

    if (sender->stream)
        (void)fedn__stream_send_blob(sender->stream, head, head_bytes, sender->blob, 0,
                                     sender->bytes, NULL, NULL);
}

static void end_sender(void *arg)
{
    test_sender *sender = arg;

    if (sender->stream)
        fedn__stream_end_sending(sender->stream);
}

static void cancel_sender(void *arg)
{
    test_sender *sender = arg;

    if (sender->stream)
        fedn__stream_cancel(sender->stream);
}

static void sender_start(test_sender *sender, test_depot *depot)
{
    uint8_t *data = depot_pattern(FEDN__MIB);
    fedn_error err;

    memset(sender, 0, sizeof *sender);
    sender->depot = depot;
    assert_ok(fedn__blob_copy(data, FEDN__MIB, &sender->blob, &err), &err);
    free(data);
    rig_dialling(&depot->rig, open_sender, sender);
}

static void sender_send(test_sender *sender, const char *id, int32_t status, uint64_t bytes)
{
    sender->id = id;
    sender->status = status;
    sender->bytes = bytes;
    rig_dialling(&sender->depot->rig, send_one, sender);
}

static void sender_done(test_sender *sender)
{
    rig_dialling(&sender->depot->rig, cancel_sender, sender);
    fedn__blob_unref(sender->blob);
}

static void an_upload_that_turns_to_another_model_is_refused(void **state)
{
    test_depot *depot = *state;
    test_sender sender;

    sender_start(&sender, depot);
    sender_send(&sender, ID, 1, FEDN__MIB);
    sender_send(&sender, OTHER_ID, 1, FEDN__MIB);
    rig_wait(&depot->rig.notes, "rpc3");
    rig_wait(&depot->rig.notes, "stored-15");
    assert_int_equal(depot_files(depot->dir, ID), 0);
    sender_done(&sender);
}

static void an_upload_without_its_last_message_is_refused(void **state)
{
    test_depot *depot = *state;
    test_sender sender;

    sender_start(&sender, depot);
    sender_send(&sender, ID, 1, FEDN__MIB);
    rig_dialling(&depot->rig, end_sender, &sender);
    rig_wait(&depot->rig.notes, "rpc3");
    rig_wait(&depot->rig.notes, "stored-15");
    assert_int_equal(depot_files(depot->dir, ID), 0);
    sender_done(&sender);
    sender_start(&sender, depot);
    rig_dialling(&depot->rig, end_sender, &sender); /* nothing at all */
    rig_wait_count(&depot->rig.notes, "rpc3", 2);
    sender_done(&sender);
}

static void a_message_of_a_wrong_status_is_refused(void **state)
{
    test_depot *depot = *state;
    test_sender sender;

    sender_start(&sender, depot);
    sender_send(&sender, ID, 3, 10);
    rig_wait(&depot->rig.notes, "rpc3");
    assert_int_equal(rig_count(&depot->rig.notes, "accept"), 0);
    sender_done(&sender);
}

static void an_upload_that_breaks_off_leaves_nothing_and_may_be_repeated(void **state)
{
    test_depot *depot = *state;
    uint8_t *data = depot_pattern(2 * FEDN__MIB);
    test_sender sender;
    fedn_error err;

    sender_start(&sender, depot);
    for (int i = 0; i < 3; i++)
        sender_send(&sender, ID, 1, FEDN__MIB);
    rig_wait(&depot->rig.notes, "accept");
    sender_done(&sender);
    rig_wait(&depot->rig.notes, "rpc1");
    rig_wait(&depot->rig.notes, "stored-11");
    assert_int_equal(depot_files(depot->dir, ID), 0);
    assert_ok(depot_upload(depot, ID, data, 2 * FEDN__MIB, &err), &err);
    depot_assert_file(depot->dir, ID, data, 2 * FEDN__MIB);
    free(data);
}

static void a_second_upload_takes_the_place_of_one_that_hangs(void **state)
{
    test_depot *depot = *state;
    uint8_t *data = depot_pattern(3 * FEDN__MIB);
    test_sender sender;
    fedn_error err;

    sender_start(&sender, depot);
    sender_send(&sender, ID, 1, FEDN__MIB);
    rig_wait(&depot->rig.notes, "accept");
    assert_ok(depot_upload(depot, ID, data, 3 * FEDN__MIB, &err), &err);
    rig_wait(&depot->rig.notes, "rpc10");
    depot_assert_file(depot->dir, ID, data, 3 * FEDN__MIB);
    assert_int_equal(depot_files(depot->dir, ID), 1);
    assert_int_equal(rig_count(&depot->rig.notes, "stored0"), 1);
    assert_int_equal(rig_count(&depot->rig.notes, "stored-11"), 0);
    sender_done(&sender);
    free(data);
}

static void a_server_that_stops_ends_transfers_cleanly(void **state)
{
    test_depot *depot = *state;
    test_sender sender;

    sender_start(&sender, depot);
    sender_send(&sender, ID, 1, FEDN__MIB);
    rig_wait(&depot->rig.notes, "accept");
    fedn__server_free(depot->rig.server, 0);
    depot->rig.server = NULL;
    assert_int_equal(rig_count(&depot->rig.notes, "stored-11"), 1);
    assert_int_equal(depot_files(depot->dir, ID), 0);
    rig_wait(&depot->rig.notes, "rpc14");
    sender_done(&sender);
}

static void keep_parts(void *arg)
{
    test_depot *depot = arg;

    depot->host.parts = depot->parts;
    depot->host.owner_key = "user-agent"; /* gRPC's own: the channel of the rig has no other */
}

/* The first message, or a second after a first without an offset. */
static void an_offset_that_makes_no_sense_is_refused(void **state)
{
    static const struct {
        int32_t second, keeps, resumable;
        uint64_t offset;
        const char *word;
    } cases[] = {
        {0, 0, 1, 1, "rpc14"},         {0, 1, 0, 1, "rpc14"}, {0, 1, 1, 64 * FEDN__MIB + 1, "rpc8"},
        {0, 1, 1, UINT64_MAX, "rpc8"}, {0, 1, 1, 1, "rpc14"}, {1, 1, 1, FEDN__MIB, "rpc3"},
    };
    test_depot *depot = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_sender sender;
        if (cases[i].keeps)
            rig_serving(&depot->rig, keep_parts, depot);
        sender_start(&sender, depot);
        if (cases[i].second)
            sender_send(&sender, ID, 1, FEDN__MIB);
        sender.resumable = cases[i].resumable;
        sender.offset = cases[i].offset;
        sender_send(&sender, ID, 1, FEDN__MIB);
        rig_wait(&depot->rig.notes, cases[i].word);
        assert_int_equal(depot_files(depot->dir, ID), 0);
        sender_done(&sender);
        memset(depot->rig.notes.text, 0, sizeof depot->rig.notes.text);
    }
}

static void a_model_that_is_not_what_was_sent_is_not_stored(void **state)
{
    static const uint8_t wrong[FEDN__DIGEST_BYTES] = {1};
    test_depot *depot = *state;

    for (int32_t small = 0; small < 2; small++) {
        test_sender sender;
        fedn__blob *kept = NULL;
        depot_keep(depot, small ? FEDN__MIB : 0, &kept);
        sender_start(&sender, depot);
        sender_send(&sender, ID, 1, 1000);
        sender.digest = wrong;
        sender_send(&sender, ID, 0, 0);
        rig_wait_count(&depot->rig.notes, "stored-8", small + 1);
        rig_wait_count(&depot->rig.notes, "rpc3", small + 1);
        assert_int_equal(depot_files(depot->dir, ID), 0);
        assert_null(kept);
        sender_done(&sender);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, depot_setup, depot_teardown)
        TEST(an_upload_that_turns_to_another_model_is_refused),
        TEST(an_upload_without_its_last_message_is_refused),
        TEST(a_message_of_a_wrong_status_is_refused),
        TEST(an_upload_that_breaks_off_leaves_nothing_and_may_be_repeated),
        TEST(a_second_upload_takes_the_place_of_one_that_hangs),
        TEST(an_offset_that_makes_no_sense_is_refused),
        TEST(a_model_that_is_not_what_was_sent_is_not_stored),
        TEST(a_server_that_stops_ends_transfers_cleanly),
    };

    return cmocka_run_group_tests_name("rpc upload", tests, test_count_setup, test_count_teardown);
}
