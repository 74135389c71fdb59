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

/* serve_held.c */
void fedn__held_open(void *host, fedn__call *call, const ProtobufCMessage *request);
/* Where a part of an upload by this call's peer is kept: *ret NULL if it is not. */
fedn_status fedn__held_path(const fedn__transfer_host *host, const fedn__call *call, const char *id,
                            char **ret, fedn_error *err);
/* The upload into this file is over: who waited for that gets to know how much is in it. */
void fedn__held_settled(fedn__transfer_host *host, const char *part);
/* serve_upload.c: ends the upload into this file, if there is one; 1: it is not over yet. */
int32_t fedn__upload_interrupt(fedn__transfer_host *host, const char *part);

/* The dialling side of either direction. */
struct fedn__transfer {
    fedn__loop *loop;
    fedn__channel *channel;
    fedn__stream *stream; /* NULL once it has closed */
    fedn__transfer_fn fn;
    void *user_data;
    fedn__timer stall;
    char *id;
    char *client_id;
    fedn_error err; /* of the first failure */
    fedn_status status;
    int32_t complete; /* the peer has said that this is all, or that it has it all */
    uint64_t bytes;

    /* before the stream is opened: how much is where it goes already */
    int32_t looking;
    fedn_status work_status;
    fedn__pool *pool;
    fedn_status (*look)(fedn__transfer *transfer);
    fedn_status (*begin)(fedn__transfer *transfer, fedn_error *err);
    fedn__work work;
    uint64_t offset;
    uint8_t digest[FEDN__DIGEST_BYTES]; /* of what comes before it */
    fedn_error work_err;
    int32_t begun; /* the first message was sent, or has come */
    int32_t there; /* of an upload: the peer says that it has all of it */

    /* upload */
    uint32_t ahead;
    int32_t spooling; /* download: its `over` is still to come */
    fedn__blob *blob;
    uint64_t forgotten; /* what comes before is not in our memory any more */

    /* download */
    fedn__spool spool;
    int32_t unknown;    /* the peer does not have the model */
    int32_t unfinished; /* it has not all of it yet */
};

/* NOLINTNEXTLINE(readability-function-size): who it is, and who hears of it */
fedn_status fedn__transfer_new(fedn__channel *channel, fedn__pool *pool, const char *id,
                               const char *client_id, fedn__transfer_fn fn, void *user_data,
                               fedn__transfer **ret, fedn_error *err);
/* Runs transfer->look on the pool, then, unless that or the transfer has failed, transfer->begin.
 */
void fedn__transfer_look(fedn__transfer *transfer);
void fedn__transfer_begin(fedn__transfer *transfer);
/* dial_held.c: asks what the peer has of the upload, then transfer->begin with `offset` set. */
fedn_status fedn__transfer_ask_held(fedn__transfer *transfer, fedn_error *err);
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
