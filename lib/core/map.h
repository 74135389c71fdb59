/* SPDX-License-Identifier: Apache-2.0
 * A hash map from text to pointer; one thread. Keys are copied. */
#ifndef FEDN__CORE_MAP_H
#define FEDN__CORE_MAP_H

#include <fedn/error.h>

typedef struct fedn__map_entry {
    char *key; /* NULL: free slot */
    void *value;
    uint64_t hash;
} fedn__map_entry;

typedef struct fedn__map {
    fedn__map_entry *slots;
    uint64_t capacity;
    uint64_t count;
} fedn__map;

void fedn__map_init(fedn__map *map);
void fedn__map_done(fedn__map *map);                        /* the values are the caller's */
void *fedn__map_get(const fedn__map *map, const char *key); /* NULL: none */
fedn_status fedn__map_set(fedn__map *map, const char *key, void *value); /* or NOMEM */
void *fedn__map_remove(fedn__map *map, const char *key); /* the value that was there */
/* Walk in insertion-independent but stable order: *place starts at 0; 0 at the end. The map must
 * not change during a walk. */
int32_t fedn__map_next(const fedn__map *map, uint64_t *place, const char **ret_key,
                       void **ret_value);

#endif
