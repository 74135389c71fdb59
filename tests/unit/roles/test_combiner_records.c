/* SPDX-License-Identifier: Apache-2.0
 * Clients' messages as records: the JSON of each kind as it arrives at a scripted reducer, batches,
 * bounds, what waits while the reducer is away. */
#include "fake_tier.h"
#include "test.h"

#include "core/limits.h"
#include "core/uuid.h"
#include "roles/combiner/records.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

typedef struct rig {
    fake_tier *tier;
    fedn__loop *loop;
    fedn__uplink *uplink;
    fedn__records *records;
    fedn_status (*step)(struct rig *rig);
    fedn_status rc;
    fedn_error err;
} rig;

static void ignore(void *user_data)
{
    (void)user_data;
}

static void ignore_message(void *user_data, const Fedn__Tier__V1__Down *message)
{
    (void)user_data;
    (void)message;
}

static const char *no_round(void *user_data)
{
    (void)user_data;
    return NULL;
}

static fedn_status open_records(rig *r)
{
    static const fedn__uplink_events events = {
        .up = ignore, .message = ignore_message, .report_taken = ignore, .held_round = no_round};
    char target[64];
    fedn__uplink_options options = {.target = target,
                                    .name = "c1",
                                    .combiner_id = "33333333-3333-4333-8333-333333333333",
                                    .host = "",
                                    .fqdn = "",
                                    .reconnect_max_ms = 100};

    snprintf(target, sizeof target, "127.0.0.1:%d", r->tier ? (int)fake_tier_port(r->tier) : 1);
    fedn_status rc = fedn__uplink_new(r->loop, &options, &events, r, &r->uplink, &r->err);
    if (rc == FEDN_OK)
        rc = fedn__records_new(r->loop, r->uplink, NULL, &r->records, &r->err);
    return rc;
}

static fedn_status close_records(rig *r)
{
    fedn__records_free(r->records);
    r->records = NULL;
    if (r->uplink)
        fedn__uplink_close(r->uplink, 20000, ignore, NULL);
    r->uplink = NULL;
    return FEDN_OK;
}

static fedn_status start_uplink(rig *r)
{
    fedn__uplink_start(r->uplink, 12080);
    return FEDN_OK;
}

static void do_step(void *arg)
{
    rig *r = arg;
    r->rc = r->step(r);
}

static fedn_status on_loop(rig *r, fedn_status (*step)(rig *r))
{
    r->step = step;
    fedn__loop_call(r->loop, do_step, r);
    return r->rc;
}

static rig *rig_new(int32_t linked)
{
    rig *r = calloc(1, sizeof *r);

    r->tier = fake_tier_new();
    assert_ok(fedn__loop_new("records", NULL, &r->loop, &r->err), &r->err);
    assert_ok(on_loop(r, open_records), &r->err);
    if (linked)
        on_loop(r, start_uplink);
    return r;
}

static void rig_free(rig *r)
{
    on_loop(r, close_records);
    fedn__loop_free(r->loop);
    fake_tier_free(r->tier);
    free(r);
}

/* The nth record of a kind without its id, which must be a UUID of its own. */
static json_t *record(rig *r, const char *kind, uint32_t nth, const char *id_field)
{
    fedn__uuid uuid;
    json_t *object = json_loads(fake_tier_record(r->tier, kind, nth), 0, NULL);

    assert_non_null(object);
    const char *id = json_string_value(json_object_get(object, id_field));
    assert_true(fedn__uuid_parse(id ? id : "", &uuid));
    json_object_del(object, id_field);
    return object;
}

static void assert_json(json_t *object, const char *expected)
{
    json_t *wanted = json_loads(expected, 0, NULL);
    assert_non_null(wanted);
    if (!json_equal(object, wanted)) {
        char *text = json_dumps(object, JSON_SORT_KEYS);
        fail_msg("got %s", text);
    }
    json_decref(wanted);
    json_decref(object);
}

#define SENDER "\"sender\": {\"name\": \"ann\", \"role\": \"CLIENT\", \"client_id\": \"id-1\"}"
#define TIME   "\"timestamp\": \"2026-11-24T02:40:45.884622Z\""

static Google__Protobuf__Timestamp moment = {.seconds = 1795488045, .nanos = 884622000};
static Fedn__Client sender;

static void init_sender(void)
{
    google__protobuf__timestamp__init(&moment);
    moment.seconds = 1795488045;
    moment.nanos = 884622000;
    fedn__client__init(&sender);
    sender.name = (char *)(uintptr_t) "ann";
    sender.role = FEDN__ROLE__CLIENT;
    sender.client_id = (char *)(uintptr_t) "id-1";
}

