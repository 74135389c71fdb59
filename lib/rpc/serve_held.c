/* SPDX-License-Identifier: Apache-2.0
 * ModelService.Held: how much is here of an upload that broke, and its digest, for the peer that
 * began it to go on with. */
#include "core/alloc.h"
#include "core/error.h"
#include "core/uuid.h"
#include "fedn.pb-c.h"
#include "rpc/parts.h"
#include "rpc/serving.h"
#include "rpc/transferring.h"
#include <string.h>

typedef struct fedn__question question;
struct fedn__question {
    question *next; /* in the host's list */
    fedn__transfer_host *host;
    fedn__server *server;
    fedn__call *call; /* NULL once it has closed */
    char id[FEDN__UUID_TEXT];
    char *part;
    int32_t waiting; /* for the upload into it */
    fedn__work work;
    uint64_t bytes;
    uint8_t digest[FEDN__DIGEST_BYTES];
    fedn_status status;
    fedn_error err;
};

fedn_status fedn__held_path(const fedn__transfer_host *host, const fedn__call *call, const char *id,
                            char **ret, fedn_error *err)
{
    const char *owner = host->owner_key ? fedn__call_metadata(call, host->owner_key) : NULL;

    *ret = NULL;
    if (!host->parts || !owner)
        return FEDN_OK;
    *ret = fedn__part_path(host->parts, id, owner);
    return *ret ? FEDN_OK : fedn__error_nomem(err);
}

static void finish(question *asked)
{
    question **place = &asked->host->questions;
    fedn__server *server = asked->server;

    while (*place != asked)
        place = &(*place)->next;
    *place = asked->next;
    asked->host->question_count--;
    if (asked->call)
        fedn__call_set_events(asked->call, &(const fedn__call_events){NULL}, NULL);
    fedn__free(asked->part);
    fedn__free(asked);
    fedn__server_release(server);
}

static void reply(fedn__call *call, const char *id, uint64_t bytes, const uint8_t *digest)
{
    Fedn__ModelResponse answer = FEDN__MODEL_RESPONSE__INIT;

    answer.id = (char *)(uintptr_t)id;
    answer.offset = bytes;
    if (digest) {
        answer.digest.data = (uint8_t *)(uintptr_t)digest;
        answer.digest.len = FEDN__DIGEST_BYTES;
    }
    fedn__call_reply(call, &answer.base);
}

static void look(fedn__work *work)
{
    question *asked = FEDN__OWNER(work, question, work);

    asked->status = fedn__part_look(asked->part, &asked->bytes, asked->digest, &asked->err);
}

static void looked(fedn__work *work)
{
    question *asked = FEDN__OWNER(work, question, work);

    if (asked->call && asked->status == FEDN_OK)
        reply(asked->call, asked->id, asked->bytes, asked->bytes ? asked->digest : NULL);
    else if (asked->call)
        fedn__call_reject(asked->call, fedn__rpc_from_status(asked->status), asked->err.message);
    finish(asked);
}

/* All of it is here: its digest without an offset says so. */
static int32_t is_whole(fedn__transfer_host *host, fedn__call *call, const char *id)
{
    uint8_t digest[FEDN__DIGEST_BYTES];

    if (!host->whole || !host->whole(host->service, call, id, digest))
        return 0;
    reply(call, id, 0, digest);
    return 1;
}

static void begin(question *asked)
{
    asked->waiting = 0;
    if (asked->call && is_whole(asked->host, asked->call, asked->id)) {
        finish(asked);
        return;
    }
    asked->work.work = look;
    asked->work.done = looked;
    fedn__work_submit(&asked->work, asked->host->loop, asked->host->pool, NULL);
}

void fedn__held_settled(fedn__transfer_host *host, const char *part)
{
    for (question *asked = host->questions, *next; asked; asked = next) {
        next = asked->next;
        if (asked->waiting && strcmp(asked->part, part) == 0)
            begin(asked);
    }
}

static void on_closed(fedn__call *call, int32_t cancelled, void *user_data)
{
    question *asked = user_data;

    (void)call;
    (void)cancelled;
    asked->call = NULL;
}

/* Takes the path over. */
static void ask(fedn__transfer_host *host, fedn__call *call, const char *id, char *part)
{
    static const fedn__call_events events = {.closed = on_closed};
    question *asked = fedn__alloc_zero(sizeof *asked);

    if (!asked) {
        fedn__free(part);
        fedn__call_reject(call, FEDN__RPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    asked->host = host;
    asked->call = call;
    asked->server = fedn__call_server(call);
    asked->part = part;
    memcpy(asked->id, id, sizeof asked->id);
    asked->next = host->questions;
    host->questions = asked;
    host->question_count++;
    fedn__server_hold(asked->server);
    fedn__call_set_events(call, &events, asked);
    asked->waiting = fedn__upload_interrupt(host, part);
    if (!asked->waiting)
        begin(asked);
}

void fedn__held_open(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    fedn__transfer_host *host = service;
    const char *name = ((const Fedn__ModelRequest *)request)->id;
    char id[FEDN__UUID_TEXT];
    char *part = NULL;
    fedn__uuid uuid;
    fedn_error err;

    if (!fedn__uuid_parse(name, &uuid)) {
        (void)fedn__error(&err, FEDN_ERR_INVALID, "model id \"%.64s\" is not a UUID", name);
        fedn__call_reject(call, FEDN__RPC_INVALID_ARGUMENT, err.message);
        return;
    }
    fedn__uuid_format(&uuid, id);
    if (host->question_count >= FEDN__LIMIT_UPLOADS) {
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE, "too many ask how much of a model is here");
        return;
    }
    fedn_status rc = fedn__held_path(host, call, id, &part, &err);
    if (rc < 0)
        fedn__call_reject(call, fedn__rpc_from_status(rc), err.message);
    else if (!part && !is_whole(host, call, id))
        reply(call, id, 0, NULL);
    else if (part)
        ask(host, call, id, part);
}
