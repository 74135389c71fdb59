/* SPDX-License-Identifier: Apache-2.0
 * The REST API of a reducer that has no combiner, or a scripted one: shapes, filters, refusals. */
#include "fake_attach.h"
#include "reducer_rig.h"
#include "store/records.h"
#include "test.h"
#include <stdlib.h>

static json_t *get(reducer_rig *rig, const char *path, int32_t status)
{
    return reducer_rig_send(rig, "GET", path, NULL, NULL, status);
}

static json_int_t count_of(reducer_rig *rig, const char *path)
{
    json_t *answer = get(rig, path, 200);
    json_int_t count = json_integer_value(json_object_get(answer, "count"));

    assert_int_equal(json_array_size(json_object_get(answer, "result")), count);
    json_decref(answer);
    return count;
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void every_kind_has_the_five_standard_routes(void **state)
{
    static const char *const kinds[] = {
        "clients",     "combiners", "models",      "packages", "rounds",    "sessions",  "statuses",
        "validations", "metrics",   "predictions", "runs",     "telemetry", "attributes"};
    reducer_rig *rig = *state;
    char path[128];

    for (uint32_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        snprintf(path, sizeof path, "api/v1/%s/", kinds[i]);
        char *raw = reducer_rig_text(rig, path, 200);
        assert_string_equal(raw, "{\"count\":0,\"result\":[]}\n");
        free(raw);
        snprintf(path, sizeof path, "api/v1/%s/list", kinds[i]);
        json_decref(reducer_rig_send(rig, "POST", path, NULL, "{}", 200));
        snprintf(path, sizeof path, "//api/v1/%s/count", kinds[i]);
        raw = reducer_rig_text(rig, path, 200);
        assert_string_equal(raw, "0\n");
        free(raw);
        json_decref(reducer_rig_send(rig, "POST", path, NULL, NULL, 200));
        snprintf(path, sizeof path, "api/v1/%s/nobody", kinds[i]);
        json_t *error = get(rig, path, 404);
        assert_string_equal(text(error, "message"), "Entity with id: nobody not found");
        json_decref(error);
    }
    json_decref(get(rig, "api/v1/nonsense/", 404));
}

static void health_and_state_answer_at_once(void **state)
{
    reducer_rig *rig = *state;
    char *health = reducer_rig_text(rig, "health", 200);
    json_t *answer = get(rig, "get_controller_status", 200);

    assert_string_equal(health, "OK");
    assert_string_equal(text(answer, "state"), "idle");
    json_decref(answer);
    answer = get(rig, "api/v1/status", 200);
    test_assert_words(text(answer, "message"), "no_model push");
    assert_true(json_is_null(json_object_get(answer, "session")));
    json_decref(answer);
    free(health);
}

static void helpers_are_set_by_name(void **state)
{
    reducer_rig *rig = *state;

    json_decref(get(rig, "api/v1/helpers/active", 404));
    json_t *error = reducer_rig_send(rig, "PUT", "api/v1/helpers/active", NULL,
                                     "{\"helper\": \"../passwd\"}", 400);
    test_assert_words(text(error, "message"), "../passwd numpyhelper");
    json_decref(error);
    json_decref(reducer_rig_send(rig, "PUT", "api/v1/helpers/active", NULL,
                                 "{\"helper\": \"binaryhelper\"}", 200));
    reducer_rig_restart(rig);
    char *name = reducer_rig_text(rig, "api/v1/helpers/active", 200);
    assert_string_equal(name, "\"binaryhelper\"\n");
    free(name);
}

static void sessions_are_checked_when_they_are_made(void **state)
{
    static const struct {
        const char *body;
        const char *words;
    } cases[] = {
        {"{\"session_config\": {\"agregator\": \"fedavg\"}}", "agregator aggregator"},
        {"{\"session_config\": {\"aggregator\": \"fedmagic\"}}", "fedmagic fedavg"},
        {"{\"session_config\": {\"buffer_size\": -2}}", "buffer_size -2 -1..100000"},
        {"{\"session_config\": {\"round_timeout\": \"soon\"}}", "round_timeout soon"},
        {"{\"session_config\": {\"validate\": \"maybe\"}}", "validate maybe"},
        {"{\"session_config\": {\"aggregator_kwargs\": \"{\"}}", "aggregator_kwargs"},
        {"{\"session_config\": {\"server_functions\": 1}}", "server_functions"},
        {"{\"session_config\": 7}", "session_config object"},
        {"{\"sesion_config\": {}}", "sesion_config session_config"},
        {"{\"name\": 7}", "name"},
        {"no json", "body JSON"},
    };
    reducer_rig *rig = *state;

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *error = reducer_rig_send(rig, "POST", "api/v1/sessions/", NULL, cases[i].body, 400);
        test_assert_words(text(error, "message"), cases[i].words);
        json_decref(error);
    }
    assert_int_equal(count_of(rig, "api/v1/sessions/"), 0);
}

