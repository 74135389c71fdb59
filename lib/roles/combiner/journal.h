/* SPDX-License-Identifier: Apache-2.0
 * A file of records that outlive the process: appended in order, each with its length and checksum,
 * flushed together when they come together. Loop thread only; writing happens on the pool. */
#ifndef FEDN__ROLES_COMBINER_JOURNAL_H
#define FEDN__ROLES_COMBINER_JOURNAL_H

#include "core/log.h"
#include "rpc/loop.h"

typedef struct fedn__journal fedn__journal;

typedef struct fedn__journal_options {
    const char *path;
    fedn__loop *loop;
    fedn__pool *pool;
    const fedn__log *log;
} fedn__journal_options;

/* One record of an earlier process; any status but FEDN_OK ends the reading with it. */
typedef fedn_status (*fedn__journal_record_fn)(const uint8_t *record, uint64_t bytes,
                                               void *user_data, fedn_error *err);

/* Opens or makes the file, and reads what it holds. A tail that was not written whole is cut off,
 * and so is everything behind a record whose checksum is wrong; *ret_cut: its bytes. */
fedn_status fedn__journal_open(const fedn__journal_options *options, fedn__journal_record_fn fn,
                               void *user_data, uint64_t *ret_cut, fedn__journal **ret,
                               fedn_error *err);
/* Nothing is written any more, but for what the pool is at. NULL allowed. */
void fedn__journal_stop(fedn__journal *journal);
/* The loop and the pool are at rest. What is not on disk was not told of, and is forgotten. */
void fedn__journal_close(fedn__journal *journal);

/* What follows is carried out in order; `fn` gets a copy of `key` when it is done. A disk that
 * cannot be written is tried again until it can: until then nothing is told. FEDN_ERR_NOMEM,
 * FEDN_ERR_LIMIT a record over FEDN__LIMIT_JOURNAL_RECORD: nothing happened. */
typedef void (*fedn__journal_fn)(const char *key, void *user_data);

/* Drops all records. With a record (not NULL) it begins anew with that one. */
fedn_status fedn__journal_begin(fedn__journal *journal, const void *record, uint64_t bytes,
                                const char *key, fedn__journal_fn fn, void *user_data);
/* When it is done, this record and all before it are on disk. */
fedn_status fedn__journal_add(fedn__journal *journal, const void *record, uint64_t bytes,
                              const char *key, fedn__journal_fn fn, void *user_data);

#endif
