/* SPDX-License-Identifier: Apache-2.0
 * Calls to a listener: answered, refused, malformed, many, abandoned. */
#include "rig.h"

#include "core/limits.h"
#include "core/thread.h"
#include <stdlib.h>

static fedn__call *kept; /* serving loop only */
static test_rig *rigged;

static void reply(fedn__call *call, const char *text)
{
    Fedn__Response answer = FEDN__RESPONSE__INIT;

    answer.response = (char *)(uintptr_t)text;
    fedn__call_reply(call, &answer.base);
}

static void echo(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    (void)service;
    reply(call, ((const Fedn__Heartbeat *)request)->sender->name);
}

static void note_closed(fedn__call *call, int32_t cancelled, void *user_data)
{
    test_rig *rig = user_data;

    if (call == kept)
        kept = NULL;
    rig_note(&rig->notes, "closed-%d", (int)cancelled);
}

static const fedn__call_events closing = {.closed = note_closed};

/* Answered when the test says so. */
static void keep(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    (void)service;
    (void)request;
    kept = call;
    fedn__call_set_events(call, &closing, rigged);
    rig_note(&rigged->notes, "kept");
}

static void refuse(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    (void)service;
    (void)request;
    fedn__call_set_events(call, &closing, rigged);
    fedn__call_reject(call, FEDN__RPC_PERMISSION_DENIED, "not \xc3\xa5 you");
}

static void show_metadata(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    char text[128];

    (void)service;
    (void)request;
    const char *client = fedn__call_metadata(call, "client");
    snprintf(
        text, sizeof text, "%s|%s|%s|%s", client, fedn__call_metadata(call, "nobody") ? "?" : "-",
        fedn__call_metadata(call, "client") == client ? "same" : "other", fedn__call_path(call));
    reply(call, strncmp(fedn__call_peer(call), "ipv4:127.0.0.1:", 15) == 0 ? text : "bad peer");
}

#define HEARTBEAT &fedn__heartbeat__descriptor

