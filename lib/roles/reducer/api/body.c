/* SPDX-License-Identifier: Apache-2.0
 * Members of a JSON body, checked. */
#include "roles/reducer/api/body.h"

#include "core/error.h"
#include "core/text.h"

/* A body's key that nobody knows is most often a known one, misspelt. */
fedn_status fedn__body_check_keys(const json_t *body, const char *const *known, fedn_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach((json_t *)(uintptr_t)body, key, value)
    {
        const char *best = known[0];
        uint32_t least = UINT32_MAX;
        for (const char *const *k = known; *k && least > 0; k++) {
            uint32_t distance = fedn__text_distance(key, *k);
            if (distance < least) {
                least = distance;
                best = *k;
            }
        }
        if (least > 0)
            return fedn__error(err, FEDN_ERR_INVALID, "unknown key \"%.64s\": did you mean \"%s\"?",
                               key, best);
    }
    return FEDN_OK;
}

/* An optional text member; null counts as absent. */
fedn_status fedn__body_text(const json_t *body, const char *key, uint64_t limit, const char **ret,
                            fedn_error *err)
{
    const json_t *value = json_object_get(body, key);

    *ret = NULL;
    if (!value || json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0))
        return FEDN_OK;
    if (!json_is_string(value) || !fedn__text_is_line(json_string_value(value), limit))
        return fedn__error(err, FEDN_ERR_INVALID, "%s must be text of 1 to %llu printable bytes",
                           key, (unsigned long long)limit);
    *ret = json_string_value(value);
    return FEDN_OK;
}
