/* SPDX-License-Identifier: Apache-2.0
 * A scripted combiner; see fake_attach.h. */
#include "fake_attach.h"

#include "core/clock.h"
#include "core/limits.h"
#include "core/thread.h"
#include "core/uuid.h"
#include "rpc/channel.h"
#include "rpc/transfer.h"
#include "test.h"
#include <fedn/aggregator.h>
#include <fedn/model.h>
#include <stdlib.h>

enum { MOST_MESSAGES = 4096 };

#define BOUND_NS (20 * INT64_C(1000000000))

struct fake_attach {
    char name[64];
    char link_id[64];
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__channel *channel;
    uint64_t sent;

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t cond;
    fedn__stream *stream; /* the loop's; NULL: ended */
    int32_t ended;
    int32_t rpc;
    uint64_t seen;
    uint64_t acked;
    Fedn__Tier__V1__Down *messages[MOST_MESSAGES];
    uint32_t count;
};

fake_attach *fake_attach_new(int32_t reducer_port, const char *name)
{
    fake_attach *fake = calloc(1, sizeof *fake);
    const char *const metadata[] = {"combiner", name, NULL};
    char target[64];
    fedn_error err;

    snprintf(fake->name, sizeof fake->name, "%s", name);
    fedn__uuid_new_text(fake->link_id);
    snprintf(target, sizeof target, "127.0.0.1:%d", (int)reducer_port);
    fedn__channel_options options = {.target = target, .metadata = metadata};
    pthread_mutex_init(&fake->mutex, NULL);
    fedn__cond_init(&fake->cond);
    fake->ended = 1;
    assert_ok(fedn__loop_new("fake", NULL, &fake->loop, &err), &err);
    assert_ok(fedn__pool_new(1, "fake", &fake->pool, &err), &err);
    assert_ok(fedn__channel_new(fake->loop, &options, &fake->channel, &err), &err);
    return fake;
}

static void free_channel(void *arg)
{
    fedn__channel_free(((fake_attach *)arg)->channel);
}

void fake_attach_free(fake_attach *fake)
{
    fake_attach_cut(fake);
    fedn__loop_call(fake->loop, free_channel, fake);
    fedn__pool_free(fake->pool);
    fedn__loop_free(fake->loop);
    for (uint32_t i = 0; i < fake->count; i++)
        fedn__tier__v1__down__free_unpacked(fake->messages[i], NULL);
    pthread_cond_destroy(&fake->cond);
    pthread_mutex_destroy(&fake->mutex);
    free(fake);
}

/* ---- the stream ---- */

static void on_message(fedn__stream *stream, const ProtobufCMessage *base, void *user_data)
{
    fake_attach *fake = user_data;
    size_t bytes = protobuf_c_message_get_packed_size(base);
    uint8_t *packed = malloc(bytes + 1);

    (void)stream;
    protobuf_c_message_pack(base, packed);
    Fedn__Tier__V1__Down *copy = fedn__tier__v1__down__unpack(NULL, bytes, packed);
    free(packed);
    pthread_mutex_lock(&fake->mutex);
    assert_true(fake->count < MOST_MESSAGES);
    fake->messages[fake->count++] = copy;
    if (copy->seq > fake->seen)
        fake->seen = copy->seq;
    if (copy->ack > fake->acked)
        fake->acked = copy->ack;
    pthread_cond_broadcast(&fake->cond);
    pthread_mutex_unlock(&fake->mutex);
}

static void on_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    fake_attach *fake = user_data;

    (void)stream;
    (void)details;
    pthread_mutex_lock(&fake->mutex);
    fake->stream = NULL;
    fake->ended = 1;
    fake->rpc = rpc;
    pthread_cond_broadcast(&fake->cond);
    pthread_mutex_unlock(&fake->mutex);
}

