/* SPDX-License-Identifier: Apache-2.0
 * Compute packages: taking one from outside, which of them is active, giving it to clients. Files
 * are in a store of their own; the newest package is the active one until another is chosen. */
#include "roles/reducer/api/api.h"

#include "core/error.h"
#include "core/text.h"
#include "package/archive.h"
#include "roles/reducer/api/body.h"
#include "security/digest.h"
#include <stdio.h>
#include <string.h>

/* What clients unpack: the ending that FEDn's look at. NULL: neither of the two. */
static const char *ending_of(const fedn__blob *blob)
{
    uint8_t start[3] = {0};

    if (fedn__blob_bytes(blob) < sizeof start ||
        fedn__blob_read(blob, 0, start, sizeof start, NULL) != FEDN_OK)
        return NULL;
    if (start[0] == 0x1f && start[1] == 0x8b)
        return ".tgz";
    return memcmp(start, "BZh", 3) == 0 ? ".tar.bz2" : NULL;
}

/* ---- finding one ---- */

/* The newest that a filter lets through; FEDN_ERR_NOT_FOUND without a text. */
static fedn_status find_package(const fedn__reducer_service *service, const char *field,
                                json_t *value, json_t **ret, fedn_error *err)
{
    fedn__filter filter = {field, FEDN__OP_EQ, value};
    fedn__query query = {.filters = &filter, .filter_count = 1, .limit = 1};
    json_t *found = NULL;
    fedn_status rc =
        value ? fedn__store_list(service->store, FEDN__KIND_PACKAGE, &query, &found, NULL, err)
              : fedn__error_nomem(err);

    *ret = json_incref(json_array_get(found, 0));
    json_decref(found);
    json_decref(value);
    return rc == FEDN_OK && !*ret ? FEDN_ERR_NOT_FOUND : rc;
}

fedn_status fedn__api_active_package(const fedn__reducer_service *service, json_t **ret,
                                     fedn_error *err)
{
    fedn_status rc = find_package(service, "active", json_true(), ret, err);

    return rc == FEDN_ERR_NOT_FOUND ? fedn__error(err, rc, "No active package") : rc;
}

/* The package that a client names, by its stored name or its own; the active one if it names none.
 */
static fedn_status named_package(const fedn__reducer_service *service,
                                 const fedn__http_request *request, json_t **ret, fedn_error *err)
{
    static const char *const fields[] = {"storage_file_name", "file_name", "name"};
    const char *name = fedn__http_query(request, "name");
    fedn_status rc = FEDN_ERR_NOT_FOUND;

    if (!name || !*name)
        return fedn__api_active_package(service, ret, err);
    for (uint32_t i = 0; rc == FEDN_ERR_NOT_FOUND && i < 3; i++)
        rc = find_package(service, fields[i], json_string(name), ret, err);
    return rc == FEDN_ERR_NOT_FOUND ? fedn__error(err, rc, "No package \"%.64s\"", name) : rc;
}

/* ---- taking one ---- */

typedef struct upload {
    const char *path;
    const char *file_name;
    const char *name;
    const char *description;
    const char *helper;
} upload;

static const char *field_of(const fedn__http_request *request, const char *name)
{
    const char *value = fedn__http_form(request, name);

    return value ? value : "";
}

static fedn_status check_upload(const upload *package, fedn_error *err)
{
    if (!package->path)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "no package: the form has no file named \"file\"");
    if (!fedn__text_is_line(package->file_name, FEDN__LIMIT_NAME_BYTES))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "the name of the package's file must be 1 to %d printable bytes",
                           FEDN__LIMIT_NAME_BYTES);
    if (*package->name && !fedn__text_is_line(package->name, FEDN__LIMIT_NAME_BYTES))
        return fedn__error(err, FEDN_ERR_INVALID, "name must be at most %d printable bytes",
                           FEDN__LIMIT_NAME_BYTES);
    if (strlen(package->description) > FEDN__LIMIT_DESCRIPTION_BYTES)
        return fedn__error(err, FEDN_ERR_LIMIT, "description has more than %d bytes",
                           FEDN__LIMIT_DESCRIPTION_BYTES);
    return *package->helper ? fedn__api_check_helper(package->helper, err) : FEDN_OK;
}

