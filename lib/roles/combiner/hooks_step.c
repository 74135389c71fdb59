/* SPDX-License-Identifier: Apache-2.0
 * What the hooks service is asked, call by call: which functions the source has; at a round's start
 * who trains and with which settings; at its end for the aggregate of its updates. */
#include "roles/combiner/hooks_state.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/text.h"
#include "fedn.pb-c.h"
#include <stdio.h>
#include <string.h>

/* The service lets go of updates that it was sent when an aggregation succeeds, and of nothing
 * else; and a source that it has not seen last makes a new object. So one that was cut off in the
 * middle is ended by functions of ours. */
static const char emptying[] =
    "class ServerFunctions(ServerFunctionsBase):\n"
    "    def incremental_aggregate(self, client_id, model, client_metadata, previous_global):\n"
    "        pass\n\n"
    "    def get_incremental_aggregate_model(self):\n"
    "        return [np.zeros(1)]\n";

static void note(fedn__talk *talk, const char *what, const char *why)
{
    size_t length = strlen(talk->note);

    snprintf(talk->note + length, sizeof talk->note - length, "%s%s: %.200s", length ? "; " : "",
             what, why);
}

/* Without an answer all that is left to be asked is done the built-in way. */
static void fall_back(fedn__talk *talk, const fedn__hooks_reply *reply)
{
    char why[256];

    snprintf(why, sizeof why, "the hooks service did not answer (%.180s)",
             reply->details ? reply->details : "");
    note(talk, talk->merges ? "built-in aggregate" : "built-in choice", why);
    fedn__talk_end(talk, NULL, NULL);
}

/* 1: it failed, and that was dealt with. */
static int32_t failed(fedn__talk *talk, const fedn__hooks_reply *reply)
{
    if (reply->rpc == FEDN__RPC_OK)
        return 0;
    if (!fedn__talk_again(talk, reply->rpc, !talk->merges))
        fall_back(talk, reply);
    return 1;
}

static void call(fedn__talk *talk, void (*step)(fedn__talk *talk))
{
    if (!talk->merges)
        talk->tries = 0;
    talk->step = step;
    step(talk);
}

/* ---- at a round's start ---- */

static void on_settings(fedn__talk *talk, const fedn__hooks_reply *reply)
{
    json_t *settings = NULL;

    if (failed(talk, reply))
        return;
    size_t bytes = strlen(reply->text);
    if (bytes > FEDN__LIMIT_SOURCE_BYTES)
        note(talk, "no client_settings", "they are longer than 49152 bytes");
    else if (fedn__json_parse(reply->text, bytes, 0, "client_settings", &settings, NULL) != FEDN_OK)
        note(talk, "no client_settings", "they are no JSON object");
    else
        talk->settings = fedn__strdup(reply->text);
    json_decref(settings);
    fedn__talk_end(talk, NULL, NULL);
}

static void ask_settings(fedn__talk *talk)
{
    talk->done = on_settings;
    fedn__talk_send(talk, NULL, talk->global);
}

static void after_selection(fedn__talk *talk)
{
    if (talk->has & HAS_SETTINGS)
        call(talk, ask_settings);
    else
        fedn__talk_end(talk, NULL, NULL);
}

static void on_selected(fedn__talk *talk, const fedn__hooks_reply *reply)
{
    const Fedn__ClientSelectionResponse *said =
        (const Fedn__ClientSelectionResponse *)reply->message;

    if (failed(talk, reply))
        return;
    if (fedn__json_parse(said->client_ids, strlen(said->client_ids), 1, "client_selection",
                         &talk->chosen, NULL) == FEDN_OK)
        talk->ids = fedn__alloc_array(json_array_size(talk->chosen) + 1, sizeof *talk->ids);
    for (size_t i = 0; talk->ids && i < json_array_size(talk->chosen); i++) {
        const char *id = json_string_value(json_array_get(talk->chosen, i));
        char *quoted = id ? fedn__strf("\"%s\"", id) : NULL;
        if (quoted && strstr(talk->client_ids, quoted))
            talk->ids[talk->count++] = id;
        fedn__free(quoted);
    }
    if (talk->count == 0)
        note(talk, "built-in choice", "client_selection chose none of the clients");
    after_selection(talk);
}

static void ask_selection(fedn__talk *talk)
{
    Fedn__ClientSelectionRequest request = FEDN__CLIENT_SELECTION_REQUEST__INIT;

    request.client_ids = talk->client_ids;
    talk->done = on_selected;
    fedn__talk_unary(talk, "/fedn.FunctionService/HandleClientSelection", &request.base,
                     &fedn__client_selection_response__descriptor);
}

/* ---- at its end ---- */

static void ask_metadata(fedn__talk *talk);

static void on_aggregate(fedn__talk *talk, const fedn__hooks_reply *reply)
{
    if (reply->rpc == FEDN__RPC_OK) {
        talk->hooks->unclean = 0;
        fedn__talk_end(talk, NULL, reply->model);
    } else if (!fedn__talk_again(talk, reply->rpc, reply->rpc == FEDN__RPC_FAILED_PRECONDITION)) {
        fall_back(talk, reply);
    }
}

static void ask_aggregate(fedn__talk *talk)
{
    talk->done = on_aggregate;
    fedn__talk_receive(talk);
}

/* The service has words for a failure in an answer that is OK. */
static int32_t refused(fedn__talk *talk, const fedn__hooks_reply *reply, const char *status)
{
    if (failed(talk, reply))
        return 1;
    if (strcmp(status, "ERROR") != 0)
        return 0;
    note(talk, "built-in aggregate",
         talk->at < talk->update_count ? "the function failed, or an update is none for it"
                                       : "the hooks service cannot read the global model");
    fedn__talk_end(talk, NULL, NULL);
    return 1;
}

