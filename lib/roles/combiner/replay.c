/* SPDX-License-Identifier: Apache-2.0
 * A combiner's start from its journal: the round that an earlier process was at goes on. */
#include "roles/combiner/service.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include "fedn_journal.pb-c.h"
#include "roles/combiner/round_start.h"
#include <stdio.h>
#include <string.h>

#define JOURNAL "journal" /* in combiner.state_dir */

typedef struct replay {
    fedn__combiner_service *service;
    Fedn__Journal__V1__Record *begin;     /* NULL: no round */
    Fedn__Journal__V1__Record *counted;   /* instead, between two rounds; NULL: nothing */
    Fedn__Journal__V1__Record **accepted; /* in order */
    uint32_t count;
    uint32_t room;
    uint32_t folded; /* of them, the first: they are in the checkpoint */
    int32_t closed;
} replay;

static void replay_done(replay *r)
{
    if (r->begin)
        fedn__journal__v1__record__free_unpacked(r->begin, NULL);
    if (r->counted)
        fedn__journal__v1__record__free_unpacked(r->counted, NULL);
    for (uint32_t i = 0; i < r->count; i++)
        fedn__journal__v1__record__free_unpacked(r->accepted[i], NULL);
    fedn__free(r->accepted);
}

static fedn_status keep_accept(replay *r, Fedn__Journal__V1__Record *record)
{
    if (r->count == r->room) {
        uint32_t room = r->room ? 2 * r->room : 64;
        Fedn__Journal__V1__Record **grown =
            fedn__realloc_array(r->accepted, room, sizeof *r->accepted);
        if (!grown)
            return FEDN_ERR_NOMEM;
        r->accepted = grown;
        r->room = room;
    }
    r->accepted[r->count++] = record;
    return FEDN_OK;
}

static fedn_status on_record(const uint8_t *packed, uint64_t bytes, void *user_data,
                             fedn_error *err)
{
    replay *r = user_data;
    fedn__uuid uuid;
    Fedn__Journal__V1__Record *record =
        fedn__journal__v1__record__unpack(NULL, (size_t)bytes, packed);
    int32_t is_begin = record && record->body_case == FEDN__JOURNAL__V1__RECORD__BODY_BEGIN;
    int32_t is_accept = record && record->body_case == FEDN__JOURNAL__V1__RECORD__BODY_ACCEPT;
    int32_t is_checkpoint = record &&
                            record->body_case == FEDN__JOURNAL__V1__RECORD__BODY_CHECKPOINT &&
                            fedn__uuid_parse(record->checkpoint->partial_id, &uuid);
    int32_t is_close = record && record->body_case == FEDN__JOURNAL__V1__RECORD__BODY_CLOSE;
    fedn_status rc = FEDN_OK;

    if (is_begin && !r->begin && record->begin->round)
        r->begin = record;
    else if (is_begin && !r->begin && !r->counted)
        r->counted = record;
    else if (is_accept && r->begin)
        rc = keep_accept(r, record);
    else if (is_checkpoint && r->begin)
        fedn__uuid_format(&uuid, r->service->checkpoint.durable_id);
    else if (is_close && r->begin)
        r->closed = 1;
    else
        rc = FEDN_ERR_FORMAT;
    if (is_checkpoint)
        r->folded = r->count;
    if ((rc != FEDN_OK && record) || is_checkpoint || is_close)
        fedn__journal__v1__record__free_unpacked(record, NULL);
    return rc == FEDN_OK ? rc : fedn__error(err, rc, "a record of it makes no sense");
}

static fedn_status copy_bytes(const ProtobufCBinaryData *bytes, fedn__blob **ret, fedn_error *err)
{
    *ret = NULL;
    return bytes->len ? fedn__blob_copy(bytes->data, bytes->len, ret, err) : FEDN_OK;
}

