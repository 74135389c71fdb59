/* SPDX-License-Identifier: Apache-2.0
 * What a combiner answers to peers that send what they should not: one clear refusal each, and
 * nothing is changed. */
#include "network.h"
#include "raw_call.h"
#include "test.h"

#include "fedn.pb-c.h"
#include "health.pb-c.h"
#include <stdatomic.h>
#include <stdlib.h>

#define ID_1 "11111111-1111-4111-8111-111111111111"
#define ID_2 "22222222-2222-4222-8222-222222222222"
#define ID_3 "33333333-3333-4333-8333-333333333333"

typedef struct holding {
    atomic_int begun;
    atomic_int released;
    char round_id[64];
    char session_id[64];
    char model_id[64];
} holding;

/* Keeps the round open while the test plays the stranger, then trains. */
static fedn_status hold_round(fedn_task *task, fedn_error *err, void *user_data)
{
    holding *h = user_data;
    fedn_model *model = NULL;

    snprintf(h->round_id, sizeof h->round_id, "%s", fedn_task_round_id(task));
    snprintf(h->session_id, sizeof h->session_id, "%s", fedn_task_session_id(task));
    snprintf(h->model_id, sizeof h->model_id, "%s", fedn_task_model_id(task));
    atomic_store(&h->begun, 1);
    while (!atomic_load(&h->released) && !fedn_task_is_cancelled(task))
        fedn_task_progress(task, 1, 2);
    fedn_status rc = fedn_task_model(task, &model, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_num_examples(task, 1, err);
    return rc == FEDN_OK ? fedn_task_set_model(task, model, err) : rc;
}

static network *net;
static holding held;
static char *session;
static int32_t port;

static int open_round(void **state)
{
    fedn_error err;
    fedn_model *model = NULL;
    const uint64_t shape[1] = {10};

    (void)state;
    network_set("combiner.max_model_bytes", "100000");
    net = network_start(1);
    port = fedn_combiner_port(net->combiners[0]);
    network_client(net, "honest", hold_round, NULL, &held);
    network_client(net, "steady", hold_round, NULL, &held);
    network_await_clients(net, 2);
    assert_ok(fedn_model_new(&model, &err), &err);
    assert_ok(fedn_model_add(model, NULL, FEDN_DTYPE_F32, 1, shape, NULL, NULL, &err), &err);
    fedn_free(network_push(net, model));
    fedn_model_unref(model);
    session = network_session(net, "", 1);
    while (!atomic_load(&held.begun))
        json_decref(network_get(net, "status"));
    return 0;
}

/* Whatever strangers did: the round ends with the two clients in its record, and nobody else. */
static int close_round(void **state)
{
    (void)state;
    atomic_store(&held.released, 1);
    char *status = network_await_session(net, session);
    int ok = strcmp(status, "Finished") == 0;
    json_t *rounds = network_rounds(net, session);
    const json_t *combiner =
        json_array_get(json_object_get(json_array_get(rounds, 0), "combiners"), 0);
    const json_t *clients = json_object_get(combiner, "clients");
    ok = ok && json_array_size(clients) == 2;
    for (size_t i = 0; ok && i < 2; i++) {
        const json_t *client = json_array_get(clients, i);
        const char *outcome = json_string_value(json_object_get(client, "outcome"));
        /* "honest" was spoken for by strangers: its own update may come too late to be heard */
        ok = strcmp(json_string_value(json_object_get(client, "client_id")), "honest") == 0 ||
             strcmp(outcome, "accepted") == 0;
    }
    if (!ok)
        json_dumpf(rounds, stderr, JSON_INDENT(1));
    json_decref(rounds);
    free(status);
    fedn_free(session);
    network_stop(net);
    return ok ? 0 : -1;
}

/* Announces an update, with so many bytes of a model along, and gives back the combiner's words. */
static void announce_with(const char *as, const char *update_id, const char *meta, uint64_t bytes,
                          char *ret, size_t room)
{
    raw_caller *caller = raw_dial(port, as);
    Fedn__Client sender = FEDN__CLIENT__INIT;
    Fedn__ModelUpdate update = FEDN__MODEL_UPDATE__INIT;
    raw_answer answer;
    char config[256];
    uint8_t *model = calloc(1, bytes + 1);

    snprintf(config, sizeof config, "{\"round_id\": \"%s\", \"session_id\": \"%s\"}", held.round_id,
             held.session_id);
    sender.role = FEDN__ROLE__CLIENT;
    sender.name = (char *)(uintptr_t)as;
    update.sender = &sender;
    update.model_id = held.model_id;
    update.model_update_id = (char *)(uintptr_t)update_id;
    update.meta = (char *)(uintptr_t)meta;
    update.config = config;
    update.model.data = model;
    update.model.len = bytes;
    raw_unary(caller, "/fedn.Combiner/SendModelUpdate", &update.base, &fedn__response__descriptor,
              &answer);
    if (answer.message)
        snprintf(ret, room, "%s", ((Fedn__Response *)(void *)answer.message)->response);
    else
        snprintf(ret, room, "%s: %.400s", fedn__rpc_name(answer.rpc), answer.details);
    raw_answer_done(&answer);
    raw_hang_up(caller);
    free(model);
}

static void announce(const char *as, const char *update_id, const char *meta, char *ret,
                     size_t room)
{
    announce_with(as, update_id, meta, 0, ret, room);
}

static void announcements_that_cannot_count_are_refused(void **state)
{
    static const char good[] = "{\"training_metadata\": {\"num_examples\": 5}}";
    static const struct {
        const char *as, *update_id, *meta, *words;
    } cases[] = {
        {"honest", ID_1, good, "REFUSED " ID_1 " was_not_uploaded"},
        {"stranger", ID_1, good, "REFUSED stranger was_not_asked"},
        {"honest", "../../etc/passwd", good, "REFUSED not_a_UUID"},
        {"honest", ID_1, "nonsense", "REFUSED meta not_JSON"},
        {"honest", ID_1, "{}", "REFUSED training_metadata.num_examples"},
        {"honest", ID_1, "{\"training_metadata\": {\"num_examples\": \"many\"}}",
         "REFUSED training_metadata.num_examples"},
        {"", ID_1, good, "INVALID_ARGUMENT who_it_is"},
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        announce(cases[i].as, cases[i].update_id, cases[i].meta, text, sizeof text);
        test_assert_words(text, cases[i].words);
    }
}

static void nobody_uploads_or_announces_under_the_id_of_another(void **state)
{
    raw_caller *ann = raw_dial(port, "ann");
    raw_caller *mallory = raw_dial(port, "mallory");
    fedn_error err;
    char text[512];

    (void)state;
    assert_ok(raw_upload(ann, ID_2, "model", 5, &err), &err);
    assert_fails(raw_upload(mallory, ID_2, "other", 5, &err), FEDN_ERR_DENIED, &err,
                 ID_2 " another_client");
    announce("honest", ID_2, "{\"training_metadata\": {\"num_examples\": 5}}", text, sizeof text);
    test_assert_words(text, "REFUSED another_client");
    raw_hang_up(ann);
    raw_hang_up(mallory);
}

static void a_model_that_comes_along_changes_nothing_of_that(void **state)
{
    static const char good[] = "{\"training_metadata\": {\"num_examples\": 5}}";
    static const struct {
        const char *as, *update_id, *meta;
        uint64_t bytes;
        const char *words;
    } cases[] = {
        {"stranger", ID_1, good, 5, "REFUSED stranger was_not_asked"},
        {"honest", ID_3, good, 5, "REFUSED " ID_3 " another_client"},
        {"honest", "../../etc/passwd", good, 5, "REFUSED not_a_UUID"},
        {"honest", ID_1, good, 100001, "REFUSED " ID_1 " 100001 100000"},
        {"honest", ID_1, good, 300000, "REFUSED " ID_1 " 300000 100000"},
        {"", ID_1, good, 5, "INVALID_ARGUMENT who_it_is"},
        {"honest", ID_1, "nonsense", 5, "REFUSED meta not_JSON"},
        {"honest", ID_1, good, 0, "REFUSED " ID_1 " was_not_uploaded"}, /* nothing is left */
    };
    raw_caller *ann = raw_dial(port, "ann");
    fedn_error err;
    char text[512];

    (void)state;
    assert_ok(raw_upload(ann, ID_3, "model", 5, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        announce_with(cases[i].as, cases[i].update_id, cases[i].meta, cases[i].bytes, text,
                      sizeof text);
        test_assert_words(text, cases[i].words);
    }
    raw_hang_up(ann);
}

static void an_upload_over_the_ceiling_is_refused_with_the_bound(void **state)
{
    raw_caller *caller = raw_dial(port, "ann");
    fedn_error err;
    uint8_t *big = calloc(1, 200000);

    (void)state;
    assert_fails(raw_upload(caller, ID_1, big, 200000, &err), FEDN_ERR_LIMIT, &err, "100000");
    free(big);
    raw_hang_up(caller);
}

static void an_unknown_model_is_not_found(void **state)
{
    raw_caller *caller = raw_dial(port, "ann");
    char path[512];
    fedn_error err;

    (void)state;
    snprintf(path, sizeof path, "%s/unknown", net->dir);
    assert_fails(raw_download(caller, ID_1, path, &err), FEDN_ERR_NOT_FOUND, &err, ID_1);
    assert_ok(raw_download(caller, held.model_id, path, &err), &err);
    raw_hang_up(caller);
}

static void an_unknown_method_is_answered(void **state)
{
    raw_caller *caller = raw_dial(port, "ann");
    Fedn__ConnectionRequest request = FEDN__CONNECTION_REQUEST__INIT;
    raw_answer answer;

    (void)state;
    raw_unary(caller, "/fedn.Nobody/Nothing", &request.base, &fedn__response__descriptor, &answer);
    assert_int_equal(answer.rpc, FEDN__RPC_UNIMPLEMENTED);
    raw_hang_up(caller);
}

static void the_newest_global_model_is_asked_of_the_reducer(void **state)
{
    raw_caller *caller = raw_dial(port, "");
    Fedn__GetGlobalModelRequest request = FEDN__GET_GLOBAL_MODEL_REQUEST__INIT;
    raw_answer answer;

    (void)state;
    raw_unary(caller, "/fedn.Reducer/GetGlobalModel", &request.base,
              &fedn__get_global_model_response__descriptor, &answer);
    assert_int_equal(answer.rpc, FEDN__RPC_OK);
    assert_string_equal(((Fedn__GetGlobalModelResponse *)(void *)answer.message)->model_id,
                        held.model_id);
    raw_answer_done(&answer);
    raw_hang_up(caller);
}

static void anybody_may_ask_how_it_is_and_who_is_there(void **state)
{
    raw_caller *caller = raw_dial(port, "");
    Grpc__Health__V1__HealthCheckRequest how = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    Fedn__ListClientsRequest who = FEDN__LIST_CLIENTS_REQUEST__INIT;
    raw_answer answer;

    (void)state;
    raw_unary(caller, "/grpc.health.v1.Health/Check", &how.base,
              &grpc__health__v1__health_check_response__descriptor, &answer);
    assert_int_equal(answer.rpc, FEDN__RPC_OK);
    assert_int_equal(((Grpc__Health__V1__HealthCheckResponse *)(void *)answer.message)->status,
                     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
    raw_answer_done(&answer);
    who.channel = FEDN__QUEUE__TASK_QUEUE;
    raw_unary(caller, "/fedn.Connector/ListActiveClients", &who.base,
              &fedn__client_list__descriptor, &answer);
    assert_int_equal(answer.rpc, FEDN__RPC_OK);
    const Fedn__ClientList *list = (Fedn__ClientList *)(void *)answer.message;
    assert_int_equal(list->n_client, 2);
    assert_string_equal(list->client[0]->name, list->client[0]->client_id);
    raw_answer_done(&answer);
    raw_hang_up(caller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(announcements_that_cannot_count_are_refused),
        cmocka_unit_test(nobody_uploads_or_announces_under_the_id_of_another),
        cmocka_unit_test(a_model_that_comes_along_changes_nothing_of_that),
        cmocka_unit_test(an_upload_over_the_ceiling_is_refused_with_the_bound),
        cmocka_unit_test(an_unknown_model_is_not_found),
        cmocka_unit_test(an_unknown_method_is_answered),
        cmocka_unit_test(the_newest_global_model_is_asked_of_the_reducer),
        cmocka_unit_test(anybody_may_ask_how_it_is_and_who_is_there),
    };
    fedn_tune_process();
    return cmocka_run_group_tests(tests, open_round, close_round);
}
