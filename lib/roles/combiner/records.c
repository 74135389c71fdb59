/* SPDX-License-Identifier: Apache-2.0
 * Clients' messages as JSON records, sent up in batches. */
#include "roles/combiner/records.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/text.h"
#include "core/uuid.h"
#include <math.h>
#include <string.h>

#define BATCH_RECORDS 256
#define BATCH_BYTES   (512 * FEDN__KIB)
#define RECORD_BYTES  BATCH_BYTES
#define BATCH_MS      20   /* how long a record waits for others */
#define RETRY_MS      1000 /* when the batch could not be sent */

struct fedn__records {
    fedn__loop *loop;
    fedn__uplink *uplink;
    const fedn__log *log;
    Fedn__Tier__V1__Event events[BATCH_RECORDS];
    Fedn__Tier__V1__Event *places[BATCH_RECORDS];
    uint32_t count;
    uint64_t bytes;
    fedn__timer timer;
    int32_t complained;
};

static void set_timer(fedn__records *records, int64_t ms)
{
    fedn__loop_timer_set(records->loop, &records->timer, fedn__clock_ns() + ms * 1000000);
}

/* On failure the batch stays, and is tried again later. */
static fedn_status flush(fedn__records *records)
{
    Fedn__Tier__V1__Events batch = FEDN__TIER__V1__EVENTS__INIT;
    Fedn__Tier__V1__Up up = FEDN__TIER__V1__UP__INIT;

    if (records->count == 0)
        return FEDN_OK;
    batch.n_events = records->count;
    batch.events = records->places;
    up.body_case = FEDN__TIER__V1__UP__BODY_EVENTS;
    up.events = &batch;
    fedn_status rc = fedn__uplink_send_record(records->uplink, &up);
    if (rc != FEDN_OK && !records->complained)
        fedn__log_write(records->log, FEDN_LOG_WARNING, "combiner",
                        "records wait and new ones are turned away: %s",
                        rc == FEDN_ERR_LIMIT ? "the reducer has not taken up earlier ones"
                                             : fedn_status_string(rc));
    records->complained = rc != FEDN_OK;
    if (rc != FEDN_OK) {
        set_timer(records, RETRY_MS);
        return rc;
    }
    for (uint32_t i = 0; i < records->count; i++)
        fedn__free(records->events[i].json);
    records->count = 0;
    records->bytes = 0;
    fedn__loop_timer_cancel(records->loop, &records->timer);
    return FEDN_OK;
}

static void on_timer(fedn__timer *timer, void *user_data)
{
    (void)timer;
    flush(user_data);
}

fedn_status fedn__records_new(fedn__loop *loop, fedn__uplink *uplink, const fedn__log *log,
                              fedn__records **ret, fedn_error *err)
{
    *ret = fedn__alloc_zero(sizeof **ret);
    if (!*ret)
        return fedn__error_nomem(err);
    (*ret)->loop = loop;
    (*ret)->uplink = uplink;
    (*ret)->log = log;
    (*ret)->timer.fn = on_timer;
    (*ret)->timer.user_data = *ret;
    return FEDN_OK;
}

void fedn__records_free(fedn__records *records)
{
    if (!records)
        return;
    (void)flush(records);
    fedn__loop_timer_cancel(records->loop, &records->timer);
    for (uint32_t i = 0; i < records->count; i++)
        fedn__free(records->events[i].json);
    fedn__free(records);
}

/* Takes over the document (NULL: it could not be built). */
static fedn_status add(fedn__records *records, const char *entity, json_t *document)
{
    char *text = document ? fedn__json_text(document) : NULL;

    json_decref(document);
    if (!text)
        return FEDN_ERR_NOMEM;
    uint64_t bytes = strlen(text);
    fedn_status rc = bytes > RECORD_BYTES ? FEDN_ERR_INVALID : FEDN_OK;
    if (rc == FEDN_OK && (records->count == BATCH_RECORDS || records->bytes + bytes > BATCH_BYTES))
        rc = flush(records);
    if (rc != FEDN_OK) {
        fedn__free(text);
        return rc;
    }
    if (records->count == 0)
        set_timer(records, BATCH_MS);
    Fedn__Tier__V1__Event *event = &records->events[records->count];
    fedn__tier__v1__event__init(event);
    event->kind = (char *)(uintptr_t)entity;
    event->json = text;
    records->places[records->count++] = event;
    records->bytes += bytes;
    return FEDN_OK;
}

static json_t *party(const Fedn__Client *client, const char *client_id)
{
    static const char *const roles[] = {"OTHER", "CLIENT", "COMBINER", "REDUCER"};
    uint32_t role = client && (uint32_t)client->role < 4 ? (uint32_t)client->role : 0;
    const char *id = client && *client->client_id ? client->client_id : client_id;

    return json_pack("{s:s, s:s, s:s}", "name", client ? client->name : "", "role", roles[role],
                     "client_id", id ? id : "");
}

/* The message's own time, or now. */
static void when(const Google__Protobuf__Timestamp *timestamp, char text[FEDN__TIME_TEXT])
{
    int64_t us = fedn__clock_wall_us();

    if (timestamp && timestamp->seconds > 0 && timestamp->seconds < 253402300800 &&
        timestamp->nanos >= 0 && timestamp->nanos < 1000000000)
        us = timestamp->seconds * 1000000 + timestamp->nanos / 1000;
    fedn__text_iso_time(us, text);
}

