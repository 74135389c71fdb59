/* SPDX-License-Identifier: Apache-2.0
 * What of a combiner's round outlives its process: written to the journal as it happens, taken up
 * from it at the start. */
#include "roles/combiner/service.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include "fedn_journal.pb-c.h"
#include "roles/combiner/round_start.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOURNAL "journal" /* in combiner.state_dir */

/* ---- writing ---- */

static fedn_status pack(const Fedn__Journal__V1__Record *record, uint8_t **ret, uint64_t *ret_bytes)
{
    *ret_bytes = fedn__journal__v1__record__get_packed_size(record);
    *ret = fedn__alloc(*ret_bytes);
    if (!*ret)
        return FEDN_ERR_NOMEM;
    fedn__journal__v1__record__pack(record, *ret);
    return FEDN_OK;
}

/* Of what is in memory the journal keeps the bytes, of a file its name. */
static fedn_status inline_bytes(fedn__blob *blob, ProtobufCBinaryData *ret)
{
    const uint8_t *data = NULL;

    if (fedn__blob_fd(blob) >= 0)
        return FEDN_OK;
    fedn_status rc = fedn__blob_map(blob, &data, NULL);
    *ret = (ProtobufCBinaryData){fedn__blob_bytes(blob), (uint8_t *)(uintptr_t)data};
    return rc;
}

static void on_retired(const char *key, void *user_data)
{
    fedn__combiner_service *service = user_data;

    fedn__shelf_forget(service->shelf, strtoull(key, NULL, 10));
}

/* The journal begins anew: with `record`, or with none. What the last round kept goes after it. */
static fedn_status begin_anew(fedn__combiner_service *service, const uint8_t *record,
                              uint64_t bytes)
{
    char retired[24];

    snprintf(retired, sizeof retired, "%llu",
             (unsigned long long)fedn__shelf_retire(service->shelf));
    return fedn__journal_begin(service->journal, record, bytes, retired, on_retired, service);
}

static fedn_status pack_begin(fedn__combiner_service *service, fedn__blob *global, uint8_t **ret,
                              uint64_t *ret_bytes, fedn_error *err)
{
    Fedn__Tier__V1__RoundStart start;
    Fedn__Journal__V1__Begin begin = FEDN__JOURNAL__V1__BEGIN__INIT;
    Fedn__Journal__V1__Record record = FEDN__JOURNAL__V1__RECORD__INIT;
    uint8_t digest[FEDN__DIGEST_BYTES];
    uint32_t count = 0;
    fedn__participant *const *clients = fedn__combiner_engine_asked(service->engine, &count);
    Fedn__Journal__V1__Asked *asked = fedn__alloc_array(count + 1, sizeof *asked);
    Fedn__Journal__V1__Asked **places = fedn__alloc_array(count + 1, sizeof *places);
    fedn_status rc = asked && places ? FEDN_OK : fedn__error_nomem(err);

    fedn__round_start_write(fedn__combiner_engine_plan(service->engine), &start);
    record.body_case = FEDN__JOURNAL__V1__RECORD__BODY_BEGIN;
    record.begin = &begin;
    begin.round = &start;
    for (uint32_t i = 0; rc == FEDN_OK && i < count; i++) {
        fedn__journal__v1__asked__init(&asked[i]);
        asked[i].client_id = clients[i]->id;
        asked[i].name = clients[i]->name;
        asked[i].task_id = clients[i]->task_id;
        places[i] = &asked[i];
    }
    begin.asked = places;
    begin.n_asked = count;
    begin.model_digest = (ProtobufCBinaryData){sizeof digest, digest};
    if (rc == FEDN_OK)
        rc = fedn__blob_digest(global, digest, err);
    if (rc == FEDN_OK && inline_bytes(global, &begin.model) != FEDN_OK)
        rc = fedn__error_nomem(err);
    if (rc == FEDN_OK && pack(&record, ret, ret_bytes) != FEDN_OK)
        rc = fedn__error_nomem(err);
    fedn__free(asked);
    fedn__free(places);
    return rc;
}

fedn_status fedn__combiner_write_begin(fedn__combiner_service *service, fedn__blob *global,
                                       fedn_error *err)
{
    uint8_t *record = NULL;
    uint64_t bytes = 0;
    fedn_status rc = pack_begin(service, global, &record, &bytes, err);

    if (rc == FEDN_OK) {
        rc = begin_anew(service, record, bytes);
        if (rc != FEDN_OK)
            (void)fedn__error(err, rc, "the round cannot be written down: %s",
                              fedn_status_string(rc));
    }
    fedn__free(record);
    return rc;
}

/* "<update id> <client id>" */
static void on_written(const char *key, void *user_data)
{
    fedn__combiner_service *service = user_data;
    char update_id[FEDN__UUID_TEXT];

    if (service->stopping)
        return;
    memcpy(update_id, key, FEDN__UUID_TEXT - 1);
    update_id[FEDN__UUID_TEXT - 1] = 0;
    (void)fedn__combiner_engine_journaled(service->engine, fedn__clock_ms(), key + FEDN__UUID_TEXT,
                                          update_id);
    fedn__combiner_service_drain(service);
}

