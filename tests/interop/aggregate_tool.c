/* SPDX-License-Identifier: Apache-2.0
 * One round of a rule over two combiners, from files into a file: what the scripts beside it drive.
 *
 *     aggregate_tool RULE KWARGS STATE GLOBAL RESULT {UPDATE EXAMPLES} ...
 *
 * STATE is what the rule keeps between rounds: read if it is there, then written. */
#include "aggregate/aggregator.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static fedn_status add_all(const char *rule, fedn_model *global, char **updates, int32_t first,
                           int32_t count, fedn_aggregator *into, fedn_error *err)
{
    fedn_aggregator *combiner = NULL;
    fedn_model *partial = NULL;
    fedn_status rc = fedn_aggregator_new(rule, NULL, &combiner, err);

    if (rc == FEDN_OK)
        rc = fedn_aggregator_begin(combiner, global, err);
    for (int32_t i = first; rc == FEDN_OK && i < count; i += 2) {
        fedn_model *update = NULL;
        rc = fedn_model_load(updates[2 * i], NULL, &update, err);
        if (rc == FEDN_OK)
            rc = fedn_aggregator_add(combiner, update, atof(updates[2 * i + 1]), err);
        fedn_model_unref(update);
    }
    if (rc == FEDN_OK && first < count)
        rc = fedn_aggregator_save(combiner, &partial, err);
    if (partial)
        rc = fedn_aggregator_merge(into, partial, err);
    fedn_model_unref(partial);
    fedn_aggregator_free(combiner);
    return rc;
}

int main(int argc, char **argv)
{
    fedn_error err = {.code = FEDN_OK};
    fedn_aggregator *reducer = NULL;
    fedn_model *global = NULL;
    fedn_model *result = NULL;

    if (argc < 8 || argc % 2) {
        fprintf(stderr,
                "usage: aggregate_tool RULE KWARGS STATE GLOBAL RESULT {UPDATE EXAMPLES}\n");
        return 2;
    }
    int32_t count = (argc - 6) / 2;
    fedn_status rc = fedn_aggregator_new(argv[1], argv[2], &reducer, &err);
    if (rc == FEDN_OK)
        rc = fedn_model_load(argv[4], NULL, &global, &err);
    if (rc == FEDN_OK)
        rc = fedn_aggregator_begin(reducer, global, &err);
    if (rc == FEDN_OK && access(argv[3], F_OK) == 0)
        rc = fedn__aggregator_load_state(reducer, argv[3], &err);
    for (int32_t i = 0; rc == FEDN_OK && i < 2; i++)
        rc = add_all(argv[1], global, argv + 6, i, count, reducer, &err);
    if (rc == FEDN_OK)
        rc = fedn_aggregator_finish(reducer, &result, &err);
    if (rc == FEDN_OK)
        rc = fedn__aggregator_save_state(reducer, argv[3], &err);
    if (rc == FEDN_OK)
        rc = fedn_model_save(result, argv[5], "npz", &err);
    if (rc != FEDN_OK)
        fprintf(stderr, "%s: %s\n", fedn_status_string(rc), err.message);
    fedn_model_unref(result);
    fedn_model_unref(global);
    fedn_aggregator_free(reducer);
    return rc == FEDN_OK ? 0 : 1;
}
