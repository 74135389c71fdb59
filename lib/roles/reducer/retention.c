/* SPDX-License-Identifier: Apache-2.0
 * Removing the files of models that are not kept. */
#include "roles/reducer/retention.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/json.h"
#include "core/owner.h"
#include <stdio.h>
#include <string.h>

#define AT_ONCE 64 /* models looked at behind those that are kept: one comes with each round */

typedef struct retention {
    fedn__work work;
    fedn__reducer_service *service;
    uint32_t keep;
    uint32_t removed;
    fedn_error err;
    json_t *needed; /* ids of models that stay whatever their time says: clocks may go back */
    char newest[FEDN__UUID_TEXT];
    char session_id[FEDN__LIMIT_ID_BYTES + 1];
} retention;

/* The newest, and before it those that rounds started from. */
static int32_t is_needed(const retention *r, const char *id)
{
    for (size_t i = 0; i + 1 < r->keep && i < json_array_size(r->needed); i++)
        if (strcmp(json_string_value(json_array_get(r->needed, i)), id) == 0)
            return 1;
    return strcmp(r->newest, id) == 0;
}

static void remove_blob(retention *r, const json_t *model)
{
    const char *id = fedn__json_string(model, "model_id", "");
    fedn__uuid uuid;
    fedn_error err = {0};

    if (json_is_true(json_object_get(model, "pinned")) || is_needed(r, id) ||
        !fedn__uuid_parse(id, &uuid) || !fedn__blobs_has(r->service->blobs, &uuid))
        return;
    if (fedn__blobs_remove(r->service->blobs, &uuid, &err) == FEDN_OK)
        r->removed++;
    else
        r->err = err;
}

static void on_work(fedn__work *work)
{
    retention *r = FEDN__OWNER(work, retention, work);
    json_t *value = json_string(r->session_id);
    fedn__filter filter = {"session_id", FEDN__OP_EQ, value};
    fedn__query query = {.filters = &filter, .filter_count = 1, .limit = AT_ONCE, .skip = r->keep};
    json_t *models = NULL;
    const json_t *model = NULL;
    size_t i = 0;

    if (value && fedn__store_list(r->service->store, FEDN__KIND_MODEL, &query, &models, NULL,
                                  &r->err) == FEDN_OK)
        json_array_foreach(models, i, model) remove_blob(r, model);
    json_decref(models);
    json_decref(value);
}

static void on_done(fedn__work *work)
{
    retention *r = FEDN__OWNER(work, retention, work);

    if (r->err.message[0])
        fedn__log_write(r->service->log, FEDN_LOG_WARNING, "reducer",
                        "old models of session %s are still here: %s", r->session_id,
                        r->err.message);
    json_decref(r->needed);
    fedn__free(r);
}

/* As many as updates of the session may start from, whatever is asked for. */
static uint32_t least_kept(const fedn__course *course)
{
    const json_t *config = json_object_get(course->session, "session_config");

    if (strcmp(fedn__json_string(config, "mode", "sync"), "async") != 0)
        return 1;
    return 1 + (uint32_t)fedn__json_integer(config, "max_staleness", 0);
}

void fedn__retention_apply(fedn__reducer_service *service, const char *newest)
{
    uint32_t keep = (uint32_t)fedn__config_integer(service->config, "reducer.keep_models");
    uint32_t least = least_kept(&service->course);
    retention *r = keep > 0 ? fedn__alloc_zero(sizeof *r) : NULL;

    if (!r)
        return;
    r->service = service;
    r->keep = keep > least ? keep : least;
    r->needed = json_deep_copy(service->course.recent);
    snprintf(r->newest, sizeof r->newest, "%s", newest);
    memcpy(r->session_id, fedn__reducer_engine_session(service->engine)->session_id,
           sizeof r->session_id);
    r->work.work = on_work;
    r->work.done = on_done;
    fedn__work_submit(&r->work, service->loop, service->pool, NULL);
}
