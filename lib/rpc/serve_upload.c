/* SPDX-License-Identifier: Apache-2.0
 * ModelService.Upload: chunks of one model into one file, whole or not at all. */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/uuid.h"
#include "fedn.pb-c.h"
#include "rpc/serving.h"
#include "rpc/transferring.h"
#include <string.h>

typedef struct fedn__upload upload;
struct fedn__upload {
    upload *next; /* in the host's list */
    upload **link;
    fedn__transfer_host *host;
    fedn__server *server;
    fedn__call *call; /* NULL once it has closed */
    fedn__turn turn;
    fedn__timer stall;
    fedn__uuid uuid;
    char id[FEDN__UUID_TEXT]; /* empty until the first chunk */
    fedn__spool spool;
    int32_t spooling; /* its `over` is still to come */
    int32_t accepted; /* the host said yes */
    int32_t kept;     /* what came stays if it breaks */
    int32_t failed;
    int32_t whole;       /* the last message came */
    int32_t taken;       /* a newer upload has its place */
    upload *predecessor; /* whose place this one takes, until that one is gone */
    fedn__load held;     /* the first chunk, meanwhile */
};

static void take_load(upload *up, fedn__load *load);

static void ask(upload *up)
{
    up->turn.asked = 1;
    fedn__call_read(up->call);
}

/* When neither the call nor the file has anything to come. Not to be touched after it. */
static void check_gone(upload *up)
{
    fedn__server *server = up->server;
    fedn__transfer_host *host = up->host;

    if (up->call || up->spooling || up->predecessor)
        return;
    *up->link = up->next;
    if (up->next)
        up->next->link = up->link;
    host->upload_count--;
    fedn__turns_leave(&host->turns, &up->turn);
    fedn__loop_timer_cancel(host->loop, &up->stall);
    fedn__load_done(&up->held);
    fedn__spool_done(&up->spool);
    fedn__free(up);
    fedn__server_release(server);
}

/* Whoever waited for this one's file to be out of the way goes on. */
static void let_follow(upload *up)
{
    for (upload *other = up->host->uploads; other; other = other->next)
        if (other->predecessor == up) {
            other->predecessor = NULL;
            fedn__load load = other->held;
            memset(&other->held, 0, sizeof other->held);
            take_load(other, &load);
            check_gone(other); /* its peer may have left while it waited */
            return;
        }
}

/* The end of it: the host and the peer learn how it went. */
static void conclude(upload *up, fedn_status status, const fedn_error *err)
{
    Fedn__ModelResponse answer = FEDN__MODEL_RESPONSE__INIT;

    fedn__loop_timer_cancel(up->host->loop, &up->stall);
    if (up->accepted && !up->taken)
        up->host->stored(up->host->service, up->id, status, up->spool.blob, err);
    if (up->call && status == FEDN_OK) {
        answer.id = up->id;
        answer.status = FEDN__MODEL_STATUS__OK;
        answer.message = (char *)(uintptr_t) "Got model successfully.";
        fedn__call_reply(up->call, &answer.base);
    } else if (up->call) {
        fedn__call_reject(up->call, up->taken ? FEDN__RPC_ABORTED : fedn__rpc_from_status(status),
                          err->message);
    }
}

static void fail(upload *up, fedn_status status, const fedn_error *err)
{
    if (up->failed)
        return;
    up->failed = 1;
    fedn__turns_leave(&up->host->turns, &up->turn);
    if (up->spooling) {
        up->spool.keep = up->kept && (status == FEDN_ERR_CANCELLED || status == FEDN_ERR_TIMEOUT);
        fedn__spool_abandon(&up->spool, status, err);
        return;
    }
    conclude(up, status, err);
    up->predecessor = NULL;
    fedn__load_done(&up->held);
}

static void spool_over(fedn__spool *spool, fedn_status status, const fedn_error *err)
{
    upload *up = FEDN__OWNER(spool, upload, spool);

    up->spooling = 0;
    up->failed = status < 0;
    conclude(up, status, err);
    let_follow(up);
    if (up->kept)
        fedn__held_settled(up->host, up->spool.part);
    check_gone(up);
}

static void spool_room(fedn__spool *spool)
{
    upload *up = FEDN__OWNER(spool, upload, spool);

    if (up->call && !up->whole && !up->failed)
        ask(up);
}

static void take_load(upload *up, fedn__load *load)
{
    fedn_error err;
    int32_t room = 1;

    if (up->predecessor) {
        up->held = *load;
        return;
    }
    up->spooling = 1;
    if (load->bytes) {
        int32_t fresh = up->spool.bytes == up->spool.from;
        fedn_status rc = fedn__spool_add(&up->spool, load, &room, &err);
        if (rc < 0) {
            up->spooling = !fresh;
            fail(up, rc, &err);
            return;
        }
    }
    fedn__load_done(load);
    if (up->whole)
        fedn__spool_commit(&up->spool);
    else if (room && up->call)
        ask(up);
}

