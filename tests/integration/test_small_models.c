/* SPDX-License-Identifier: Apache-2.0
 * Models inside of tasks and announcements, as a real combiner sends and takes them: from peers
 * that speak for themselves, wire message by wire message. */
#include "network.h"
#include "raw_call.h"
#include "test.h"

#include "core/limits.h"
#include <stdlib.h>

#define ABLE "{\"inline_bytes\":131072}"
#define META "{\"training_metadata\": {\"num_examples\": 1}}"
#define ID_1 "11111111-1111-4111-8111-111111111111"
#define ID_2 "22222222-2222-4222-8222-222222222222"
#define ID_3 "33333333-3333-4333-8333-333333333333"

/* A client with its stream. */
typedef struct peer {
    const char *id;
    raw_caller *caller;
    raw_stream *stream;
} peer;

/* As bytes; fedn_free() them. */
static uint8_t *encode(uint64_t elements, float value, uint64_t *ret_bytes)
{
    fedn_error err;
    void *bytes = NULL;
    fedn_model *model = network_model(elements, value);

    assert_ok(fedn_model_encode(model, "npz", &bytes, ret_bytes, &err), &err);
    fedn_model_unref(model);
    return bytes;
}

static void push(network *net, uint64_t elements)
{
    fedn_model *seed = network_model(elements, 0);

    fedn_free(network_push(net, seed));
    fedn_model_unref(seed);
}

static peer join(network *net, const char *id, const char *data)
{
    peer p = {.id = id, .caller = raw_dial(fedn_combiner_port(net->combiners[0]), id)};

    p.stream = raw_open(p.caller, data);
    return p;
}

static void leave(peer *p)
{
    raw_close(p->stream);
    raw_hang_up(p->caller);
}

/* Announces an update for this task, with these bytes in the message. */
static void announce(const peer *p, const Fedn__TaskRequest *task, const char *update_id,
                     const void *model, uint64_t bytes, char ret[512])
{
    Fedn__Client sender = FEDN__CLIENT__INIT;
    Fedn__ModelUpdate update = FEDN__MODEL_UPDATE__INIT;
    raw_answer answer;

    sender.role = FEDN__ROLE__CLIENT;
    sender.name = (char *)(uintptr_t)p->id;
    update.sender = &sender;
    update.model_id = task->model_id;
    update.correlation_id = task->correlation_id;
    update.model_update_id = (char *)(uintptr_t)update_id;
    update.meta = (char *)(uintptr_t)META;
    update.config = task->data;
    update.model.data = (uint8_t *)(uintptr_t)model;
    update.model.len = bytes;
    raw_unary(p->caller, "/fedn.Combiner/SendModelUpdate", &update.base,
              &fedn__response__descriptor, &answer);
    if (answer.message)
        snprintf(ret, 512, "%s", ((Fedn__Response *)(void *)answer.message)->response);
    else
        snprintf(ret, 512, "%s: %.400s", fedn__rpc_name(answer.rpc), answer.details);
    raw_answer_done(&answer);
}

static void finished(network *net, char *session)
{
    char *status = network_await_session(net, session);

    assert_string_equal(status, "Finished");
    free(status);
    fedn_free(session);
}

static void assert_newest_is(network *net, float value)
{
    fedn_model *newest = network_newest(net);
    const float *data = fedn_model_data(newest, 0);

    for (uint64_t i = 0; i < fedn_model_elements(newest, 0); i++)
        assert_true(data[i] == value);
    fedn_model_unref(newest);
}

static void who_can_is_sent_the_model_and_who_cannot_is_not(void **state)
{
    network *net = network_start(1);
    peer able = join(net, "able", ABLE);
    peer plain = join(net, "plain", "");
    peer tiny = join(net, "tiny", "{\"inline_bytes\":10}");
    uint64_t bytes = 0;
    char text[512];
    char path[512];
    fedn_error err;

    (void)state;
    network_await_clients(net, 3);
    push(net, 100);
    char *session = network_session(net, "", 1);
    uint8_t *update = encode(100, 2, &bytes);

    const Fedn__TaskRequest *task = raw_task(able.stream, 0);
    assert_int_equal(task->inline_bytes, FEDN__LIMIT_INLINE_MODEL);
    snprintf(path, sizeof path, "%s/model", net->dir);
    assert_ok(raw_download(plain.caller, task->model_id, path, &err), &err);
    uint64_t count = 0;
    char *downloaded = test_read_file(path, &count);
    assert_int_equal(task->model.len, count);
    assert_memory_equal(task->model.data, downloaded, count);
    free(downloaded);
    announce(&able, task, ID_1, update, bytes, text);
    test_assert_words(text, "RECEIVED " ID_1);
    announce(&able, task, ID_1, update, bytes, text); /* as if the answer was lost */
    test_assert_words(text, "RECEIVED " ID_1);

    task = raw_task(plain.stream, 0);
    assert_int_equal(task->model.len, 0);
    assert_int_equal(task->inline_bytes, 0);
    assert_ok(raw_upload(plain.caller, ID_2, update, bytes, &err), &err);
    announce(&plain, task, ID_2, NULL, 0, text);
    test_assert_words(text, "RECEIVED " ID_2);

    task = raw_task(tiny.stream, 0); /* its bound is its own, that of updates the combiner's */
    assert_int_equal(task->model.len, 0);
    assert_int_equal(task->inline_bytes, FEDN__LIMIT_INLINE_MODEL);
    announce(&tiny, task, ID_3, update, bytes, text);
    test_assert_words(text, "RECEIVED " ID_3);
    finished(net, session);
    assert_newest_is(net, 2);
    fedn_free(update);
    leave(&able);
    leave(&plain);
    leave(&tiny);
    network_stop(net);
}