static fedn_status adopt_update(fedn__combiner_service *service,
                                const Fedn__Journal__V1__Accept *accept, fedn_error *err)
{
    fedn__blob *blob = NULL;
    fedn__uuid uuid;

    if (!fedn__uuid_parse(accept->update_id, &uuid) || accept->digest.len != FEDN__DIGEST_BYTES)
        return fedn__error(err, FEDN_ERR_FORMAT, "update %.40s makes no sense", accept->update_id);
    fedn_status rc = copy_bytes(&accept->model, &blob, err);
    if (rc == FEDN_OK)
        rc = fedn__shelf_adopt(service->shelf, accept->update_id, accept->client_id, blob, err);
    if (rc == FEDN_OK && *accept->training_metadata)
        fedn__shelf_describe(service->shelf, accept->update_id, accept->training_metadata);
    fedn__blob_unref(blob);
    return rc;
}

/* One whose file is gone, which takes more than a crash, is asked for again. */
static void adopt_updates(fedn__combiner_service *service, replay *r)
{
    uint32_t kept = r->folded;

    for (uint32_t i = r->folded; i < r->count; i++) {
        const Fedn__Journal__V1__Accept *accept = r->accepted[i]->accept;
        fedn_error err = {0};
        if (adopt_update(service, accept, &err) == FEDN_OK) {
            r->accepted[kept++] = r->accepted[i];
            continue;
        }
        fedn__log_write(service->log, FEDN_LOG_ERROR, "combiner",
                        "update %.40s of client %.100s was acknowledged and is gone: %s",
                        accept->update_id, accept->client_id, err.message);
        fedn__journal__v1__record__free_unpacked(r->accepted[i], NULL);
    }
    r->count = kept;
}

static void adopt_model(fedn__combiner_service *service, const char *model_id,
                        const ProtobufCBinaryData *bytes, const ProtobufCBinaryData *digest)
{
    fedn__blob *blob = NULL;
    fedn_error err = {0};

    if (digest->len != FEDN__DIGEST_BYTES || copy_bytes(bytes, &blob, &err) != FEDN_OK)
        return;
    if (fedn__shelf_adopt_model(service->shelf, model_id, blob, digest->data, &err) != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner", "model %.40s is gone: %s",
                        model_id, err.message);
    fedn__blob_unref(blob);
}

/* The global model is fetched once more if it is not what it was. */
static void adopt_models(fedn__combiner_service *service, const Fedn__Journal__V1__Begin *begin)
{
    char ids[FEDN__LIMIT_STALENESS + 1][FEDN__UUID_TEXT];
    uint32_t count = 0;

    for (size_t i = 0; i < begin->n_recent && i < FEDN__LIMIT_STALENESS; i++)
        snprintf(ids[count++], FEDN__UUID_TEXT, "%s", begin->recent[i]->model_id);
    fedn__shelf_pin_models(service->shelf, ids, count);
    for (size_t i = begin->n_recent; i > 0; i--) {
        const Fedn__Journal__V1__Model *model = begin->recent[i - 1];
        adopt_model(service, model->model_id, &model->model, &model->digest);
    }
    adopt_model(service, begin->round->model_id, &begin->model, &begin->model_digest);
}

/* Those that are accepted first, in their order; who joined later was not asked at its beginning.
 */
static uint32_t list_clients(const replay *r, fedn__restored_client *list, fedn__map *accepted)
{
    const Fedn__Journal__V1__Begin *begin = r->begin->begin;
    uint32_t count = 0;

    for (uint32_t i = 0; i < r->count; i++) {
        const Fedn__Journal__V1__Accept *a = r->accepted[i]->accept;
        fedn__restored_client *client = fedn__map_get(accepted, a->client_id);
        if (client && client->update_id)
            continue; /* it is here already */
        list[count] = client ? *client : (fedn__restored_client){.name = "", .task_id = ""};
        list[count].client_id = a->client_id; /* one that joined an asynchronous round */
        list[count].update_id = a->update_id;
        list[count].num_examples = a->num_examples;
        list[count].base_id = a->model_id;
        list[count].folded = i < r->folded;
        memcpy(list[count].digest, a->digest.data, FEDN__DIGEST_BYTES);
        if (client)
            client->update_id = a->update_id;
        count++;
    }
    for (size_t i = 0; i < begin->n_asked; i++) {
        const fedn__restored_client *client = fedn__map_get(accepted, begin->asked[i]->client_id);
        if (client && !client->update_id)
            list[count++] = *client;
    }
    return count;
}

