/* SPDX-License-Identifier: Apache-2.0
 * The hooks service, asked: which functions the source has, then which clients train. */
#include "roles/combiner/hooks.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/owner.h"
#include "core/text.h"
#include "core/uuid.h"
#include "fedn.pb-c.h"
#include "rpc/channel.h"
#include <stdio.h>
#include <string.h>

#define DEADLINE_MS INT64_C(120000)
#define TRIES       3
#define FIRST_NS    INT64_C(250000000) /* pause before the second try; it doubles */

typedef struct question {
    fedn__hooks *hooks;
    fedn__timer timer;
    int32_t waits;    /* for the timer */
    int32_t provided; /* it is known which functions there are */
    uint32_t tries;
    char model_id[FEDN__UUID_TEXT];
    char *code;
    char *client_ids;
} question;

struct fedn__hooks {
    fedn__loop *loop;
    fedn__channel *channel;
    fedn__hooks_fn fn;
    void *user_data;
    question *present; /* whose answer counts; NULL: none */
    uint32_t calls;    /* under way */
    int32_t freed;
};

fedn_status fedn__hooks_new(fedn__loop *loop, const char *target, fedn__hooks_fn fn,
                            void *user_data, fedn__hooks **ret, fedn_error *err)
{
    const fedn__channel_options options = {.target = target};
    fedn__hooks *hooks = fedn__alloc_zero(sizeof *hooks);

    *ret = NULL;
    if (!hooks)
        return fedn__error_nomem(err);
    hooks->loop = loop;
    hooks->fn = fn;
    hooks->user_data = user_data;
    fedn_status rc = fedn__channel_new(loop, &options, &hooks->channel, err);
    if (rc == FEDN_OK)
        *ret = hooks;
    else
        fedn__free(hooks);
    return rc;
}

static void question_free(question *q)
{
    fedn__hooks *hooks = q->hooks;

    if (q->waits)
        fedn__loop_timer_cancel(hooks->loop, &q->timer);
    if (hooks->present == q)
        hooks->present = NULL;
    fedn__free(q->code);
    fedn__free(q->client_ids);
    fedn__free(q);
    if (hooks->freed && hooks->calls == 0 && !hooks->present)
        fedn__free(hooks);
}

/* What waits for a call is freed by its answer. */
static void drop(question *q)
{
    q->hooks->present = NULL;
    if (q->waits)
        question_free(q);
}

void fedn__hooks_free(fedn__hooks *hooks)
{
    if (!hooks)
        return;
    if (hooks->present)
        drop(hooks->present);
    fedn__channel_free(hooks->channel);
    hooks->freed = 1;
    if (hooks->calls == 0)
        fedn__free(hooks);
}

static void answer(question *q, const fedn__hooks_answer *what)
{
    if (q->hooks->present == q)
        q->hooks->fn(q->model_id, what, q->hooks->user_data);
    question_free(q);
}

static void fall_back(question *q, const char *note)
{
    const fedn__hooks_answer what = {.note = note};

    answer(q, &what);
}

static void ask(question *q);

static void on_timer(fedn__timer *timer, void *user_data)
{
    question *q = user_data;

    (void)timer;
    q->waits = 0;
    ask(q);
}

/* The same call once more, or the combiner's own choice. */
static void try_again(question *q, int32_t rpc, const char *details)
{
    int32_t may = rpc == FEDN__RPC_UNAVAILABLE || rpc == FEDN__RPC_DEADLINE_EXCEEDED ||
                  rpc == FEDN__RPC_FAILED_PRECONDITION;
    int64_t pause = FIRST_NS << q->tries;
    char note[256];

    q->timer.fn = on_timer;
    q->timer.user_data = q;
    if (may && ++q->tries < TRIES &&
        fedn__loop_timer_set(q->hooks->loop, &q->timer, fedn__clock_ns() + pause) == FEDN_OK) {
        q->waits = 1;
        return;
    }
    snprintf(note, sizeof note, "the hooks service did not answer (%.150s): built-in choice",
             details ? details : "");
    fall_back(q, note);
}

/* One whose answer nobody waits for any more goes here. */
static int32_t is_stale(question *q)
{
    if (q->hooks->present == q)
        return 0;
    question_free(q);
    return 1;
}

