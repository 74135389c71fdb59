/* SPDX-License-Identifier: Apache-2.0
 * What a user's first program does with the installed library: two models in, their mean out. */
#include <fedn/fedn.h>
#include <stdio.h>

static int32_t add(fedn_aggregator *aggregator, float value, double examples, fedn_error *err)
{
    const uint64_t shape[1] = {2};
    float data[2];
    fedn_model *model = NULL;

    data[0] = value;
    data[1] = -value;
    int32_t ok = fedn_model_new(&model, err) == FEDN_OK &&
                 fedn_model_add(model, "0", FEDN_DTYPE_F32, 1, shape, data, NULL, err) == FEDN_OK &&
                 fedn_aggregator_add(aggregator, model, examples, err) == FEDN_OK;
    fedn_model_unref(model);
    return ok;
}

int main(void)
{
    fedn_error err = {0, 0, ""};
    fedn_aggregator *aggregator = NULL;
    fedn_model *mean = NULL;
    int result = 1;

    if (fedn_version() / 1000 != FEDN_VERSION_MAJOR * 1000 + FEDN_VERSION_MINOR)
        fprintf(stderr, "another library was loaded: %s\n", fedn_version_string());
    else if (fedn_aggregator_new("fedavg", NULL, &aggregator, &err) == FEDN_OK &&
             add(aggregator, 1, 30, &err) && add(aggregator, 5, 10, &err) &&
             fedn_aggregator_finish(aggregator, &mean, &err) == FEDN_OK) {
        const float *values = (const float *)fedn_model_data(mean, 0);
        printf("%s: %g %g\n", fedn_version_string(), (double)values[0], (double)values[1]);
        result = values[0] == 2.0f && values[1] == -2.0f ? 0 : 1;
    } else
        fprintf(stderr, "%s\n", err.message);
    fedn_model_unref(mean);
    fedn_aggregator_free(aggregator);
    return result;
}