fedn_status fedn__records_status(fedn__records *records, const char *client_id,
                                 const Fedn__Status *status)
{
    static const char *const levels[] = {"NONE", "INFO", "DEBUG", "WARNING", "ERROR", "AUDIT"};
    static const char *const types[] = {"LOG",
                                        "MODEL_UPDATE_REQUEST",
                                        "MODEL_UPDATE",
                                        "MODEL_VALIDATION_REQUEST",
                                        "MODEL_VALIDATION",
                                        "MODEL_PREDICTION",
                                        "NETWORK",
                                        "FORWARD_REQUEST",
                                        "FORWARD",
                                        "BACKWARD_REQUEST",
                                        "BACKWARD"};
    char id[FEDN__UUID_TEXT];
    char time[FEDN__TIME_TEXT];
    uint32_t level = (uint32_t)status->log_level < 6 ? (uint32_t)status->log_level : 0;
    uint32_t type = (uint32_t)status->type < 11 ? (uint32_t)status->type : 0;

    fedn__uuid_new_text(id);
    when(status->timestamp, time);
    return add(records, "statuses",
               json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "status_id", id,
                         "status", status->status, "timestamp", time, "log_level", levels[level],
                         "data", status->data, "correlation_id", status->correlation_id, "type",
                         types[type], "extra", status->extra, "session_id", status->session_id,
                         "sender", party(status->sender, client_id)));
}

fedn_status fedn__records_validation(fedn__records *records, const char *client_id,
                                     const Fedn__ModelValidation *v)
{
    char id[FEDN__UUID_TEXT];
    char time[FEDN__TIME_TEXT];

    fedn__uuid_new_text(id);
    when(v->timestamp, time);
    return add(records, "validations",
               json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "validation_id", id,
                         "model_id", v->model_id, "data", v->data, "correlation_id",
                         v->correlation_id, "timestamp", time, "session_id", v->session_id, "meta",
                         v->meta, "sender", party(v->sender, client_id), "receiver",
                         party(v->receiver, NULL)));
}

fedn_status fedn__records_prediction(fedn__records *records, const char *client_id,
                                     const Fedn__ModelPrediction *p)
{
    char id[FEDN__UUID_TEXT];
    char time[FEDN__TIME_TEXT];

    /* every client answers under the same prediction_id: each answer is a record of its own */
    fedn__uuid_new_text(id);
    when(p->timestamp, time);
    return add(records, "predictions",
               json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "id", id, "prediction_id",
                         p->prediction_id, "model_id", p->model_id, "data", p->data,
                         "correlation_id", p->correlation_id, "timestamp", time, "meta", p->meta,
                         "sender", party(p->sender, client_id), "receiver",
                         party(p->receiver, NULL)));
}

fedn_status fedn__records_metrics(fedn__records *records, const char *client_id,
                                  const Fedn__ModelMetric *m)
{
    char id[FEDN__UUID_TEXT];
    char time[FEDN__TIME_TEXT];
    fedn_status rc = FEDN_OK;

    when(m->timestamp, time);
    for (size_t i = 0; rc == FEDN_OK && i < m->n_metrics; i++) {
        if (!isfinite(m->metrics[i]->value))
            continue; /* JSON has no such number */
        fedn__uuid_new_text(id);
        json_t *document =
            json_pack("{s:s, s:s, s:f, s:s, s:s, s:s, s:s, s:o}", "metric_id", id, "key",
                      m->metrics[i]->key, "value", (double)m->metrics[i]->value, "timestamp", time,
                      "model_id", m->model_id, "round_id", m->round_id, "session_id", m->session_id,
                      "sender", party(m->sender, client_id));
        if (document && m->step)
            json_object_set_new(document, "step", json_integer(m->step->value));
        rc = add(records, "metrics", document);
    }
    return rc;
}

fedn_status fedn__records_attributes(fedn__records *records, const char *client_id,
                                     const Fedn__AttributeMessage *a)
{
    char id[FEDN__UUID_TEXT];
    char time[FEDN__TIME_TEXT];
    fedn_status rc = FEDN_OK;

    when(a->timestamp, time);
    for (size_t i = 0; rc == FEDN_OK && i < a->n_attributes; i++) {
        fedn__uuid_new_text(id);
        rc = add(records, "attributes",
                 json_pack("{s:s, s:s, s:s, s:s, s:o}", "attribute_id", id, "key",
                           a->attributes[i]->key, "value", a->attributes[i]->value, "timestamp",
                           time, "sender", party(a->sender, client_id)));
    }
    return rc;
}

fedn_status fedn__records_telemetry(fedn__records *records, const char *client_id,
                                    const Fedn__TelemetryMessage *t)
{
    char id[FEDN__UUID_TEXT];
    char time[FEDN__TIME_TEXT];
    fedn_status rc = FEDN_OK;

    when(t->timestamp, time);
    for (size_t i = 0; rc == FEDN_OK && i < t->n_telemetries; i++) {
        if (!isfinite(t->telemetries[i]->value))
            continue;
        fedn__uuid_new_text(id);
        rc = add(records, "telemetry",
                 json_pack("{s:s, s:s, s:f, s:s, s:o}", "telemetry_id", id, "key",
                           t->telemetries[i]->key, "value", (double)t->telemetries[i]->value,
                           "timestamp", time, "sender", party(t->sender, client_id)));
    }
    return rc;
}
