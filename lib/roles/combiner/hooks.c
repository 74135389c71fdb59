/* SPDX-License-Identifier: Apache-2.0
 * The hooks service, asked: questions, their calls, and calls that are made again. */
#include "roles/combiner/hooks_state.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/text.h"
#include <stdio.h>
#include <string.h>

#define DEADLINE_MS  INT64_C(120000)
#define AGGREGATE_MS INT64_C(600000)
#define TRIES        3
#define FIRST_NS     INT64_C(250000000) /* pause before the second try; it doubles */

fedn_status fedn__hooks_new(fedn__loop *loop, fedn__pool *pool, const fedn__hooks_options *options,
                            const fedn__hooks_events *events, void *user_data, fedn__hooks **ret,
                            fedn_error *err)
{
    const fedn__channel_options channel = {.target = options->target};
    fedn__hooks *hooks = fedn__alloc_zero(sizeof *hooks);

    *ret = NULL;
    if (!hooks)
        return fedn__error_nomem(err);
    hooks->loop = loop;
    hooks->pool = pool;
    hooks->options = *options;
    hooks->events = events;
    hooks->user_data = user_data;
    hooks->unclean = 1; /* an earlier process may have been killed */
    fedn_status rc = fedn__channel_new(loop, &channel, &hooks->channel, err);
    if (rc == FEDN_OK)
        *ret = hooks;
    else
        fedn__free(hooks);
    return rc;
}

void fedn__hooks_updates_free(fedn__hooks_update *updates, uint64_t count)
{
    for (uint64_t i = 0; updates && i < count; i++) {
        fedn__free(updates[i].client_id);
        fedn__free(updates[i].metadata);
    }
    fedn__free(updates);
}

static void talk_free(fedn__talk *talk)
{
    fedn__hooks *hooks = talk->hooks;

    if (talk->waits)
        fedn__loop_timer_cancel(hooks->loop, &talk->timer);
    if (hooks->present == talk)
        hooks->present = NULL;
    fedn__free(talk->code);
    fedn__blob_unref(talk->global);
    fedn__free(talk->client_ids);
    json_decref(talk->chosen);
    fedn__free(talk->ids);
    fedn__free(talk->settings);
    fedn__hooks_updates_free(talk->updates, talk->update_count);
    fedn__free(talk);
    if (hooks->freed && hooks->calls == 0 && !hooks->present)
        fedn__free(hooks);
}

/* What waits for a call is freed by its reply. */
void fedn__hooks_drop(fedn__hooks *hooks)
{
    fedn__talk *talk = hooks ? hooks->present : NULL;

    if (!talk)
        return;
    hooks->present = NULL;
    if (talk->waits)
        talk_free(talk);
    else if (talk->sending)
        fedn__hooks_send_cancel(talk->sending);
    else if (talk->receiving)
        fedn__hooks_receive_cancel(talk->receiving);
}

void fedn__hooks_free(fedn__hooks *hooks)
{
    if (!hooks)
        return;
    fedn__hooks_drop(hooks);
    fedn__channel_free(hooks->channel);
    hooks->freed = 1;
    if (hooks->calls == 0)
        fedn__free(hooks);
}

void fedn__talk_end(fedn__talk *talk, const char *error, fedn__blob *model)
{
    fedn__hooks *hooks = talk->hooks;
    const char *note = talk->note[0] ? talk->note : NULL;
    const fedn__hooks_answer answer = {.error = error,
                                       .note = note,
                                       .ids = talk->ids,
                                       .count = talk->count,
                                       .settings = talk->settings,
                                       .aggregates = (talk->has & HAS_AGGREGATE) != 0};

    hooks->present = NULL; /* the answer may lead to another question */
    hooks->calls++;        /* and must not lead to the end of `hooks` */
    if (talk->merges)
        hooks->events->merged(talk->key, model, error ? error : note, hooks->user_data);
    else
        hooks->events->chosen(talk->key, &answer, hooks->user_data);
    hooks->calls--;
    talk_free(talk);
}

static void on_timer(fedn__timer *timer, void *user_data)
{
    fedn__talk *talk = user_data;

    (void)timer;
    talk->waits = 0;
    talk->step(talk);
}

