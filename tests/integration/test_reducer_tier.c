/* SPDX-License-Identifier: Apache-2.0
 * A reducer and scripted combiners over real gRPC: rounds from order to commit, links that are cut,
 * messages that come twice, greetings that are refused. */
#include "fake_attach.h"
#include "reducer_rig.h"
#include "test.h"
#include <fedn/model.h>
#include <stdlib.h>

#define START FEDN__TIER__V1__DOWN__BODY_START

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static json_t *get(reducer_rig *rig, const char *path)
{
    return reducer_rig_send(rig, "GET", path, NULL, NULL, 200);
}

static fake_attach *join(reducer_rig *rig, const char *name, uint32_t active)
{
    fake_attach *fake = fake_attach_new(fedn_reducer_port(rig->reducer), name);

    fake_attach_join(fake, active);
    fake_attach_await_ack(fake, 1);
    return fake;
}

static const Fedn__Tier__V1__RoundStart *order(fake_attach *fake, uint32_t nth)
{
    return fake_attach_wait(fake, START, nth)->start;
}

/* Trains and reports in one go. */
static void answer(fake_attach *fake, uint32_t nth, float value, double weight)
{
    const Fedn__Tier__V1__RoundStart *start = order(fake, nth);
    char partial[37];

    fake_attach_train(fake, start, value, weight, partial);
    fake_attach_report(fake, start, partial, NULL);
}

static void await_session(reducer_rig *rig, const char *id, const char *status)
{
    char query[128];

    snprintf(query, sizeof query, "after=0&session_id=%s", id);
    json_decref(reducer_rig_await(rig, query, "session", "status", status));
}

static void assert_model_is(reducer_rig *rig, const char *model_id, fake_attach *fake, float value)
{
    fedn_model *model = NULL;
    char path[512];
    fedn_error err;

    snprintf(path, sizeof path, "%s/model.npz", rig->dir);
    assert_ok(fake_attach_download(fake, model_id, path, &err), &err);
    assert_ok(fedn_model_load(path, "npz", &model, &err), &err);
    assert_true(((const float *)fedn_model_data(model, 0))[3] == value);
    fedn_model_unref(model);
}

static void two_combiners_are_averaged_by_weight_and_the_trail_is_one_line(void **state)
{
    reducer_rig *rig = *state;
    fake_attach *a = join(rig, "a", 1);
    fake_attach *b = join(rig, "b", 1);
    char *seed = reducer_rig_push(rig, 0);
    char *id = reducer_rig_session(rig, "\"validate\": true", 2);

    assert_string_equal(order(a, 0)->model_id, seed);
    assert_string_equal(order(a, 0)->session_id, id);
    assert_string_equal(order(a, 0)->aggregator, "fedavg");
    assert_int_equal(order(a, 0)->round_timeout_ms, 180000);
    json_t *task = json_loads(order(a, 0)->round_config, 0, NULL);
    assert_string_equal(text(task, "round_id"), "1");
    assert_string_equal(text(task, "round_timeout"), "180");
    assert_string_equal(text(task, "aggregator_kwargs"), "None");
    assert_string_equal(text(task, "validate"), "True");
    json_decref(task);
    answer(a, 0, 1, 30);
    answer(b, 0, 5, 10);
    /* the new model is validated, and trained on at once */
    const Fedn__Tier__V1__ModelTask *validate =
        fake_attach_wait(a, FEDN__TIER__V1__DOWN__BODY_TASK, 0)->task;
    assert_int_equal(validate->type, 4);
    assert_string_equal(order(a, 1)->model_id, validate->model_id);
    assert_model_is(rig, validate->model_id, a, 2);
    answer(a, 1, 3, 1);
    answer(b, 1, 3, 1);
    await_session(rig, id, "Finished");

    json_t *models = reducer_rig_send(rig, "GET", "api/v1/models/", "X-Sort-Order: asc", NULL, 200);
    const json_t *list = json_object_get(models, "result");
    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(text(json_array_get(list, 1), "parent_model"), seed);
    assert_string_equal(text(json_array_get(list, 2), "parent_model"),
                        text(json_array_get(list, 1), "model_id"));
    assert_string_equal(text(json_array_get(list, 2), "session_id"), id);
    json_decref(models);
    json_t *round = get(rig, "api/v1/rounds/1");
    const json_t *combiner = json_array_get(json_object_get(round, "combiners"), 0);
    assert_string_equal(text(round, "status"), "Finished");
    assert_string_equal(text(combiner, "status"), "Success");
    assert_string_equal(text(json_array_get(json_object_get(combiner, "clients"), 0), "outcome"),
                        "accepted");
    assert_true(
        json_real_value(json_object_get(json_object_get(round, "round_data"), "time_commit")) > 0);
    json_decref(round);
    free(id);
    free(seed);
    fake_attach_free(a);
    fake_attach_free(b);
}

