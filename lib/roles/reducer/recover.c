/* SPDX-License-Identifier: Apache-2.0
 * What a reducer does with the records that it finds at its start: the session that was running is
 * found, what else is unfinished is marked, and numbering goes on behind the last round. */
#include "roles/reducer/resumption.h"
#include "roles/reducer/service.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/text.h"
#include <string.h>

#define MESSAGE "the reducer was stopped before it was finished"

static fedn_status find_by_status(fedn__store *store, int32_t kind, const char *status,
                                  json_t **ret, fedn_error *err)
{
    json_t *value = json_string(status);
    fedn__filter filter = {"status", FEDN__OP_EQ, value};
    fedn__query query = {.filters = &filter, .filter_count = 1};
    fedn_status rc =
        value ? fedn__store_list(store, kind, &query, ret, NULL, err) : fedn__error_nomem(err);

    json_decref(value);
    return rc;
}

static fedn_status mark(json_t *record, const char *status, const char *message, const char *time)
{
    int failed = json_object_set_new(record, "status", json_string(status)) != 0 ||
                 json_object_set_new(record, "updated_at", json_string(time)) != 0;

    if (!failed && message)
        failed = json_object_set_new(record, "message", json_string(message)) != 0;
    return failed ? FEDN_ERR_NOMEM : FEDN_OK;
}

/* All of one kind and status but one, in one transaction. */
static fedn_status mark_all(fedn__store *store, int32_t kind, const char *from, const char *to,
                            const char *message, const char *except, fedn_error *err)
{
    const char *key = fedn__kind_get(kind)->key;
    char time[FEDN__TIME_TEXT];
    json_t *records = NULL;
    json_t *record = NULL;
    fedn__change *changes = NULL;
    uint32_t count = 0;
    size_t i = 0;
    fedn_status rc = find_by_status(store, kind, from, &records, err);

    if (rc != FEDN_OK || json_array_size(records) == 0)
        goto out;
    fedn__text_iso_time(fedn__clock_wall_us(), time);
    changes = fedn__alloc_array(json_array_size(records), sizeof *changes);
    if (!changes)
        rc = FEDN_ERR_NOMEM;
    json_array_foreach(records, i, record)
    {
        const char *id = fedn__json_string(record, key, "");
        if (rc != FEDN_OK || strcmp(id, except) == 0)
            continue;
        rc = mark(record, to, message, time);
        changes[count++] = (fedn__change){kind, id, record};
    }
    rc = rc == FEDN_OK ? fedn__store_apply(store, changes, count, err) : fedn__error_nomem(err);
out:
    fedn__free(changes);
    json_decref(records);
    return rc;
}

static int32_t has_round(fedn__store *store, uint64_t round)
{
    char id[FEDN__ROUND_ID_TEXT];
    json_t *record = NULL;
    fedn_error err;

    fedn__trail_round_id(round, id);
    int32_t found = fedn__store_get(store, FEDN__KIND_ROUND, id, &record, &err) == FEDN_OK;
    json_decref(record);
    return found;
}

static uint64_t newest_round(fedn__store *store)
{
    fedn__query query = {.limit = 1};
    json_t *newest = NULL;
    uint64_t round = 0;
    fedn_error err;

    if (fedn__store_list(store, FEDN__KIND_ROUND, &query, &newest, NULL, &err) == FEDN_OK)
        fedn__text_to_u64(fedn__json_string(json_array_get(newest, 0), "round_id", ""), &round);
    json_decref(newest);
    return round;
}

/* The newest by its time, unless the clock has gone back since: then there are higher ones, which
 * have no gaps between them and are found by halving. */
static uint64_t last_round(fedn__store *store)
{
    uint64_t low = newest_round(store);
    uint64_t step = 1;

    while (has_round(store, low + step)) {
        low += step;
        step *= 2;
    }
    for (uint64_t high = low + step; high - low > 1;) {
        uint64_t middle = low + (high - low) / 2;
        if (has_round(store, middle))
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The newest that was running and says how far it has come; with its newest round. */
static fedn_status find_session(fedn__reducer_service *service, fedn_error *err)
{
    char id[FEDN__ROUND_ID_TEXT];
    fedn__reducer_session known = {.opened = 0};
    json_t *sessions = NULL;
    json_t *session = NULL;
    size_t i = 0;
    fedn_status rc = find_by_status(service->store, FEDN__KIND_SESSION, "Started", &sessions, err);

    json_array_foreach(sessions, i, session)
    {
        if (!service->resumed && fedn__resumption_session(session, &known))
            service->resumed = json_incref(session);
    }
    json_decref(sessions);
    uint64_t round = fedn__resumption_round_id(service->resumed);
    if (rc != FEDN_OK || round == 0)
        return rc;
    fedn__trail_round_id(round, id);
    rc = fedn__store_get(service->store, FEDN__KIND_ROUND, id, &service->resumed_round, err);
    return rc == FEDN_ERR_NOT_FOUND ? FEDN_OK : rc;
}

fedn_status fedn__service_recover(fedn__reducer_service *service, uint64_t *ret_first_round,
                                  fedn_error *err)
{
    static const struct {
        int32_t kind;
        const char *from, *to, *message;
    } marks[] = {
        {FEDN__KIND_SESSION, "Started", "Failed", MESSAGE},
        {FEDN__KIND_ROUND, "Pending", "Failed", MESSAGE},
        {FEDN__KIND_ROUND, "Running", "Failed", MESSAGE},
        {FEDN__KIND_CLIENT, "online", "offline", NULL},
    };
    fedn_status rc = find_session(service, err);

    for (uint32_t i = 0; rc == FEDN_OK && i < sizeof marks / sizeof marks[0]; i++) {
        const json_t *kept = marks[i].kind == FEDN__KIND_SESSION ? service->resumed
                             : marks[i].kind == FEDN__KIND_ROUND ? service->resumed_round
                                                                 : NULL;
        const char *id = fedn__json_string(kept, fedn__kind_get(marks[i].kind)->key, "");
        rc = mark_all(service->store, marks[i].kind, marks[i].from, marks[i].to, marks[i].message,
                      id, err);
    }
    *ret_first_round = last_round(service->store) + 1;
    return rc;
}
