/* SPDX-License-Identifier: Apache-2.0
 * A combiner between a scripted reducer and a scripted client: cuts of its link, stops in every
 * state, refusals. */
#include "fake_tier.h"
#include "raw_call.h"
#include "test.h"

#include "core/clock.h"
#include "core/limits.h"
#include "core/thread.h"
#include "core/uuid.h"
#include "fedn.pb-c.h"
#include "health.pb-c.h"
#include <fedn/fedn.h>
#include <stdlib.h>

#define BOUND_NS (20 * INT64_C(1000000000))
#define MODEL    "11111111-1111-4111-8111-111111111111"
#define UPDATE   "44444444-4444-4444-8444-444444444444"

/* What streams of the client's side have brought. */
typedef struct heard {
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t cond;
    Fedn__TaskRequest *tasks[64];
    uint32_t task_count;
    int32_t health[8];
    uint32_t health_count;
    uint32_t opened;
    uint32_t ended;
    int32_t rpc; /* of the last that ended */
} heard;

typedef struct rig {
    fake_tier *tier;
    fedn_combiner *combiner;
    char *dir;
    raw_caller *ann;
    fedn__stream *stream; /* the last that was opened */
    const char *path;
    heard heard;
} rig;

static void set(fedn_config *config, const char *name, const char *value)
{
    fedn_error err;

    assert_ok(fedn_config_set(config, name, value, &err), &err);
}

static fedn_config *configuration(rig *r)
{
    fedn_error err;
    fedn_config *config = NULL;
    char value[512];

    assert_ok(fedn_config_new(&config, &err), &err);
    set(config, "log.level", "error");
    set(config, "combiner.name", "c1");
    set(config, "combiner.listen", "127.0.0.1:0");
    set(config, "combiner.reconnect_max_ms", "100");
    set(config, "combiner.drain_ms", "200");
    snprintf(value, sizeof value, "127.0.0.1:%d", (int)fake_tier_port(r->tier));
    set(config, "combiner.reducer", value);
    snprintf(value, sizeof value, "%s/c1", r->dir);
    set(config, "combiner.state_dir", value);
    return config;
}

static rig *rig_new(void)
{
    fedn_error err;
    rig *r = calloc(1, sizeof *r);

    pthread_mutex_init(&r->heard.mutex, NULL);
    fedn__cond_init(&r->heard.cond);
    r->tier = fake_tier_new();
    r->dir = test_scratch();
    fedn_config *config = configuration(r);
    assert_ok(fedn_combiner_new(config, &r->combiner, &err), &err);
    fedn_config_free(config);
    assert_ok(fedn_combiner_start(r->combiner, &err), &err);
    fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_ROSTER, 0); /* orders arrive from now on */
    r->ann = raw_dial(fedn_combiner_port(r->combiner), "ann");
    return r;
}

static void rig_free(rig *r)
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

static void stop(rig *r)
{
    fedn_combiner_free(r->combiner);
    r->combiner = NULL;
}

static void await(rig *r, const uint32_t *counter, uint32_t count)
{
    int64_t deadline = fedn__clock_ns() + BOUND_NS;

    pthread_mutex_lock(&r->heard.mutex);
    while (*counter < count)
        if (!fedn__cond_wait(&r->heard.cond, &r->heard.mutex, deadline))
            fail_msg("%u instead of %u", (unsigned)*counter, (unsigned)count);
    pthread_mutex_unlock(&r->heard.mutex);
}

static uint32_t number(rig *r, const uint32_t *counter)
{
    pthread_mutex_lock(&r->heard.mutex);
    uint32_t value = *counter;
    pthread_mutex_unlock(&r->heard.mutex);
    return value;
}

/* Waits until so many streams have ended, the last with this status. */
static void await_end(rig *r, uint32_t count, int32_t rpc)
{
    await(r, &r->heard.ended, count);
    pthread_mutex_lock(&r->heard.mutex);
    assert_int_equal(r->heard.rpc, rpc);
    pthread_mutex_unlock(&r->heard.mutex);
}

/* ---- the client's streams ---- */

static void changed(rig *r, uint32_t *counter)
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
    changed(r, &r->heard.opened);
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
    changed(r, &r->heard.task_count);
}

static void on_health(fedn__stream *stream, const ProtobufCMessage *message, void *user_data)
{
    rig *r = user_data;

    (void)stream;
    pthread_mutex_lock(&r->heard.mutex);
    assert_true(r->heard.health_count < 8);
    r->heard.health[r->heard.health_count] =
        (int32_t)((const Grpc__Health__V1__HealthCheckResponse *)message)->status;
    changed(r, &r->heard.health_count);
}

static void on_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    rig *r = user_data;

    (void)stream;
    (void)details;
    pthread_mutex_lock(&r->heard.mutex);
    r->heard.rpc = rpc;
    changed(r, &r->heard.ended);
}

