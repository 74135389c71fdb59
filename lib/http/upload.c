/* SPDX-License-Identifier: Apache-2.0
 * A body that becomes a file: raw, or one part of a multipart form. */
#include "http/exchange.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/text.h"
#include "core/uuid.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define SUFFIX ".upload"

enum { PARSER_BYTES = 64 * 1024 };

fedn_status fedn__field_add(fedn__http_request *request, const char *name, int32_t fresh,
                            const void *data, uint64_t bytes, fedn_error *err)
{
    if (request->field_bytes + bytes > FEDN__LIMIT_HTTP_BODY)
        return fedn__error(err, FEDN_ERR_LIMIT, "the fields of the form are over %llu bytes",
                           (unsigned long long)FEDN__LIMIT_HTTP_BODY);
    if (fresh) {
        if (request->field_count == FEDN__LIMIT_HTTP_PAIRS)
            return fedn__error(err, FEDN_ERR_LIMIT, "the form has more than %d fields",
                               FEDN__LIMIT_HTTP_PAIRS);
        char *copy = fedn__strdup(name);
        if (!copy)
            return fedn__error_nomem(err);
        request->fields[request->field_count++] = (fedn__field){.name = copy};
    }
    fedn__field *field = &request->fields[request->field_count - 1];
    char *more = fedn__realloc_array(field->value, field->bytes + bytes + 1, 1);
    if (!more)
        return fedn__error_nomem(err);
    if (bytes)
        memcpy(more + field->bytes, data, bytes);
    field->value = more;
    field->bytes += bytes;
    field->value[field->bytes] = 0;
    request->field_bytes += bytes;
    return FEDN_OK;
}

static fedn_status open_file(fedn__http_request *request, fedn_error *err)
{
    char name[FEDN__UUID_TEXT + sizeof SUFFIX];
    char id[FEDN__UUID_TEXT];
    fedn__upload *upload = &request->upload;

    if (!request->found.route->upload)
        return fedn__error(err, FEDN_ERR_FORMAT, "the form has a file: none is taken here");
    if (upload->path)
        return fedn__error(err, FEDN_ERR_FORMAT, "the form has more than one file");
    fedn__uuid_new_text(id);
    snprintf(name, sizeof name, "%s" SUFFIX, id);
    upload->path = fedn__fs_join(request->server->upload_dir, name);
    if (!upload->path)
        return fedn__error_nomem(err);
    upload->fd = open(upload->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (upload->fd < 0)
        return fedn__error_errno(err, errno, "cannot write %s", upload->path);
    return FEDN_OK;
}

static fedn_status add_to_file(fedn__http_request *request, const void *data, uint64_t bytes,
                               fedn_error *err)
{
    fedn__upload *upload = &request->upload;

    if (bytes > request->server->max_upload_bytes - upload->bytes)
        return fedn__error(err, FEDN_ERR_LIMIT, "the file is over the limit of %llu bytes",
                           (unsigned long long)request->server->max_upload_bytes);
    upload->bytes += bytes;
    return fedn__fs_write(upload->fd, data, bytes, err);
}

/* `file_name` is foreign text, kept for people to read; it names no file of ours. */
static fedn_status begin_file(fedn__http_request *request, const char *file_name, fedn_error *err)
{
    if (!fedn__text_is_line(file_name, FEDN__LIMIT_NAME_BYTES))
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "the file's name is not 1 to %d bytes of printable UTF-8",
                           FEDN__LIMIT_NAME_BYTES);
    fedn_status rc = open_file(request, err);
    if (rc != FEDN_OK)
        return rc;
    request->upload.file_name = fedn__strdup(file_name);
    return request->upload.file_name ? FEDN_OK : fedn__error_nomem(err);
}

/* A piece of a part. A browser sends an empty file name for "none chosen".
 * NOLINTNEXTLINE(readability-function-size): libmicrohttpd gives the parameters */
