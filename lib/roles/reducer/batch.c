/* SPDX-License-Identifier: Apache-2.0
 * Tickets as one transaction: patches meet what is stored and what is about to be. */
#include "roles/reducer/batch.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/map.h"
#include "core/text.h"
#include <string.h>

/* Changes of one transaction: the newest document of each record. */
typedef struct transaction {
    fedn__map places; /* "kind/id" to the change's number, from 1 */
    fedn__change *changes;
    json_t **documents; /* of the changes; references */
    char **ids;
    uint32_t count;
    uint32_t capacity;
} transaction;

static void batch_done(transaction *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        json_decref(batch->documents[i]);
        fedn__free(batch->ids[i]);
    }
    fedn__free(batch->documents);
    fedn__free(batch->ids);
    fedn__free(batch->changes);
    fedn__map_done(&batch->places);
}

static fedn_status batch_grow(transaction *batch)
{
    uint64_t capacity = batch->capacity ? (uint64_t)batch->capacity * 2 : 16;

    if (batch->count < batch->capacity)
        return FEDN_OK;
    void *grown = fedn__realloc_array(batch->changes, capacity, sizeof *batch->changes);
    if (!grown)
        return FEDN_ERR_NOMEM;
    batch->changes = grown;
    grown = fedn__realloc_array(batch->documents, capacity, sizeof *batch->documents);
    if (!grown)
        return FEDN_ERR_NOMEM;
    batch->documents = grown;
    grown = fedn__realloc_array(batch->ids, capacity, sizeof *batch->ids);
    if (!grown)
        return FEDN_ERR_NOMEM;
    batch->ids = grown;
    batch->capacity = (uint32_t)capacity;
    return FEDN_OK;
}

static char *place_key(int32_t kind, const char *id)
{
    return fedn__strf("%d/%s", (int)kind, id);
}

static json_t *batch_find(transaction *batch, int32_t kind, const char *id, uint32_t *ret_place)
{
    char *key = place_key(kind, id);
    uintptr_t place = key ? (uintptr_t)fedn__map_get(&batch->places, key) : 0;

    fedn__free(key);
    *ret_place = (uint32_t)place;
    return place ? batch->documents[place - 1] : NULL;
}

/* Takes over `document`. */
static fedn_status batch_put(transaction *batch, int32_t kind, const char *id, json_t *document)
{
    uint32_t place = 0;
    char *key = NULL;
    char *copy = NULL;
    fedn_status rc = FEDN_ERR_NOMEM;

    batch_find(batch, kind, id, &place);
    if (place) {
        json_decref(batch->documents[place - 1]);
        batch->documents[place - 1] = document;
        batch->changes[place - 1].document = document;
        return FEDN_OK;
    }
    key = place_key(kind, id);
    copy = fedn__strdup(id);
    if (!key || !copy || batch_grow(batch) != FEDN_OK)
        goto out;
    rc = fedn__map_set(&batch->places, key, (void *)(uintptr_t)(batch->count + 1));
    if (rc != FEDN_OK)
        goto out;
    batch->changes[batch->count] = (fedn__change){kind, copy, document};
    batch->documents[batch->count] = document;
    batch->ids[batch->count++] = copy;
    copy = NULL;
    document = NULL;
out:
    json_decref(document);
    fedn__free(copy);
    fedn__free(key);
    return rc;
}

static fedn_status stamp(json_t *document)
{
    char text[FEDN__TIME_TEXT];

    fedn__text_iso_time(fedn__clock_wall_us(), text);
    if (!json_object_get(document, "committed_at") &&
        json_object_set_new(document, "committed_at", json_string(text)) != 0)
        return FEDN_ERR_NOMEM;
    return json_object_set_new(document, "updated_at", json_string(text)) == 0 ? FEDN_OK
                                                                               : FEDN_ERR_NOMEM;
}

static fedn_status add_put(transaction *batch, const fedn__entry *item, fedn_error *err)
{
    if (stamp(item->document) != FEDN_OK ||
        batch_put(batch, item->kind, item->id, json_incref(item->document)) != FEDN_OK)
        return fedn__error_nomem(err);
    return FEDN_OK;
}

