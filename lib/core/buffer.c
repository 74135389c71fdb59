/* SPDX-License-Identifier: Apache-2.0
 * A growing byte buffer that must be told its ceiling. */
#include "core/buffer.h"

#include "core/alloc.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void fedn__buffer_init(fedn__buffer *buffer, uint64_t limit)
{
    memset(buffer, 0, sizeof *buffer);
    buffer->limit = limit;
}

void fedn__buffer_done(fedn__buffer *buffer)
{
    fedn__free(buffer->data);
    fedn__buffer_init(buffer, buffer->limit);
}

void fedn__buffer_clear(fedn__buffer *buffer)
{
    buffer->len = 0;
}

fedn_status fedn__buffer_reserve(fedn__buffer *buffer, uint64_t bytes, uint8_t **ret)
{
    *ret = NULL;
    if (bytes > buffer->limit || buffer->len > buffer->limit - bytes)
        return FEDN_ERR_LIMIT;
    if (bytes > SIZE_MAX / 4 || buffer->len > SIZE_MAX / 4) /* doubling must not wrap around */
        return FEDN_ERR_NOMEM;
    uint64_t need = buffer->len + bytes + 1; /* one more for a NUL */
    if (need > buffer->capacity) {
        uint64_t capacity = buffer->capacity ? buffer->capacity : 64;
        while (capacity < need)
            capacity *= 2;
        uint8_t *data = fedn__realloc_array(buffer->data, capacity, 1);
        if (!data)
            return FEDN_ERR_NOMEM;
        buffer->data = data;
        buffer->capacity = capacity;
    }
    *ret = buffer->data + buffer->len;
    return FEDN_OK;
}

void fedn__buffer_grow(fedn__buffer *buffer, uint64_t bytes)
{
    buffer->len += bytes;
}

fedn_status fedn__buffer_add(fedn__buffer *buffer, const void *data, uint64_t bytes)
{
    uint8_t *to = NULL;
    fedn_status rc = fedn__buffer_reserve(buffer, bytes, &to);
    if (rc == FEDN_OK && bytes) {
        memcpy(to, data, (size_t)bytes);
        buffer->len += bytes;
    }
    return rc;
}

fedn_status fedn__buffer_add_text(fedn__buffer *buffer, const char *text)
{
    return fedn__buffer_add(buffer, text, strlen(text));
}

fedn_status fedn__buffer_add_format(fedn__buffer *buffer, const char *format, ...)
{
    va_list args;
    uint8_t *to = NULL;

    va_start(args, format);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (bytes < 0)
        return FEDN_ERR_INTERNAL;
    fedn_status rc = fedn__buffer_reserve(buffer, (uint64_t)bytes, &to);
    if (rc != FEDN_OK)
        return rc;
    va_start(args, format);
    vsnprintf((char *)to, (size_t)bytes + 1, format, args);
    va_end(args);
    buffer->len += (uint64_t)bytes;
    return FEDN_OK;
}

const char *fedn__buffer_text(fedn__buffer *buffer)
{
    uint8_t *end = NULL;
    if (fedn__buffer_reserve(buffer, 0, &end) != FEDN_OK)
        return NULL;
    *end = 0;
    return (const char *)buffer->data;
}

char *fedn__buffer_take(fedn__buffer *buffer)
{
    if (!fedn__buffer_text(buffer))
        return NULL;
    char *data = (char *)buffer->data;
    fedn__buffer_init(buffer, buffer->limit);
    return data;
}
