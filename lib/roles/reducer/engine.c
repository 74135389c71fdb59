/* SPDX-License-Identifier: Apache-2.0
 * The reducer's events and actions: combiners come and go, report; a session is started, stopped.
 */
#include "roles/reducer/engine_state.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/text.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *fedn__session_status(int32_t status)
{
    static const char *const names[] = {"Created", "Started", "Finished", "Terminated", "Failed"};
    return names[status];
}

const char *fedn__round_status(int32_t state)
{
    static const char *const names[] = {"Pending",  "Running", "Success",
                                        "Finished", "Failed",  "Terminated"};
    return names[state];
}

void fedn__reducer_say(char text[FEDN__REASON_TEXT], const char *format, ...)
{
    char line[FEDN__REASON_TEXT]; /* an argument may be the text itself */
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    memcpy(text, line, sizeof line);
}

fedn_status fedn__reducer_engine_new(const fedn__reducer_settings *settings,
                                     fedn__reducer_engine **ret, fedn_error *err)
{
    *ret = fedn__alloc_zero(sizeof **ret);
    if (!*ret)
        return fedn__error_nomem(err);
    (*ret)->settings = *settings;
    (*ret)->next_round = settings->first_round;
    return FEDN_OK;
}

void fedn__reducer_engine_free(fedn__reducer_engine *engine)
{
    if (!engine)
        return;
    for (uint32_t i = 0; i < engine->combiner_count; i++)
        fedn__free(engine->combiners[i]);
    fedn__free(engine->combiners);
    fedn__free(engine->round);
    fedn__free(engine->ended);
    fedn__free(engine->spare);
    fedn__free(engine->actions);
    fedn__free(engine);
}

/* Actions that nobody has taken yet stay, in order. */
static fedn_status grow_actions(fedn__reducer_engine *engine, uint64_t room)
{
    uint64_t capacity = engine->action_count + room;

    if (engine->action_capacity >= capacity)
        return FEDN_OK;
    fedn__reducer_action *actions = fedn__alloc_array(capacity, sizeof *actions);
    if (!actions)
        return FEDN_ERR_NOMEM;
    for (uint64_t i = 0; i < engine->action_count; i++)
        actions[i] = engine->actions[(engine->action_first + i) % engine->action_capacity];
    fedn__free(engine->actions);
    engine->actions = actions;
    engine->action_capacity = capacity;
    engine->action_first = 0;
    return FEDN_OK;
}

static fedn_status grow_round(fedn__reducer_round **round, uint32_t capacity)
{
    if (*round && (*round)->capacity >= capacity)
        return FEDN_OK;
    capacity += capacity / 2 + 4;
    uint64_t bytes = sizeof **round + (uint64_t)capacity * sizeof(fedn__reducer_part);
    fedn__reducer_round *grown =
        *round ? fedn__realloc_array(*round, bytes, 1) : fedn__alloc_zero(bytes);
    if (!grown)
        return FEDN_ERR_NOMEM;
    grown->capacity = capacity;
    *round = grown;
    return FEDN_OK;
}

fedn_status fedn__reducer_prepare(fedn__reducer_engine *engine)
{
    uint32_t combiners = engine->combiner_count + 1; /* one may come with the event */
    fedn_status rc = grow_round(&engine->spare, combiners);

    if (rc == FEDN_OK && engine->round && engine->round->state == FEDN__ROUND_WAITING)
        rc = grow_round(&engine->round, combiners);
    if (rc == FEDN_OK)
        rc = grow_actions(engine, 16 + 4 * (uint64_t)combiners);
    return rc;
}

fedn__reducer_action *fedn__reducer_act(fedn__reducer_engine *engine, int32_t type)
{
    assert(engine->action_count < engine->action_capacity);
    fedn__reducer_action *action =
        &engine->actions[(engine->action_first + engine->action_count++) % engine->action_capacity];
    memset(action, 0, sizeof *action);
    action->type = type;
    return action;
}

int32_t fedn__reducer_engine_next(fedn__reducer_engine *engine, fedn__reducer_action *ret)
{
    if (engine->action_count == 0)
        return 0;
    *ret = engine->actions[engine->action_first];
    engine->action_first = (engine->action_first + 1) % engine->action_capacity;
    engine->action_count--;
    return 1;
}

static void act_on(fedn__reducer_engine *engine, int32_t type,
                   const fedn__reducer_combiner *combiner)
{
    fedn__reducer_act(engine, type)->combiner = combiner;
}

static fedn__reducer_combiner *find(const fedn__reducer_engine *engine, const char *name)
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
    known = find(engine, hello->name);
    if (known && known->attachment && strcmp(known->combiner_id, hello->combiner_id) != 0)
        return fedn__error(err, FEDN_ERR_EXISTS,
                           "a combiner named %s is attached already: set combiner.name to another",
                           hello->name);
    if (!known && engine->combiner_count >= FEDN__LIMIT_COMBINERS)
        return fedn__error(err, FEDN_ERR_LIMIT, "%d combiners are known already",
                           FEDN__LIMIT_COMBINERS);
    return FEDN_OK;
}

