/* SPDX-License-Identifier: Apache-2.0
 * The active helper: the model format that tools use when they name none. The record of the active
 * package has it, written with what makes it active; without one, a small file. */
#include "roles/reducer/api/api.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* FEDn's names. */
static const char *const helpers[] = {"numpyhelper", "binaryhelper", "androidhelper"};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* one writes the file at a time */

static int32_t is_helper(const char *name)
{
    for (uint32_t i = 0; i < sizeof helpers / sizeof helpers[0]; i++)
        if (strcmp(helpers[i], name) == 0)
            return 1;
    return 0;
}

static fedn_status stored_helper(const fedn__reducer_service *service, char ret[FEDN__HELPER_TEXT],
                                 fedn_error *err)
{
    char *path = fedn__fs_join(service->state_dir, "helper");
    char *text = NULL;
    uint64_t bytes = 0;

    if (!path)
        return fedn__error_nomem(err);
    fedn_status rc = fedn__fs_read(path, FEDN__HELPER_TEXT - 1, &text, &bytes, err);
    if (rc == FEDN_OK && is_helper(text))
        snprintf(ret, FEDN__HELPER_TEXT, "%s", text);
    else if (rc == FEDN_OK || rc == FEDN_ERR_NOT_FOUND)
        rc = fedn__error(err, FEDN_ERR_NOT_FOUND, "No active helper");
    fedn__free(text);
    fedn__free(path);
    return rc;
}

fedn_status fedn__api_active_helper(const fedn__reducer_service *service,
                                    char ret[FEDN__HELPER_TEXT], fedn_error *err)
{
    json_t *package = NULL;
    fedn_status rc = fedn__api_active_package(service, &package, err);
    const char *name = fedn__json_string(package, "helper", "");

    if (rc == FEDN_OK && is_helper(name))
        snprintf(ret, FEDN__HELPER_TEXT, "%s", name);
    else if (rc == FEDN_OK || rc == FEDN_ERR_NOT_FOUND)
        rc = stored_helper(service, ret, err);
    json_decref(package);
    return rc;
}

fedn_status fedn__api_check_helper(const char *name, fedn_error *err)
{
    return is_helper(name)
               ? FEDN_OK
               : fedn__error(err, FEDN_ERR_INVALID,
                             "helper \"%.64s\" is not numpyhelper, binaryhelper or androidhelper",
                             name);
}

fedn_status fedn__api_store_helper(const fedn__reducer_service *service, const char *name,
                                   fedn_error *err)
{
    char *path = NULL;
    fedn_status rc = fedn__api_check_helper(name, err);

    if (rc != FEDN_OK)
        return rc;
    path = fedn__fs_join(service->state_dir, "helper");
    pthread_mutex_lock(&mutex);
    rc = path ? fedn__fs_write_file(path, name, strlen(name), 1, err) : fedn__error_nomem(err);
    pthread_mutex_unlock(&mutex);
    fedn__free(path);
    return rc;
}

/* Also the one of the active package from now on, as in FEDn. */
static fedn_status set_helper(fedn__reducer_service *service, const char *name, fedn_error *err)
{
    json_t *package = NULL;
    fedn_status rc = fedn__api_store_helper(service, name, err);

    if (rc != FEDN_OK)
        return rc;
    rc = fedn__api_active_package(service, &package, err);
    if (rc == FEDN_OK)
        rc = fedn__service_write(service, FEDN__RECORD_PATCH, FEDN__KIND_PACKAGE,
                                 fedn__json_string(package, "package_id", ""),
                                 json_pack("{s:s}", "helper", name), err);
    json_decref(package);
    return rc == FEDN_ERR_NOT_FOUND ? FEDN_OK : rc;
}

void fedn__api_get_helper(void *service, const fedn__http_request *request,
                          fedn__http_response *response)
{
    char name[FEDN__HELPER_TEXT];
    fedn_error err = {0};
    fedn_status rc = fedn__api_active_helper(service, name, &err);

    (void)request;
    if (rc != FEDN_OK)
        fedn__http_reply_error(response, rc, &err);
    else
        fedn__http_reply_json(response, 200, json_string(name));
}

void fedn__api_set_helper(void *service, const fedn__http_request *request,
                          fedn__http_response *response)
{
    json_t *body = NULL;
    fedn_error err = {0};
    fedn_status rc = fedn__http_body_json(request, &body, &err);

    if (rc == FEDN_OK)
        rc = set_helper(service, fedn__json_string(body, "helper", ""), &err);
    if (rc != FEDN_OK)
        fedn__http_reply_error(response, rc, &err);
    else
        fedn__http_reply_message(response, 200, "Active helper set");
    json_decref(body);
}