static void on_model(fedn__talk *talk, const fedn__hooks_reply *reply)
{
    if (refused(talk, reply, reply->text ? reply->text : ""))
        return;
    talk->at++;
    call(talk, talk->at < talk->update_count ? ask_metadata : ask_aggregate);
}

static void send_model(fedn__talk *talk)
{
    const fedn__hooks_update *update = &talk->updates[talk->at];
    fedn__blob *blob = NULL;
    fedn_error err = {0};

    talk->done = on_model;
    if (talk->hooks->events->open(update->update_id, &blob, talk->hooks->user_data, &err) !=
        FEDN_OK) {
        note(talk, "built-in aggregate", err.message);
        fedn__talk_end(talk, NULL, NULL);
        return;
    }
    fedn__talk_send(talk, update->client_id, blob);
    fedn__blob_unref(blob);
}

static void on_metadata(fedn__talk *talk, const fedn__hooks_reply *reply)
{
    const Fedn__ClientMetaResponse *said = (const Fedn__ClientMetaResponse *)reply->message;

    if (!refused(talk, reply, said ? said->status : ""))
        call(talk, send_model);
}

static void ask_metadata(fedn__talk *talk)
{
    const fedn__hooks_update *update = &talk->updates[talk->at];
    Fedn__ClientMetaRequest request = FEDN__CLIENT_META_REQUEST__INIT;

    request.client_id = update->client_id;
    request.metadata = update->metadata;
    talk->done = on_metadata;
    fedn__talk_unary(talk, "/fedn.FunctionService/HandleMetadata", &request.base,
                     &fedn__client_meta_response__descriptor);
}

static void on_global(fedn__talk *talk, const fedn__hooks_reply *reply)
{
    talk->at = talk->update_count; /* for the words of a failure */
    if (refused(talk, reply, reply->text ? reply->text : ""))
        return;
    talk->at = 0;
    call(talk, ask_metadata);
}

static void send_global(fedn__talk *talk)
{
    talk->hooks->unclean = 1;
    talk->done = on_global;
    fedn__talk_send(talk, "global_model", talk->global);
}

/* ---- which functions there are ---- */

static void ask_functions(fedn__talk *talk);

static void on_emptied(fedn__talk *talk, const fedn__hooks_reply *reply)
{
    if (failed(talk, reply))
        return;
    talk->hooks->unclean = 0;
    call(talk, ask_functions);
}

static void empty(fedn__talk *talk)
{
    talk->done = on_emptied;
    fedn__talk_receive(talk);
}

static void on_foreign(fedn__talk *talk, const fedn__hooks_reply *reply)
{
    if (!failed(talk, reply))
        call(talk, empty);
}

static void send_foreign(fedn__talk *talk)
{
    Fedn__ProvidedFunctionsRequest request = FEDN__PROVIDED_FUNCTIONS_REQUEST__INIT;

    request.function_code = (char *)(uintptr_t)emptying;
    talk->done = on_foreign;
    fedn__talk_unary(talk, "/fedn.FunctionService/HandleProvidedFunctions", &request.base,
                     &fedn__provided_functions_response__descriptor);
}

/* Those that the service has and this combiner runs; the name of another one, or NULL. */
static const char *read_functions(const Fedn__ProvidedFunctionsResponse *said, uint32_t *ret)
{
    static const struct {
        const char *name;
        uint32_t has;
    } known[] = {{"client_selection", HAS_SELECTION},
                 {"client_settings", HAS_SETTINGS},
                 {"aggregate", HAS_AGGREGATE},
                 {"incremental_aggregate", HAS_AGGREGATE}};
    const char *other = NULL;

    *ret = 0;
    for (size_t i = 0; i < said->n_available_functions; i++) {
        uint32_t has = 0;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (strcmp(said->available_functions[i]->key, known[k].name) == 0)
                has = known[k].has;
        if (said->available_functions[i]->value && !has)
            other = said->available_functions[i]->key;
        else if (said->available_functions[i]->value)
            *ret |= has;
    }
    return other;
}

static void on_functions(fedn__talk *talk, const fedn__hooks_reply *reply)
{
    char error[160];

    if (failed(talk, reply))
        return;
    const char *other =
        read_functions((const Fedn__ProvidedFunctionsResponse *)reply->message, &talk->has);
    if (other) {
        snprintf(error, sizeof error,
                 "this combiner runs no server function %.60s, which the session brings", other);
        fedn__talk_end(talk, error, NULL);
    } else if ((talk->has & HAS_AGGREGATE) && talk->hooks->unclean) {
        call(talk, send_foreign);
    } else if (talk->merges && (talk->has & HAS_AGGREGATE)) {
        call(talk, send_global);
    } else if (!talk->merges && (talk->has & HAS_SELECTION)) {
        call(talk, ask_selection);
    } else if (!talk->merges) {
        after_selection(talk);
    } else {
        fedn__talk_end(talk, NULL, NULL);
    }
}

static void ask_functions(fedn__talk *talk)
{
    Fedn__ProvidedFunctionsRequest request = FEDN__PROVIDED_FUNCTIONS_REQUEST__INIT;

    request.function_code = talk->code;
    talk->done = on_functions;
    fedn__talk_unary(talk, "/fedn.FunctionService/HandleProvidedFunctions", &request.base,
                     &fedn__provided_functions_response__descriptor);
}

void fedn__talk_begin(fedn__talk *talk)
{
    call(talk, ask_functions);
}

void fedn__talk_begin_again(fedn__talk *talk)
{
    talk->at = 0;
    call(talk, ask_functions);
}