static void open_stream(void *arg)
{
    static const fedn__stream_events events = {.message = on_message, .closed = on_closed};
    fake_attach *fake = arg;
    fedn__stream *stream = NULL;
    fedn_error err;

    assert_ok(fedn__channel_stream(fake->channel, "/fedn.tier.v1.Tier/Attach", NULL,
                                   &fedn__tier__v1__down__descriptor, &events, fake, &stream, &err),
              &err);
    pthread_mutex_lock(&fake->mutex);
    fake->stream = stream;
    fake->ended = 0;
    pthread_mutex_unlock(&fake->mutex);
}

typedef struct sending {
    fake_attach *fake;
    Fedn__Tier__V1__Up *message;
} sending;

static void do_send(void *arg)
{
    sending *call = arg;

    if (call->fake->stream)
        fedn__stream_send(call->fake->stream, &call->message->base);
}

void fake_attach_send_as(fake_attach *fake, Fedn__Tier__V1__Up *message, uint64_t seq)
{
    sending call = {fake, message};

    message->seq = seq;
    pthread_mutex_lock(&fake->mutex);
    message->ack = fake->seen;
    pthread_mutex_unlock(&fake->mutex);
    fedn__loop_call(fake->loop, do_send, &call);
}

void fake_attach_send(fake_attach *fake, Fedn__Tier__V1__Up *message)
{
    fake_attach_send_as(fake, message, ++fake->sent);
}

uint64_t fake_attach_sent(const fake_attach *fake)
{
    return fake->sent;
}

const Fedn__Tier__V1__Welcome *fake_attach_greet(fake_attach *fake,
                                                 const Fedn__Tier__V1__Hello *given)
{
    Fedn__Tier__V1__Hello hello = *given;
    Fedn__Tier__V1__Up up = FEDN__TIER__V1__UP__INIT;
    uint32_t before = fake_attach_count(fake, FEDN__TIER__V1__DOWN__BODY_WELCOME);

    if (!*hello.name)
        hello.name = fake->name;
    if (!*hello.combiner_id)
        hello.combiner_id = fake->name;
    if (!*hello.link_id)
        hello.link_id = fake->link_id;
    if (strcmp(hello.link_id, fake->link_id) != 0) {
        fake->sent = 0;
        fake->seen = 0;
        snprintf(fake->link_id, sizeof fake->link_id, "%s", hello.link_id);
    }
    hello.last_seq_seen = fake->seen;
    up.body_case = FEDN__TIER__V1__UP__BODY_HELLO;
    up.hello = &hello;
    fedn__loop_call(fake->loop, open_stream, fake);
    fake_attach_send_as(fake, &up, 0);
    return fake_attach_wait(fake, FEDN__TIER__V1__DOWN__BODY_WELCOME, before)->welcome;
}

void fake_attach_join(fake_attach *fake, uint32_t active)
{
    Fedn__Tier__V1__Hello hello = FEDN__TIER__V1__HELLO__INIT;

    hello.protocol = 1;
    hello.host = (char *)(uintptr_t) "combiner.example";
    hello.port = 12080;
    hello.max_clients = 100;
    assert_string_equal(fake_attach_greet(fake, &hello)->refused, "");
    fake_attach_roster(fake, active);
}

static void do_cut(void *arg)
{
    fake_attach *fake = arg;

    if (fake->stream)
        fedn__stream_cancel(fake->stream);
}

int32_t fake_attach_await_end(fake_attach *fake)
{
    int64_t deadline = fedn__clock_ns() + BOUND_NS;

    pthread_mutex_lock(&fake->mutex);
    while (!fake->ended)
        if (!fedn__cond_wait(&fake->cond, &fake->mutex, deadline))
            fail_msg("the stream does not end");
    pthread_mutex_unlock(&fake->mutex);
    return fake->rpc;
}

void fake_attach_cut(fake_attach *fake)
{
    fedn__loop_call(fake->loop, do_cut, fake);
    fake_attach_await_end(fake);
}

/* ---- messages ---- */

