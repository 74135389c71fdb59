/* SPDX-License-Identifier: Apache-2.0
 * Notes as FEDn's messages. */
#include "roles/client/note.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/text.h"
#include "fedn.pb-c.h"
#include <float.h>
#include <math.h>
#include <string.h>

#define TEXT(text) ((char *)(uintptr_t)(text)) /* protobuf-c's fields are not const */

static fedn_status check(const fedn__note *what, fedn_error *err)
{
    static const char *const words[] = {"metric", "attribute", "telemetry"};

    if (!fedn__text_is_line(what->name, FEDN__LIMIT_NAME_BYTES))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "the name of a %s must be one line of 1 to %d bytes of UTF-8",
                           words[what->kind], FEDN__LIMIT_NAME_BYTES);
    if (what->kind != FEDN__NOTE_ATTRIBUTE)
        return isfinite(what->value) ? FEDN_OK
                                     : fedn__error(err, FEDN_ERR_INVALID, "%s %s: %g is not finite",
                                                   words[what->kind], what->name, what->value);
    uint64_t bytes = what->text ? strlen(what->text) : 0;
    if (!what->text || bytes > FEDN__LIMIT_TEXT_BYTES || !fedn__text_is_utf8(what->text, bytes))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "the value of attribute %s must be at most %d bytes of UTF-8",
                           what->name, FEDN__LIMIT_TEXT_BYTES);
    return FEDN_OK;
}

static int32_t copy(const char **text)
{
    *text = fedn__strdup(*text ? *text : "");
    return *text != NULL;
}

fedn_status fedn__note_new(const fedn__note *what, fedn__note **ret, fedn_error *err)
{
    *ret = NULL;
    fedn_status rc = check(what, err);
    fedn__note *note = rc == FEDN_OK ? fedn__alloc_zero(sizeof *note) : NULL;
    if (!note)
        return rc == FEDN_OK ? fedn__error_nomem(err) : rc;
    *note = *what;
    note->next = NULL;
    note->at_us = fedn__clock_wall_us();
    int32_t whole = copy(&note->name);
    whole &= copy(&note->text);
    whole &= copy(&note->model_id);
    whole &= copy(&note->round_id);
    whole &= copy(&note->session_id);
    if (!whole) {
        fedn__note_free(note);
        return fedn__error_nomem(err);
    }
    *ret = note;
    return FEDN_OK;
}

void fedn__note_free(fedn__note *note)
{
    if (!note)
        return;
    fedn__free(TEXT(note->name));
    fedn__free(TEXT(note->text));
    fedn__free(TEXT(note->model_id));
    fedn__free(TEXT(note->round_id));
    fedn__free(TEXT(note->session_id));
    fedn__free(note);
}

/* What all three kinds have. */
typedef struct envelope {
    Fedn__Client sender;
    Google__Protobuf__Timestamp time;
    fedn__unary_fn fn;
    void *user_data;
    const fedn__reporter *reporter;
} envelope;

static fedn_status post(const envelope *e, const char *path, const ProtobufCMessage *message)
{
    const fedn__unary_options options = {.timeout_ms = e->reporter->timeout_ms};

    return fedn__channel_unary(e->reporter->channel, path, message, &fedn__response__descriptor,
                               &options, e->fn, e->user_data);
}

static float narrow(double value)
{
    return (float)fmax(-(double)FLT_MAX, fmin((double)FLT_MAX, value));
}

static fedn_status send_metric(envelope *e, const fedn__note *note)
{
    Fedn__ModelMetric message = FEDN__MODEL_METRIC__INIT;
    Fedn__MetricElem element = FEDN__METRIC_ELEM__INIT;
    Fedn__MetricElem *elements[] = {&element};
    Google__Protobuf__UInt32Value step = GOOGLE__PROTOBUF__UINT32_VALUE__INIT;

    element.key = TEXT(note->name);
    element.value = narrow(note->value);
    step.value = note->step;
    message.sender = &e->sender;
    message.n_metrics = 1;
    message.metrics = elements;
    message.timestamp = &e->time;
    message.step = &step;
    message.model_id = TEXT(note->model_id);
    message.round_id = TEXT(note->round_id);
    message.session_id = TEXT(note->session_id);
    return post(e, "/fedn.Combiner/SendModelMetric", &message.base);
}

static fedn_status send_attribute(envelope *e, const fedn__note *note)
{
    Fedn__AttributeMessage message = FEDN__ATTRIBUTE_MESSAGE__INIT;
    Fedn__AttributeElem element = FEDN__ATTRIBUTE_ELEM__INIT;
    Fedn__AttributeElem *elements[] = {&element};

    element.key = TEXT(note->name);
    element.value = TEXT(note->text);
    message.sender = &e->sender;
    message.n_attributes = 1;
    message.attributes = elements;
    message.timestamp = &e->time;
    return post(e, "/fedn.Combiner/SendAttributeMessage", &message.base);
}

static fedn_status send_telemetry(envelope *e, const fedn__note *note)
{
    Fedn__TelemetryMessage message = FEDN__TELEMETRY_MESSAGE__INIT;
    Fedn__TelemetryElem element = FEDN__TELEMETRY_ELEM__INIT;
    Fedn__TelemetryElem *elements[] = {&element};

    element.key = TEXT(note->name);
    element.value = narrow(note->value);
    message.sender = &e->sender;
    message.n_telemetries = 1;
    message.telemetries = elements;
    message.timestamp = &e->time;
    return post(e, "/fedn.Combiner/SendTelemetryMessage", &message.base);
}

fedn_status fedn__note_send(const fedn__reporter *reporter, const fedn__note *note,
                            fedn__unary_fn fn, void *user_data)
{
    envelope e = {FEDN__CLIENT__INIT, GOOGLE__PROTOBUF__TIMESTAMP__INIT, fn, user_data, reporter};

    e.sender.role = FEDN__ROLE__CLIENT;
    e.sender.name = TEXT(reporter->name);
    e.sender.client_id = TEXT(reporter->id);
    e.time.seconds = note->at_us / 1000000;
    e.time.nanos = (int32_t)(note->at_us % 1000000 * 1000);
    if (note->kind == FEDN__NOTE_METRIC)
        return send_metric(&e, note);
    return note->kind == FEDN__NOTE_ATTRIBUTE ? send_attribute(&e, note) : send_telemetry(&e, note);
}
