/* SPDX-License-Identifier: Apache-2.0
 * The combiner half of fake_combiner.h: every method records what came and answers as told. */
#include "fake_combiner.h"
#include "test.h"

#include "core/clock.h"
#include "core/fs.h"
#include "core/thread.h"
#include "fedn.pb-c.h"
#include "rpc/server.h"
#include "rpc/transfer.h"
#include <stdlib.h>
#include <unistd.h>

enum { METHODS = 9, WAIT_S = 20, HELD = 64 };

typedef struct method {
    fake_combiner *fake;
    const char *name;
    const char *path;
    const ProtobufCMessageDescriptor *request;
    json_t *messages; /* array */
    int32_t rpc;      /* of the answer */
    char *text;
    int32_t hold;
} method;

struct fake_combiner {
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__server *server;
    fedn__transfer_host host;
    char *dir;
    const char *address;
    const char *cert_pem; /* NULL: no TLS */
    const char *key_pem;
    int32_t port;
    fedn__call *stream; /* of the client; the loop's */

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t cond;
    method methods[METHODS];
    int32_t streams; /* open */
    uint32_t downloads;
    uint32_t uploads;
    uint32_t inline_bytes;
};

#define OF(message) &fedn__##message##__descriptor
static const struct {
    const char *name;
    const char *path;
    const ProtobufCMessageDescriptor *request;
} known[METHODS] = {
    {"TaskStream", "/fedn.Combiner/TaskStream", OF(client_available_message)},
    {"SendModelUpdate", "/fedn.Combiner/SendModelUpdate", OF(model_update)},
    {"SendModelValidation", "/fedn.Combiner/SendModelValidation", OF(model_validation)},
    {"SendModelPrediction", "/fedn.Combiner/SendModelPrediction", OF(model_prediction)},
    {"SendModelMetric", "/fedn.Combiner/SendModelMetric", OF(model_metric)},
    {"SendAttributeMessage", "/fedn.Combiner/SendAttributeMessage", OF(attribute_message)},
    {"SendTelemetryMessage", "/fedn.Combiner/SendTelemetryMessage", OF(telemetry_message)},
    {"SendStatus", "/fedn.Connector/SendStatus", OF(status)},
    {"SendHeartbeat", "/fedn.Connector/SendHeartbeat", OF(heartbeat)},
};

static json_t *as_json(const ProtobufCMessage *message);

static json_t *field_value(const ProtobufCFieldDescriptor *field, const void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return json_string(*(char *const *)at);
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(ProtobufCMessage *const *)at ? as_json(*(ProtobufCMessage *const *)at)
                                              : json_null();
    case PROTOBUF_C_TYPE_BYTES:
        return json_integer((json_int_t)((const ProtobufCBinaryData *)at)->len);
    case PROTOBUF_C_TYPE_FLOAT:
        return json_real((double)*(const float *)at);
    case PROTOBUF_C_TYPE_INT64:
        return json_integer(*(const int64_t *)at);
    default: /* enums and 32-bit numbers */
        return json_integer(*(const int32_t *)at);
    }
}

/* Every field of a message; the messages here repeat nothing but messages. */
static json_t *as_json(const ProtobufCMessage *message)
{
    json_t *object = json_object();
    const char *base = (const char *)message;

    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const void *at = base + field->offset;
        json_t *value = NULL;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
            ProtobufCMessage *const *items = *(ProtobufCMessage *const *const *)at;
            value = json_array();
            for (size_t k = 0; k < count; k++)
                json_array_append_new(value, as_json(items[k]));
        } else {
            value = field_value(field, at);
        }
        json_object_set_new(object, field->name, value);
    }
    return object;
}

static void record(method *m, json_t *message)
{
    (void)pthread_mutex_lock(&m->fake->mutex);
    json_array_append_new(m->messages, message);
    (void)pthread_cond_broadcast(&m->fake->cond);
    (void)pthread_mutex_unlock(&m->fake->mutex);
}

static void keep_update(fake_combiner *fake, const Fedn__ModelUpdate *update)
{
    if (update->model.len)
        fake_combiner_put_model(fake, update->model_update_id, update->model.data,
                                update->model.len);
}

