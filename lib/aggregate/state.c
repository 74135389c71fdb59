/* SPDX-License-Identifier: Apache-2.0
 * What a rule keeps from round to round, as a file beside the model that it belongs to. */
#include "aggregate/aggregator.h"
#include "aggregate/handle.h"
#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/limits.h"
#include "core/text.h"

int32_t fedn__aggregator_has_state(const fedn_aggregator *aggregator)
{
    return aggregator->rule->save_state != NULL;
}

void fedn__aggregator_forget(fedn_aggregator *aggregator)
{
    if (aggregator->rule->forget)
        aggregator->rule->forget(aggregator->self);
}

static fedn_status write_state(fedn_aggregator *aggregator, const char *path, fedn_error *err)
{
    fedn__output output;

    fedn__output_init(&output, path, "npz", NULL);
    fedn_status rc = aggregator->rule->save_state(aggregator->self, &output, err);
    if (rc == FEDN_OK)
        rc = fedn__output_commit(&output, NULL, err);
    fedn__output_done(&output);
    return rc;
}

fedn_status fedn__aggregator_save_state(fedn_aggregator *aggregator, const char *path,
                                        fedn_error *err)
{
    char *fresh = NULL;
    fedn_status rc = FEDN_OK;

    if (!fedn__aggregator_has_state(aggregator))
        return FEDN_OK;
    fresh = fedn__strf("%s.new", path);
    rc = fresh ? write_state(aggregator, fresh, err) : fedn__error_nomem(err);
    if (rc == FEDN_OK)
        rc = fedn__fs_move(fresh, path, 1, err);
    if (rc != FEDN_OK && fresh)
        fedn__fs_unlink(fresh, NULL);
    fedn__free(fresh);
    return rc;
}

fedn_status fedn__aggregator_load_state(fedn_aggregator *aggregator, const char *path,
                                        fedn_error *err)
{
    fedn__blob *blob = NULL;
    fedn__source *source = NULL;
    fedn_status rc = FEDN_OK;

    if (!fedn__aggregator_has_state(aggregator))
        return FEDN_OK;
    rc = fedn__blob_from_file(path, &blob, err);
    if (rc == FEDN_OK)
        rc = fedn__source_open(blob, "npz", &source, err);
    if (rc == FEDN_OK) {
        const fedn__reader reader = {source, "aggregator's state", aggregator->block};
        fedn__source_keep(source, FEDN__LIMIT_KEPT_BYTES);
        rc = fedn__reader_check(&reader, err);
        if (rc == FEDN_OK)
            rc = aggregator->rule->load_state(aggregator->self, &aggregator->round, &reader, err);
    }
    fedn__source_free(source);
    fedn__blob_unref(blob);
    return rc;
}