static fedn_status restore_counted(fedn__combiner_service *service,
                                   const Fedn__Journal__V1__Begin *begin)
{
    fedn_status rc = FEDN_OK;

    for (size_t i = 0; rc == FEDN_OK && i < begin->n_counted; i++)
        rc = fedn__combiner_engine_restore_counted(service->engine, begin->counted[i]->client_id,
                                                   begin->counted[i]->update_id);
    return rc;
}

static fedn_status restore_engine(fedn__combiner_service *service, const replay *r, fedn_error *err)
{
    const Fedn__Journal__V1__Begin *begin = r->begin->begin;
    fedn__round_plan plan = {0};
    fedn__map by_id;
    fedn__restored_client *asked = fedn__alloc_array(begin->n_asked + 1, sizeof *asked);
    fedn__restored_client *list = fedn__alloc_array(begin->n_asked + r->count + 1, sizeof *list);
    fedn_status rc = asked && list ? FEDN_OK : FEDN_ERR_NOMEM;

    fedn__map_init(&by_id);
    for (size_t i = 0; rc == FEDN_OK && i < begin->n_asked; i++) {
        asked[i] = (fedn__restored_client){.client_id = begin->asked[i]->client_id,
                                           .name = begin->asked[i]->name,
                                           .task_id = begin->asked[i]->task_id};
        rc = fedn__map_set(&by_id, asked[i].client_id, &asked[i]);
    }
    if (rc == FEDN_OK)
        rc = fedn__round_start_read(begin->round, &plan);
    if (rc == FEDN_OK)
        rc = fedn__combiner_engine_restore(service->engine, fedn__clock_ms(), &plan, list,
                                           list_clients(r, list, &by_id));
    if (rc == FEDN_OK)
        rc = restore_counted(service, begin);
    if (r->closed)
        fedn__combiner_engine_restore_closed(service->engine);
    fedn__round_plan_done(&plan);
    fedn__map_done(&by_id);
    fedn__free(asked);
    fedn__free(list);
    return rc == FEDN_OK ? rc
                         : fedn__error(err, rc, "round %s: %s", begin->round->round_id,
                                       fedn_status_string(rc));
}

static fedn_status take_up(fedn__combiner_service *service, replay *r, uint64_t cut,
                           fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    if (cut > 0)
        fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner",
                        "the journal's last %llu bytes were not written whole and are cut off",
                        (unsigned long long)cut);
    if (!r->begin) {
        rc = r->counted ? restore_counted(service, r->counted->begin) : FEDN_OK;
        return rc == FEDN_OK ? rc : fedn__error_nomem(err);
    }
    fedn__shelf_adopt_partial(service->shelf, service->checkpoint.durable_id);
    if (service->hooks && *r->begin->begin->round->server_functions &&
        !service->checkpoint.durable_id[0])
        fedn__combiner_keep_for_functions(service, 1);
    adopt_updates(service, r);
    adopt_models(service, r->begin->begin);
    rc = restore_engine(service, r, err);
    if (rc == FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_INFO, "combiner",
                        "round %s goes on with %u updates of %u clients",
                        r->begin->begin->round->round_id, (unsigned)r->count,
                        (unsigned)r->begin->begin->n_asked);
    return rc;
}

fedn_status fedn__combiner_replay(fedn__combiner_service *service, fedn_error *err)
{
    replay r = {.service = service};
    uint64_t cut = 0;
    char *path = fedn__fs_join(service->options.state_dir, JOURNAL);
    const fedn__journal_options options = {
        .path = path, .loop = service->loop, .pool = service->pool, .log = service->log};
    fedn_status rc = path
                         ? fedn__journal_open(&options, on_record, &r, &cut, &service->journal, err)
                         : fedn__error_nomem(err);

    if (rc == FEDN_OK)
        rc = take_up(service, &r, cut, err);
    if (rc == FEDN_OK)
        rc = fedn__shelf_sweep(service->shelf, err);
    if (rc != FEDN_OK && path)
        rc = fedn__error_prefix(err, rc, path);
    replay_done(&r);
    fedn__free(path);
    return rc;
}
