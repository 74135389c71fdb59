/* SPDX-License-Identifier: Apache-2.0
 * ModelService.Download: one model as chunks that point into its mapping. A worker makes the next
 * stretch of a file present, so that the loop never waits for a disk. */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/uuid.h"
#include "fedn.pb-c.h"
#include "rpc/serving.h"
#include "rpc/transferring.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define WINDOW_BYTES (8 * FEDN__MIB)

typedef struct download {
    fedn__transfer_host *host;
    fedn__server *server;
    fedn__call *call; /* NULL once it has closed */
    fedn__timer stall;
    fedn__blob *blob;
    const uint8_t *data;
    uint64_t bytes;
    uint64_t from; /* the peer has what comes before */
    uint64_t offset;
    int32_t resumable; /* the peer knows offsets and digests */
    uint8_t digest[FEDN__DIGEST_BYTES];
    fedn_status looked;
    uint64_t present; /* what the worker has made present */
    uint32_t ahead;
    int32_t ended;
    int32_t busy;    /* the worker has `work` */
    uint64_t window; /* and makes this many bytes present */
    fedn__work work;
    char id[FEDN__UUID_TEXT];
} download;

static void go_on(download *down);

static fedn_status send_short(fedn__call *call, const char *id, int32_t status)
{
    Fedn__ModelResponse message = FEDN__MODEL_RESPONSE__INIT;

    message.id = (char *)(uintptr_t)id;
    message.status = (Fedn__ModelStatus)status;
    return fedn__call_send(call, &message.base);
}

static void finish(fedn__call *call, fedn_status rc)
{
    if (rc == FEDN_OK)
        fedn__call_finish(call, FEDN__RPC_OK, NULL);
    else
        fedn__call_reject(call, fedn__rpc_from_status(rc), "the last message could not be sent");
}

static void check_gone(download *down)
{
    fedn__server *server = down->server;

    if (down->call || down->busy)
        return;
    fedn__loop_timer_cancel(down->host->loop, &down->stall);
    fedn__blob_rest(down->blob);
    (void)fedn__blob_unref(down->blob);
    fedn__free(down);
    fedn__server_release(server);
}

/* On a worker: whether what the peer has is the start of the model. */
static void compare(fedn__work *work)
{
    download *down = FEDN__OWNER(work, download, work);
    uint8_t start[FEDN__DIGEST_BYTES];

    down->looked = fedn__blob_start_digest(down->blob, down->from, start, NULL);
    if (down->looked == FEDN_OK && memcmp(start, down->digest, sizeof start) != 0)
        down->looked = FEDN_ERR_NOT_FOUND;
    if (down->looked == FEDN_OK) /* it stays with the blob */
        down->looked = fedn__blob_digest(down->blob, start, NULL);
}

static void compared(fedn__work *work)
{
    download *down = FEDN__OWNER(work, download, work);

    down->busy = 0;
    if (down->looked < 0)
        down->from = 0;
    down->offset = down->from;
    if (down->present < down->from)
        down->present = down->from;
    if (down->call)
        go_on(down);
    check_gone(down);
}

static void begin(download *down)
{
    if (down->from == 0) {
        go_on(down);
        return;
    }
    down->busy = 1;
    down->work.work = compare;
    down->work.done = compared;
    fedn__work_submit(&down->work, down->host->loop, down->host->pool, NULL);
}

static void make_present(fedn__work *work)
{
    download *down = FEDN__OWNER(work, download, work);

    fedn__transfer_populate(down->data, down->present, down->window);
}

static void made_present(fedn__work *work)
{
    download *down = FEDN__OWNER(work, download, work);

    down->busy = 0;
    down->present += down->window;
    if (down->call)
        go_on(down);
    check_gone(down);
}

static void look_ahead(download *down)
{
    uint64_t left = down->bytes - down->present;

    if (down->busy || left == 0 || down->present - down->offset >= WINDOW_BYTES)
        return;
    down->window = left < WINDOW_BYTES ? left : WINDOW_BYTES;
    down->busy = 1;
    down->work.work = make_present;
    down->work.done = made_present;
    fedn__work_submit(&down->work, down->host->loop, down->host->pool, NULL);
}

static void on_sent(fedn__call *call, void *user_data)
{
    download *down = user_data;

    (void)call;
    down->ahead--;
    (void)fedn__loop_timer_set(down->host->loop, &down->stall,
                               fedn__clock_ns() + (int64_t)FEDN__LIMIT_STALL_MS * 1000000);
    go_on(down);
}

/* The last message. */
static void end(download *down)
{
    Fedn__ModelResponse message = FEDN__MODEL_RESPONSE__INIT;

    down->ended = 1;
    message.id = down->id;
    message.status = FEDN__MODEL_STATUS__OK;
    if (down->from == down->bytes)
        message.offset = down->from; /* there was none before it */
    if (down->resumable && fedn__blob_known_digest(down->blob, down->digest)) {
        message.digest.data = down->digest;
        message.digest.len = sizeof down->digest;
    }
    finish(down->call, fedn__call_send(down->call, &message.base));
}

