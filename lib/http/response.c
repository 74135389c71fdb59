/* SPDX-License-Identifier: Apache-2.0
 * Answers that are whole: JSON, text, blobs, errors. */
#include "http/exchange.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/text.h"
#include "http/range.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_BYTES = 256 * 1024 };

static int32_t is_token(const char *text)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
    return *text && strspn(text, allowed) == strlen(text);
}

void fedn__http_add_header(fedn__http_response *response, const char *name, const char *value)
{
    /* a value with a line feed would be headers, or a body, of somebody else's choice */
    if (!is_token(name) || !fedn__text_is_line(value, FEDN__LIMIT_TEXT_BYTES) ||
        response->header_count == FEDN__LIMIT_HTTP_HEADERS) {
        fedn__log_write(&response->request->server->log, FEDN_LOG_DEBUG, "http",
                        "%s: header %s left out: no proper name or value, or over %d headers",
                        response->request->target.path, name, FEDN__LIMIT_HTTP_HEADERS);
        return;
    }
    fedn__header *header = &response->headers[response->header_count++];
    header->name = fedn__strdup(name);
    header->value = fedn__strdup(value);
    if (!header->name || !header->value)
        response->failed = 1;
}

static void answer(fedn__http_response *response, int32_t status, struct MHD_Response *mhd,
                   const char *type)
{
    assert(!response->mhd && "a handler answers once");
    response->status = status;
    response->mhd = mhd;
    if (!mhd)
        response->failed = 1;
    else
        fedn__http_add_header(response, "Content-Type", type);
}

/* Takes `text` over; NULL is out of memory. */
static void answer_text(fedn__http_response *response, int32_t status, char *text, const char *type)
{
    struct MHD_Response *mhd = NULL;

    if (text) {
        mhd = MHD_create_response_from_buffer_with_free_callback(strlen(text), text, fedn__free);
        if (!mhd)
            fedn__free(text);
    }
    answer(response, status, mhd, type);
}

void fedn__http_reply_json(fedn__http_response *response, int32_t status, json_t *value)
{
    char *text = value ? fedn__json_text(value) : NULL;

    json_decref(value);
    if (text) {
        uint64_t len = strlen(text);
        char *more = fedn__realloc_array(text, len + 2, 1);
        if (more)
            memcpy(more + len, "\n", 2);
        else
            fedn__free(text);
        text = more;
    }
    answer_text(response, status, text, "application/json");
}

void fedn__http_reply_message(fedn__http_response *response, int32_t status, const char *text)
{
    /* JSON cannot hold other bytes; the status still tells */
    if (!fedn__text_is_utf8(text, strlen(text)))
        text = "the reason is not UTF-8";
    fedn__http_reply_json(response, status, json_pack("{s:s}", "message", text));
}

void fedn__http_reply_text(fedn__http_response *response, int32_t status, const char *type,
                           const char *text)
{
    answer_text(response, status, fedn__strdup(text), type);
}

int32_t fedn__http_status_of(fedn_status status)
{
    switch (status) {
    case FEDN_ERR_NOT_FOUND:
        return 404;
    case FEDN_ERR_INVALID:
    case FEDN_ERR_FORMAT:
        return 400;
    case FEDN_ERR_EXISTS:
    case FEDN_ERR_STATE:
        return 409;
    case FEDN_ERR_LIMIT:
        return 413;
    case FEDN_ERR_AUTH:
        return 401;
    case FEDN_ERR_DENIED:
        return 403;
    case FEDN_ERR_TIMEOUT:
    case FEDN_ERR_UNAVAILABLE:
        return 503;
    default:
        return 500;
    }
}

void fedn__http_reply_error(fedn__http_response *response, fedn_status status,
                            const fedn_error *err)
{
    fedn__http_reply_message(response, fedn__http_status_of(status),
                             err && *err->message ? err->message : fedn_status_string(status));
}

typedef struct slice {
    fedn__blob *blob;
    uint64_t first;
    uint64_t count;
} slice;

