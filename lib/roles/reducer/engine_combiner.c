/* SPDX-License-Identifier: Apache-2.0
 * The reducer's engine: combiners come, say how many clients they have, and go. */
#include "roles/reducer/engine_state.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/text.h"
#include <stdio.h>
#include <string.h>

#define RESTARTS_MOST 10 /* of one combiner, that prolong a round */

static void act_on(fedn__reducer_engine *engine, int32_t type,
                   const fedn__reducer_combiner *combiner)
{
    fedn__reducer_act(engine, type)->combiner = combiner;
}

fedn__reducer_combiner *fedn__reducer_find(const fedn__reducer_engine *engine, const char *name)
{
    for (uint32_t i = 0; i < engine->combiner_count; i++)
        if (strcmp(engine->combiners[i]->name, name) == 0)
            return engine->combiners[i];
    return NULL;
}

static fedn_status check_hello(fedn__reducer_engine *engine, const fedn__reducer_hello *hello,
                               fedn_error *err)
{
    const fedn__reducer_combiner *known;

    if (hello->protocol != FEDN__TIER_PROTOCOL)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "combiner speaks tier protocol %u, this reducer %d: update the older",
                           (unsigned)hello->protocol, FEDN__TIER_PROTOCOL);
    if (!fedn__text_is_name(hello->name, FEDN__LIMIT_NAME_BYTES))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "combiner name \"%.64s\" is not 1..%d letters, digits, _ and -",
                           hello->name, FEDN__LIMIT_NAME_BYTES);
    if (!fedn__text_is_name(hello->combiner_id, FEDN__LIMIT_ID_BYTES) ||
        !fedn__text_is_name(hello->link_id, FEDN__LIMIT_ID_BYTES))
        return fedn__error(err, FEDN_ERR_INVALID,
                           "combiner %s: combiner_id or link_id is not 1..%d letters, digits, _ "
                           "and -",
                           hello->name, FEDN__LIMIT_ID_BYTES);
    known = fedn__reducer_find(engine, hello->name);
    if (known && known->attachment && strcmp(known->combiner_id, hello->combiner_id) != 0)
        return fedn__error(err, FEDN_ERR_EXISTS,
                           "a combiner named %s is attached already: set combiner.name to another",
                           hello->name);
    if (!known && engine->combiner_count >= FEDN__LIMIT_COMBINERS)
        return fedn__error(err, FEDN_ERR_LIMIT, "%d combiners are known already",
                           FEDN__LIMIT_COMBINERS);
    return FEDN_OK;
}

fedn_status fedn__reducer_know(fedn__reducer_engine *engine, const char *name,
                               fedn__reducer_combiner **ret)
{
    fedn__reducer_combiner **list = NULL;

    *ret = fedn__reducer_find(engine, name);
    if (*ret)
        return FEDN_OK;
    list = fedn__realloc_array(engine->combiners, (uint64_t)engine->combiner_count + 1,
                               sizeof(void *));
    if (!list)
        return FEDN_ERR_NOMEM;
    engine->combiners = list;
    *ret = fedn__alloc_zero(sizeof **ret);
    if (!*ret)
        return FEDN_ERR_NOMEM;
    snprintf((*ret)->name, sizeof(*ret)->name, "%s", name);
    engine->combiners[engine->combiner_count++] = *ret;
    return FEDN_OK;
}

static int32_t holds(const fedn__reducer_hello *hello, uint64_t round)
{
    uint64_t held = 0;

    for (uint64_t i = 0; i < hello->held_count; i++)
        if (fedn__text_to_u64(hello->held[i], &held) && held == round)
            return 1;
    return 0;
}

/* While a round is being committed what its combiners hold of it is all that there is on disk. */
static int32_t is_wanted(fedn__reducer_engine *engine, const fedn__reducer_combiner *combiner,
                         uint64_t held)
{
    if (!engine->round || engine->round->id != held)
        return 0;
    if (engine->round->state == FEDN__ROUND_COMMITTING)
        return 1;
    const fedn__reducer_part *part = fedn__reducer_find_part(engine, combiner);
    return part && part->state != FEDN__PART_FAILED;
}