static fedn_status add_status(rig *r)
{
    Fedn__Status status = FEDN__STATUS__INIT;

    init_sender();
    status.sender = &sender;
    status.timestamp = &moment;
    status.status = (char *)(uintptr_t) "t\xc3\xa9l\xc3\xa9 \"quoted\"\n";
    status.log_level = FEDN__LOG_LEVEL__WARNING;
    status.type = FEDN__STATUS_TYPE__MODEL_UPDATE;
    status.data = (char *)(uintptr_t) "{}";
    status.correlation_id = (char *)(uintptr_t) "corr";
    status.extra = (char *)(uintptr_t) "more";
    status.session_id = (char *)(uintptr_t) "s";
    return fedn__records_status(r->records, "id-1", &status);
}

static void a_status(void **state)
{
    rig *r = rig_new(1);

    (void)state;
    assert_int_equal(on_loop(r, add_status), FEDN_OK);
    assert_json(
        record(r, "statuses", 0, "status_id"),
        "{\"status\": \"t\xc3\xa9l\xc3\xa9 \\\"quoted\\\"\\n\", \"log_level\": \"WARNING\", "
        "\"type\": \"MODEL_UPDATE\", \"data\": \"{}\", \"correlation_id\": \"corr\", "
        "\"extra\": \"more\", \"session_id\": \"s\", " TIME ", " SENDER "}");
    rig_free(r);
}

static fedn_status add_strange_status(rig *r)
{
    Fedn__Status status = FEDN__STATUS__INIT;

    init_sender();
    sender.role = (Fedn__Role)77;
    moment.seconds = INT64_MAX;
    status.sender = &sender;
    status.timestamp = &moment;
    status.log_level = (Fedn__LogLevel)-1;
    status.type = (Fedn__StatusType)1000;
    fedn_status rc = fedn__records_status(r->records, "id-1", &status);
    status.sender = NULL; /* who calls is known by the call */
    status.timestamp = NULL;
    return rc == FEDN_OK ? fedn__records_status(r->records, "by-call", &status) : rc;
}

static void unknown_values_become_known_ones(void **state)
{
    rig *r = rig_new(1);

    (void)state;
    assert_int_equal(on_loop(r, add_strange_status), FEDN_OK);
    json_t *object = record(r, "statuses", 0, "status_id");
    assert_string_equal(json_string_value(json_object_get(object, "log_level")), "NONE");
    assert_string_equal(json_string_value(json_object_get(object, "type")), "LOG");
    const json_t *who = json_object_get(object, "sender");
    assert_string_equal(json_string_value(json_object_get(who, "role")), "OTHER");
    /* a time that no calendar has: now */
    assert_memory_equal(json_string_value(json_object_get(object, "timestamp")), "20", 2);
    json_decref(object);
    object = record(r, "statuses", 1, "status_id");
    who = json_object_get(object, "sender");
    assert_string_equal(json_string_value(json_object_get(who, "client_id")), "by-call");
    json_decref(object);
    rig_free(r);
}

static fedn_status add_validation(rig *r)
{
    Fedn__ModelValidation v = FEDN__MODEL_VALIDATION__INIT;

    init_sender();
    v.sender = &sender;
    v.timestamp = &moment;
    v.model_id = (char *)(uintptr_t) "m";
    v.data = (char *)(uintptr_t) "{\"accuracy\": 0.5}";
    v.correlation_id = (char *)(uintptr_t) "corr";
    v.session_id = (char *)(uintptr_t) "s";
    v.meta = (char *)(uintptr_t) "meta";
    return fedn__records_validation(r->records, "id-1", &v);
}

static void a_validation(void **state)
{
    rig *r = rig_new(1);

    (void)state;
    assert_int_equal(on_loop(r, add_validation), FEDN_OK);
    assert_json(record(r, "validations", 0, "validation_id"),
                "{\"model_id\": \"m\", \"data\": \"{\\\"accuracy\\\": 0.5}\", "
                "\"correlation_id\": \"corr\", \"session_id\": \"s\", \"meta\": \"meta\", "
                "\"receiver\": {\"name\": \"\", \"role\": \"OTHER\", \"client_id\": \"\"}, " TIME
                ", " SENDER "}");
    rig_free(r);
}

static fedn_status add_prediction(rig *r)
{
    Fedn__ModelPrediction p = FEDN__MODEL_PREDICTION__INIT;

    init_sender();
    p.sender = &sender;
    p.timestamp = &moment;
    p.model_id = (char *)(uintptr_t) "m";
    p.data = (char *)(uintptr_t) "[1]";
    p.correlation_id = (char *)(uintptr_t) "corr";
    p.prediction_id = (char *)(uintptr_t) "shared";
    fedn_status rc = fedn__records_prediction(r->records, "id-1", &p);
    return rc == FEDN_OK ? fedn__records_prediction(r->records, "id-2", &p) : rc;
}