void fake_attach_roster(fake_attach *fake, uint32_t active)
{
    Fedn__Tier__V1__Roster roster = FEDN__TIER__V1__ROSTER__INIT;
    Fedn__Tier__V1__Up up = FEDN__TIER__V1__UP__INIT;

    roster.active = active;
    up.body_case = FEDN__TIER__V1__UP__BODY_ROSTER;
    up.roster = &roster;
    fake_attach_send(fake, &up);
}

void fake_attach_event(fake_attach *fake, const char *kind, const char *json)
{
    Fedn__Tier__V1__Event event = FEDN__TIER__V1__EVENT__INIT;
    Fedn__Tier__V1__Event *list[] = {&event};
    Fedn__Tier__V1__Events events = FEDN__TIER__V1__EVENTS__INIT;
    Fedn__Tier__V1__Up up = FEDN__TIER__V1__UP__INIT;

    event.kind = (char *)(uintptr_t)kind;
    event.json = (char *)(uintptr_t)json;
    events.n_events = 1;
    events.events = list;
    up.body_case = FEDN__TIER__V1__UP__BODY_EVENTS;
    up.events = &events;
    fake_attach_send(fake, &up);
}

void fake_attach_report(fake_attach *fake, const Fedn__Tier__V1__RoundStart *start,
                        const char *partial_id, const char *error)
{
    Fedn__Tier__V1__ClientOutcome client = FEDN__TIER__V1__CLIENT_OUTCOME__INIT;
    Fedn__Tier__V1__ClientOutcome *clients[] = {&client};
    Fedn__Tier__V1__RoundReport report = FEDN__TIER__V1__ROUND_REPORT__INIT;
    Fedn__Tier__V1__Up up = FEDN__TIER__V1__UP__INIT;

    client.client_id = (char *)(uintptr_t) "c1";
    client.name = (char *)(uintptr_t) "client one";
    client.outcome = (char *)(uintptr_t)(partial_id ? "accepted" : "failed");
    client.num_examples = 10;
    report.session_id = start->session_id;
    report.round_id = start->round_id;
    report.partial_id = (char *)(uintptr_t)(partial_id ? partial_id : "");
    report.error = (char *)(uintptr_t)(error ? error : "");
    report.expected = 1;
    report.required = 1;
    report.count = partial_id != NULL;
    report.n_clients = 1;
    report.clients = clients;
    up.body_case = FEDN__TIER__V1__UP__BODY_REPORT;
    up.report = &report;
    fake_attach_send(fake, &up);
}

static const Fedn__Tier__V1__Down *find(const fake_attach *fake, int32_t body, uint32_t nth)
{
    for (uint32_t i = 0; i < fake->count; i++)
        if ((int32_t)fake->messages[i]->body_case == body && nth-- == 0)
            return fake->messages[i];
    return NULL;
}

const Fedn__Tier__V1__Down *fake_attach_wait(fake_attach *fake, int32_t body, uint32_t nth)
{
    const Fedn__Tier__V1__Down *found = NULL;
    int64_t deadline = fedn__clock_ns() + BOUND_NS;

    pthread_mutex_lock(&fake->mutex);
    while (!(found = find(fake, body, nth)))
        if (!fedn__cond_wait(&fake->cond, &fake->mutex, deadline))
            fail_msg("message %u of kind %d does not come", (unsigned)nth, (int)body);
    pthread_mutex_unlock(&fake->mutex);
    return found;
}

uint32_t fake_attach_count(fake_attach *fake, int32_t body)
{
    uint32_t count = 0;

    pthread_mutex_lock(&fake->mutex);
    while (find(fake, body, count))
        count++;
    pthread_mutex_unlock(&fake->mutex);
    return count;
}

void fake_attach_await_ack(fake_attach *fake, uint64_t seq)
{
    int64_t deadline = fedn__clock_ns() + BOUND_NS;

    pthread_mutex_lock(&fake->mutex);
    while (fake->acked < seq)
        if (!fedn__cond_wait(&fake->cond, &fake->mutex, deadline))
            fail_msg("message %llu is not acknowledged", (unsigned long long)seq);
    pthread_mutex_unlock(&fake->mutex);
}

