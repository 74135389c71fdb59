/* SPDX-License-Identifier: Apache-2.0
 * A combiner between fakes; see combiner_rig.h. */
#include "combiner_rig.h"

#include "core/clock.h"
#include "core/thread.h"
#include <stdlib.h>

#define BOUND_NS (20 * INT64_C(1000000000))

void rig_set(fedn_config *config, const char *name, const char *value)
{
    fedn_error err;

    assert_ok(fedn_config_set(config, name, value, &err), &err);
}

fedn_config *rig_configuration(rig *r)
{
    fedn_error err;
    fedn_config *config = NULL;
    char value[512];

    assert_ok(fedn_config_new(&config, &err), &err);
    rig_set(config, "log.level", "error");
    rig_set(config, "combiner.name", "c1");
    rig_set(config, "combiner.listen", "127.0.0.1:0");
    rig_set(config, "combiner.reconnect_max_ms", "100");
    rig_set(config, "combiner.drain_ms", "200");
    snprintf(value, sizeof value, "127.0.0.1:%d", (int)fake_tier_port(r->tier));
    rig_set(config, "combiner.reducer", value);
    snprintf(value, sizeof value, "%s/c1", r->dir);
    rig_set(config, "combiner.state_dir", value);
    return config;
}

rig *rig_new(void)
{
    fedn_error err;
    rig *r = calloc(1, sizeof *r);

    pthread_mutex_init(&r->heard.mutex, NULL);
    fedn__cond_init(&r->heard.cond);
    r->tier = fake_tier_new();
    r->dir = test_scratch();
    fedn_config *config = rig_configuration(r);
    assert_ok(fedn_combiner_new(config, &r->combiner, &err), &err);
    fedn_config_free(config);
    assert_ok(fedn_combiner_start(r->combiner, &err), &err);
    fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_ROSTER, 0); /* orders arrive from now on */
    r->ann = raw_dial(fedn_combiner_port(r->combiner), "ann");
    return r;
}

void rig_free(rig *r)
{
    fedn_combiner_free(r->combiner);
    raw_hang_up(r->ann);
    fake_tier_free(r->tier);
    for (uint32_t i = 0; i < r->heard.task_count; i++)
        fedn__task_request__free_unpacked(r->heard.tasks[i], NULL);
    pthread_cond_destroy(&r->heard.cond);
    pthread_mutex_destroy(&r->heard.mutex);
    test_scratch_done(r->dir);
    free(r);
}

void rig_stop(rig *r)
{
    fedn_combiner_free(r->combiner);
    r->combiner = NULL;
}

void rig_await(rig *r, const uint32_t *counter, uint32_t count)
{
    int64_t deadline = fedn__clock_ns() + BOUND_NS;

    pthread_mutex_lock(&r->heard.mutex);
    while (*counter < count)
        if (!fedn__cond_wait(&r->heard.cond, &r->heard.mutex, deadline))
            fail_msg("%u instead of %u", (unsigned)*counter, (unsigned)count);
    pthread_mutex_unlock(&r->heard.mutex);
}

uint32_t rig_number(rig *r, const uint32_t *counter)
{
    pthread_mutex_lock(&r->heard.mutex);
    uint32_t value = *counter;
    pthread_mutex_unlock(&r->heard.mutex);
    return value;
}

void rig_await_end(rig *r, uint32_t count, int32_t rpc)
{
    rig_await(r, &r->heard.ended, count);
    pthread_mutex_lock(&r->heard.mutex);
    assert_int_equal(r->heard.rpc, rpc);
    pthread_mutex_unlock(&r->heard.mutex);
}

void rig_changed(rig *r, uint32_t *counter)
{
    ++*counter;
    pthread_cond_broadcast(&r->heard.cond);
    pthread_mutex_unlock(&r->heard.mutex);
}

static void on_opened(fedn__stream *stream, void *user_data)
{
    rig *r = user_data;

    (void)stream;
    pthread_mutex_lock(&r->heard.mutex);
    rig_changed(r, &r->heard.opened);
}

static void on_task(fedn__stream *stream, const ProtobufCMessage *message, void *user_data)
{
    rig *r = user_data;
    uint8_t packed[4096];

    (void)stream;
    assert_true(protobuf_c_message_get_packed_size(message) <= sizeof packed);
    size_t bytes = protobuf_c_message_pack(message, packed);
    pthread_mutex_lock(&r->heard.mutex);
    assert_true(r->heard.task_count < 64);
    r->heard.tasks[r->heard.task_count] = fedn__task_request__unpack(NULL, bytes, packed);
    rig_changed(r, &r->heard.task_count);
}

void rig_on_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    rig *r = user_data;

    (void)stream;
    (void)details;
    pthread_mutex_lock(&r->heard.mutex);
    r->heard.rpc = rpc;
    rig_changed(r, &r->heard.ended);
}