static void predictions_of_one_question_are_records_of_their_own(void **state)
{
    rig *r = rig_new(1);

    (void)state;
    assert_int_equal(on_loop(r, add_prediction), FEDN_OK);
    assert_json(record(r, "predictions", 0, "id"),
                "{\"prediction_id\": \"shared\", \"model_id\": \"m\", \"data\": \"[1]\", "
                "\"correlation_id\": \"corr\", \"meta\": \"\", "
                "\"receiver\": {\"name\": \"\", \"role\": \"OTHER\", \"client_id\": \"\"}, " TIME
                ", " SENDER "}");
    json_decref(record(r, "predictions", 1, "id"));
    rig_free(r);
}

static fedn_status add_metrics(rig *r)
{
    Fedn__ModelMetric m = FEDN__MODEL_METRIC__INIT;
    Fedn__MetricElem elems[3] = {FEDN__METRIC_ELEM__INIT, FEDN__METRIC_ELEM__INIT,
                                 FEDN__METRIC_ELEM__INIT};
    Fedn__MetricElem *list[3] = {&elems[0], &elems[1], &elems[2]};
    Google__Protobuf__UInt32Value step = GOOGLE__PROTOBUF__UINT32_VALUE__INIT;

    init_sender();
    elems[0].key = (char *)(uintptr_t) "loss";
    elems[0].value = 0.25f;
    elems[1].key = (char *)(uintptr_t) "nan";
    elems[1].value = NAN;
    elems[2].key = (char *)(uintptr_t) "accuracy";
    elems[2].value = 0.1f;
    step.value = 7;
    m.sender = &sender;
    m.timestamp = &moment;
    m.metrics = list;
    m.n_metrics = 3;
    m.step = &step;
    m.model_id = (char *)(uintptr_t) "m";
    m.round_id = (char *)(uintptr_t) "3";
    m.session_id = (char *)(uintptr_t) "s";
    return fedn__records_metrics(r->records, "id-1", &m);
}

static void metrics_are_a_record_each_and_what_json_cannot_say_is_null(void **state)
{
    rig *r = rig_new(1);

    (void)state;
    assert_int_equal(on_loop(r, add_metrics), FEDN_OK);
    assert_json(record(r, "metrics", 0, "metric_id"),
                "{\"key\": \"loss\", \"value\": 0.25, \"step\": 7, \"model_id\": \"m\", "
                "\"round_id\": \"3\", \"session_id\": \"s\", " TIME ", " SENDER "}");
    json_t *second = record(r, "metrics", 1, "metric_id");
    assert_string_equal(json_string_value(json_object_get(second, "key")), "nan");
    assert_true(json_is_null(json_object_get(second, "value")));
    json_decref(second);
    json_t *third = record(r, "metrics", 2, "metric_id");
    assert_true(json_real_value(json_object_get(third, "value")) == 0.1); /* not 0.1f */
    json_decref(third);
    rig_free(r);
}

static fedn_status add_attributes_and_telemetry(rig *r)
{
    Fedn__AttributeMessage a = FEDN__ATTRIBUTE_MESSAGE__INIT;
    Fedn__AttributeElem attribute = FEDN__ATTRIBUTE_ELEM__INIT;
    Fedn__AttributeElem *attributes[] = {&attribute};
    Fedn__TelemetryMessage t = FEDN__TELEMETRY_MESSAGE__INIT;
    Fedn__TelemetryElem telemetry = FEDN__TELEMETRY_ELEM__INIT;
    Fedn__TelemetryElem bad = FEDN__TELEMETRY_ELEM__INIT;
    Fedn__TelemetryElem *telemetries[] = {&bad, &telemetry};

    init_sender();
    attribute.key = (char *)(uintptr_t) "site";
    attribute.value = (char *)(uintptr_t) "north";
    a.sender = t.sender = &sender;
    a.timestamp = t.timestamp = &moment;
    a.n_attributes = 1;
    a.attributes = attributes;
    telemetry.key = (char *)(uintptr_t) "cpu";
    telemetry.value = 0.75f;
    bad.value = INFINITY;
    t.n_telemetries = 2;
    t.telemetries = telemetries;
    fedn_status rc = fedn__records_attributes(r->records, "id-1", &a);
    return rc == FEDN_OK ? fedn__records_telemetry(r->records, "id-1", &t) : rc;
}

static void attributes_and_telemetry(void **state)
{
    rig *r = rig_new(1);

    (void)state;
    assert_int_equal(on_loop(r, add_attributes_and_telemetry), FEDN_OK);
    assert_json(record(r, "attributes", 0, "attribute_id"),
                "{\"key\": \"site\", \"value\": \"north\", " TIME ", " SENDER "}");
    assert_json(record(r, "telemetry", 0, "telemetry_id"),
                "{\"key\": \"\", \"value\": null, " TIME ", " SENDER "}");
    assert_json(record(r, "telemetry", 1, "telemetry_id"),
                "{\"key\": \"cpu\", \"value\": 0.75, " TIME ", " SENDER "}");
    rig_free(r);
}