/* Another upload of the same model may still run: its peer has perhaps gone unnoticed. It ends
 * before this one writes; one whose file is complete is let finish. */
static void take_place(upload *up)
{
    fedn_error err;
    upload *other = up->host->uploads;

    while (other && (other == up || other->taken || !(other->spooling || other->predecessor) ||
                     strcmp(other->id, up->id) != 0))
        other = other->next;
    if (!other)
        return;
    /* one that waits itself is replaced in its waiting */
    up->predecessor = other->spooling ? other : other->predecessor;
    if (other->spooling && other->whole)
        return;
    other->taken = 1;
    (void)fedn__error(&err, FEDN_ERR_CANCELLED,
                      "a newer upload of model %s took the place of this one", up->id);
    fail(other, FEDN_ERR_CANCELLED, &err);
}

int32_t fedn__upload_interrupt(fedn__transfer_host *host, const char *part)
{
    fedn_error err;
    upload *up = host->uploads;

    while (up && (!up->kept || !up->spooling || strcmp(up->spool.part, part) != 0))
        up = up->next;
    if (!up)
        return 0;
    (void)fedn__error(&err, FEDN_ERR_CANCELLED, "its peer is about to go on with it");
    if (!up->whole)
        fail(up, FEDN_ERR_CANCELLED, &err);
    return 1;
}

/* What the sender wants of an earlier upload, and of this one should it break. */
static fedn_status go_on_from(upload *up, const fedn__chunk *chunk, fedn_error *err)
{
    const fedn__transfer_host *host = up->host;
    fedn_status rc = FEDN_OK;

    if (chunk->resumable)
        rc = fedn__held_path(host, up->call, up->id, &up->spool.part, err);
    if (rc < 0)
        return rc;
    up->kept = up->spool.part != NULL;
    if (chunk->offset > 0 && !up->kept)
        return fedn__error(err, FEDN_ERR_UNAVAILABLE,
                           "the upload of model %s goes on at byte %llu, but nothing of it is kept "
                           "here: ask how much is, or send it from its start",
                           up->id, (unsigned long long)chunk->offset);
    if (chunk->offset > up->spool.max_bytes)
        return fedn__error(err, FEDN_ERR_LIMIT,
                           "the upload of model %s goes on at byte %llu, over the limit of %llu",
                           up->id, (unsigned long long)chunk->offset,
                           (unsigned long long)up->spool.max_bytes);
    if (up->kept && !(up->spool.parts = fedn__strdup(host->parts)))
        return fedn__error_nomem(err);
    fedn__spool_go_on(&up->spool, chunk->offset);
    return FEDN_OK;
}

/* The first chunk says which model it is. */
static fedn_status begin(upload *up, const fedn__chunk *chunk, fedn_error *err)
{
    fedn__transfer_host *host = up->host;

    fedn__uuid_format(&up->uuid, up->id);
    fedn_status rc =
        host->accept(host->service, up->call, up->id, &up->spool.path, &up->spool.max_bytes, err);
    if (rc < 0)
        return rc;
    up->accepted = 1;
    rc = go_on_from(up, chunk, err);
    if (rc == FEDN_OK)
        take_place(up);
    return rc;
}

static fedn_status check_chunk(upload *up, const fedn__chunk *chunk, fedn_error *err)
{
    fedn__uuid uuid;

    if (!fedn__uuid_parse(chunk->id, &uuid))
        return fedn__error(err, FEDN_ERR_INVALID, "model id \"%s\" is not a UUID", chunk->id);
    if (chunk->status != FEDN__MODEL_STATUS__IN_PROGRESS && chunk->status != FEDN__MODEL_STATUS__OK)
        return fedn__error(err, FEDN_ERR_INVALID, "an upload has no messages of status %d",
                           (int)chunk->status);
    if (!up->id[0]) {
        up->uuid = uuid;
        return begin(up, chunk, err);
    }
    if (chunk->offset > 0)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "only the first message of an upload has an offset, not one after %llu "
                           "bytes",
                           (unsigned long long)up->spool.bytes);
    if (memcmp(&uuid, &up->uuid, sizeof uuid) != 0)
        return fedn__error(err, FEDN_ERR_PROTOCOL, "the upload of model %s turned to model %s",
                           up->id, chunk->id);
    return FEDN_OK;
}

