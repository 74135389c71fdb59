/* SPDX-License-Identifier: Apache-2.0
 * A scripted tier port; see fake_tier.h. */
#include "fake_tier.h"

#include "fedn.pb-c.h"

#include "core/clock.h"
#include "core/limits.h"
#include "core/thread.h"
#include "core/uuid.h"
#include "rpc/server.h"
#include "rpc/transfer.h"
#include "test.h"
#include <stdlib.h>

enum { MOST_MESSAGES = 8192 };

#define BOUND_NS (20 * INT64_C(1000000000))

struct fake_tier {
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__server *server;
    fedn__transfer_host host;
    char *dir;

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t cond;
    fedn__call *call;      /* the loop's; NULL: none */
    fedn__call *forgotten; /* what still comes on it was said to a reducer that is no more */
    char run_id[FEDN__UUID_TEXT];
    char refused[128];
    int64_t claim;
    int32_t skip_welcome;
    int32_t hold;
    int32_t unread; /* a read was held back */
    fedn_status uploads;
    uint64_t seen;
    uint64_t sent;
    uint32_t ends;
    Fedn__Tier__V1__Up *messages[MOST_MESSAGES];
    uint32_t count;
};

/* ---- the stream ---- */

static void send_now(fake_tier *tier, Fedn__Tier__V1__Down *message, uint64_t seq)
{
    message->seq = seq;
    message->ack = tier->seen;
    if (tier->call)
        fedn__call_send(tier->call, &message->base);
}

static void welcome(fake_tier *tier)
{
    Fedn__Tier__V1__Welcome welcome = FEDN__TIER__V1__WELCOME__INIT;
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;

    if (tier->skip_welcome)
        return;
    welcome.protocol = 1;
    welcome.reducer_id = tier->run_id;
    welcome.refused = tier->refused;
    welcome.last_seq_seen = tier->claim >= 0 ? (uint64_t)tier->claim : tier->seen;
    tier->claim = -1;
    down.body_case = FEDN__TIER__V1__DOWN__BODY_WELCOME;
    down.welcome = &welcome;
    send_now(tier, &down, 0);
}

static Fedn__Tier__V1__Up *copy_of(const ProtobufCMessage *base)
{
    size_t bytes = protobuf_c_message_get_packed_size(base);
    uint8_t *packed = malloc(bytes + 1);

    protobuf_c_message_pack(base, packed);
    Fedn__Tier__V1__Up *copy = fedn__tier__v1__up__unpack(NULL, bytes, packed);
    free(packed);
    return copy;
}

/* Under the mutex. A repeated message is not kept; a gap fails the test. */
static void take(fake_tier *tier, const ProtobufCMessage *base)
{
    const Fedn__Tier__V1__Up *message = (const Fedn__Tier__V1__Up *)base;
    Fedn__Tier__V1__Down ack = FEDN__TIER__V1__DOWN__INIT;

    if (message->body_case != FEDN__TIER__V1__UP__BODY_HELLO) {
        if (message->seq <= tier->seen)
            return;
        if (message->seq != tier->seen + 1)
            fail_msg("message %llu follows %llu", (unsigned long long)message->seq,
                     (unsigned long long)tier->seen);
        tier->seen = message->seq;
    }
    assert_true(tier->count < MOST_MESSAGES);
    tier->messages[tier->count++] = copy_of(base);
    if (message->body_case == FEDN__TIER__V1__UP__BODY_HELLO)
        welcome(tier);
    else
        send_now(tier, &ack, 0);
    pthread_cond_broadcast(&tier->cond);
}

static void on_message(fedn__call *call, const ProtobufCMessage *message, void *user_data)
{
    fake_tier *tier = user_data;

    if (!message) {
        fedn__call_finish(call, FEDN__RPC_OK, "");
        return;
    }
    pthread_mutex_lock(&tier->mutex);
    int32_t ours = tier->call == call && tier->forgotten != call;
    if (ours) {
        take(tier, message);
        tier->unread = tier->hold;
    }
    int32_t read = ours && !tier->hold;
    pthread_mutex_unlock(&tier->mutex);
    if (read)
        fedn__call_read(call);
}

