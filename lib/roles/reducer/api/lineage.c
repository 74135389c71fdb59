/* SPDX-License-Identifier: Apache-2.0
 * Which model comes from which. */
#include "roles/reducer/api/filters.h"

#include "core/error.h"
#include "core/map.h"
#include "core/text.h"
#include "roles/reducer/api/api.h"
#include <string.h>

enum { GENERATIONS = 10 }; /* when the request names no limit */

static fedn_status take_limit(const fedn__http_request *request, uint64_t *ret, fedn_error *err)
{
    fedn_status rc = fedn__api_number(request, "X-Limit", ret, err);

    if (rc == FEDN_OK && *ret > FEDN__LIMIT_API_GENERATIONS)
        return fedn__error(err, FEDN_ERR_INVALID, "X-Limit is %llu: over the limit of %d",
                           (unsigned long long)*ret, FEDN__LIMIT_API_GENERATIONS);
    if (*ret == 0)
        *ret = GENERATIONS;
    return rc;
}

/* The oldest model made from this one; *ret NULL: none. */
static fedn_status first_child(fedn__reducer_service *service, const char *id, json_t **ret,
                               fedn_error *err)
{
    json_t *parent = json_string(id);
    fedn__filter filter = {"parent_model", FEDN__OP_EQ, parent};
    fedn__query query = {.filters = &filter, .filter_count = 1, .ascending = 1, .limit = 1};
    json_t *found = NULL;
    fedn_status rc =
        parent ? fedn__store_list(service->store, FEDN__KIND_MODEL, &query, &found, NULL, err)
               : fedn__error_nomem(err);

    *ret = json_incref(json_array_get(found, 0));
    json_decref(found);
    json_decref(parent);
    return rc;
}

/* The model that this one was made from; *ret NULL: none, or it is not recorded any more. */
static fedn_status parent_of(fedn__reducer_service *service, const json_t *model, json_t **ret,
                             fedn_error *err)
{
    const char *id = fedn__json_string(model, "parent_model", "");
    fedn_status rc = FEDN_ERR_NOT_FOUND;

    *ret = NULL;
    if (*id)
        rc = fedn__store_get(service->store, FEDN__KIND_MODEL, id, ret, err);
    return rc == FEDN_ERR_NOT_FOUND ? FEDN_OK : rc;
}

/* From `model` on (taken over), one generation after the other. */
static fedn_status walk(fedn__reducer_service *service, json_t *model, int32_t down, uint64_t limit,
                        json_t *list, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    for (uint64_t i = 0; rc == FEDN_OK && model && i < limit; i++) {
        json_t *next = NULL;
        rc = down ? first_child(service, fedn__json_string(model, "model_id", ""), &next, err)
                  : parent_of(service, model, &next, err);
        json_decref(model);
        model = next;
        if (rc == FEDN_OK && next && json_array_append(list, next) != 0)
            rc = fedn__error_nomem(err);
    }
    json_decref(model);
    return rc;
}

static void reverse(json_t *list)
{
    size_t count = json_array_size(list);

    for (size_t i = 0; i < count / 2; i++) {
        json_t *first = json_incref(json_array_get(list, i));
        json_array_set(list, i, json_array_get(list, count - 1 - i));
        json_array_set_new(list, count - 1 - i, first);
    }
}

/* Takes `list` over. */
static void reply(fedn__http_response *response, fedn_status rc, json_t *list,
                  const fedn_error *err)
{
    if (rc == FEDN_OK) {
        fedn__http_reply_json(response, 200, fedn__api_show_all(FEDN__KIND_MODEL, list));
        return;
    }
    json_decref(list);
    fedn__http_reply_error(response, rc, err);
}

static void answer(fedn__reducer_service *service, const fedn__http_request *request, int32_t down,
                   int32_t self, int32_t backwards, fedn__http_response *response)
{
    json_t *list = json_array();
    json_t *model = NULL;
    uint64_t limit = 0;
    fedn_error err = {0};
    fedn_status rc = list ? take_limit(request, &limit, &err) : fedn__error_nomem(&err);

    if (rc == FEDN_OK)
        rc = fedn__store_get(service->store, FEDN__KIND_MODEL, fedn__http_param(request, "id"),
                             &model, &err);
    if (rc == FEDN_OK && self && json_array_append(list, model) != 0)
        rc = fedn__error_nomem(&err);
    if (rc == FEDN_OK)
        rc = walk(service, model, down, limit, list, &err);
    else
        json_decref(model);
    if (backwards)
        reverse(list);
    reply(response, rc, list, &err);
}

void fedn__api_model_ancestors(void *service, const fedn__http_request *request,
                               fedn__http_response *response)
{
    const char *self = fedn__http_query(request, "include_self");
    const char *backwards = fedn__http_header(request, "X-Reverse");

    answer(service, request, 0, fedn__text_equal(self, "true"), fedn__text_equal(backwards, "true"),
           response);
}

/* The furthest first, as in FEDn. */
void fedn__api_model_descendants(void *service, const fedn__http_request *request,
                                 fedn__http_response *response)
{
    answer(service, request, 1, 0, 1, response);
}

/* Those of `all` that are nobody's parent. */
static fedn_status pick_leaves(const json_t *all, json_t *leaves, fedn_error *err)
{
    fedn__map parents;
    json_t *model = NULL;
    size_t i = 0;
    fedn_status rc = FEDN_OK;

    fedn__map_init(&parents);
    json_array_foreach(all, i, model)
    {
        const char *parent = fedn__json_string(model, "parent_model", "");
        if (rc == FEDN_OK && *parent)
            rc = fedn__map_set(&parents, parent, model);
    }
    json_array_foreach(all, i, model)
    {
        if (rc == FEDN_OK && !fedn__map_get(&parents, fedn__json_string(model, "model_id", "")) &&
            json_array_append(leaves, model) != 0)
            rc = FEDN_ERR_NOMEM;
    }
    fedn__map_done(&parents);
    return rc == FEDN_OK ? rc : fedn__error_nomem(err);
}

void fedn__api_leaf_models(void *user_data, const fedn__http_request *request,
                           fedn__http_response *response)
{
    fedn__reducer_service *service = user_data;
    fedn__query query = {.ascending = 1};
    json_t *all = NULL;
    json_t *leaves = json_array();
    fedn_error err = {0};
    fedn_status rc = fedn__store_list(service->store, FEDN__KIND_MODEL, &query, &all, NULL, &err);

    (void)request;
    if (rc == FEDN_OK)
        rc = pick_leaves(all, leaves, &err);
    json_decref(all);
    reply(response, rc, leaves, &err);
}