static fedn_status add_patch(fedn__store *store, transaction *batch, const fedn__entry *item,
                             fedn_error *err)
{
    uint32_t place = 0;
    json_t *found = batch_find(batch, item->kind, item->id, &place);
    json_t *document = NULL;

    if (place && !found)
        return add_put(batch, item, err); /* it is being removed */
    if (found) {
        json_incref(found);
    } else {
        fedn_status rc = fedn__store_get(store, item->kind, item->id, &found, err);
        if (rc == FEDN_ERR_NOT_FOUND)
            return add_put(batch, item, err);
        if (rc != FEDN_OK)
            return rc;
    }
    if (item->op == FEDN__RECORD_LEAVE &&
        strcmp(fedn__json_string(found, "combiner", ""),
               fedn__json_string(item->document, "combiner", "")) != 0) {
        json_decref(found);
        return FEDN_OK;
    }
    document = json_copy(found);
    json_decref(found);
    if (!document || json_object_update(document, item->document) != 0 ||
        stamp(document) != FEDN_OK) {
        json_decref(document);
        return fedn__error_nomem(err);
    }
    return batch_put(batch, item->kind, item->id, document) == FEDN_OK ? FEDN_OK
                                                                       : fedn__error_nomem(err);
}

/* The records that the batch changes itself come first; the store's follow. */
static fedn_status add_offline(fedn__store *store, transaction *batch, const fedn__entry *item,
                               fedn_error *err)
{
    json_t *online = json_string("online");
    json_t *name = item->id ? json_string(item->id) : NULL;
    fedn__filter filters[] = {{"status", FEDN__OP_EQ, online}, {"combiner", FEDN__OP_EQ, name}};
    fedn__query query = {.filters = filters, .filter_count = name ? 2 : 1};
    json_t *found = NULL;
    json_t *client = NULL;
    size_t i = 0;
    fedn_status rc = FEDN_ERR_NOMEM;

    for (uint32_t k = 0; k < batch->count; k++) {
        json_t *document = batch->documents[k];
        if (document && batch->changes[k].kind == FEDN__KIND_CLIENT &&
            fedn__text_equal(fedn__json_string(document, "status", ""), "online") &&
            (!item->id ||
             fedn__text_equal(fedn__json_string(document, "combiner", ""), item->id)) &&
            json_object_set_new(document, "status", json_string("offline")) != 0)
            goto out;
    }
    if (!online || (item->id && !name))
        goto out;
    rc = fedn__store_list(store, FEDN__KIND_CLIENT, &query, &found, NULL, err);
    if (rc != FEDN_OK)
        goto out;
    json_array_foreach(found, i, client)
    {
        const char *id = fedn__json_string(client, "client_id", "");
        uint32_t place = 0;
        batch_find(batch, FEDN__KIND_CLIENT, id, &place);
        if (place || !*id)
            continue;
        if (json_object_set_new(client, "status", json_string("offline")) != 0 ||
            stamp(client) != FEDN_OK ||
            batch_put(batch, FEDN__KIND_CLIENT, id, json_incref(client)) != FEDN_OK) {
            rc = FEDN_ERR_NOMEM;
            goto out;
        }
    }
out:
    json_decref(found);
    json_decref(online);
    json_decref(name);
    return rc == FEDN_ERR_NOMEM ? fedn__error_nomem(err) : rc;
}

/* Removes the records of the same name under other ids. */
static fedn_status remove_namesakes(fedn__store *store, transaction *batch, const fedn__entry *item,
                                    fedn_error *err)
{
    fedn__filter filter = {"name", FEDN__OP_EQ, json_object_get(item->document, "name")};
    fedn__query query = {.filters = &filter, .filter_count = 1};
    const char *key = fedn__kind_get(item->kind)->key;
    json_t *found = NULL;
    json_t *other = NULL;
    size_t i = 0;
    fedn_status rc = fedn__store_list(store, item->kind, &query, &found, NULL, err);

    json_array_foreach(found, i, other)
    {
        const char *id = fedn__json_string(other, key, "");
        if (rc == FEDN_OK && *id && strcmp(id, item->id) != 0 &&
            batch_put(batch, item->kind, id, NULL) != FEDN_OK)
            rc = fedn__error_nomem(err);
    }
    json_decref(found);
    return rc;
}