static void on_unary(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    method *m = service;
    Fedn__Response response = FEDN__RESPONSE__INIT;

    (void)pthread_mutex_lock(&m->fake->mutex);
    int32_t rpc = m->rpc;
    int32_t hold = m->hold;
    char *text = strdup(m->text);
    (void)pthread_mutex_unlock(&m->fake->mutex);
    response.response = text;
    if (request->descriptor == &fedn__model_update__descriptor)
        keep_update(m->fake, (const Fedn__ModelUpdate *)request);
    if (!hold && rpc == FEDN__RPC_OK)
        fedn__call_reply(call, &response.base);
    else if (!hold)
        fedn__call_reject(call, rpc, text);
    free(text);
    record(m, as_json(request)); /* after the answer, so that a waiting test finds it sent */
}

static void count_stream(fake_combiner *fake, int32_t change)
{
    (void)pthread_mutex_lock(&fake->mutex);
    fake->streams += change;
    (void)pthread_cond_broadcast(&fake->cond);
    (void)pthread_mutex_unlock(&fake->mutex);
}

static void on_stream_closed(fedn__call *call, int32_t cancelled, void *user_data)
{
    fake_combiner *fake = user_data;

    (void)cancelled;
    if (fake->stream == call)
        fake->stream = NULL;
    count_stream(fake, -1);
}

static void on_stream(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    static const char *const keys[] = {"client", "grpc-server", "authorization"};
    static const fedn__call_events events = {.closed = on_stream_closed};
    method *m = service;
    json_t *message = as_json(request);

    for (int i = 0; i < 3; i++) {
        const char *value = fedn__call_metadata(call, keys[i]);
        json_object_set_new(message, keys[i], value ? json_string(value) : json_null());
    }
    fedn__call_set_events(call, &events, m->fake);
    m->fake->stream = call;
    count_stream(m->fake, 1);
    record(m, message);
}

static fedn_status accept_upload(void *service, fedn__call *call, const char *id, char **ret_path,
                                 uint64_t *ret_max_bytes, fedn_error *err)
{
    fake_combiner *fake = service;

    (void)call;
    (void)err;
    (void)pthread_mutex_lock(&fake->mutex);
    fake->uploads++;
    (void)pthread_mutex_unlock(&fake->mutex);
    *ret_path = fedn__fs_join(fake->dir, id);
    *ret_max_bytes = 1 << 20;
    return FEDN_OK;
}

static void stored(void *service, const char *id, fedn_status status, fedn__blob *blob,
                   const fedn_error *err)
{
    (void)service;
    (void)id;
    (void)status;
    (void)blob;
    (void)err;
}

static fedn_status find(void *service, fedn__call *call, const char *id, fedn__blob **ret,
                        fedn_error *err)
{
    fake_combiner *fake = service;

    (void)call;
    (void)pthread_mutex_lock(&fake->mutex);
    fake->downloads++;
    (void)pthread_mutex_unlock(&fake->mutex);
    char *path = fedn__fs_join(fake->dir, id);
    fedn_status rc = fedn__blob_from_file(path, ret, err);
    fedn__free(path);
    return rc;
}

static void listen_on(fake_combiner *fake, int32_t port)
{
    fedn__method rows[METHODS + FEDN__TRANSFER_METHODS];
    char address[64];
    fedn_error err;

    for (uint32_t i = 0; i < METHODS; i++) {
        const fedn__method row = {.path = known[i].path,
                                  .kind = i == 0 ? FEDN__STREAM_OUT : FEDN__UNARY,
                                  .request = known[i].request,
                                  .open = i == 0 ? on_stream : on_unary,
                                  .service = &fake->methods[i]};
        rows[i] = row;
    }
    fedn__transfer_methods(&fake->host, &rows[METHODS]);
    snprintf(address, sizeof address, "%s:%d", fake->address, (int)port);
    const fedn__server_options options = {
        .listen = address, .cert_pem = fake->cert_pem, .key_pem = fake->key_pem};
    assert_ok(fedn__server_new(fake->loop, &options, rows, METHODS + FEDN__TRANSFER_METHODS,
                               &fake->server, &err),
              &err);
    fake->port = fedn__server_port(fake->server);
}

fake_combiner *fake_combiner_new(void)
{
    return fake_combiner_new_tls("127.0.0.1", 0, NULL, NULL);
}