static void on_closed(fedn__call *call, int32_t cancelled, void *user_data)
{
    fake_tier *tier = user_data;

    (void)cancelled;
    pthread_mutex_lock(&tier->mutex);
    if (tier->call == call) {
        tier->call = NULL;
        tier->unread = 0;
    }
    if (tier->forgotten == call)
        tier->forgotten = NULL;
    tier->ends++;
    pthread_cond_broadcast(&tier->cond);
    pthread_mutex_unlock(&tier->mutex);
}

static void attach(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    static const fedn__call_events events = {.message = on_message, .closed = on_closed};
    fake_tier *tier = service;

    (void)request;
    pthread_mutex_lock(&tier->mutex);
    tier->call = call;
    tier->unread = 0;
    pthread_mutex_unlock(&tier->mutex);
    fedn__call_set_events(call, &events, tier);
    fedn__call_read(call);
}

/* ---- models ---- */

static void path_of(const fake_tier *tier, const char *id, char path[512])
{
    snprintf(path, 512, "%s/%s", tier->dir, id);
}

static fedn_status accept_upload(void *service, fedn__call *call, const char *id, char **ret_path,
                                 uint64_t *ret_max_bytes, fedn_error *err)
{
    fake_tier *tier = service;
    char path[512];

    (void)call;
    pthread_mutex_lock(&tier->mutex);
    fedn_status rc = tier->uploads;
    pthread_mutex_unlock(&tier->mutex);
    if (rc != FEDN_OK)
        return fedn_error_set(err, rc, "no upload now");
    path_of(tier, id, path);
    *ret_path = fedn__strdup(path);
    *ret_max_bytes = FEDN__GIB;
    return FEDN_OK;
}

static void stored_upload(void *service, const char *id, fedn_status status, fedn__blob *blob,
                          const fedn_error *err)
{
    (void)service;
    (void)id;
    (void)status;
    (void)blob;
    (void)err;
}

static fedn_status find_model(void *service, fedn__call *call, const char *id, fedn__blob **ret,
                              fedn_error *err)
{
    char path[512];

    (void)call;
    path_of(service, id, path);
    return fedn__blob_from_file(path, ret, err);
}

void fake_tier_add_model(fake_tier *tier, const char *id, const void *data, uint64_t bytes)
{
    char path[512];

    path_of(tier, id, path);
    test_write_file(path, data, bytes);
}

void fake_tier_upload_path(fake_tier *tier, const char *id, char path[512])
{
    path_of(tier, id, path);
}

/* ---- life ---- */

static void global_model(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    Fedn__GetGlobalModelResponse response = FEDN__GET_GLOBAL_MODEL_RESPONSE__INIT;

    (void)service;
    (void)request;
    response.model_id = (char *)(uintptr_t)FAKE_TIER_GLOBAL;
    fedn__call_reply(call, &response.base);
}

fake_tier *fake_tier_new(void)
{
    return fake_tier_new_at(0);
}

fake_tier *fake_tier_new_at(int32_t port)
{
    fake_tier *tier = calloc(1, sizeof *tier);
    char listen[32];
    fedn__server_options options = {.listen = listen};
    fedn__method methods[2 + FEDN__TRANSFER_METHODS] = {
        {.path = "/fedn.tier.v1.Tier/Attach",
         .kind = FEDN__STREAM_BOTH,
         .max_request_bytes = FEDN__LIMIT_TIER_BYTES,
         .request = &fedn__tier__v1__up__descriptor,
         .open = attach,
         .service = tier},
        {.path = "/fedn.Reducer/GetGlobalModel",
         .kind = FEDN__UNARY,
         .request = &fedn__get_global_model_request__descriptor,
         .open = global_model}};
    fedn_error err;

    snprintf(listen, sizeof listen, "127.0.0.1:%d", (int)port);
    tier->dir = test_scratch();
    tier->claim = -1;
    fedn__uuid_new_text(tier->run_id);
    pthread_mutex_init(&tier->mutex, NULL);
    fedn__cond_init(&tier->cond);
    assert_ok(fedn__loop_new("tier", NULL, &tier->loop, &err), &err);
    assert_ok(fedn__pool_new(1, "tier", &tier->pool, &err), &err);
    tier->host = (fedn__transfer_host){.loop = tier->loop,
                                       .pool = tier->pool,
                                       .accept = accept_upload,
                                       .stored = stored_upload,
                                       .find = find_model,
                                       .service = tier};
    fedn__transfer_methods(&tier->host, methods + 2);
    assert_ok(fedn__server_new(tier->loop, &options, methods, 2 + FEDN__TRANSFER_METHODS,
                               &tier->server, &err),
              &err);
    return tier;
}