static enum MHD_Result on_part(void *opaque, enum MHD_ValueKind kind, const char *name,
                               const char *file_name, const char *type, const char *encoding,
                               const char *data, uint64_t offset, size_t bytes)
{
    fedn__http_request *request = opaque;
    fedn_error *err = &request->failure;
    fedn_status rc = FEDN_OK;

    (void)kind;
    (void)type;
    (void)encoding;
    request->upload.parts = 1;
    if (file_name && !*file_name)
        return MHD_YES;
    if (file_name) {
        if (offset == 0)
            rc = begin_file(request, file_name, err);
        if (rc == FEDN_OK)
            rc = add_to_file(request, data, bytes, err);
    } else if (!name || !fedn__text_is_line(name, FEDN__LIMIT_NAME_BYTES)) {
        rc = fedn__error(err, FEDN_ERR_FORMAT, "a field of the form has no proper name");
    } else {
        rc = fedn__field_add(request, name, offset == 0, data, bytes, err);
    }
    if (rc != FEDN_OK)
        request->failed = rc;
    return rc == FEDN_OK ? MHD_YES : MHD_NO;
}

fedn_status fedn__upload_begin(fedn__http_request *request, fedn_error *err)
{
    const char *type = fedn__http_header(request, "Content-Type");

    if (!type || (strncasecmp(type, "multipart/form-data", 19) != 0 &&
                  strncasecmp(type, "application/x-www-form-urlencoded", 33) != 0))
        return open_file(request, err);
    request->upload.parser =
        MHD_create_post_processor(request->connection, PARSER_BYTES, on_part, request);
    if (!request->upload.parser)
        return fedn__error(err, FEDN_ERR_FORMAT, "the form has no boundary: %.100s", type);
    return FEDN_OK;
}

static fedn_status malformed(fedn_error *err)
{
    return fedn__error(err, FEDN_ERR_FORMAT, "the form is malformed or incomplete");
}

fedn_status fedn__upload_add(fedn__http_request *request, const void *data, uint64_t bytes,
                             fedn_error *err)
{
    if (!request->upload.parser)
        return add_to_file(request, data, bytes, err);
    if (MHD_post_process(request->upload.parser, data, bytes) == MHD_YES)
        return FEDN_OK;
    return request->failed != FEDN_OK ? request->failed : malformed(err);
}

fedn_status fedn__upload_end(fedn__http_request *request, fedn_error *err)
{
    fedn__upload *upload = &request->upload;

    if (upload->parser) {
        enum MHD_Result complete = MHD_destroy_post_processor(upload->parser);
        upload->parser = NULL;
        if (request->failed != FEDN_OK)
            return request->failed;
        if (complete != MHD_YES || !upload->parts)
            return malformed(err);
    }
    for (uint32_t i = 0; i < request->field_count; i++)
        if (!fedn__text_is_utf8(request->fields[i].value, request->fields[i].bytes))
            return fedn__error(err, FEDN_ERR_FORMAT, "field %s of the form is not UTF-8",
                               request->fields[i].name);
    if (upload->fd >= 0 && close(upload->fd) != 0) {
        upload->fd = -1;
        return fedn__error_errno(err, errno, "cannot write %s", upload->path);
    }
    upload->fd = -1;
    return FEDN_OK;
}

fedn_status fedn__upload_memory(fedn__http_request *request, fedn_error *err)
{
    fedn_status rc = fedn__upload_begin(request, err);

    if (rc == FEDN_OK)
        rc = fedn__upload_add(request, request->body.data, request->body.len, err);
    return rc == FEDN_OK ? fedn__upload_end(request, err) : rc;
}

void fedn__upload_done(fedn__http_request *request)
{
    fedn__upload *upload = &request->upload;

    if (upload->parser)
        MHD_destroy_post_processor(upload->parser);
    if (upload->fd >= 0)
        close(upload->fd);
    if (upload->path)
        unlink(upload->path);
    fedn__free(upload->path);
    fedn__free(upload->file_name);
    for (uint32_t i = 0; i < request->field_count; i++) {
        fedn__free(request->fields[i].name);
        fedn__free(request->fields[i].value);
    }
}

void fedn__upload_clean(const char *path)
{
    DIR *dir = opendir(path);

    if (!dir)
        return;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        size_t len = strlen(entry->d_name);
        if (len > sizeof SUFFIX && strcmp(entry->d_name + len - sizeof SUFFIX + 1, SUFFIX) == 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
}
