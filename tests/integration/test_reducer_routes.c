/* SPDX-License-Identifier: Apache-2.0
 * Routes of the REST API beyond the standard five: what they change, and what they answer. */
#include "fake_attach.h"
#include "reducer_rig.h"
#include "store/records.h"
#include "test.h"
#include <stdlib.h>

static json_t *get(reducer_rig *rig, const char *path, int32_t status)
{
    return reducer_rig_send(rig, "GET", path, NULL, NULL, status);
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void refused(reducer_rig *rig, const char *method, const char *path, const char *body,
                    int32_t status, const char *words)
{
    json_t *error = reducer_rig_send(rig, method, path, NULL, body, status);

    test_assert_words(text(error, "message"), words);
    json_decref(error);
}

static void done(reducer_rig *rig, const char *method, const char *path, const char *body,
                 int32_t status)
{
    json_decref(reducer_rig_send(rig, method, path, NULL, body, status));
}

static void clients_are_forgotten_and_come_back(void **state)
{
    reducer_rig *rig = *state;
    fake_attach *fake = fake_attach_new(fedn_reducer_port(rig->reducer), "edge");
    const char *body = "{\"name\": \"n\", \"client_id\": \"id-1\", \"package\": \"local\"}";

    fake_attach_join(fake, 0);
    done(rig, "POST", "api/v1/clients/add", body, 200);
    done(rig, "GET", "api/v1/clients/id-1", NULL, 200);
    refused(rig, "DELETE", "api/v1/clients/id-1", NULL, 200, "Client_deleted");
    refused(rig, "DELETE", "api/v1/clients/id-1", NULL, 404, "Entity_with_id:_id-1_not_found");
    done(rig, "POST", "api/v1/clients/add", body, 200);
    done(rig, "GET", "api/v1/clients/id-1", NULL, 200);
    json_t *config = get(rig, "api/v1/clients/config", 200);
    assert_string_equal(text(config, "network_id"), "fedn-network");
    assert_string_equal(text(config, "discover_host"), "127.0.0.1");
    assert_int_equal(json_integer_value(json_object_get(config, "discover_port")),
                     fedn_reducer_http_port(rig->reducer));
    json_decref(config);
    fake_attach_free(fake);
}

static char *only_combiner(reducer_rig *rig)
{
    json_t *list = get(rig, "api/v1/combiners/", 200);
    const json_t *result = json_object_get(list, "result");

    assert_int_equal(json_array_size(result), 1);
    char *id = strdup(text(json_array_get(result, 0), "combiner_id"));
    json_decref(list);
    return id;
}

static void a_combiner_that_was_deleted_is_recorded_when_it_attaches_again(void **state)
{
    reducer_rig *rig = *state;
    fake_attach *fake = fake_attach_new(fedn_reducer_port(rig->reducer), "edge");
    char path[128];

    fake_attach_join(fake, 0);
    fake_attach_await_ack(fake, 1);
    char *id = only_combiner(rig);
    snprintf(path, sizeof path, "api/v1/combiners/%s", id);
    refused(rig, "DELETE", path, NULL, 200, "Combiner_deleted");
    refused(rig, "DELETE", path, NULL, 404, "not_found");
    /* its clients are assigned as before */
    done(rig, "POST", "api/v1/clients/add", "{\"name\": \"n\", \"package\": \"local\"}", 200);
    fake_attach_free(fake);
    free(id);
    fake = fake_attach_new(fedn_reducer_port(rig->reducer), "edge");
    fake_attach_join(fake, 0);
    fake_attach_await_ack(fake, 1);
    free(only_combiner(rig));
    json_t *counts = reducer_rig_send(rig, "POST", "api/v1/combiners/clients/count", NULL,
                                      "{\"combiners\": \"other, edge\"}", 200);
    const json_t *first = json_array_get(json_object_get(counts, "result"), 0);
    assert_string_equal(text(first, "id"), "edge");
    assert_int_equal(json_integer_value(json_object_get(first, "count")), 0);
    json_decref(counts);
    counts = reducer_rig_send(rig, "POST", "api/v1/combiners/clients/count", NULL,
                              "{\"combiners\": \"ed, edges\"}", 200);
    assert_int_equal(json_array_size(json_object_get(counts, "result")), 0);
    json_decref(counts);
    fake_attach_free(fake);
}

static void a_line_of_models_is_told_in_both_directions(void **state)
{
    reducer_rig *rig = *state;
    char *ids[3];
    char path[256];
    char body[128];

    for (int i = 0; i < 3; i++) {
        ids[i] = reducer_rig_push(rig, (float)i);
        snprintf(path, sizeof path, "api/v1/models/%s", ids[i]);
        if (i > 0) {
            snprintf(body, sizeof body, "{\"parent_model\": \"%s\"}", ids[i - 1]);
            done(rig, "PATCH", path, body, 200);
        }
    }
    snprintf(path, sizeof path, "api/v1/models/%s/ancestors?include_self=true", ids[2]);
    json_t *list = get(rig, path, 200);
    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(text(json_array_get(list, 0), "model_id"), ids[2]);
    json_decref(list);
    list = reducer_rig_send(rig, "GET", path, "X-Reverse: true", NULL, 200);
    assert_string_equal(text(json_array_get(list, 0), "model_id"), ids[0]);
    json_decref(list);
    list = reducer_rig_send(rig, "GET", path, "X-Limit: 1", NULL, 200);
    assert_int_equal(json_array_size(list), 2);
    json_decref(list);
    snprintf(path, sizeof path, "api/v1/models/%s/descendants", ids[0]);
    list = get(rig, path, 200);
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(text(json_array_get(list, 0), "model_id"), ids[2]);
    json_decref(list);
    list = get(rig, "api/v1/models/leaf-nodes", 200);
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(text(json_array_get(list, 0), "model_id"), ids[2]);
    json_decref(list);
    /* a ring, which only a change from outside makes, ends at the limit */
    snprintf(path, sizeof path, "api/v1/models/%s", ids[0]);
    snprintf(body, sizeof body, "{\"parent_model\": \"%s\"}", ids[2]);
    done(rig, "PATCH", path, body, 200);
    snprintf(path, sizeof path, "api/v1/models/%s/ancestors", ids[0]);
    list = get(rig, path, 200);
    assert_int_equal(json_array_size(list), 10);
    json_decref(list);
    refused(rig, "GET", "api/v1/models/nobody/descendants", NULL, 404, "nobody not_found");
    for (int i = 0; i < 3; i++)
        free(ids[i]);
}

static void models_are_changed_and_read_as_numbers(void **state)
{
    reducer_rig *rig = *state;
    char *id = reducer_rig_push(rig, 0.1f);
    char path[128];
    char body[128];

    snprintf(path, sizeof path, "api/v1/models/%s", id);
    refused(rig, "PUT", path, "{\"name\": \"n\", \"nam\": 1}", 400, "nam name");
    refused(rig, "PUT", path, "{\"name\": \"n\", \"model_id\": \"x\"}", 400, "model_id");
    refused(rig, "PUT", path, "{}", 400, "name 255");
    refused(rig, "PUT", "api/v1/models/nobody", "{\"name\": \"n\"}", 404, "nobody");
    snprintf(body, sizeof body, "{\"name\": \"n\", \"model\": \"%s\"}", id);
    json_t *model = reducer_rig_send(rig, "PUT", path, NULL, body, 200);
    assert_string_equal(text(model, "name"), "n");
    assert_string_equal(text(model, "model_id"), id);
    json_decref(model);
    snprintf(path, sizeof path, "api/v1/models/%s/parameters", id);
    char *whole = reducer_rig_text(rig, path, 200);
    assert_string_equal(whole, "{\"array\":[[0.10000000149011612,0.10000000149011612,"
                               "0.10000000149011612,0.10000000149011612]]}\n");
    free(whole);
    refused(rig, "GET", "api/v1/models/nobody/parameters", NULL, 404, "nobody not_found");
    free(id);
}

static void a_range_of_a_model_is_the_bytes_of_the_whole(void **state)
{
    reducer_rig *rig = *state;
    char *id = reducer_rig_push(rig, 1);
    char path[128];

    snprintf(path, sizeof path, "api/v1/models/%s/download", id);
    json_t *part = reducer_rig_send(rig, "GET", path, "Range: bytes=0-1", NULL, 206);
    assert_string_equal(json_string_value(part), "PK");
    json_decref(part);
    json_decref(reducer_rig_send(rig, "GET", path, "Range: bytes=1000000-", NULL, 416));
    free(id);
}

static void a_session_is_replaced_while_it_does_not_run(void **state)
{
    reducer_rig *rig = *state;
    char path[128];

    free(reducer_rig_push(rig, 0));
    json_t *session =
        reducer_rig_send(rig, "POST", "api/v1/sessions/", NULL,
                         "{\"name\": \"s\", \"session_config\": {\"rounds\": 7}}", 201);
    snprintf(path, sizeof path, "api/v1/sessions/%s", text(session, "session_id"));
    json_decref(session);
    session = reducer_rig_send(rig, "PATCH", path, NULL,
                               "{\"session_config\": {\"buffer_size\": 3}}", 200);
    const json_t *config = json_object_get(session, "session_config");
    assert_int_equal(json_integer_value(json_object_get(config, "buffer_size")), 3);
    assert_int_equal(json_integer_value(json_object_get(config, "rounds")), 7);
    assert_string_equal(text(session, "name"), "s");
    json_decref(session);
    refused(rig, "PUT", path, "{\"nam\": \"s\"}", 400, "nam name");
    session =
        reducer_rig_send(rig, "PUT", path, NULL, "{\"session_config\": {\"rounds\": 2}}", 200);
    config = json_object_get(session, "session_config");
    assert_int_equal(json_integer_value(json_object_get(config, "buffer_size")), -1);
    assert_int_equal(json_integer_value(json_object_get(config, "rounds")), 2);
    assert_true(json_is_null(json_object_get(session, "name")));
    json_decref(session);
    refused(rig, "PUT", "api/v1/sessions/nobody", "{}", 404, "nobody");
    char *id = reducer_rig_session(rig, "\"clients_required\": 2", 3);
    snprintf(path, sizeof path, "api/v1/sessions/%s", id);
    refused(rig, "PUT", path, "{\"session_config\": {}}", 409, "while_the_session_runs Terminated");
    json_t *run = get(rig, "api/v1/runs/", 200);
    const json_t *record = json_array_get(json_object_get(run, "result"), 0);
    assert_string_equal(text(record, "session_id"), id);
    assert_int_equal(json_integer_value(json_object_get(record, "rounds")), 3);
    assert_true(json_is_null(json_object_get(record, "completed_at")));
    json_decref(run);
    free(id);
}

static void attributes_and_telemetry_are_added(void **state)
{
    static const struct {
        const char *body;
        const char *words;
    } cases[] = {
        {"{\"value\": \"1\", \"sender\": {\"name\": \"n\", \"role\": \"CLIENT\"}}",
         "AttributeDTO missing_field_key"},
        {"{\"key\": \"k\", \"sender\": {\"name\": \"n\", \"role\": \"CLIENT\"}}",
         "missing_field_value"},
        {"{\"key\": \"k\", \"value\": \"1\"}", "missing_field_sender"},
        {"{\"key\": \"k\", \"value\": \"1\", \"sender\": {\"role\": \"CLIENT\"}}",
         "missing_field_name"},
        {"{\"key\": \"k\", \"value\": 1, \"sender\": {\"name\": \"n\", \"role\": \"C\"}}",
         "'value' text"},
        {"{\"key\": \"k\", \"values\": \"1\"}", "values value"},
        {"[]", "body"},
    };
    static const char set[] = "{\"key\": \"site\", \"value\": \"%s\", \"sender\": "
                              "{\"name\": \"n\", \"role\": \"CLIENT\", \"client_id\": \"id-1\"}}";
    reducer_rig *rig = *state;
    fake_attach *fake = fake_attach_new(fedn_reducer_port(rig->reducer), "edge");
    char body[256];

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(rig, "POST", "api/v1/attributes/", cases[i].body, 400, cases[i].words);
    refused(rig, "GET", "api/v1/clients/id-1/attributes", NULL, 404, "id-1");
    fake_attach_join(fake, 0);
    done(rig, "POST", "api/v1/clients/add",
         "{\"name\": \"n\", \"client_id\": \"id-1\", \"package\": \"local\"}", 200);
    snprintf(body, sizeof body, set, "lund");
    json_t *added = reducer_rig_send(rig, "POST", "api/v1/attributes/", NULL, body, 201);
    assert_string_equal(text(added, "value"), "lund");
    assert_int_equal(strlen(text(added, "attribute_id")), 36);
    json_decref(added);
    snprintf(body, sizeof body, set, "umea");
    done(rig, "POST", "api/v1/attributes/", body, 201);
    json_t *now = get(rig, "api/v1/clients/id-1/attributes", 200);
    assert_string_equal(text(now, "site"), "umea");
    json_decref(now);
    now = reducer_rig_send(rig, "POST", "api/v1/attributes/current", NULL,
                           "{\"client_ids\": [\"id-1\", \"id-2\"]}", 200);
    assert_string_equal(text(json_object_get(now, "id-1"), "site"), "umea");
    assert_string_equal(text(now, "id-2"), "Entity with client_id: id-2 not found");
    json_decref(now);
    refused(rig, "POST", "api/v1/attributes/current", "{}", 400, "client_ids");
    added = reducer_rig_send(rig, "POST", "api/v1/telemetry/", NULL,
                             "{\"key\": \"cpu\", \"value\": 0.5, \"sender\": {\"name\": \"n\", "
                             "\"role\": \"CLIENT\", \"client_id\": \"id-1\"}}",
                             201);
    assert_true(json_real_value(json_object_get(added, "value")) == 0.5);
    json_decref(added);
    /* who has a name alone does not write over another's */
    done(rig, "POST", "api/v1/telemetry/",
         "{\"key\": \"cpu\", \"value\": 1, \"sender\": {\"name\": \"a\", \"role\": \"CLIENT\"}}",
         201);
    done(rig, "POST", "api/v1/telemetry/",
         "{\"key\": \"cpu\", \"value\": 2, \"sender\": {\"name\": \"b\", \"role\": \"CLIENT\"}}",
         201);
    added = get(rig, "api/v1/telemetry/count", 200);
    assert_int_equal(json_integer_value(added), 3);
    json_decref(added);
    fake_attach_free(fake);
}

static void what_is_gone_says_what_to_use(void **state)
{
    reducer_rig *rig = *state;

    refused(rig, "GET", "list_models", NULL, 410, "GET /api/v1/models/");
    refused(rig, "POST", "add_client", "{}", 410, "POST /api/v1/clients/add");
    json_t *answer = reducer_rig_send(rig, "POST", "//add_combiner/", NULL, "{}", 410);
    assert_string_equal(text(answer, "status"), "abort");
    assert_true(json_is_false(json_object_get(answer, "success")));
    json_decref(answer);
    answer = get(rig, "api/v1/models/active", 410);
    assert_non_null(text(answer, "error"));
    json_decref(answer);
    refused(rig, "POST", "delete_model_trail", "{}", 501, "Not_implemented");
    refused(rig, "POST", "api/v1/graphql", "{\"query\": \"{sessions{name}}\"}", 501,
            "GraphQL GET /api/v1/sessions/");
    refused(rig, "DELETE", "api/v1/models/leaf-nodes", NULL, 405, "GET HEAD");
    refused(rig, "GET", "api/v2/models", NULL, 404, "api/v2/models");
}

static void values_with_commas_in_a_body_are_any_of_them(void **state)
{
    static const struct {
        const char *body;
        json_int_t count; /* -1: refused */
    } cases[] = {
        {"{\"name\": \"a, c\"}", 2},
        {"{\"name\": \"a,\"}", 1},
        {"{\"name\": [\"b\", \"c\"]}", 2},
        {"{\"name\": [\"b\", 1]}", -1},
        {"{\"name\": []}", -1},
        {"{\"name\": \",\"}", -1},
        {"{\"session_config.buffer_size\": \"-1,5\"}", 3},
        {"{\"session_config.buffer_size\": [5, 6]}", 0},
        {"{\"session_config.validate\": \"true,false\"}", 3},
    };
    reducer_rig *rig = *state;
    char body[64];

    for (const char *name = "abc"; *name; name++) {
        snprintf(body, sizeof body, "{\"name\": \"%c\"}", *name);
        done(rig, "POST", "api/v1/sessions/", body, 201);
    }
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *count = reducer_rig_send(rig, "POST", "api/v1/sessions/count", NULL, cases[i].body,
                                         cases[i].count < 0 ? 400 : 200);
        if (cases[i].count >= 0)
            assert_int_equal(json_integer_value(count), cases[i].count);
        json_decref(count);
    }
    json_t *count =
        reducer_rig_send(rig, "POST", "api/v1/sessions/count",
                         "Content-Type: application/x-www-form-urlencoded", "name=a%2Cb", 200);
    assert_int_equal(json_integer_value(count), 2);
    json_decref(count);
}

int main(void)
{
#define RIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, reducer_rig_setup, reducer_rig_teardown)
    const struct CMUnitTest tests[] = {
        RIG_TEST(clients_are_forgotten_and_come_back),
        RIG_TEST(a_combiner_that_was_deleted_is_recorded_when_it_attaches_again),
        RIG_TEST(a_line_of_models_is_told_in_both_directions),
        RIG_TEST(models_are_changed_and_read_as_numbers),
        RIG_TEST(a_range_of_a_model_is_the_bytes_of_the_whole),
        RIG_TEST(a_session_is_replaced_while_it_does_not_run),
        RIG_TEST(attributes_and_telemetry_are_added),
        RIG_TEST(what_is_gone_says_what_to_use),
        RIG_TEST(values_with_commas_in_a_body_are_any_of_them),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