static void a_session_as_fedns_tools_make_it_is_taken(void **state)
{
    reducer_rig *rig = *state;
    json_t *session = reducer_rig_send(
        rig, "POST", "api/v1/sessions/", NULL,
        "{\"name\": \"s\", \"session_config\": {\"aggregator\": \"fedavg\", "
        "\"aggregator_kwargs\": null, \"round_timeout\": 180, \"buffer_size\": -1, "
        "\"model_id\": \"00000000-0000-4000-8000-000000000000\", \"delete_models_storage\": true, "
        "\"clients_required\": 1, \"requested_clients\": 8, \"validate\": true, "
        "\"helper_type\": \"numpyhelper\", \"server_functions\": null}}",
        201);
    const json_t *config = json_object_get(session, "session_config");

    assert_string_equal(text(session, "status"), "Created");
    assert_int_equal(json_integer_value(json_object_get(config, "round_timeout")), 180);
    assert_true(json_is_true(json_object_get(config, "validate")));
    assert_true(json_is_null(json_object_get(config, "aggregator_kwargs")));
    json_decref(session);
    assert_int_equal(count_of(rig, "api/v1/sessions?name=s"), 1);
    assert_int_equal(count_of(rig, "api/v1/sessions?session_config.buffer_size=-1"), 1);
    assert_int_equal(count_of(rig, "api/v1/sessions?session_config.buffer_size__gt=-1"), 0);
    assert_int_equal(count_of(rig, "api/v1/sessions?session_config.validate=true"), 1);
    assert_int_equal(count_of(rig, "api/v1/sessions?seed_model_id=null"), 1);
    assert_int_equal(count_of(rig, "api/v1/sessions?committed_at__gt=2020-01-01"), 1);
    assert_int_equal(count_of(rig, "api/v1/sessions?committed_at__lt=2020-01-01"), 0);
    assert_int_equal(count_of(rig, "api/v1/sessions?name__ne=s"), 0);
}

static void a_start_says_what_is_missing(void **state)
{
    reducer_rig *rig = *state;
    static const struct {
        const char *body;
        const char *words;
    } cases[] = {
        {"{}", "Session_ID_is_required"},
        {"{\"session_id\": \"nobody\"}", "Session_with_specified_ID_does_not_exist"},
        {"{\"session_id\": \"x\", \"round\": 3}", "round rounds"},
    };
    json_t *session = reducer_rig_send(rig, "POST", "api/v1/sessions/", NULL, "{}", 201);
    char body[256];

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *error =
            reducer_rig_send(rig, "POST", "api/v1/sessions/start", NULL, cases[i].body, 400);
        test_assert_words(text(error, "message"), cases[i].words);
        json_decref(error);
    }
    snprintf(body, sizeof body, "{\"session_id\": \"%s\"}", text(session, "session_id"));
    json_t *error = reducer_rig_send(rig, "POST", "api/v1/sessions/start", NULL, body, 400);
    test_assert_words(text(error, "message"), "no_model:_push_one_first");
    json_decref(error);
    free(reducer_rig_push(rig, 0));
    snprintf(body, sizeof body, "{\"session_id\": \"%s\", \"rounds\": 0}",
             text(session, "session_id"));
    error = reducer_rig_send(rig, "POST", "api/v1/sessions/start", NULL, body, 400);
    test_assert_words(text(error, "message"), "rounds 0 1..");
    json_decref(error);
    json_decref(session);
}

