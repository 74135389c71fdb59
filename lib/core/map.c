/* SPDX-License-Identifier: Apache-2.0
 * A hash map from text to pointer: open addressing, deletion by moving back. */
#include "core/map.h"

#include "core/alloc.h"
#include "core/clock.h"
#include <stdatomic.h>
#include <string.h>

/* Seeded per process, so that peers who choose keys cannot choose collisions. */
static uint64_t seed(void)
{
    static atomic_uint_least64_t value;
    uint64_t now = atomic_load_explicit(&value, memory_order_relaxed);
    if (now == 0) {
        uint64_t fresh = (uint64_t)fedn__clock_ns() * 0x9e3779b97f4a7c15u;
        fresh = (fresh ^ ((uint64_t)(uintptr_t)&value << 17)) | 1;
        if (atomic_compare_exchange_strong(&value, &now, fresh))
            now = fresh;
    }
    return now;
}

static uint64_t hash_of(const char *key)
{
    uint64_t hash = seed();
    for (const uint8_t *c = (const uint8_t *)key; *c; c++) {
        hash = (hash ^ *c) * 0x100000001b3u;
        hash ^= hash >> 29;
    }
    hash *= 0xbf58476d1ce4e5b9u;
    return hash ^ hash >> 32;
}

void fedn__map_init(fedn__map *map)
{
    memset(map, 0, sizeof *map);
}

void fedn__map_done(fedn__map *map)
{
    for (uint64_t i = 0; i < map->capacity; i++)
        fedn__free(map->slots[i].key);
    fedn__free(map->slots);
    fedn__map_init(map);
}

/* The slot of the key, or the free one where it would go. Capacity is a power of two, never full.
 */
static fedn__map_entry *find(const fedn__map *map, const char *key, uint64_t hash)
{
    uint64_t at = hash & (map->capacity - 1);
    while (map->slots[at].key &&
           (map->slots[at].hash != hash || strcmp(map->slots[at].key, key) != 0))
        at = (at + 1) & (map->capacity - 1);
    return &map->slots[at];
}

void *fedn__map_get(const fedn__map *map, const char *key)
{
    return map->count ? find(map, key, hash_of(key))->value : NULL;
}

static fedn_status grow(fedn__map *map)
{
    fedn__map bigger = {.capacity = map->capacity ? map->capacity * 2 : 16, .count = map->count};

    bigger.slots = fedn__alloc_array(bigger.capacity, sizeof *bigger.slots);
    if (!bigger.slots)
        return FEDN_ERR_NOMEM;
    for (uint64_t i = 0; i < map->capacity; i++)
        if (map->slots[i].key)
            *find(&bigger, map->slots[i].key, map->slots[i].hash) = map->slots[i];
    fedn__free(map->slots);
    *map = bigger;
    return FEDN_OK;
}

fedn_status fedn__map_set(fedn__map *map, const char *key, void *value)
{
    uint64_t hash = hash_of(key);

    if (map->capacity) {
        fedn__map_entry *there = find(map, key, hash);
        if (there->key) {
            there->value = value;
            return FEDN_OK;
        }
    }
    if ((map->count + 1) * 4 > map->capacity * 3) {
        fedn_status rc = grow(map);
        if (rc != FEDN_OK)
            return rc;
    }
    char *copy = fedn__strdup(key);
    if (!copy)
        return FEDN_ERR_NOMEM;
    fedn__map_entry *entry = find(map, key, hash);
    entry->key = copy;
    entry->hash = hash;
    entry->value = value;
    map->count++;
    return FEDN_OK;
}

void *fedn__map_remove(fedn__map *map, const char *key)
{
    if (!map->count)
        return NULL;
    fedn__map_entry *entry = find(map, key, hash_of(key));
    if (!entry->key)
        return NULL;
    void *value = entry->value;
    fedn__free(entry->key);
    map->count--;
    uint64_t hole = (uint64_t)(entry - map->slots);
    for (uint64_t at = hole;;) {
        at = (at + 1) & (map->capacity - 1);
        if (!map->slots[at].key)
            break;
        uint64_t home = map->slots[at].hash & (map->capacity - 1);
        /* an entry moves back unless its home lies cyclically within (hole, at] */
        if (((at - home) & (map->capacity - 1)) >= ((at - hole) & (map->capacity - 1))) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    memset(&map->slots[hole], 0, sizeof map->slots[hole]);
    return value;
}

int32_t fedn__map_next(const fedn__map *map, uint64_t *place, const char **ret_key,
                       void **ret_value)
{
    for (; *place < map->capacity; ++*place) {
        const fedn__map_entry *entry = &map->slots[*place];
        if (entry->key) {
            if (ret_key)
                *ret_key = entry->key;
            if (ret_value)
                *ret_value = entry->value;
            ++*place;
            return 1;
        }
    }
    return 0;
}