/* What the batch holds of the record comes before what the store does. */
static fedn_status deactivate(transaction *batch, int32_t kind, const char *id, json_t *stored)
{
    uint32_t place = 0;
    json_t *newer = batch_find(batch, kind, id, &place);

    if (place && !newer)
        return FEDN_OK;
    json_t *document = json_copy(newer ? newer : stored);
    if (!document || json_object_set_new(document, "active", json_false()) != 0 ||
        stamp(document) != FEDN_OK) {
        json_decref(document);
        return FEDN_ERR_NOMEM;
    }
    return batch_put(batch, kind, id, document);
}

/* Of a kind, one is active: this one. One that the batch itself made active is among the others. */
static fedn_status deactivate_others(fedn__store *store, transaction *batch,
                                     const fedn__entry *item, fedn_error *err)
{
    json_t *yes = json_true();
    fedn__filter filter = {"active", FEDN__OP_EQ, yes};
    fedn__query query = {.filters = &filter, .filter_count = 1};
    const char *key = fedn__kind_get(item->kind)->key;
    json_t *found = NULL;
    json_t *other = NULL;
    size_t i = 0;
    fedn_status rc = fedn__store_list(store, item->kind, &query, &found, NULL, err);

    json_array_foreach(found, i, other)
    {
        const char *id = fedn__json_string(other, key, "");
        if (rc == FEDN_OK && strcmp(id, item->id) != 0 &&
            deactivate(batch, item->kind, id, other) != FEDN_OK)
            rc = fedn__error_nomem(err);
    }
    for (uint32_t k = 0; rc == FEDN_OK && k < batch->count; k++)
        if (batch->changes[k].kind == item->kind && strcmp(batch->ids[k], item->id) != 0 &&
            json_is_true(json_object_get(batch->documents[k], "active")) &&
            deactivate(batch, item->kind, batch->ids[k], NULL) != FEDN_OK)
            rc = fedn__error_nomem(err);
    json_decref(found);
    return rc;
}

static fedn_status add_ticket(fedn__store *store, transaction *batch, fedn__ticket *ticket,
                              fedn_error *err)
{
    fedn_status rc = ticket->broken ? fedn__error_nomem(err) : FEDN_OK;

    for (fedn__entry *item = ticket->first; rc == FEDN_OK && item; item = item->next) {
        if (item->op == FEDN__RECORD_PUT)
            rc = add_put(batch, item, err);
        else if (item->op == FEDN__RECORD_REMOVE)
            rc = batch_put(batch, item->kind, item->id, NULL) == FEDN_OK ? FEDN_OK
                                                                         : fedn__error_nomem(err);
        else if (item->op == FEDN__RECORD_OFFLINE)
            rc = add_offline(store, batch, item, err);
        else
            rc = add_patch(store, batch, item, err);
        if (rc == FEDN_OK && item->op == FEDN__RECORD_RENAME)
            rc = remove_namesakes(store, batch, item, err);
        if (rc == FEDN_OK && item->op == FEDN__RECORD_ACTIVATE)
            rc = deactivate_others(store, batch, item, err);
    }
    return rc;
}

fedn_status fedn__batch_write(fedn__store *store, fedn__ticket *first, const fedn__ticket *end,
                              fedn_error *err)
{
    transaction all = {0};
    fedn_status rc = FEDN_OK;

    fedn__map_init(&all.places);
    for (fedn__ticket *ticket = first; rc == FEDN_OK && ticket != end; ticket = ticket->next)
        rc = add_ticket(store, &all, ticket, err);
    if (rc == FEDN_OK)
        rc = fedn__store_apply(store, all.changes, all.count, err);
    batch_done(&all);
    return rc;
}
