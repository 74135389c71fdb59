/* SPDX-License-Identifier: Apache-2.0
 * Streams in both directions: order, flow control, slow readers, ends and breaks. */
#include "rig.h"

#include "core/limits.h"
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <stdlib.h>

static test_rig *rigged;
static fedn__call *kept; /* serving loop only */
static int32_t sent_count;

static void note_closed(fedn__call *call, int32_t cancelled, void *user_data)
{
    (void)user_data;
    if (call == kept)
        kept = NULL;
    rig_note(&rigged->notes, "served-%d", (int)cancelled);
}

static fedn_status send_text(fedn__call *call, const char *text)
{
    Fedn__Response message = FEDN__RESPONSE__INIT;

    message.response = (char *)(uintptr_t)text;
    return fedn__call_send(call, &message.base);
}

static const fedn__call_events closing = {.closed = note_closed};

static void open_kept(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    (void)service;
    (void)request;
    kept = call;
    fedn__call_set_events(call, &closing, NULL);
    rig_note(&rigged->notes, "kept");
}

/* Three messages and an end. */
static void open_three(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    (void)service;
    (void)request;
    fedn__call_set_events(call, &closing, NULL);
    for (int i = 0; i < 3; i++) {
        char text[8];
        snprintf(text, sizeof text, "m%d", i);
        (void)send_text(call, text);
    }
    fedn__call_finish(call, FEDN__RPC_OUT_OF_RANGE, "that was all");
    if (send_text(call, "too late") == FEDN_ERR_STATE)
        rig_note(&rigged->notes, "too-late");
}

static void on_beat(fedn__call *call, const ProtobufCMessage *message, void *user_data)
{
    Fedn__Response answer = FEDN__RESPONSE__INIT;

    (void)user_data;
    if (!message) {
        rig_note(&rigged->notes, "in-end");
        answer.response = (char *)(uintptr_t) "got all";
        fedn__call_reply(call, &answer.base);
        return;
    }
    rig_note(&rigged->notes, "in-%s", ((const Fedn__Heartbeat *)message)->sender->name);
    fedn__call_read(call);
}

static void open_in(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    static const fedn__call_events events = {.message = on_beat, .closed = note_closed};

    (void)service;
    assert_null(request);
    fedn__call_set_events(call, &events, NULL);
    fedn__call_read(call);
}

/* Sends every message back. */
static void on_both(fedn__call *call, const ProtobufCMessage *message, void *user_data)
{
    (void)user_data;
    if (!message) {
        fedn__call_finish(call, FEDN__RPC_OK, NULL);
        return;
    }
    (void)send_text(call, ((const Fedn__Heartbeat *)message)->sender->name);
    fedn__call_read(call);
}

static void open_both(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    static const fedn__call_events events = {.message = on_both, .closed = note_closed};

    (void)service;
    (void)request;
    fedn__call_set_events(call, &events, NULL);
    fedn__call_read(call);
}

#define BEAT &fedn__heartbeat__descriptor

static const fedn__method methods[] = {
    {.path = "/t.T/Kept", .kind = FEDN__STREAM_OUT, .request = BEAT, .open = open_kept},
    {.path = "/t.T/Three", .kind = FEDN__STREAM_OUT, .request = BEAT, .open = open_three},
    {.path = "/t.T/In", .kind = FEDN__STREAM_IN, .request = BEAT, .open = open_in},
    {.path = "/t.T/Both", .kind = FEDN__STREAM_BOTH, .request = BEAT, .open = open_both},
    {.path = "/t.T/KeptIn", .kind = FEDN__STREAM_IN, .request = BEAT, .open = open_kept},
};

static int setup(void **state)
{
    rigged = calloc(1, sizeof *rigged);
    rig_start(rigged, methods, sizeof methods / sizeof methods[0]);
    *state = rigged;
    return 0;
}

static int teardown(void **state)
{
    rig_stop(*state);
    free(*state);
    return 0;
}

/* The dialling side of a test: what it hears is noted. */
typedef struct test_ear {
    const char *path;
    fedn__stream *stream;
    int32_t with_request;
    int32_t pause;
} test_ear;

static void heard(fedn__stream *stream, const ProtobufCMessage *message, void *user_data)
{
    test_ear *ear = user_data;

    if (ear->pause)
        fedn__stream_pause(stream);
    rig_note(&rigged->notes, "got-%.20s", ((const Fedn__Response *)message)->response);
    rig_note(&rigged->notes, "got");
}