static const fedn__method methods[] = {
    {.path = "/t.T/Echo", .kind = FEDN__UNARY, .request = HEARTBEAT, .open = echo},
    {.path = "/t.T/Keep", .kind = FEDN__UNARY, .request = HEARTBEAT, .open = keep},
    {.path = "/t.T/Refuse", .kind = FEDN__UNARY, .request = HEARTBEAT, .open = refuse},
    {.path = "/t.T/Metadata", .kind = FEDN__UNARY, .request = HEARTBEAT, .open = show_metadata},
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

static void a_request_is_answered(void **state)
{
    rig_answer answer = rig_beat(*state, "/t.T/Echo", "c1", 5000);

    assert_int_equal(answer.rpc, FEDN__RPC_OK);
    assert_string_equal(answer.response, "c1");
}

static void reply_later(void *arg)
{
    (void)arg;
    reply(kept, "later");
}

static void *answer_when_kept(void *arg)
{
    test_rig *rig = arg;

    rig_wait(&rig->notes, "kept");
    rig_serving(rig, reply_later, NULL);
    return NULL;
}

static void an_answer_may_come_after_the_handler_has_returned(void **state)
{
    test_rig *rig = *state;
    pthread_t thread;

    pthread_create(&thread, NULL, answer_when_kept, rig);
    rig_answer answer = rig_beat(rig, "/t.T/Keep", "c1", 5000);
    pthread_join(thread, NULL);
    assert_string_equal(answer.response, "later");
    rig_wait(&rig->notes, "closed-0");
}

static void a_refusal_carries_its_status_and_text(void **state)
{
    test_rig *rig = *state;
    rig_answer answer = rig_beat(rig, "/t.T/Refuse", "c1", 5000);

    assert_int_equal(answer.rpc, FEDN__RPC_PERMISSION_DENIED);
    assert_string_equal(answer.details, "not \xc3\xa5 you");
    rig_wait(&rig->notes, "closed-0");
}

static void an_unknown_method_is_unimplemented_at_once(void **state)
{
    for (int i = 0; i < 3; i++) {
        rig_answer answer = rig_beat(*state, "/t.T/Nobody", "c1", 15000);
        assert_int_equal(answer.rpc, FEDN__RPC_UNIMPLEMENTED);
    }
}

static void metadata_peer_and_path_are_known(void **state)
{
    test_rig *rig = *state;
    const char *metadata[] = {"client", "c-77", NULL};
    fedn__channel_options options = {.target = rig->target, .metadata = metadata};
    fedn_error err;

    rig_hang_up(rig);
    assert_ok(fedn__channel_new(rig->dialling, &options, &rig->channel, &err), &err);
    rig_answer answer = rig_beat(rig, "/t.T/Metadata", "c1", 5000);
    assert_string_equal(answer.response, "c-77|-|same|/t.T/Metadata");
}

static void metadata_that_cannot_be_sent_is_refused(void **state)
{
    test_rig *rig = *state;
    fedn_error err;
    fedn__channel *channel = NULL;
    const char *upper[] = {"Client", "c-77", NULL};
    const char *line[] = {"client", "a\nb", NULL};
    fedn__channel_options options = {.target = rig->target, .metadata = upper};

    assert_fails(fedn__channel_new(rig->dialling, &options, &channel, &err), FEDN_ERR_INVALID, &err,
                 "metadata Client lower_case");
    options.metadata = line;
    assert_fails(fedn__channel_new(rig->dialling, &options, &channel, &err), FEDN_ERR_INVALID, &err,
                 "client printable");
    assert_null(channel);
}

static void a_request_over_the_limit_is_refused(void **state)
{
    static char name[300 * 1024];

    memset(name, 'a', sizeof name - 1);
    rig_answer answer = rig_beat(*state, "/t.T/Echo", name, 5000);
    assert_int_equal(answer.rpc, FEDN__RPC_RESOURCE_EXHAUSTED);
    answer = rig_beat(*state, "/t.T/Echo", "small again", 5000);
    assert_string_equal(answer.response, "small again");
}

static void text_that_is_not_utf8_is_refused(void **state)
{
    rig_answer answer = rig_beat(*state, "/t.T/Echo", "caf\xe9", 5000);

    assert_int_equal(answer.rpc, FEDN__RPC_INVALID_ARGUMENT);
    test_assert_words(answer.details, "Client.name UTF-8");
}

/* Any bytes as a message: a field of bytes whose number is that of `sender`. */
static void a_malformed_request_is_refused(void **state)
{
    Fedn__ClientConfigRequest bytes = FEDN__CLIENT_CONFIG_REQUEST__INIT;
    uint8_t broken[] = {0x12, 0x7f, 'x'}; /* Client.name: 127 bytes, one there */

    bytes.data.data = broken;
    bytes.data.len = sizeof broken;
    rig_answer answer = rig_ask(*state, "/t.T/Echo", &bytes.base, 5000);
    assert_int_equal(answer.rpc, FEDN__RPC_INVALID_ARGUMENT);
    test_assert_words(answer.details, "malformed Client");
}

static void a_deadline_ends_the_call_on_both_sides(void **state)
{
    test_rig *rig = *state;
    rig_answer answer = rig_beat(rig, "/t.T/Keep", "c1", 200);

    assert_int_equal(answer.rpc, FEDN__RPC_DEADLINE_EXCEEDED);
    rig_wait(&rig->notes, "closed-1");
}

static void on_gone(int32_t rpc, const char *details, const ProtobufCMessage *response,
                    void *user_data)
{
    test_rig *rig = user_data;

    (void)details;
    assert_null(response);
    rig_note(&rig->notes, "answer-%d", (int)rpc);
}

static void ask_kept(void *arg)
{
    test_rig *rig = arg;
    Fedn__Heartbeat beat = FEDN__HEARTBEAT__INIT;
    fedn__unary_options options = {0, 1};

    if (fedn__channel_unary(rig->channel, "/t.T/Keep", &beat.base, &fedn__response__descriptor,
                            &options, on_gone, rig) < 0)
        rig_note(&rig->notes, "not-asked");
}

static void a_client_that_goes_away_closes_the_call(void **state)
{
    test_rig *rig = *state;

    rig_dialling(rig, ask_kept, rig);
    rig_wait(&rig->notes, "kept");
    rig_hang_up(rig);
    rig_wait(&rig->notes, "closed-1");
    rig_wait(&rig->notes, "answer-1");
    assert_int_equal(rig_count(&rig->notes, "closed-1"), 1);
}

static void a_shutdown_with_an_open_call_closes_it(void **state)
{
    test_rig *rig = *state;

    rig_dialling(rig, ask_kept, rig);
    rig_wait(&rig->notes, "kept");
    fedn__server_free(rig->server, 50);
    rig->server = NULL;
    assert_int_equal(rig_count(&rig->notes, "closed-1"), 1);
    rig_wait(&rig->notes, "answer-14");
}

static void a_new_server_on_the_port_is_found(void **state)
{
    test_rig *rig = *state;
    fedn__server_options options = {.listen = rig->target};
    fedn_error err;

    assert_int_equal(rig_beat(rig, "/t.T/Echo", "c1", 5000).rpc, FEDN__RPC_OK);
    fedn__server_free(rig->server, 0);
    rig->server = NULL;
    assert_int_equal(rig_beat(rig, "/t.T/Echo", "c1", 2000).rpc, FEDN__RPC_UNAVAILABLE);
    assert_ok(fedn__server_new(rig->serving, &options, methods, 4, &rig->server, &err), &err);
    rig_dialling(rig, ask_kept, rig); /* waits for the connection */
    rig_wait(&rig->notes, "kept");
    assert_int_equal(rig_beat(rig, "/t.T/Echo", "c1", 5000).rpc, FEDN__RPC_OK);
}

static void a_port_in_use_is_an_error(void **state)
{
    test_rig *rig = *state;
    fedn__server_options options = {.listen = rig->target};
    fedn__server *second = NULL;
    fedn_error err;

    assert_fails(fedn__server_new(rig->serving, &options, methods, 4, &second, &err), FEDN_ERR_IO,
                 &err, strchr(rig->target, ':') + 1);
    test_assert_words(err.message, "port in_use");
    assert_null(second);
}

static void a_path_listed_twice_is_an_error(void **state)
{
    test_rig *rig = *state;
    fedn__server_options options = {.listen = "127.0.0.1:0"};
    fedn__method twice[2] = {methods[0], methods[0]};
    fedn__server *second = NULL;
    fedn_error err;

    assert_fails(fedn__server_new(rig->serving, &options, twice, 2, &second, &err),
                 FEDN_ERR_INVALID, &err, "/t.T/Echo twice");
}

static void a_bad_certificate_is_an_error(void **state)
{
    test_rig *rig = *state;
    fedn__server_options options = {.listen = "127.0.0.1:0", .cert_pem = "no", .key_pem = "no"};
    fedn__server *second = NULL;
    fedn_error err;

    assert_fails(fedn__server_new(rig->serving, &options, methods, 4, &second, &err), FEDN_ERR_IO,
                 &err, "certificate PEM");
    options.key_pem = NULL;
    assert_fails(fedn__server_new(rig->serving, &options, methods, 4, &second, &err),
                 FEDN_ERR_INVALID, &err, "certificate key");
}

enum { MANY = 2000 };

typedef struct test_crowd {
    test_rig *rig;
    int32_t left;
    int32_t ok;
    fedn__flag done;
} test_crowd;

static void one_of_many(int32_t rpc, const char *details, const ProtobufCMessage *response,
                        void *user_data)
{
    test_crowd *crowd = user_data;

    (void)details;
    crowd->ok += rpc == FEDN__RPC_OK && response;
    if (--crowd->left == 0)
        fedn__flag_set(&crowd->done);
}

static void ask_many(void *arg)
{
    test_crowd *crowd = arg;
    Fedn__Heartbeat beat = FEDN__HEARTBEAT__INIT;
    Fedn__Client sender = FEDN__CLIENT__INIT;

    beat.sender = &sender;
    for (int32_t i = 0; i < MANY; i++)
        if (fedn__channel_unary(crowd->rig->channel, "/t.T/Echo", &beat.base,
                                &fedn__response__descriptor, NULL, one_of_many, crowd) == FEDN_OK)
            crowd->left++;
}

static void many_calls_at_once_are_all_answered(void **state)
{
    test_crowd crowd = {.rig = *state};

    fedn__flag_init(&crowd.done);
    rig_dialling(*state, ask_many, &crowd);
    assert_true(fedn__flag_wait(&crowd.done, INT64_MAX));
    assert_int_equal(crowd.ok, MANY);
    fedn__flag_done(&crowd.done);
}

static void connections_over_the_limit_are_unavailable(void **state)
{
    test_rig *first = *state;
    test_rig narrow;
    fedn__server_options options = {.listen = "127.0.0.1:0", .max_connections = 1};

    (void)first;
    rigged = &narrow; /* before there is a thread that reads it */
    rig_start_with(&narrow, methods, 4, &options);
    rig_dialling(&narrow, ask_kept, &narrow);
    rig_wait(&narrow.notes, "kept");
    /* the connection that is in may go on calling */
    assert_int_equal(rig_beat(&narrow, "/t.T/Echo", "c1", 5000).rpc, FEDN__RPC_OK);
    fedn__channel *in = narrow.channel;
    rig_dial(&narrow);
    rig_answer answer = rig_beat(&narrow, "/t.T/Echo", "c2", 5000);
    assert_int_equal(answer.rpc, FEDN__RPC_UNAVAILABLE);
    test_assert_words(answer.details, "connections");
    fedn__channel *out = narrow.channel;
    narrow.channel = in;
    rig_hang_up(&narrow);
    rig_wait(&narrow.notes, "closed-1");
    narrow.channel = out;
    assert_int_equal(rig_beat(&narrow, "/t.T/Echo", "c2", 5000).rpc, FEDN__RPC_OK);
    rig_stop(&narrow);
    rigged = first;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_request_is_answered),
        TEST(an_answer_may_come_after_the_handler_has_returned),
        TEST(a_refusal_carries_its_status_and_text),
        TEST(an_unknown_method_is_unimplemented_at_once),
        TEST(metadata_peer_and_path_are_known),
        TEST(metadata_that_cannot_be_sent_is_refused),
        TEST(a_request_over_the_limit_is_refused),
        TEST(text_that_is_not_utf8_is_refused),
        TEST(a_malformed_request_is_refused),
        TEST(a_deadline_ends_the_call_on_both_sides),
        TEST(a_client_that_goes_away_closes_the_call),
        TEST(a_shutdown_with_an_open_call_closes_it),
        TEST(a_new_server_on_the_port_is_found),
        TEST(a_port_in_use_is_an_error),
        TEST(a_path_listed_twice_is_an_error),
        TEST(a_bad_certificate_is_an_error),
        TEST(many_calls_at_once_are_all_answered),
        TEST(connections_over_the_limit_are_unavailable),
    };

    return cmocka_run_group_tests_name("rpc server", tests, test_count_setup, test_count_teardown);
}
