/* SPDX-License-Identifier: Apache-2.0
 * Clients that are sent to another combiner, or asked to connect anew: ours go, FEDn's come back.
 */
#include "network.h"
#include "raw_call.h"
#include "test.h"

#include <stdlib.h>

static network *net;

static int open_network(void **state)
{
    (void)state;
    network_set("combiner.reassign", "true");
    net = network_start(2);
    network_client(net, "ann", NULL, NULL, NULL);
    network_await_clients(net, 1);
    return 0;
}

static int close_network(void **state)
{
    (void)state;
    network_stop(net);
    return 0;
}

static raw_caller *dial(uint32_t nth, const char *as)
{
    return raw_dial(fedn_combiner_port(net->combiners[nth]), as);
}

/* Whether the client is at this combiner. */
static int32_t is_at(uint32_t nth, const char *id)
{
    raw_caller *caller = dial(nth, "");
    Fedn__ListClientsRequest request = FEDN__LIST_CLIENTS_REQUEST__INIT;
    raw_answer answer;
    int32_t found = 0;

    request.channel = FEDN__QUEUE__TASK_QUEUE;
    raw_unary(caller, "/fedn.Connector/ListActiveClients", &request.base,
              &fedn__client_list__descriptor, &answer);
    const Fedn__ClientList *list = (const Fedn__ClientList *)(void *)answer.message;
    for (size_t i = 0; i < list->n_client; i++)
        found |= strcmp(list->client[i]->client_id, id) == 0;
    raw_answer_done(&answer);
    raw_hang_up(caller);
    return found;
}

static void await(uint32_t nth, const char *id, int32_t there)
{
    while (is_at(nth, id) != there)
        json_decref(network_get(net, "status"));
}

static void expect(uint32_t nth, const char *path, const ProtobufCMessage *request, int32_t rpc,
                   const char *words)
{
    raw_caller *caller = dial(nth, "");
    raw_answer answer;

    raw_unary(caller, path, request, &fedn__response__descriptor, &answer);
    if (answer.rpc != rpc)
        fail_msg("%s: %s: %s", path, fedn__rpc_name(answer.rpc), answer.details);
    test_assert_words(answer.message ? ((const Fedn__Response *)(void *)answer.message)->response
                                     : answer.details,
                      words);
    raw_answer_done(&answer);
    raw_hang_up(caller);
}

static void reassign(uint32_t nth, const char *id, const char *server, int32_t port, int32_t rpc,
                     const char *words)
{
    Fedn__ReassignRequest request = FEDN__REASSIGN_REQUEST__INIT;
    Fedn__Client receiver = FEDN__CLIENT__INIT;

    receiver.client_id = (char *)(uintptr_t)id;
    request.receiver = &receiver;
    request.server = (char *)(uintptr_t)server;
    request.port = (uint32_t)port;
    expect(nth, "/fedn.Connector/ReassignClient", &request.base, rpc, words);
}

static void reconnect(uint32_t nth, const char *id, int32_t rpc, const char *words)
{
    Fedn__ReconnectRequest request = FEDN__RECONNECT_REQUEST__INIT;
    Fedn__Client receiver = FEDN__CLIENT__INIT;

    receiver.client_id = (char *)(uintptr_t)id;
    request.receiver = &receiver;
    expect(nth, "/fedn.Connector/ReconnectClient", &request.base, rpc, words);
}

static void a_client_goes_where_it_is_sent_and_stays_there(void **state)
{
    uint32_t from = is_at(0, "ann") ? 0 : 1;
    uint32_t to = 1 - from;

    (void)state;
    reassign(from, "ann", "127.0.0.1", fedn_combiner_port(net->combiners[to]), FEDN__RPC_OK,
             "SENT");
    await(to, "ann", 1);
    await(from, "ann", 0);
    reconnect(to, "ann", FEDN__RPC_OK, "ASKED");
    await(to, "ann", 1);
}

static void a_client_of_fedn_is_not_sent_but_asked_to_come_back(void **state)
{
    raw_caller *stranger = dial(0, "stranger");
    raw_stream *stream = raw_open(stranger, "");

    (void)state;
    await(0, "stranger", 1);
    reassign(0, "stranger", "127.0.0.1", 12080, FEDN__RPC_FAILED_PRECONDITION, "libfedn");
    reconnect(0, "stranger", FEDN__RPC_OK, "ASKED");
    raw_await_end(stream, FEDN__RPC_UNAVAILABLE);
    raw_close(stream);
    raw_hang_up(stranger);
}

static void what_makes_no_sense_is_refused(void **state)
{
    uint32_t at = is_at(0, "ann") ? 0 : 1;

    (void)state;
    reassign(at, "nobody", "127.0.0.1", 12080, FEDN__RPC_NOT_FOUND, "nobody not_here");
    reassign(at, "ann", "", 12080, FEDN__RPC_INVALID_ARGUMENT, "65535");
    reassign(at, "ann", "127.0.0.1", 0, FEDN__RPC_INVALID_ARGUMENT, "65535");
    reassign(at, "ann", "127.0.0.1", 70000, FEDN__RPC_INVALID_ARGUMENT, "65535");
    reconnect(at, "", FEDN__RPC_NOT_FOUND, "not_here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_goes_where_it_is_sent_and_stays_there),
        cmocka_unit_test(a_client_of_fedn_is_not_sent_but_asked_to_come_back),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    fedn_tune_process();
    return cmocka_run_group_tests(tests, open_network, close_network);
}