static void heard_open(fedn__stream *stream, void *user_data)
{
    (void)stream;
    (void)user_data;
    rig_note(&rigged->notes, "opened");
}

static void heard_close(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    test_ear *ear = user_data;

    (void)stream;
    ear->stream = NULL;
    if (strstr(details, "that was all"))
        rig_note(&rigged->notes, "all");
    if (strstr(details, "slowly"))
        rig_note(&rigged->notes, "slow");
    rig_note(&rigged->notes, "closed-%d", (int)rpc);
}

static void open_ear(void *arg)
{
    static const fedn__stream_events events = {
        .opened = heard_open, .message = heard, .closed = heard_close};
    test_ear *ear = arg;
    Fedn__Heartbeat beat = FEDN__HEARTBEAT__INIT;
    fedn_error err;

    if (fedn__channel_stream(rigged->channel, ear->path, ear->with_request ? &beat.base : NULL,
                             &fedn__response__descriptor, &events, ear, &ear->stream, &err) < 0)
        rig_note(&rigged->notes, "no-stream");
}

static void say(fedn__stream *stream, const char *name)
{
    Fedn__Heartbeat beat = FEDN__HEARTBEAT__INIT;
    Fedn__Client sender = FEDN__CLIENT__INIT;

    sender.name = (char *)(uintptr_t)name;
    beat.sender = &sender;
    (void)fedn__stream_send(stream, &beat.base);
}

static void say_three(void *arg)
{
    test_ear *ear = arg;

    say(ear->stream, "a");
    say(ear->stream, "b");
    say(ear->stream, "c");
    fedn__stream_end_sending(ear->stream);
}

static void cancel_ear(void *arg)
{
    test_ear *ear = arg;

    if (ear->stream)
        fedn__stream_cancel(ear->stream);
}

static void resume_ear(void *arg)
{
    test_ear *ear = arg;

    ear->pause = 0;
    if (ear->stream)
        fedn__stream_resume(ear->stream);
}

static void messages_come_in_order_and_then_the_status(void **state)
{
    test_rig *rig = *state;
    test_ear ear = {.path = "/t.T/Three", .with_request = 1};

    rig_dialling(rig, open_ear, &ear);
    rig_wait(&rig->notes, "closed-11");
    rig_wait(&rig->notes, "served-0");
    char *zero = strstr(rig->notes.text, "got-m0 ");
    char *one = strstr(rig->notes.text, "got-m1 ");
    char *two = strstr(rig->notes.text, "got-m2 ");
    assert_true(zero && one && two && zero < one && one < two);
    assert_int_equal(rig_count(&rig->notes, "all"), 1);
    assert_int_equal(rig_count(&rig->notes, "too-late"), 1);
    assert_int_equal(rig_count(&rig->notes, "opened"), 1);
}

static void a_stream_in_is_answered_after_its_end(void **state)
{
    test_rig *rig = *state;
    test_ear ear = {.path = "/t.T/In"};

    rig_dialling(rig, open_ear, &ear);
    rig_dialling(rig, say_three, &ear);
    rig_wait(&rig->notes, "closed-0");
    rig_wait(&rig->notes, "served-0");
    rig_wait(&rig->notes, "in-end");
    char *c = strstr(rig->notes.text, "in-c ");
    assert_true(c && c < strstr(rig->notes.text, "in-end "));
    assert_int_equal(rig_count(&rig->notes, "got"), 1);
}

static void both_sides_may_talk_at_once(void **state)
{
    test_rig *rig = *state;
    test_ear ear = {.path = "/t.T/Both"};

    rig_dialling(rig, open_ear, &ear);
    rig_wait(&rig->notes, "opened");
    rig_dialling(rig, say_three, &ear);
    rig_wait(&rig->notes, "closed-0");
    rig_wait(&rig->notes, "got-c");
    assert_int_equal(rig_count(&rig->notes, "got"), 3);
}

static void an_idle_stream_is_known_to_be_open(void **state)
{
    test_rig *rig = *state;
    test_ear ear = {.path = "/t.T/Kept", .with_request = 1};

    rig_dialling(rig, open_ear, &ear);
    rig_wait(&rig->notes, "opened");
    rig_dialling(rig, cancel_ear, &ear);
    rig_wait(&rig->notes, "closed-1");
    rig_wait(&rig->notes, "served-1");
}

