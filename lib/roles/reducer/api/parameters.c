/* SPDX-License-Identifier: Apache-2.0
 * A model's tensors as nested lists of numbers, written while they are read: what is in memory is
 * one block, however large the model. */
#include "roles/reducer/api/api.h"

#include "core/alloc.h"
#include "core/error.h"
#include "model/dtype.h"
#include "model/kernels.h"
#include "model/source.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    BLOCK_BYTES = 16 * 1024, /* of elements at a time; a multiple of each size */
    NUMBER_TEXT = 40,        /* the longest number */
    PIECE_TEXT = NUMBER_TEXT + 2 * FEDN_MODEL_MAX_RANK + 8 /* the same with its brackets */
};

typedef struct writer {
    fedn__source *source;
    uint32_t tensor;
    uint64_t element; /* the next of that tensor */
    uint64_t first;   /* element at the front of the block */
    uint64_t held;    /* elements in it */
    int32_t begun, ended;
    uint8_t block[BLOCK_BYTES];
} writer;

static int64_t whole_of(const uint8_t *at)
{
    int64_t value = 0;

    memcpy(&value, at, sizeof value);
    return value;
}

/* Elements of 64 bits are more than a double tells apart; what is no number is null in JSON. */
static void number_text(fedn_dtype dtype, const uint8_t *block, uint64_t index, char *to)
{
    if (dtype == FEDN_DTYPE_I64) {
        snprintf(to, NUMBER_TEXT, "%" PRId64, whole_of(block + 8 * index));
        return;
    }
    if (dtype == FEDN_DTYPE_U64) {
        snprintf(to, NUMBER_TEXT, "%" PRIu64, (uint64_t)whole_of(block + 8 * index));
        return;
    }
    double value = fedn__kernel_value(dtype, block, index);
    if (dtype == FEDN_DTYPE_BOOL) {
        snprintf(to, NUMBER_TEXT, value != 0 ? "true" : "false");
        return;
    }
    if (!isfinite(value)) {
        snprintf(to, NUMBER_TEXT, "null");
        return;
    }
    snprintf(to, NUMBER_TEXT, "%.17g", value);
    char *comma = strchr(to, ','); /* of a locale */
    if (comma)
        *comma = '.';
    if (strstr(fedn__dtype_row_of(dtype)->name, "float") && !to[strspn(to, "-0123456789")])
        memcpy(to + strlen(to), ".0",
               sizeof ".0"); /* a list of whole numbers stays one of floats */
}

/* How many lists begin (or, asked of the next element, end) at this element. */
static uint32_t edges(const fedn__tensor_info *info, uint64_t element)
{
    uint64_t span = 1;
    uint32_t count = 0;

    for (uint32_t d = info->rank; d > 0; d--) {
        span *= info->shape[d - 1];
        if (element % span != 0)
            break;
        count++;
    }
    return count;
}

static fedn_status fill(writer *self, const fedn__tensor_info *info)
{
    uint64_t size = fedn__dtype_row_of(info->dtype)->bytes;
    uint64_t count = info->elements - self->element;

    if (count > BLOCK_BYTES / size)
        count = BLOCK_BYTES / size;
    self->first = self->element;
    self->held = count;
    return fedn__source_read(self->source, self->tensor, self->element * size, self->block,
                             count * size, NULL);
}

/* The next element with the brackets and the comma around it; its length. */
static size_t write_element(writer *self, const fedn__tensor_info *info, char *to)
{
    size_t len = 0;
    uint32_t open = edges(info, self->element);

    if (self->element > 0)
        to[len++] = ',';
    while (open-- > 0)
        to[len++] = '[';
    number_text(info->dtype, self->block, self->element - self->first, to + len);
    len += strlen(to + len);
    self->element++;
    for (uint32_t close = edges(info, self->element); close > 0; close--)
        to[len++] = ']';
    return len;
}

/* One piece of the document; its length, -1 if the model cannot be read. */
static int64_t write_piece(writer *self, char to[PIECE_TEXT])
{
    if (!self->begun) {
        self->begun = 1;
        return snprintf(to, PIECE_TEXT, "{\"array\":[");
    }
    if (self->tensor == fedn__source_count(self->source)) {
        self->ended = 1;
        return snprintf(to, PIECE_TEXT, "]}\n");
    }
    const fedn__tensor_info *info = fedn__source_info(self->source, self->tensor);
    size_t len = 0;
    if (self->element == 0 && self->tensor > 0)
        to[len++] = ',';
    if (info->elements == 0) {
        len += (size_t)snprintf(to + len, PIECE_TEXT - len, "[]");
    } else {
        if (self->element == self->first + self->held && fill(self, info) != FEDN_OK)
            return -1;
        len += write_element(self, info, to + len);
    }
    if (self->element == info->elements) {
        self->tensor++;
        self->element = self->first = self->held = 0;
    }
    return (int64_t)len;
}

static int64_t next(void *state, char *to, uint64_t room, const _Atomic int32_t *stopping)
{
    writer *self = state;
    uint64_t len = 0;

    while (!self->ended && len + PIECE_TEXT <= room) {
        int64_t piece = write_piece(self, to + len);
        if (piece < 0 || *stopping)
            return -1;
        len += (uint64_t)piece;
    }
    return len > 0 ? (int64_t)len : -1;
}

static void done(void *state)
{
    writer *self = state;

    fedn__source_free(self->source);
    fedn__free(self);
}

/* Raw elements do not say what they are: the active helper does. */
static fedn_status open_source(const fedn__reducer_service *service, fedn__blob *blob,
                               fedn__source **ret, fedn_error *err)
{
    char helper[FEDN__HELPER_TEXT];
    fedn_status rc = fedn__source_open(blob, NULL, ret, err);

    if (rc == FEDN_ERR_FORMAT && fedn__api_active_helper(service, helper, NULL) == FEDN_OK)
        rc = fedn__source_open(blob, helper, ret, err);
    return rc;
}

void fedn__api_model_parameters(void *user_data, const fedn__http_request *request,
                                fedn__http_response *response)
{
    fedn__reducer_service *service = user_data;
    char id[FEDN__UUID_TEXT];
    fedn__blob *blob = NULL;
    writer *self = fedn__alloc_zero(sizeof *self);
    fedn_error err = {0};
    fedn_status rc = self ? FEDN_OK : fedn__error_nomem(&err);

    if (rc == FEDN_OK)
        rc = fedn__api_open_model(service, fedn__http_param(request, "id"), id, &blob, &err);
    if (rc == FEDN_OK)
        rc = open_source(service, blob, &self->source, &err);
    fedn__blob_unref(blob);
    if (rc == FEDN_OK) {
        fedn__http_reply_stream(response, "application/json", next, done, self);
        return;
    }
    fedn__free(self);
    fedn__http_reply_error(response, rc, &err);
}