/* Rounds that nobody waits for any more. */
static void cancel_others(fedn__reducer_engine *engine, const fedn__reducer_combiner *combiner,
                          const fedn__reducer_hello *hello)
{
    uint64_t count = hello->held_count < HELD_MOST ? hello->held_count : HELD_MOST;
    uint64_t held = 0;

    for (uint64_t i = 0; i < count; i++) {
        if (!fedn__text_to_u64(hello->held[i], &held) || is_wanted(engine, combiner, held))
            continue;
        fedn__reducer_action *action = fedn__reducer_act(engine, FEDN__REDUCER_SEND_CANCEL);
        action->combiner = combiner;
        action->round_id = held;
        fedn__reducer_say(action->text, "the round is over");
    }
}

/* It numbers anew: orders on their way to it are lost, but what it holds it goes on with. */
static void meet(fedn__reducer_engine *engine, int64_t now_ms, fedn__reducer_combiner *combiner,
                 const fedn__reducer_hello *hello)
{
    fedn__reducer_part *part = fedn__reducer_find_part(engine, combiner);
    char text[FEDN__REASON_TEXT];

    combiner->active = 0;
    combiner->promised = 0;
    cancel_others(engine, combiner, hello);
    if (!part || part->state != FEDN__PART_ASKED)
        return;
    if (part->restarts++ >= RESTARTS_MOST) {
        fedn__reducer_say(text, "it was restarted %u times within the round",
                          (unsigned)part->restarts);
        fedn__reducer_fail_part(engine, part, text);
        return;
    }
    fedn__reducer_ask(engine, part, now_ms);
    part->told = holds(hello, engine->round->id);
}

fedn_status fedn__reducer_engine_attach(fedn__reducer_engine *engine, int64_t now_ms,
                                        const fedn__reducer_hello *hello,
                                        fedn__reducer_combiner **ret, int32_t *ret_resumed,
                                        fedn_error *err)
{
    fedn__reducer_combiner *combiner = NULL;
    fedn_status rc = check_hello(engine, hello, err);

    *ret = NULL;
    if (rc != FEDN_OK)
        return rc;
    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return fedn__error_nomem(err);
    if (fedn__reducer_know(engine, hello->name, &combiner) != FEDN_OK)
        return fedn__error_nomem(err);
    *ret_resumed = strcmp(combiner->link_id, hello->link_id) == 0;
    snprintf(combiner->combiner_id, sizeof combiner->combiner_id, "%s", hello->combiner_id);
    snprintf(combiner->link_id, sizeof combiner->link_id, "%s", hello->link_id);
    combiner->attachment = ++engine->attachments;
    combiner->patient_ms = 0;
    combiner->max_clients = hello->max_clients;
    if (!*ret_resumed)
        meet(engine, now_ms, combiner, hello);
    act_on(engine, FEDN__REDUCER_COMBINER_CHANGED, combiner);
    fedn__reducer_advance(engine, now_ms);
    *ret = combiner;
    return FEDN_OK;
}

fedn_status fedn__reducer_engine_detach(fedn__reducer_engine *engine, int64_t now_ms,
                                        fedn__reducer_combiner *combiner, uint64_t attachment)
{
    if (combiner->attachment != attachment)
        return FEDN_OK;
    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    combiner->attachment = 0;
    combiner->gone_ms = now_ms;
    act_on(engine, FEDN__REDUCER_COMBINER_CHANGED, combiner);
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

fedn_status fedn__reducer_engine_roster(fedn__reducer_engine *engine, int64_t now_ms,
                                        fedn__reducer_combiner *combiner, uint32_t active)
{
    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    combiner->promised = 0;
    if (combiner->active != active) {
        combiner->active = active;
        act_on(engine, FEDN__REDUCER_COMBINER_CHANGED, combiner);
    }
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

static int32_t accepts(const fedn__reducer_combiner *combiner)
{
    return combiner->attachment &&
           (combiner->max_clients == 0 || combiner->active < combiner->max_clients);
}

fedn__reducer_combiner *fedn__reducer_engine_choose(fedn__reducer_engine *engine,
                                                    const char *preferred)
{
    fedn__reducer_combiner *best = preferred ? fedn__reducer_find(engine, preferred) : NULL;

    if (!best || !accepts(best)) {
        best = NULL;
        for (uint32_t i = 0; i < engine->combiner_count; i++) {
            fedn__reducer_combiner *combiner = engine->combiners[i];
            if (accepts(combiner) && (!best || (uint64_t)combiner->active + combiner->promised <
                                                   (uint64_t)best->active + best->promised))
                best = combiner;
        }
    }
    if (best)
        best->promised++;
    return best;
}
