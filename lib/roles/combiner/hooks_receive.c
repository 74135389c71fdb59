/* SPDX-License-Identifier: Apache-2.0
 * A model from the hooks service: in memory while it is small, then block by block into a file, on
 * the pool; the stream waits meanwhile. */
#include "roles/combiner/hooks_wire.h"

#include "core/alloc.h"
#include "core/buffer.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/limits.h"
#include "core/owner.h"
#include "core/uuid.h"
#include "fedn.pb-c.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_BYTES (4 * FEDN__MIB)

struct fedn__hooks_receiving {
    fedn__hooks_wire wire;
    fedn__stream *stream; /* NULL: closed */
    fedn__timer deadline;
    int32_t late;
    int32_t cancelled;
    char *path;
    uint64_t max_bytes;
    uint64_t bytes;
    fedn__buffer block; /* the worker's while `busy` */
    int32_t busy;
    int32_t rpc; /* once it is closed */
    char details[256];
    /* the worker's while `busy` */
    fedn__work work;
    FILE *file;
    int32_t last; /* of the blocks: `model` is wanted */
    fedn__blob *model;
    fedn_error err;
    fedn_status status;
};

static void receiving_free(fedn__hooks_receiving *r)
{
    if (r->file) {
        (void)fclose(r->file);
        (void)remove(r->path);
    }
    fedn__buffer_done(&r->block);
    fedn__blob_unref(r->model);
    fedn__free(r->path);
    fedn__free(r);
}

static void over(fedn__hooks_receiving *r)
{
    fedn__hooks_reply reply = {.rpc = r->rpc, .details = r->details, .model = r->model};

    if (r->late) {
        reply.rpc = FEDN__RPC_DEADLINE_EXCEEDED;
        reply.details = "no answer in time";
    } else if (r->status != FEDN_OK) {
        reply.rpc = r->status == FEDN_ERR_LIMIT ? FEDN__RPC_RESOURCE_EXHAUSTED : FEDN__RPC_INTERNAL;
        reply.details = r->err.message;
    }
    if (reply.rpc != FEDN__RPC_OK)
        reply.model = NULL;
    r->wire.fn(&reply, r->wire.user_data);
    receiving_free(r);
}

/* The file's name is of no use once the model is open. */
static fedn_status open_model(fedn__hooks_receiving *r)
{
    int failed = fclose(r->file);

    r->file = NULL;
    fedn_status rc = failed ? fedn__error_errno(&r->err, errno, "cannot write %s", r->path)
                            : fedn__blob_from_file(r->path, &r->model, &r->err);
    (void)remove(r->path);
    return rc;
}

static void write_block(fedn__work *work)
{
    fedn__hooks_receiving *r = FEDN__OWNER(work, fedn__hooks_receiving, work);

    if (!r->file && r->last) {
        r->status = fedn__blob_copy(r->block.data, r->block.len, &r->model, &r->err);
        return;
    }
    if (!r->file)
        r->file = fopen(r->path, "wbe");
    if (!r->file || fwrite(r->block.data, 1, r->block.len, r->file) != r->block.len)
        r->status = fedn__error_errno(&r->err, errno, "cannot write %s", r->path);
    else if (r->last)
        r->status = open_model(r);
}

static void settle(fedn__hooks_receiving *r);

static void on_written(fedn__work *work)
{
    fedn__hooks_receiving *r = FEDN__OWNER(work, fedn__hooks_receiving, work);

    r->busy = 0;
    fedn__buffer_clear(&r->block);
    if (r->last) {
        over(r);
    } else if (!r->stream) {
        settle(r);
    } else {
        if (r->status != FEDN_OK)
            fedn__stream_cancel(r->stream);
        fedn__stream_resume(r->stream);
    }
}

static void submit(fedn__hooks_receiving *r)
{
    r->busy = 1;
    r->work.work = write_block;
    r->work.done = on_written;
    fedn__work_submit(&r->work, r->wire.loop, r->wire.pool, NULL);
}

