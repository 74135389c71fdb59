/* SPDX-License-Identifier: Apache-2.0
 * The queue of outgoing messages; see outbox.h. */
#include "rpc/outbox.h"

#include "core/alloc.h"
#include "core/limits.h"
#include <assert.h>
#include <grpc/grpc.h>

void fedn__outbox_init(fedn__outbox *outbox)
{
    outbox->first = NULL;
    outbox->last = &outbox->first;
    outbox->count = 0;
    outbox->heap_bytes = 0;
    outbox->writing = NULL;
}

fedn_status fedn__outbox_add(fedn__outbox *outbox, grpc_byte_buffer *message, uint64_t heap_bytes,
                             fedn__sent sent, void *user_data)
{
    fedn__parcel *parcel = NULL;
    fedn_status rc = FEDN_ERR_LIMIT;

    if (outbox->count >= FEDN__LIMIT_STREAM_QUEUE ||
        outbox->heap_bytes + heap_bytes > FEDN__LIMIT_STREAM_BYTES)
        goto out;
    rc = FEDN_ERR_NOMEM;
    parcel = fedn__alloc_zero(sizeof *parcel);
    if (!parcel)
        goto out;
    parcel->message = message;
    parcel->heap_bytes = heap_bytes;
    parcel->sent = sent;
    parcel->user_data = user_data;
    *outbox->last = parcel;
    outbox->last = &parcel->next;
    outbox->count++;
    outbox->heap_bytes += heap_bytes;
    return FEDN_OK;
out:
    grpc_byte_buffer_destroy(message);
    return rc;
}

static fedn__parcel *pull(fedn__outbox *outbox)
{
    fedn__parcel *parcel = outbox->first;

    if (!parcel)
        return NULL;
    outbox->first = parcel->next;
    if (!outbox->first)
        outbox->last = &outbox->first;
    outbox->count--;
    outbox->heap_bytes -= parcel->heap_bytes;
    return parcel;
}

grpc_byte_buffer *fedn__outbox_take(fedn__outbox *outbox)
{
    assert(!outbox->writing);
    outbox->writing = pull(outbox);
    return outbox->writing ? outbox->writing->message : NULL;
}

fedn__parcel *fedn__outbox_written(fedn__outbox *outbox)
{
    fedn__parcel *parcel = outbox->writing;

    outbox->writing = NULL;
    return parcel;
}

void fedn__outbox_clear(fedn__outbox *outbox)
{
    for (fedn__parcel *parcel; (parcel = pull(outbox)) != NULL;)
        fedn__parcel_free(parcel);
}

void fedn__parcel_free(fedn__parcel *parcel)
{
    if (!parcel)
        return;
    grpc_byte_buffer_destroy(parcel->message);
    fedn__free(parcel);
}
