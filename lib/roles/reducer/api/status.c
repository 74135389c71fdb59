/* SPDX-License-Identifier: Apache-2.0
 * What goes on at the moment, in one answer; whether the process is there at all. */
#include "roles/reducer/api/api.h"

void fedn__api_health(void *service, const fedn__http_request *request,
                      fedn__http_response *response)
{
    (void)service;
    (void)request;
    fedn__http_reply_text(response, 200, "text/plain", "OK");
}

void fedn__api_controller_status(void *service, const fedn__http_request *request,
                                 fedn__http_response *response)
{
    (void)request;
    fedn__http_reply_json(response, 200, json_pack("{s:s}", "state", fedn__service_state(service)));
}

static int32_t any_online(const json_t *status)
{
    const json_t *combiner = NULL;
    size_t i = 0;

    json_array_foreach(json_object_get(status, "combiners"), i, combiner)
    {
        if (fedn__json_boolean(combiner, "online", 0))
            return 1;
    }
    return 0;
}

/* What a network at rest waits for. */
static const char *idle_message(const json_t *status, uint64_t models)
{
    if (models == 0)
        return "no model yet: push one to start from";
    if (!any_online(status))
        return "no combiner is attached: start one with this reducer's address";
    return "ready: start a session";
}

void fedn__api_status(void *user_data, const fedn__http_request *request,
                      fedn__http_response *response)
{
    fedn__reducer_service *service = user_data;
    json_t *status = fedn__service_status(service);
    uint64_t models = 0;
    fedn_error err = {0};
    fedn_status rc = fedn__store_list(service->store, FEDN__KIND_MODEL, NULL, NULL, &models, &err);

    (void)request;
    if (rc != FEDN_OK) {
        json_decref(status);
        fedn__http_reply_error(response, rc, &err);
        return;
    }
    if (status) {
        json_object_set_new(status, "models", json_integer((json_int_t)models));
        if (json_is_null(json_object_get(status, "session")))
            json_object_set_new(status, "message", json_string(idle_message(status, models)));
    }
    fedn__http_reply_json(response, 200, status);
}