static void go_on(download *down)
{
    uint8_t head[FEDN__CHUNK_HEAD_BYTES];

    while (down->ahead < FEDN__TRANSFER_AHEAD && down->offset < down->bytes) {
        uint64_t left = down->bytes - down->offset;
        uint64_t bytes = left < FEDN__LIMIT_CHUNK_BYTES ? left : FEDN__LIMIT_CHUNK_BYTES;
        if (down->offset + bytes > down->present)
            break;
        const fedn__chunk_words words = {.id = down->id,
                                         .status = FEDN__MODEL_STATUS__IN_PROGRESS,
                                         .offset = down->offset == down->from ? down->from : 0};
        uint64_t head_bytes = fedn__chunk_head(FEDN__CHUNK_RESPONSE, &words, bytes, head);
        fedn_status rc = fedn__call_send_blob(down->call, head, head_bytes, down->blob,
                                              down->offset, bytes, on_sent, down);
        if (rc < 0) {
            fedn__call_reject(down->call, fedn__rpc_from_status(rc), "a chunk could not be sent");
            return;
        }
        down->offset += bytes;
        down->ahead++;
    }
    look_ahead(down);
    if (down->offset == down->bytes && !down->ended)
        end(down);
}

static void on_closed(fedn__call *call, int32_t cancelled, void *user_data)
{
    download *down = user_data;

    (void)call;
    (void)cancelled;
    down->call = NULL;
    check_gone(down);
}

static void on_stall(fedn__timer *timer, void *user_data)
{
    download *down = user_data;

    (void)timer;
    if (down->call)
        fedn__call_reject(down->call, FEDN__RPC_DEADLINE_EXCEEDED,
                          "the peer took no chunk for ten minutes");
}

/* Takes the blob over on success. */
static fedn_status new_download(fedn__transfer_host *host, fedn__call *call, const char *id,
                                fedn__blob *blob, download **ret, fedn_error *err)
{
    int64_t due_ns = fedn__clock_ns() + (int64_t)FEDN__LIMIT_STALL_MS * 1000000;
    const uint8_t *data = NULL;
    fedn_status rc = FEDN_OK;

    if (fedn__blob_bytes(blob))
        rc = fedn__blob_map(blob, &data, err);
    if (rc < 0)
        return rc;
    download *down = fedn__alloc_zero(sizeof *down);
    if (!down)
        return fedn__error_nomem(err);
    down->stall.fn = on_stall;
    down->stall.user_data = down;
    if (fedn__loop_timer_set(host->loop, &down->stall, due_ns) < 0) {
        fedn__free(down);
        return fedn__error_nomem(err);
    }
    down->host = host;
    down->call = call;
    down->server = fedn__call_server(call);
    down->blob = blob;
    fedn__blob_use(blob);
    down->data = data;
    down->bytes = fedn__blob_bytes(blob);
    down->present = fedn__blob_fd(blob) < 0 ? down->bytes : 0;
    (void)snprintf(down->id, sizeof down->id, "%s", id);
    *ret = down;
    return FEDN_OK;
}

/* What the peer says it has already. */
static fedn_status take_offset(download *down, const Fedn__ModelRequest *request, fedn_error *err)
{
    down->resumable = request->resumable;
    if (request->offset > 0 && request->digest.len != sizeof down->digest)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "a download that goes on at byte %llu needs the digest of what comes "
                           "before, of %d bytes and not %llu",
                           (unsigned long long)request->offset, FEDN__DIGEST_BYTES,
                           (unsigned long long)request->digest.len);
    if (request->offset == 0 || request->offset > down->bytes)
        return FEDN_OK; /* another content, then: it begins anew */
    down->from = request->offset;
    memcpy(down->digest, request->digest.data, sizeof down->digest);
    return FEDN_OK;
}

static void send_model(fedn__transfer_host *host, fedn__call *call,
                       const Fedn__ModelRequest *request, fedn__blob *blob)
{
    static const fedn__call_events events = {.closed = on_closed};
    download *down = NULL;
    fedn_error err;

    fedn_status rc = new_download(host, call, request->id, blob, &down, &err);
    if (rc < 0) {
        (void)fedn__blob_unref(blob);
        fedn__call_reject(call, fedn__rpc_from_status(rc), err.message);
        return;
    }
    assert(down);
    fedn__server_hold(down->server);
    fedn__call_set_events(call, &events, down);
    rc = take_offset(down, request, &err);
    if (rc == FEDN_OK)
        begin(down);
    else
        fedn__call_reject(call, fedn__rpc_from_status(rc), err.message);
}

void fedn__download_open(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    fedn__transfer_host *host = service;
    const Fedn__ModelRequest *what = (const Fedn__ModelRequest *)request;
    const char *asked = what->id;
    fedn__blob *blob = NULL;
    fedn_status rc = FEDN_ERR_NOT_FOUND;
    char id[FEDN__UUID_TEXT];
    fedn__uuid uuid;
    fedn_error err;

    if (fedn__uuid_parse(asked, &uuid)) {
        fedn__uuid_format(&uuid, id);
        rc = host->find(host->service, call, id, &blob, &err);
    }
    if (rc == FEDN_ERR_NOT_FOUND || rc == FEDN_ERR_STATE) {
        rc = send_short(call, asked,
                        rc == FEDN_ERR_STATE ? FEDN__MODEL_STATUS__IN_PROGRESS
                                             : FEDN__MODEL_STATUS__UNKNOWN);
        if (rc == FEDN_OK)
            rc = send_short(call, asked, FEDN__MODEL_STATUS__FAILED);
        finish(call, rc);
    } else if (rc < 0) {
        fedn__call_reject(call, fedn__rpc_from_status(rc), err.message);
    } else {
        send_model(host, call, what, blob);
    }
}
