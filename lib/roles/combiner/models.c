/* SPDX-License-Identifier: Apache-2.0
 * Models that move between a combiner and the tier above: the global model down, the partial up. A
 * transfer that the link broke is made again when it can be. */
#include "roles/combiner/service.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RETRY_MS      300
#define SAVE_RETRY_MS INT64_C(1000) /* after a partial that could not be written */
#define MOST_TRIES    100           /* that fail while the link is up */

typedef struct fedn__fetch {
    struct fedn__fetch *next;
    fedn__combiner_service *service;
    char model_id[FEDN__UUID_TEXT];
    char *path;
    fedn__transfer *transfer; /* NULL: waits for the link or its pause */
    fedn__timer retry;
    uint32_t tries;
    int32_t complained;
} fedn__fetch;

static void task_id(char id[FEDN__UUID_TEXT], void *user_data)
{
    (void)user_data;
    fedn__uuid_new_text(id);
}

void fedn__combiner_model_here(fedn__combiner_service *service, const char *model_id,
                               const char *error)
{
    if (fedn__combiner_engine_model_ready(service->engine, fedn__clock_ms(), model_id, error,
                                          task_id, NULL) != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_ERROR, "combiner",
                        "out of memory: the round with model %s waits for its time-out", model_id);
}

/* One that failed is made again after a pause; 0: that is in vain. DENIED is what a reducer says
 * that has not seen the link come back yet; one that says it cannot now (UNAVAILABLE), its disk
 * being full, is waited for until it gives the round up, and so is a disk of ours. */
static int32_t try_again(fedn__combiner_service *service, fedn__timer *retry, uint32_t *tries,
                         fedn_status status)
{
    if (!fedn_status_is_retryable(status) && status != FEDN_ERR_DENIED)
        return 0;
    int32_t disk = status == FEDN_ERR_IO || status == FEDN_ERR_UNAVAILABLE; /* ours, or theirs */
    if (!disk && ++*tries > MOST_TRIES)
        return 0;
    return fedn__loop_timer_set(service->loop, retry,
                                fedn__clock_ns() + (int64_t)RETRY_MS * 1000000) == FEDN_OK;
}

static void transfer_ended(fedn__combiner_service *service)
{
    service->transfers--;
    if (service->stopping && service->transfers == 0 && service->uplink_gone)
        fedn__flag_set(&service->quiet);
}

static void fetch_free(fedn__fetch *fetch)
{
    fedn__fetch **place = &fetch->service->fetches;

    while (*place && *place != fetch)
        place = &(*place)->next;
    if (*place)
        *place = fetch->next;
    fedn__loop_timer_cancel(fetch->service->loop, &fetch->retry);
    fedn__free(fetch->path);
    fedn__free(fetch);
}

/* The model is here, or will not come. */
static void fetch_settle(fedn__fetch *fetch, const char *error)
{
    fedn__combiner_service *service = fetch->service;
    char model_id[FEDN__UUID_TEXT];

    memcpy(model_id, fetch->model_id, sizeof model_id);
    fetch_free(fetch);
    if (error || !fedn__combiner_ask_functions(service, model_id))
        fedn__combiner_model_here(service, model_id, error);
    fedn__combiner_service_drain(service);
}

static void on_fetched(fedn_status status, const fedn_error *why, fedn__blob *blob, void *user_data)
{
    fedn__fetch *fetch = user_data;
    fedn__combiner_service *service = fetch->service;
    fedn_error err = {0};
    char text[FEDN__REASON_BYTES];

    fetch->transfer = NULL;
    transfer_ended(service);
    if (service->stopping) {
        fetch_free(fetch);
        return;
    }
    if (status == FEDN_OK)
        status = fedn__shelf_add_model(service->shelf, fetch->model_id, blob, &err);
    else if (why)
        err = *why;
    if (status == FEDN_ERR_IO && !fetch->complained)
        fedn__log_write(service->log, FEDN_LOG_ERROR, "combiner",
                        "global model %s: %s; trying again until it can be written",
                        fetch->model_id, err.message);
    fetch->complained |= status == FEDN_ERR_IO;
    if (status == FEDN_OK) {
        fetch_settle(fetch, NULL);
    } else if (!try_again(service, &fetch->retry, &fetch->tries, status)) {
        snprintf(text, sizeof text, "global model %s: %.180s", fetch->model_id, err.message);
        fetch_settle(fetch, text);
    }
}

