/* SPDX-License-Identifier: Apache-2.0
 * The ordered set of tensors: the checks that every name and shape passes, wherever it came from.
 */
#include "model/index.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/text.h"
#include "model/dtype.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fedn__index_init(fedn__index *index, int32_t foreign)
{
    memset(index, 0, sizeof *index);
    index->foreign = foreign;
    fedn__map_init(&index->places);
}

void fedn__index_done(fedn__index *index)
{
    for (uint32_t i = 0; i < index->count; i++)
        fedn__free(index->entries[i].texts);
    fedn__free(index->entries);
    fedn__map_done(&index->places);
    fedn__index_init(index, index->foreign);
}

/* 1 if one of the parts between slashes is "..": no name may read as a way out of a directory */
static int32_t climbs(const char *name)
{
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == 0 || part[2] == '/'))
            return 1;
    }
    return 0;
}

static fedn_status check_name(const fedn__index *index, const char *name, fedn_error *err)
{
    fedn_status bad = index->foreign ? FEDN_ERR_FORMAT : FEDN_ERR_INVALID;

    if (!fedn__text_is_line(name, FEDN__LIMIT_TENSOR_NAME))
        return fedn__error(err, bad,
                           "tensor %u: its name is not 1 to %d bytes of UTF-8 without control "
                           "characters",
                           index->count, FEDN__LIMIT_TENSOR_NAME);
    if (*name == '/' || climbs(name))
        return fedn__error(err, bad, "tensor %u: name \"%s\" is a path that begins at / or has ..",
                           index->count, name);
    if (fedn__map_get(&index->places, name))
        return fedn__error(err, index->foreign ? FEDN_ERR_FORMAT : FEDN_ERR_EXISTS,
                           "tensor \"%s\" is there twice", name);
    return FEDN_OK;
}

/* Elements and bytes of a shape. A size of 0 does not excuse the others from the overflow check, so
 * that nobody overflows who multiplies only some of them later. */
static fedn_status measure(const fedn__index *index, fedn__tensor_info *info, fedn_error *err)
{
    uint64_t limit = INT64_MAX / fedn_dtype_bytes(info->dtype);
    uint64_t product = 1;
    int32_t empty = 0;

    for (uint32_t i = 0; i < info->rank; i++) {
        uint64_t size = info->shape[i];
        empty |= size == 0;
        if (size == 0)
            continue;
        if (size > limit / product)
            return fedn__error(err, FEDN_ERR_LIMIT,
                               "tensor \"%s\": its shape has more than %llu elements of %s",
                               info->name, (unsigned long long)limit, fedn_dtype_name(info->dtype));
        product *= size;
    }
    info->elements = empty ? 0 : product;
    info->bytes = info->elements * fedn_dtype_bytes(info->dtype);
    if (info->bytes > INT64_MAX - index->bytes)
        return fedn__error(err, FEDN_ERR_LIMIT, "tensor \"%s\": the model is over %lld bytes",
                           info->name, (long long)INT64_MAX);
    return FEDN_OK;
}

static fedn_status grow(fedn__index *index, fedn_error *err)
{
    if (index->count < index->capacity)
        return FEDN_OK;
    uint32_t capacity = index->capacity ? index->capacity * 2 : 16;
    fedn__entry *entries = fedn__realloc_array(index->entries, capacity, sizeof *entries);
    if (!entries)
        return fedn__error_nomem(err);
    index->entries = entries;
    index->capacity = capacity;
    return FEDN_OK;
}

/* One block: the shape, then the name behind it. */
static fedn_status copy_texts(fedn__entry *entry, const char *name, uint32_t rank,
                              const uint64_t *shape, fedn_error *err)
{
    uint64_t shape_bytes = rank * sizeof *shape;
    uint64_t name_bytes = strlen(name) + 1;
    uint8_t *block = fedn__alloc(shape_bytes + name_bytes);

    if (!block)
        return fedn__error_nomem(err);
    if (rank)
        memcpy(block, shape, shape_bytes);
    memcpy(block + shape_bytes, name, name_bytes);
    entry->texts = block;
    entry->info.shape = (const uint64_t *)(void *)block;
    entry->info.name = (const char *)block + shape_bytes;
    entry->info.rank = rank;
    return FEDN_OK;
}

