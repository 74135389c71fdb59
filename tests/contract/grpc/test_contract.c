/* SPDX-License-Identifier: Apache-2.0
 * Plays the tables of contract.h to a combiner, and looks for methods that have no row. */
#include "contract.h"

#include "health.pb-c.h"
#include <stdlib.h>

/* ---- unary calls ---- */

static const char *enum_name(const ProtobufCEnumDescriptor *type, int value)
{
    return protobuf_c_enum_descriptor_get_value(type, value)->name;
}

/* An answer as one line. */
static void read_answer(const raw_answer *answer, char *text, size_t room)
{
    const ProtobufCMessage *m = answer->message;
    const Fedn__Response *response = (const Fedn__Response *)m;

    if (!m) {
        snprintf(text, room, "%s", answer->details);
    } else if (m->descriptor == &fedn__response__descriptor) {
        snprintf(text, room, "%s %s %s", response->sender ? response->sender->name : "",
                 response->sender ? enum_name(&fedn__role__descriptor, (int)response->sender->role)
                                  : "",
                 response->response);
    } else if (m->descriptor == &fedn__connection_response__descriptor) {
        snprintf(text, room, "%s",
                 enum_name(&fedn__connection_status__descriptor,
                           (int)((const Fedn__ConnectionResponse *)m)->status));
    } else if (m->descriptor == &fedn__client_list__descriptor) {
        const Fedn__ClientList *list = (const Fedn__ClientList *)m;
        const Fedn__Client *first = list->n_client ? list->client[0] : NULL;
        snprintf(text, room, "%s %s %s", first ? first->name : "nobody",
                 first ? enum_name(&fedn__role__descriptor, (int)first->role) : "",
                 first ? first->client_id : "");
    } else if (m->descriptor == &fedn__get_global_model_response__descriptor) {
        snprintf(text, room, "%s", ((const Fedn__GetGlobalModelResponse *)m)->model_id);
    } else if (m->descriptor == &fedn__model_response__descriptor) {
        snprintf(text, room, "%s", ((const Fedn__ModelResponse *)m)->id);
    } else {
        snprintf(text, room, "%s",
                 enum_name(&grpc__health__v1__health_check_response__serving_status__descriptor,
                           (int)((const Grpc__Health__V1__HealthCheckResponse *)m)->status));
    }
}

/* Which record of its kind a row's is: all rows before it that have one were played. */
static uint32_t number_of(uint32_t row)
{
    uint32_t number = 0;

    for (uint32_t i = 0; i < row; i++)
        if (unary_rows[i].entity && strcmp(unary_rows[i].entity, unary_rows[row].entity) == 0)
            number++;
    return number;
}

static void check_record(rig *r, uint32_t row)
{
    const char *json = fake_tier_record(r->tier, unary_rows[row].entity, number_of(row));
    char *parts = strdup(unary_rows[row].record);
    char *save = NULL;

    for (char *part = strtok_r(parts, ";", &save); part; part = strtok_r(NULL, ";", &save))
        if (!strstr(json, part))
            fail_msg("%s: %s is not in %s", unary_rows[row].path, part, json);
    free(parts);
}

static void every_unary_call_is_answered_as_agreed(void **state)
{
    rig *r = rig_new();
    uint32_t nth = 0;

    (void)state;
    rig_open_tasks(r);
    rig_await_roster(r, &nth, 1);
    for (uint32_t i = 0; i < unary_count; i++) {
        const unary_row *row = &unary_rows[i];
        raw_caller *caller = raw_dial(fedn_combiner_port(r->combiner), row->as);
        raw_answer answer;
        char text[1024];
        raw_unary(caller, row->path, row->request, row->response, &answer);
        read_answer(&answer, text, sizeof text);
        if (answer.rpc != row->rpc)
            fail_msg("%s: %s instead of %s: %s", row->path, fedn__rpc_name(answer.rpc),
                     fedn__rpc_name(row->rpc), text);
        test_assert_words(text, row->words);
        if (row->entity)
            check_record(r, i);
        raw_answer_done(&answer);
        raw_hang_up(caller);
    }
    rig_free(r);
}