static void a_session_without_combiners_waits_and_can_be_stopped(void **state)
{
    reducer_rig *rig = *state;
    char path[128];
    char body[128];

    free(reducer_rig_push(rig, 0));
    char *id = reducer_rig_session(rig, "\"clients_required\": 2", 3);
    json_t *status = get(rig, "api/v1/status", 200);
    test_assert_words(text(status, "message"), "round_1_of_3 waits 2_active_clients");
    json_decref(status);
    json_t *other = reducer_rig_send(rig, "POST", "api/v1/sessions/", NULL, "{}", 201);
    snprintf(body, sizeof body, "{\"session_id\": \"%s\"}", text(other, "session_id"));
    json_t *error = reducer_rig_send(rig, "POST", "api/v1/sessions/start", NULL, body, 400);
    assert_string_equal(text(error, "message"), "A session is already running!");
    json_decref(error);
    json_decref(other);
    snprintf(path, sizeof path, "api/v1/sessions/%s", id);
    error = reducer_rig_send(rig, "PATCH", path, NULL, "{\"status\": \"Paused\"}", 400);
    test_assert_words(text(error, "message"), "Paused Terminated");
    json_decref(error);
    json_t *session = reducer_rig_send(rig, "PATCH", path, NULL,
                                       "{\"status\": \"Terminated\", \"name\": \"renamed\"}", 200);
    assert_string_equal(text(session, "status"), "Terminated");
    assert_string_equal(text(session, "name"), "renamed");
    json_decref(session);
    assert_int_equal(count_of(rig, "api/v1/rounds?status=Terminated"), 1);
    assert_int_equal(count_of(rig, "api/v1/rounds?round_id=1"), 1);
    assert_int_equal(count_of(rig, "api/v1/rounds?roundConfig.sessionId=x"), 0);
    snprintf(path, sizeof path, "api/v1/rounds?round_config.session_id=%s/", id);
    assert_int_equal(count_of(rig, path), 1);
    json_decref(reducer_rig_send(rig, "PATCH", "api/v1/sessions/nobody", NULL,
                                 "{\"status\": \"Terminated\"}", 404));
    free(id);
}

static void a_session_goes_on_at_the_next_start_and_shows_nothing_of_how(void **state)
{
    reducer_rig *rig = *state;
    char path[128];

    free(reducer_rig_push(rig, 0));
    char *id = reducer_rig_session(rig, "\"clients_required\": 2", 3);
    reducer_rig_restart(rig);
    snprintf(path, sizeof path, "api/v1/sessions/%s", id);
    json_t *session = get(rig, path, 200);
    assert_string_equal(text(session, "status"), "Started");
    assert_null(json_object_get(session, "resume"));
    json_decref(session);
    json_t *round = get(rig, "api/v1/rounds/1", 200);
    assert_string_equal(text(round, "status"), "Pending");
    assert_null(json_object_get(round, "resume"));
    json_decref(round);
    json_t *status = get(rig, "api/v1/status", 200);
    test_assert_words(text(status, "message"), "round_1_of_3 waits 2_active_clients");
    json_decref(status);
    json_decref(reducer_rig_send(rig, "PATCH", path, NULL, "{\"status\": \"Terminated\"}", 200));
    round = get(rig, "api/v1/rounds/1", 200);
    assert_string_equal(text(round, "status"), "Terminated");
    json_decref(round);
    assert_int_equal(count_of(rig, "api/v1/rounds/"), 1);
    free(id);
}

static void put(fedn__store *store, int32_t kind, const char *id, json_t *record)
{
    const fedn__change change = {kind, id, record};
    fedn_error err;

    assert_ok(fedn__store_apply(store, &change, 1, &err), &err);
    json_decref(record);
}

static void what_cannot_go_on_is_marked_at_the_next_start(void **state)
{
    reducer_rig *rig = *state;
    fedn__store *store = NULL;
    char url[512];
    fedn_error err;

    fedn_reducer_free(rig->reducer);
    rig->reducer = NULL;
    snprintf(url, sizeof url, "sqlite:%s/reducer/store.db", rig->dir);
    assert_ok(fedn__store_open(url, &store, &err), &err);
    put(store, FEDN__KIND_SESSION, "old",
        json_pack("{s:s, s:s, s:{}}", "session_id", "old", "status", "Started", "session_config"));
    put(store, FEDN__KIND_SESSION, "lost",
        json_pack("{s:s, s:s, s:{s:s}, s:{s:i, s:i}}", "session_id", "lost", "status", "Started",
                  "session_config", "model_id", "5dd1a1a3-5c64-4f5a-94a3-3d1d1a4b1c55", "resume",
                  "round", 1, "opened", 1));
    put(store, FEDN__KIND_ROUND, "1",
        json_pack("{s:s, s:s, s:{s:i}}", "round_id", "1", "status", "Running", "resume", "number",
                  1));
    fedn__store_close(store);
    reducer_rig_restart(rig);
    json_t *session = get(rig, "api/v1/sessions/old", 200);
    assert_string_equal(text(session, "status"), "Failed");
    test_assert_words(text(session, "message"), "reducer stopped");
    json_decref(session);
    /* numbering goes on behind what could not */
    free(reducer_rig_push(rig, 0));
    free(reducer_rig_session(rig, "", 3));
    json_decref(reducer_rig_await(rig, "after=0", "round", "round_id", "2"));
    session = get(rig, "api/v1/sessions/lost", 200);
    assert_string_equal(text(session, "status"), "Failed");
    test_assert_words(text(session, "message"), "model 5dd1a1a3-5c64-4f5a-94a3-3d1d1a4b1c55");
    json_decref(session);
    json_t *round = get(rig, "api/v1/rounds/1", 200);
    assert_string_equal(text(round, "status"), "Failed");
    json_decref(round);
}

