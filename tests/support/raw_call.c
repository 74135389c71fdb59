/* SPDX-License-Identifier: Apache-2.0
 * Single RPCs, waited for; see raw_call.h. */
#include "raw_call.h"

#include "core/clock.h"
#include "core/limits.h"
#include "core/thread.h"
#include "test.h"
#include <stdlib.h>

#define BOUND_MS 10000

typedef struct waiting {
    raw_caller *caller;
    fedn__flag flag;
    const char *text;
    const ProtobufCMessage *request;
    const ProtobufCMessageDescriptor *response;
    raw_answer *answer;
    fedn__blob *blob;
    fedn_status status;
    fedn_error err;
} waiting;

raw_caller *raw_dial(int32_t port, const char *client_id)
{
    raw_caller *caller = calloc(1, sizeof *caller);
    const char *const metadata[] = {"client", client_id, NULL};
    char target[64];
    fedn_error err;

    snprintf(target, sizeof target, "127.0.0.1:%d", (int)port);
    fedn__channel_options options = {.target = target, .metadata = *client_id ? metadata : NULL};
    assert_ok(fedn__loop_new("raw", NULL, &caller->loop, &err), &err);
    assert_ok(fedn__pool_new(1, "raw", &caller->pool, &err), &err);
    assert_ok(fedn__channel_new(caller->loop, &options, &caller->channel, &err), &err);
    return caller;
}

static void free_channel(void *arg)
{
    fedn__channel_free(((raw_caller *)arg)->channel);
}

void raw_hang_up(raw_caller *caller)
{
    fedn__loop_call(caller->loop, free_channel, caller);
    fedn__pool_free(caller->pool);
    fedn__loop_free(caller->loop);
    free(caller);
}

static void wait_for(waiting *w, void (*begin)(void *arg))
{
    fedn__flag_init(&w->flag);
    fedn__loop_call(w->caller->loop, begin, w);
    if (!fedn__flag_wait(&w->flag, fedn__clock_ns() + (int64_t)BOUND_MS * 1000000))
        fail_msg("%s: no answer within %d ms", w->text, BOUND_MS);
    fedn__flag_done(&w->flag);
}

static ProtobufCMessage *copy_of(const ProtobufCMessage *message)
{
    size_t bytes = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(bytes + 1);

    protobuf_c_message_pack(message, packed);
    ProtobufCMessage *copy = protobuf_c_message_unpack(message->descriptor, NULL, bytes, packed);
    free(packed);
    return copy;
}

static void on_answer(int32_t rpc, const char *details, const ProtobufCMessage *response,
                      void *user_data)
{
    waiting *w = user_data;

    w->answer->rpc = rpc;
    snprintf(w->answer->details, sizeof w->answer->details, "%s", details ? details : "");
    if (response)
        w->answer->message = copy_of(response);
    fedn__flag_set(&w->flag);
}

static void begin_unary(void *arg)
{
    waiting *w = arg;
    fedn__unary_options options = {.timeout_ms = BOUND_MS};

    if (fedn__channel_unary(w->caller->channel, w->text, w->request, w->response, &options,
                            on_answer, w) != FEDN_OK)
        on_answer(FEDN__RPC_INTERNAL, "the call was not made", NULL, w);
}

void raw_unary(raw_caller *caller, const char *path, const ProtobufCMessage *request,
               const ProtobufCMessageDescriptor *response, raw_answer *ret)
{
    waiting w = {
        .caller = caller, .text = path, .request = request, .response = response, .answer = ret};

    memset(ret, 0, sizeof *ret);
    wait_for(&w, begin_unary);
}

void raw_answer_done(raw_answer *answer)
{
    if (answer->message)
        protobuf_c_message_free_unpacked(answer->message, NULL);
    answer->message = NULL;
}

static void on_moved(fedn_status status, const fedn_error *err, fedn__blob *blob, void *user_data)
{
    waiting *w = user_data;

    (void)blob;
    w->status = status;
    if (err)
        w->err = *err;
    fedn__flag_set(&w->flag);
}

static void begin_upload(void *arg)
{
    waiting *w = arg;
    fedn__transfer *transfer = NULL;

    const fedn__sending what = {.id = w->text, .blob = w->blob};

    w->status = fedn__transfer_upload(w->caller->channel, w->caller->pool, &what, on_moved, w,
                                      &transfer, &w->err);
    if (w->status != FEDN_OK)
        fedn__flag_set(&w->flag);
}