static void models_take_the_prefix_and_a_later_start_goes_on_from_the_last(void **state)
{
    reducer_rig *rig = *state;
    fake_attach *a = join(rig, "a", 1);
    char body[256];

    free(reducer_rig_push(rig, 0));
    json_t *session = reducer_rig_send(rig, "POST", "api/v1/sessions/", NULL, "{}", 201);
    const char *id = text(session, "session_id");
    snprintf(body, sizeof body,
             "{\"session_id\": \"%s\", \"rounds\": 1, \"model_name_prefix\": \"digits\", "
             "\"client_ids\": \"c1, c2\"}",
             id);
    json_decref(reducer_rig_send(rig, "POST", "api/v1/sessions/start", NULL, body, 200));
    assert_int_equal(order(a, 0)->n_selected_clients, 2);
    assert_string_equal(order(a, 0)->selected_clients[1], "c2");
    assert_non_null(strstr(order(a, 0)->round_config, "\"['c1', 'c2']\""));
    answer(a, 0, 1, 1);
    await_session(rig, id, "Finished");
    json_decref(reducer_rig_send(rig, "POST", "api/v1/sessions/start", NULL, body, 200));
    json_t *model = get(rig, "api/v1/models?name=digits_1");
    assert_string_equal(order(a, 1)->model_id,
                        text(json_array_get(json_object_get(model, "result"), 0), "model_id"));
    json_decref(model);
    answer(a, 1, 1, 1);
    await_session(rig, id, "Finished");
    model = get(rig, "api/v1/models?name=digits_2");
    assert_int_equal(json_integer_value(json_object_get(model, "count")), 1);
    json_decref(model);
    json_decref(session);
    fake_attach_free(a);
}

static void a_bad_partial_is_named_and_the_others_make_the_model(void **state)
{
    reducer_rig *rig = *state;
    fake_attach *a = join(rig, "a", 1);
    fake_attach *b = join(rig, "b", 1);
    const char *bad = "10000000-0000-4000-8000-000000000000";
    fedn_error err;

    free(reducer_rig_push(rig, 0));
    char *id = reducer_rig_session(rig, "\"validate\": false", 1);
    assert_ok(fake_attach_upload(a, bad, "no archive", 10, &err), &err);
    fake_attach_report(a, order(a, 0), bad, NULL);
    answer(b, 0, 4, 1);
    await_session(rig, id, "Finished");
    json_t *round = get(rig, "api/v1/rounds/1");
    const json_t *combiners = json_object_get(round, "combiners");
    for (size_t i = 0; i < 2; i++) {
        const json_t *entry = json_array_get(combiners, i);
        int32_t is_bad = strcmp(text(entry, "name"), "a") == 0;
        assert_string_equal(text(entry, "status"), is_bad ? "Failed" : "Success");
        assert_true(!is_bad || text(entry, "message")[0]);
    }
    json_decref(round);
    free(id);
    fake_attach_free(a);
    fake_attach_free(b);
}