fake_combiner *fake_combiner_new_tls(const char *address, int32_t port, const char *cert_pem,
                                     const char *key_pem)
{
    fedn_error err;

    fake_combiner *fake = calloc(1, sizeof *fake);
    fake->address = address;
    fake->cert_pem = cert_pem;
    fake->key_pem = key_pem;
    fake->dir = test_scratch();
    (void)pthread_mutex_init(&fake->mutex, NULL);
    fedn__cond_init(&fake->cond);
    for (uint32_t i = 0; i < METHODS; i++) {
        fake->methods[i].fake = fake;
        fake->methods[i].name = known[i].name;
        fake->methods[i].messages = json_array();
        fake->methods[i].text = strdup("RECEIVED");
    }
    assert_ok(fedn__loop_new("fake", NULL, &fake->loop, &err), &err);
    assert_ok(fedn__pool_new(1, "fake", &fake->pool, &err), &err);
    const fedn__transfer_host host = {.loop = fake->loop,
                                      .pool = fake->pool,
                                      .accept = accept_upload,
                                      .stored = stored,
                                      .find = find,
                                      .service = fake};
    fake->host = host;
    listen_on(fake, port);
    return fake;
}

void fake_combiner_kill(fake_combiner *fake)
{
    fedn__server_free(fake->server, 0);
    fake->server = NULL;
}

void fake_combiner_revive(fake_combiner *fake)
{
    listen_on(fake, fake->port);
}

void fake_combiner_free(fake_combiner *fake)
{
    fake_combiner_kill(fake);
    fedn__loop_free(fake->loop);
    fedn__pool_free(fake->pool);
    for (uint32_t i = 0; i < METHODS; i++) {
        json_decref(fake->methods[i].messages);
        free(fake->methods[i].text);
    }
    (void)pthread_cond_destroy(&fake->cond);
    (void)pthread_mutex_destroy(&fake->mutex);
    test_scratch_done(fake->dir);
    free(fake);
}

int32_t fake_combiner_port(const fake_combiner *fake)
{
    return fake->port;
}

void fake_combiner_put_model(fake_combiner *fake, const char *id, const void *data, uint64_t bytes)
{
    char *path = fedn__fs_join(fake->dir, id);

    test_write_file(path, data, bytes);
    fedn__free(path);
}

char *fake_combiner_uploaded(fake_combiner *fake, const char *id, uint64_t *ret_bytes)
{
    char *path = fedn__fs_join(fake->dir, id);
    char *data = test_read_file(path, ret_bytes);

    fedn__free(path);
    return data;
}

uint32_t fake_combiner_downloads(fake_combiner *fake)
{
    (void)pthread_mutex_lock(&fake->mutex);
    uint32_t count = fake->downloads;
    (void)pthread_mutex_unlock(&fake->mutex);
    return count;
}

uint32_t fake_combiner_uploads(fake_combiner *fake)
{
    (void)pthread_mutex_lock(&fake->mutex);
    uint32_t count = fake->uploads;
    (void)pthread_mutex_unlock(&fake->mutex);
    return count;
}

void fake_combiner_inline(fake_combiner *fake, uint32_t bytes)
{
    (void)pthread_mutex_lock(&fake->mutex);
    fake->inline_bytes = bytes;
    (void)pthread_mutex_unlock(&fake->mutex);
}

/* Gives back the model's bytes, to be freed. */
static char *bring_along(fake_combiner *fake, Fedn__TaskRequest *request)
{
    uint64_t bytes = 0;
    char *data = NULL;

    (void)pthread_mutex_lock(&fake->mutex);
    request->inline_bytes = fake->inline_bytes;
    (void)pthread_mutex_unlock(&fake->mutex);
    char *path = request->inline_bytes ? fedn__fs_join(fake->dir, request->model_id) : NULL;
    if (path && access(path, R_OK) == 0)
        data = test_read_file(path, &bytes);
    fedn__free(path);
    if (data && bytes <= request->inline_bytes) {
        request->model.data = (uint8_t *)data;
        request->model.len = bytes;
    }
    return data;
}

static method *find_method(fake_combiner *fake, const char *name)
{
    for (uint32_t i = 0; i < METHODS; i++)
        if (strcmp(fake->methods[i].name, name) == 0)
            return &fake->methods[i];
    fail_msg("no method %s", name);
    return NULL;
}