fedn_status raw_upload(raw_caller *caller, const char *id, const void *data, uint64_t bytes,
                       fedn_error *err)
{
    waiting w = {.caller = caller, .text = id};

    assert_ok(fedn__blob_copy(data, bytes, &w.blob, err), err);
    wait_for(&w, begin_upload);
    fedn__blob_unref(w.blob);
    *err = w.err;
    return w.status;
}

typedef struct fetching {
    waiting w; /* first: on_moved() is given this */
    const char *path;
} fetching;

static void begin_download(void *arg)
{
    fetching *f = arg;
    fedn__transfer *transfer = NULL;
    const fedn__download what = {.id = f->w.text, .path = f->path, .max_bytes = FEDN__GIB};

    f->w.status = fedn__transfer_download(f->w.caller->channel, f->w.caller->pool, &what, on_moved,
                                          &f->w, &transfer, &f->w.err);
    if (f->w.status != FEDN_OK)
        fedn__flag_set(&f->w.flag);
}

fedn_status raw_download(raw_caller *caller, const char *id, const char *path, fedn_error *err)
{
    fetching f = {.w = {.caller = caller, .text = id}, .path = path};

    wait_for(&f.w, begin_download);
    *err = f.w.err;
    return f.w.status;
}

enum { STREAM_TASKS = 8 };

struct raw_stream {
    raw_caller *caller;
    const char *data;
    fedn__stream *stream;
    fedn__flag closed;
    int32_t rpc; /* when it is */
    fedn__flag came[STREAM_TASKS];
    ProtobufCMessage *tasks[STREAM_TASKS];
    uint32_t count;
};

static void on_task(fedn__stream *stream, const ProtobufCMessage *message, void *user_data)
{
    raw_stream *s = user_data;

    (void)stream;
    assert_true(s->count < STREAM_TASKS);
    s->tasks[s->count] = copy_of(message);
    fedn__flag_set(&s->came[s->count++]);
}

static void on_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    raw_stream *s = user_data;

    (void)stream;
    (void)details;
    s->rpc = rpc;
    s->stream = NULL;
    fedn__flag_set(&s->closed);
}

static void begin_stream(void *arg)
{
    static const fedn__stream_events events = {.message = on_task, .closed = on_closed};
    raw_stream *s = arg;
    Fedn__ClientAvailableMessage message = FEDN__CLIENT_AVAILABLE_MESSAGE__INIT;
    Fedn__Client sender = FEDN__CLIENT__INIT;
    fedn_error err;

    message.sender = &sender;
    message.data = (char *)(uintptr_t)s->data;
    assert_ok(fedn__channel_stream(s->caller->channel, "/fedn.Combiner/TaskStream", &message.base,
                                   &fedn__task_request__descriptor, &events, s, &s->stream, &err),
              &err);
}

raw_stream *raw_open(raw_caller *caller, const char *data)
{
    raw_stream *s = calloc(1, sizeof *s);

    s->caller = caller;
    s->data = data;
    fedn__flag_init(&s->closed);
    for (uint32_t i = 0; i < STREAM_TASKS; i++)
        fedn__flag_init(&s->came[i]);
    fedn__loop_call(caller->loop, begin_stream, s);
    return s;
}

const Fedn__TaskRequest *raw_task(raw_stream *stream, uint32_t nth)
{
    if (!fedn__flag_wait(&stream->came[nth], fedn__clock_ns() + (int64_t)BOUND_MS * 1000000))
        fail_msg("task %u did not come within %d ms", (unsigned)nth, BOUND_MS);
    return (const Fedn__TaskRequest *)stream->tasks[nth];
}

static void end_stream(void *arg)
{
    raw_stream *s = arg;

    if (s->stream)
        fedn__stream_cancel(s->stream);
}

void raw_await_end(raw_stream *stream, int32_t rpc)
{
    if (!fedn__flag_wait(&stream->closed, fedn__clock_ns() + (int64_t)BOUND_MS * 1000000))
        fail_msg("the stream has not ended within %d ms", BOUND_MS);
    assert_int_equal(stream->rpc, rpc);
}

void raw_close(raw_stream *stream)
{
    fedn__loop_call(stream->caller->loop, end_stream, stream);
    fedn__flag_wait(&stream->closed, INT64_MAX);
    for (uint32_t i = 0; i < STREAM_TASKS; i++) {
        if (stream->tasks[i])
            protobuf_c_message_free_unpacked(stream->tasks[i], NULL);
        fedn__flag_done(&stream->came[i]);
    }
    fedn__flag_done(&stream->closed);
    free(stream);
}
