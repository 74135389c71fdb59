/* SPDX-License-Identifier: Apache-2.0
 * A cable that is pulled: no packet comes any more, and nothing says so. Each side notices by
 * itself. The side that is not looked at waits for longer than the test does. */
#include "rig.h"

#include "proxy.h"

typedef struct line {
    test_rig rig;
    test_proxy *proxy;
    fedn__stream *stream;
} line;

static void call_closed(fedn__call *call, int32_t cancelled, void *user_data)
{
    line *l = user_data;

    (void)call;
    rig_note(&l->rig.notes, "call-gone%d", (int)cancelled);
}

/* A stream of tasks on which nothing happens. */
static void open_call(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    static const fedn__call_events events = {.closed = call_closed};

    (void)request;
    fedn__call_set_events(call, &events, service);
}

static void opened(fedn__stream *stream, void *user_data)
{
    line *l = user_data;

    (void)stream;
    rig_note(&l->rig.notes, "opened");
}

static void closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    line *l = user_data;

    (void)stream;
    (void)details;
    rig_note(&l->rig.notes, "stream-gone%d", (int)rpc);
}

static void open_stream(void *arg)
{
    static const fedn__stream_events events = {.opened = opened, .closed = closed};
    line *l = arg;
    Fedn__ClientAvailableMessage message = FEDN__CLIENT_AVAILABLE_MESSAGE__INIT;

    (void)fedn__channel_stream(l->rig.channel, "/fedn.Combiner/TaskStream", &message.base,
                               &fedn__task_request__descriptor, &events, l, &l->stream, NULL);
}

/* Pings 200 ms apart on the side that shall notice, which gives up 300 ms later. */
static void pull_the_cable(int32_t dialling_side, const char *word)
{
    line l = {.stream = NULL};
    const fedn__method rows[] = {{.path = "/fedn.Combiner/TaskStream",
                                  .kind = FEDN__STREAM_OUT,
                                  .request = &fedn__client_available_message__descriptor,
                                  .open = open_call,
                                  .service = &l}};
    const fedn__server_options options = {.listen = "127.0.0.1:0",
                                          .keepalive_ms = dialling_side ? 0 : 200,
                                          .keepalive_wait_ms = dialling_side ? 0 : 300};
    char target[64];
    fedn_error err;

    rig_start_with(&l.rig, rows, 1, &options);
    l.proxy = proxy_new(fedn__server_port(l.rig.server));
    snprintf(target, sizeof target, "127.0.0.1:%d", (int)proxy_port(l.proxy));
    const fedn__channel_options dial = {.target = target,
                                        .keepalive_ms = dialling_side ? 200 : 0,
                                        .keepalive_wait_ms = dialling_side ? 300 : 0};
    rig_hang_up(&l.rig);
    assert_ok(fedn__channel_new(l.rig.dialling, &dial, &l.rig.channel, &err), &err);
    rig_dialling(&l.rig, open_stream, &l);
    rig_wait(&l.rig.notes, "opened");
    proxy_freeze_after(l.proxy, PROXY_UP, 0);
    rig_wait(&l.rig.notes, word);
    rig_hang_up(&l.rig);
    proxy_free(l.proxy);
    rig_stop(&l.rig);
}

static void the_dialling_side_notices_a_pulled_cable(void **state)
{
    (void)state;
    pull_the_cable(1, "stream-gone14");
}

static void the_listening_side_notices_a_pulled_cable(void **state)
{
    (void)state;
    pull_the_cable(0, "call-gone1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dialling_side_notices_a_pulled_cable),
        cmocka_unit_test(the_listening_side_notices_a_pulled_cable),
    };

    return cmocka_run_group_tests_name("rpc liveness", tests, test_count_setup,
                                       test_count_teardown);
}
