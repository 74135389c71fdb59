/* SPDX-License-Identifier: Apache-2.0
 * Sorted client ids, so that asking for each client of a large roster stays cheap. */
#include "roles/selection.h"

#include "core/alloc.h"
#include "core/limits.h"
#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void fedn__selection_done(fedn__selection *selection)
{
    for (uint32_t i = 0; i < selection->count; i++)
        fedn__free(selection->ids[i]);
    fedn__free(selection->ids);
    memset(selection, 0, sizeof *selection);
}

fedn_status fedn__selection_copy(const char *const *ids, uint64_t count, fedn__selection *ret)
{
    memset(ret, 0, sizeof *ret);
    if (count == 0)
        return FEDN_OK;
    if (count > FEDN__LIMIT_ROUND_CLIENTS)
        return FEDN_ERR_LIMIT;
    ret->ids = fedn__alloc_array(count, sizeof *ret->ids);
    if (!ret->ids)
        return FEDN_ERR_NOMEM;
    for (; ret->count < count; ret->count++) {
        ret->ids[ret->count] = fedn__strdup(ids[ret->count]);
        if (!ret->ids[ret->count]) {
            fedn__selection_done(ret);
            return FEDN_ERR_NOMEM;
        }
    }
    qsort(ret->ids, ret->count, sizeof *ret->ids, by_text);
    return FEDN_OK;
}

int32_t fedn__selection_has(const fedn__selection *selection, const char *client_id)
{
    return selection->count == 0 || bsearch(&client_id, selection->ids, selection->count,
                                            sizeof *selection->ids, by_text) != NULL;
}
