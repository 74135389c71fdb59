/* SPDX-License-Identifier: Apache-2.0
 * The client's rules about an update that is trained and not delivered yet: it outlives the process
 * and its combiner, and answers its task when that comes again. */
#include "roles/client/engine_state.h"

#include <stdio.h>
#include <string.h>

int32_t fedn__client_has_update(const fedn__client_engine *engine)
{
    return engine->current && engine->current->type == FEDN_TASK_TRAIN && !engine->failed &&
           !engine->cancelled && engine->phase >= PHASE_NEED_UPLOAD;
}

static void deliver_anew(fedn__client_engine *engine)
{
    engine->phase = PHASE_NEED_UPLOAD;
    engine->uploads = 1;
    engine->tries = 0;
    engine->retry_at = INT64_MIN;
}

void fedn__client_engine_kept(fedn__client_engine *engine, fedn__order *order, const char *target)
{
    engine->current = order;
    engine->cancelled = 0;
    engine->failed = 0;
    engine->again = 0;
    engine->announced = 1; /* as far as we know */
    /* the reducer may name another combiner than the one that gave the task */
    engine->moved = engine->direct && strcmp(engine->target, target) != 0;
    if (!engine->direct)
        snprintf(engine->target, sizeof engine->target, "%s", target);
    deliver_anew(engine);
    fedn__client_note(engine, FEDN_LOG_INFO,
                      "the update of round %s was trained by an earlier run and is delivered now",
                      order->round_id);
}

void fedn__client_move_update(fedn__client_engine *engine)
{
    engine->moved = 1;
    deliver_anew(engine);
    fedn__client_note(engine, FEDN_LOG_INFO, "the update of round %s goes to the new combiner",
                      engine->current->round_id);
}

static void swap(char **a, char **b)
{
    char *kept = *a;

    *a = *b;
    *b = kept;
}

int32_t fedn__client_answers_already(fedn__client_engine *engine, fedn__order *newer)
{
    fedn__order *order = engine->current;

    if (!fedn__client_has_update(engine) || newer->fault || newer->type != FEDN_TASK_TRAIN ||
        strcmp(order->session_id, newer->session_id) != 0 ||
        strcmp(order->round_id, newer->round_id) != 0 ||
        strcmp(order->model_id, newer->model_id) != 0)
        return 0;
    fedn__client_remember(engine, order); /* the answer may be out under the old one */
    swap(&order->correlation_id, &newer->correlation_id);
    swap(&order->combiner, &newer->combiner);
    order->inline_bytes = newer->inline_bytes;
    engine->moved = 0;
    engine->again = engine->phase == PHASE_ANSWERING; /* a refusal of it is none of the new one */
    fedn__client_note(engine, FEDN_LOG_INFO,
                      "the task of round %s came again and is answered by the update of before",
                      order->round_id);
    return 1;
}
