/* SPDX-License-Identifier: Apache-2.0
 * Models: taking one from outside, giving one out. */
#include "roles/reducer/api/api.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/text.h"
#include "model/source.h"
#include <string.h>

fedn_status fedn__api_newest_model(fedn__reducer_service *service, char ret[FEDN__UUID_TEXT],
                                   fedn_error *err)
{
    fedn__query query = {.limit = 1};
    json_t *found = NULL;
    fedn__uuid id;
    fedn_status rc = fedn__store_list(service->store, FEDN__KIND_MODEL, &query, &found, NULL, err);

    if (rc == FEDN_OK &&
        fedn__uuid_parse(fedn__json_string(json_array_get(found, 0), "model_id", ""), &id))
        fedn__uuid_format(&id, ret);
    else if (rc == FEDN_OK)
        rc = fedn__error(err, FEDN_ERR_NOT_FOUND,
                         "no model: push one first (POST /api/v1/models/ or fednctl model push)");
    json_decref(found);
    return rc;
}

/* Reads every tensor to its end, which compares the checksums. */
static fedn_status read_all(fedn__source *source, fedn_error *err)
{
    uint64_t block = FEDN__MIB;
    uint8_t *to = fedn__alloc(block);
    fedn_status rc = to ? FEDN_OK : fedn__error_nomem(err);

    for (uint32_t i = 0; rc == FEDN_OK && i < fedn__source_count(source); i++) {
        uint64_t bytes = fedn__source_info(source, i)->bytes;
        for (uint64_t at = 0; rc == FEDN_OK && at < bytes; at += block)
            rc = fedn__source_read(source, i, at, to, bytes - at < block ? bytes - at : block, err);
    }
    fedn__free(to);
    return rc;
}

static fedn_status check_model(const char *path, const char *helper, fedn_error *err)
{
    fedn__blob *blob = NULL;
    fedn__source *source = NULL;
    fedn_status rc = fedn__blob_from_file(path, &blob, err);

    if (rc == FEDN_OK)
        rc = fedn__source_open(blob, *helper ? helper : NULL, &source, err);
    if (rc == FEDN_OK)
        rc = read_all(source, err);
    fedn__source_free(source);
    fedn__blob_unref(blob);
    return rc;
}

/* Format of the file: what the form says, else what the file itself says, else what the active
 * helper names; raw elements are never guessed. */
static fedn_status find_format(const fedn__reducer_service *service, const char *path,
                               const char *said, fedn_error *err)
{
    char active[FEDN__HELPER_TEXT] = "";

    if (*said)
        return check_model(path, said, err);
    fedn_status rc = check_model(path, "", err);
    if (rc != FEDN_ERR_FORMAT || fedn__api_active_helper(service, active, NULL) != FEDN_OK ||
        strcmp(active, "numpyhelper") == 0)
        return rc;
    return check_model(path, active, err);
}

/* FEDn's tools ask for the active helper before they start a session: the first model sets it. */
static void set_first_helper(const fedn__reducer_service *service, const char *said)
{
    char active[FEDN__HELPER_TEXT];
    fedn_error err;

    if (fedn__api_active_helper(service, active, &err) == FEDN_ERR_NOT_FOUND &&
        fedn__api_store_helper(service, *said ? said : "numpyhelper", &err) != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_DEBUG, "reducer", "no helper is set: %s",
                        err.message);
}

static fedn_status take_model(fedn__reducer_service *service, const char *path, const char *name,
                              fedn__uuid *ret, fedn_error *err)
{
    char id[FEDN__UUID_TEXT];

    fedn__uuid_new(ret);
    fedn__uuid_format(ret, id);
    fedn_status rc = fedn__blobs_adopt(service->blobs, ret, path, err);
    if (rc != FEDN_OK)
        return rc;
    rc = fedn__service_write(service, FEDN__RECORD_PUT, FEDN__KIND_MODEL, id,
                             fedn__trail_model(id, name, NULL, NULL), err);
    if (rc != FEDN_OK)
        fedn__blobs_remove(service->blobs, ret, NULL);
    return rc;
}

static void refuse(fedn__http_response *response, int32_t status, const char *message)
{
    fedn__http_reply_json(response, status,
                          json_pack("{s:b, s:s}", "success", 0, "message", message));
}

void fedn__api_add_model(void *user_data, const fedn__http_request *request,
                         fedn__http_response *response)
{
    fedn__reducer_service *service = user_data;
    const char *path = fedn__http_file_path(request);
    const char *helper = fedn__http_form(request, "helper");
    const char *name = fedn__http_form(request, "name");
    char id[FEDN__UUID_TEXT];
    fedn__uuid uuid;
    fedn_error err = {0};

    helper = helper ? helper : "";
    if (!name || !*name)
        name = fedn__http_file_name(request);
    if (!path) {
        refuse(response, 400, "no model: the form has no file named \"file\"");
        return;
    }
    if (!fedn__text_is_line(name, FEDN__LIMIT_NAME_BYTES)) {
        refuse(response, 400, "the model's name must be 1 to 255 printable bytes");
        return;
    }
    fedn_status rc = find_format(service, path, helper, &err);
    if (rc == FEDN_OK)
        rc = take_model(service, path, name, &uuid, &err);
    if (rc != FEDN_OK) {
        refuse(response,
               rc == FEDN_ERR_LIMIT   ? 413
               : rc == FEDN_ERR_STORE ? 500
                                      : 400,
               err.message);
        return;
    }
    set_first_helper(service, helper);
    fedn__uuid_format(&uuid, id);
    fedn__http_reply_json(response, 200,
                          json_pack("{s:b, s:s, s:s}", "success", 1, "message",
                                    "Model added successfully", "model_id", id));
}

static int32_t is_recorded(const fedn__reducer_service *service, const char *id)
{
    json_t *record = NULL;
    fedn_error err;
    fedn_status rc = fedn__store_get(service->store, FEDN__KIND_MODEL, id, &record, &err);

    json_decref(record);
    return rc == FEDN_OK;
}

fedn_status fedn__api_open_model(fedn__reducer_service *service, const char *given,
                                 char ret_id[FEDN__UUID_TEXT], fedn__blob **ret, fedn_error *err)
{
    fedn__uuid uuid;
    fedn_status rc = FEDN_ERR_NOT_FOUND;

    if (fedn__uuid_parse(given, &uuid))
        rc = fedn__blobs_get(service->blobs, &uuid, ret, err);
    if (rc == FEDN_ERR_NOT_FOUND && is_recorded(service, given))
        return fedn__error(
            err, rc, "the file of model %.64s is not kept any more (reducer.keep_models)", given);
    if (rc == FEDN_ERR_NOT_FOUND)
        return fedn__error(err, rc, "Entity with id: %.64s not found", given);
    if (rc == FEDN_OK)
        fedn__uuid_format(&uuid, ret_id);
    return rc;
}

void fedn__api_download_model(void *service, const fedn__http_request *request,
                              fedn__http_response *response)
{
    char id[FEDN__UUID_TEXT];
    fedn__blob *blob = NULL;
    fedn_error err = {0};
    fedn_status rc =
        fedn__api_open_model(service, fedn__http_param(request, "id"), id, &blob, &err);

    if (rc != FEDN_OK) {
        fedn__http_reply_error(response, rc, &err);
        return;
    }
    fedn__http_reply_blob(response, blob, "application/octet-stream", id);
    fedn__blob_unref(blob);
}
