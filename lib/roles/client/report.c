/* SPDX-License-Identifier: Apache-2.0
 * Filling in FEDn's messages. Its servers drop or refuse a message whose sender lacks name, id or
 * role, so every one has them. */
#include "roles/client/report.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
#include "fedn.pb-c.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of an announcement that carries its update: names, ids and times; and beside a metric's name,
 * which at worst doubles when it is quoted, its value. */
enum { ANNOUNCEMENT_BYTES = 4096, METRIC_BYTES = 32 };

#define TEXT(text) ((char *)(uintptr_t)(text)) /* protobuf-c's fields are not const */

static void set_sender(Fedn__Client *sender, const fedn__reporter *reporter)
{
    fedn__client__init(sender);
    sender->role = FEDN__ROLE__CLIENT;
    sender->name = TEXT(reporter->name);
    sender->client_id = TEXT(reporter->id);
}

static void set_receiver(Fedn__Client *receiver, const fedn__order *order)
{
    fedn__client__init(receiver);
    receiver->role = FEDN__ROLE__COMBINER;
    receiver->name = order->combiner;
}

static void set_time(Google__Protobuf__Timestamp *time)
{
    int64_t now_us = fedn__clock_wall_us();

    google__protobuf__timestamp__init(time);
    time->seconds = now_us / 1000000;
    time->nanos = (int32_t)(now_us % 1000000 * 1000);
}

static void ignore(int32_t rpc, const char *details, const ProtobufCMessage *response,
                   void *user_data)
{
    (void)rpc;
    (void)details;
    (void)response;
    (void)user_data;
}

static fedn_status send(const fedn__reporter *reporter, const char *path,
                        const ProtobufCMessage *message, fedn__unary_fn fn, void *user_data)
{
    const fedn__unary_options options = {.timeout_ms = reporter->timeout_ms};

    return fedn__channel_unary(reporter->channel, path, message, &fedn__response__descriptor,
                               &options, fn ? fn : ignore, user_data);
}

fedn_status fedn__report_open(const fedn__reporter *reporter, uint64_t inline_bytes,
                              const fedn__stream_events *events, void *user_data,
                              fedn__stream **ret, fedn_error *err)
{
    Fedn__ClientAvailableMessage message = FEDN__CLIENT_AVAILABLE_MESSAGE__INIT;
    Fedn__Client sender;
    char data[64];

    snprintf(data, sizeof data, "{\"inline_bytes\":%llu,\"moves\":true}",
             (unsigned long long)inline_bytes);
    set_sender(&sender, reporter);
    message.sender = &sender;
    message.data = data;
    return fedn__channel_stream(reporter->channel, "/fedn.Combiner/TaskStream", &message.base,
                                &fedn__task_request__descriptor, events, user_data, ret, err);
}

fedn_status fedn__report_heartbeat(const fedn__reporter *reporter, fedn__unary_fn fn,
                                   void *user_data)
{
    Fedn__Heartbeat message = FEDN__HEARTBEAT__INIT;
    Fedn__Client sender;

    set_sender(&sender, reporter);
    message.sender = &sender;
    return send(reporter, "/fedn.Connector/SendHeartbeat", &message.base, fn, user_data);
}

/* What the status of a task says beside its own fields. */
typedef struct status_text {
    Fedn__LogLevel level;
    const char *text;
    const char *data;
} status_text;

static fedn_status send_status(const fedn__reporter *reporter, const fedn__order *order,
                               const status_text *said, fedn__unary_fn fn, void *user_data)
{
    Fedn__Status message = FEDN__STATUS__INIT;
    Google__Protobuf__Timestamp time;
    Fedn__Client sender;

    set_sender(&sender, reporter);
    set_time(&time);
    message.sender = &sender;
    message.timestamp = &time;
    message.status = TEXT(said->text);
    message.log_level = said->level;
    message.data = TEXT(said->data);
    message.correlation_id = order->correlation_id;
    message.session_id = order->session_id;
    message.type = (Fedn__StatusType)order->wire_type;
    return send(reporter, "/fedn.Connector/SendStatus", &message.base, fn, user_data);
}

