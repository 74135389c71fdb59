/* SPDX-License-Identifier: Apache-2.0
 * Tensors read front to back without holding a model. */
#include "model/source.h"

#include "core/alloc.h"
#include "core/error.h"
#include "model/format.h"
#include "model/model.h"
#include <assert.h>
#include <string.h>

/* Takes over the input on success. */
static fedn_status open_input(const fedn__input *input, const char *name, fedn__source **ret,
                              fedn_error *err)
{
    const fedn__format *format = NULL;
    fedn__source *source = NULL;

    fedn_status rc =
        name ? fedn__format_find(name, &format, err) : fedn__format_recognise(input, &format, err);
    if (rc != FEDN_OK)
        return rc;
    source = fedn__alloc_zero(sizeof *source);
    if (!source)
        return fedn__error_nomem(err);
    source->input = *input;
    source->format = format;
    fedn__index_init(&source->index, 1);
    fedn__member_reader_init(&source->reader, &source->input);
    rc = format->open(source, format, err);
    if (rc == FEDN_OK) {
        *ret = source;
        source = NULL;
    } else {
        memset(&source->input, 0, sizeof source->input); /* stays the caller's */
    }
    fedn__source_free(source);
    return rc;
}

fedn_status fedn__source_open(fedn__blob *blob, const char *format, fedn__source **ret,
                              fedn_error *err)
{
    fedn__input input = {.blob = fedn__blob_ref(blob), .bytes = fedn__blob_bytes(blob)};

    *ret = NULL;
    fedn_status rc = open_input(&input, format, ret, err);
    if (rc != FEDN_OK)
        fedn__input_done(&input);
    return rc;
}

fedn_status fedn__source_check_raw(fedn__blob *blob, const char *format, fedn_error *err)
{
    const fedn__format *row = NULL;
    fedn__source *other = NULL;
    fedn_status rc = fedn__format_find(format, &row, err);

    if (rc != FEDN_OK || row->open != fedn__raw_open)
        return rc;
    rc = fedn__source_open(blob, NULL, &other, NULL);
    fedn__source_free(other);
    if (rc == FEDN_OK)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "the model is an npz or safetensors file, %s has raw elements", format);
    return rc == FEDN_ERR_NOMEM ? fedn__error_nomem(err) : FEDN_OK;
}

fedn_status fedn__source_open_memory(const void *data, uint64_t bytes, const char *format,
                                     fedn__source **ret, fedn_error *err)
{
    fedn__input input = {.memory = data, .bytes = bytes};

    *ret = NULL;
    return open_input(&input, format, ret, err);
}

fedn_status fedn__source_again(const fedn__source *source, fedn__source **ret, fedn_error *err)
{
    *ret = NULL;
    if (source->input.blob)
        return fedn__source_open(source->input.blob, source->format->name, ret, err);
    if (source->model)
        return fedn__source_from_model(source->model, ret, err);
    return fedn__error(err, FEDN_ERR_STATE,
                       "a model in borrowed memory cannot be read again later");
}

fedn_status fedn__source_from_model(fedn_model *model, fedn__source **ret, fedn_error *err)
{
    *ret = NULL;
    fedn__source *source = fedn__alloc_zero(sizeof *source);
    if (!source)
        return fedn__error_nomem(err);
    fedn__index_init(&source->index, 1);
    fedn__model_seal(model);
    source->model = fedn_model_ref(model);
    *ret = source;
    return FEDN_OK;
}

void fedn__source_free(fedn__source *source)
{
    if (!source)
        return;
    fedn__member_reader_done(&source->reader);
    fedn__window_done(&source->window);
    for (uint32_t i = 0; i < source->index.count; i++)
        fedn__free_pages(source->index.entries[i].memory, source->index.entries[i].member.bytes);
    fedn__index_done(&source->index);
    fedn__input_done(&source->input);
    fedn_model_unref(source->model);
    fedn__free(source);
}

static const fedn__index *index_of(const fedn__source *source)
{
    return source->model ? fedn__model_index(source->model) : &source->index;
}

uint32_t fedn__source_count(const fedn__source *source)
{
    return index_of(source)->count;
}

const fedn__tensor_info *fedn__source_info(const fedn__source *source, uint32_t index)
{
    assert(index < index_of(source)->count);
    return &index_of(source)->entries[index].info;
}

uint64_t fedn__source_bytes(const fedn__source *source)
{
    return index_of(source)->bytes;
}

static fedn_status check_range(const fedn__tensor_info *info, uint64_t offset, uint64_t bytes,
                               fedn_error *err)
{
    if (bytes <= info->bytes && offset <= info->bytes - bytes)
        return FEDN_OK;
    return fedn__error(err, FEDN_ERR_INVALID,
                       "tensor \"%s\": %llu bytes at offset %llu are beyond its %llu", info->name,
                       (unsigned long long)bytes, (unsigned long long)offset,
                       (unsigned long long)info->bytes);
}

