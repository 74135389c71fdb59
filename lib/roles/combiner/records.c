/* SPDX-License-Identifier: Apache-2.0
 * Clients' messages as JSON records, sent up in batches. */
#include "roles/combiner/records.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/digest.h"
#include "core/error.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/text.h"
#include "core/uuid.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BATCH_RECORDS 256
#define BATCH_BYTES   (512 * FEDN__KIB)
#define RECORD_BYTES  (FEDN__LIMIT_TIER_BYTES - 64 * FEDN__KIB)
#define ELEMENT_BYTES 400              /* of an element's record, beside its own texts */
#define MESSAGE_BYTES (48 * FEDN__MIB) /* of one message's elements together */
#define BATCH_MS      20               /* how long a record waits for others */
#define RETRY_MS      1000             /* when the batch could not be sent */

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
        fedn__log_write(
            records->log, FEDN_LOG_WARNING, "combiner",
            "records wait; what clients answer is turned away, their statuses and telemetry are "
            "dropped: %s",
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

/* A message that a client sends again, because it did not see the answer, makes the same records:
 * an id follows from who sends what and when. Without a time of its own it is another message. */
typedef struct origin {
    uint8_t digest[FEDN__DIGEST_BYTES];
    int32_t known;
} origin;

static origin origin_of(const char *client_id, const ProtobufCMessage *message,
                        const Google__Protobuf__Timestamp *timestamp)
{
    origin o = {.known = 0};
    size_t bytes = protobuf_c_message_get_packed_size(message);
    size_t head = strlen(client_id);
    uint8_t *packed = timestamp ? fedn__alloc(head + bytes) : NULL;

    if (!packed)
        return o;
    memcpy(packed, client_id, head); /* NOLINT(bugprone-not-null-terminated-result): bytes */
    protobuf_c_message_pack(message, packed + head);
    fedn__digest_of(packed, head + bytes, o.digest);
    o.known = 1;
    fedn__free(packed);
    return o;
}

static void record_id(const origin *o, uint64_t element, char id[FEDN__UUID_TEXT])
{
    uint8_t bytes[FEDN__DIGEST_BYTES];
    fedn__uuid uuid;

    if (!o->known) {
        fedn__uuid_new_text(id);
        return;
    }
    memcpy(bytes, o->digest, sizeof bytes);
    for (uint32_t i = 0; i < sizeof element; i++)
        bytes[i] ^= (uint8_t)(element >> 8 * i);
    fedn__uuid_from_random(bytes, &uuid);
    fedn__uuid_format(&uuid, id);
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

    origin o = origin_of(client_id, &status->base, status->timestamp);
    record_id(&o, 0, id);
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

    origin o = origin_of(client_id, &v->base, v->timestamp);
    record_id(&o, 0, id);
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
    origin o = origin_of(client_id, &p->base, p->timestamp);
    record_id(&o, 0, id);
    when(p->timestamp, time);
    return add(records, "predictions",
               json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "id", id, "prediction_id",
                         p->prediction_id, "model_id", p->model_id, "data", p->data,
                         "correlation_id", p->correlation_id, "timestamp", time, "meta", p->meta,
                         "sender", party(p->sender, client_id), "receiver",
                         party(p->receiver, NULL)));
}

/* There is no kind of record for it: as FEDn's combiner does, it is kept as a status, but with all
 * that it says. */
fedn_status fedn__records_backward(fedn__records *records, const char *client_id,
                                   const Fedn__BackwardCompletion *b)
{
    char id[FEDN__UUID_TEXT];
    char time[FEDN__TIME_TEXT];
    json_t *said = json_pack("{s:s, s:s}", "gradientId", b->gradient_id, "meta", b->meta);
    char *data = said ? fedn__json_text(said) : NULL;

    json_decref(said);
    if (!data)
        return FEDN_ERR_NOMEM;
    origin o = origin_of(client_id, &b->base, b->timestamp);
    record_id(&o, 0, id);
    when(b->timestamp, time);
    fedn_status rc =
        add(records, "statuses",
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "status_id", id, "status",
                      "finished_backward", "timestamp", time, "log_level", "INFO", "data", data,
                      "correlation_id", b->correlation_id, "type", "BACKWARD", "session_id",
                      b->session_id, "sender", party(b->sender, client_id)));
    fedn__free(data);
    return rc;
}

/* JSON has no word for what is not finite, and a loss that went that way is worth to be seen. Of
 * the numbers that a float32 stands for, that of fewest digits: 0.1 stays 0.1, as FEDn has it. */
static json_t *number(float value)
{
    char text[32];
    double shortest = (double)value;

    if (!isfinite(value))
        return json_null();
    for (int digits = FLT_DIG; digits < FLT_DECIMAL_DIG; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (fedn__text_to_f64(text, &shortest) && (float)shortest == value)
            return json_real(shortest);
    }
    return json_real((double)value);
}

/* Every element becomes a record that repeats what it shares with the others: a message of so many
 * that they never find room is refused at once, instead of being tried again and again. */
static fedn_status check_size(uint64_t elements, const Fedn__Client *sender, uint64_t shared)
{
    uint64_t each = ELEMENT_BYTES + shared + (sender ? strlen(sender->name) : 0);

    return elements * each > MESSAGE_BYTES ? FEDN_ERR_INVALID : FEDN_OK;
}

fedn_status fedn__records_metrics(fedn__records *records, const char *client_id,
                                  const Fedn__ModelMetric *m)
{
    char id[FEDN__UUID_TEXT];
    char time[FEDN__TIME_TEXT];
    origin o = origin_of(client_id, &m->base, m->timestamp);
    fedn_status rc = check_size(m->n_metrics, m->sender,
                                strlen(m->model_id) + strlen(m->round_id) + strlen(m->session_id));

    when(m->timestamp, time);
    for (size_t i = 0; rc == FEDN_OK && i < m->n_metrics; i++) {
        record_id(&o, i, id);
        json_t *document =
            json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:o}", "metric_id", id, "key",
                      m->metrics[i]->key, "value", number(m->metrics[i]->value), "timestamp", time,
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
    origin o = origin_of(client_id, &a->base, a->timestamp);
    fedn_status rc = check_size(a->n_attributes, a->sender, 0);

    when(a->timestamp, time);
    for (size_t i = 0; rc == FEDN_OK && i < a->n_attributes; i++) {
        record_id(&o, i, id);
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
    origin o = origin_of(client_id, &t->base, t->timestamp);
    fedn_status rc = check_size(t->n_telemetries, t->sender, 0);

    when(t->timestamp, time);
    for (size_t i = 0; rc == FEDN_OK && i < t->n_telemetries; i++) {
        record_id(&o, i, id);
        rc = add(records, "telemetry",
                 json_pack("{s:s, s:s, s:o, s:s, s:o}", "telemetry_id", id, "key",
                           t->telemetries[i]->key, "value", number(t->telemetries[i]->value),
                           "timestamp", time, "sender", party(t->sender, client_id)));
    }
    return rc;
}
