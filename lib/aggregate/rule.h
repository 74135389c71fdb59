/* SPDX-License-Identifier: Apache-2.0
 * A rule as the handle drives it, and the table of all by name. */
#ifndef FEDN__AGGREGATE_RULE_H
#define FEDN__AGGREGATE_RULE_H

#include "aggregate/output.h"
#include "aggregate/reader.h"
#include "model/kernels.h"
#include <fedn/ext/aggregator_impl.h>

/* What was folded since the round began, whatever the rule. */
typedef struct fedn__round {
    fedn__index layout;    /* without tensors until the first model is known */
    const char *reference; /* which model that was, for error texts */
    fedn__weight weight;
    uint64_t models;
    int32_t broken; /* a fold stopped half way: only a reset helps */
} fedn__round;

void fedn__round_init(fedn__round *round);
void fedn__round_done(fedn__round *round); /* empty again */

/* All that reaches a rule was checked before: checksums, layout (round->layout), finite values, the
 * weight. A failure leaves `self` as it was, or sets round->broken. */
typedef struct fedn__rule {
    const char *name;
    int32_t is_mean;                  /* add() is linear in the weight, which may be below 0 */
    const fedn_aggregator_impl *impl; /* of a registered rule */
    void *user_data;

    fedn_status (*create)(const struct fedn__rule *rule, const char *kwargs, void **ret_self,
                          fedn_error *err);
    void (*destroy)(void *self);
    fedn_status (*begin)(void *self, const fedn__reader *global, fedn_error *err); /* optional */
    fedn_status (*add)(void *self, fedn__round *round, const fedn__reader *update, double weight,
                       fedn_error *err);
    /* `more` is what the partial describes; its tensor 0 is that description */
    fedn_status (*merge)(void *self, fedn__round *round, const fedn__reader *partial,
                         const fedn__round *more, fedn_error *err);
    fedn_status (*save)(void *self, const fedn__round *round, fedn__output *output,
                        fedn_error *err);
    /* Writes the result; reset follows once it has arrived. */
    fedn_status (*finish)(void *self, fedn__round *round, fedn__output *output, fedn_error *err);
    void (*reset)(void *self);
    /* All NULL, or what spans rounds (momentum): saved after a finish, loaded after a begin with
     * the model that it was saved with; `round` has that layout. */
    fedn_status (*save_state)(void *self, fedn__output *output, fedn_error *err);
    fedn_status (*load_state)(void *self, const fedn__round *round, const fedn__reader *state,
                              fedn_error *err);
    void (*forget)(void *self); /* as before the first round */
} fedn__rule;

extern const fedn__rule fedn__rule_fedavg;
extern const fedn__rule fedn__rule_fedopt;
/* Drives a registered function table; its name, impl and user_data are filled in by the registry.
 */
extern const fedn__rule fedn__rule_custom;

/* FEDN_ERR_NOT_FOUND lists the known names. The row stays valid as long as the process. */
fedn_status fedn__rule_find(const char *name, const fedn__rule **ret, fedn_error *err);

#endif
