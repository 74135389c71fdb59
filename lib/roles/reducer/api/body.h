/* SPDX-License-Identifier: Apache-2.0
 * Members of a JSON body, checked. */
#ifndef FEDN__ROLES_REDUCER_API_BODY_H
#define FEDN__ROLES_REDUCER_API_BODY_H

#include "core/json.h"

/* FEDN_ERR_INVALID names a key that is not in `known` (NULL at its end), and the nearest of it. */
fedn_status fedn__body_check_keys(const json_t *body, const char *const *known, fedn_error *err);
/* An optional text; null and "" count as absent: *ret NULL. */
fedn_status fedn__body_text(const json_t *body, const char *key, uint64_t limit, const char **ret,
                            fedn_error *err);

#endif