static void flood(void *arg)
{
    static char text[64 * 1024];

    (void)arg;
    memset(text, 'a', sizeof text - 1);
    fedn_status rc = FEDN_OK;
    for (sent_count = 0; rc == FEDN_OK && sent_count < 100000; sent_count++)
        rc = send_text(kept, text);
    rig_note(&rigged->notes, "flood%d", (int)rc);
    rig_note(&rigged->notes, "then%d", (int)send_text(kept, text));
}

static void a_reader_that_does_not_read_is_cut_off(void **state)
{
    test_rig *rig = *state;
    test_ear ear = {.path = "/t.T/Kept", .with_request = 1, .pause = 1};

    rig_dialling(rig, open_ear, &ear);
    rig_wait(&rig->notes, "kept");
    rig_serving(rig, flood, NULL);
    rig_wait(&rig->notes, "flood-9");
    rig_wait(&rig->notes, "then-3");
    rig_wait(&rig->notes, "served-0"); /* it was not the peer that went */
    rig_dialling(rig, resume_ear, &ear);
    rig_wait(&rig->notes, "closed-8");
    rig_wait(&rig->notes, "slow");
    assert_in_range(sent_count, FEDN__LIMIT_STREAM_QUEUE, 1000);
}

static void flood_in(void *arg)
{
    test_ear *ear = arg;
    static char name[64 * 1024];
    Fedn__Heartbeat beat = FEDN__HEARTBEAT__INIT;
    Fedn__Client sender = FEDN__CLIENT__INIT;
    fedn_status rc = FEDN_OK;

    memset(name, 'n', sizeof name - 1);
    sender.name = name;
    beat.sender = &sender;
    for (sent_count = 0; rc == FEDN_OK && sent_count < 100000; sent_count++)
        rc = fedn__stream_send(ear->stream, &beat.base);
    rig_note(&rigged->notes, "flood%d", (int)rc);
}

static void a_sender_that_is_not_read_is_cut_off(void **state)
{
    test_rig *rig = *state;
    test_ear ear = {.path = "/t.T/KeptIn"};

    rig_dialling(rig, open_ear, &ear);
    rig_wait(&rig->notes, "kept");
    rig_dialling(rig, flood_in, &ear);
    rig_wait(&rig->notes, "flood-9");
    rig_wait(&rig->notes, "closed-8");
    rig_wait(&rig->notes, "slow");
    rig_wait(&rig->notes, "served-1");
    assert_in_range(sent_count, FEDN__LIMIT_STREAM_QUEUE, 1000);
}

static void a_paused_stream_waits_and_goes_on(void **state)
{
    test_rig *rig = *state;
    test_ear ear = {.path = "/t.T/Three", .with_request = 1, .pause = 1};

    rig_dialling(rig, open_ear, &ear);
    rig_wait(&rig->notes, "got-m0");
    assert_int_equal(rig_count(&rig->notes, "got-m1"), 0);
    rig_dialling(rig, resume_ear, &ear);
    rig_wait(&rig->notes, "closed-11");
    assert_int_equal(rig_count(&rig->notes, "got"), 3);
}

static void a_channel_may_be_freed_with_a_paused_stream(void **state)
{
    test_rig *rig = *state;
    test_ear ear = {.path = "/t.T/Three", .with_request = 1, .pause = 1};

    rig_dialling(rig, open_ear, &ear);
    rig_wait(&rig->notes, "got-m0");
    rig_hang_up(rig);
    rig_wait(&rig->notes, "closed-1");
}

static void a_server_that_stops_closes_its_streams(void **state)
{
    test_rig *rig = *state;
    test_ear ears[5];

    for (int i = 0; i < 5; i++) {
        ears[i] = (test_ear){.path = i % 2 ? "/t.T/Both" : "/t.T/Kept", .with_request = !(i % 2)};
        rig_dialling(rig, open_ear, &ears[i]);
    }
    rig_wait_count(&rig->notes, "opened", 5);
    fedn__server_free(rig->server, 0);
    rig->server = NULL;
    assert_int_equal(rig_count(&rig->notes, "served-1"), 5);
    rig_wait_count(&rig->notes, "closed-14", 5);
}

