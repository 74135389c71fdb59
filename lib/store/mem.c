/* SPDX-License-Identifier: Apache-2.0
 * The record store in memory: for tests and for networks that need no memory of the past. */
#include "store/records.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/map.h"
#include "store/match.h"
#include <pthread.h>
#include <stdlib.h>

typedef struct record {
    json_t *document; /* NULL: only inside apply(), not there for anybody else */
    uint64_t seq;     /* order of insertion; a put over an existing record keeps it */
} record;

typedef struct mem {
    pthread_mutex_t mutex; /* guards all below */
    fedn__map kinds[FEDN__KIND_COUNT];
    uint64_t seq;
} mem;

/* A record that matched, with what it is sorted by. */
typedef struct hit {
    const json_t *key;
    const record *record;
} hit;

static fedn_status mem_open(const char *rest, void **ret_self, fedn_error *err)
{
    if (*rest)
        return fedn__error(err, FEDN_ERR_INVALID, "store \"mem:%s\": nothing may follow \"mem:\"",
                           rest);
    mem *self = fedn__alloc_zero(sizeof *self);
    if (!self)
        return fedn__error_nomem(err);
    pthread_mutex_init(&self->mutex, NULL);
    for (int kind = 0; kind < FEDN__KIND_COUNT; kind++)
        fedn__map_init(&self->kinds[kind]);
    *ret_self = self;
    return FEDN_OK;
}

static void record_free(record *gone)
{
    if (gone)
        json_decref(gone->document);
    fedn__free(gone);
}

static void mem_close(void *opaque)
{
    mem *self = opaque;

    for (int kind = 0; kind < FEDN__KIND_COUNT; kind++) {
        void *value = NULL;
        for (uint64_t place = 0; fedn__map_next(&self->kinds[kind], &place, NULL, &value);)
            record_free(value);
        fedn__map_done(&self->kinds[kind]);
    }
    pthread_mutex_destroy(&self->mutex);
    fedn__free(self);
}

/* Makes the place of every put, and a copy of its document: all that can fail. */
static fedn_status prepare(mem *self, const fedn__change *changes, uint32_t count, json_t **copies)
{
    for (uint32_t i = 0; i < count; i++) {
        fedn__map *map = &self->kinds[changes[i].kind];
        if (!changes[i].document)
            continue;
        copies[i] = json_deep_copy(changes[i].document);
        if (!copies[i])
            return FEDN_ERR_NOMEM;
        if (fedn__map_get(map, changes[i].id))
            continue;
        record *fresh = fedn__alloc_zero(sizeof *fresh);
        if (!fresh || fedn__map_set(map, changes[i].id, fresh) != FEDN_OK) {
            fedn__free(fresh);
            return FEDN_ERR_NOMEM;
        }
    }
    return FEDN_OK;
}

static void commit(mem *self, const fedn__change *changes, uint32_t count, json_t **copies)
{
    for (uint32_t i = 0; i < count; i++) {
        record *there = fedn__map_get(&self->kinds[changes[i].kind], changes[i].id);
        if (!there)
            continue;
        if (copies[i] && !there->document)
            there->seq = ++self->seq;
        json_decref(there->document);
        there->document = copies[i];
        copies[i] = NULL;
    }
}

/* Takes out what was deleted, or was only prepared. */
static void sweep(mem *self, const fedn__change *changes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        fedn__map *map = &self->kinds[changes[i].kind];
        const record *there = fedn__map_get(map, changes[i].id);
        if (there && !there->document)
            record_free(fedn__map_remove(map, changes[i].id));
    }
}

static fedn_status mem_apply(void *opaque, const fedn__change *changes, uint32_t count,
                             fedn_error *err)
{
    mem *self = opaque;
    json_t **copies = fedn__alloc_array(count, sizeof(json_t *));

    if (!copies)
        return fedn__error_nomem(err);
    pthread_mutex_lock(&self->mutex);
    fedn_status rc = prepare(self, changes, count, copies);
    if (rc == FEDN_OK)
        commit(self, changes, count, copies);
    sweep(self, changes, count);
    pthread_mutex_unlock(&self->mutex);
    for (uint32_t i = 0; i < count; i++)
        json_decref(copies[i]);
    fedn__free(copies);
    return rc == FEDN_OK ? rc : fedn__error_nomem(err);
}

static fedn_status mem_get(void *opaque, int32_t kind, const char *id, json_t **ret,
                           fedn_error *err)
{
    mem *self = opaque;

    pthread_mutex_lock(&self->mutex);
    const record *there = fedn__map_get(&self->kinds[kind], id);
    *ret = there ? json_deep_copy(there->document) : NULL;
    pthread_mutex_unlock(&self->mutex);
    if (!there)
        return FEDN_ERR_NOT_FOUND;
    return *ret ? FEDN_OK : fedn__error_nomem(err);
}

static int by_key_then_seq(const void *a, const void *b)
{
    const hit *x = a;
    const hit *y = b;
    int order = fedn__match_compare(x->key, y->key);
    return order ? order : (x->record->seq > y->record->seq) - (x->record->seq < y->record->seq);
}

static uint64_t collect(const fedn__map *map, const fedn__query *query, hit *hits)
{
    const char *key = query->sort_key ? query->sort_key : "committed_at";
    uint64_t count = 0;
    void *value = NULL;

    for (uint64_t place = 0; fedn__map_next(map, &place, NULL, &value);) {
        const record *there = value;
        if (fedn__match_query(there->document, query))
            hits[count++] = (hit){fedn__match_field(there->document, key), there};
    }
    qsort(hits, count, sizeof *hits, by_key_then_seq);
    return count;
}

static json_t *copy_hits(const hit *hits, uint64_t count, const fedn__query *query)
{
    json_t *list = json_array();
    uint64_t end = count;

    if (query->limit && query->skip < count && query->limit < count - query->skip)
        end = query->skip + query->limit;
    for (uint64_t i = query->skip; list && i < end; i++) {
        const hit *next = &hits[query->ascending ? i : count - 1 - i];
        if (json_array_append_new(list, json_deep_copy(next->record->document)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static fedn_status mem_list(void *opaque, int32_t kind, const fedn__query *query, json_t **ret,
                            uint64_t *ret_count, fedn_error *err)
{
    mem *self = opaque;
    fedn_status rc = FEDN_OK;
    uint64_t count = 0;

    pthread_mutex_lock(&self->mutex);
    hit *hits = fedn__alloc_array(self->kinds[kind].count + 1, sizeof *hits);
    if (hits) {
        count = collect(&self->kinds[kind], query, hits);
        if (ret)
            *ret = copy_hits(hits, count, query);
    }
    pthread_mutex_unlock(&self->mutex);
    if (!hits || (ret && !*ret))
        rc = fedn__error_nomem(err);
    else if (ret_count)
        *ret_count = count;
    fedn__free(hits);
    return rc;
}

const fedn__store_backend fedn__store_mem = {"mem",     mem_open, mem_close,
                                             mem_apply, mem_get,  mem_list};
