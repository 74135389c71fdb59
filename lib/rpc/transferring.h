/* SPDX-License-Identifier: Apache-2.0
 * What the files of model transfer share. */
#ifndef FEDN__RPC_TRANSFERRING_H
#define FEDN__RPC_TRANSFERRING_H

#include "rpc/chunk.h"
#include "rpc/spool.h"
#include "rpc/transfer.h"

#define FEDN__TRANSFER_AHEAD 2 /* chunks handed to gRPC before the first is out */

/* serve_upload.c, serve_download.c */
void fedn__upload_open(void *host, fedn__call *call, const ProtobufCMessage *unused);
void fedn__download_open(void *host, fedn__call *call, const ProtobufCMessage *request);

/* The dialling side of either direction. */
struct fedn__transfer {
    fedn__loop *loop;
    fedn__stream *stream; /* NULL once it has closed */
    fedn__transfer_fn fn;
    void *user_data;
    fedn__timer stall;
    char *id;
    char *client_id;
    fedn_status status; /* the first failure */
    fedn_error err;
    uint64_t bytes;
    int32_t complete; /* the peer has said that this is all, or that it has it all */

    /* upload */
    fedn__blob *blob;
    uint64_t forgotten; /* what comes before is not in our memory any more */
    uint32_t ahead;

    /* download */
    fedn__spool spool;
    int32_t spooling;   /* its `over` is still to come */
    int32_t unknown;    /* the peer does not have the model */
    int32_t unfinished; /* it has not all of it yet */
};

fedn_status fedn__transfer_new(fedn__loop *loop, const char *id, const char *client_id,
                               fedn__transfer_fn fn, void *user_data, fedn__transfer **ret,
                               fedn_error *err);
void fedn__transfer_release(fedn__transfer *transfer);
/* The first reason counts. Ends the stream and the file; fn follows. */
void fedn__transfer_fail(fedn__transfer *transfer, fedn_status status, const fedn_error *err);
/* It moves: the clock starts again. */
void fedn__transfer_moved(fedn__transfer *transfer);
/* Calls fn and releases it when nothing is to come any more. */
void fedn__transfer_check_over(fedn__transfer *transfer);
/* The stream's closed event. */
void fedn__transfer_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data);

/* Makes [offset, offset + bytes) of a file's mapping present; may wait for the disk. */
void fedn__transfer_populate(const uint8_t *data, uint64_t offset, uint64_t bytes);

#endif