/* Room for one more; the new one is not in the list yet. */
static fedn_status new_combiner(fedn__reducer_engine *engine, fedn__reducer_combiner **ret)
{
    fedn__reducer_combiner **list = fedn__realloc_array(
        engine->combiners, (uint64_t)engine->combiner_count + 1, sizeof(void *));

    if (!list)
        return FEDN_ERR_NOMEM;
    engine->combiners = list;
    *ret = fedn__alloc_zero(sizeof **ret);
    return *ret ? FEDN_OK : FEDN_ERR_NOMEM;
}

static int32_t holds(const fedn__reducer_hello *hello, uint64_t round)
{
    uint64_t held = 0;

    for (uint64_t i = 0; i < hello->held_count; i++)
        if (fedn__text_to_u64(hello->held[i], &held) && held == round)
            return 1;
    return 0;
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
    combiner = find(engine, hello->name);
    if (!combiner) {
        if (new_combiner(engine, &combiner) != FEDN_OK)
            return fedn__error_nomem(err);
        engine->combiners[engine->combiner_count++] = combiner;
        snprintf(combiner->name, sizeof combiner->name, "%s", hello->name);
    }
    *ret_resumed = strcmp(combiner->link_id, hello->link_id) == 0;
    snprintf(combiner->combiner_id, sizeof combiner->combiner_id, "%s", hello->combiner_id);
    snprintf(combiner->link_id, sizeof combiner->link_id, "%s", hello->link_id);
    combiner->attachment = ++engine->attachments;
    combiner->patient_ms = 0;
    combiner->max_clients = hello->max_clients;
    if (!*ret_resumed) {
        fedn__reducer_part *part = fedn__reducer_find_part(engine, combiner);
        combiner->active = 0;
        combiner->promised = 0;
        if (part && part->state == FEDN__PART_ASKED && !holds(hello, engine->round->id))
            fedn__reducer_fail_part(engine, part, "it was restarted and lost the round");
    }
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

static void take_counts(fedn__reducer_engine *engine, fedn__reducer_part *part,
                        const fedn__reducer_report *report)
{
    part->expected = report->expected;
    part->accepted = report->accepted;
    part->refused = report->refused;
    part->failed = report->failed;
    fedn__reducer_act(engine, FEDN__REDUCER_ROUND_CHANGED)->round = engine->round;
}

fedn_status fedn__reducer_engine_progress(fedn__reducer_engine *engine, int64_t now_ms,
                                          fedn__reducer_combiner *combiner,
                                          const fedn__reducer_report *report)
{
    fedn__reducer_part *part = fedn__reducer_find_part(engine, combiner);

    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    if (part && report->round == engine->round->id && part->state == FEDN__PART_ASKED)
        take_counts(engine, part, report);
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

fedn_status fedn__reducer_engine_upload(fedn__reducer_engine *engine, int64_t now_ms,
                                        fedn__reducer_combiner *combiner, int32_t running)
{
    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    combiner->patient_ms = running ? INT64_MAX : now_ms + engine->settings.grace_ms;
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

fedn_status fedn__reducer_engine_report(fedn__reducer_engine *engine, int64_t now_ms,
                                        fedn__reducer_combiner *combiner,
                                        const fedn__reducer_report *report, int32_t *ret_taken)
{
    fedn__reducer_part *part = fedn__reducer_find_part(engine, combiner);

    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    *ret_taken = part && report->round == engine->round->id && part->state == FEDN__PART_ASKED;
    if (!*ret_taken) {
        if (report->partial_id[0])
            fedn__reducer_say(fedn__reducer_act(engine, FEDN__REDUCER_DROP)->text, "%s",
                              report->partial_id);
        return FEDN_OK;
    }
    take_counts(engine, part, report);
    part->reported = 1;
    if (report->partial_id[0]) {
        fedn__reducer_action *action = fedn__reducer_act(engine, FEDN__REDUCER_MERGE);
        part->state = FEDN__PART_MERGING;
        snprintf(part->partial_id, sizeof part->partial_id, "%s", report->partial_id);
        fedn__reducer_say(part->error, "%s", report->error);
        action->part = (uint32_t)(part - engine->round->parts);
        action->round = engine->round;
        fedn__reducer_say(action->text, "%s", part->partial_id);
    } else {
        fedn__reducer_fail_part(engine, part,
                                report->error[0] ? report->error : "no update was accepted");
    }
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

fedn_status fedn__reducer_engine_merged(fedn__reducer_engine *engine, int64_t now_ms, uint64_t id,
                                        uint32_t index, fedn_status status, const char *text)
{
    fedn__reducer_round *round = engine->round;

    if (!round || round->id != id || round->state != FEDN__ROUND_RUNNING || index >= round->count ||
        round->parts[index].state != FEDN__PART_MERGING)
        return FEDN_OK;
    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    if (status == FEDN_OK)
        round->parts[index].state = FEDN__PART_MERGED;
    else
        fedn__reducer_fail_part(engine, &round->parts[index], text);
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

static void validate(fedn__reducer_engine *engine)
{
    for (uint32_t i = 0; engine->session.validate && i < engine->combiner_count; i++) {
        fedn__reducer_combiner *combiner = engine->combiners[i];
        if (!combiner->attachment || combiner->active == 0)
            continue;
        fedn__reducer_action *action = fedn__reducer_act(engine, FEDN__REDUCER_SEND_VALIDATE);
        action->combiner = combiner;
        action->round = engine->ended;
        fedn__reducer_say(action->text, "%s", engine->session.model_id);
    }
}

fedn_status fedn__reducer_engine_committed(fedn__reducer_engine *engine, int64_t now_ms,
                                           uint64_t id, fedn_status status, const char *model_id,
                                           const char *text)
{
    fedn__reducer_round *round = engine->round;

    if (!round || round->id != id || round->state != FEDN__ROUND_COMMITTING)
        return FEDN_OK;
    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    if (status == FEDN_OK) {
        snprintf(round->model_id, sizeof round->model_id, "%s", model_id);
        snprintf(engine->session.model_id, sizeof engine->session.model_id, "%s", model_id);
        fedn__reducer_end_round(engine, now_ms, FEDN__ROUND_FINISHED, "");
        validate(engine);
    } else {
        fedn__reducer_end_round(engine, now_ms, FEDN__ROUND_FAILED, text);
    }
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

fedn_status fedn__reducer_engine_start(fedn__reducer_engine *engine, int64_t now_ms,
                                       const fedn__reducer_session *session, fedn_error *err)
{
    if (engine->session.status == FEDN__SESSION_STARTED)
        return fedn__error(err, FEDN_ERR_STATE, "A session is already running!");
    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return fedn__error_nomem(err);
    engine->session = *session;
    engine->session.status = FEDN__SESSION_STARTED;
    engine->session.stopping = 0;
    engine->session.opened = 0;
    engine->session.done = 0;
    engine->session.failures = 0;
    engine->session.message[0] = 0;
    fedn__reducer_act(engine, FEDN__REDUCER_SESSION_CHANGED);
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

fedn_status fedn__reducer_engine_stop(fedn__reducer_engine *engine, int64_t now_ms,
                                      const char *session_id, const char *why)
{
    if (engine->session.status != FEDN__SESSION_STARTED ||
        strcmp(engine->session.session_id, session_id) != 0)
        return FEDN_ERR_NOT_FOUND;
    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    engine->session.stopping = 1;
    fedn__reducer_say(engine->session.message, "%s", why);
    if (engine->round->state != FEDN__ROUND_COMMITTING) {
        fedn__reducer_cancel_parts(engine, INT64_MAX, why);
        fedn__reducer_end_round(engine, now_ms, FEDN__ROUND_TERMINATED, why);
        fedn__reducer_end_session(engine, FEDN__SESSION_TERMINATED, why);
    }
    return FEDN_OK;
}

fedn_status fedn__reducer_engine_tick(fedn__reducer_engine *engine, int64_t now_ms)
{
    if (fedn__reducer_prepare(engine) != FEDN_OK)
        return FEDN_ERR_NOMEM;
    fedn__reducer_advance(engine, now_ms);
    return FEDN_OK;
}

int64_t fedn__reducer_engine_deadline(const fedn__reducer_engine *engine)
{
    const fedn__reducer_round *round = engine->round;
    int64_t deadline = INT64_MAX;

    if (!round || round->state == FEDN__ROUND_COMMITTING)
        return deadline;
    if (round->state == FEDN__ROUND_WAITING)
        return round->deadline_ms;
    for (uint32_t i = 0; i < round->count; i++) {
        const fedn__reducer_part *part = &round->parts[i];
        int64_t due =
            part->state == FEDN__PART_ASKED ? fedn__reducer_part_due(engine, part) : INT64_MAX;
        deadline = due < deadline ? due : deadline;
    }
    return deadline;
}

static int32_t accepts(const fedn__reducer_combiner *combiner)
{
    return combiner->attachment &&
           (combiner->max_clients == 0 || combiner->active < combiner->max_clients);
}

fedn__reducer_combiner *fedn__reducer_engine_choose(fedn__reducer_engine *engine,
                                                    const char *preferred)
{
    fedn__reducer_combiner *best = preferred ? find(engine, preferred) : NULL;

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

const fedn__reducer_session *fedn__reducer_engine_session(const fedn__reducer_engine *engine)
{
    return &engine->session;
}

const fedn__reducer_round *fedn__reducer_engine_round(const fedn__reducer_engine *engine)
{
    return engine->round ? engine->round : engine->ended;
}

fedn__reducer_combiner *fedn__reducer_engine_combiner(const fedn__reducer_engine *engine,
                                                      uint32_t index)
{
    return index < engine->combiner_count ? engine->combiners[index] : NULL;
}

int32_t fedn__reducer_engine_is_running(const fedn__reducer_engine *engine)
{
    return engine->session.status == FEDN__SESSION_STARTED;
}