int32_t fedn__talk_again(fedn__talk *talk, int32_t rpc, int32_t same)
{
    int32_t may = rpc == FEDN__RPC_UNAVAILABLE || rpc == FEDN__RPC_DEADLINE_EXCEEDED ||
                  rpc == FEDN__RPC_FAILED_PRECONDITION;
    int64_t pause = FIRST_NS << talk->tries;

    talk->timer.fn = on_timer;
    talk->timer.user_data = talk;
    if (!may || ++talk->tries >= TRIES ||
        fedn__loop_timer_set(talk->hooks->loop, &talk->timer, fedn__clock_ns() + pause) != FEDN_OK)
        return 0;
    if (!same)
        talk->step = fedn__talk_begin_again;
    talk->waits = 1;
    return 1;
}

static void on_reply(const fedn__hooks_reply *reply, void *user_data)
{
    fedn__talk *talk = user_data;

    talk->hooks->calls--;
    talk->sending = NULL;
    talk->receiving = NULL;
    if (talk->hooks->present == talk)
        talk->done(talk, reply);
    else
        talk_free(talk);
}

static void on_unary(int32_t rpc, const char *details, const ProtobufCMessage *response,
                     void *user_data)
{
    const fedn__hooks_reply reply = {.rpc = rpc, .details = details, .message = response};

    on_reply(&reply, user_data);
}

static void started(fedn__talk *talk, fedn_status rc)
{
    const fedn__hooks_reply reply = {.rpc = FEDN__RPC_RESOURCE_EXHAUSTED,
                                     .details = "out of memory"};

    talk->hooks->calls++;
    if (rc != FEDN_OK)
        on_reply(&reply, talk);
}

void fedn__talk_unary(fedn__talk *talk, const char *path, const ProtobufCMessage *request,
                      const ProtobufCMessageDescriptor *response)
{
    const fedn__unary_options options = {.timeout_ms = DEADLINE_MS};

    started(talk, fedn__channel_unary(talk->hooks->channel, path, request, response, &options,
                                      on_unary, talk));
}

static fedn__hooks_wire wire_of(fedn__talk *talk, int64_t deadline_ms)
{
    const fedn__hooks *hooks = talk->hooks;

    return (fedn__hooks_wire){.loop = hooks->loop,
                              .pool = hooks->pool,
                              .channel = hooks->channel,
                              .deadline_ns = fedn__clock_ns() + deadline_ms * 1000000,
                              .fn = on_reply,
                              .user_data = talk};
}

void fedn__talk_send(fedn__talk *talk, const char *id, fedn__blob *model)
{
    const fedn__hooks_wire wire = wire_of(talk, DEADLINE_MS);

    started(talk, fedn__hooks_send(&wire, id, model, &talk->sending, NULL));
}

void fedn__talk_receive(fedn__talk *talk)
{
    const fedn__hooks_wire wire = wire_of(talk, AGGREGATE_MS);

    started(talk, fedn__hooks_receive(&wire, talk->hooks->options.dir,
                                      talk->hooks->options.max_bytes, &talk->receiving, NULL));
}

static fedn__talk *talk_new(fedn__hooks *hooks, const char *key, const char *code,
                            fedn__blob *global)
{
    fedn__talk *talk = fedn__alloc_zero(sizeof *talk);

    if (!talk)
        return NULL;
    talk->hooks = hooks;
    talk->code = fedn__strdup(code);
    talk->global = fedn__blob_ref(global);
    snprintf(talk->key, sizeof talk->key, "%s", key);
    if (talk->code)
        return talk;
    talk_free(talk);
    return NULL;
}

static void begin(fedn__talk *talk)
{
    fedn__hooks_drop(talk->hooks);
    talk->hooks->present = talk;
    fedn__talk_begin(talk);
}

fedn_status fedn__hooks_select(fedn__hooks *hooks, const char *model_id, const char *code,
                               const char *client_ids, fedn__blob *global)
{
    fedn__talk *talk = talk_new(hooks, model_id, code, global);

    if (!talk)
        return FEDN_ERR_NOMEM;
    talk->client_ids = fedn__strdup(client_ids);
    if (!talk->client_ids) {
        talk_free(talk);
        return FEDN_ERR_NOMEM;
    }
    begin(talk);
    return FEDN_OK;
}

fedn_status fedn__hooks_merge(fedn__hooks *hooks, const fedn__hooks_round *round)
{
    fedn__talk *talk = talk_new(hooks, round->round_id, round->code, round->global);

    if (!talk)
        return FEDN_ERR_NOMEM;
    talk->merges = 1;
    talk->updates = round->updates;
    talk->update_count = round->count;
    begin(talk);
    return FEDN_OK;
}
