/* SPDX-License-Identifier: Apache-2.0
 * A file that fills from received blocks: one is being written on the pool while the next arrives.
 */
#ifndef FEDN__RPC_SPOOL_H
#define FEDN__RPC_SPOOL_H

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
    char *path; /* owned */
    uint64_t max_bytes;
    int32_t durable;
    /* room for another block, after fedn__spool_add() has said that there is none */
    void (*room)(fedn__spool *spool);
    /* always, once, after fedn__spool_commit() or fedn__spool_abandon(), or when writing failed:
     * the file is at the path (FEDN_OK) or nothing of it is left */
    void (*over)(fedn__spool *spool, fedn_status status, const fedn_error *err);

    uint64_t bytes; /* taken so far */
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
    int fd;
    fedn_status status;
    fedn_error job_err;
};

/* The caller has zeroed it and set what stands before `bytes`. */
void fedn__spool_init(fedn__spool *spool);
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
