/* SPDX-License-Identifier: Apache-2.0
 * Aggregators: weighted models in, one model out; usable without any network. */
#ifndef FEDN_AGGREGATOR_H
#define FEDN_AGGREGATOR_H

#include <fedn/model.h>

typedef struct fedn_aggregator fedn_aggregator;

FEDN_BEGIN_DECLS

/**
 * An aggregator by name.
 *
 * @param name    "fedavg" or one that fedn_aggregator_register() added; NULL means "fedavg"
 * @param kwargs  its parameters as JSON object text; NULL or "" means defaults
 * @param ret     one aggregator; NULL on failure
 * @return FEDN_OK; FEDN_ERR_NOT_FOUND the name (the text lists the known ones); FEDN_ERR_INVALID a
 *         parameter; FEDN_ERR_NOMEM
 * Owns: caller frees with fedn_aggregator_free().   Thread: owner.   Blocks: no.   Since: 0.1
 */
FEDN_API FEDN_NODISCARD fedn_status fedn_aggregator_new(const char *name, const char *kwargs,
                                                        fedn_aggregator **ret, fedn_error *err);

/** Release an aggregator; NULL is allowed. Thread: owner. Since: 0.1 */
FEDN_API void fedn_aggregator_free(fedn_aggregator *aggregator);

/**
 * Tell the aggregator the model that the round started from; the first model given (here or by
 * add) fixes the tensors' names, types and shapes that all others must have.
 *
 * @return FEDN_OK; FEDN_ERR_FORMAT; FEDN_ERR_STATE models were added already; FEDN_ERR_NOMEM
 * Owns: nothing changes hands.   Thread: owner.   Since: 0.1
 */
FEDN_API fedn_status fedn_aggregator_begin(fedn_aggregator *aggregator, fedn_model *global,
                                           fedn_error *err);

/**
 * Fold one trained model into the running aggregate; on failure the aggregate is as before.
 *
 * @param aggregator    borrowed; not yet finished
 * @param model         borrowed; sealed by this call
 * @param num_examples  its weight: samples it was trained on; from 1e-15 to 1e15
 * @param err           optional
 * @return FEDN_OK; FEDN_ERR_STATE already finished; FEDN_ERR_FORMAT another set of tensors, another
 *         shape or type, or a value that is not finite (the text names the tensor);
 *         FEDN_ERR_INVALID the weight; FEDN_ERR_NOMEM
 * Owns: nothing changes hands.   Thread: owner.   Blocks: no I/O; time grows with model bytes.
 * Since: 0.1
 */
FEDN_API fedn_status fedn_aggregator_add(fedn_aggregator *aggregator, fedn_model *model,
                                         double num_examples, fedn_error *err);

/**
 * The running aggregate as a model of its own (weighted sums, weights, count): what a lower tier
 * hands to the next, and what is kept over a restart.
 *
 * @param ret  one reference; NULL on failure
 * @return FEDN_OK; FEDN_ERR_STATE nothing was added; FEDN_ERR_NOMEM
 * Owns: caller drops the reference.   Thread: owner.   Since: 0.1
 */
FEDN_API FEDN_NODISCARD fedn_status fedn_aggregator_save(fedn_aggregator *aggregator,
                                                         fedn_model **ret, fedn_error *err);

/**
 * Merge what fedn_aggregator_save() made, of the same aggregator name; into an empty aggregator
 * this restores it. On failure the aggregate is as before.
 *
 * @return FEDN_OK; FEDN_ERR_FORMAT; FEDN_ERR_STATE; FEDN_ERR_NOMEM
 * Owns: nothing changes hands.   Thread: owner.   Since: 0.1
 */
FEDN_API fedn_status fedn_aggregator_merge(fedn_aggregator *aggregator, fedn_model *partial,
                                           fedn_error *err);

/**
 * The aggregated model: every tensor with the type it came with. FedAvg is
 * sum(n_k * x_k) / sum(n_k), McMahan et al. 2017, algorithm 1, summed in twice the precision.
 * The aggregator is empty afterwards and may begin the next round.
 *
 * @param ret  one reference; NULL on failure
 * @return FEDN_OK; FEDN_ERR_STATE nothing was added; FEDN_ERR_NOMEM
 * Owns: caller drops the reference.   Thread: owner.   Since: 0.1
 */
FEDN_API FEDN_NODISCARD fedn_status fedn_aggregator_finish(fedn_aggregator *aggregator,
                                                           fedn_model **ret, fedn_error *err);

/** Models folded since the start of the round, those inside merged partials included.
 * Thread: owner. Since: 0.1 */
FEDN_API uint64_t fedn_aggregator_models(const fedn_aggregator *aggregator);

/** Sum of the weights folded since the start of the round. Thread: owner. Since: 0.1 */
FEDN_API double fedn_aggregator_weight(const fedn_aggregator *aggregator);

FEDN_END_DECLS
#endif
