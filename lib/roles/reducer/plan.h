/* SPDX-License-Identifier: Apache-2.0
 * The settings of a session: from the JSON of a REST request to checked values, and on to the texts
 * that FEDn's clients get. Any thread. */
#ifndef FEDN__ROLES_REDUCER_PLAN_H
#define FEDN__ROLES_REDUCER_PLAN_H

#include "core/json.h"

/* Checks a session_config against the rows "session.*" of the property table. *ret: every setting
 * with its type and, where `given` is silent, its default; rounds and model_id may be null. `given`
 * NULL: all defaults. FEDN_ERR_INVALID (the text names the setting), FEDN_ERR_NOT_FOUND the
 * aggregator, FEDN_ERR_UNSUPPORTED. */
fedn_status fedn__plan_check(const json_t *given, json_t **ret, fedn_error *err);
/* Checks one setting and puts it into a checked configuration. */
fedn_status fedn__plan_set(json_t *config, const char *key, const json_t *value, fedn_error *err);
/* "a, b" to ["a", "b"]; *ret NULL for an empty list. */
fedn_status fedn__plan_client_ids(const char *text, json_t **ret, fedn_error *err);
/* The aggregator's parameters as JSON text; "" for none. The caller frees it. */
char *fedn__plan_kwargs(const json_t *config);

/* What a round's record says of its settings; NULL out of memory. */
json_t *fedn__plan_round(const json_t *config, const char *session_id, const char *round_id,
                         const char *model_id, const json_t *client_ids);
/* The same as clients get it: every value as Python's str() writes it; NULL out of memory. */
json_t *fedn__plan_task(const json_t *round_config);

#endif
