/* SPDX-License-Identifier: Apache-2.0
 * Descriptions of partial aggregates from anybody, before sums that are fine: a refused one changes
 * nothing, an accepted one has a finite result. */
#include "fuzz.h"

#include "core/alloc.h"
#include <fedn/aggregator.h>
#include <math.h>
#include <string.h>

static fedn_model *partial_with(const void *text, uint64_t bytes)
{
    static const double sums[2] = {30, -10}, count = 70, low = 0;
    static const uint64_t two = 2;
    fedn_model *model = NULL;

    FUZZ_CHECK(fedn_model_new(&model, NULL) == FEDN_OK);
    FUZZ_CHECK(fedn_model_add(model, "fedn.partial", FEDN_DTYPE_U8, 1, &bytes, text, NULL, NULL) ==
               FEDN_OK);
    FUZZ_CHECK(fedn_model_add(model, "sum.0", FEDN_DTYPE_F64, 1, &two, sums, NULL, NULL) ==
               FEDN_OK);
    FUZZ_CHECK(fedn_model_add(model, "sum.1", FEDN_DTYPE_F64, 0, NULL, &count, NULL, NULL) ==
               FEDN_OK);
    FUZZ_CHECK(fedn_model_add(model, "low.1", FEDN_DTYPE_F64, 0, NULL, &low, NULL, NULL) ==
               FEDN_OK);
    return model;
}

static void check_result(fedn_aggregator *aggregator)
{
    fedn_model *result = NULL;

    FUZZ_CHECK(fedn_aggregator_models(aggregator) >= 1);
    FUZZ_CHECK(fedn_aggregator_weight(aggregator) > 0);
    FUZZ_CHECK(fedn_aggregator_finish(aggregator, &result, NULL) == FEDN_OK);
    FUZZ_CHECK(fedn_model_count(result) == 2);
    if (fedn_model_dtype(result, 0) == FEDN_DTYPE_F32)
        for (uint32_t i = 0; i < 2; i++)
            FUZZ_CHECK(isfinite(((const float *)fedn_model_data(result, 0))[i]));
    fedn_model_unref(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    int64_t before = fedn__alloc_outstanding();
    fedn_model *partial = partial_with(data, bytes);
    fedn_aggregator *aggregator = NULL;
    fedn_error err;

    FUZZ_CHECK(fedn_aggregator_new("fedavg", NULL, &aggregator, NULL) == FEDN_OK);
    fedn_status rc = fedn_aggregator_merge(aggregator, partial, &err);
    if (rc == FEDN_OK) {
        check_result(aggregator);
    } else {
        FUZZ_CHECK(rc == FEDN_ERR_FORMAT || rc == FEDN_ERR_LIMIT);
        FUZZ_CHECK(err.code == rc && err.message[0] && !strchr(err.message, '\n'));
        FUZZ_CHECK(fedn_aggregator_models(aggregator) == 0);
        FUZZ_CHECK(fedn_aggregator_weight(aggregator) == 0);
    }
    fedn_aggregator_free(aggregator);
    fedn_model_unref(partial);
    FUZZ_CHECK(fedn__alloc_outstanding() == before);
    return 0;
}

size_t fuzz_seed(uint32_t nth, uint8_t to[FUZZ_SEED_BYTES])
{
    static const char *const texts[] = {
        "{\"models\":2,\"rule\":\"fedavg\",\"tensors\":[[\"a\",\"float32\",[2]],[\"b\",\"int64\",[]"
        "]],"
        "\"version\":1,\"weight\":[10.0,0.0]}",
        "{\"models\":1000,\"rule\":\"fedavg\",\"tensors\":[[\"a\",\"uint8\",[2]],[\"b\","
        "\"float64\","
        "[]]],\"version\":1,\"weight\":[1e15,-0.01]}",
        "{\"models\":1,\"rule\":\"a\\nb\",\"tensors\":[],\"version\":1,\"weight\":[1,0]}",
    };

    if (nth >= sizeof texts / sizeof texts[0])
        return 0;
    memcpy(to, texts[nth], strlen(texts[nth]));
    return strlen(texts[nth]);
}