/* The stream has ended, and nothing is being written. */
static void settle(fedn__hooks_receiving *r)
{
    if (r->rpc != FEDN__RPC_OK || r->status != FEDN_OK || r->late || r->cancelled) {
        over(r);
        return;
    }
    r->last = 1;
    submit(r);
}

static void fail(fedn__hooks_receiving *r, fedn_status status)
{
    r->status = status;
    if (status == FEDN_ERR_LIMIT)
        (void)fedn__error(&r->err, status, "a model over combiner.max_model_bytes %llu",
                          (unsigned long long)r->max_bytes);
    else
        (void)fedn__error_nomem(&r->err);
    fedn__stream_cancel(r->stream);
}

static void on_message(fedn__stream *stream, const ProtobufCMessage *message, void *user_data)
{
    fedn__hooks_receiving *r = user_data;
    const ProtobufCBinaryData *data = &((const Fedn__AggregationResponse *)message)->data;

    if (r->cancelled || r->status != FEDN_OK || data->len == 0)
        return;
    r->bytes += data->len;
    fedn_status rc = r->bytes > r->max_bytes ? FEDN_ERR_LIMIT
                                             : fedn__buffer_add(&r->block, data->data, data->len);
    if (rc != FEDN_OK) {
        fail(r, rc);
    } else if (r->block.len >= BLOCK_BYTES) {
        fedn__stream_pause(stream);
        submit(r);
    }
}

static void on_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    fedn__hooks_receiving *r = user_data;

    (void)stream;
    fedn__loop_timer_cancel(r->wire.loop, &r->deadline);
    r->stream = NULL;
    r->rpc = rpc;
    snprintf(r->details, sizeof r->details, "%s", details ? details : "");
    if (!r->busy)
        settle(r);
}

static void on_deadline(fedn__timer *timer, void *user_data)
{
    fedn__hooks_receiving *r = user_data;

    (void)timer;
    r->late = 1;
    fedn__stream_cancel(r->stream);
}

fedn_status fedn__hooks_receive(const fedn__hooks_wire *wire, const char *dir, uint64_t max_bytes,
                                fedn__hooks_receiving **ret, fedn_error *err)
{
    static const fedn__stream_events events = {.message = on_message, .closed = on_closed};
    Fedn__AggregationRequest request = FEDN__AGGREGATION_REQUEST__INIT;
    fedn__hooks_receiving *r = fedn__alloc_zero(sizeof *r);
    char id[FEDN__UUID_TEXT];

    if (!r)
        return fedn__error_nomem(err);
    fedn__uuid_new_text(id);
    r->wire = *wire;
    r->max_bytes = max_bytes;
    r->deadline.fn = on_deadline;
    r->deadline.user_data = r;
    fedn__buffer_init(&r->block, BLOCK_BYTES + FEDN__LIMIT_MESSAGE_BYTES);
    r->path = fedn__fs_join(dir, id);
    request.aggregate = (char *)(uintptr_t) "aggregate";
    fedn_status rc = r->path ? fedn__loop_timer_set(wire->loop, &r->deadline, wire->deadline_ns)
                             : fedn__error_nomem(err);
    if (rc == FEDN_OK)
        rc = fedn__channel_stream(wire->channel, "/fedn.FunctionService/HandleAggregation",
                                  &request.base, &fedn__aggregation_response__descriptor, &events,
                                  r, &r->stream, err);
    if (rc != FEDN_OK) {
        fedn__loop_timer_cancel(wire->loop, &r->deadline);
        receiving_free(r);
        return rc;
    }
    *ret = r;
    return FEDN_OK;
}

void fedn__hooks_receive_cancel(fedn__hooks_receiving *r)
{
    r->cancelled = 1;
    if (r->stream)
        fedn__stream_cancel(r->stream);
}
