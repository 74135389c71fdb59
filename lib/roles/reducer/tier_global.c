/* SPDX-License-Identifier: Apache-2.0
 * The newest global model's id, for combiners that are asked for it. */
#include "roles/reducer/tier_state.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/owner.h"
#include "core/uuid.h"
#include "fedn.pb-c.h"
#include <stdio.h>

typedef struct asking {
    fedn__work work;
    fedn__store *store;
    fedn__call *call; /* NULL: the peer has gone */
    int32_t answered;
    char model_id[FEDN__UUID_TEXT]; /* "": none */
    fedn_status status;
    fedn_error err;
} asking;

static void on_work(fedn__work *work)
{
    asking *a = FEDN__OWNER(work, asking, work);
    const fedn__query query = {.limit = 1};
    json_t *found = NULL;

    a->status = fedn__store_list(a->store, FEDN__KIND_MODEL, &query, &found, NULL, &a->err);
    if (a->status == FEDN_OK)
        snprintf(a->model_id, sizeof a->model_id, "%s",
                 fedn__json_string(json_array_get(found, 0), "model_id", ""));
    json_decref(found);
}

static void answer(const asking *a)
{
    Fedn__GetGlobalModelResponse response = FEDN__GET_GLOBAL_MODEL_RESPONSE__INIT;
    Fedn__Client sender = FEDN__CLIENT__INIT;

    sender.role = FEDN__ROLE__REDUCER;
    sender.name = (char *)(uintptr_t) "reducer";
    response.sender = &sender;
    response.model_id = (char *)(uintptr_t)a->model_id;
    if (a->status != FEDN_OK)
        fedn__call_reject(a->call, FEDN__RPC_UNAVAILABLE, a->err.message);
    else if (!a->model_id[0])
        fedn__call_reject(a->call, FEDN__RPC_NOT_FOUND, "no model: push one to the reducer first");
    else
        fedn__call_reply(a->call, &response.base);
}

static void on_done(fedn__work *work)
{
    asking *a = FEDN__OWNER(work, asking, work);

    if (!a->call) {
        fedn__free(a);
        return;
    }
    a->answered = 1;
    answer(a);
}

static void on_closed(fedn__call *call, int32_t cancelled, void *user_data)
{
    asking *a = user_data;

    (void)call;
    (void)cancelled;
    a->call = NULL;
    if (a->answered)
        fedn__free(a);
}

void fedn__tier_global_model(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    static const fedn__call_events events = {.closed = on_closed};
    const fedn__tier *tier = service;
    asking *a = fedn__alloc_zero(sizeof *a);

    (void)request;
    if (!a) {
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE, "out of memory");
        return;
    }
    a->work.work = on_work;
    a->work.done = on_done;
    a->store = tier->options.store;
    a->call = call;
    fedn__call_set_events(call, &events, a);
    fedn__work_submit(&a->work, tier->options.loop, tier->options.pool, NULL);
}
