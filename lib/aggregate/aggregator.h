/* SPDX-License-Identifier: Apache-2.0
 * Aggregating straight from encoded files into encoded files, in blocks: what the roles use. The
 * rules and promises are those of <fedn/aggregator.h>. */
#ifndef FEDN__AGGREGATE_AGGREGATOR_H
#define FEDN__AGGREGATE_AGGREGATOR_H

#include "model/source.h"
#include <fedn/aggregator.h>

/* Checks all of the update first (layout, checksums, finiteness), then folds it. */
fedn_status fedn__aggregator_begin_source(fedn_aggregator *aggregator, fedn__source *global,
                                          fedn_error *err);
fedn_status fedn__aggregator_add_source(fedn_aggregator *aggregator, fedn__source *update,
                                        double weight, fedn_error *err);
/* 1 if the rule is a weighted mean, whose updates can be moved. */
int32_t fedn__aggregator_is_mean(const fedn_aggregator *aggregator);
/* Reads a model as adding it would, and adds nothing. */
fedn_status fedn__aggregator_check_source(fedn_aggregator *aggregator, fedn__source *model,
                                          fedn_error *err);
/* Adds `weight` times a model (or takes it away: weight below 0) without counting it: an update
 * that did not start from the global model is moved to it so. Checked as an update is.
 * FEDN_ERR_STATE: nothing was added before, or the rule is no mean. A failure spoils the round. */
fedn_status fedn__aggregator_shift_source(fedn_aggregator *aggregator, fedn__source *model,
                                          double weight, fedn_error *err);
fedn_status fedn__aggregator_merge_source(fedn_aggregator *aggregator, fedn__source *partial,
                                          fedn_error *err);
/* Writes "<path>", whole or not at all; whoever keeps it makes it durable. A partial is always npz.
 */
fedn_status fedn__aggregator_save_file(fedn_aggregator *aggregator, const char *path,
                                       fedn_error *err);
fedn_status fedn__aggregator_finish_file(fedn_aggregator *aggregator, const char *format,
                                         const char *path, fedn_error *err);
/* What spans rounds. 1 if the rule has such a thing; without, the others do nothing. */
int32_t fedn__aggregator_has_state(const fedn_aggregator *aggregator);
/* As a file, durably; after a round was finished. */
fedn_status fedn__aggregator_save_state(fedn_aggregator *aggregator, const char *path,
                                        fedn_error *err);
/* After a round was begun with the model that it was saved with. FEDN_ERR_NOT_FOUND: no file. */
fedn_status fedn__aggregator_load_state(fedn_aggregator *aggregator, const char *path,
                                        fedn_error *err);
/* As a session starts. */
void fedn__aggregator_forget(fedn_aggregator *aggregator);
/* Forgets the round that was begun; what spans rounds (momentum) stays. */
void fedn__aggregator_reset(fedn_aggregator *aggregator);
/* FEDN_ERR_NOT_FOUND with the known names if there is none such. */
fedn_status fedn__aggregator_known(const char *name, fedn_error *err);

#endif