static void rounds_without_a_model_fail_and_three_of_them_end_the_session(void **state)
{
    reducer_rig *rig = *state;
    fake_attach *a = join(rig, "a", 1);
    char path[128];

    free(reducer_rig_push(rig, 0));
    char *id = reducer_rig_session(rig, "", 5);
    for (uint32_t i = 0; i < 3; i++)
        fake_attach_report(a, order(a, i), NULL, "0 of 1 clients gave an update");
    await_session(rig, id, "Failed");
    snprintf(path, sizeof path, "api/v1/sessions/%s", id);
    json_t *session = get(rig, path);
    assert_string_equal(text(session, "status"), "Failed");
    json_decref(session);
    json_t *round = get(rig, "api/v1/rounds/3");
    test_assert_words(text(round, "message"), "a 0_of_1_clients_gave_an_update");
    json_decref(round);
    free(id);
    fake_attach_free(a);
}

static void a_cut_link_resumes_and_what_was_missed_comes_again(void **state)
{
    reducer_rig *rig = *state;
    fake_attach *a = join(rig, "a", 1);
    const char *status = "{\"status_id\": \"s1\", \"status\": \"once\"}";

    free(reducer_rig_push(rig, 0));
    char *id = reducer_rig_session(rig, "", 1);
    char partial[37];
    fake_attach_train(a, order(a, 0), 2, 1, partial);
    fake_attach_event(a, "statuses", status);
    fake_attach_await_ack(a, fake_attach_sent(a));
    fake_attach_cut(a);
    fake_attach_join(a, 1);
    fake_attach_report(a, order(a, 0), partial, NULL);
    await_session(rig, id, "Finished");
    json_t *count = get(rig, "api/v1/statuses/count?status=once");
    assert_int_equal(json_integer_value(count), 1);
    json_decref(count);
    free(id);
    fake_attach_free(a);
}

static void a_message_that_comes_twice_counts_once_and_a_gap_ends_the_stream(void **state)
{
    reducer_rig *rig = *state;
    fake_attach *a = join(rig, "a", 1);
    Fedn__Tier__V1__Event event = FEDN__TIER__V1__EVENT__INIT;
    Fedn__Tier__V1__Event *list[] = {&event};
    Fedn__Tier__V1__Events events = FEDN__TIER__V1__EVENTS__INIT;
    Fedn__Tier__V1__Up up = FEDN__TIER__V1__UP__INIT;

    event.kind = (char *)(uintptr_t) "metrics";
    event.json = (char *)(uintptr_t) "{\"key\": \"loss\", \"value\": 0.5}";
    events.n_events = 1;
    events.events = list;
    up.body_case = FEDN__TIER__V1__UP__BODY_EVENTS;
    up.events = &events;
    fake_attach_send(a, &up);
    fake_attach_send_as(a, &up, 2);
    fake_attach_send_as(a, &up, 2);
    fake_attach_event(a, "attributes", "{\"key\": \"site\", \"value\": \"7\"}");
    fake_attach_await_ack(a, 3);
    json_t *count = get(rig, "api/v1/metrics/count?value__lt=1");
    assert_int_equal(json_integer_value(count), 1);
    json_decref(count);
    count = get(rig, "api/v1/attributes/count?value=7");
    assert_int_equal(json_integer_value(count), 1);
    json_decref(count);
    fake_attach_send_as(a, &up, 9);
    assert_int_equal(fake_attach_await_end(a), 14);
    fake_attach_free(a);
}