static void what_is_no_model_is_refused_and_the_round_goes_on(void **state)
{
    network *net = network_start(1);
    peer sound = join(net, "sound", ABLE);
    peer hostile = join(net, "hostile", ABLE);
    uint64_t bytes = 0;
    char text[512];

    (void)state;
    network_await_clients(net, 2);
    push(net, 100);
    char *session = network_session(net, "", 1);
    uint8_t *update = encode(100, 2, &bytes);
    uint8_t *large = calloc(1, FEDN__LIMIT_INLINE_MODEL + 1);

    const Fedn__TaskRequest *task = raw_task(hostile.stream, 0);
    announce(&hostile, task, ID_1, large, FEDN__LIMIT_INLINE_MODEL + 1, text);
    test_assert_words(text, "REFUSED " ID_1 " 131073 131072 upload");
    announce(&hostile, task, ID_1, large, FEDN__LIMIT_INLINE_MODEL, text); /* zeros */
    test_assert_words(text, "REFUSED " ID_1 " npz");
    announce(&hostile, task, ID_1, "PK\3\4", 4, text);
    test_assert_words(text, "REFUSED " ID_1 " npz");
    announce(&hostile, task, ID_1, update, bytes - 1, text);
    test_assert_words(text, "REFUSED " ID_1 " npz");
    announce(&sound, raw_task(sound.stream, 0), ID_2, update, bytes, text);
    test_assert_words(text, "RECEIVED " ID_2);
    finished(net, session);
    assert_newest_is(net, 2);
    announce(&hostile, task, ID_3, update, bytes, text);
    test_assert_words(text, "REFUSED " ID_3 " over");
    free(large);
    fedn_free(update);
    leave(&sound);
    leave(&hostile);
    network_stop(net);
}

static void a_validation_brings_its_model_along(void **state)
{
    network *net = network_start(1);
    peer able = join(net, "able", ABLE);
    uint64_t bytes = 0;
    char text[512];

    (void)state;
    network_await_clients(net, 1);
    push(net, 100);
    char *session = network_session(net, "\"validate\": true", 1);
    uint8_t *update = encode(100, 2, &bytes);
    announce(&able, raw_task(able.stream, 0), ID_1, update, bytes, text);
    test_assert_words(text, "RECEIVED " ID_1);
    const Fedn__TaskRequest *task = raw_task(able.stream, 1);
    assert_int_equal(task->type, FEDN__STATUS_TYPE__MODEL_VALIDATION);
    fedn_model *model = NULL;
    fedn_error err;
    assert_ok(fedn_model_decode(task->model.data, task->model.len, "npz", &model, &err), &err);
    assert_true(((const float *)fedn_model_data(model, 0))[99] == 2);
    fedn_model_unref(model);
    finished(net, session);
    fedn_free(update);
    leave(&able);
    network_stop(net);
}

static fedn_status add_one(fedn_task *task, fedn_error *err, void *user_data)
{
    fedn_model *global = NULL;

    (void)user_data;
    fedn_status rc = fedn_task_model(task, &global, err);
    if (rc != FEDN_OK)
        return rc;
    fedn_model *trained = network_model(fedn_model_elements(global, 0),
                                        ((const float *)fedn_model_data(global, 0))[0] + 1);
    rc = fedn_task_set_model(task, trained, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_num_examples(task, 1, err);
    fedn_model_unref(trained);
    return rc;
}

/* A model of the bound's own size and the ones beside it: both ways are taken, and lead to the same
 * end. */
static void models_around_the_bound_are_averaged_alike(void **state)
{
    uint64_t empty = 0;

    (void)state;
    fedn_free(encode(0, 0, &empty));
    const uint64_t fits = (FEDN__LIMIT_INLINE_MODEL - empty) / 4;
    for (uint64_t elements = fits - 32; elements <= fits + 32; elements += 32) {
        network *net = network_start(1);
        peer able = join(net, "able", ABLE);
        uint64_t bytes = 0;
        network_client(net, "one", add_one, NULL, NULL);
        network_client(net, "two", add_one, NULL, NULL);
        network_await_clients(net, 3);
        push(net, elements);
        char *session = network_session(net, "\"buffer_size\": 2", 2);
        fedn_free(encode(elements, 0, &bytes));
        const Fedn__TaskRequest *task = raw_task(able.stream, 0);
        assert_int_equal(task->model.len, bytes <= FEDN__LIMIT_INLINE_MODEL ? bytes : 0);
        finished(net, session);
        assert_newest_is(net, 2);
        leave(&able);
        network_stop(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_can_is_sent_the_model_and_who_cannot_is_not),
        cmocka_unit_test(what_is_no_model_is_refused_and_the_round_goes_on),
        cmocka_unit_test(a_validation_brings_its_model_along),
        cmocka_unit_test(models_around_the_bound_are_averaged_alike),
    };
    fedn_tune_process();
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
