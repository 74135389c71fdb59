/* SPDX-License-Identifier: Apache-2.0
 * Before an upload that was begun already: how much of it the peer has, and whether that is the
 * start of what is to be sent. */
#include "core/error.h"
#include "fedn.pb-c.h"
#include "rpc/dialling.h"
#include "rpc/transferring.h"
#include <string.h>

/* On a worker. Another content begins anew. */
static fedn_status compare(fedn__transfer *transfer)
{
    uint8_t digest[FEDN__DIGEST_BYTES];
    fedn_error *err = &transfer->work_err;

    fedn_status rc = fedn__blob_start_digest(transfer->blob, transfer->offset, digest, err);
    if (rc == FEDN_OK && memcmp(digest, transfer->digest, sizeof digest) != 0)
        transfer->offset = 0;
    else if (rc == FEDN_OK) /* goes with the last message */
        rc = fedn__blob_digest(transfer->blob, digest, err);
    return rc;
}

static fedn_status take_answer(fedn__transfer *transfer, const Fedn__ModelResponse *answer,
                               fedn_error *err)
{
    transfer->there = answer->offset == 0 && answer->digest.len != 0;
    uint64_t offset = transfer->there ? fedn__blob_bytes(transfer->blob) : answer->offset;
    if (offset == 0 || offset > fedn__blob_bytes(transfer->blob))
        return FEDN_OK;
    if (answer->digest.len != sizeof transfer->digest)
        return fedn__error(err, FEDN_ERR_PROTOCOL,
                           "model %s: the peer has %llu bytes of it, with a digest of %llu bytes "
                           "instead of %d",
                           transfer->id, (unsigned long long)offset,
                           (unsigned long long)answer->digest.len, FEDN__DIGEST_BYTES);
    transfer->offset = offset;
    memcpy(transfer->digest, answer->digest.data, sizeof transfer->digest);
    return FEDN_OK;
}

static void on_held(int32_t rpc, const char *details, const ProtobufCMessage *response,
                    void *user_data)
{
    fedn__transfer *transfer = user_data;
    fedn_status rc = FEDN_OK;
    fedn_error err;

    transfer->looking = 0;
    fedn__transfer_moved(transfer);
    if (rpc == FEDN__RPC_OK)
        rc = take_answer(transfer, (const Fedn__ModelResponse *)response, &err);
    else
        rc = fedn__rpc_error(&err, "how much of the model is there", rpc, details);
    if (rc < 0)
        fedn__transfer_fail(transfer, rc, &err);
    if (transfer->status == FEDN_OK && transfer->offset)
        fedn__transfer_look(transfer);
    else
        fedn__transfer_begin(transfer);
}

fedn_status fedn__transfer_ask_held(fedn__transfer *transfer, fedn_error *err)
{
    const fedn__unary_options options = {.timeout_ms = FEDN__LIMIT_STALL_MS};
    Fedn__ModelRequest request = FEDN__MODEL_REQUEST__INIT;

    request.id = transfer->id;
    transfer->look = compare;
    fedn_status rc =
        fedn__channel_unary(transfer->channel, "/fedn.ModelService/Held", &request.base,
                            &fedn__model_response__descriptor, &options, on_held, transfer);
    if (rc < 0)
        return fedn__error(err, rc, "model %s: the peer cannot be asked: %s", transfer->id,
                           fedn_status_string(rc));
    transfer->looking = 1;
    return FEDN_OK;
}
