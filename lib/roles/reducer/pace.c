/* SPDX-License-Identifier: Apache-2.0
 * The settings of a session's pace, in the order to a combiner. */
#include "roles/reducer/pace.h"

#include <string.h>

fedn_status fedn__pace_note_model(fedn__course *course, const char *model_id)
{
    if (!course->recent)
        course->recent = json_array();
    const char *newest = json_string_value(json_array_get(course->recent, 0));
    if (newest && strcmp(newest, model_id) == 0)
        return FEDN_OK; /* the round before it made none */
    if (json_array_insert_new(course->recent, 0, json_string(model_id)) != 0)
        return FEDN_ERR_NOMEM;
    if (json_array_size(course->recent) > FEDN__LIMIT_STALENESS + 1)
        json_array_remove(course->recent, FEDN__LIMIT_STALENESS + 1);
    return FEDN_OK;
}

void fedn__pace_fill(const fedn__course *course, const json_t *config,
                     char *recent[FEDN__LIMIT_STALENESS + 1], Fedn__Tier__V1__RoundStart *start)
{
    int64_t most = fedn__json_integer(config, "max_staleness", 0);
    size_t count = json_array_size(course->recent);

    start->ask = (uint32_t)fedn__json_integer(config, "ask", 0);
    start->straggler_quantile = fedn__json_number(config, "straggler_quantile", 0);
    start->straggler_factor = fedn__json_number(config, "straggler_factor", 1);
    if (strcmp(fedn__json_string(config, "mode", "sync"), "async") != 0)
        return;
    start->asynchronous = 1;
    start->staleness_exponent = fedn__json_number(config, "staleness_exponent", 0);
    start->recent_models = recent;
    for (size_t i = 0; i < count && i <= (size_t)most && i <= FEDN__LIMIT_STALENESS; i++)
        recent[start->n_recent_models++] =
            (char *)(uintptr_t)json_string_value(json_array_get(course->recent, i));
}