static void lists_are_ordered_limited_and_filtered_by_headers(void **state)
{
    reducer_rig *rig = *state;
    static const char *const names[] = {"b", "a", "c"};

    for (uint32_t i = 0; i < 3; i++) {
        char body[64];
        snprintf(body, sizeof body, "{\"name\": \"%s\"}", names[i]);
        json_decref(reducer_rig_send(rig, "POST", "api/v1/sessions/", NULL, body, 201));
    }
    json_t *list = reducer_rig_send(rig, "GET", "api/v1/sessions/", "X-Limit: 1", NULL, 200);
    assert_int_equal(json_integer_value(json_object_get(list, "count")), 3);
    assert_int_equal(json_array_size(json_object_get(list, "result")), 1);
    assert_string_equal(text(json_array_get(json_object_get(list, "result"), 0), "name"), "c");
    json_decref(list);
    list = reducer_rig_send(rig, "GET", "api/v1/sessions/", "X-Sort-Order: asc", NULL, 200);
    assert_string_equal(text(json_array_get(json_object_get(list, "result"), 0), "name"), "b");
    json_decref(list);
    list = reducer_rig_send(rig, "GET", "api/v1/sessions/", "X-Sort-Key: name", NULL, 200);
    assert_string_equal(text(json_array_get(json_object_get(list, "result"), 2), "name"), "a");
    json_decref(list);
    json_decref(reducer_rig_send(rig, "GET", "api/v1/sessions/", "X-Skip: some", NULL, 400));
    list = reducer_rig_send(rig, "POST", "api/v1/sessions/list", "Content-Type: application/json",
                            "{\"name\": \"a\"}", 200);
    assert_int_equal(json_integer_value(json_object_get(list, "count")), 1);
    json_decref(list);
    json_t *count = reducer_rig_send(rig, "POST", "api/v1/sessions/count", NULL,
                                     "{\"status\": \"Created\"}", 200);
    assert_int_equal(json_integer_value(count), 3);
    json_decref(count);
    json_decref(get(rig, "api/v1/sessions?a'b=1", 400));
}

static void clients_are_assigned_to_a_combiner_or_told_to_wait(void **state)
{
    reducer_rig *rig = *state;
    fake_attach *fake = fake_attach_new(fedn_reducer_port(rig->reducer), "edge");
    const char *local = "{\"name\": \"n\", \"client_id\": \"id-1\", \"preferred_combiner\": null, "
                        "\"package\": \"local\"}";

    json_t *answer = reducer_rig_send(rig, "POST", "api/v1/clients/add", NULL, local, 400);
    assert_string_equal(text(answer, "message"), "No combiner available.");
    json_decref(answer);
    fake_attach_join(fake, 0);
    answer = reducer_rig_send(rig, "POST", "//api/v1/clients/add", NULL, local, 200);
    assert_string_equal(text(answer, "status"), "assigned");
    assert_string_equal(text(answer, "host"), "combiner.example");
    assert_int_equal(json_integer_value(json_object_get(answer, "port")), 12080);
    assert_true(json_is_null(json_object_get(answer, "fqdn")));
    assert_string_equal(text(answer, "helper_type"), "");
    assert_string_equal(text(answer, "client_id"), "id-1");
    assert_string_equal(text(answer, "package"), "local");
    json_decref(answer);
    answer = get(rig, "api/v1/clients/id-1", 200);
    assert_string_equal(text(answer, "status"), "available");
    assert_string_equal(text(answer, "combiner"), "edge");
    assert_string_equal(text(answer, "ip"), "127.0.0.1");
    json_decref(answer);
    answer = reducer_rig_send(rig, "POST", "api/v1/clients/add", NULL,
                              "{\"name\": \"n\", \"package\": \"remote\"}", 203);
    assert_string_equal(text(answer, "status"), "retry");
    json_decref(answer);
    answer = reducer_rig_send(rig, "POST", "api/v1/clients/add", NULL,
                              "{\"name\": \"n\", \"combiner_preferred\": \"edge\"}", 200);
    assert_int_equal(strlen(text(answer, "client_id")), 36);
    json_decref(answer);
    json_decref(reducer_rig_send(rig, "POST", "api/v1/clients/add", NULL, "{}", 400));
    json_decref(reducer_rig_send(rig, "POST", "api/v1/clients/add", NULL, "[", 400));
    fake_attach_free(fake);
}

