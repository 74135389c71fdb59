/* SPDX-License-Identifier: Apache-2.0
 * Orders to combiners: to begin a round, to end it, to validate a model. */
#include "roles/reducer/orders.h"

#include "core/alloc.h"
#include "roles/reducer/ledger.h"
#include "roles/reducer/pace.h"
#include "roles/reducer/plan.h"

/* Orders of one round that wait for the record of who was asked. */
struct fedn__asking {
    fedn__reducer_service *service;
    uint64_t round;
    uint32_t count;
    const fedn__reducer_combiner *combiners[];
};

static void complain(const fedn__reducer_service *service, const fedn__reducer_combiner *combiner)
{
    fedn__log_write(service->log, FEDN_LOG_ERROR, "reducer",
                    "combiner %s is not asked: out of memory", combiner->name);
}

static char **selected_clients(const json_t *ids, size_t *ret_count)
{
    char **list = fedn__alloc_array(json_array_size(ids) + 1, sizeof *list);
    const json_t *id = NULL;
    size_t i = 0;

    *ret_count = list ? json_array_size(ids) : 0;
    json_array_foreach(ids, i, id)
    {
        if (list)
            list[i] = (char *)(uintptr_t)json_string_value(id);
    }
    return list;
}

static void send_start(fedn__reducer_service *service, const fedn__reducer_combiner *combiner,
                       const fedn__reducer_round *round)
{
    const fedn__course *course = &service->course;
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);
    const json_t *config = json_object_get(course->session, "session_config");
    fedn__tier_link *link = fedn__tier_find(service->tier, combiner);
    Fedn__Tier__V1__RoundStart start = FEDN__TIER__V1__ROUND_START__INIT;
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;
    char id[FEDN__ROUND_ID_TEXT];
    char *recent[FEDN__LIMIT_STALENESS + 1];
    char *kwargs = fedn__plan_kwargs(config);

    fedn__trail_round_id(round->id, id);
    start.session_id = (char *)(uintptr_t)session->session_id;
    start.round_id = id;
    start.model_id = (char *)(uintptr_t)round->model_id;
    start.aggregator = (char *)(uintptr_t)fedn__json_string(config, "aggregator", "fedavg");
    start.aggregator_kwargs = kwargs;
    start.clients_required = session->clients_required;
    start.buffer_size = (int32_t)fedn__json_integer(config, "buffer_size", -1);
    start.round_timeout_ms =
        (uint32_t)(session->round_timeout_ms < UINT32_MAX ? session->round_timeout_ms : UINT32_MAX);
    fedn__pace_fill(course, config, recent, &start);
    start.selected_clients = selected_clients(course->client_ids, &start.n_selected_clients);
    start.helper_type = (char *)(uintptr_t)fedn__json_string(config, "helper_type", "");
    start.server_functions = (char *)(uintptr_t)fedn__json_string(config, "server_functions", "");
    start.round_config = course->task_text;
    down.body_case = FEDN__TIER__V1__DOWN__BODY_START;
    down.start = &start;
    /* without memory for the message the round goes on without this combiner, at its time-out */
    if (kwargs && start.selected_clients && course->task_text)
        fedn__tier_send(link, &down);
    else
        complain(service, combiner);
    fedn__free(start.selected_clients);
    fedn__free(kwargs);
}

void fedn__orders_cancel(fedn__reducer_service *service, const fedn__reducer_action *action)
{
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);
    Fedn__Tier__V1__RoundCancel cancel = FEDN__TIER__V1__ROUND_CANCEL__INIT;
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;
    char id[FEDN__ROUND_ID_TEXT];

    fedn__trail_round_id(action->round_id, id);
    cancel.session_id = (char *)(uintptr_t)session->session_id;
    cancel.round_id = id;
    cancel.reason = (char *)(uintptr_t)action->text;
    down.body_case = FEDN__TIER__V1__DOWN__BODY_CANCEL;
    down.cancel = &cancel;
    fedn__tier_send(fedn__tier_find(service->tier, action->combiner), &down);
}

void fedn__orders_validate(fedn__reducer_service *service, const fedn__reducer_action *action)
{
    const fedn__reducer_session *session = fedn__reducer_engine_session(service->engine);
    Fedn__Tier__V1__ModelTask task = FEDN__TIER__V1__MODEL_TASK__INIT;
    Fedn__Tier__V1__Down down = FEDN__TIER__V1__DOWN__INIT;
    char id[FEDN__ROUND_ID_TEXT];

    fedn__trail_round_id(action->round->id, id);
    task.session_id = (char *)(uintptr_t)session->session_id;
    task.round_id = id;
    task.model_id = (char *)(uintptr_t)action->text;
    task.type = 4; /* fedn.StatusType.MODEL_VALIDATION */
    task.selected_clients = selected_clients(service->course.client_ids, &task.n_selected_clients);
    down.body_case = FEDN__TIER__V1__DOWN__BODY_TASK;
    down.task = &task;
    fedn__tier_send(fedn__tier_find(service->tier, action->combiner), &down);
    fedn__free(task.selected_clients);
}

/* ---- who was asked is recorded before they are told ---- */

static int32_t is_asked(const fedn__reducer_round *round, const fedn__reducer_combiner *combiner)
{
    for (uint32_t i = 0; i < round->count; i++)
        if (round->parts[i].combiner == combiner)
            return round->parts[i].state == FEDN__PART_ASKED;
    return 0;
}

static void on_recorded(void *user_data, fedn_status status, const fedn_error *err)
{
    struct fedn__asking *asking = user_data;
    fedn__reducer_service *service = asking->service;
    const fedn__reducer_round *round = fedn__reducer_engine_round(service->engine);

    if (status != FEDN_OK)
        fedn__log_write(service->log, FEDN_LOG_ERROR, "reducer",
                        "round %llu: combiners are not asked: %s",
                        (unsigned long long)asking->round, err->message);
    for (uint32_t i = 0; status == FEDN_OK && !service->stopping && i < asking->count; i++)
        if (round && round->id == asking->round && is_asked(round, asking->combiners[i]))
            send_start(service, asking->combiners[i], round);
    fedn__free(asking);
}

void fedn__orders_start(fedn__reducer_service *service, const fedn__reducer_action *action)
{
    struct fedn__asking *asking = service->asking;
    uint32_t count = asking ? asking->count : 0;

    asking = fedn__realloc_array(
        asking, sizeof *asking + ((uint64_t)count + 1) * sizeof asking->combiners[0], 1);
    if (!asking) {
        complain(service, action->combiner);
        return;
    }
    asking->service = service;
    asking->round = action->round->id;
    asking->count = count;
    asking->combiners[asking->count++] = action->combiner;
    service->asking = asking;
}

void fedn__orders_flush(fedn__reducer_service *service)
{
    struct fedn__asking *asking = service->asking;
    const fedn__reducer_round *round = fedn__reducer_engine_round(service->engine);
    int32_t open = round && round->state <= FEDN__ROUND_RUNNING;
    int32_t opened = open && service->opened == round->id;
    fedn__ticket *ticket = NULL;

    service->asking = NULL;
    service->opened = 0;
    if (asking && !(open && round->id == asking->round)) {
        fedn__free(asking);
        asking = NULL;
    }
    if (!asking && !opened)
        return;
    ticket = fedn__ticket_new(asking ? on_recorded : NULL, asking);
    if (!ticket)
        fedn__free(asking);
    if (opened)
        fedn__ledger_session(service, ticket, round->model_id, round, 0);
    fedn__ledger_round(service, ticket, round, round->state);
    fedn__recorder_submit(service->recorder, ticket);
}
