/* SPDX-License-Identifier: Apache-2.0
 * The table of model formats. */
#include "model/format.h"

#include "core/error.h"
#include "core/limits.h"
#include "core/text.h"
#include <pthread.h>
#include <string.h>

#define RAW(dtype, name, alias)                                                                    \
    {                                                                                              \
        name, alias, dtype, fedn__raw_open, &fedn__raw_writer, NULL, NULL                          \
    }

static const fedn__format built_in[] = {
    {"npz", "numpyhelper", 0, fedn__npz_open, &fedn__npz_writer, NULL, NULL},
    {"npz-deflate", NULL, 0, fedn__npz_open, &fedn__npz_deflate_writer, NULL, NULL},
    {"safetensors", NULL, 0, fedn__safetensors_open, &fedn__safetensors_writer, NULL, NULL},
    RAW(FEDN_DTYPE_F32, "raw-float32", "androidhelper"),
    RAW(FEDN_DTYPE_F64, "raw-float64", "binaryhelper"),
    RAW(FEDN_DTYPE_F16, "raw-float16", NULL),
    RAW(FEDN_DTYPE_BF16, "raw-bfloat16", NULL),
    RAW(FEDN_DTYPE_I8, "raw-int8", NULL),
    RAW(FEDN_DTYPE_I16, "raw-int16", NULL),
    RAW(FEDN_DTYPE_I32, "raw-int32", NULL),
    RAW(FEDN_DTYPE_I64, "raw-int64", NULL),
    RAW(FEDN_DTYPE_U8, "raw-uint8", NULL),
    RAW(FEDN_DTYPE_U16, "raw-uint16", NULL),
    RAW(FEDN_DTYPE_U32, "raw-uint32", NULL),
    RAW(FEDN_DTYPE_U64, "raw-uint64", NULL),
    RAW(FEDN_DTYPE_BOOL, "raw-bool", NULL),
};

#define NPZ         (&built_in[0])
#define SAFETENSORS (&built_in[2])

/* Rows are never taken away, so that a row may be used without the lock once it was found. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the two below */
static fedn__format plugged_in[FEDN__LIMIT_REGISTRY];
static uint32_t plugged_in_count;

static const fedn__format *find_in(const fedn__format *rows, uint64_t count, const char *name)
{
    for (uint64_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0 || fedn__text_equal(rows[i].alias, name))
            return &rows[i];
    return NULL;
}

static const fedn__format *find_built_in(const char *name)
{
    return find_in(built_in, sizeof built_in / sizeof built_in[0], name);
}

fedn_status fedn__format_find(const char *name, const fedn__format **ret, fedn_error *err)
{
    *ret = find_built_in(name);
    if (!*ret) {
        pthread_mutex_lock(&lock);
        *ret = find_in(plugged_in, plugged_in_count, name);
        pthread_mutex_unlock(&lock);
    }
    if (*ret)
        return FEDN_OK;
    if (strcmp(name, "splitlearninghelper") == 0)
        return fedn__error(err, FEDN_ERR_UNSUPPORTED,
                           "splitlearninghelper: its files are embeddings by client, not models; "
                           "split learning is not supported, name another helper");
    return fedn__error(err, FEDN_ERR_UNSUPPORTED,
                       "\"%.63s\" is no model format; there are npz, npz-deflate, safetensors, "
                       "raw-<element type> and plugged-in ones",
                       name);
}

fedn_status fedn__format_recognise(const fedn__input *input, const fedn__format **ret,
                                   fedn_error *err)
{
    uint8_t head[9] = {0};
    uint64_t bytes = input->bytes < sizeof head ? input->bytes : sizeof head;

    *ret = NULL;
    fedn_status rc = fedn__input_read(input, 0, head, bytes, "model", err);
    if (rc != FEDN_OK)
        return rc;
    if (memcmp(head, "PK\x03\x04", 4) == 0 || memcmp(head, "PK\x05\x06", 4) == 0)
        *ret = NPZ;
    else if (bytes == sizeof head && head[8] == '{' &&
             fedn__input_u64(head) <= FEDN__LIMIT_SAFETENSORS_HEADER)
        *ret = SAFETENSORS;
    else
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "%llu bytes begin neither as npz nor as safetensors; name the format",
                           (unsigned long long)input->bytes);
    return FEDN_OK;
}

fedn_status fedn_model_format_register(const fedn_model_format *format, void *user_data,
                                       fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    if (!format || format->struct_size < sizeof *format || !format->decode || !format->encode)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "model format: the table is NULL, shorter than %llu bytes, or lacks "
                           "decode or encode",
                           (unsigned long long)sizeof *format);
    if (!format->name || strlen(format->name) - 1 > 62 ||
        strspn(format->name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(format->name))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "model format: its name is not 1 to 63 of a-z, 0-9, _ and -");
    pthread_mutex_lock(&lock);
    if (find_built_in(format->name) || find_in(plugged_in, plugged_in_count, format->name))
        rc = fedn__error(err, FEDN_ERR_EXISTS, "model format \"%s\" exists already", format->name);
    else if (plugged_in_count == FEDN__LIMIT_REGISTRY)
        rc = fedn__error(err, FEDN_ERR_LIMIT, "model format \"%s\" is one more than the %d allowed",
                         format->name, FEDN__LIMIT_REGISTRY);
    else
        plugged_in[plugged_in_count++] = (fedn__format){
            format->name, NULL, 0, fedn__custom_open, &fedn__custom_writer, format, user_data};
    pthread_mutex_unlock(&lock);
    return rc;
}
