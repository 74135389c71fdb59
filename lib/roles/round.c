/* SPDX-License-Identifier: Apache-2.0
 * Round settings, and the names of outcomes. */
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
    fedn__free(plan->server_functions);
    fedn__free(plan->recent);
    fedn__selection_done(&plan->selected);
    memset(plan, 0, sizeof *plan);
}
