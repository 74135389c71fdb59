/* SPDX-License-Identifier: Apache-2.0
 * Merging partials into the next global model: one lane of a pool, files in, a file out. Called and
 * answered on the loop; jobs run in the order in which they were given. */
#ifndef FEDN__ROLES_REDUCER_MERGE_H
#define FEDN__ROLES_REDUCER_MERGE_H

#include "aggregate/aggregator.h"
#include "rpc/loop.h"
#include "store/blobs.h"

typedef struct fedn__merger fedn__merger;

typedef struct fedn__merge_result {
    uint64_t round;
    uint32_t part;
    fedn_status status;
    uint64_t models; /* client updates that the partial or the model stands for */
    double seconds;
    char model_id[FEDN__UUID_TEXT]; /* of a finished model */
    fedn_error err;
} fedn__merge_result;

typedef struct fedn__merger_options {
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__blobs *blobs;
    const char *states; /* borrowed; the directory for what an aggregator keeps between rounds */
    void (*merged)(void *user_data, const fedn__merge_result *result);
    void (*finished)(void *user_data, const fedn__merge_result *result);
    void (*settled)(void *user_data); /* nothing is left to do */
    void *user_data;
} fedn__merger_options;

fedn_status fedn__merger_new(const fedn__merger_options *options, fedn__merger **ret,
                             fedn_error *err);
void fedn__merger_free(fedn__merger *merger); /* must be idle; NULL allowed */
int32_t fedn__merger_is_idle(const fedn__merger *merger);

/* Each FEDN_OK or FEDN_ERR_NOMEM: nothing happens then, and nobody is told. */

/* A new session, or one that goes on: its aggregator (taken over on success), the format of its
 * models, and the run that states belong to. */
fedn_status fedn__merger_session(fedn__merger *merger, fedn_aggregator *aggregator,
                                 const char *format, const char *run_id);
/* A round that trains from this model, the run's first or not; what an earlier round left is
 * dropped, and the aggregator's state is the one that this model was made with. A failure shows in
 * the merges. */
fedn_status fedn__merger_round(fedn__merger *merger, uint64_t round, const char *model_id,
                               int32_t is_first);
/* Checks and merges the file, which stays; `merged` follows. */
fedn_status fedn__merger_merge(fedn__merger *merger, uint64_t round, uint32_t part,
                               const char *path);
/* Writes the aggregate into the blob store under a new id, durably; `finished` follows. What fails
 * for want of room may be tried again. */
fedn_status fedn__merger_finish(fedn__merger *merger, uint64_t round);

#endif