fedn_status fedn__index_add(fedn__index *index, const char *name, fedn_dtype dtype, uint32_t rank,
                            const uint64_t *shape, fedn__entry **ret, fedn_error *err)
{
    fedn_status bad = index->foreign ? FEDN_ERR_FORMAT : FEDN_ERR_INVALID;
    fedn__entry entry = {.info.dtype = dtype};

    *ret = NULL;
    fedn_status rc = check_name(index, name, err);
    if (rc != FEDN_OK)
        return rc;
    if (index->count >= FEDN__LIMIT_TENSORS)
        return fedn__error(err, FEDN_ERR_LIMIT, "tensor \"%s\" is one more than the %d allowed",
                           name, FEDN__LIMIT_TENSORS);
    if (!fedn_dtype_bytes(dtype))
        return fedn__error(err, bad, "tensor \"%s\": %d is no element type", name, (int)dtype);
    if (rank > FEDN_MODEL_MAX_RANK || (rank && !shape))
        return fedn__error(err, bad, "tensor \"%s\": rank %u is over %d or without a shape", name,
                           rank, FEDN_MODEL_MAX_RANK);
    rc = copy_texts(&entry, name, rank, shape, err);
    if (rc == FEDN_OK)
        rc = measure(index, &entry.info, err);
    if (rc == FEDN_OK)
        rc = grow(index, err);
    if (rc != FEDN_OK)
        goto out;
    if (fedn__map_set(&index->places, name, (void *)(uintptr_t)(index->count + 1)) != FEDN_OK) {
        rc = fedn__error_nomem(err);
        goto out;
    }
    index->bytes += entry.info.bytes;
    *ret = &index->entries[index->count++];
    **ret = entry;
    entry.texts = NULL;
out:
    fedn__free(entry.texts);
    return rc;
}

void fedn__index_drop_last(fedn__index *index)
{
    fedn__entry *entry = &index->entries[--index->count];

    fedn__map_remove(&index->places, entry->info.name);
    index->bytes -= entry->info.bytes;
    fedn__free(entry->texts);
}

int32_t fedn__index_find(const fedn__index *index, const char *name)
{
    return (int32_t)(intptr_t)fedn__map_get(&index->places, name) - 1;
}

/* 1 for "0", "7", "10"; 0 for "007", "x" and what is longer than any count */
static int32_t is_decimal(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    return digits > 0 && digits < 10 && name[digits] == 0 && (*name != '0' || digits == 1);
}

static int compare_numbers(const void *a, const void *b)
{
    long left = strtol(((const fedn__entry *)a)->info.name, NULL, 10);
    long right = strtol(((const fedn__entry *)b)->info.name, NULL, 10);
    return (left > right) - (left < right);
}

fedn_status fedn__index_sort(fedn__index *index, int (*compare)(const void *, const void *),
                             fedn_error *err)
{
    if (index->count)
        qsort(index->entries, index->count, sizeof *index->entries, compare);
    for (uint32_t i = 0; i < index->count; i++)
        if (fedn__map_set(&index->places, index->entries[i].info.name,
                          (void *)(uintptr_t)(i + 1)) != FEDN_OK)
            return fedn__error_nomem(err);
    return FEDN_OK;
}

fedn_status fedn__index_sort_numbers(fedn__index *index, fedn_error *err)
{
    for (uint32_t i = 0; i < index->count; i++)
        if (!is_decimal(index->entries[i].info.name))
            return FEDN_OK;
    return fedn__index_sort(index, compare_numbers, err);
}

void fedn__tensor_text(const fedn__tensor_info *info, char text[FEDN__TENSOR_TEXT])
{
    int at = snprintf(text, FEDN__TENSOR_TEXT, "%s (", fedn_dtype_name(info->dtype));

    for (uint32_t i = 0; i < info->rank; i++) {
        if (at > FEDN__TENSOR_TEXT - 32) {
            at += snprintf(text + at, FEDN__TENSOR_TEXT - (size_t)at, ", ...");
            break;
        }
        at += snprintf(text + at, FEDN__TENSOR_TEXT - (size_t)at, "%s%llu", i ? ", " : "",
                       (unsigned long long)info->shape[i]);
    }
    snprintf(text + at, FEDN__TENSOR_TEXT - (size_t)at, info->rank == 1 ? ",)" : ")");
}
