/* SPDX-License-Identifier: Apache-2.0
 * A rule of aggregation of one's own: the plain mean, in which every client counts the same. It
 * stands on federated averaging, so its `self` is such an aggregator. */
#include <fedn/ext/aggregator_impl.h>
#include <fedn/fedn.h>
#include <stdio.h>

static fedn_status create(const char *kwargs, void *user_data, void **ret_self, fedn_error *err)
{
    fedn_aggregator *mean = NULL;

    (void)kwargs, (void)user_data;
    fedn_status rc = fedn_aggregator_new("fedavg", NULL, &mean, err);
    *ret_self = mean;
    return rc;
}

static void destroy(void *self)
{
    fedn_aggregator_free(self);
}

static fedn_status add(void *self, fedn_model *model, double weight, fedn_error *err)
{
    (void)weight; /* this is all that is new */
    return fedn_aggregator_add(self, model, 1, err);
}

static fedn_status save(void *self, fedn_model **ret, fedn_error *err)
{
    return fedn_aggregator_save(self, ret, err);
}

static fedn_status merge(void *self, fedn_model *partial, fedn_error *err)
{
    return fedn_aggregator_merge(self, partial, err);
}

static fedn_status finish(void *self, fedn_model **ret, fedn_error *err)
{
    return fedn_aggregator_finish(self, ret, err);
}

static void reset(void *self)
{
    fedn_model *dropped = NULL;
    if (fedn_aggregator_finish(self, &dropped, NULL) == FEDN_OK)
        fedn_model_unref(dropped);
}

int main(void)
{
    static const fedn_aggregator_impl impl = {sizeof impl, "plain", create, destroy, NULL,
                                              add,         save,    merge,  finish,  reset};
    const float values[] = {1, 4};
    fedn_aggregator *aggregator = NULL;
    fedn_model *model = NULL;
    fedn_error err = {0};

    fedn_status rc = fedn_aggregator_register(&impl, NULL, &err);
    if (rc == FEDN_OK)
        rc = fedn_aggregator_new("plain", NULL, &aggregator, &err);
    for (int i = 0; rc == FEDN_OK && i < 2; i++) {
        rc = fedn_model_new(&model, &err);
        if (rc == FEDN_OK)
            rc = fedn_model_add(model, NULL, FEDN_DTYPE_F32, 0, NULL, &values[i], NULL, &err);
        if (rc == FEDN_OK) /* the second client has a thousand times as many examples */
            rc = fedn_aggregator_add(aggregator, model, i ? 1000 : 1, &err);
        model = fedn_model_unref(model);
    }
    if (rc == FEDN_OK)
        rc = fedn_aggregator_finish(aggregator, &model, &err);
    if (rc == FEDN_OK)
        printf("plain mean of 1 and 4: %g\n", (double)*(const float *)fedn_model_data(model, 0));
    else
        fprintf(stderr, "custom_aggregator: %s\n", err.message);
    fedn_model_unref(model);
    fedn_aggregator_free(aggregator);
    return rc == FEDN_OK ? 0 : 1;
}