static void a_message_that_is_sent_again_makes_the_same_record(void **state)
{
    rig *r = rig_new();
    const char *first = NULL;
    const char *id = NULL;

    (void)state;
    for (uint32_t i = 0; i < unary_count; i++) {
        const unary_row *row = &unary_rows[i];
        if (!row->entity || strcmp(row->entity, "metrics") != 0)
            continue;
        for (uint32_t k = 0; k < 2; k++) {
            raw_answer answer;
            raw_unary(r->ann, row->path, row->request, row->response, &answer);
            raw_answer_done(&answer);
        }
        first = fake_tier_record(r->tier, "metrics", 0);
        id = strstr(first, "\"metric_id\":\"");
        assert_non_null(id);
        assert_memory_equal(strstr(fake_tier_record(r->tier, "metrics", 1), "\"metric_id\":\""), id,
                            50);
    }
    assert_non_null(first);
    rig_free(r);
}

/* FEDn's combiner takes 4 MiB, and its client ends when it is told that something is too large. */
static void long_answers_are_taken_and_longer_ones_refused_in_words(void **state)
{
    static const uint64_t sizes[] = {2000000, 4100000};
    static const char *const words[] = {"RECEIVED", "REFUSED too_large"};
    rig *r = rig_new();

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        Fedn__ModelPrediction p = FEDN__MODEL_PREDICTION__INIT;
        raw_answer answer;
        p.data = calloc(1, sizes[i] + 1);
        memset(p.data, 'x', sizes[i]);
        raw_unary(r->ann, "/fedn.Combiner/SendModelPrediction", &p.base,
                  &fedn__response__descriptor, &answer);
        assert_int_equal(answer.rpc, FEDN__RPC_OK);
        test_assert_words(((const Fedn__Response *)answer.message)->response, words[i]);
        raw_answer_done(&answer);
        free(p.data);
    }
    assert_true(strlen(fake_tier_record(r->tier, "predictions", 0)) > sizes[0]);
    rig_free(r);
}

/* ---- streams ---- */

static void every_stream_goes_as_agreed(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < stream_count; i++) {
        rig *r = rig_new();
        stream_rows[i].play(r);
        rig_free(r);
    }
}

/* ---- completeness ---- */

static int32_t has_row(const char *path)
{
    for (uint32_t i = 0; i < unary_count; i++)
        if (strcmp(unary_rows[i].path, path) == 0)
            return 1;
    for (uint32_t i = 0; i < stream_count; i++)
        if (strcmp(stream_rows[i].path, path) == 0)
            return 1;
    return 0;
}

static void every_method_of_the_schema_has_a_row(void **state)
{
    static const ProtobufCServiceDescriptor *const services[] = {
        &fedn__model_service__descriptor,     &fedn__control__descriptor,
        &fedn__reducer__descriptor,           &fedn__connector__descriptor,
        &fedn__combiner__descriptor,          &fedn__function_service__descriptor,
        &grpc__health__v1__health__descriptor};
    char path[128];

    (void)state;
    for (uint32_t s = 0; s < sizeof services / sizeof services[0]; s++) {
        for (unsigned m = 0; m < services[s]->n_methods; m++) {
            snprintf(path, sizeof path, "/%s/%s", services[s]->name, services[s]->methods[m].name);
            if (!has_row(path))
                fail_msg("%s has no row in unary.c or streams.c", path);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unary_call_is_answered_as_agreed),
        cmocka_unit_test(a_message_that_is_sent_again_makes_the_same_record),
        cmocka_unit_test(long_answers_are_taken_and_longer_ones_refused_in_words),
        cmocka_unit_test(every_stream_goes_as_agreed),
        cmocka_unit_test(every_method_of_the_schema_has_a_row),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