fedn_status fedn__report_failure(const fedn__reporter *reporter, const fedn__order *order,
                                 const char *reason, fedn__unary_fn fn, void *user_data)
{
    json_t *data = json_pack("{s:s, s:s, s:s}", "round_id", order->round_id, "model_id",
                             order->model_id, "error", reason);
    char *text = data ? fedn__json_text(data) : NULL;
    const status_text said = {FEDN__LOG_LEVEL__ERROR, reason, text};

    fedn_status rc = text ? send_status(reporter, order, &said, fn, user_data) : FEDN_ERR_NOMEM;
    json_decref(data);
    fedn__free(text);
    return rc;
}

fedn_status fedn__report_progress(const fedn__reporter *reporter, const fedn__order *order,
                                  uint64_t done, uint64_t total, fedn__unary_fn fn, void *user_data)
{
    char data[96];
    const status_text said = {FEDN__LOG_LEVEL__INFO, "progress", data};

    snprintf(data, sizeof data, "{\"done\":%llu,\"total\":%llu}", (unsigned long long)done,
             (unsigned long long)total);
    return send_status(reporter, order, &said, fn, user_data);
}

static json_t *number(double value)
{
    if (value == floor(value) && fabs(value) < 9007199254740992.0)
        return json_integer((json_int_t)value);
    return json_real(value);
}