static void do_open_tasks(void *arg)
{
    static const fedn__stream_events events = {
        .opened = on_opened, .message = on_task, .closed = on_closed};
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

static void open_tasks(rig *r)
{
    uint32_t before = number(r, &r->heard.opened);

    fedn__loop_call(r->ann->loop, do_open_tasks, r);
    await(r, &r->heard.opened, before + 1);
}

static void do_watch(void *arg)
{
    static const fedn__stream_events events = {.message = on_health, .closed = on_closed};
    rig *r = arg;
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    fedn_error err;

    request.service = (char *)(uintptr_t)r->path;
    assert_ok(fedn__channel_stream(r->ann->channel, "/grpc.health.v1.Health/Watch", &request.base,
                                   &grpc__health__v1__health_check_response__descriptor, &events, r,
                                   &r->stream, &err),
              &err);
}

static void do_half_upload(void *arg)
{
    static const fedn__stream_events events = {.opened = on_opened, .closed = on_closed};
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

/* ---- the client's answers ---- */

static void encoded_model(float value, void **data, uint64_t *bytes)
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

static void offer_model(rig *r)
{
    void *data = NULL;
    uint64_t bytes = 0;

    encoded_model(0, &data, &bytes);
    fake_tier_add_model(r->tier, MODEL, data, bytes);
    fedn_free(data);
}

static void upload_update(rig *r)
{
    void *data = NULL;
    uint64_t bytes = 0;
    fedn_error err;

    encoded_model(2, &data, &bytes);
    assert_ok(raw_upload(r->ann, UPDATE, data, bytes, &err), &err);
    fedn_free(data);
}

static void announce(rig *r, const char *round_id, const char *words)
{
    Fedn__ModelUpdate update = FEDN__MODEL_UPDATE__INIT;
    char config[64];
    raw_answer answer;

    snprintf(config, sizeof config, "{\"round_id\": \"%s\"}", round_id);
    update.model_id = (char *)(uintptr_t)MODEL;
    update.model_update_id = (char *)(uintptr_t)UPDATE;
    update.meta = (char *)(uintptr_t) "{\"training_metadata\": {\"num_examples\": 10}}";
    update.config = config;
    raw_unary(r->ann, "/fedn.Combiner/SendModelUpdate", &update.base, &fedn__response__descriptor,
              &answer);
    assert_int_equal(answer.rpc, FEDN__RPC_OK);
    test_assert_words(((Fedn__Response *)answer.message)->response, words);
    raw_answer_done(&answer);
}

static const Fedn__Tier__V1__RoundReport *report(rig *r, uint32_t nth)
{
    return fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_REPORT, nth)->report;
}

/* Waits until a roster says that so many are active; its changes have this many clients. */
static void await_roster(rig *r, uint32_t *nth, uint32_t active)
{
    while (fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_ROSTER, *nth)->roster->active != active)
        ++*nth;
}

/* A client that is known above, and a round that it has been asked in. */
static rig *rig_in_round(void)
{
    rig *r = rig_new();
    uint32_t nth = 0;

    offer_model(r);
    open_tasks(r);
    await_roster(r, &nth, 1);
    fake_tier_start_round(r->tier, "1", MODEL);
    await(r, &r->heard.task_count, 1);
    return r;
}

/* ---- cuts ---- */

static void a_round_goes_on_without_the_reducer_and_its_report_comes_later(void **state)
{
    rig *r = rig_in_round();
    uint32_t nth = fake_tier_count(r->tier, FEDN__TIER__V1__UP__BODY_ROSTER);
    char path[512];
    uint64_t bytes = 0;

    (void)state;
    fake_tier_refuse(r->tier, "not now");
    fake_tier_cut(r->tier);
    fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_HELLO, 2); /* it comes back, in vain */
    upload_update(r);
    announce(r, "1", "RECEIVED " UPDATE);
    assert_int_equal(fake_tier_count(r->tier, FEDN__TIER__V1__UP__BODY_REPORT), 0);
    fake_tier_refuse(r->tier, NULL);
    const Fedn__Tier__V1__RoundReport *said = report(r, 0);
    assert_string_equal(said->error, "");
    assert_int_equal(said->count, 1);
    assert_int_equal(said->accepted, 1);
    assert_true(said->weight == 10);
    assert_string_equal(said->clients[0]->client_id, "ann");
    assert_string_equal(said->clients[0]->name, "Ann");
    fake_tier_upload_path(r->tier, said->partial_id, path);
    free(test_read_file(path, &bytes));
    assert_true(bytes > 0);
    /* the reducer took everybody for gone: the whole roster came again */
    const Fedn__Tier__V1__Roster *roster =
        fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_ROSTER, nth)->roster;
    assert_int_equal(roster->active, 1);
    assert_int_equal(roster->n_changes, 1);
    assert_true(roster->changes[0]->online);
    rig_free(r);
}

