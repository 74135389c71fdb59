/* SPDX-License-Identifier: Apache-2.0
 * How many models a reducer stores: the newest of a session, pinned ones, what was pushed; and what
 * happens when there is no room for another. */
#include "network.h"
#include "test.h"

#include "core/alloc.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ELEMENTS = 100 };

static fedn_status train(fedn_task *task, fedn_error *err, void *user_data)
{
    fedn_model *model = NULL;

    (void)user_data;
    fedn_status rc = fedn_task_model(task, &model, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_num_examples(task, 1, err);
    return rc == FEDN_OK ? fedn_task_set_model(task, model, err) : rc;
}

static int32_t has_file(const network *net, const char *id)
{
    char *path = fedn__strf("%s/reducer/models/%s", net->dir, id);
    int32_t there = access(path, F_OK) == 0;

    fedn__free(path);
    return there;
}

/* Ids of all models, newest first; free each and the list. */
static json_t *list_models(network *net)
{
    json_t *list = network_get(net, "models/");
    json_t *result = json_incref(json_object_get(list, "result"));

    json_decref(list);
    return result;
}

static const char *id_of(const json_t *models, size_t i)
{
    return json_string_value(json_object_get(json_array_get(models, i), "model_id"));
}

static void pin(network *net, const char *id, const char *body)
{
    char *path = fedn__strf("models/%s", id);
    char *answer = NULL;
    fedn_error err;

    assert_ok(fedn_control_request(net->control, "PATCH", path, body, &answer, &err), &err);
    fedn_free(answer);
    fedn__free(path);
}

static void the_newest_the_pinned_and_the_pushed_are_kept(void **state)
{
    network *net = network_start(1);
    fedn_model *seed = network_model(ELEMENTS, 0);
    fedn_error err;

    (void)state;
    network_client(net, "one", train, NULL, NULL);
    network_await_clients(net, 1);
    char *pushed = network_push(net, seed);
    fedn_model_unref(seed);
    char *session = network_session(net, "", 2);
    char *status = network_await_session(net, session);
    free(status);
    json_t *models = list_models(net);
    char *pinned = fedn__strdup(id_of(models, 0));
    json_decref(models);
    pin(net, pinned, "{\"pinned\": true}");
    char *start = fedn__strf("{\"session_id\": \"%s\", \"rounds\": 4}", session);
    char *answer = NULL;
    assert_ok(fedn_control_request(net->control, "POST", "sessions/start", start, &answer, &err),
              &err);
    fedn_free(answer);
    fedn__free(start);
    status = network_await_session(net, session);
    assert_string_equal(status, "Finished");
    free(status);
    models = list_models(net);
    assert_int_equal(json_array_size(models), 7); /* the trail is whole */
    while (has_file(net, id_of(models, 2)))
        json_decref(network_get(net, "status")); /* removed behind the commit */
    assert_true(has_file(net, id_of(models, 0)));
    assert_true(has_file(net, id_of(models, 1)));
    assert_false(has_file(net, id_of(models, 3)));
    assert_string_equal(id_of(models, 4), pinned);
    assert_true(has_file(net, pinned));
    assert_false(has_file(net, id_of(models, 5)));
    assert_true(has_file(net, pushed));
    char *gone = fedn__strf("models/%s/download", id_of(models, 3));
    assert_fails(fedn_control_request(net->control, "GET", gone, NULL, &answer, &err),
                 FEDN_ERR_NOT_FOUND, &err, "reducer.keep_models");
    fedn_free(answer);
    fedn__free(gone);
    json_decref(models);
    fedn__free(pinned);
    fedn_free(pushed);
    fedn_free(session);
    network_stop(net);
}

static void a_pin_is_true_or_false_and_of_a_model_that_is_there(void **state)
{
    network *net = network_start(1);
    fedn_model *seed = network_model(ELEMENTS, 0);
    char *answer = NULL;
    fedn_error err;

    (void)state;
    char *pushed = network_push(net, seed);
    char *path = fedn__strf("models/%s", pushed);
    assert_fails(
        fedn_control_request(net->control, "PATCH", path, "{\"pinned\": 1}", &answer, &err),
        FEDN_ERR_INVALID, &err, "pinned true false");
    fedn_free(answer);
    assert_fails(fedn_control_request(net->control, "PATCH", "models/absent", "{\"pinned\": true}",
                                      &answer, &err),
                 FEDN_ERR_NOT_FOUND, &err, "absent");
    fedn_free(answer);
    fedn__free(path);
    fedn_free(pushed);
    fedn_model_unref(seed);
    network_stop(net);
}

static void await_message(network *net, const char *words)
{
    for (;;) {
        json_t *status = network_get(net, "status");
        char *text = json_dumps(status, 0);
        int32_t said = strstr(text, words) != NULL;
        free(text);
        json_decref(status);
        if (said)
            return;
    }
}

static void a_full_store_is_named_and_the_round_waits_for_room(void **state)
{
    network *net = network_start(1);
    fedn_model *seed = network_model(ELEMENTS, 0);
    fedn_model *large = network_model(ELEMENTS * 100, 0);
    char *id = NULL;
    fedn_error err;

    (void)state;
    network_client(net, "one", train, NULL, NULL);
    network_await_clients(net, 1);
    fedn_free(network_push(net, seed));
    char *path = fedn__strf("%s/large.npz", net->dir);
    assert_ok(fedn_model_save(large, path, NULL, &err), &err);
    assert_fails(fedn_control_model_push(net->control, path, NULL, "large", NULL, NULL, &id, &err),
                 FEDN_ERR_LIMIT, &err, "reducer.max_store_bytes");
    char *session = network_session(net, "", 3);
    await_message(net, "reducer.max_store_bytes"); /* there is room for two */
    json_t *models = list_models(net);
    char *oldest =
        fedn__strf("%s/reducer/models/%s", net->dir, id_of(models, json_array_size(models) - 1));
    char *second =
        fedn__strf("%s/reducer/models/%s", net->dir, id_of(models, json_array_size(models) - 2));
    assert_int_equal(unlink(oldest), 0);
    await_message(net, "reducer.max_store_bytes");
    assert_int_equal(unlink(second), 0);
    char *status = network_await_session(net, session);
    assert_string_equal(status, "Finished");
    json_decref(models);
    models = list_models(net);
    assert_int_equal(json_array_size(models), 4); /* every round gave one */
    json_decref(models);
    free(status);
    fedn__free(oldest);
    fedn__free(second);
    fedn__free(path);
    fedn_free(session);
    fedn_model_unref(seed);
    fedn_model_unref(large);
    network_stop(net);
}

int main(void)
{
    const struct CMUnitTest kept[] = {
        cmocka_unit_test(the_newest_the_pinned_and_the_pushed_are_kept),
        cmocka_unit_test(a_pin_is_true_or_false_and_of_a_model_that_is_there),
    };
    const struct CMUnitTest full[] = {
        cmocka_unit_test(a_full_store_is_named_and_the_round_waits_for_room),
    };
    network_set("reducer.keep_models", "2");
    int failed = cmocka_run_group_tests(kept, test_count_setup, test_count_teardown);
    network_set("reducer.keep_models", "0");
    network_set("reducer.max_store_bytes", "1500"); /* a model has about 650 */
    return failed + cmocka_run_group_tests(full, test_count_setup, test_count_teardown);
}