static void fetch_start(fedn__fetch *fetch)
{
    fedn__combiner_service *service = fetch->service;
    fedn_error err = {0};

    if (fetch->transfer || !fedn__uplink_is_up(service->uplink))
        return;
    const fedn__download what = {.id = fetch->model_id,
                                 .path = fetch->path,
                                 .parts = service->parts,
                                 .max_bytes = service->options.max_model_bytes,
                                 .memory_bytes = FEDN__LIMIT_MEMORY_MODEL};
    fedn_status rc = fedn__transfer_download(fedn__uplink_channel(service->uplink), service->pool,
                                             &what, on_fetched, fetch, &fetch->transfer, &err);
    if (rc == FEDN_OK)
        service->transfers++;
    else if (!try_again(service, &fetch->retry, &fetch->tries, rc))
        fetch_settle(fetch, err.message);
}

static void on_fetch_retry(fedn__timer *timer, void *user_data)
{
    (void)timer;
    fetch_start(user_data);
}

static int32_t is_fetching(const fedn__combiner_service *service, const char *model_id)
{
    for (const fedn__fetch *f = service->fetches; f; f = f->next)
        if (strcmp(f->model_id, model_id) == 0)
            return 1;
    return 0;
}

void fedn__combiner_fetch(fedn__combiner_service *service, const char *model_id)
{
    fedn__blob *blob = NULL;

    if (fedn__shelf_model(service->shelf, model_id, &blob, NULL) == FEDN_OK) {
        fedn__blob_unref(blob);
        if (!fedn__combiner_ask_functions(service, model_id))
            fedn__combiner_model_here(service, model_id, NULL);
        return;
    }
    if (is_fetching(service, model_id))
        return;
    fedn__fetch *fetch = fedn__alloc_zero(sizeof *fetch);
    if (fetch)
        fetch->path = fedn__shelf_model_path(service->shelf, model_id);
    if (!fetch || !fetch->path) {
        fedn__free(fetch);
        fedn__combiner_model_here(service, model_id, "out of memory");
        return;
    }
    fetch->service = service;
    snprintf(fetch->model_id, sizeof fetch->model_id, "%s", model_id);
    fetch->retry.fn = on_fetch_retry;
    fetch->retry.user_data = fetch;
    fetch->next = service->fetches;
    service->fetches = fetch;
    fetch_start(fetch); /* may have failed for good, and be gone */
}

static void handover_free(fedn__handover *handover)
{
    if (handover->path)
        unlink(handover->path);
    fedn__blob_unref(handover->blob);
    fedn__free(handover->path);
    fedn__free(handover);
}

/* The one there is goes nowhere any more. A transfer of it that runs still needs it: it is
 * cancelled and frees it at its end. */
void fedn__combiner_abandon_partial(fedn__combiner_service *service)
{
    fedn__handover *handover = service->handover;

    if (!handover)
        return;
    service->handover = NULL;
    fedn__hooks_drop(service->hooks);
    fedn__loop_timer_cancel(service->loop, &handover->retry);
    if (handover->transfer)
        fedn__transfer_cancel(handover->transfer);
    else
        handover_free(handover);
}

static void saved(fedn__combiner_service *service, const char *round_id, const char *error)
{
    if (fedn__combiner_engine_saved(service->engine, fedn__clock_ms(), round_id, error) != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_ERROR, "combiner",
                        "out of memory: round %s is not reported", round_id);
    fedn__combiner_service_drain(service);
}

static void on_handed_over(fedn_status status, const fedn_error *why, fedn__blob *blob,
                           void *user_data)
{
    fedn__handover *handover = user_data;
    fedn__combiner_service *service = handover->service;

    (void)blob;
    handover->transfer = NULL;
    transfer_ended(service);
    if (service->handover != handover) {
        handover_free(handover);
        return;
    }
    if (status == FEDN_OK) {
        handover->done = 1;
        unlink(handover->path);
        saved(service, handover->round_id, NULL);
    } else if (!try_again(service, &handover->retry, &handover->tries, status)) {
        saved(service, handover->round_id, why ? why->message : fedn_status_string(status));
    }
}

static void handover_start(fedn__handover *handover)
{
    fedn__combiner_service *service = handover->service;
    fedn_error err = {0};

    if (handover->done || handover->transfer || !handover->blob || !handover->closed ||
        !fedn__uplink_is_up(service->uplink))
        return;
    const fedn__sending what = {
        .id = handover->partial_id, .blob = handover->blob, .resume = handover->begun};
    fedn_status rc =
        fedn__transfer_upload(fedn__uplink_channel(service->uplink), service->pool, &what,
                              on_handed_over, handover, &handover->transfer, &err);
    handover->begun = 1;
    if (rc == FEDN_OK)
        service->transfers++;
    else if (!try_again(service, &handover->retry, &handover->tries, rc))
        saved(service, handover->round_id, err.message);
}