uint64_t fake_attach_acked(fake_attach *fake)
{
    pthread_mutex_lock(&fake->mutex);
    uint64_t acked = fake->acked;
    pthread_mutex_unlock(&fake->mutex);
    return acked;
}

/* ---- models ---- */

typedef struct moving {
    fake_attach *fake;
    const char *id;
    const char *path; /* NULL: upload */
    fedn__blob *blob;
    fedn__flag done;
    fedn_status status;
    fedn_error err;
} moving;

static void on_moved(fedn_status status, const fedn_error *err, fedn__blob *blob, void *user_data)
{
    moving *call = user_data;

    (void)blob;
    call->status = status;
    if (err)
        call->err = *err;
    fedn__flag_set(&call->done);
}

static void do_move(void *arg)
{
    moving *call = arg;
    fake_attach *fake = call->fake;
    fedn__transfer *transfer = NULL;
    const fedn__download what = {.id = call->id, .path = call->path, .max_bytes = FEDN__GIB};
    const fedn__sending up = {.id = call->id, .blob = call->blob};
    fedn_status rc = call->path ? fedn__transfer_download(fake->channel, fake->pool, &what,
                                                          on_moved, call, &transfer, &call->err)
                                : fedn__transfer_upload(fake->channel, fake->pool, &up, on_moved,
                                                        call, &transfer, &call->err);

    if (rc != FEDN_OK)
        on_moved(rc, NULL, NULL, call);
}

static fedn_status move(moving *call, fedn_error *err)
{
    fedn__flag_init(&call->done);
    fedn__loop_call(call->fake->loop, do_move, call);
    if (!fedn__flag_wait(&call->done, fedn__clock_ns() + BOUND_NS))
        fail_msg("the transfer of %s does not end", call->id);
    fedn__flag_done(&call->done);
    fedn__blob_unref(call->blob);
    *err = call->err;
    return call->status;
}

fedn_status fake_attach_upload(fake_attach *fake, const char *id, const void *data, uint64_t bytes,
                               fedn_error *err)
{
    moving call = {.fake = fake, .id = id};

    assert_ok(fedn__blob_copy(data, bytes, &call.blob, err), err);
    return move(&call, err);
}

fedn_status fake_attach_download(fake_attach *fake, const char *id, const char *path,
                                 fedn_error *err)
{
    moving call = {.fake = fake, .id = id, .path = path};

    return move(&call, err);
}

void fake_attach_train(fake_attach *fake, const Fedn__Tier__V1__RoundStart *start, float value,
                       double weight, char id[37])
{
    uint64_t elements = 4;
    fedn_model *update = NULL;
    fedn_model *partial = NULL;
    fedn_aggregator *aggregator = NULL;
    void *data = NULL;
    uint64_t bytes = 0;
    fedn_error err = {0};

    (void)start;
    assert_ok(fedn_aggregator_new("fedavg", NULL, &aggregator, &err), &err);
    assert_ok(fedn_model_new(&update, &err), &err);
    assert_ok(fedn_model_add(update, "0", FEDN_DTYPE_F32, 1, &elements, NULL, &data, &err), &err);
    for (uint64_t i = 0; i < elements; i++)
        ((float *)data)[i] = value;
    assert_ok(fedn_aggregator_add(aggregator, update, weight, &err), &err);
    assert_ok(fedn_aggregator_save(aggregator, &partial, &err), &err);
    data = NULL;
    assert_ok(fedn_model_encode(partial, "npz", &data, &bytes, &err), &err);
    fedn__uuid_new_text(id);
    assert_ok(fake_attach_upload(fake, id, data, bytes, &err), &err);
    fedn_free(data);
    fedn_model_unref(partial);
    fedn_model_unref(update);
    fedn_aggregator_free(aggregator);
}
