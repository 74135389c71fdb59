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

#define WINDOW_BYTES (8 * FEDN__MIB)

typedef struct download {
    fedn__transfer_host *host;
    fedn__server *server;
    fedn__call *call; /* NULL once it has closed */
    fedn__timer stall;
    fedn__blob *blob;
    const uint8_t *data;
    uint64_t bytes;
    uint64_t offset;
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

static void go_on(download *down)
{
    uint8_t head[FEDN__CHUNK_HEAD_BYTES];

    while (down->ahead < FEDN__TRANSFER_AHEAD && down->offset < down->bytes) {
        uint64_t left = down->bytes - down->offset;
        uint64_t bytes = left < FEDN__LIMIT_CHUNK_BYTES ? left : FEDN__LIMIT_CHUNK_BYTES;
        if (down->offset + bytes > down->present)
            break;
        uint64_t head_bytes = fedn__chunk_head(FEDN__CHUNK_RESPONSE, down->id, NULL,
                                               FEDN__MODEL_STATUS__IN_PROGRESS, bytes, head);
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
    if (down->offset == down->bytes && !down->ended) {
        down->ended = 1;
        finish(down->call, send_short(down->call, down->id, FEDN__MODEL_STATUS__OK));
    }
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

static void send_model(fedn__transfer_host *host, fedn__call *call, const char *id,
                       fedn__blob *blob)
{
    static const fedn__call_events events = {.closed = on_closed};
    download *down = NULL;
    fedn_error err;

    fedn_status rc = new_download(host, call, id, blob, &down, &err);
    if (rc < 0) {
        (void)fedn__blob_unref(blob);
        fedn__call_reject(call, fedn__rpc_from_status(rc), err.message);
        return;
    }
    assert(down);
    fedn__server_hold(down->server);
    fedn__call_set_events(call, &events, down);
    go_on(down);
}

void fedn__download_open(void *service, fedn__call *call, const ProtobufCMessage *request)
{
    fedn__transfer_host *host = service;
    const char *asked = ((const Fedn__ModelRequest *)request)->id;
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
        send_model(host, call, asked, blob);
    }
}