static ssize_t read_slice(void *opaque, uint64_t position, char *to, size_t room)
{
    const slice *part = opaque;
    uint64_t left = part->count - position;
    uint64_t bytes = room < left ? room : left;

    if (bytes == 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (fedn__blob_read(part->blob, part->first + position, to, bytes, NULL) != FEDN_OK)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    return (ssize_t)bytes;
}

static void slice_free(void *opaque)
{
    slice *part = opaque;

    fedn__blob_unref(part->blob);
    fedn__free(part);
}

/* A plain name goes as it is: FEDn's client takes what follows "filename=" literally. Another one
 * is sent percent-encoded besides, which browsers prefer. */
static void add_disposition(fedn__http_response *response, const char *file_name)
{
    char plain[FEDN__LIMIT_NAME_BYTES + 1];
    char encoded[3 * FEDN__LIMIT_NAME_BYTES + 1] = "";
    char value[sizeof plain + sizeof encoded + 64];
    size_t len = 0;
    int32_t changed = 0;

    for (const char *c = file_name; *c && len + 1 < sizeof plain; c++) {
        char safe[2] = {*c, 0};
        int32_t good = is_token(safe) && *c != '%' && *c != '\'' && *c != '*';
        changed |= !good;
        plain[len++] = good ? *c : '_';
        size_t end = strlen(encoded);
        snprintf(encoded + end, sizeof encoded - end, good ? "%c" : "%%%02X", (unsigned char)*c);
    }
    plain[len] = 0;
    snprintf(value, sizeof value, "attachment; filename=%s%s%s", plain,
             changed ? "; filename*=UTF-8''" : "", changed ? encoded : "");
    fedn__http_add_header(response, "Content-Disposition", value);
}

static void answer_slice(fedn__http_response *response, int32_t status, fedn__blob *blob,
                         uint64_t first, uint64_t count, const char *type)
{
    struct MHD_Response *mhd = NULL;
    slice *part = fedn__alloc_zero(sizeof *part);

    if (part) {
        *part = (slice){fedn__blob_ref(blob), first, count};
        mhd = MHD_create_response_from_callback(count, BLOCK_BYTES, read_slice, part, slice_free);
        if (!mhd)
            slice_free(part);
    }
    answer(response, status, mhd, type);
}

void fedn__http_reply_blob(fedn__http_response *response, fedn__blob *blob, const char *type,
                           const char *file_name)
{
    uint64_t size = fedn__blob_bytes(blob);
    uint64_t first = 0;
    uint64_t count = size;
    char range[80];

    /* what a client calls "the same" by If-Range is not known here: it gets the whole */
    int32_t status = fedn__http_header(response->request, "If-Range")
                         ? 200
                         : fedn__range_parse(fedn__http_header(response->request, "Range"), size,
                                             &first, &count);
    fedn__http_add_header(response, "Accept-Ranges", "bytes");
    if (status == 416) {
        snprintf(range, sizeof range, "bytes */%llu", (unsigned long long)size);
        fedn__http_add_header(response, "Content-Range", range);
        snprintf(range, sizeof range, "the range is not within the %llu bytes",
                 (unsigned long long)size);
        fedn__http_reply_message(response, status, range);
        return;
    }
    if (status == 206) {
        snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)first,
                 (unsigned long long)(first + count - 1), (unsigned long long)size);
        fedn__http_add_header(response, "Content-Range", range);
    }
    if (file_name)
        add_disposition(response, file_name);
    answer_slice(response, status, blob, first, count, type);
}

enum MHD_Result fedn__response_send(fedn__http_response *response)
{
    fedn__http_server *server = response->request->server;
    struct MHD_Response *mhd = response->mhd;

    if (!mhd && !response->failed) {
        fedn__http_reply_message(response, 500, "the handler gave no answer");
        mhd = response->mhd;
    }
    for (uint32_t i = 0; i < response->header_count; i++) {
        fedn__header *header = &response->headers[i];
        if (mhd && !response->failed &&
            MHD_add_response_header(mhd, header->name, header->value) != MHD_YES)
            response->failed = 1;
        fedn__free(header->name);
        fedn__free(header->value);
    }
    if (response->failed)
        response->status = 500;
    response->request->status = response->status;
    enum MHD_Result sent =
        MHD_queue_response(response->request->connection, (unsigned int)response->status,
                           response->failed ? server->out_of_memory : mhd);
    if (mhd)
        MHD_destroy_response(mhd);
    return sent;
}
