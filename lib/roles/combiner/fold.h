/* SPDX-License-Identifier: Apache-2.0
 * The aggregate of a combiner's round, worked on by one lane of the pool: what is asked for is done
 * in the order of asking, and answered on the loop. */
#ifndef FEDN__ROLES_COMBINER_FOLD_H
#define FEDN__ROLES_COMBINER_FOLD_H

#include "core/blob.h"
#include "rpc/loop.h"

typedef struct fedn__fold fedn__fold;

/* `weight` and `count` are those of the partial after a save, else 0. */
typedef struct fedn__fold_result {
    fedn_status status;
    fedn_error err;
    double weight;
    uint64_t count;
    double seconds;
} fedn__fold_result;

typedef void (*fedn__fold_fn)(const fedn__fold_result *result, const char *id, void *user_data);

fedn_status fedn__fold_new(fedn__loop *loop, fedn__pool *pool, fedn__fold **ret, fedn_error *err);
/* After the pool has been freed. */
void fedn__fold_free(fedn__fold *fold);

/* Each returns FEDN_ERR_NOMEM, or fn is called once on the loop. Texts are copied. */
fedn_status fedn__fold_begin(fedn__fold *fold, const char *aggregator, const char *kwargs,
                             const char *format, fedn__blob *global, const char *round_id,
                             fedn__fold_fn fn, void *user_data);
/* base: the model that it started from, if that was not the global one, which is given then. */
fedn_status fedn__fold_add(fedn__fold *fold, fedn__blob *update, const char *update_id,
                           double weight, fedn__blob *base, fedn__blob *global, fedn__fold_fn fn,
                           void *user_data);
/* In the place of what was folded, with its weight: a model as npz that somebody else made of the
 * same updates. One that is not as the round's models must be changes nothing. */
fedn_status fedn__fold_replace(fedn__fold *fold, fedn__blob *model, fedn__blob *global,
                               const char *round_id, fedn__fold_fn fn, void *user_data);
fedn_status fedn__fold_save(fedn__fold *fold, const char *path, const char *partial_id,
                            fedn__fold_fn fn, void *user_data);
/* Writes the aggregate so far to the path, durably, and goes on with it; and goes on, after
 * fedn__fold_begin(), with what was written. */
fedn_status fedn__fold_checkpoint(fedn__fold *fold, const char *path, const char *partial_id,
                                  fedn__fold_fn fn, void *user_data);
fedn_status fedn__fold_resume(fedn__fold *fold, const char *path, const char *partial_id,
                              fedn__fold_fn fn, void *user_data);
/* Forget what was folded; nobody is told. */
fedn_status fedn__fold_reset(fedn__fold *fold);

#endif