static void finish_kept(void *arg)
{
    (void)arg;
    fedn__call_finish(kept, FEDN__RPC_UNAVAILABLE, "going");
}

static void a_grace_period_lets_streams_end_by_themselves(void **state)
{
    test_rig *rig = *state;
    test_ear ear = {.path = "/t.T/Kept", .with_request = 1};

    rig_dialling(rig, open_ear, &ear);
    rig_wait(&rig->notes, "kept");
    rig_serving(rig, finish_kept, NULL);
    fedn__server_free(rig->server, 20000);
    rig->server = NULL;
    assert_int_equal(rig_count(&rig->notes, "served-0"), 1);
    rig_wait(&rig->notes, "closed-14");
}

static void no_server_is_unavailable_soon(void **state)
{
    test_rig *rig = *state;
    test_ear ear = {.path = "/t.T/Kept", .with_request = 1};

    fedn__server_free(rig->server, 0);
    rig->server = NULL;
    rig_dialling(rig, open_ear, &ear);
    rig_wait(&rig->notes, "closed-14");
    assert_int_equal(rig_count(&rig->notes, "opened"), 0);
}

/* A bare client of gRPC, to do what ours never does. */
static grpc_status_code compressed_call(const char *target, const char *path, size_t bytes)
{
    grpc_arg gzip = {GRPC_ARG_INTEGER,
                     (char *)(uintptr_t)GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM,
                     {.integer = GRPC_COMPRESS_GZIP}};
    grpc_channel_args args = {1, &gzip};
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    grpc_channel_credentials *identity = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, identity, &args);
    gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(10, GPR_TIMESPAN));
    grpc_call *call =
        grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
                                 grpc_slice_from_copied_string(path), NULL, deadline, NULL);
    grpc_slice slice = grpc_slice_malloc(bytes);
    memset(GRPC_SLICE_START_PTR(slice), 0, bytes);
    grpc_byte_buffer *request = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_byte_buffer *answer = NULL;
    grpc_metadata_array initial, trailing;
    grpc_status_code status = GRPC_STATUS_OK;
    grpc_slice details = grpc_empty_slice();
    grpc_op ops[6];

    grpc_metadata_array_init(&initial);
    grpc_metadata_array_init(&trailing);
    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &initial;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &answer;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.trailing_metadata = &trailing;
    ops[5].data.recv_status_on_client.status = &status;
    ops[5].data.recv_status_on_client.status_details = &details;
    grpc_call_start_batch(call, ops, 6, call, NULL);
    grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    if (answer)
        grpc_byte_buffer_destroy(answer);
    grpc_byte_buffer_destroy(request);
    grpc_slice_unref(slice);
    grpc_slice_unref(details);
    grpc_metadata_array_destroy(&initial);
    grpc_metadata_array_destroy(&trailing);
    grpc_call_unref(call);
    grpc_channel_destroy(channel);
    grpc_channel_credentials_release(identity);
    grpc_completion_queue_shutdown(queue);
    while (grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
           GRPC_QUEUE_SHUTDOWN)
        ;
    grpc_completion_queue_destroy(queue);
    return status;
}

static void a_compressed_message_is_refused(void **state)
{
    test_rig *rig = *state;

    grpc_init();
    assert_int_equal(compressed_call(rig->target, "/t.T/Kept", 100000), FEDN__RPC_UNIMPLEMENTED);
    assert_int_equal(compressed_call(rig->target, "/t.T/Nobody", 100000), FEDN__RPC_UNIMPLEMENTED);
    grpc_shutdown();
    assert_int_equal(rig_count(&rig->notes, "kept"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(messages_come_in_order_and_then_the_status),
        TEST(a_stream_in_is_answered_after_its_end),
        TEST(both_sides_may_talk_at_once),
        TEST(an_idle_stream_is_known_to_be_open),
        TEST(a_reader_that_does_not_read_is_cut_off),
        TEST(a_sender_that_is_not_read_is_cut_off),
        TEST(a_paused_stream_waits_and_goes_on),
        TEST(a_channel_may_be_freed_with_a_paused_stream),
        TEST(a_server_that_stops_closes_its_streams),
        TEST(a_grace_period_lets_streams_end_by_themselves),
        TEST(no_server_is_unavailable_soon),
        TEST(a_compressed_message_is_refused),
    };

    return cmocka_run_group_tests_name("rpc stream", tests, test_count_setup, test_count_teardown);
}
