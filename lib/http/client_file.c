/* SPDX-License-Identifier: Apache-2.0
 * Files over HTTP: sent as a form, and fetched whole or not at all. */
#include "http/client.h"

#include "core/blob.h"
#include "core/error.h"
#include "core/fs.h"
#include "http/transfer.h"

static fedn_status take_body(fedn__transfer *transfer, char **ret_body, fedn_error *err)
{
    *ret_body = fedn__buffer_take(&transfer->body);
    return *ret_body ? FEDN_OK : fedn__error_nomem(err);
}

/* NOLINTNEXTLINE(readability-function-size): the contract of client.h */
fedn_status fedn__http_send_file(fedn__http_client *client, const fedn__http_call *call,
                                 const char *path, const char *const *fields,
                                 fedn__http_progress_fn progress, void *user_data,
                                 int32_t *ret_status, char **ret_body, fedn_error *err)
{
    fedn__transfer transfer = {.client = client,
                               .call = call,
                               .file_path = path,
                               .fields = fields,
                               .progress = progress,
                               .user_data = user_data};
    fedn__blob *file = NULL;

    *ret_body = NULL;
    fedn_status rc = fedn__blob_from_file(path, &file, err); /* before anybody is dialled */
    fedn__blob_unref(file);
    if (rc != FEDN_OK)
        return rc;
    rc = fedn__transfer_run(&transfer, err);
    if (rc == FEDN_OK)
        rc = take_body(&transfer, ret_body, err);
    if (rc == FEDN_OK)
        *ret_status = transfer.status;
    fedn__transfer_done(&transfer);
    return rc;
}

typedef struct file_sink {
    const char *path;
    int fd; /* of the part; -1 before the first byte */
} file_sink;

static fedn_status open_once(file_sink *sink, fedn_error *err)
{
    return sink->fd >= 0 ? FEDN_OK : fedn__fs_create(sink->path, &sink->fd, err);
}

static fedn_status take_file(void *opaque, const void *data, uint64_t bytes, fedn_error *err)
{
    file_sink *sink = opaque;
    fedn_status rc = open_once(sink, err);
    return rc == FEDN_OK ? fedn__fs_write(sink->fd, data, bytes, err) : rc;
}

/* NOLINTNEXTLINE(readability-function-size): the contract of client.h */
fedn_status fedn__http_fetch_file(fedn__http_client *client, const fedn__http_call *call,
                                  const char *path, fedn__http_progress_fn progress,
                                  void *user_data, int32_t *ret_status, char **ret_body,
                                  fedn_error *err)
{
    file_sink sink = {path, -1};
    fedn__transfer transfer = {.client = client,
                               .call = call,
                               .take = take_file,
                               .sink = &sink,
                               .progress = progress,
                               .user_data = user_data};

    *ret_body = NULL;
    fedn_status rc = fedn__transfer_run(&transfer, err);
    if (rc == FEDN_OK && transfer.status / 100 == 2) {
        rc = open_once(&sink, err);
        if (rc == FEDN_OK) {
            rc = fedn__fs_commit(sink.fd, path, 1, err);
            sink.fd = -1;
        }
    } else if (rc == FEDN_OK) {
        rc = take_body(&transfer, ret_body, err);
    }
    if (sink.fd >= 0)
        fedn__fs_abandon(sink.fd, path);
    if (rc == FEDN_OK)
        *ret_status = transfer.status;
    fedn__transfer_done(&transfer);
    return rc;
}
