/* SPDX-License-Identifier: Apache-2.0
 * Fetching a model from a peer into a file. */
#include "core/alloc.h"
#include "core/error.h"
#include "core/text.h"
#include "fedn.pb-c.h"
#include "rpc/dialling.h"
#include "rpc/parts.h"
#include "rpc/transferring.h"
#include <string.h>

static void spool_room(fedn__spool *spool)
{
    fedn__transfer *transfer = FEDN__OWNER(spool, fedn__transfer, spool);

    if (transfer->stream)
        fedn__stream_resume(transfer->stream);
}

static void spool_over(fedn__spool *spool, fedn_status status, const fedn_error *err)
{
    fedn__transfer *transfer = FEDN__OWNER(spool, fedn__transfer, spool);

    transfer->spooling = 0;
    if (status < 0)
        fedn__transfer_fail(transfer, status, err);
    fedn__transfer_check_over(transfer);
}

/* What a peer says instead of a model. */
static fedn_status refused(fedn__transfer *transfer, int32_t status, fedn_error *err)
{
    if (status == FEDN__MODEL_STATUS__FAILED && transfer->unfinished && !transfer->unknown)
        return fedn__error(err, FEDN_ERR_UNAVAILABLE, "model %s: the peer is still receiving it",
                           transfer->id);
    if (status == FEDN__MODEL_STATUS__FAILED)
        return fedn__error(err, FEDN_ERR_NOT_FOUND, "model %s: the peer does not have it",
                           transfer->id);
    return fedn__error(err, FEDN_ERR_PROTOCOL, "model %s: the peer sent a message of status %d",
                       transfer->id, (int)status);
}

static fedn_status add(fedn__transfer *transfer, fedn__load *load, fedn_error *err)
{
    int32_t room = 1;

    transfer->spooling = 1;
    if (load->bytes) {
        int32_t fresh = transfer->spool.bytes == transfer->spool.from;
        fedn_status rc = fedn__spool_add(&transfer->spool, load, &room, err);
        if (rc < 0) {
            transfer->spooling = !fresh;
            return rc;
        }
    }
    transfer->bytes = transfer->spool.bytes;
    if (transfer->complete)
        fedn__spool_commit(&transfer->spool);
    else if (!room)
        fedn__stream_pause(transfer->stream);
    return FEDN_OK;
}

static fedn_status take_chunk(fedn__transfer *transfer, const fedn__chunk *chunk, fedn__load *load,
                              fedn_error *err)
{
    if (chunk->id[0] && strcmp(chunk->id, transfer->id) != 0)
        return fedn__error(err, FEDN_ERR_PROTOCOL, "model %s: the peer sent model %s", transfer->id,
                           chunk->id);
    if (chunk->offset != 0 && (transfer->begun || chunk->offset != transfer->offset))
        return fedn__error(err, FEDN_ERR_PROTOCOL,
                           "model %s: the peer goes on at byte %llu when it was asked to at %llu",
                           transfer->id, (unsigned long long)chunk->offset,
                           (unsigned long long)(transfer->begun ? 0 : transfer->offset));
    if (!transfer->begun)
        fedn__spool_go_on(&transfer->spool, chunk->offset);
    transfer->begun = 1;
    switch (chunk->status) {
    case FEDN__MODEL_STATUS__UNKNOWN:
        transfer->unknown = 1;
        return FEDN_OK;
    case FEDN__MODEL_STATUS__IN_PROGRESS:
        transfer->unfinished = chunk->data_bytes == 0 && transfer->bytes == 0;
        return chunk->data_bytes ? add(transfer, load, err) : FEDN_OK;
    case FEDN__MODEL_STATUS__OK:
        transfer->complete = 1;
        transfer->spool.has_expected = chunk->has_digest;
        memcpy(transfer->spool.expected, chunk->digest, sizeof chunk->digest);
        return add(transfer, load, err);
    default:
        return refused(transfer, chunk->status, err);
    }
}

