/* SPDX-License-Identifier: Apache-2.0
 * A combiner that is stopped in every state, and what those who watch its health are told. */
#include "combiner_rig.h"

#include "health.pb-c.h"

static void on_health(fedn__stream *stream, const ProtobufCMessage *message, void *user_data)
{
    rig *r = user_data;

    (void)stream;
    pthread_mutex_lock(&r->heard.mutex);
    assert_true(r->heard.health_count < 8);
    r->heard.health[r->heard.health_count] =
        (int32_t)((const Grpc__Health__V1__HealthCheckResponse *)message)->status;
    rig_changed(r, &r->heard.health_count);
}

static void do_watch(void *arg)
{
    static const fedn__stream_events events = {.message = on_health, .closed = rig_on_closed};
    rig *r = arg;
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    fedn_error err;

    request.service = (char *)(uintptr_t)r->path;
    assert_ok(fedn__channel_stream(r->ann->channel, "/grpc.health.v1.Health/Watch", &request.base,
                                   &grpc__health__v1__health_check_response__descriptor, &events, r,
                                   &r->stream, &err),
              &err);
}

static void a_stop_tells_clients_that_train_to_come_back(void **state)
{
    rig *r = rig_in_round();

    (void)state;
    rig_stop(r);
    rig_await_end(r, 1, FEDN__RPC_UNAVAILABLE);
    rig_free(r);
}

static void a_stop_does_not_wait_for_an_upload_for_ever(void **state)
{
    rig *r = rig_in_round();

    (void)state;
    rig_half_upload(r);
    rig_stop(r);
    rig_await(r, &r->heard.ended, 2);
    rig_free(r);
}

static void a_stop_while_a_partial_cannot_be_handed_over(void **state)
{
    rig *r = rig_in_round();

    (void)state;
    fake_tier_uploads(r->tier, FEDN_ERR_UNAVAILABLE); /* it tries again and again */
    rig_upload_update(r);
    rig_announce(r, "1", "RECEIVED");
    rig_stop(r);
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
    rig_stop(r);
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
    rig_stop(r);
    assert_non_null(strstr(fake_tier_record(r->tier, "statuses", 0), "last words"));
    rig_free(r);
}

static void whoever_watches_its_health_hears_of_a_stop(void **state)
{
    rig *r = rig_new();

    (void)state;
    r->path = "";
    fedn__loop_call(r->ann->loop, do_watch, r);
    rig_await(r, &r->heard.health_count, 1);
    assert_int_equal(r->heard.health[0],
                     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
    rig_stop(r);
    rig_await_end(r, 1, FEDN__RPC_UNAVAILABLE);
    assert_int_equal(rig_number(r, &r->heard.health_count), 2);
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
    rig_await(r, &r->heard.health_count, 1);
    assert_int_equal(r->heard.health[0],
                     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN);
    rig_cancel(r);
    rig_await(r, &r->heard.ended, 1);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_tells_clients_that_train_to_come_back),
        cmocka_unit_test(a_stop_does_not_wait_for_an_upload_for_ever),
        cmocka_unit_test(a_stop_while_a_partial_cannot_be_handed_over),
        cmocka_unit_test(a_stop_while_the_link_is_down),
        cmocka_unit_test(a_stop_sends_what_clients_said_before),
        cmocka_unit_test(whoever_watches_its_health_hears_of_a_stop),
        cmocka_unit_test(services_are_known_by_name),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
