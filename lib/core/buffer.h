/* SPDX-License-Identifier: Apache-2.0
 * A growing byte buffer that must be told its ceiling. */
#ifndef FEDN__CORE_BUFFER_H
#define FEDN__CORE_BUFFER_H

#include <fedn/error.h>

typedef struct fedn__buffer {
    uint8_t *data; /* NULL when empty */
    uint64_t len;
    uint64_t capacity;
    uint64_t limit;
} fedn__buffer;

void fedn__buffer_init(fedn__buffer *buffer, uint64_t limit);
void fedn__buffer_done(fedn__buffer *buffer); /* releases; the buffer may be used again */
void fedn__buffer_clear(fedn__buffer *buffer);

/* FEDN_ERR_LIMIT over the ceiling, FEDN_ERR_NOMEM; the buffer is then as before. */
fedn_status fedn__buffer_add(fedn__buffer *buffer, const void *data, uint64_t bytes);
fedn_status fedn__buffer_add_text(fedn__buffer *buffer, const char *text);
fedn_status fedn__buffer_add_format(fedn__buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Room for `bytes` more; returns where to write them; they count after fedn__buffer_grow(). */
fedn_status fedn__buffer_reserve(fedn__buffer *buffer, uint64_t bytes, uint8_t **ret);
void fedn__buffer_grow(fedn__buffer *buffer, uint64_t bytes);
/* The content with a NUL behind it (not counted); NULL when out of memory. */
const char *fedn__buffer_text(fedn__buffer *buffer);
/* Moves the content out (NUL-terminated); caller frees with fedn__free(); NULL out of memory. */
char *fedn__buffer_take(fedn__buffer *buffer);

#endif