static void records_that_do_not_fit_are_dropped_and_the_rest_is_kept(void **state)
{
    reducer_rig *rig = *state;
    fake_attach *a = join(rig, "a", 1);

    fake_attach_event(a, "sessions", "{\"session_id\": \"forged\"}");
    fake_attach_event(a, "models", "{\"model_id\": \"forged\"}");
    fake_attach_event(a, "statuses", "{");
    fake_attach_event(a, "statuses",
                      "{\"status\": \"kept\", \"committed_at\": \"1970\", \"x\": 1}");
    fake_attach_event(a, "validations",
                      "{\"validation_id\": \"v\", \"model_id\": \"m\", \"session_id\": \"\", "
                      "\"data\": \"{\\\"loss\\\": 0.25}\", "
                      "\"sender\": {\"name\": \"n\", \"client_id\": \"c\", \"role\": \"CLIENT\"}}");
    fake_attach_await_ack(a, fake_attach_sent(a));
    json_t *list = get(rig, "api/v1/statuses/");
    const json_t *kept = json_array_get(json_object_get(list, "result"), 0);
    assert_int_equal(json_integer_value(json_object_get(list, "count")), 1);
    assert_string_equal(text(kept, "status"), "kept");
    assert_null(json_object_get(kept, "x"));
    assert_non_null(strstr(text(kept, "committed_at"), "GMT"));
    assert_int_equal(strlen(text(kept, "status_id")), 36);
    json_decref(list);
    json_t *count = get(rig, "api/v1/sessions/count");
    assert_int_equal(json_integer_value(count), 0);
    json_decref(count);
    json_t *validation = reducer_rig_await(rig, "after=1", "validation", "client_id", "c");
    assert_true(
        json_number_value(json_object_get(json_object_get(validation, "metrics"), "loss")) == 0.25);
    json_decref(validation);
    fake_attach_free(a);
}

static void rosters_set_clients_online_and_a_lost_link_offline(void **state)
{
    reducer_rig *rig = *state;
    fake_attach *a = join(rig, "a", 0);
    Fedn__Tier__V1__RosterChange change = FEDN__TIER__V1__ROSTER_CHANGE__INIT;
    Fedn__Tier__V1__RosterChange *changes[] = {&change};
    Fedn__Tier__V1__Roster roster = FEDN__TIER__V1__ROSTER__INIT;
    Fedn__Tier__V1__Up up = FEDN__TIER__V1__UP__INIT;

    change.client_id = (char *)(uintptr_t) "c1";
    change.name = (char *)(uintptr_t) "client one";
    change.online = 1;
    change.last_seen_ms = 1700000000000;
    roster.active = 1;
    roster.n_changes = 1;
    roster.changes = changes;
    up.body_case = FEDN__TIER__V1__UP__BODY_ROSTER;
    up.roster = &roster;
    fake_attach_send(a, &up);
    fake_attach_await_ack(a, 2);
    json_t *client = get(rig, "api/v1/clients/c1");
    assert_string_equal(text(client, "status"), "online");
    assert_string_equal(text(client, "name"), "client one");
    assert_string_equal(text(client, "last_seen"), "Tue, 14 Nov 2023 22:13:20 GMT");
    assert_true(json_is_null(json_object_get(client, "package")));
    json_decref(client);
    json_t *combiner = get(rig, "api/v1/combiners?name=a");
    assert_int_equal(json_integer_value(json_object_get(combiner, "count")), 1);
    json_decref(combiner);
    fake_attach_cut(a);
    json_decref(reducer_rig_await(rig, "after=0", "combiner", "status", "offline"));
    fake_attach_free(a);
    /* written in order: what is written now is written behind it */
    json_decref(reducer_rig_send(rig, "POST", "api/v1/sessions/", NULL, "{}", 201));
    client = get(rig, "api/v1/clients/c1");
    assert_string_equal(text(client, "status"), "offline");
    json_decref(client);
}

static void greetings_that_do_not_fit_are_refused_in_the_welcome(void **state)
{
    static const struct {
        uint32_t protocol, port;
        const char *name, *id, *words;
    } cases[] = {
        {99, 1, "b", "b", "protocol 99"},
        {1, 1, "no name", "b", "no_name"},
        {1, 1, "a", "somebody else", "combiner_id"},
        {1, 1, "a", "another", "a attached"},
        {1, 99999, "b", "b", "port 99999"},
    };
    reducer_rig *rig = *state;
    fake_attach *a = join(rig, "a", 1);

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_attach *b = fake_attach_new(fedn_reducer_port(rig->reducer), "b");
        Fedn__Tier__V1__Hello hello = FEDN__TIER__V1__HELLO__INIT;
        hello.protocol = cases[i].protocol;
        hello.port = cases[i].port;
        hello.name = (char *)(uintptr_t)cases[i].name;
        hello.combiner_id = (char *)(uintptr_t)cases[i].id;
        test_assert_words(fake_attach_greet(b, &hello)->refused, cases[i].words);
        fake_attach_await_end(b);
        fake_attach_free(b);
    }
    fake_attach_free(a);
}

