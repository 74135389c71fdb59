/* SPDX-License-Identifier: Apache-2.0
 * What clients send besides updates, through their combiners: validations, predictions, metrics and
 * more; into records and, once those are stored, into events. On the loop. */
#include "roles/reducer/messages.h"

#include "core/clock.h"
#include "core/error.h"
#include "core/text.h"
#include <stdio.h>
#include <string.h>

#define TELEMETRY_S     5  /* one record per client, key and so many seconds */
#define TELEMETRY_SLOTS 60 /* after which the oldest is written over */

static const int32_t taken_kinds[] = {FEDN__KIND_STATUS,     FEDN__KIND_VALIDATION,
                                      FEDN__KIND_PREDICTION, FEDN__KIND_METRIC,
                                      FEDN__KIND_TELEMETRY,  FEDN__KIND_ATTRIBUTE};

static int32_t taken_kind(const char *entity)
{
    int32_t kind = fedn__kind_find(entity);

    for (uint32_t i = 0; i < sizeof taken_kinds / sizeof taken_kinds[0]; i++)
        if (taken_kinds[i] == kind)
            return kind;
    return -1;
}

/* The known fields of a record; those that the reducer stamps are its own. */
static json_t *known_fields(const fedn__kind *kind, const json_t *given)
{
    json_t *record = json_object();

    for (const fedn__kind_field *field = kind->fields; record && field->name; field++) {
        json_t *value = json_object_get(given, field->name);
        if (!value || field->type == FEDN__FIELD_DATE)
            continue;
        if (json_object_set(record, field->name, value) != 0) {
            json_decref(record);
            return NULL;
        }
    }
    return record;
}

void fedn__messages_telemetry_id(const json_t *record, char id[FEDN__LIMIT_NAME_BYTES + 1])
{
    const json_t *sender = json_object_get(record, "sender");
    const char *client = fedn__json_string(sender, "client_id", "");
    const char *key = fedn__json_string(record, "key", "");

    if (!*client)
        client = fedn__json_string(sender, "name", "");
    int64_t slot = fedn__clock_wall_us() / 1000000 / TELEMETRY_S % TELEMETRY_SLOTS;

    int length = snprintf(id, FEDN__LIMIT_NAME_BYTES + 1, "%s.%s.%d", client, key, (int)slot);
    if (length > FEDN__LIMIT_NAME_BYTES || !fedn__text_is_line(id, FEDN__LIMIT_NAME_BYTES))
        fedn__uuid_new_text(id);
}

/* The id of a record: its own if it is fit for one. */
static void record_id(int32_t kind, const json_t *given, const json_t *record,
                      char id[FEDN__LIMIT_NAME_BYTES + 1])
{
    const char *key = fedn__kind_get(kind)->key;
    const char *own = fedn__json_string(given, "id", fedn__json_string(given, key, ""));

    if (kind == FEDN__KIND_TELEMETRY)
        fedn__messages_telemetry_id(record, id);
    else if (fedn__text_is_line(own, FEDN__LIMIT_NAME_BYTES))
        snprintf(id, FEDN__LIMIT_NAME_BYTES + 1, "%s", own);
    else
        fedn__uuid_new_text(id);
}

static const char *round_of_model(const fedn__reducer_service *service, const char *model_id,
                                  char text[FEDN__ROUND_ID_TEXT])
{
    for (uint32_t i = 0; i < FEDN__TRAINED; i++) {
        if (service->trained[i].round == 0 || strcmp(service->trained[i].model_id, model_id) != 0)
            continue;
        fedn__trail_round_id(service->trained[i].round, text);
        return text;
    }
    return NULL;
}

void fedn__messages_tell_later(json_t *told, const char *session, json_t *event)
{
    if (told)
        json_array_append_new(told, json_pack("{s:s, s:o}", "session", session, "event", event));
    else
        json_decref(event);
}

static void tell_validation(const fedn__reducer_service *service, const json_t *record,
                            json_t *told)
{
    char round[FEDN__ROUND_ID_TEXT];
    const char *session = fedn__json_string(record, "session_id", "");
    const char *model = fedn__json_string(record, "model_id", "");

    fedn__messages_tell_later(
        told, session, fedn__trail_validation_event(record, round_of_model(service, model, round)));
}

void fedn__messages_take(fedn__reducer_service *service, const char *combiner,
                         const Fedn__Tier__V1__Event *event, fedn__ticket *ticket, json_t *told)
{
    int32_t kind = taken_kind(event->kind);
    char id[FEDN__LIMIT_NAME_BYTES + 1];
    json_t *given = NULL;
    fedn_error err = {0};
    fedn_status rc =
        kind < 0 ? fedn__error(&err, FEDN_ERR_INVALID, "kind \"%.64s\" is not taken", event->kind)
                 : fedn__json_parse(event->json, strlen(event->json), 0, "record", &given, &err);

    if (rc != FEDN_OK) {
        fedn__log_write(service->log, FEDN_LOG_WARNING, "reducer",
                        "a record of combiner %s is dropped: %s", combiner, err.message);
        return;
    }
    const char *key = fedn__kind_get(kind)->key;
    json_t *record = known_fields(fedn__kind_get(kind), given);
    record_id(kind, given, record, id);
    if (record && !json_object_get(record, key))
        json_object_set_new(record, key, json_string(id));
    if (kind == FEDN__KIND_VALIDATION)
        tell_validation(service, record, told);
    if (kind == FEDN__KIND_PREDICTION)
        fedn__messages_tell_later(told, "", fedn__trail_prediction_event(record));
    fedn__ticket_add(ticket, FEDN__RECORD_PUT, kind, id, record);
    json_decref(given);
}

void fedn__messages_tell(fedn__reducer_service *service, const json_t *told)
{
    json_t *item = NULL;
    size_t i = 0;

    json_array_foreach((json_t *)(uintptr_t)told, i, item)
    {
        const char *session = fedn__json_string(item, "session", "");
        fedn__events_add(service->events, *session ? session : NULL,
                         json_incref(json_object_get(item, "event")));
    }
}
