/* SPDX-License-Identifier: Apache-2.0
 * Round settings: copying, releasing, and the names of outcomes. */
#include "roles/round.h"

#include "core/alloc.h"
#include <string.h>

const char *fedn__outcome_name(int32_t outcome)
{
    static const char *const names[] = {"none",    "pending", "checking", "accepted",
                                        "refused", "failed",  "lost",     "late"};
    return outcome >= 0 && outcome <= FEDN__OUTCOME_LATE ? names[outcome] : "unknown";
}

void fedn__round_plan_done(fedn__round_plan *plan)
{
    fedn__free(plan->aggregator);
    fedn__free(plan->aggregator_kwargs);
    fedn__free(plan->helper_type);
    fedn__free(plan->config);
    for (uint32_t i = 0; i < plan->selected_count; i++)
        fedn__free(plan->selected[i]);
    fedn__free(plan->selected);
    memset(plan, 0, sizeof *plan);
}

static fedn_status copy_text(const char *from, char **to)
{
    *to = fedn__strdup(from ? from : "");
    return *to ? FEDN_OK : FEDN_ERR_NOMEM;
}

fedn_status fedn__round_plan_copy(const fedn__round_plan *from, fedn__round_plan *to)
{
    fedn_status rc = FEDN_OK;

    *to = *from;
    to->aggregator = to->aggregator_kwargs = to->helper_type = to->config = NULL;
    to->selected = NULL;
    to->selected_count = 0;
    if (copy_text(from->aggregator, &to->aggregator) < 0 ||
        copy_text(from->aggregator_kwargs, &to->aggregator_kwargs) < 0 ||
        copy_text(from->helper_type, &to->helper_type) < 0 ||
        copy_text(from->config, &to->config) < 0)
        return FEDN_ERR_NOMEM;
    if (from->selected_count == 0)
        return FEDN_OK;
    to->selected = fedn__alloc_array(from->selected_count, sizeof *to->selected);
    if (!to->selected)
        return FEDN_ERR_NOMEM;
    for (; rc == FEDN_OK && to->selected_count < from->selected_count; to->selected_count++)
        rc = copy_text(from->selected[to->selected_count], &to->selected[to->selected_count]);
    return rc;
}

int32_t fedn__round_plan_selects(const fedn__round_plan *plan, const char *client_id)
{
    if (plan->selected_count == 0)
        return 1;
    for (uint32_t i = 0; i < plan->selected_count; i++)
        if (strcmp(plan->selected[i], client_id) == 0)
            return 1;
    return 0;
}
