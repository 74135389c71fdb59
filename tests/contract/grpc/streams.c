/* SPDX-License-Identifier: Apache-2.0
 * The streaming calls of FEDn's protocol. */
#include "contract.h"

#include "health.pb-c.h"
#include <stdlib.h>

#define TEXT(text) ((char *)(uintptr_t)(text))

/* One call: what is sent, and how it ends, as text: "IN_PROGRESS(24) OK / OK". */
typedef struct exchange {
    rig *r;
    const char *path;
    const ProtobufCMessage *request; /* NULL: `chunks` are sent */
    const char *const *chunks;       /* bytes in progress each; NULL: the end */
    int32_t complete;                /* with a last message of status OK */
    const ProtobufCMessageDescriptor *response;
    fedn__stream *stream;
    uint32_t came;
    uint32_t ended;
    char said[512];
} exchange;

static void on_message(fedn__stream *stream, const ProtobufCMessage *message, void *user_data)
{
    exchange *x = user_data;
    char text[64] = "";

    (void)stream;
    if (message->descriptor == &fedn__model_response__descriptor) {
        const Fedn__ModelResponse *m = (const Fedn__ModelResponse *)message;
        const ProtobufCEnumValue *name =
            protobuf_c_enum_descriptor_get_value(&fedn__model_status__descriptor, m->status);
        snprintf(text, sizeof text, "%s(%u)%s ", name->name, (unsigned)m->data.len, m->message);
    } else if (message->descriptor == &grpc__health__v1__health_check_response__descriptor) {
        snprintf(text, sizeof text, "%d ",
                 (int)((const Grpc__Health__V1__HealthCheckResponse *)message)->status);
    }
    pthread_mutex_lock(&x->r->heard.mutex);
    strncat(x->said, text, sizeof x->said - strlen(x->said) - 1);
    rig_changed(x->r, &x->came);
}

static void on_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    exchange *x = user_data;
    char text[256];

    (void)stream;
    snprintf(text, sizeof text, "/ %s %s", fedn__rpc_name(rpc), details);
    pthread_mutex_lock(&x->r->heard.mutex);
    x->stream = NULL;
    strncat(x->said, text, sizeof x->said - strlen(x->said) - 1);
    rig_changed(x->r, &x->ended);
}

static void do_open(void *arg)
{
    static const fedn__stream_events events = {.message = on_message, .closed = on_closed};
    exchange *x = arg;
    Fedn__ModelRequest chunk = FEDN__MODEL_REQUEST__INIT;
    fedn_error err;

    assert_ok(fedn__channel_stream(x->r->ann->channel, x->path, x->request, x->response, &events, x,
                                   &x->stream, &err),
              &err);
    chunk.id = TEXT(UPDATE);
    chunk.status = FEDN__MODEL_STATUS__IN_PROGRESS;
    for (; x->chunks && *x->chunks; x->chunks++) {
        chunk.data.data = (uint8_t *)(uintptr_t)*x->chunks;
        chunk.data.len = strlen(*x->chunks);
        assert_int_equal(fedn__stream_send(x->stream, &chunk.base), FEDN_OK);
    }
    chunk.data.len = 0;
    chunk.status = FEDN__MODEL_STATUS__OK;
    if (x->complete)
        assert_int_equal(fedn__stream_send(x->stream, &chunk.base), FEDN_OK);
    if (!x->request)
        fedn__stream_end_sending(x->stream);
}

static void do_cancel(void *arg)
{
    exchange *x = arg;

    if (x->stream)
        fedn__stream_cancel(x->stream);
}

/* To its end, which the other side makes. */
static void play(exchange *x, const char *words)
{
    fedn__loop_call(x->r->ann->loop, do_open, x);
    rig_await(x->r, &x->ended, 1);
    test_assert_words(x->said, words);
}

static void download(rig *r, const char *id, const char *words)
{
    Fedn__ModelRequest request = FEDN__MODEL_REQUEST__INIT;
    exchange x = {.r = r,
                  .path = "/fedn.ModelService/Download",
                  .request = &request.base,
                  .response = &fedn__model_response__descriptor};

    request.id = TEXT(id);
    play(&x, words);
}

static void downloads(rig *r)
{
    download(r, "22222222-2222-4222-8222-222222222222", "UNKNOWN(0)_FAILED(0)_/_OK");
    download(r, "../../etc/passwd", "UNKNOWN(0)_FAILED(0)_/_OK");
    rig_half_upload(r); /* of UPDATE */
    download(r, UPDATE, "IN_PROGRESS(0)_FAILED(0)_/_OK");
    rig_cancel(r);
}

