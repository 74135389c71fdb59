/* SPDX-License-Identifier: Apache-2.0
 * Announced updates: what they say, whether their bytes are here, what is answered. */
#include "roles/combiner/methods.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What an update's meta and config say. Texts belong to `meta`, `config` and the plan. */
typedef struct update_meta {
    json_t *meta;
    json_t *config;
    const char *round_id;
    const char *session_id;
    const char *failed; /* the client's own word for a failed training; NULL: it did not fail */
    double num_examples;
} update_meta;

/* Most send what they were sent: what it says is known then. */
static fedn_status read_config(const char *config, const fedn__round_plan *plan, update_meta *ret,
                               fedn_error *err)
{
    if (plan->config && strcmp(config, plan->config) == 0) {
        ret->round_id = plan->round_id;
        ret->session_id = plan->session_id;
        return FEDN_OK;
    }
    fedn_status rc =
        fedn__json_parse_python(config, strlen(config), 0, "config", &ret->config, err);
    ret->round_id = fedn__json_string(ret->config, "round_id", NULL);
    ret->session_id = fedn__json_string(ret->config, "session_id", NULL);
    return rc;
}

static fedn_status read_meta(const Fedn__ModelUpdate *update, const fedn__round_plan *plan,
                             update_meta *ret, fedn_error *err)
{
    fedn_status rc =
        fedn__json_parse_python(update->meta, strlen(update->meta), 0, "meta", &ret->meta, err);
    if (rc != FEDN_OK)
        return rc;
    if (fedn__text_equal(fedn__json_string(ret->meta, "status", ""), "failed")) {
        ret->failed = fedn__json_string(ret->meta, "error", "training failed");
        return FEDN_OK;
    }
    const char *config =
        *update->config ? update->config : fedn__json_string(ret->meta, "config", NULL);
    if (config) {
        rc = read_config(config, plan, ret, err);
        if (rc != FEDN_OK)
            return rc;
    }
    const json_t *training = json_object_get(ret->meta, "training_metadata");
    ret->num_examples = fedn__json_number(training, "num_examples", NAN);
    if (isnan(ret->num_examples))
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "meta has no number training_metadata.num_examples");
    return FEDN_OK;
}

/* What came with the announcement counts as if it had been uploaded. */
static fedn_status receive(fedn__combiner_service *service, const fedn__held_call *held,
                           const ProtobufCBinaryData *model, fedn_error *err)
{
    uint64_t most = fedn__combiner_most_inline(service);
    fedn__blob *blob = NULL;

    if (model->len == 0)
        return FEDN_OK;
    if (model->len > most)
        return fedn__error(err, FEDN_ERR_LIMIT,
                           "model update %s of %llu bytes is over the %llu that may come with its "
                           "announcement: upload it",
                           held->update_id, (unsigned long long)model->len,
                           (unsigned long long)most);
    fedn_status rc = fedn__blob_copy(model->data, model->len, &blob, err);
    if (rc == FEDN_OK)
        rc = fedn__shelf_put(service->shelf, held->update_id, held->client_id, blob, err);
    fedn__blob_unref(blob);
    return rc;
}

/* A server function that aggregates is told. */
static void describe(fedn__combiner_service *service, const char *update_id, const json_t *meta)
{
    const json_t *training = json_object_get(meta, "training_metadata");
    char *text = service->aggregates && training ? fedn__json_text(training) : NULL;

    if (text && strlen(text) <= FEDN__LIMIT_SOURCE_BYTES)
        fedn__shelf_describe(service->shelf, update_id, text);
    fedn__free(text);
}

static void announce(fedn__combiner_service *service, fedn__held_call *held,
                     const Fedn__ModelUpdate *update)
{
    update_meta meta = {.num_examples = NAN};
    fedn_error meta_err = {0};
    fedn_error upload_err = {0};
    uint8_t digest[FEDN__DIGEST_BYTES];
    int64_t now = fedn__clock_ms();

    fedn_status rc =
        read_meta(update, fedn__combiner_engine_plan(service->engine), &meta, &meta_err);
    fedn_status uploaded =
        meta.failed ? FEDN_OK : receive(service, held, &update->model, &upload_err);
    if (uploaded == FEDN_OK)
        uploaded = fedn__shelf_check(service->shelf, held->update_id, held->client_id, &upload_err);
    int32_t hashed = uploaded == FEDN_OK && !meta.failed &&
                     fedn__shelf_digest(service->shelf, held->update_id, digest, NULL) == FEDN_OK;
    if (uploaded == FEDN_OK && !meta.failed)
        describe(service, held->update_id, meta.meta);
    fedn__announcement said = {.call = (uint64_t)(uintptr_t)held,
                               .client_id = held->client_id,
                               .update_id = held->update_id,
                               .model_id = update->model_id,
                               .round_id = meta.round_id,
                               .session_id = meta.session_id,
                               .num_examples = meta.num_examples,
                               .digest = hashed ? digest : NULL,
                               .meta_error = rc == FEDN_OK ? NULL : meta_err.message,
                               .upload_error = uploaded == FEDN_OK ? NULL : upload_err.message};
    if (meta.failed) {
        rc = fedn__combiner_engine_task_failed(service->engine, now, held->client_id, NULL,
                                               meta.failed);
        if (rc == FEDN_OK)
            fedn__combiner_answer(service, held->call, "RECEIVED failure of a task");
    } else if (uploaded == FEDN_ERR_NOMEM) {
        rc = uploaded; /* it comes again */
    } else {
        rc = fedn__combiner_engine_update(service->engine, now, &said);
    }
    if (rc != FEDN_OK)
        fedn__call_reject(held->call, FEDN__RPC_UNAVAILABLE, "out of memory");
    fedn__combiner_service_drain(service);
    json_decref(meta.meta);
    json_decref(meta.config);
}

void fedn__combiner_model_update(void *service_data, fedn__call *call,
                                 const ProtobufCMessage *request)
{
    fedn__combiner_service *service = service_data;
    const Fedn__ModelUpdate *update = (const Fedn__ModelUpdate *)request;
    const char *client_id = fedn__combiner_caller(call, update->sender);
    char id[FEDN__UUID_TEXT];
    fedn__uuid uuid;

    if (!client_id) {
        fedn__combiner_no_caller(call);
        return;
    }
    if (!fedn__uuid_parse(update->model_update_id, &uuid)) {
        fedn__combiner_answer(service, call, "REFUSED ModelUpdate: model_update_id is not a UUID");
        return;
    }
    fedn__uuid_format(&uuid, id);
    fedn__held_call *held = fedn__combiner_hold(service, call, client_id, id);
    if (held)
        announce(service, held, update);
}

void fedn__combiner_reply(fedn__combiner_service *service, const fedn__combiner_action *action)
{
    fedn__held_call *held = (fedn__held_call *)(uintptr_t)action->token;
    char text[FEDN__REASON_BYTES + FEDN__LIMIT_NAME_BYTES + 80];

    if (action->ok == FEDN__REPLY_LATER) {
        fedn__call_reject(held->call, FEDN__RPC_UNAVAILABLE, action->text);
        return;
    }
    if (action->ok == FEDN__REPLY_COUNTED) {
        snprintf(text, sizeof text, "RECEIVED ModelUpdate %s from client %s", held->update_id,
                 held->client_id);
    } else {
        snprintf(text, sizeof text, "REFUSED ModelUpdate %s: %s", held->update_id, action->text);
        fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner",
                        "update %s of client %s is refused: %s", held->update_id, held->client_id,
                        action->text);
    }
    fedn__combiner_answer(service, held->call, text);
}