void fake_combiner_answer(fake_combiner *fake, const char *name, int32_t rpc, const char *text)
{
    method *m = find_method(fake, name);

    (void)pthread_mutex_lock(&fake->mutex);
    m->rpc = rpc;
    free(m->text);
    m->text = strdup(text);
    (void)pthread_mutex_unlock(&fake->mutex);
}

void fake_combiner_hold(fake_combiner *fake, const char *name, int32_t hold)
{
    method *m = find_method(fake, name);

    (void)pthread_mutex_lock(&fake->mutex);
    m->hold = hold;
    (void)pthread_mutex_unlock(&fake->mutex);
}

static void wait_stream(fake_combiner *fake)
{
    int64_t deadline = fedn__clock_ns() + WAIT_S * INT64_C(1000000000);
    int32_t in_time = 1;

    (void)pthread_mutex_lock(&fake->mutex);
    while (fake->streams == 0 && in_time)
        in_time = fedn__cond_wait(&fake->cond, &fake->mutex, deadline);
    int32_t streams = fake->streams;
    (void)pthread_mutex_unlock(&fake->mutex);
    if (streams == 0)
        fail_msg("no client came within %d s", WAIT_S);
}

typedef struct delivery {
    fake_combiner *fake;
    const Fedn__TaskRequest *request;
    int32_t rpc;
    const char *text;
    fedn_status status;
} delivery;

static void deliver(void *arg)
{
    delivery *d = arg;

    d->status =
        d->fake->stream ? fedn__call_send(d->fake->stream, &d->request->base) : FEDN_ERR_STATE;
}

void fake_combiner_task_as(fake_combiner *fake, int32_t role, int32_t type,
                           const char *correlation_id, const char *model_id, const char *data)
{
    Fedn__TaskRequest request = FEDN__TASK_REQUEST__INIT;
    Fedn__Client sender = FEDN__CLIENT__INIT;
    delivery d = {.fake = fake, .request = &request};

    sender.role = (Fedn__Role)role;
    sender.name = (char *)(uintptr_t) "fake";
    request.sender = &sender;
    request.type = (Fedn__StatusType)type;
    request.correlation_id = (char *)(uintptr_t)correlation_id;
    request.model_id = (char *)(uintptr_t)model_id;
    request.data = (char *)(uintptr_t)data;
    request.session_id = (char *)(uintptr_t) "5e551045-0000-4000-8000-000000000000";
    char *model = bring_along(fake, &request);
    wait_stream(fake);
    fedn__loop_call(fake->loop, deliver, &d);
    free(model);
    assert_int_equal(d.status, FEDN_OK);
}

void fake_combiner_task(fake_combiner *fake, int32_t type, const char *correlation_id,
                        const char *model_id, const char *data)
{
    fake_combiner_task_as(fake, FEDN__ROLE__COMBINER, type, correlation_id, model_id, data);
}

static void end(void *arg)
{
    const delivery *d = arg;

    if (d->fake->stream)
        fedn__call_finish(d->fake->stream, d->rpc, d->text);
}

void fake_combiner_end_stream(fake_combiner *fake, int32_t rpc, const char *text)
{
    delivery d = {.fake = fake, .rpc = rpc, .text = text};

    wait_stream(fake);
    fedn__loop_call(fake->loop, end, &d);
}

uint32_t fake_combiner_count(fake_combiner *fake, const char *name)
{
    const method *m = find_method(fake, name);

    (void)pthread_mutex_lock(&fake->mutex);
    uint32_t count = (uint32_t)json_array_size(m->messages);
    (void)pthread_mutex_unlock(&fake->mutex);
    return count;
}

const json_t *fake_combiner_wait(fake_combiner *fake, const char *name, uint32_t nth)
{
    const method *m = find_method(fake, name);
    int64_t deadline = fedn__clock_ns() + WAIT_S * INT64_C(1000000000);
    int32_t in_time = 1;

    (void)pthread_mutex_lock(&fake->mutex);
    while (json_array_size(m->messages) <= nth && in_time)
        in_time = fedn__cond_wait(&fake->cond, &fake->mutex, deadline);
    const json_t *message = json_array_get(m->messages, nth);
    (void)pthread_mutex_unlock(&fake->mutex);
    if (!message)
        fail_msg("message %u of %s did not come within %d s", (unsigned)nth, name, WAIT_S);
    return message;
}