static void a_reducer_that_lost_its_memory_gets_the_report_again(void **state)
{
    rig *r = rig_in_round();

    (void)state;
    upload_update(r);
    fake_tier_hold(r->tier, 1); /* the report goes nowhere */
    announce(r, "1", "RECEIVED");
    fake_tier_forget(r->tier);
    fake_tier_cut(r->tier);
    fake_tier_hold(r->tier, 0);
    assert_string_equal(report(r, 0)->round_id, "1");
    announce(r, "1", "RECEIVED"); /* the same answer to the same update */
    rig_free(r);
}

/* ---- orders that cannot be carried out ---- */

static void a_model_that_is_not_there_fails_the_round_at_once(void **state)
{
    rig *r = rig_new();

    (void)state;
    fake_tier_start_round(r->tier, "1", MODEL);
    test_assert_words(report(r, 0)->error, MODEL);
    rig_free(r);
}

static void an_order_that_makes_no_sense_is_answered_by_a_report(void **state)
{
    rig *r = rig_new();

    (void)state;
    fake_tier_start_round(r->tier, "1", "../../etc/passwd");
    const Fedn__Tier__V1__RoundReport *said = report(r, 0);
    assert_string_equal(said->round_id, "1");
    assert_string_not_equal(said->error, "");
    rig_free(r);
}

static void a_rule_that_is_not_known_fails_the_round(void **state)
{
    rig *r = rig_new();
    Fedn__Tier__V1__RoundStart start = FEDN__TIER__V1__ROUND_START__INIT;
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;
    uint32_t nth = 0;

    (void)state;
    offer_model(r);
    open_tasks(r);
    await_roster(r, &nth, 1);
    start.session_id = (char *)(uintptr_t) "22222222-2222-4222-8222-222222222222";
    start.round_id = (char *)(uintptr_t) "1";
    start.model_id = (char *)(uintptr_t)MODEL;
    start.aggregator = (char *)(uintptr_t) "no-such-rule";
    start.round_timeout_ms = 20000;
    down.body_case = FEDN__TIER__V1__DOWN__BODY_START;
    down.start = &start;
    fake_tier_send(r->tier, &down);
    test_assert_words(report(r, 0)->error, "no-such-rule");
    rig_free(r);
}

/* ---- clients ---- */

static void a_client_that_comes_back_gets_its_task_again(void **state)
{
    rig *r = rig_in_round();

    (void)state;
    fedn__loop_call(r->ann->loop, do_cancel, r);
    await(r, &r->heard.ended, 1);
    open_tasks(r);
    await(r, &r->heard.task_count, 2);
    assert_string_equal(r->heard.tasks[0]->correlation_id, r->heard.tasks[1]->correlation_id);
    open_tasks(r); /* a second stream: the first is ended */
    await_end(r, 2, FEDN__RPC_UNAVAILABLE);
    rig_free(r);
}

static void an_upload_that_hangs_gives_way_to_the_next_try(void **state)
{
    rig *r = rig_in_round();

    (void)state;
    fedn__loop_call(r->ann->loop, do_half_upload, r);
    await(r, &r->heard.opened, 2);
    upload_update(r);
    announce(r, "1", "RECEIVED");
    rig_free(r);
}

/* ---- stops ---- */

static void a_stop_tells_clients_that_train_to_come_back(void **state)
{
    rig *r = rig_in_round();

    (void)state;
    stop(r);
    await_end(r, 1, FEDN__RPC_UNAVAILABLE);
    rig_free(r);
}

static void a_stop_does_not_wait_for_an_upload_for_ever(void **state)
{
    rig *r = rig_in_round();

    (void)state;
    fedn__loop_call(r->ann->loop, do_half_upload, r);
    await(r, &r->heard.opened, 2);
    stop(r);
    await(r, &r->heard.ended, 2);
    rig_free(r);
}

static void a_stop_while_a_partial_cannot_be_handed_over(void **state)
{
    rig *r = rig_in_round();

    (void)state;
    fake_tier_uploads(r->tier, FEDN_ERR_UNAVAILABLE); /* it tries again and again */
    upload_update(r);
    announce(r, "1", "RECEIVED");
    stop(r);
    assert_int_equal(fake_tier_count(r->tier, FEDN__TIER__V1__UP__BODY_REPORT), 0);
    rig_free(r);
}

static void a_stop_while_the_link_is_down(void **state)
{
    rig *r = rig_in_round();

    (void)state;
    fake_tier_refuse(r->tier, "not now");
    fake_tier_cut(r->tier);
    fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_HELLO, 1);
    stop(r);
    rig_free(r);
}

