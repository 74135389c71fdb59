/* SPDX-License-Identifier: Apache-2.0
 * Federated averaging: sum(n_k * x_k) / sum(n_k), element by element.
 *
 * McMahan, Moore, Ramage, Hampson, Aguera y Arcas, Communication-efficient learning of deep
 * networks from decentralized data, AISTATS 2017, algorithm 1. */
#include "aggregate/sums.h"
#include "core/alloc.h"
#include "core/error.h"
#include "core/literal.h"

static fedn_status create(const fedn__rule *rule, const char *kwargs, void **ret_self,
                          fedn_error *err)
{
    json_t *given = NULL;
    fedn_status rc = fedn__literal_object(kwargs, "fedavg's parameters", &given, err);

    (void)rule;
    if (rc != FEDN_OK)
        return rc;
    if (json_object_size(given) > 0)
        rc = fedn__error(err, FEDN_ERR_INVALID, "fedavg has no parameter '%.100s'",
                         json_object_iter_key(json_object_iter(given)));
    if (rc == FEDN_OK) {
        *ret_self = fedn__alloc_zero(sizeof(fedn__sums));
        rc = *ret_self ? FEDN_OK : fedn__error_nomem(err);
    }
    json_decref(given);
    return rc;
}

static void destroy(void *self)
{
    fedn__sums_done(self);
    fedn__free(self);
}

static fedn_status finish(void *self, fedn__round *round, fedn__output *output, fedn_error *err)
{
    return fedn__sums_write(self, round, round->weight, output, err);
}

const fedn__rule fedn__rule_fedavg = {
    .name = "fedavg",
    .is_mean = 1,
    .create = create,
    .destroy = destroy,
    .add = fedn__sums_add,
    .merge = fedn__sums_merge,
    .save = fedn__sums_save,
    .finish = finish,
    .reset = fedn__sums_reset,
};
