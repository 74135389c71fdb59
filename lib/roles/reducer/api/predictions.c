/* SPDX-License-Identifier: Apache-2.0
 * Predictions: asking for them. Their records have the routes of every kind. */
#include "roles/reducer/api/api.h"

#include "core/error.h"
#include "core/text.h"
#include <stdio.h>

/* Which model, whose file must be there: the newest, where FEDn's server asks for none and fails.
 */
static fedn_status find_model(fedn__reducer_service *service, const char *asked,
                              char ret[FEDN__UUID_TEXT], fedn_error *err)
{
    json_t *record = NULL;
    fedn__uuid id;
    fedn_status rc = FEDN_OK;

    if (!asked) {
        rc = fedn__api_newest_model(service, ret, NULL);
        return rc == FEDN_ERR_NOT_FOUND ? fedn__error(err, FEDN_ERR_INVALID, "No models available")
                                        : rc;
    }
    rc = fedn__store_get(service->store, FEDN__KIND_MODEL, asked, &record, err);
    json_decref(record);
    if (rc == FEDN_ERR_NOT_FOUND || (rc == FEDN_OK && !fedn__uuid_parse(asked, &id)))
        return fedn__error(err, FEDN_ERR_NOT_FOUND, "Model %.*s not found", FEDN__LIMIT_ID_BYTES,
                           asked);
    if (rc == FEDN_OK && !fedn__blobs_has(service->blobs, &id))
        return fedn__error(err, FEDN_ERR_NOT_FOUND,
                           "Model %s not found: its file is not kept any more", asked);
    if (rc == FEDN_OK)
        fedn__uuid_format(&id, ret);
    return rc;
}

static fedn_status start(fedn__reducer_service *service, const json_t *body, uint32_t *ret_clients,
                         fedn_error *err)
{
    const char *id = fedn__json_string(body, "prediction_id", "");
    char model_id[FEDN__UUID_TEXT];

    if (!*id)
        return fedn__error(err, FEDN_ERR_INVALID, "prediction_id is required");
    if (!fedn__text_is_line(id, FEDN__LIMIT_ID_BYTES))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "prediction_id must be text of 1 to %d printable bytes",
                           FEDN__LIMIT_ID_BYTES);
    fedn_status rc = find_model(service, fedn__json_string(body, "model_id", NULL), model_id, err);
    if (rc == FEDN_OK)
        *ret_clients = fedn__service_predict(service, id, model_id);
    if (rc == FEDN_OK && *ret_clients == 0)
        rc = fedn__error(err, FEDN_ERR_INVALID,
                         "No active clients: nobody is there to answer the prediction");
    return rc;
}

void fedn__api_start_prediction(void *service, const fedn__http_request *request,
                                fedn__http_response *response)
{
    json_t *body = NULL;
    uint32_t clients = 0;
    fedn_error err = {0};
    fedn_status rc = fedn__http_body_json(request, &body, &err);

    if (rc == FEDN_OK)
        rc = start(service, body, &clients, &err);
    if (rc != FEDN_OK)
        fedn__http_reply_error(response, rc, &err);
    else
        fedn__http_reply_json(response, 200,
                              json_pack("{s:s, s:i}", "message", "Prediction session started",
                                        "clients", (int)clients));
    json_decref(body);
}
