/* SPDX-License-Identifier: Apache-2.0
 * TLS: who is trusted, who is let in. Needs the openssl tool for certificates; skipped without it.
 */
#include "certificate.h"
#include "rig.h"

#include <stdlib.h>

static char *scratch;
static char *pem[4]; /* the server's and the client's certificate and key; each its own authority */

enum { SERVER_CERT, SERVER_KEY, CLIENT_CERT, CLIENT_KEY };

static void answer(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    Fedn__Response response = FEDN__RESPONSE__INIT;

    (void)service;
    (void)request;
    response.response = (char *)(uintptr_t) "privately";
    fedn__call_reply(call, &response.base);
}

static const fedn__method methods[] = {{.path = "/t.T/Beat",
                                        .kind = FEDN__UNARY,
                                        .request = &fedn__heartbeat__descriptor,
                                        .open = answer}};

static void dial(test_rig *rig, const fedn__channel_options *options)
{
    fedn__channel_options with_target = *options;
    fedn_error err;

    rig_hang_up(rig);
    with_target.target = rig->target;
    assert_ok(fedn__channel_new(rig->dialling, &with_target, &rig->channel, &err), &err);
}

static void a_server_is_trusted_by_its_authority_only(void **state)
{
    test_rig rig;
    fedn__server_options options = {
        .listen = "127.0.0.1:0", .cert_pem = pem[SERVER_CERT], .key_pem = pem[SERVER_KEY]};
    fedn__channel_options trusting = {.tls = 1, .root_pem = pem[SERVER_CERT]};
    fedn__channel_options distrusting = {.tls = 1, .root_pem = pem[CLIENT_CERT]};
    fedn__channel_options plain = {.tls = 0};

    (void)state;
    rig_start_with(&rig, methods, 1, &options);
    dial(&rig, &trusting);
    assert_string_equal(rig_beat(&rig, "/t.T/Beat", "c1", 10000).response, "privately");
    dial(&rig, &distrusting);
    assert_int_equal(rig_beat(&rig, "/t.T/Beat", "c1", 10000).rpc, FEDN__RPC_UNAVAILABLE);
    dial(&rig, &plain);
    assert_int_not_equal(rig_beat(&rig, "/t.T/Beat", "c1", 2000).rpc, FEDN__RPC_OK);
    rig_stop(&rig);
}

static void clients_may_have_to_show_a_certificate(void **state)
{
    test_rig rig;
    fedn__server_options options = {.listen = "127.0.0.1:0",
                                    .cert_pem = pem[SERVER_CERT],
                                    .key_pem = pem[SERVER_KEY],
                                    .client_ca_pem = pem[CLIENT_CERT]};
    fedn__channel_options nobody = {.tls = 1, .root_pem = pem[SERVER_CERT]};
    fedn__channel_options known = {.tls = 1,
                                   .root_pem = pem[SERVER_CERT],
                                   .cert_pem = pem[CLIENT_CERT],
                                   .key_pem = pem[CLIENT_KEY]};

    (void)state;
    rig_start_with(&rig, methods, 1, &options);
    dial(&rig, &nobody);
    assert_int_equal(rig_beat(&rig, "/t.T/Beat", "c1", 10000).rpc, FEDN__RPC_UNAVAILABLE);
    dial(&rig, &known);
    assert_string_equal(rig_beat(&rig, "/t.T/Beat", "c1", 10000).response, "privately");
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_is_trusted_by_its_authority_only),
        cmocka_unit_test(clients_may_have_to_show_a_certificate),
    };

    scratch = test_scratch();
    int made = certificate_make(scratch, "server", "127.0.0.1") &&
               certificate_make(scratch, "client", "127.0.0.1");
    for (int i = 0; made && i < 4; i++)
        pem[i] = certificate_read(scratch, i < CLIENT_CERT ? "server" : "client",
                                  i % 2 == 0 ? "pem" : "key");
    int failed =
        made ? cmocka_run_group_tests_name("rpc tls", tests, test_count_setup, test_count_teardown)
             : 77;
    for (int i = 0; i < 4; i++)
        free(pem[i]);
    test_scratch_done(scratch);
    return failed;
}