static void the_event_stream_begins_with_the_present_state(void **state)
{
    reducer_rig *rig = *state;
    fake_attach *fake = fake_attach_new(fedn_reducer_port(rig->reducer), "edge");

    json_decref(reducer_rig_await(rig, "", "hello", NULL, NULL));
    fake_attach_join(fake, 0);
    fake_attach_await_ack(fake, 1);
    json_t *combiner = reducer_rig_await(rig, "after=0", "combiner", "name", "edge");
    assert_string_equal(text(combiner, "status"), "online");
    json_decref(combiner);
    free(reducer_rig_push(rig, 0));
    char *id = reducer_rig_session(rig, "", 1);
    json_t *session = reducer_rig_await(rig, "after=0", "session", "session_id", id);
    assert_string_equal(text(session, "status"), "Started");
    assert_string_equal(text(session, "name"), "tested");
    json_decref(session);
    json_t *round = reducer_rig_await(rig, "after=0", "round", "session_id", id);
    assert_string_equal(text(round, "status"), "Pending");
    test_assert_words(text(round, "message"), "waits 1_active_clients");
    json_decref(round);
    /* a number of another life is answered with the state as well */
    json_decref(reducer_rig_await(rig, "after=100000", "gap", NULL, NULL));
    json_decref(reducer_rig_await(rig, "after=100000", "session", "session_id", id));
    json_decref(get(rig, "api/v1/events?after=yesterday", 400));
    free(id);
    fake_attach_free(fake);
}

static void a_second_reducer_on_the_directory_or_port_is_refused(void **state)
{
    reducer_rig *rig = *state;
    fedn_config *config = reducer_rig_config(rig);
    fedn_reducer *second = NULL;
    char value[512];
    fedn_error err;

    assert_ok(fedn_reducer_new(config, &second, &err), &err);
    assert_fails(fedn_reducer_start(second, &err), FEDN_ERR_STATE, &err, "reducer.state_dir");
    fedn_reducer_free(second);
    snprintf(value, sizeof value, "%s/other", rig->dir);
    assert_ok(fedn_config_set(config, "reducer.state_dir", value, &err), &err);
    snprintf(value, sizeof value, "127.0.0.1:%d", (int)fedn_reducer_http_port(rig->reducer));
    assert_ok(fedn_config_set(config, "reducer.http_listen", value, &err), &err);
    assert_ok(fedn_reducer_new(config, &second, &err), &err);
    assert_fails(fedn_reducer_start(second, &err), FEDN_ERR_IO, &err, "reducer.http_listen in_use");
    fedn_reducer_free(second);
    assert_ok(fedn_config_set(config, "reducer.http_listen", "127.0.0.1:0", &err), &err);
    snprintf(value, sizeof value, "127.0.0.1:%d", (int)fedn_reducer_port(rig->reducer));
    assert_ok(fedn_config_set(config, "reducer.listen", value, &err), &err);
    assert_ok(fedn_reducer_new(config, &second, &err), &err);
    assert_fails(fedn_reducer_start(second, &err), FEDN_ERR_IO, &err, "reducer.listen in_use");
    fedn_reducer_free(second);
    assert_ok(fedn_config_set(config, "reducer.listen", "nowhere", &err), &err);
    assert_fails(fedn_reducer_new(config, &second, &err), FEDN_ERR_INVALID, &err,
                 "reducer.listen nowhere");
    fedn_config_free(config);
}

int main(void)
{
#define RIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, reducer_rig_setup, reducer_rig_teardown)
    const struct CMUnitTest tests[] = {
        RIG_TEST(every_kind_has_the_five_standard_routes),
        RIG_TEST(health_and_state_answer_at_once),
        RIG_TEST(helpers_are_set_by_name),
        RIG_TEST(sessions_are_checked_when_they_are_made),
        RIG_TEST(a_session_as_fedns_tools_make_it_is_taken),
        RIG_TEST(a_start_says_what_is_missing),
        RIG_TEST(a_session_without_combiners_waits_and_can_be_stopped),
        RIG_TEST(a_session_goes_on_at_the_next_start_and_shows_nothing_of_how),
        RIG_TEST(what_cannot_go_on_is_marked_at_the_next_start),
        RIG_TEST(lists_are_ordered_limited_and_filtered_by_headers),
        RIG_TEST(clients_are_assigned_to_a_combiner_or_told_to_wait),
        RIG_TEST(the_event_stream_begins_with_the_present_state),
        RIG_TEST(a_second_reducer_on_the_directory_or_port_is_refused),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