static void on_chunk(fedn__call *call, const fedn__piece *pieces, uint64_t count, void *user_data)
{
    upload *up = user_data;
    fedn__load load = {.count = 0};
    fedn__chunk chunk = {.status = 0};
    fedn_error err;

    if (up->failed || up->whole)
        return;
    /* its place in the heap is its own already */
    (void)fedn__loop_timer_set(up->host->loop, &up->stall,
                               fedn__clock_ns() + (int64_t)FEDN__LIMIT_STALL_MS * 1000000);
    load.data = fedn__alloc_array(count ? count : 1, sizeof *load.data);
    fedn_status rc = load.data ? FEDN_OK : fedn__error_nomem(&err);
    if (rc == FEDN_OK)
        rc = fedn__chunk_parse(FEDN__CHUNK_REQUEST, pieces, count, load.data, &chunk, &err);
    if (rc == FEDN_OK)
        rc = check_chunk(up, &chunk, &err);
    if (rc < 0) {
        fedn__load_done(&load);
        fail(up, rc, &err);
        return;
    }
    load.count = chunk.data_count;
    load.bytes = chunk.data_bytes;
    fedn__call_take(call, &load.block);
    fedn__turns_moved(&up->turn, load.bytes);
    up->whole = chunk.status == FEDN__MODEL_STATUS__OK;
    if (up->whole) {
        up->spool.has_expected = chunk.has_digest;
        memcpy(up->spool.expected, chunk.digest, sizeof chunk.digest);
        fedn__turns_leave(&up->host->turns, &up->turn);
    }
    take_load(up, &load);
}

static void on_end(fedn__call *call, void *user_data)
{
    upload *up = user_data;
    fedn_error err;

    (void)call;
    if (up->whole)
        return;
    (void)fedn__error(&err, FEDN_ERR_PROTOCOL,
                      "the upload ended after %llu bytes without its last message",
                      (unsigned long long)up->spool.bytes);
    fail(up, FEDN_ERR_PROTOCOL, &err);
}

static void on_closed(fedn__call *call, int32_t cancelled, void *user_data)
{
    upload *up = user_data;
    fedn_error err;

    (void)call;
    (void)cancelled;
    up->call = NULL;
    if (!up->whole) {
        (void)fedn__error(&err, FEDN_ERR_CANCELLED, "the peer went away after %llu bytes",
                          (unsigned long long)up->spool.bytes);
        fail(up, FEDN_ERR_CANCELLED, &err);
    }
    check_gone(up);
}

static void on_stall(fedn__timer *timer, void *user_data)
{
    upload *up = user_data;
    fedn_error err;

    (void)timer;
    (void)fedn__error(&err, FEDN_ERR_TIMEOUT, "no chunk of the model came for %d s",
                      FEDN__LIMIT_STALL_MS / 1000);
    if (!up->whole)
        fail(up, FEDN_ERR_TIMEOUT, &err);
}

/* It is its turn: from now on the peer must send. */
static void on_turn(fedn__turn *turn)
{
    upload *up = FEDN__OWNER(turn, upload, turn);

    /* its place in the heap is its own already */
    (void)fedn__loop_timer_set(up->host->loop, &up->stall,
                               fedn__clock_ns() + (int64_t)FEDN__LIMIT_STALL_MS * 1000000);
    if (up->call && !up->failed)
        ask(up);
}

void fedn__upload_open(void *service, fedn__call *call, const ProtobufCMessage *unused)
{
    static const fedn__call_events events = {
        .raw = on_chunk, .raw_end = on_end, .closed = on_closed};
    fedn__transfer_host *host = service;
    int64_t due_ns = fedn__clock_ns() + (int64_t)FEDN__LIMIT_STALL_MS * 1000000;

    (void)unused;
    if (host->upload_count >= FEDN__LIMIT_UPLOADS) {
        fedn__call_reject(call, FEDN__RPC_UNAVAILABLE, "too many uploads are in progress");
        return;
    }
    upload *up = fedn__alloc_zero(sizeof *up);
    if (up) {
        up->stall.fn = on_stall;
        up->stall.user_data = up;
    }
    if (!up || fedn__loop_timer_set(host->loop, &up->stall, due_ns) < 0) {
        fedn__free(up);
        fedn__call_reject(call, FEDN__RPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    up->host = host;
    up->call = call;
    up->turn.go = on_turn;
    up->server = fedn__call_server(call);
    up->spool.loop = host->loop;
    up->spool.pool = host->pool;
    up->spool.durable = host->durable;
    up->spool.memory_bytes = host->memory_bytes;
    up->spool.room = spool_room;
    up->spool.over = spool_over;
    fedn__spool_init(&up->spool);
    up->next = host->uploads;
    up->link = &host->uploads;
    if (up->next)
        up->next->link = &up->next;
    host->uploads = up;
    host->upload_count++;
    fedn__server_hold(up->server);
    fedn__call_set_events(call, &events, up);
    if (host->upload_count == 1) /* the first: nothing of earlier ones is in it */
        fedn__turns_init(&host->turns, host->loop);
    fedn__turns_ask(&host->turns, &up->turn);
}