/* What is recorded of it; NULL out of memory. */
static json_t *describe(const upload *package, const char *id, const char *ending,
                        const char *checksum)
{
    char stored[FEDN__UUID_TEXT + 16];

    snprintf(stored, sizeof stored, "%s%s", id, ending);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s}", "package_id", id, "name",
                     *package->name ? package->name : package->file_name, "description",
                     package->description, "file_name", package->file_name, "storage_file_name",
                     stored, "helper", package->helper, "active", 1, "checksum", checksum);
}

static fedn_status on_member(void *self, const fedn__package_member *member, fedn_error *err)
{
    const char *slash = strrchr(member->path, '/');
    int32_t *has_plan = self;

    (void)err;
    if (!member->directory && strcmp(slash ? slash + 1 : member->path, "fedn.yaml") == 0)
        *has_plan = 1;
    return FEDN_OK;
}

/* What no client could unpack is not taken. */
static fedn_status check_archive(const char *path, fedn_error *err)
{
    int32_t has_plan = 0;
    const fedn__package_visitor visitor = {on_member, NULL, &has_plan};
    fedn_status rc = fedn__package_walk(path, &visitor, err);

    return rc == FEDN_OK && !has_plan
               ? fedn__error(err, FEDN_ERR_FORMAT, "the package has no fedn.yaml")
               : rc;
}

static fedn_status read_archive(const char *path, const char **ret_ending,
                                char ret_checksum[FEDN__SHA256_TEXT], fedn_error *err)
{
    fedn__blob *blob = NULL;
    fedn_status rc = fedn__blob_from_file(path, &blob, err);

    if (rc == FEDN_OK && !(*ret_ending = ending_of(blob)))
        rc = fedn__error(err, FEDN_ERR_FORMAT,
                         "the package is no tar archive that gzip or bzip2 compressed");
    if (rc == FEDN_OK)
        rc = check_archive(path, err);
    if (rc == FEDN_OK)
        rc = fedn__sha256_blob(blob, ret_checksum, err);
    fedn__blob_unref(blob);
    return rc;
}

static fedn_status take_package(fedn__reducer_service *service, const upload *package,
                                fedn_error *err)
{
    char id[FEDN__UUID_TEXT];
    char checksum[FEDN__SHA256_TEXT];
    const char *ending = NULL;
    fedn__uuid uuid;
    fedn_status rc = read_archive(package->path, &ending, checksum, err);

    if (rc != FEDN_OK)
        return fedn__error_prefix(err, rc, package->file_name);
    fedn__uuid_new(&uuid);
    fedn__uuid_format(&uuid, id);
    rc = fedn__blobs_adopt(service->packages, &uuid, package->path, err);
    if (rc != FEDN_OK)
        return rc;
    rc = fedn__service_write(service, FEDN__RECORD_ACTIVATE, FEDN__KIND_PACKAGE, id,
                             describe(package, id, ending, checksum), err);
    if (rc != FEDN_OK)
        fedn__blobs_remove(service->packages, &uuid, NULL);
    return rc;
}

void fedn__api_add_package(void *user_data, const fedn__http_request *request,
                           fedn__http_response *response)
{
    fedn__reducer_service *service = user_data;
    upload package = {fedn__http_file_path(request), fedn__http_file_name(request),
                      field_of(request, "name"), field_of(request, "description"),
                      field_of(request, "helper")};
    fedn_error err = {0};
    fedn_status rc = check_upload(&package, &err);

    if (rc == FEDN_OK)
        rc = take_package(service, &package, &err);
    if (rc == FEDN_OK && *package.helper)
        rc = fedn__api_store_helper(service, package.helper, &err);
    if (rc == FEDN_OK)
        fedn__http_reply_message(response, 200, "Package uploaded");
    else
        fedn__http_reply_error(response, rc, &err);
}

/* ---- the active one ---- */

/* Where only a helper was set, it is shown as a package of nothing else, as FEDn does; where there
 * are packages, none of them is active. */
static json_t *helper_alone(const fedn__reducer_service *service)
{
    char helper[FEDN__HELPER_TEXT];
    uint64_t packages = 0;

    if (fedn__api_active_helper(service, helper, NULL) != FEDN_OK ||
        fedn__store_list(service->store, FEDN__KIND_PACKAGE, NULL, NULL, &packages, NULL) !=
            FEDN_OK ||
        packages > 0)
        return NULL;
    return json_pack("{s:s, s:b}", "helper", helper, "active", 1);
}

