/* SPDX-License-Identifier: Apache-2.0
 * A rule of aggregation as a shared object that reducer and combiners load: federated averaging in
 * which no client counts for more than so many examples, {"most": 100} if nothing else is said.
 *
 *     cc -shared -fPIC aggregator_plugin.c -o capped.so $(pkg-config --cflags --libs fedn)
 *     fednctl reducer start --aggregator-library ./capped.so
 *     fednctl combiner start --aggregator-library ./capped.so
 *     fednctl session start --aggregator capped --aggregator-kwargs '{"most": 50}' */
#include <fedn/ext/aggregator_impl.h>
#include <fedn/fedn.h>
#include <stdlib.h>
#include <string.h>

typedef struct capped {
    fedn_aggregator *mean;
    double most;
} capped;

/* {} or {"most": N}: the text is compact JSON. */
static fedn_status parse(const char *kwargs, double *most, fedn_error *err)
{
    static const char start[] = "{\"most\":";
    char *end = NULL;

    *most = 100;
    if (strcmp(kwargs, "{}") == 0)
        return FEDN_OK;
    if (strncmp(kwargs, start, sizeof start - 1) == 0)
        *most = strtod(kwargs + sizeof start - 1, &end);
    if (end && strcmp(end, "}") == 0 && *most >= 1)
        return FEDN_OK;
    return fedn_error_set(err, FEDN_ERR_INVALID, "its one parameter is most, a number from 1");
}

static fedn_status create(const char *kwargs, void *user_data, void **ret_self, fedn_error *err)
{
    double most = 0;
    fedn_status rc = parse(kwargs, &most, err);
    capped *self = rc == FEDN_OK ? calloc(1, sizeof *self) : NULL;

    (void)user_data;
    if (rc == FEDN_OK && !self)
        return FEDN_ERR_NOMEM;
    if (rc == FEDN_OK)
        rc = fedn_aggregator_new("fedavg", NULL, &self->mean, err);
    if (rc != FEDN_OK) {
        free(self);
        return rc;
    }
    self->most = most;
    *ret_self = self;
    return FEDN_OK;
}

static void destroy(void *of)
{
    capped *self = of;

    fedn_aggregator_free(self->mean);
    free(self);
}

static fedn_status add(void *of, fedn_model *model, double weight, fedn_error *err)
{
    const capped *self = of;
    return fedn_aggregator_add(self->mean, model, weight < self->most ? weight : self->most, err);
}

static fedn_status save(void *of, fedn_model **ret, fedn_error *err)
{
    return fedn_aggregator_save(((capped *)of)->mean, ret, err);
}

static fedn_status merge(void *of, fedn_model *partial, fedn_error *err)
{
    return fedn_aggregator_merge(((capped *)of)->mean, partial, err);
}

static fedn_status finish(void *of, fedn_model **ret, fedn_error *err)
{
    return fedn_aggregator_finish(((capped *)of)->mean, ret, err);
}

static void reset(void *of)
{
    fedn_model *dropped = NULL;

    if (finish(of, &dropped, NULL) == FEDN_OK)
        fedn_model_unref(dropped);
}

static const fedn_aggregator_impl impl = {.struct_size = sizeof impl,
                                          .name = "capped",
                                          .create = create,
                                          .destroy = destroy,
                                          .add = add,
                                          .save = save,
                                          .merge = merge,
                                          .finish = finish,
                                          .reset = reset};

FEDN_API extern const fedn_aggregator_plugin_table fedn_aggregator_plugin;
const fedn_aggregator_plugin_table fedn_aggregator_plugin = {FEDN_AGGREGATOR_PLUGIN_ABI, &impl,
                                                             NULL};
