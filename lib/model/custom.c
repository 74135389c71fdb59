/* SPDX-License-Identifier: Apache-2.0
 * Plugged-in formats behind the same source and writer as the built-in ones: decoded whole when
 * opened, collected and encoded whole when finished. */
#include "core/error.h"
#include "model/format.h"
#include "model/model.h"
#include <string.h>

/* A foreign function may fail without a text or with a number that is no status. */
static fedn_status report(fedn_status rc, const fedn_error *own, const char *name, fedn_error *err)
{
    if (rc > 0)
        rc = FEDN_ERR_CALLBACK;
    return fedn__error_detail(err, rc, own->detail, "format %s: %s", name,
                              *own->message ? own->message : fedn_status_string(rc));
}

fedn_status fedn__custom_open(fedn__source *source, const fedn__format *format, fedn_error *err)
{
    const uint8_t *data = NULL;
    fedn_model *model = NULL;
    fedn_error own = {.code = FEDN_OK};

    fedn_status rc = fedn__input_map(&source->input, &data, err);
    if (rc == FEDN_OK)
        rc = fedn_model_new(&model, err);
    if (rc != FEDN_OK)
        return rc;
    rc = format->custom->decode(data, source->input.bytes, model, format->user_data, &own);
    if (rc != FEDN_OK) {
        fedn_model_unref(model);
        return report(rc, &own, format->name, err);
    }
    fedn__model_seal(model);
    source->model = model;
    return FEDN_OK;
}

/* The model that is collected has the writer's layout; its elements come one after the other. */
static fedn_status begin(fedn__writer *writer, fedn_error *err)
{
    fedn_model *model = NULL;

    fedn_status rc = fedn_model_new(&model, err);
    if (rc != FEDN_OK)
        return rc;
    writer->state = model;
    for (uint32_t i = 0; i < writer->index.count && rc == FEDN_OK; i++) {
        fedn__entry *entry = &writer->index.entries[i];
        rc = fedn_model_add(model, entry->info.name, entry->info.dtype, entry->info.rank,
                            entry->info.shape, NULL, &entry->memory, err);
    }
    return rc;
}

static fedn_status collect(fedn__writer *writer, fedn__entry *entry, const void *data,
                           uint64_t bytes, fedn_error *err)
{
    (void)err;
    memcpy((uint8_t *)entry->memory + writer->offset, data, bytes);
    return FEDN_OK;
}

static fedn_status write_piece(const void *data, uint64_t bytes, void *sink, fedn_error *err)
{
    fedn__writer *writer = sink;
    return fedn__out_add(&writer->out, data, bytes, err);
}

static fedn_status encode(fedn__writer *writer, fedn_error *err)
{
    const fedn__format *format = writer->format;
    fedn_error own = {.code = FEDN_OK};

    fedn__model_seal(writer->state);
    fedn_status rc =
        format->custom->encode(writer->state, write_piece, writer, format->user_data, &own);
    return rc == FEDN_OK ? rc : report(rc, &own, format->name, err);
}

static void done(fedn__writer *writer)
{
    fedn_model_unref(writer->state);
    writer->state = NULL;
}

const fedn__writer_ops fedn__custom_writer = {
    .begin = begin, .data = collect, .finish = encode, .done = done};
