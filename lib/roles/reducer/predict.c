/* SPDX-License-Identifier: Apache-2.0
 * Predictions: every client is asked once, by its combiner, for what a model says. Nobody waits for
 * the answers; they become records under the prediction's id. */
#include "roles/reducer/service.h"

#include <string.h>

typedef struct predicting {
    fedn__reducer_service *service;
    const char *prediction_id;
    const char *model_id;
    uint32_t clients;
} predicting;

static void send_task(const predicting *call, fedn__tier_link *link)
{
    Fedn__Tier__V1__ModelTask task = FEDN__TIER__V1__MODEL_TASK__INIT;
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;

    task.session_id = (char *)(uintptr_t)call->prediction_id; /* where FEDn's clients look for it */
    task.model_id = (char *)(uintptr_t)call->model_id;
    task.type = 5; /* fedn.StatusType.MODEL_PREDICTION */
    task.data = (char *)(uintptr_t) "{}";
    down.body_case = FEDN__TIER__V1__DOWN__BODY_TASK;
    down.task = &task;
    fedn__tier_send(link, &down);
}

static void do_predict(void *arg)
{
    predicting *call = arg;
    fedn__reducer_combiner *combiner = NULL;

    for (uint32_t i = 0; (combiner = fedn__reducer_engine_combiner(call->service->engine, i));
         i++) {
        fedn__tier_link *link = fedn__tier_find(call->service->tier, combiner);
        if (!link || !combiner->attachment || combiner->active == 0)
            continue;
        send_task(call, link);
        call->clients += combiner->active;
    }
}

uint32_t fedn__service_predict(fedn__reducer_service *service, const char *prediction_id,
                               const char *model_id)
{
    predicting call = {service, prediction_id, model_id, 0};

    fedn__loop_call(service->loop, do_predict, &call);
    return call.clients;
}
