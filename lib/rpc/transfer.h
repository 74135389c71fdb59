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

/* Dialling side. The transfer is gone after fn. Texts are copied. */
typedef struct fedn__sending {
    const char *id;        /* the model's UUID text */
    const char *client_id; /* into the messages' sender; may be NULL */
    fedn__blob *blob;
    /* Asks first what the peer has of an earlier upload under this id, and goes on behind it if it
     * is the start of `blob`. FEDN_ERR_UNSUPPORTED: the peer cannot say, and may append to what it
     * has. */
    int32_t resume;
} fedn__sending;
fedn_status fedn__transfer_upload(fedn__channel *channel, fedn__pool *pool,
                                  const fedn__sending *what, fedn__transfer_fn fn, void *user_data,
                                  fedn__transfer **ret, fedn_error *err);
typedef struct fedn__download {
    const char *id;        /* the model's UUID text */
    const char *client_id; /* into the message's sender; may be NULL */
    const char *path;      /* renamed to it when the last message came */
    /* A directory where what came of a broken download stays, and is looked for: the next one goes
     * on with it if the peer can. NULL: nothing stays. */
    const char *parts;
    uint64_t max_bytes;
    uint64_t memory_bytes; /* a model up to this size is kept in memory, and there is no file */
} fedn__download;
/* FEDN_ERR_NOT_FOUND the peer does not have it; FEDN_ERR_LIMIT over max_bytes. */
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
    /* Optional, for Held: 1 when all of an upload by this caller is here already, with its digest.
     */
    int32_t (*whole)(void *service, fedn__call *call, const char *id,
                     uint8_t ret_digest[FEDN__DIGEST_BYTES]);
    uint64_t memory_bytes; /* a model up to this size is kept in memory, and there is no file */
    int32_t durable;       /* fsync a stored file before `stored` */
    /* A directory, on the file system of the paths, where what came of a large upload stays when it
     * breaks, for the peer of the same name to go on with: see parts.h. NULL: nothing stays. */
    const char *parts;
    const char *owner_key; /* the metadata that names the peer */
    void *service;
    struct fedn__upload *uploads;     /* private: those in progress */
    uint64_t upload_count;            /* private */
    struct fedn__question *questions; /* private: who asks how much is here */
    uint64_t question_count;          /* private */
    fedn__turns turns;                /* private */
} fedn__transfer_host;

/* The rows of fedn.ModelService for a server's table; `host` outlives the server. */
enum { FEDN__TRANSFER_METHODS = 3 };
void fedn__transfer_methods(fedn__transfer_host *host, fedn__method ret[FEDN__TRANSFER_METHODS]);

#endif