static fedn_status add_update(fedn__combiner_service *service, const fedn__participant *client)
{
    Fedn__Journal__V1__Accept accept = FEDN__JOURNAL__V1__ACCEPT__INIT;
    Fedn__Journal__V1__Record record = FEDN__JOURNAL__V1__RECORD__INIT;
    uint8_t *packed = NULL;
    uint64_t bytes = 0;
    char *key = fedn__strf("%s %s", client->update_id, client->id);
    fedn_status rc = key ? FEDN_OK : FEDN_ERR_NOMEM;

    record.body_case = FEDN__JOURNAL__V1__RECORD__BODY_ACCEPT;
    record.accept = &accept;
    accept.client_id = client->id;
    accept.update_id = (char *)(uintptr_t)client->update_id;
    accept.num_examples = client->num_examples;
    accept.digest =
        (ProtobufCBinaryData){sizeof client->digest, (uint8_t *)(uintptr_t)client->digest};
    if (rc == FEDN_OK)
        rc = inline_bytes(fedn__shelf_take(service->shelf, client->update_id), &accept.model);
    if (rc == FEDN_OK)
        rc = pack(&record, &packed, &bytes);
    if (rc == FEDN_OK)
        rc = fedn__journal_add(service->journal, packed, bytes, key, on_written, service);
    fedn__free(packed);
    fedn__free(key);
    return rc;
}

void fedn__combiner_write_update(fedn__combiner_service *service, const fedn__participant *client)
{
    if (add_update(service, client) != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_ERROR, "combiner",
                        "update %s is not acknowledged: out of memory", client->update_id);
    fedn__shelf_keep(service->shelf, client->update_id);
}

void fedn__combiner_write_end(fedn__combiner_service *service)
{
    if (begin_anew(service, NULL, 0) != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner",
                        "the journal is emptied with the next round: out of memory");
}

/* ---- taking up ---- */

typedef struct replay {
    fedn__combiner_service *service;
    Fedn__Journal__V1__Record *begin;     /* NULL: no round */
    Fedn__Journal__V1__Record **accepted; /* in order */
    uint32_t count;
    uint32_t room;
} replay;

static void replay_done(replay *r)
{
    if (r->begin)
        fedn__journal__v1__record__free_unpacked(r->begin, NULL);
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
    Fedn__Journal__V1__Record *record =
        fedn__journal__v1__record__unpack(NULL, (size_t)bytes, packed);
    int32_t is_begin = record && record->body_case == FEDN__JOURNAL__V1__RECORD__BODY_BEGIN;
    int32_t is_accept = record && record->body_case == FEDN__JOURNAL__V1__RECORD__BODY_ACCEPT;
    fedn_status rc = FEDN_OK;

    if (is_begin && !r->begin && record->begin->round)
        r->begin = record;
    else if (is_accept && r->begin)
        rc = keep_accept(r, record);
    else
        rc = FEDN_ERR_FORMAT;
    if (rc != FEDN_OK && record)
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
    fedn__blob_unref(blob);
    return rc;
}

/* One whose file is gone, which takes more than a crash, is asked for again. */
static void adopt_updates(fedn__combiner_service *service, replay *r)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < r->count; i++) {
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

/* A model that is not what it was is fetched once more. */
static void adopt_model(fedn__combiner_service *service, const Fedn__Journal__V1__Begin *begin)
{
    fedn__blob *blob = NULL;
    fedn_error err = {0};

    if (begin->model_digest.len != FEDN__DIGEST_BYTES ||
        copy_bytes(&begin->model, &blob, &err) != FEDN_OK)
        return;
    if (fedn__shelf_adopt_model(service->shelf, begin->round->model_id, blob,
                                begin->model_digest.data, &err) != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_WARNING, "combiner",
                        "global model %s is fetched again: %s", begin->round->model_id,
                        err.message);
    fedn__blob_unref(blob);
}

/* Those that are accepted first, in their order. */
static uint32_t list_clients(const replay *r, fedn__restored_client *list, fedn__map *accepted)
{
    const Fedn__Journal__V1__Begin *begin = r->begin->begin;
    uint32_t count = 0;

    for (uint32_t i = 0; i < r->count; i++) {
        const Fedn__Journal__V1__Accept *a = r->accepted[i]->accept;
        fedn__restored_client *client = fedn__map_get(accepted, a->client_id);
        if (!client || client->update_id)
            continue; /* it was not asked, or is here already */
        list[count] = *client;
        list[count].update_id = a->update_id;
        list[count].num_examples = a->num_examples;
        memcpy(list[count].digest, a->digest.data, FEDN__DIGEST_BYTES);
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

static fedn_status restore_engine(fedn__combiner_service *service, const replay *r, fedn_error *err)
{
    const Fedn__Journal__V1__Begin *begin = r->begin->begin;
    fedn__round_plan plan = {0};
    fedn__map by_id;
    fedn__restored_client *asked = fedn__alloc_array(begin->n_asked + 1, sizeof *asked);
    fedn__restored_client *list = fedn__alloc_array(begin->n_asked + 1, sizeof *list);
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
    if (!r->begin)
        return FEDN_OK;
    adopt_updates(service, r);
    adopt_model(service, r->begin->begin);
    rc = restore_engine(service, r, err);
    if (rc == FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_INFO, "combiner",
                        "round %s goes on with %u updates of %u clients",
                        r->begin->begin->round->round_id, (unsigned)r->count,
                        (unsigned)r->begin->begin->n_asked);
    return rc;
}

fedn_status fedn__combiner_durable_open(fedn__combiner_service *service, fedn_error *err)
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
