/* SPDX-License-Identifier: Apache-2.0
 * A model that fills from received blocks: in memory while it is small, then in a file, of which
 * one block is written on the pool while the next arrives. */
#ifndef FEDN__RPC_SPOOL_H
#define FEDN__RPC_SPOOL_H

#include "core/blob.h"
#include "core/buffer.h"
#include "rpc/codec.h"

/* Blocks received and what of them belongs into the file; the data lies in the block. */
typedef struct fedn__load {
    fedn__block block;
    fedn__piece *data; /* own array */
    uint64_t count;
    uint64_t bytes;
} fedn__load;

typedef struct fedn__spool fedn__spool;
struct fedn__spool {
    fedn__loop *loop;
    fedn__pool *pool;
    char *path;    /* owned */
    char *parts;   /* the directory of parts, where `part` is; NULL: beside the path. Owned */
    char *part;    /* where it is written until it is whole; NULL: "<path>.part". Owned */
    uint64_t from; /* what is in `part` already, and shall be gone on with */
    uint64_t max_bytes;
    uint64_t memory_bytes; /* up to this size there is no file */
    int32_t durable;
    int32_t keep; /* what came stays in `part` when it is abandoned */
    int32_t has_expected;
    uint8_t expected[FEDN__DIGEST_BYTES]; /* of the whole, as its sender said: before the commit */
    /* room for another block, after fedn__spool_add() has said that there is none */
    void (*room)(fedn__spool *spool);
    /* always, once and later, after fedn__spool_commit() or fedn__spool_abandon(), or when writing
     * failed: the model is in `blob` (FEDN_OK), a large one also at the path; or nothing of it is
     * left */
    void (*over)(fedn__spool *spool, fedn_status status, const fedn_error *err);

    uint64_t bytes;      /* taken so far, and `from` */
    fedn__blob *blob;    /* when over: the spool's reference */
    fedn__digest *sums;  /* of what is in the file */
    fedn__buffer memory; /* what came while there was no file; then the worker's, for its start */
    int32_t in_file;
    fedn__post post; /* to be over without a file */
    fedn__load next;
    int32_t waiting;    /* `next` is filled */
    int32_t ended;      /* `over` was called */
    int32_t ending;     /* 1 commit, -1 abandon */
    fedn_status reason; /* of an abandon, with `err` */
    fedn_error err;
    int32_t busy; /* a job is on the pool: what follows is its own until it is back */
    fedn__work work;
    fedn__load load;
    int32_t job_ending;
    int32_t job_keep;
    int fd;
    fedn_status status;
    fedn_error job_err;
};

/* The caller has zeroed it and sets what stands before `bytes`, before the first block. */
void fedn__spool_init(fedn__spool *spool);
/* The first `from` bytes are in the part already. Before the first block. */
void fedn__spool_go_on(fedn__spool *spool, uint64_t from);
void fedn__spool_done(fedn__spool *spool); /* when it is over, or before the first block */
/* Takes the load over, also on failure: FEDN_ERR_LIMIT over max_bytes. *ret_room: another may come.
 */
fedn_status fedn__spool_add(fedn__spool *spool, fedn__load *load, int32_t *ret_room,
                            fedn_error *err);
void fedn__spool_commit(fedn__spool *spool);
/* After a commit that has begun it is too late: that goes on. */
void fedn__spool_abandon(fedn__spool *spool, fedn_status reason, const fedn_error *err);
void fedn__load_done(fedn__load *load);

#endif