/* ---- batches and bounds ---- */

static fedn_status add_thousand(rig *r)
{
    fedn_status rc = FEDN_OK;

    for (int i = 0; rc == FEDN_OK && i < 1000; i++)
        rc = add_status(r);
    return rc;
}

static void records_travel_together(void **state)
{
    rig *r = rig_new(1);

    (void)state;
    assert_int_equal(on_loop(r, add_thousand), FEDN_OK);
    fake_tier_record(r->tier, "statuses", 999);
    assert_in_range(fake_tier_count(r->tier, FEDN__TIER__V1__UP__BODY_EVENTS), 4, 5);
    rig_free(r);
}

static void a_stop_sends_what_waits_for_its_batch(void **state)
{
    rig *r = rig_new(1);

    (void)state;
    fake_tier_wait(r->tier, FEDN__TIER__V1__UP__BODY_HELLO, 0);
    on_loop(r, add_status);
    fake_tier_record(r->tier, "statuses", 0); /* the link is up */
    on_loop(r, add_status);
    on_loop(r, close_records);
    fake_tier_record(r->tier, "statuses", 1);
    rig_free(r);
}

static fedn_status add_large(rig *r)
{
    Fedn__Status status = FEDN__STATUS__INIT;
    char *data = calloc(1, 400000);

    memset(data, 'x', 399999);
    status.data = data;
    fedn_status rc = FEDN_OK;
    uint32_t taken = 0;
    for (; rc == FEDN_OK && taken < 1000; taken++)
        rc = fedn__records_status(r->records, "id-1", &status);
    free(data);
    assert_in_range(taken, 100, 130); /* 48 MiB and a batch */
    return rc;
}

static void records_are_turned_away_while_too_many_wait_and_none_is_lost(void **state)
{
    rig *r = rig_new(0);

    (void)state;
    assert_int_equal(on_loop(r, add_large), FEDN_ERR_LIMIT);
    on_loop(r, start_uplink);
    fake_tier_record(r->tier, "statuses", 110);
    rig_free(r);
}

static fedn_status add_too_large(rig *r)
{
    Fedn__Status status = FEDN__STATUS__INIT;
    static char data[800000];
    memset(data, 1, sizeof data - 1); /* six bytes each in JSON */
    status.data = data;
    fedn_status rc = fedn__records_status(r->records, "id-1", &status);
    Fedn__MetricElem one = FEDN__METRIC_ELEM__INIT;
    Fedn__MetricElem *many[100] = {0};
    Fedn__ModelMetric m = FEDN__MODEL_METRIC__INIT;
    for (; m.n_metrics < 100; m.n_metrics++)
        many[m.n_metrics] = &one;
    m.metrics = many;
    m.model_id = data; /* in each of a hundred records */
    return rc == FEDN_ERR_INVALID ? fedn__records_metrics(r->records, "id-1", &m) : rc;
}

static void a_record_that_never_fits_is_invalid(void **state)
{
    rig *r = rig_new(0);

    (void)state;
    assert_int_equal(on_loop(r, add_too_large), FEDN_ERR_INVALID);
    rig_free(r);
}

static fedn_status one_of_each(rig *r)
{
    fedn_status (*const steps[])(rig *) = {open_records,   add_status,
                                           add_validation, add_metrics,
                                           add_prediction, add_attributes_and_telemetry};
    fedn_status rc = FEDN_OK;

    for (size_t i = 0; rc == FEDN_OK && i < sizeof steps / sizeof steps[0]; i++)
        rc = steps[i](r);
    close_records(r);
    return rc;
}

static fedn_status scenario(void *arg)
{
    return on_loop(arg, one_of_each);
}

static void every_allocation_may_fail(void **state)
{
    rig r = {0};

    (void)state;
    assert_ok(fedn__loop_new("records", NULL, &r.loop, &r.err), &r.err);
    assert_int_equal(scenario(&r), FEDN_OK); /* after which the loop has room for the timer */
    test_fail_each_allocation(scenario, &r);
    fedn__loop_free(r.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status),
        cmocka_unit_test(unknown_values_become_known_ones),
        cmocka_unit_test(a_validation),
        cmocka_unit_test(predictions_of_one_question_are_records_of_their_own),
        cmocka_unit_test(metrics_are_a_record_each_and_what_json_cannot_say_is_null),
        cmocka_unit_test(attributes_and_telemetry),
        cmocka_unit_test(records_travel_together),
        cmocka_unit_test(a_stop_sends_what_waits_for_its_batch),
        cmocka_unit_test(records_are_turned_away_while_too_many_wait_and_none_is_lost),
        cmocka_unit_test(a_record_that_never_fits_is_invalid),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