static void remove_partial(const fedn__combiner_service *service, const char *partial_id)
{
    char *path = fedn__shelf_partial_path(service->shelf, partial_id);

    if (path)
        unlink(path);
    fedn__free(path);
}

/* A disk that is full, failing or read-only costs no update that counts: it is tried again until
 * the tier above gives the round up. */
static int32_t save_later(fedn__handover *handover, fedn_status status, const fedn_error *why)
{
    fedn__combiner_service *service = handover->service;

    if (status != FEDN_ERR_IO && status != FEDN_ERR_DENIED && status != FEDN_ERR_NOMEM)
        return 0;
    if (handover->tries++ == 0)
        fedn__log_write(service->log, FEDN_LOG_ERROR, "combiner",
                        "the partial of round %s: %s; trying again every second",
                        handover->round_id, why->message);
    return fedn__loop_timer_set(service->loop, &handover->retry,
                                fedn__clock_ns() + SAVE_RETRY_MS * 1000000) == FEDN_OK;
}

/* The aggregate is gone once it is in its file. */
static void open_saved(fedn__handover *handover)
{
    fedn_error err = {0};
    fedn_status rc = fedn__blob_from_file(handover->path, &handover->blob, &err);

    if (rc == FEDN_OK) {
        handover->tries = 0;
        handover_start(handover);
    } else if (!save_later(handover, rc, &err)) {
        saved(handover->service, handover->round_id, err.message);
    }
}

static void on_saved(const fedn__fold_result *result, const char *id, void *user_data)
{
    fedn__combiner_service *service = user_data;
    fedn__handover *handover = service->handover;

    if (!handover || strcmp(handover->partial_id, id) != 0) {
        remove_partial(service, id); /* the round was given up meanwhile */
        return;
    }
    handover->folded = *result;
    handover->written = result->status == FEDN_OK;
    if (handover->written)
        open_saved(handover);
    else if (!save_later(handover, result->status, &result->err))
        saved(service, handover->round_id, result->err.message);
}

static fedn_status save(fedn__handover *handover)
{
    fedn__combiner_service *service = handover->service;

    return fedn__fold_save(service->fold, handover->path, handover->partial_id, on_saved, service);
}

static void on_handover_retry(fedn__timer *timer, void *user_data)
{
    fedn__handover *handover = user_data;

    (void)timer;
    if (handover->blob)
        handover_start(handover);
    else if (handover->written)
        open_saved(handover);
    else if (save(handover) != FEDN_OK)
        saved(handover->service, handover->round_id, "out of memory");
}

void fedn__combiner_save_partial(fedn__combiner_service *service)
{
    if (save(service->handover) != FEDN_OK)
        saved(service, service->handover->round_id, "out of memory");
}

void fedn__combiner_save(fedn__combiner_service *service)
{
    const fedn__round_plan *plan = fedn__combiner_engine_plan(service->engine);

    fedn__combiner_abandon_partial(service);
    fedn__handover *handover = fedn__alloc_zero(sizeof *handover);
    if (handover) {
        fedn__uuid_new_text(handover->partial_id);
        handover->path = fedn__shelf_partial_path(service->shelf, handover->partial_id);
    }
    if (!handover || !handover->path) {
        fedn__free(handover);
        saved(service, plan->round_id, "out of memory");
        return;
    }
    handover->service = service;
    snprintf(handover->round_id, sizeof handover->round_id, "%s", plan->round_id);
    handover->retry.fn = on_handover_retry;
    handover->retry.user_data = handover;
    service->handover = handover;
    if (fedn__combiner_write_close(service, handover->round_id) != FEDN_OK)
        saved(service, plan->round_id, "out of memory");
    else if (!fedn__combiner_ask_aggregate(service))
        fedn__combiner_save_partial(service);
}

void fedn__combiner_partial_may_go(fedn__combiner_service *service, const char *round_id)
{
    if (service->stopping || !service->handover ||
        strcmp(service->handover->round_id, round_id) != 0)
        return;
    service->handover->closed = 1;
    handover_start(service->handover);
}

void fedn__combiner_retry_models(fedn__combiner_service *service)
{
    for (fedn__fetch *fetch = service->fetches, *next; fetch; fetch = next) {
        next = fetch->next;
        fetch_start(fetch);
    }
    if (service->handover)
        handover_start(service->handover);
}

void fedn__combiner_models_stop(fedn__combiner_service *service)
{
    for (fedn__fetch *fetch = service->fetches, *next; fetch; fetch = next) {
        next = fetch->next;
        if (fetch->transfer)
            fedn__transfer_cancel(fetch->transfer);
        else
            fetch_free(fetch);
    }
    fedn__combiner_abandon_partial(service);
}
