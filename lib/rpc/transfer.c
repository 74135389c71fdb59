/* SPDX-License-Identifier: Apache-2.0
 * What both directions of model transfer share, and the rows of ModelService; see transfer.h. */
#include "rpc/transfer.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "fedn.pb-c.h"
#include "rpc/dialling.h"
#include "rpc/transferring.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

void fedn__transfer_methods(fedn__transfer_host *host, fedn__method ret[FEDN__TRANSFER_METHODS])
{
    const fedn__method rows[FEDN__TRANSFER_METHODS] = {
        {.path = "/fedn.ModelService/Upload",
         .kind = FEDN__STREAM_IN,
         .open = fedn__upload_open,
         .service = host},
        {.path = "/fedn.ModelService/Download",
         .kind = FEDN__STREAM_OUT,
         .request = &fedn__model_request__descriptor,
         .open = fedn__download_open,
         .service = host},
        {.path = "/fedn.ModelService/Held",
         .kind = FEDN__UNARY,
         .request = &fedn__model_request__descriptor,
         .open = fedn__held_open,
         .service = host},
    };

    memcpy(ret, rows, sizeof rows);
}

void fedn__transfer_populate(const uint8_t *data, uint64_t offset, uint64_t bytes)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t from = offset / page * page;
    uint64_t length = offset + bytes - from;

    if (bytes == 0 || madvise((void *)(uintptr_t)(data + from), length, MADV_POPULATE_READ) == 0)
        return;
    /* older kernels: one byte of each page does the same, page by page */
    for (uint64_t at = from; at < offset + bytes; at += page)
        (void)*(const volatile uint8_t *)(data + at);
}

static void on_stall(fedn__timer *timer, void *user_data)
{
    fedn__transfer *transfer = user_data;
    fedn_error err;

    (void)timer;
    (void)fedn__error(&err, FEDN_ERR_TIMEOUT, "model %s: nothing moved for %d s", transfer->id,
                      FEDN__LIMIT_STALL_MS / 1000);
    fedn__transfer_fail(transfer, FEDN_ERR_TIMEOUT, &err);
}

void fedn__transfer_moved(fedn__transfer *transfer)
{
    /* after the first time its place in the heap is there */
    (void)fedn__loop_timer_set(transfer->loop, &transfer->stall,
                               fedn__clock_ns() + (int64_t)FEDN__LIMIT_STALL_MS * 1000000);
}

/* NOLINTNEXTLINE(readability-function-size): who it is, and who hears of it */
fedn_status fedn__transfer_new(fedn__channel *channel, fedn__pool *pool, const char *id,
                               const char *client_id, fedn__transfer_fn fn, void *user_data,
                               fedn__transfer **ret, fedn_error *err)
{
    int64_t due_ns = fedn__clock_ns() + (int64_t)FEDN__LIMIT_STALL_MS * 1000000;

    *ret = NULL;
    fedn__transfer *transfer = fedn__alloc_zero(sizeof *transfer);
    if (!transfer)
        return fedn__error_nomem(err);
    fedn__channel_hold(channel);
    transfer->channel = channel;
    transfer->loop = fedn__channel_loop(channel);
    transfer->pool = pool;
    transfer->fn = fn;
    transfer->user_data = user_data;
    transfer->stall.fn = on_stall;
    transfer->stall.user_data = transfer;
    fedn__spool_init(&transfer->spool);
    transfer->id = fedn__strdup(id);
    transfer->client_id = fedn__strdup(client_id);
    if (!transfer->id || (client_id && !transfer->client_id) ||
        fedn__loop_timer_set(transfer->loop, &transfer->stall, due_ns) < 0) {
        fedn__transfer_release(transfer);
        return fedn__error_nomem(err);
    }
    *ret = transfer;
    return FEDN_OK;
}

void fedn__transfer_release(fedn__transfer *transfer)
{
    fedn__loop_timer_cancel(transfer->loop, &transfer->stall);
    fedn__spool_done(&transfer->spool);
    (void)fedn__blob_unref(transfer->blob);
    fedn__free(transfer->id);
    fedn__free(transfer->client_id);
    fedn__channel_release(transfer->channel);
    fedn__free(transfer);
}

static void look(fedn__work *work)
{
    fedn__transfer *transfer = FEDN__OWNER(work, fedn__transfer, work);

    transfer->work_status = transfer->look(transfer);
}

static void looked(fedn__work *work)
{
    fedn__transfer *transfer = FEDN__OWNER(work, fedn__transfer, work);

    transfer->looking = 0;
    if (transfer->work_status < 0)
        fedn__transfer_fail(transfer, transfer->work_status, &transfer->work_err);
    fedn__transfer_begin(transfer);
}

void fedn__transfer_look(fedn__transfer *transfer)
{
    transfer->looking = 1;
    transfer->work.work = look;
    transfer->work.done = looked;
    fedn__work_submit(&transfer->work, transfer->loop, transfer->pool, NULL);
}

void fedn__transfer_begin(fedn__transfer *transfer)
{
    fedn_error err;

    if (transfer->status == FEDN_OK) {
        fedn_status rc = transfer->begin(transfer, &err);
        if (rc == FEDN_ERR_STATE) /* the channel was closed, as if it had been under the stream */
            rc = FEDN_ERR_CANCELLED;
        if (rc < 0)
            fedn__transfer_fail(transfer, rc, &err);
    }
    fedn__transfer_check_over(transfer);
}

void fedn__transfer_fail(fedn__transfer *transfer, fedn_status status, const fedn_error *err)
{
    if (transfer->status == FEDN_OK) {
        transfer->status = status;
        transfer->err = *err;
    }
    if (transfer->spooling) {
        transfer->spool.keep = transfer->spool.parts != NULL && fedn_status_is_retryable(status);
        fedn__spool_abandon(&transfer->spool, status, err);
    }
    if (transfer->stream)
        fedn__stream_cancel(transfer->stream);
}

void fedn__transfer_cancel(fedn__transfer *transfer)
{
    fedn_error err;

    (void)fedn__error(&err, FEDN_ERR_CANCELLED, "model %s: the transfer was cancelled",
                      transfer->id);
    fedn__transfer_fail(transfer, FEDN_ERR_CANCELLED, &err);
}

void fedn__transfer_check_over(fedn__transfer *transfer)
{
    if (transfer->stream || transfer->spooling || transfer->looking)
        return;
    transfer->fn(transfer->status, transfer->status < 0 ? &transfer->err : NULL,
                 transfer->status < 0 ? NULL : transfer->spool.blob, transfer->user_data);
    fedn__transfer_release(transfer);
}

void fedn__transfer_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    fedn__transfer *transfer = user_data;
    char what[FEDN__LIMIT_ID_BYTES + 16];
    fedn_error err;

    (void)stream;
    transfer->stream = NULL;
    (void)snprintf(what, sizeof what, "model %.*s", (int)FEDN__LIMIT_ID_BYTES, transfer->id);
    if (rpc != FEDN__RPC_OK && !transfer->complete) {
        fedn_status rc = fedn__rpc_error(&err, what, rpc, details);
        fedn__transfer_fail(transfer, rc, &err);
    } else if (!transfer->complete && transfer->status == FEDN_OK) {
        (void)fedn__error(&err, FEDN_ERR_PROTOCOL,
                          "%s: the peer ended the transfer after %llu "
                          "bytes without its last message",
                          what, (unsigned long long)transfer->bytes);
        fedn__transfer_fail(transfer, FEDN_ERR_PROTOCOL, &err);
    }
    fedn__transfer_check_over(transfer);
}
