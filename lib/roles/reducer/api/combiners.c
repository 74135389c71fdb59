/* SPDX-License-Identifier: Apache-2.0
 * Combiners: forgetting one, counting their clients. */
#include "roles/reducer/api/api.h"

#include "core/error.h"
#include <string.h>

/* One that is attached goes on with its work; its record returns when it attaches again. */
void fedn__api_remove_combiner(void *service, const fedn__http_request *request,
                               fedn__http_response *response)
{
    fedn__api_remove(service, FEDN__KIND_COMBINER, fedn__http_param(request, "id"),
                     "Combiner deleted", response);
}

/* 1: `names` ("a, b") has it, or is empty. */
static int32_t is_named(const char *names, const char *name)
{
    size_t bytes = strlen(name);

    if (!*names)
        return 1;
    for (const char *at = names; *at;) {
        at += strspn(at, ", ");
        size_t len = strcspn(at, ",");
        while (len && at[len - 1] == ' ')
            len--;
        if (len == bytes && memcmp(at, name, len) == 0)
            return 1;
        at += strcspn(at, ",");
    }
    return 0;
}

static fedn_status count_online(fedn__reducer_service *service, const char *name, uint64_t *ret,
                                fedn_error *err)
{
    json_t *combiner = json_string(name);
    json_t *online = json_string("online");
    fedn__filter filters[] = {{"combiner", FEDN__OP_EQ, combiner}, {"status", FEDN__OP_EQ, online}};
    fedn__query query = {.filters = filters, .filter_count = 2};
    fedn_status rc = combiner && online ? fedn__store_list(service->store, FEDN__KIND_CLIENT,
                                                           &query, NULL, ret, err)
                                        : fedn__error_nomem(err);

    json_decref(combiner);
    json_decref(online);
    return rc;
}

static fedn_status count_all(fedn__reducer_service *service, const char *names, json_t *result,
                             fedn_error *err)
{
    json_t *found = NULL;
    const json_t *combiner = NULL;
    size_t i = 0;
    fedn_status rc = fedn__store_list(service->store, FEDN__KIND_COMBINER, NULL, &found, NULL, err);

    json_array_foreach(found, i, combiner)
    {
        const char *name = fedn__json_string(combiner, "name", "");
        uint64_t count = 0;
        if (rc != FEDN_OK || !is_named(names, name))
            continue;
        rc = count_online(service, name, &count, err);
        if (rc == FEDN_OK &&
            json_array_append_new(
                result, json_pack("{s:s, s:I}", "id", name, "count", (json_int_t)count)) != 0)
            rc = fedn__error_nomem(err);
    }
    json_decref(found);
    return rc;
}

void fedn__api_count_combiner_clients(void *service, const fedn__http_request *request,
                                      fedn__http_response *response)
{
    json_t *body = NULL;
    json_t *result = json_array();
    fedn_error err = {0};
    fedn_status rc = fedn__http_body_json(request, &body, &err);

    if (rc == FEDN_OK)
        rc = count_all(service, fedn__json_string(body, "combiners", ""), result, &err);
    if (rc == FEDN_OK)
        fedn__http_reply_json(response, 200, json_pack("{s:O}", "result", result));
    else
        fedn__http_reply_error(response, rc, &err);
    json_decref(result);
    json_decref(body);
}
