/* SPDX-License-Identifier: Apache-2.0
 * Whole models: to and from bytes in memory, to and from files. */
#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/text.h"
#include "model/model.h"
#include "model/source_impl.h"
#include "model/writer.h"
#include <string.h>

/* What a format may add to each tensor; a guess of room, not a bound. */
#define TENSOR_OVERHEAD 512

fedn_status fedn_model_decode(const void *data, uint64_t bytes, const char *format,
                              fedn_model **ret, fedn_error *err)
{
    static const uint8_t nothing[1];
    fedn__source *source = NULL;

    if (!ret || (!data && bytes))
        return fedn__error(err, FEDN_ERR_INVALID, "fedn_model_decode: data or ret is NULL");
    *ret = NULL;
    fedn_status rc = fedn__source_open_memory(data ? data : nothing, bytes, format, &source, err);
    if (rc == FEDN_OK)
        rc = fedn__source_load(source, 0, ret, err);
    fedn__source_free(source);
    return rc;
}

fedn_status fedn_model_encode(fedn_model *model, const char *format, void **ret_data,
                              uint64_t *ret_bytes, fedn_error *err)
{
    fedn__buffer buffer;
    fedn__sink sink = {-1, &buffer};
    fedn__source *source = NULL;
    uint8_t *room = NULL;

    if (!model || !ret_data || !ret_bytes)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "fedn_model_encode: model, ret_data or ret_bytes is NULL");
    *ret_data = NULL;
    fedn__buffer_init(&buffer, INT64_MAX);
    fedn_status rc = fedn__source_from_model(model, &source, err);
    if (rc != FEDN_OK)
        goto out;
    uint64_t likely =
        fedn__source_bytes(source) + ((uint64_t)fedn__source_count(source) + 1) * TENSOR_OVERHEAD;
    if (fedn__buffer_reserve(&buffer, likely, &room) != FEDN_OK) {
        rc = fedn__error(err, FEDN_ERR_NOMEM, "out of memory: about %llu bytes to encode",
                         (unsigned long long)likely);
        goto out;
    }
    rc = fedn__writer_copy(source, format, &sink, err);
    if (rc != FEDN_OK)
        goto out;
    uint64_t bytes = buffer.len;
    *ret_data = fedn__buffer_take(&buffer);
    if (*ret_data)
        *ret_bytes = bytes;
    else
        rc = fedn__error_nomem(err);
out:
    fedn__source_free(source);
    fedn__buffer_done(&buffer);
    return rc;
}

fedn_status fedn_model_load(const char *path, const char *format, fedn_model **ret, fedn_error *err)
{
    fedn__blob *blob = NULL;
    fedn__source *source = NULL;

    if (!path || !ret)
        return fedn__error(err, FEDN_ERR_INVALID, "fedn_model_load: path or ret is NULL");
    *ret = NULL;
    fedn_status rc = fedn__blob_from_file(path, &blob, err);
    if (rc != FEDN_OK)
        goto out;
    rc = fedn__source_open(blob, format, &source, err);
    if (rc == FEDN_OK)
        rc = fedn__source_load(source, 0, ret, err);
    if (rc != FEDN_OK)
        fedn__error_prefix(err, rc, path);
out:
    fedn__source_free(source);
    fedn__blob_unref(blob);
    return rc;
}

fedn_status fedn_model_save(fedn_model *model, const char *path, const char *format,
                            fedn_error *err)
{
    static const char suffix[] = ".safetensors";
    fedn__sink sink = {-1, NULL};
    fedn__source *source = NULL;

    if (!model || !path)
        return fedn__error(err, FEDN_ERR_INVALID, "fedn_model_save: model or path is NULL");
    uint64_t length = strlen(path);
    if (!format)
        format =
            length + 1 >= sizeof suffix && strcmp(path + length - (sizeof suffix - 1), suffix) == 0
                ? "safetensors"
                : "npz";
    fedn_status rc = fedn__source_from_model(model, &source, err);
    if (rc != FEDN_OK)
        return rc;
    rc = fedn__fs_create(path, &sink.fd, err);
    if (rc != FEDN_OK)
        goto out;
    rc = fedn__writer_copy(source, format, &sink, err);
    if (rc == FEDN_OK)
        rc = fedn__fs_commit(sink.fd, path, 1, err);
    else
        fedn__fs_abandon(sink.fd, path);
out:
    fedn__source_free(source);
    return rc;
}
