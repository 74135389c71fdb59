/* SPDX-License-Identifier: Apache-2.0
 * The combiner's engine: whom a round asks, and how long it waits for the slow ones. */
#include "roles/combiner/engine_state.h"

#include "core/alloc.h"
#include <stdlib.h>
#include <string.h>

#define ENOUGH_TIMES 8 /* before them a quantile says nothing */

/* A lot is a number made of round and client (FNV-1a, then mixed): whoever draws again, after a
 * restart or in a simulation, draws the same. */
static uint64_t draw_lot(const char *round_id, const char *client_id)
{
    uint64_t hash = 14695981039346656037u;

    for (const char *c = round_id; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 1099511628211u;
    hash = (hash ^ '/') * 1099511628211u;
    for (const char *c = client_id; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 1099511628211u;
    hash = (hash ^ (hash >> 32)) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

static int by_lot(const void *a, const void *b)
{
    const fedn__participant *first = *(fedn__participant *const *)a;
    const fedn__participant *second = *(fedn__participant *const *)b;

    if (first->lot != second->lot)
        return first->lot < second->lot ? -1 : 1;
    return strcmp(first->id, second->id);
}

fedn_status fedn__combiner_state_choose(fedn__combiner_engine *engine,
                                        char text[FEDN__REASON_BYTES])
{
    const fedn__round_plan *plan = &engine->plan;
    uint32_t required = plan->clients_required ? plan->clients_required : 1;
    fedn__participant **idle = engine->asked;
    uint32_t count = 0;
    uint32_t busy = 0; /* with an earlier asynchronous round */
    uint32_t away = 0; /* its stream is cut, and not for long */

    for (fedn__participant *client = fedn__roster_oldest(&engine->roster); client;
         client = client->newer) {
        if (client->carried || client->parked)
            busy++;
        else if (client->online && fedn__selection_has(&plan->selected, client->id))
            idle[count++] = client;
        else
            away += fedn__selection_has(&plan->selected, client->id);
    }
    if (count + busy < required) {
        fedn__combiner_state_text(text, "%u active clients, clients_required is %u",
                                  (unsigned)(count + busy), (unsigned)required);
        return count + busy + away < required ? FEDN_ERR_NOT_FOUND : FEDN_ERR_UNAVAILABLE;
    }
    uint32_t most = plan->ask > required ? plan->ask : required;
    if (plan->ask && count > most) {
        for (uint32_t i = 0; i < count; i++)
            idle[i]->lot = draw_lot(plan->round_id, idle[i]->id);
        qsort(idle, count, sizeof(fedn__participant *), by_lot);
        count = most;
    }
    engine->asked_count = count;
    for (fedn__participant *client = fedn__roster_oldest(&engine->roster); busy && client;
         client = client->newer)
        if (client->carried)
            engine->asked[engine->asked_count++] = client;
    return FEDN_OK;
}

int32_t fedn__combiner_engine_may_ask(const fedn__combiner_engine *engine,
                                      const fedn__participant *client)
{
    return client->online && !client->carried && !client->parked &&
           fedn__selection_has(&engine->plan.selected, client->id);
}

const char *fedn__combiner_engine_functions(const fedn__combiner_engine *engine,
                                            const char *model_id)
{
    const fedn__round_plan *plan = &engine->plan;
    uint32_t required = plan->clients_required ? plan->clients_required : 1;
    uint32_t count = 0;

    if (engine->state != ROUND_FETCHING || engine->restored || !plan->server_functions ||
        strcmp(plan->model_id, model_id) != 0)
        return NULL;
    for (fedn__participant *client = fedn__roster_oldest(&engine->roster); client;
         client = client->newer)
        count += (uint32_t)fedn__combiner_engine_may_ask(engine, client);
    return count >= required ? plan->server_functions : NULL;
}

fedn_status fedn__combiner_engine_select(fedn__combiner_engine *engine, const char *model_id,
                                         const char *const *ids, uint64_t count)
{
    fedn__round_plan *plan = &engine->plan;
    fedn__selection selected;

    if (engine->state != ROUND_FETCHING || strcmp(plan->model_id, model_id) != 0)
        return FEDN_OK;
    fedn_status rc = fedn__selection_copy(ids, count, &selected);
    if (rc != FEDN_OK)
        return rc;
    fedn__selection_done(&plan->selected);
    plan->selected = selected;
    plan->ask = 0;
    if (plan->clients_required > count)
        plan->clients_required = (uint32_t)count;
    return FEDN_OK;
}

fedn_status fedn__combiner_engine_configure(fedn__combiner_engine *engine, const char *model_id,
                                            const char *config)
{
    fedn__round_plan *plan = &engine->plan;

    if (engine->state != ROUND_FETCHING || strcmp(plan->model_id, model_id) != 0)
        return FEDN_OK;
    char *copy = fedn__strdup(config);
    if (!copy)
        return FEDN_ERR_NOMEM;
    fedn__free(plan->config);
    plan->config = copy;
    return FEDN_OK;
}

void fedn__combiner_state_gather(fedn__combiner_engine *engine)
{
    if (engine->state == ROUND_FETCHING && engine->gathering)
        fedn__combiner_state_act(engine, FEDN__COMBINER_FETCH_MODEL)->text = engine->plan.model_id;
}

void fedn__combiner_state_time(fedn__combiner_engine *engine, const fedn__participant *client)
{
    int64_t took = client->answered_at_ms - client->asked_at_ms;

    if (took < 0 || took > UINT32_MAX)
        return;
    engine->times[engine->times_count++ % FEDN__TIMES] = (uint32_t)took;
}

static int by_number(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a;
    uint32_t second = *(const uint32_t *)b;

    return first < second ? -1 : first > second;
}

int64_t fedn__combiner_state_straggler(const fedn__combiner_engine *engine, int64_t now_ms)
{
    uint32_t count = engine->times_count < FEDN__TIMES ? engine->times_count : FEDN__TIMES;
    uint32_t sorted[FEDN__TIMES];

    if (engine->plan.straggler_quantile <= 0 || count < ENOUGH_TIMES)
        return INT64_MAX;
    memcpy(sorted, engine->times, count * sizeof sorted[0]);
    qsort(sorted, count, sizeof sorted[0], by_number);
    uint32_t place = (uint32_t)(engine->plan.straggler_quantile * (count - 1) + 0.5);
    double wait = sorted[place] * engine->plan.straggler_factor;
    return wait < (double)engine->plan.timeout_ms ? now_ms + (int64_t)wait + 1 : INT64_MAX;
}
