/* SPDX-License-Identifier: Apache-2.0
 * Removing telemetry that is old. */
#include "roles/reducer/expiry.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/owner.h"
#include "core/text.h"

#define PAUSE_MS INT64_C(60000)
/* A client that goes on has written over its records after 300 s: those left are nobody's. */
#define AGE_US   INT64_C(330000000)
#define AT_ONCE  10000

typedef struct expiring {
    fedn__work work;
    fedn__reducer_service *service;
    json_t *ids;
    fedn_error err;
} expiring;

fedn_status fedn__expiry_find(fedn__store *store, int64_t before_us, uint64_t most, json_t **ret,
                              fedn_error *err)
{
    char text[FEDN__TIME_TEXT];
    const json_t *record = NULL;
    json_t *found = NULL;
    size_t i = 0;

    fedn__text_iso_time(before_us, text);
    json_t *before = json_string(text);
    const fedn__filter filter = {"updated_at", FEDN__OP_LT, before};
    const fedn__query query = {.filters = &filter, .filter_count = 1, .limit = most};
    *ret = json_array();
    fedn_status rc = before && *ret
                         ? fedn__store_list(store, FEDN__KIND_TELEMETRY, &query, &found, NULL, err)
                         : fedn__error_nomem(err);
    json_array_foreach(found, i, record)
        json_array_append(*ret, json_object_get(record, "telemetry_id"));
    json_decref(found);
    json_decref(before);
    return rc;
}

static void on_work(fedn__work *work)
{
    expiring *e = FEDN__OWNER(work, expiring, work);

    (void)fedn__expiry_find(e->service->store, fedn__clock_wall_us() - AGE_US, AT_ONCE, &e->ids,
                            &e->err);
}

static void remove_found(fedn__reducer_service *service, const json_t *ids)
{
    fedn__ticket *ticket = fedn__ticket_new(NULL, NULL);

    for (size_t i = 0; i < json_array_size(ids); i++)
        fedn__ticket_add(ticket, FEDN__RECORD_REMOVE, FEDN__KIND_TELEMETRY,
                         json_string_value(json_array_get(ids, i)), NULL);
    fedn__recorder_try(service->recorder, ticket);
}

static void on_done(fedn__work *work)
{
    expiring *e = FEDN__OWNER(work, expiring, work);
    fedn__reducer_service *service = e->service;

    if (e->err.message[0])
        fedn__log_write(service->log, FEDN_LOG_WARNING, "reducer",
                        "old telemetry is still here: %s", e->err.message);
    if (!service->closing && json_array_size(e->ids) > 0)
        remove_found(service, e->ids);
    json_decref(e->ids);
    fedn__free(e);
}

static void on_timer(fedn__timer *timer, void *user_data)
{
    fedn__reducer_service *service = user_data;
    expiring *e = fedn__alloc_zero(sizeof *e);

    if (e) {
        e->service = service;
        e->work.work = on_work;
        e->work.done = on_done;
        fedn__work_submit(&e->work, service->loop, service->pool, NULL);
    }
    (void)fedn__loop_timer_set(service->loop, timer, fedn__clock_ns() + PAUSE_MS * 1000000);
}

void fedn__expiry_start(void *service_data)
{
    fedn__reducer_service *service = service_data;

    service->expiry_timer.fn = on_timer;
    service->expiry_timer.user_data = service;
    on_timer(&service->expiry_timer, service);
}