void fedn__api_get_active_package(void *service, const fedn__http_request *request,
                                  fedn__http_response *response)
{
    json_t *record = NULL;
    fedn_error err = {0};
    fedn_status rc = fedn__api_active_package(service, &record, &err);

    (void)request;
    if (rc == FEDN_ERR_NOT_FOUND && (record = helper_alone(service)))
        rc = FEDN_OK;
    if (rc == FEDN_OK)
        fedn__http_reply_json(response, 200, fedn__api_show(FEDN__KIND_PACKAGE, record));
    else if (rc == FEDN_ERR_NOT_FOUND)
        fedn__http_reply_message(response, 404, "Entity not found");
    else
        fedn__http_reply_error(response, rc, &err);
}

void fedn__api_set_active_package(void *user_data, const fedn__http_request *request,
                                  fedn__http_response *response)
{
    fedn__reducer_service *service = user_data;
    json_t *body = NULL;
    json_t *record = NULL;
    const char *id = NULL;
    fedn_error err = {0};
    fedn_status rc = fedn__http_body_json(request, &body, &err);

    if (rc == FEDN_OK)
        rc = fedn__body_text(body, "id", FEDN__LIMIT_ID_BYTES, &id, &err);
    if (rc == FEDN_OK && !id)
        rc = fedn__error(&err, FEDN_ERR_INVALID, "id: which package is to be active?");
    if (rc == FEDN_OK)
        rc = fedn__store_get(service->store, FEDN__KIND_PACKAGE, id, &record, &err);
    if (rc == FEDN_OK)
        rc = fedn__service_write(service, FEDN__RECORD_ACTIVATE, FEDN__KIND_PACKAGE, id,
                                 json_pack("{s:b}", "active", 1), &err);
    const char *helper = fedn__json_string(record, "helper", "");
    if (rc == FEDN_OK && *helper)
        rc = fedn__api_store_helper(service, helper, &err);
    if (rc == FEDN_OK)
        fedn__http_reply_message(response, 200, "Active package set");
    else
        fedn__http_reply_error(response, rc, &err);
    json_decref(record);
    json_decref(body);
}

/* It stays, and can be chosen again. */
void fedn__api_remove_active_package(void *user_data, const fedn__http_request *request,
                                     fedn__http_response *response)
{
    fedn__reducer_service *service = user_data;
    json_t *record = NULL;
    fedn_error err = {0};
    fedn_status rc = fedn__api_active_package(service, &record, &err);

    (void)request;
    if (rc == FEDN_OK)
        rc = fedn__service_write(service, FEDN__RECORD_PATCH, FEDN__KIND_PACKAGE,
                                 fedn__json_string(record, "package_id", ""),
                                 json_pack("{s:b}", "active", 0), &err);
    if (rc == FEDN_OK)
        fedn__http_reply_message(response, 200, "Active package deleted");
    else
        fedn__http_reply_error(response, rc, &err);
    json_decref(record);
}

/* ---- for clients ---- */

void fedn__api_download_package(void *user_data, const fedn__http_request *request,
                                fedn__http_response *response)
{
    fedn__reducer_service *service = user_data;
    json_t *record = NULL;
    fedn__blob *blob = NULL;
    fedn__uuid uuid;
    fedn_error err = {0};
    fedn_status rc = named_package(service, request, &record, &err);

    if (rc == FEDN_OK && !fedn__uuid_parse(fedn__json_string(record, "package_id", ""), &uuid))
        rc = fedn__error(&err, FEDN_ERR_STORE, "a package's record has no UUID");
    if (rc == FEDN_OK)
        rc = fedn__blobs_get(service->packages, &uuid, &blob, &err);
    if (rc == FEDN_OK)
        fedn__http_reply_blob(response, blob, "application/octet-stream",
                              fedn__json_string(record, "storage_file_name", ""));
    else
        fedn__http_reply_error(response, rc, &err);
    fedn__blob_unref(blob);
    json_decref(record);
}

void fedn__api_package_checksum(void *service, const fedn__http_request *request,
                                fedn__http_response *response)
{
    json_t *record = NULL;
    fedn_error err = {0};
    fedn_status rc = named_package(service, request, &record, &err);

    if (rc == FEDN_OK)
        fedn__http_reply_json(response, 200,
                              json_pack("{s:s, s:s}", "message", "Checksum of the package: SHA-256",
                                        "checksum", fedn__json_string(record, "checksum", "")));
    else if (rc == FEDN_ERR_NOT_FOUND)
        fedn__http_reply_json(response, 404,
                              json_pack("{s:s, s:s}", "message", err.message, "checksum", ""));
    else
        fedn__http_reply_error(response, rc, &err);
    json_decref(record);
}