static json_t *metrics_object(const fedn_task *task)
{
    json_t *object = json_object();

    for (uint32_t i = 0; object && i < task->metric_count; i++) {
        const fedn__metric *metric = &task->metrics[i];
        if (json_object_set_new(object, metric->name, json_real(metric->value)) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

static char *result_text(const fedn_task *task)
{
    if (task->data)
        return fedn__strdup(task->data);
    json_t *object = metrics_object(task);
    char *text = object ? fedn__json_text(object) : NULL;
    json_decref(object);
    return text;
}

static char *meta_text(const fedn_task *task, const fedn__timings *timings)
{
    json_t *training = metrics_object(task);
    json_t *meta = NULL;
    char *text = NULL;

    /* the round's configuration is not quoted once more in here: it has a field of its own */
    if (training && json_object_set_new(training, "num_examples", number(task->num_examples)) == 0)
        meta = json_pack("{s:O, s:f, s:f, s:f}", "training_metadata", training, "processing_time",
                         task->processing_s, "fetch_model", timings->fetch_s, "upload_model",
                         timings->upload_s);
    if (meta)
        text = fedn__json_text(meta);
    json_decref(training);
    json_decref(meta);
    return text;
}

int32_t fedn__report_has_room(const fedn_task *task)
{
    uint64_t rest = strlen(task->order->config) + ANNOUNCEMENT_BYTES;

    for (uint32_t i = 0; i < task->metric_count; i++)
        rest += 2 * strlen(task->metrics[i].name) + METRIC_BYTES;
    return fedn__blob_bytes(task->update) + rest <= FEDN__LIMIT_CONTROL_BYTES;
}

static fedn_status set_model(Fedn__ModelUpdate *message, fedn__blob *model)
{
    const uint8_t *data = NULL;

    if (!model)
        return FEDN_OK;
    fedn_status rc = fedn__blob_map(model, &data, NULL);
    message->model.len = fedn__blob_bytes(model);
    message->model.data = (uint8_t *)(uintptr_t)data;
    return rc;
}

static fedn_status send_update(const fedn__reporter *reporter, const fedn_task *task,
                               const char *update_id, fedn__blob *model,
                               const fedn__timings *timings, fedn__unary_fn fn, void *user_data)
{
    Fedn__ModelUpdate message = FEDN__MODEL_UPDATE__INIT;
    Fedn__Client sender;
    Fedn__Client receiver;
    char time[FEDN__TIME_TEXT];
    char stamp[FEDN__TIME_TEXT + 8];

    fedn_status rc = set_model(&message, model);
    if (rc != FEDN_OK)
        return rc;
    char *meta = meta_text(task, timings);
    if (!meta)
        return FEDN_ERR_NOMEM;
    set_sender(&sender, reporter);
    set_receiver(&receiver, task->order);
    fedn__text_space_time(fedn__clock_wall_us(), time);
    snprintf(stamp, sizeof stamp, "%s+00:00", time);
    message.sender = &sender;
    message.receiver = &receiver;
    message.model_id = task->order->model_id;
    message.model_update_id = TEXT(update_id);
    message.correlation_id = task->order->correlation_id;
    message.timestamp = stamp;
    message.meta = meta;
    message.config = task->order->config;
    rc = send(reporter, "/fedn.Combiner/SendModelUpdate", &message.base, fn, user_data);
    fedn__free(meta);
    return rc;
}

static fedn_status send_validation(const fedn__reporter *reporter, const fedn_task *task,
                                   fedn__unary_fn fn, void *user_data)
{
    Fedn__ModelValidation message = FEDN__MODEL_VALIDATION__INIT;
    Google__Protobuf__Timestamp time;
    Fedn__Client sender;
    Fedn__Client receiver;

    char *data = result_text(task);
    if (!data)
        return FEDN_ERR_NOMEM;
    set_sender(&sender, reporter);
    set_receiver(&receiver, task->order);
    set_time(&time);
    message.sender = &sender;
    message.receiver = &receiver;
    message.model_id = task->order->model_id;
    message.data = data;
    message.correlation_id = task->order->correlation_id;
    message.timestamp = &time;
    message.session_id = task->order->session_id;
    fedn_status rc =
        send(reporter, "/fedn.Combiner/SendModelValidation", &message.base, fn, user_data);
    fedn__free(data);
    return rc;
}

static fedn_status send_prediction(const fedn__reporter *reporter, const fedn_task *task,
                                   fedn__unary_fn fn, void *user_data)
{
    Fedn__ModelPrediction message = FEDN__MODEL_PREDICTION__INIT;
    Google__Protobuf__Timestamp time;
    Fedn__Client sender;
    Fedn__Client receiver;

    char *data = result_text(task);
    if (!data)
        return FEDN_ERR_NOMEM;
    set_sender(&sender, reporter);
    set_receiver(&receiver, task->order);
    set_time(&time);
    message.sender = &sender;
    message.receiver = &receiver;
    message.model_id = task->order->model_id;
    message.data = data;
    message.correlation_id = task->order->correlation_id;
    message.timestamp = &time;
    message.prediction_id = task->order->session_id; /* where a prediction task has its id */
    fedn_status rc =
        send(reporter, "/fedn.Combiner/SendModelPrediction", &message.base, fn, user_data);
    fedn__free(data);
    return rc;
}

fedn_status fedn__report_result(const fedn__reporter *reporter, const fedn_task *task,
                                const char *update_id, fedn__blob *model,
                                const fedn__timings *timings, fedn__unary_fn fn, void *user_data)
{
    switch (task->order->type) {
    case FEDN_TASK_TRAIN:
        return send_update(reporter, task, update_id, model, timings, fn, user_data);
    case FEDN_TASK_VALIDATE:
        return send_validation(reporter, task, fn, user_data);
    default:
        return send_prediction(reporter, task, fn, user_data);
    }
}

static float narrow(double value)
{
    if (value > FLT_MAX)
        return FLT_MAX;
    return value < -FLT_MAX ? -FLT_MAX : (float)value;
}

typedef struct metric_list {
    Fedn__MetricElem elements[FEDN__LIMIT_METRICS];
    Fedn__MetricElem *pointers[FEDN__LIMIT_METRICS];
} metric_list;

static metric_list *make_list(const fedn_task *task)
{
    metric_list *list = fedn__alloc_zero(sizeof *list);

    for (uint32_t i = 0; list && i < task->metric_count; i++) {
        Fedn__MetricElem *element = &list->elements[i];
        fedn__metric_elem__init(element);
        element->key = task->metrics[i].name;
        element->value = narrow(task->metrics[i].value);
        list->pointers[i] = element;
    }
    return list;
}

fedn_status fedn__report_metrics(const fedn__reporter *reporter, const fedn_task *task,
                                 uint32_t step)
{
    Fedn__ModelMetric message = FEDN__MODEL_METRIC__INIT;
    Google__Protobuf__Timestamp time;
    Google__Protobuf__UInt32Value count = GOOGLE__PROTOBUF__UINT32_VALUE__INIT;
    Fedn__Client sender;

    if (task->metric_count == 0)
        return FEDN_OK;
    metric_list *list = make_list(task);
    if (!list)
        return FEDN_ERR_NOMEM;
    set_sender(&sender, reporter);
    set_time(&time);
    count.value = step;
    message.sender = &sender;
    message.n_metrics = task->metric_count;
    message.metrics = list->pointers;
    message.timestamp = &time;
    message.step = &count;
    message.model_id = task->order->model_id;
    message.round_id = task->order->round_id;
    message.session_id = task->order->session_id;
    fedn_status rc = send(reporter, "/fedn.Combiner/SendModelMetric", &message.base, NULL, NULL);
    fedn__free(list);
    return rc;
}