static void upload(rig *r, const char *const *chunks, int32_t complete, const char *words)
{
    exchange x = {.r = r,
                  .path = "/fedn.ModelService/Upload",
                  .chunks = chunks,
                  .complete = complete,
                  .response = &fedn__model_response__descriptor};

    play(&x, words);
}

static void uploads(rig *r)
{
    static const char *const nothing[] = {NULL};
    static const char *const part[] = {"so", NULL};
    static const char *const whole[] = {"some", " more", NULL};

    upload(r, part, 0, "/_INVALID_ARGUMENT without_its_last_message");
    upload(r, whole, 1, "OK(0)Got_model_successfully. /_OK");
    upload(r, whole, 1, "OK(0)Got_model_successfully. /_OK"); /* FEDn's client tries again so */
    upload(r, nothing, 1, "/_");
}

static void task_streams(rig *r)
{
    exchange x = {
        .r = r, .path = "/fedn.Combiner/TaskStream", .response = &fedn__task_request__descriptor};
    Fedn__ClientAvailableMessage message = FEDN__CLIENT_AVAILABLE_MESSAGE__INIT;
    uint32_t ended = rig_number(r, &r->heard.ended);
    uint32_t tasks = rig_number(r, &r->heard.task_count);

    rig_open_tasks(r);
    rig_offer_model(r);
    fake_tier_start_round(r->tier, "1", MODEL);
    rig_await(r, &r->heard.task_count, tasks + 1);
    const Fedn__TaskRequest *task = r->heard.tasks[tasks];
    assert_int_equal(task->sender->role, FEDN__ROLE__COMBINER);
    assert_string_equal(task->sender->name, "c1");
    assert_string_equal(task->receiver->client_id, "ann");
    assert_int_equal(task->type, FEDN__STATUS_TYPE__MODEL_UPDATE);
    assert_string_equal(task->model_id, MODEL);
    assert_string_not_equal(task->correlation_id, "");
    assert_string_not_equal(task->timestamp, "");
    test_assert_words(task->data, "\"round_id\"");
    assert_int_equal(task->inline_bytes, 0); /* nothing of ours towards FEDn's client */
    x.request = &message.base;
    fedn__loop_call(r->ann->loop, do_open, &x);         /* another one of the same client */
    rig_await_end(r, ended + 1, FEDN__RPC_UNAVAILABLE); /* the first: never OK */
    fedn__loop_call(r->ann->loop, do_cancel, &x);
    rig_await(r, &x.ended, 1);
}

static void alliance(rig *r)
{
    Fedn__ClientAvailableMessage message = FEDN__CLIENT_AVAILABLE_MESSAGE__INIT;
    exchange x = {.r = r,
                  .path = "/fedn.Connector/AllianceStatusStream",
                  .request = &message.base,
                  .response = &fedn__status__descriptor};

    play(&x, "/_UNIMPLEMENTED");
}

static void function_service(rig *r, const char *path, const ProtobufCMessage *request)
{
    exchange x = {
        .r = r, .path = path, .request = request, .response = &fedn__response__descriptor};

    play(&x, "/_UNIMPLEMENTED");
}

static void client_config(rig *r)
{
    function_service(r, "/fedn.FunctionService/HandleClientConfig", NULL);
}

static void store_model(rig *r)
{
    function_service(r, "/fedn.FunctionService/HandleStoreModel", NULL);
}

static void aggregation(rig *r)
{
    Fedn__AggregationRequest request = FEDN__AGGREGATION_REQUEST__INIT;

    function_service(r, "/fedn.FunctionService/HandleAggregation", &request.base);
}

static void health(rig *r)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    exchange x = {.r = r,
                  .path = "/grpc.health.v1.Health/Watch",
                  .request = &request.base,
                  .response = &grpc__health__v1__health_check_response__descriptor};

    fedn__loop_call(r->ann->loop, do_open, &x);
    rig_await(r, &x.came, 1);
    fedn__loop_call(r->ann->loop, do_cancel, &x);
    rig_await(r, &x.ended, 1);
    test_assert_words(x.said, "1_/_CANCELLED");
}

const stream_row stream_rows[] = {
    {"/fedn.Combiner/TaskStream", task_streams},
    {"/fedn.ModelService/Upload", uploads},
    {"/fedn.ModelService/Download", downloads},
    {"/fedn.Connector/AllianceStatusStream", alliance},
    {"/fedn.FunctionService/HandleClientConfig", client_config},
    {"/fedn.FunctionService/HandleStoreModel", store_model},
    {"/fedn.FunctionService/HandleAggregation", aggregation},
    {"/grpc.health.v1.Health/Watch", health},
};
const uint32_t stream_count = sizeof stream_rows / sizeof stream_rows[0];
