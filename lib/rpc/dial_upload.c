/* SPDX-License-Identifier: Apache-2.0
 * Sending a model to a peer: chunks that point into the blob. */
#include "core/error.h"
#include "fedn.pb-c.h"
#include "rpc/dialling.h"
#include "rpc/transferring.h"

#define FORGET_BYTES (8 * FEDN__MIB) /* of a file, at a time */

static void go_on(fedn__transfer *transfer);

/* What has been sent need not be in our memory. */
static void forget(fedn__transfer *transfer, uint64_t least)
{
    uint64_t held = (uint64_t)transfer->ahead * FEDN__LIMIT_CHUNK_BYTES;
    uint64_t sent = transfer->bytes > held ? transfer->bytes - held : 0;

    if (sent < transfer->forgotten + least)
        return;
    fedn__blob_forget(transfer->blob, transfer->forgotten, sent);
    transfer->forgotten = sent;
}

static void on_sent(fedn__stream *stream, void *user_data)
{
    fedn__transfer *transfer = user_data;

    (void)stream;
    transfer->ahead--;
    fedn__transfer_moved(transfer);
    forget(transfer, FORGET_BYTES);
    go_on(transfer);
}

static fedn_status send_chunk(fedn__transfer *transfer, int32_t status, uint64_t bytes)
{
    uint8_t digest[FEDN__DIGEST_BYTES];
    uint8_t head[FEDN__CHUNK_HEAD_BYTES];
    fedn__chunk_words words = {
        .id = transfer->id, .client_id = transfer->client_id, .status = status};

    if (!transfer->begun) {
        words.resumable = 1;
        words.offset = transfer->offset;
    }
    transfer->begun = 1;
    if (status == FEDN__MODEL_STATUS__OK && fedn__blob_known_digest(transfer->blob, digest))
        words.digest = digest;
    uint64_t head_bytes = fedn__chunk_head(FEDN__CHUNK_REQUEST, &words, bytes, head);
    return fedn__stream_send_blob(transfer->stream, head, head_bytes, transfer->blob,
                                  transfer->bytes, bytes, bytes ? on_sent : NULL, transfer);
}

static void go_on(fedn__transfer *transfer)
{
    uint64_t total = fedn__blob_bytes(transfer->blob);
    fedn_status rc = FEDN_OK;
    fedn_error err;

    while (rc == FEDN_OK && transfer->ahead < FEDN__TRANSFER_AHEAD && transfer->bytes < total) {
        uint64_t left = total - transfer->bytes;
        uint64_t bytes = left < FEDN__LIMIT_CHUNK_BYTES ? left : FEDN__LIMIT_CHUNK_BYTES;
        rc = send_chunk(transfer, FEDN__MODEL_STATUS__IN_PROGRESS, bytes);
        if (rc == FEDN_OK) {
            transfer->bytes += bytes;
            transfer->ahead++;
        }
    }
    if (rc == FEDN_OK && transfer->bytes == total) {
        if (transfer->ahead == 0)
            forget(transfer, 0);
        /* once: the queue takes nothing after its end, and then only `sent` of earlier chunks comes
         */
        rc = send_chunk(transfer, FEDN__MODEL_STATUS__OK, 0);
        if (rc == FEDN_OK)
            fedn__stream_end_sending(transfer->stream);
    }
    if (rc < 0 && rc != FEDN_ERR_STATE) {
        (void)fedn__error(&err, rc, "model %s: a chunk could not be sent", transfer->id);
        fedn__transfer_fail(transfer, rc, &err);
    }
}

static void on_answer(fedn__stream *stream, const ProtobufCMessage *message, void *user_data)
{
    fedn__transfer *transfer = user_data;
    const Fedn__ModelResponse *answer = (const Fedn__ModelResponse *)message;
    fedn_error err;

    (void)stream;
    if (answer->status == FEDN__MODEL_STATUS__OK) {
        transfer->complete = 1;
        return;
    }
    (void)fedn__error(&err, FEDN_ERR_PROTOCOL, "model %s: the peer answered with status %d: %.200s",
                      transfer->id, (int)answer->status, answer->message);
    fedn__transfer_fail(transfer, FEDN_ERR_PROTOCOL, &err);
}

static fedn_status begin(fedn__transfer *transfer, fedn_error *err)
{
    static const fedn__stream_events events = {.message = on_answer,
                                               .closed = fedn__transfer_closed};

    if (transfer->there && transfer->offset) { /* and it is the same */
        transfer->complete = 1;
        return FEDN_OK;
    }
    fedn_status rc = fedn__channel_stream(transfer->channel, "/fedn.ModelService/Upload", NULL,
                                          &fedn__model_response__descriptor, &events, transfer,
                                          &transfer->stream, err);
    if (rc < 0)
        return rc;
    transfer->bytes = transfer->offset;
    transfer->forgotten = transfer->offset;
    go_on(transfer);
    return FEDN_OK;
}

fedn_status fedn__transfer_upload(fedn__channel *channel, fedn__pool *pool,
                                  const fedn__sending *what, fedn__transfer_fn fn, void *user_data,
                                  fedn__transfer **ret, fedn_error *err)
{
    fedn__transfer *transfer = NULL;

    *ret = NULL;
    fedn_status rc =
        fedn__transfer_new(channel, pool, what->id, what->client_id, fn, user_data, &transfer, err);
    if (rc < 0)
        return rc;
    transfer->blob = fedn__blob_ref(what->blob);
    transfer->begin = begin;
    rc = what->resume ? fedn__transfer_ask_held(transfer, err) : begin(transfer, err);
    if (rc < 0)
        fedn__transfer_release(transfer);
    else
        *ret = transfer;
    return rc;
}
