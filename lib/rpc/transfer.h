/* SPDX-License-Identifier: Apache-2.0
 * Model bytes over fedn.ModelService: from a blob, into memory while the model is small, else into
 * a file, chunk by chunk. Files are written on the pool, one block in flight per transfer. */
#ifndef FEDN__RPC_TRANSFER_H
#define FEDN__RPC_TRANSFER_H

#include "core/blob.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "rpc/turns.h"

typedef struct fedn__transfer fedn__transfer;

/* On the loop, once. status FEDN_OK: all bytes are where they belong; `blob` (borrowed) is what was
 * downloaded, NULL for an upload. */
typedef void (*fedn__transfer_fn)(fedn_status status, const fedn_error *err, fedn__blob *blob,
                                  void *user_data);

/* Dialling side. `id` is the model's UUID text. The transfer is gone after fn. client_id goes into
 * the messages' sender; may be NULL. */
fedn_status fedn__transfer_upload(fedn__channel *channel, const char *id, const char *client_id,
                                  fedn__blob *blob, fedn__transfer_fn fn, void *user_data,
                                  fedn__transfer **ret, fedn_error *err);
typedef struct fedn__download {
    const char *id;        /* the model's UUID text */
    const char *client_id; /* into the message's sender; may be NULL */
    const char *path;      /* written beside it, renamed when the last message came */
    uint64_t max_bytes;
    uint64_t memory_bytes; /* a model up to this size is kept in memory, and there is no file */
} fedn__download;
/* FEDN_ERR_NOT_FOUND the peer does not have it; FEDN_ERR_LIMIT over max_bytes. Texts are copied. */
fedn_status fedn__transfer_download(fedn__channel *channel, fedn__pool *pool,
                                    const fedn__download *what, fedn__transfer_fn fn,
                                    void *user_data, fedn__transfer **ret, fedn_error *err);
void fedn__transfer_cancel(fedn__transfer *transfer); /* fn comes later, with CANCELLED */

/* Serving side: what the role decides. All on the loop. Fields that are not named here start as
 * zero. */
typedef struct fedn__transfer_host {
    fedn__loop *loop;
    fedn__pool *pool;
    /* First chunk of an upload: may this caller store this id? `id` is checked UUID text, lower
     * case. On FEDN_OK *ret_path (fedn__alloc'ed, taken over) and *ret_max_bytes say where and how
     * much. A refusal goes back as its status and text. When another upload of the same id still
     * runs (its peer may have gone unnoticed) and this one is accepted, it takes the other's place:
     * the other is ended, without `stored`, before this one writes. */
    fedn_status (*accept)(void *service, fedn__call *call, const char *id, char **ret_path,
                          uint64_t *ret_max_bytes, fedn_error *err);
    /* Once for every accepted upload whose place was not taken: the model is complete in `blob`
     * (borrowed; a large one is also the file at the path), or nothing of it is left and `err` says
     * why. The answer to the peer follows when it returns. The peer may be gone by then: a model
     * that was complete stays. */
    void (*stored)(void *service, const char *id, fedn_status status, fedn__blob *blob,
                   const fedn_error *err);
    /* For Download: *ret is a new reference, or FEDN_ERR_NOT_FOUND, FEDN_ERR_STATE (still being
     * uploaded) or a refusal. */
    fedn_status (*find)(void *service, fedn__call *call, const char *id, fedn__blob **ret,
                        fedn_error *err);
    uint64_t memory_bytes; /* a model up to this size is kept in memory, and there is no file */
    int32_t durable;       /* fsync a stored file before `stored` */
    void *service;
    struct fedn__upload *uploads; /* private: those in progress */
    uint64_t upload_count;        /* private */
    fedn__turns turns;            /* private */
} fedn__transfer_host;

/* The two rows of fedn.ModelService for a server's table; `host` outlives the server. */
void fedn__transfer_methods(fedn__transfer_host *host, fedn__method ret[2]);

#endif