/* NULL if the elements are in the file alone. */
static const uint8_t *in_memory(const fedn__source *source, uint32_t index, uint64_t offset)
{
    const fedn__entry *entry = &index_of(source)->entries[index];

    return entry->memory ? (const uint8_t *)entry->memory + entry->skip + offset : NULL;
}

static fedn_status read_file(fedn__source *source, uint32_t index, uint64_t offset, void *to,
                             uint64_t bytes, fedn_error *err)
{
    fedn__entry *entry = &source->index.entries[index];

    if (entry->fortran || entry->big)
        return fedn__window_read(source, index, offset, to, bytes, err);
    return fedn__member_read(&source->reader, &entry->member, entry->info.name,
                             entry->skip + offset, to, bytes, err);
}

fedn_status fedn__source_read(fedn__source *source, uint32_t index, uint64_t offset, void *to,
                              uint64_t bytes, fedn_error *err)
{
    fedn_status rc = check_range(fedn__source_info(source, index), offset, bytes, err);

    if (rc != FEDN_OK || bytes == 0)
        return rc;
    const uint8_t *place = in_memory(source, index, offset);
    if (!place)
        return read_file(source, index, offset, to, bytes, err);
    memcpy(to, place, bytes);
    return FEDN_OK;
}

void fedn__source_keep(fedn__source *source, uint64_t bytes)
{
    source->keep = bytes;
}

/* Where that cannot be done, for want of memory or because of damage, the tensor is read in pieces,
 * and what is wrong is found and named there. */
static void keep(fedn__source *source, fedn__entry *entry)
{
    const uint64_t bytes = entry->member.bytes;
    const uint64_t packed = entry->member.packed; /* are in memory while they are inflated */

    if (!entry->member.deflated || entry->fortran || entry->big || packed > source->keep ||
        bytes > source->keep - packed)
        return;
    uint8_t *memory = fedn__alloc_pages(bytes);
    if (memory && fedn__member_inflate(&source->reader, &entry->member, memory)) {
        entry->memory = memory;
        source->keep -= bytes;
    } else {
        fedn__free_pages(memory, bytes);
    }
}

fedn_status fedn__source_view(fedn__source *source, uint32_t index, uint64_t offset, void *to,
                              uint64_t bytes, const void **ret, fedn_error *err)
{
    fedn_status rc = check_range(fedn__source_info(source, index), offset, bytes, err);

    *ret = to;
    if (rc != FEDN_OK || bytes == 0)
        return rc;
    if (offset == 0 && !in_memory(source, index, 0))
        keep(source, &source->index.entries[index]);
    const uint8_t *place = in_memory(source, index, offset);
    if (!place)
        return read_file(source, index, offset, to, bytes, err);
    *ret = place;
    return FEDN_OK;
}

static int32_t same_shape(const fedn__tensor_info *a, const fedn__tensor_info *b)
{
    return a->dtype == b->dtype && a->rank == b->rank &&
           memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0;
}

fedn_status fedn__source_same_layout(const fedn__source *a, const char *got, const fedn__source *b,
                                     const char *expected, fedn_error *err)
{
    uint32_t left = fedn__source_count(a);
    uint32_t right = fedn__source_count(b);
    char left_text[FEDN__TENSOR_TEXT];
    char right_text[FEDN__TENSOR_TEXT];

    for (uint32_t i = 0; i < left && i < right; i++) {
        const fedn__tensor_info *x = fedn__source_info(a, i);
        const fedn__tensor_info *y = fedn__source_info(b, i);
        if (strcmp(x->name, y->name) != 0)
            return fedn__error(err, FEDN_ERR_FORMAT,
                               "tensor %u is \"%.100s\" in the %s and \"%.100s\" in the %s", i,
                               x->name, got, y->name, expected);
        if (same_shape(x, y))
            continue;
        fedn__tensor_text(x, left_text);
        fedn__tensor_text(y, right_text);
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "tensor \"%.100s\" is %s in the %s and %s in the %s", x->name, left_text,
                           got, right_text, expected);
    }
    if (left != right)
        return fedn__error(err, FEDN_ERR_FORMAT, "the %s has %u tensors, the %s has %u", got, left,
                           expected, right);
    return FEDN_OK;
}

fedn_status fedn__source_load(fedn__source *source, uint32_t first, fedn_model **ret,
                              fedn_error *err)
{
    fedn_model *model = NULL;
    fedn_status rc = FEDN_OK;

    *ret = NULL;
    if (source->model && first == 0) {
        *ret = fedn_model_ref(source->model);
        return FEDN_OK;
    }
    rc = fedn_model_new(&model, err);
    for (uint32_t i = first; rc == FEDN_OK && i < fedn__source_count(source); i++) {
        const fedn__tensor_info *info = fedn__source_info(source, i);
        void *data = NULL;
        rc = fedn_model_add(model, info->name, info->dtype, info->rank, info->shape, NULL, &data,
                            err);
        if (rc == FEDN_OK)
            rc = fedn__source_read(source, i, 0, data, info->bytes, err);
    }
    if (rc == FEDN_OK) {
        *ret = model;
        model = NULL;
    }
    fedn_model_unref(model);
    return rc;
}