static void a_stop_sends_what_clients_said_before(void **state)
{
    rig *r = rig_in_round();
    Fedn__Status status = FEDN__STATUS__INIT;
    raw_answer answer;

    (void)state;
    status.status = (char *)(uintptr_t) "last words";
    raw_unary(r->ann, "/fedn.Connector/SendStatus", &status.base, &fedn__response__descriptor,
              &answer);
    assert_int_equal(answer.rpc, FEDN__RPC_OK);
    raw_answer_done(&answer);
    stop(r);
    assert_non_null(strstr(fake_tier_record(r->tier, "statuses", 0), "last words"));
    rig_free(r);
}

/* ---- health ---- */

static void whoever_watches_its_health_hears_of_a_stop(void **state)
{
    rig *r = rig_new();

    (void)state;
    r->path = "";
    fedn__loop_call(r->ann->loop, do_watch, r);
    await(r, &r->heard.health_count, 1);
    assert_int_equal(r->heard.health[0],
                     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
    stop(r);
    await_end(r, 1, FEDN__RPC_UNAVAILABLE);
    assert_int_equal(number(r, &r->heard.health_count), 2);
    assert_int_equal(r->heard.health[1],
                     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING);
    rig_free(r);
}

static void services_are_known_by_name(void **state)
{
    rig *r = rig_new();
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    raw_answer answer;

    (void)state;
    request.service = (char *)(uintptr_t) "fedn.Combiner";
    raw_unary(r->ann, "/grpc.health.v1.Health/Check", &request.base,
              &grpc__health__v1__health_check_response__descriptor, &answer);
    assert_int_equal(answer.rpc, FEDN__RPC_OK);
    raw_answer_done(&answer);
    r->path = "no.such.Service"; /* which may come later, says the protocol */
    fedn__loop_call(r->ann->loop, do_watch, r);
    await(r, &r->heard.health_count, 1);
    assert_int_equal(r->heard.health[0],
                     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN);
    fedn__loop_call(r->ann->loop, do_cancel, r);
    await(r, &r->heard.ended, 1);
    rig_free(r);
}

/* ---- starting ---- */

static void a_port_in_use_is_named_with_its_property(void **state)
{
    rig *r = rig_new();
    fedn_config *config = configuration(r);
    fedn_combiner *second = NULL;
    fedn_error err;
    char value[512];

    (void)state;
    snprintf(value, sizeof value, "127.0.0.1:%d", (int)fedn_combiner_port(r->combiner));
    set(config, "combiner.listen", value);
    snprintf(value, sizeof value, "%s/c2", r->dir);
    set(config, "combiner.state_dir", value);
    assert_ok(fedn_combiner_new(config, &second, &err), &err);
    snprintf(value, sizeof value, "combiner.listen %d", (int)fedn_combiner_port(r->combiner));
    assert_fails(fedn_combiner_start(second, &err), FEDN_ERR_IO, &err, value);
    fedn_combiner_free(second);
    fedn_config_free(config);
    rig_free(r);
}

static void a_directory_in_use_is_named(void **state)
{
    rig *r = rig_new();
    fedn_config *config = configuration(r);
    fedn_combiner *second = NULL;
    fedn_error err;

    (void)state;
    assert_ok(fedn_combiner_new(config, &second, &err), &err);
    assert_fails(fedn_combiner_start(second, &err), FEDN_ERR_STATE, &err, "in_use_by_process");
    fedn_combiner_free(second);
    fedn_config_free(config);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_goes_on_without_the_reducer_and_its_report_comes_later),
        cmocka_unit_test(a_reducer_that_lost_its_memory_gets_the_report_again),
        cmocka_unit_test(a_model_that_is_not_there_fails_the_round_at_once),
        cmocka_unit_test(an_order_that_makes_no_sense_is_answered_by_a_report),
        cmocka_unit_test(a_rule_that_is_not_known_fails_the_round),
        cmocka_unit_test(a_client_that_comes_back_gets_its_task_again),
        cmocka_unit_test(an_upload_that_hangs_gives_way_to_the_next_try),
        cmocka_unit_test(a_stop_tells_clients_that_train_to_come_back),
        cmocka_unit_test(a_stop_does_not_wait_for_an_upload_for_ever),
        cmocka_unit_test(a_stop_while_a_partial_cannot_be_handed_over),
        cmocka_unit_test(a_stop_while_the_link_is_down),
        cmocka_unit_test(a_stop_sends_what_clients_said_before),
        cmocka_unit_test(whoever_watches_its_health_hears_of_a_stop),
        cmocka_unit_test(services_are_known_by_name),
        cmocka_unit_test(a_port_in_use_is_named_with_its_property),
        cmocka_unit_test(a_directory_in_use_is_named),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