void fake_tier_free(fake_tier *tier)
{
    fedn__server_free(tier->server, 0);
    fedn__pool_free(tier->pool);
    fedn__loop_free(tier->loop);
    for (uint32_t i = 0; i < tier->count; i++)
        fedn__tier__v1__up__free_unpacked(tier->messages[i], NULL);
    pthread_cond_destroy(&tier->cond);
    pthread_mutex_destroy(&tier->mutex);
    test_scratch_done(tier->dir);
    free(tier);
}

int32_t fake_tier_port(const fake_tier *tier)
{
    return fedn__server_port(tier->server);
}

/* ---- what it is to do ---- */

void fake_tier_forget(fake_tier *tier)
{
    pthread_mutex_lock(&tier->mutex);
    fedn__uuid_new_text(tier->run_id);
    tier->seen = 0;
    tier->sent = 0;
    tier->forgotten = tier->call;
    pthread_mutex_unlock(&tier->mutex);
}

void fake_tier_refuse(fake_tier *tier, const char *reason)
{
    pthread_mutex_lock(&tier->mutex);
    snprintf(tier->refused, sizeof tier->refused, "%s", reason ? reason : "");
    pthread_mutex_unlock(&tier->mutex);
}

void fake_tier_claim(fake_tier *tier, uint64_t last_seen)
{
    pthread_mutex_lock(&tier->mutex);
    tier->claim = (int64_t)last_seen;
    pthread_mutex_unlock(&tier->mutex);
}

void fake_tier_skip_welcome(fake_tier *tier, int32_t skip)
{
    pthread_mutex_lock(&tier->mutex);
    tier->skip_welcome = skip;
    pthread_mutex_unlock(&tier->mutex);
}

void fake_tier_uploads(fake_tier *tier, fedn_status status)
{
    pthread_mutex_lock(&tier->mutex);
    tier->uploads = status;
    pthread_mutex_unlock(&tier->mutex);
}

static void read_again(void *arg)
{
    fake_tier *tier = arg;

    if (tier->call && tier->unread)
        fedn__call_read(tier->call);
    tier->unread = 0;
}

void fake_tier_hold(fake_tier *tier, int32_t hold)
{
    pthread_mutex_lock(&tier->mutex);
    tier->hold = hold;
    pthread_mutex_unlock(&tier->mutex);
    if (!hold)
        fedn__loop_call(tier->loop, read_again, tier);
}

typedef struct sending {
    fake_tier *tier;
    Fedn__Tier__V1__Down *message;
    uint64_t seq; /* UINT64_MAX: the next */
} sending;

static void do_send(void *arg)
{
    const sending *s = arg;

    pthread_mutex_lock(&s->tier->mutex);
    send_now(s->tier, s->message, s->seq == UINT64_MAX ? ++s->tier->sent : s->seq);
    pthread_mutex_unlock(&s->tier->mutex);
}

void fake_tier_send_as(fake_tier *tier, Fedn__Tier__V1__Down *message, uint64_t seq)
{
    sending s = {tier, message, seq};

    fedn__loop_call(tier->loop, do_send, &s);
}

void fake_tier_send(fake_tier *tier, Fedn__Tier__V1__Down *message)
{
    fake_tier_send_as(tier, message, UINT64_MAX);
}