static void on_selected(int32_t rpc, const char *details, const ProtobufCMessage *response,
                        void *user_data)
{
    question *q = user_data;
    const Fedn__ClientSelectionResponse *chosen = (const Fedn__ClientSelectionResponse *)response;
    json_t *ids = NULL;
    const char **texts = NULL;
    uint64_t count = 0;

    q->hooks->calls--;
    if (is_stale(q))
        return;
    if (rpc != FEDN__RPC_OK) {
        try_again(q, rpc, details);
        return;
    }
    if (fedn__json_parse(chosen->client_ids, strlen(chosen->client_ids), 1, "client_selection",
                         &ids, NULL) == FEDN_OK)
        texts = fedn__alloc_array(json_array_size(ids) + 1, sizeof *texts);
    for (size_t i = 0; texts && i < json_array_size(ids); i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        char *quoted = id ? fedn__strf("\"%s\"", id) : NULL;
        if (quoted && strstr(q->client_ids, quoted))
            texts[count++] = id;
        fedn__free(quoted);
    }
    const fedn__hooks_answer what = {
        .ids = texts,
        .count = count,
        .note = count ? NULL : "client_selection chose none of the clients: built-in choice"};
    answer(q, &what);
    fedn__free(texts);
    json_decref(ids);
}

static void on_provided(int32_t rpc, const char *details, const ProtobufCMessage *response,
                        void *user_data)
{
    question *q = user_data;
    const Fedn__ProvidedFunctionsResponse *has = (const Fedn__ProvidedFunctionsResponse *)response;
    fedn__hooks_answer what = {0};
    int32_t selects = 0;
    char error[160];

    q->hooks->calls--;
    if (is_stale(q))
        return;
    if (rpc != FEDN__RPC_OK) {
        try_again(q, rpc, details);
        return;
    }
    for (size_t i = 0; i < has->n_available_functions; i++) {
        if (!has->available_functions[i]->value)
            continue;
        if (strcmp(has->available_functions[i]->key, "client_selection") == 0) {
            selects = 1;
        } else {
            snprintf(error, sizeof error,
                     "this combiner runs no server function but client_selection, and the session "
                     "brings %.60s",
                     has->available_functions[i]->key);
            what.error = error;
        }
    }
    if (what.error || !selects) {
        answer(q, &what);
        return;
    }
    q->provided = 1;
    q->tries = 0;
    ask(q);
}

static void ask(question *q)
{
    const fedn__unary_options options = {.timeout_ms = DEADLINE_MS};
    Fedn__ProvidedFunctionsRequest code = FEDN__PROVIDED_FUNCTIONS_REQUEST__INIT;
    Fedn__ClientSelectionRequest choice = FEDN__CLIENT_SELECTION_REQUEST__INIT;

    code.function_code = q->code;
    choice.client_ids = q->client_ids;
    fedn_status rc =
        q->provided
            ? fedn__channel_unary(q->hooks->channel, "/fedn.FunctionService/HandleClientSelection",
                                  &choice.base, &fedn__client_selection_response__descriptor,
                                  &options, on_selected, q)
            : fedn__channel_unary(
                  q->hooks->channel, "/fedn.FunctionService/HandleProvidedFunctions", &code.base,
                  &fedn__provided_functions_response__descriptor, &options, on_provided, q);
    if (rc == FEDN_OK)
        q->hooks->calls++;
    else
        fall_back(q, "out of memory for the hooks service: built-in choice");
}

fedn_status fedn__hooks_select(fedn__hooks *hooks, const char *model_id, const char *code,
                               const char *client_ids)
{
    question *q = fedn__alloc_zero(sizeof *q);

    if (!q)
        return FEDN_ERR_NOMEM;
    q->hooks = hooks;
    q->code = fedn__strdup(code);
    q->client_ids = fedn__strdup(client_ids);
    if (!q->code || !q->client_ids) {
        question_free(q);
        return FEDN_ERR_NOMEM;
    }
    snprintf(q->model_id, sizeof q->model_id, "%s", model_id);
    if (hooks->present)
        drop(hooks->present);
    hooks->present = q;
    ask(q);
    return FEDN_OK;
}
