/* SPDX-License-Identifier: Apache-2.0
 * Routes that FEDn has given up, and those that this reducer has not: each says what to use. */
#include "roles/reducer/api/api.h"

#include <stddef.h>
#include <string.h>

static const fedn__http_route *row_of(const fedn__http_request *request)
{
    const char *path = fedn__http_pattern(request);

    for (uint32_t i = 0; i < fedn__api_route_count(); i++)
        if (strcmp(fedn__api_routes[i].path, path) == 0 &&
            strcmp(fedn__api_routes[i].method, fedn__http_method(request)) == 0)
            return &fedn__api_routes[i];
    return NULL;
}

static void answer(const fedn__http_request *request, fedn__http_response *response, int32_t status)
{
    const fedn__http_route *row = row_of(request);
    json_t *body = json_pack("{s:s}", "message", row ? row->summary : "gone");

    /* who registered a combiner so, and who asked for the active model, read these */
    if (row && strcmp(row->path, "/add_combiner") == 0)
        json_object_update_new(body, json_pack("{s:b, s:s}", "success", 0, "status", "abort"));
    if (row && strcmp(row->path, "/api/v1/models/active") == 0)
        json_object_set_new(body, "error", json_string(row->summary));
    fedn__http_reply_json(response, status, body);
}

void fedn__api_gone(void *service, const fedn__http_request *request, fedn__http_response *response)
{
    (void)service;
    answer(request, response, 410);
}

void fedn__api_not_here(void *service, const fedn__http_request *request,
                        fedn__http_response *response)
{
    (void)service;
    answer(request, response, 501);
}
