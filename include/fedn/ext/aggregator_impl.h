/* SPDX-License-Identifier: Apache-2.0
 * For writers of an aggregator: the function table to fill in and register. The promise of ext/ is
 * weaker than that of the other headers: a table may grow (see struct_size). */
#ifndef FEDN_EXT_AGGREGATOR_IMPL_H
#define FEDN_EXT_AGGREGATOR_IMPL_H

#include <fedn/aggregator.h>

/**
 * One aggregation rule. Functions are called by one thread at a time per `self`. A failing function
 * leaves `self` as it was. Models passed in are borrowed and immutable; the library has already
 * checked that names, types and shapes agree with the first model, that every value is finite and
 * that the weight is in its range.
 */
typedef struct fedn_aggregator_impl {
    uint64_t struct_size; /* sizeof(fedn_aggregator_impl) */
    const char *name;     /* [a-z0-9_-]{1,63} */

    /* kwargs: JSON object text, "{}" if none were given */
    fedn_status (*create)(const char *kwargs, void *user_data, void **ret_self, fedn_error *err);
    void (*destroy)(void *self);
    /* the model the round started from; optional; may come again before the first add */
    fedn_status (*begin)(void *self, fedn_model *global, fedn_error *err);
    fedn_status (*add)(void *self, fedn_model *model, double weight, fedn_error *err);
    /* all that was added, as a model that merge understands */
    fedn_status (*save)(void *self, fedn_model **ret, fedn_error *err);
    fedn_status (*merge)(void *self, fedn_model *partial, fedn_error *err);
    /* the result; afterwards self is empty again, but keeps what spans rounds (momentum) */
    fedn_status (*finish)(void *self, fedn_model **ret, fedn_error *err);
    /* forget the round that was begun */
    void (*reset)(void *self);

    /* A table may end here. Both or neither: what spans rounds, as a model of any layout. It is
     * saved after each finish and stored with the result, so that a session goes on after a restart
     * as if there had been none. */
    fedn_status (*save_state)(void *self, fedn_model **ret, fedn_error *err);
    /* after begin; NULL: forget it, a session starts. May come again with an older one. */
    fedn_status (*load_state)(void *self, fedn_model *state, fedn_error *err);
} fedn_aggregator_impl;

#define FEDN_AGGREGATOR_PLUGIN_ABI 1u

/**
 * What a shared object exports under the name `fedn_aggregator_plugin` to be named in
 * combiner.aggregator_library and reducer.aggregator_library: the rule that is registered when it
 * is loaded. It is loaded once and stays as long as the process.
 */
typedef struct fedn_aggregator_plugin_table {
    uint32_t abi_version; /* FEDN_AGGREGATOR_PLUGIN_ABI */
    const fedn_aggregator_impl *impl;
    void *user_data;
} fedn_aggregator_plugin_table;

FEDN_BEGIN_DECLS

/**
 * Add a rule under its name, for the whole process.
 *
 * @param impl       borrowed, must stay valid as long as the process
 * @param user_data  handed to create
 * @return FEDN_OK; FEDN_ERR_INVALID the table; FEDN_ERR_EXISTS the name; FEDN_ERR_LIMIT
 * Owns: nothing changes hands.   Thread: any.   Since: 0.1
 */
FEDN_API fedn_status fedn_aggregator_register(const fedn_aggregator_impl *impl, void *user_data,
                                              fedn_error *err);

FEDN_END_DECLS
#endif