static void on_chunk(fedn__stream *stream, const fedn__piece *pieces, uint64_t count,
                     void *user_data)
{
    fedn__transfer *transfer = user_data;
    fedn__load load = {.count = 0};
    fedn__chunk chunk = {.status = 0};
    fedn_error err;

    if (transfer->status < 0 || transfer->complete)
        return;
    fedn__transfer_moved(transfer);
    load.data = fedn__alloc_array(count ? count : 1, sizeof *load.data);
    fedn_status rc = load.data ? FEDN_OK : fedn__error_nomem(&err);
    if (rc == FEDN_OK)
        rc = fedn__chunk_parse(FEDN__CHUNK_RESPONSE, pieces, count, load.data, &chunk, &err);
    if (rc == FEDN_OK) {
        load.count = chunk.data_count;
        load.bytes = chunk.data_bytes;
        fedn__stream_take(stream, &load.block);
        rc = take_chunk(transfer, &chunk, &load, &err);
    }
    fedn__load_done(&load);
    if (rc < 0)
        fedn__transfer_fail(transfer, rc, &err);
}

/* What an earlier try has left. */
static fedn_status look(fedn__transfer *transfer)
{
    fedn_status rc = fedn__part_look(transfer->spool.part, &transfer->offset, transfer->digest,
                                     &transfer->work_err);

    if (transfer->offset > transfer->spool.max_bytes)
        transfer->offset = 0;
    return rc;
}

static fedn_status begin(fedn__transfer *transfer, fedn_error *err)
{
    static const fedn__stream_events events = {.raw = on_chunk, .closed = fedn__transfer_closed};
    Fedn__ModelRequest request = FEDN__MODEL_REQUEST__INIT;
    Fedn__Client sender = FEDN__CLIENT__INIT;

    request.id = transfer->id;
    request.resumable = transfer->spool.parts != NULL;
    if (transfer->offset) {
        request.offset = transfer->offset;
        request.digest.data = transfer->digest;
        request.digest.len = sizeof transfer->digest;
    }
    if (transfer->client_id) {
        sender.role = FEDN__ROLE__CLIENT;
        sender.client_id = transfer->client_id;
        request.sender = &sender;
    }
    return fedn__channel_stream(transfer->channel, "/fedn.ModelService/Download", &request.base,
                                NULL, &events, transfer, &transfer->stream, err);
}

static fedn_status set_place(fedn__transfer *transfer, const fedn__download *what, fedn_error *err)
{
    fedn__spool *spool = &transfer->spool;

    spool->loop = transfer->loop;
    spool->pool = transfer->pool;
    spool->max_bytes = what->max_bytes;
    spool->memory_bytes = what->memory_bytes;
    spool->room = spool_room;
    spool->over = spool_over;
    spool->path = fedn__strdup(what->path);
    if (what->parts) {
        spool->parts = fedn__strdup(what->parts);
        spool->part = fedn__part_path(what->parts, what->id, NULL);
    }
    int32_t complete = spool->path && (!what->parts || (spool->parts && spool->part));
    return complete ? FEDN_OK : fedn__error_nomem(err);
}

fedn_status fedn__transfer_download(fedn__channel *channel, fedn__pool *pool,
                                    const fedn__download *what, fedn__transfer_fn fn,
                                    void *user_data, fedn__transfer **ret, fedn_error *err)
{
    fedn__transfer *transfer = NULL;

    *ret = NULL;
    fedn_status rc =
        fedn__transfer_new(channel, pool, what->id, what->client_id, fn, user_data, &transfer, err);
    if (rc < 0)
        return rc;
    rc = set_place(transfer, what, err);
    transfer->look = look;
    transfer->begin = begin;
    if (rc == FEDN_OK && what->parts)
        fedn__transfer_look(transfer);
    else if (rc == FEDN_OK)
        rc = begin(transfer, err);
    if (rc < 0)
        fedn__transfer_release(transfer);
    else
        *ret = transfer;
    return rc;
}