void fake_tier_start_round(fake_tier *tier, const char *round_id, const char *model_id)
{
    Fedn__Tier__V1__RoundStart start = FEDN__TIER__V1__ROUND_START__INIT;
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;
    char config[256];

    snprintf(config, sizeof config,
             "{\"round_id\": \"%s\", \"session_id\": \"22222222-2222-4222-8222-222222222222\"}",
             round_id);
    start.session_id = (char *)(uintptr_t) "22222222-2222-4222-8222-222222222222";
    start.round_id = (char *)(uintptr_t)round_id;
    start.model_id = (char *)(uintptr_t)model_id;
    start.clients_required = 1;
    start.buffer_size = -1;
    start.round_timeout_ms = 20000;
    start.round_config = config;
    down.body_case = FEDN__TIER__V1__DOWN__BODY_START;
    down.start = &start;
    fake_tier_send(tier, &down);
}

static void do_cut(void *arg)
{
    fake_tier *tier = arg;

    if (tier->call)
        fedn__call_finish(tier->call, FEDN__RPC_UNAVAILABLE, "cut by the test");
}

void fake_tier_cut(fake_tier *tier)
{
    fedn__loop_call(tier->loop, do_cut, tier);
}

/* ---- what came ---- */

static const Fedn__Tier__V1__Up *find(const fake_tier *tier, int32_t body, uint32_t nth)
{
    for (uint32_t i = 0; i < tier->count; i++)
        if ((int32_t)tier->messages[i]->body_case == body && nth-- == 0)
            return tier->messages[i];
    return NULL;
}

const Fedn__Tier__V1__Up *fake_tier_wait(fake_tier *tier, int32_t body, uint32_t nth)
{
    const Fedn__Tier__V1__Up *found = NULL;
    int64_t deadline = fedn__clock_ns() + BOUND_NS;

    pthread_mutex_lock(&tier->mutex);
    while (!(found = find(tier, body, nth)))
        if (!fedn__cond_wait(&tier->cond, &tier->mutex, deadline))
            fail_msg("message %u of kind %d does not come", (unsigned)nth, (int)body);
    pthread_mutex_unlock(&tier->mutex);
    return found;
}

uint32_t fake_tier_count(fake_tier *tier, int32_t body)
{
    uint32_t count = 0;

    pthread_mutex_lock(&tier->mutex);
    while (find(tier, body, count))
        count++;
    pthread_mutex_unlock(&tier->mutex);
    return count;
}

static void nothing(void *unused)
{
    (void)unused;
}

void fake_tier_await_ends(fake_tier *tier, uint32_t count)
{
    int64_t deadline = fedn__clock_ns() + BOUND_NS;

    pthread_mutex_lock(&tier->mutex);
    while (tier->ends < count)
        if (!fedn__cond_wait(&tier->cond, &tier->mutex, deadline))
            fail_msg("%u of %u streams have ended", (unsigned)tier->ends, (unsigned)count);
    pthread_mutex_unlock(&tier->mutex);
    fedn__loop_call(tier->loop, nothing, NULL); /* until what they held is free as well */
}

static const char *find_record(const fake_tier *tier, const char *kind, uint32_t nth)
{
    for (uint32_t i = 0; i < tier->count; i++) {
        if (tier->messages[i]->body_case != FEDN__TIER__V1__UP__BODY_EVENTS)
            continue;
        const Fedn__Tier__V1__Events *batch = tier->messages[i]->events;
        for (size_t k = 0; k < batch->n_events; k++)
            if (strcmp(batch->events[k]->kind, kind) == 0 && nth-- == 0)
                return batch->events[k]->json;
    }
    return NULL;
}

const char *fake_tier_record(fake_tier *tier, const char *kind, uint32_t nth)
{
    const char *found = NULL;
    int64_t deadline = fedn__clock_ns() + BOUND_NS;

    pthread_mutex_lock(&tier->mutex);
    while (!(found = find_record(tier, kind, nth)))
        if (!fedn__cond_wait(&tier->cond, &tier->mutex, deadline))
            fail_msg("record %u of %s does not come", (unsigned)nth, kind);
    pthread_mutex_unlock(&tier->mutex);
    return found;
}