static void do_open_tasks(void *arg)
{
    static const fedn__stream_events events = {
        .opened = on_opened, .message = on_task, .closed = rig_on_closed};
    rig *r = arg;
    Fedn__ClientAvailableMessage message = FEDN__CLIENT_AVAILABLE_MESSAGE__INIT;
    Fedn__Client sender = FEDN__CLIENT__INIT;
    fedn_error err;

    sender.name = (char *)(uintptr_t) "Ann";
    message.sender = &sender;
    assert_ok(fedn__channel_stream(r->ann->channel, "/fedn.Combiner/TaskStream", &message.base,
                                   &fedn__task_request__descriptor, &events, r, &r->stream, &err),
              &err);
}

void rig_open_tasks(rig *r)
{
    uint32_t before = rig_number(r, &r->heard.opened);

    fedn__loop_call(r->ann->loop, do_open_tasks, r);
    rig_await(r, &r->heard.opened, before + 1);
}

static void do_half_upload(void *arg)
{
    static const fedn__stream_events events = {.opened = on_opened, .closed = rig_on_closed};
    rig *r = arg;
    Fedn__ModelRequest chunk = FEDN__MODEL_REQUEST__INIT;
    fedn_error err;

    assert_ok(fedn__channel_stream(r->ann->channel, "/fedn.ModelService/Upload", NULL,
                                   &fedn__model_response__descriptor, &events, r, &r->stream, &err),
              &err);
    chunk.id = (char *)(uintptr_t)UPDATE;
    chunk.status = FEDN__MODEL_STATUS__IN_PROGRESS;
    chunk.data.data = (uint8_t *)(uintptr_t) "some";
    chunk.data.len = 4;
    assert_int_equal(fedn__stream_send(r->stream, &chunk.base), FEDN_OK);
}

static void do_cancel(void *arg)
{
    fedn__stream_cancel(((rig *)arg)->stream);
}

void rig_encode(float value, void **data, uint64_t *bytes)
{
    uint64_t elements = 4;
    fedn_model *model = NULL;
    void *tensor = NULL;
    fedn_error err;

    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, "0", FEDN_DTYPE_F32, 1, &elements, NULL, &tensor, &err), &err);
    for (uint64_t i = 0; i < elements; i++)
        ((float *)tensor)[i] = value;
    assert_ok(fedn_model_encode(model, "npz", data, bytes, &err), &err);
    fedn_model_unref(model);
}

void rig_offer_model(rig *r)
{
    void *data = NULL;
    uint64_t bytes = 0;

    rig_encode(0, &data, &bytes);
    fake_tier_add_model(r->tier, MODEL, data, bytes);
    fedn_free(data);
}

void rig_upload(rig *r, const void *data, uint64_t bytes)
{
    fedn_error err;

    assert_ok(raw_upload(r->ann, UPDATE, data, bytes, &err), &err);
}

void rig_upload_update(rig *r)
{
    void *data = NULL;
    uint64_t bytes = 0;

    rig_encode(2, &data, &bytes);
    rig_upload(r, data, bytes);
    fedn_free(data);
}

void rig_announce(rig *r, const char *round_id, const char *words)
{
    Fedn__ModelUpdate update = FEDN__MODEL_UPDATE__INIT;
    char config[64];
    raw_answer answer;

    snprintf(config, sizeof config, "{\"round_id\": \"%s\"}", round_id);
    update.model_id = (char *)(uintptr_t)MODEL;
    update.model_update_id = (char *)(uintptr_t)UPDATE;
    /* as Python writes it when a training diverged: no reason to refuse an update */
    update.meta =
        (char *)(uintptr_t) "{\"training_metadata\": {\"num_examples\": 10, \"loss\": NaN}}";
    update.config = config;
    raw_unary(r->ann, "/fedn.Combiner/SendModelUpdate", &update.base, &fedn__response__descriptor,
              &answer);
    assert_int_equal(answer.rpc, FEDN__RPC_OK);
    test_assert_words(((Fedn__Response *)answer.message)->response, words);
    raw_answer_done(&answer);
}

const Fedn__Tier__V1__RoundReport *rig_report(rig *r, uint32_t nth)
{
    return fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_REPORT, nth)->report;
}

void rig_await_roster(rig *r, uint32_t *nth, uint32_t active)
{
    while (fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_ROSTER, *nth)->roster->active != active)
        ++*nth;
}

rig *rig_in_round(void)
{
    rig *r = rig_new();
    uint32_t nth = 0;

    rig_offer_model(r);
    rig_open_tasks(r);
    rig_await_roster(r, &nth, 1);
    fake_tier_start_round(r->tier, "1", MODEL);
    rig_await(r, &r->heard.task_count, 1);
    return r;
}

void rig_half_upload(rig *r)
{
    uint32_t before = rig_number(r, &r->heard.opened);

    fedn__loop_call(r->ann->loop, do_half_upload, r);
    rig_await(r, &r->heard.opened, before + 1);
}

void rig_cancel(rig *r)
{
    fedn__loop_call(r->ann->loop, do_cancel, r);
}
