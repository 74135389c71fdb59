/* SPDX-License-Identifier: Apache-2.0
 * A model in memory: tensors with unique names, ref-counted, sealed at the first hand-over. */
#include "model/model.h"

#include "core/alloc.h"
#include "core/error.h"
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct fedn_model {
    atomic_uint refs;
    atomic_int sealed;
    uint32_t next_number; /* every smaller number is the name of a tensor */
    fedn__index index;
};

fedn_status fedn_model_new(fedn_model **ret, fedn_error *err)
{
    if (!ret)
        return fedn__error(err, FEDN_ERR_INVALID, "fedn_model_new: ret is NULL");
    *ret = NULL;
    fedn_model *model = fedn__alloc_zero(sizeof *model);
    if (!model)
        return fedn__error_nomem(err);
    atomic_init(&model->refs, 1);
    atomic_init(&model->sealed, 0);
    fedn__index_init(&model->index, 0);
    *ret = model;
    return FEDN_OK;
}

fedn_model *fedn_model_ref(fedn_model *model)
{
    if (model)
        atomic_fetch_add_explicit(&model->refs, 1, memory_order_relaxed);
    return model;
}

fedn_model *fedn_model_unref(fedn_model *model)
{
    if (!model || atomic_fetch_sub_explicit(&model->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    for (uint32_t i = 0; i < model->index.count; i++)
        fedn__free_pages(model->index.entries[i].memory, model->index.entries[i].info.bytes);
    fedn__index_done(&model->index);
    fedn__free(model);
    return NULL;
}

void fedn__model_seal(fedn_model *model)
{
    atomic_store(&model->sealed, 1);
}

const fedn__index *fedn__model_index(const fedn_model *model)
{
    return &model->index;
}

/* The smallest number that is not yet a name. */
static const char *next_name(fedn_model *model, char text[16])
{
    for (;; model->next_number++) {
        snprintf(text, 16, "%u", model->next_number);
        if (fedn__index_find(&model->index, text) < 0)
            return text;
    }
}

/* NOLINTNEXTLINE(readability-function-size): its parameters are the ABI's */
fedn_status fedn_model_add(fedn_model *model, const char *name, fedn_dtype dtype, uint32_t rank,
                           const uint64_t *shape, const void *data, void **ret_data,
                           fedn_error *err)
{
    fedn__entry *entry = NULL;
    char number[16];

    if (ret_data)
        *ret_data = NULL;
    if (!model)
        return fedn__error(err, FEDN_ERR_INVALID, "fedn_model_add: model is NULL");
    if (atomic_load(&model->sealed))
        return fedn__error(err, FEDN_ERR_STATE,
                           "the model was handed over already: no tensor can be added");
    if (!name)
        name = next_name(model, number);
    fedn_status rc = fedn__index_add(&model->index, name, dtype, rank, shape, &entry, err);
    if (rc != FEDN_OK)
        return rc;
    entry->memory = fedn__alloc_pages(entry->info.bytes);
    if (!entry->memory) {
        rc = fedn__error(err, FEDN_ERR_NOMEM, "out of memory: tensor \"%s\" has %llu bytes", name,
                         (unsigned long long)entry->info.bytes);
        fedn__index_drop_last(&model->index);
        return rc;
    }
    if (data && entry->info.bytes)
        memcpy(entry->memory, data, entry->info.bytes);
    if (ret_data)
        *ret_data = entry->memory;
    return FEDN_OK;
}

uint32_t fedn_model_count(const fedn_model *model)
{
    return model ? model->index.count : 0;
}

int32_t fedn_model_find(const fedn_model *model, const char *name)
{
    return model && name ? fedn__index_find(&model->index, name) : -1;
}

static const fedn__entry *entry_of(const fedn_model *model, uint32_t index)
{
    static const fedn__entry none;
    return index < fedn_model_count(model) ? &model->index.entries[index] : &none;
}

const char *fedn_model_name(const fedn_model *model, uint32_t index)
{
    return entry_of(model, index)->info.name;
}

fedn_dtype fedn_model_dtype(const fedn_model *model, uint32_t index)
{
    return entry_of(model, index)->info.dtype;
}

uint32_t fedn_model_rank(const fedn_model *model, uint32_t index)
{
    return entry_of(model, index)->info.rank;
}

const uint64_t *fedn_model_shape(const fedn_model *model, uint32_t index)
{
    return entry_of(model, index)->info.shape;
}

uint64_t fedn_model_elements(const fedn_model *model, uint32_t index)
{
    return entry_of(model, index)->info.elements;
}

uint64_t fedn_model_bytes(const fedn_model *model, uint32_t index)
{
    return entry_of(model, index)->info.bytes;
}

const void *fedn_model_data(const fedn_model *model, uint32_t index)
{
    return entry_of(model, index)->memory;
}