static void a_newer_stream_of_the_same_combiner_takes_the_older_ones_place(void **state)
{
    reducer_rig *rig = *state;
    fake_attach *a = join(rig, "a", 1);
    fake_attach *again = join(rig, "a", 1);

    assert_int_equal(fake_attach_await_end(a), 14);
    fake_attach_free(a);
    json_t *status = get(rig, "api/v1/status");
    const json_t *combiners = json_object_get(status, "combiners");
    assert_int_equal(json_array_size(combiners), 1);
    assert_true(json_is_true(json_object_get(json_array_get(combiners, 0), "online")));
    json_decref(status);
    fake_attach_free(again);
}

static void partials_are_taken_from_attached_combiners_only(void **state)
{
    reducer_rig *rig = *state;
    fake_attach *stranger = fake_attach_new(fedn_reducer_port(rig->reducer), "stranger");
    fedn_error err;

    assert_fails(fake_attach_upload(stranger, "10000000-0000-4000-8000-000000000000", "x", 1, &err),
                 FEDN_ERR_DENIED, &err, "stranger attached");
    assert_fails(fake_attach_download(stranger, "10000000-0000-4000-8000-000000000000",
                                      "/nonexistent/x", &err),
                 FEDN_ERR_NOT_FOUND, &err, "");
    fake_attach_free(stranger);
}

static void a_stopped_session_cancels_its_round(void **state)
{
    reducer_rig *rig = *state;
    fake_attach *a = join(rig, "a", 1);
    char path[128];

    free(reducer_rig_push(rig, 0));
    char *id = reducer_rig_session(rig, "", 1);
    order(a, 0);
    snprintf(path, sizeof path, "api/v1/sessions/%s", id);
    json_t *session =
        reducer_rig_send(rig, "PATCH", path, NULL, "{\"status\": \"Terminated\"}", 200);
    assert_string_equal(text(session, "status"), "Terminated");
    json_decref(session);
    assert_string_equal(fake_attach_wait(a, FEDN__TIER__V1__DOWN__BODY_CANCEL, 0)->cancel->round_id,
                        "1");
    free(id);
    fake_attach_free(a);
}

int main(void)
{
#define RIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, reducer_rig_setup, reducer_rig_teardown)
    const struct CMUnitTest tests[] = {
        RIG_TEST(two_combiners_are_averaged_by_weight_and_the_trail_is_one_line),
        RIG_TEST(models_take_the_prefix_and_a_later_start_goes_on_from_the_last),
        RIG_TEST(a_bad_partial_is_named_and_the_others_make_the_model),
        RIG_TEST(rounds_without_a_model_fail_and_three_of_them_end_the_session),
        RIG_TEST(a_cut_link_resumes_and_what_was_missed_comes_again),
        RIG_TEST(a_message_that_comes_twice_counts_once_and_a_gap_ends_the_stream),
        RIG_TEST(records_that_do_not_fit_are_dropped_and_the_rest_is_kept),
        RIG_TEST(rosters_set_clients_online_and_a_lost_link_offline),
        RIG_TEST(greetings_that_do_not_fit_are_refused_in_the_welcome),
        RIG_TEST(a_newer_stream_of_the_same_combiner_takes_the_older_ones_place),
        RIG_TEST(partials_are_taken_from_attached_combiners_only),
        RIG_TEST(a_stopped_session_cancels_its_round),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
