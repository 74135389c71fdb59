/* SPDX-License-Identifier: Apache-2.0
 * What filters and sorting mean, for every backend: README.rst has the rules. */
#ifndef FEDN__STORE_MATCH_H
#define FEDN__STORE_MATCH_H

#include "store/records.h"

/* FEDN_ERR_INVALID: a field is no dotted name of [A-Za-z0-9_-], a value is no scalar, an operator
 * does not exist; FEDN_ERR_LIMIT: too many filters. */
fedn_status fedn__match_check(const fedn__query *query, fedn_error *err);

/* The member at a dotted name; NULL: missing. */
const json_t *fedn__match_field(const json_t *document, const char *field);
/* The order of values: missing and null, then booleans (0, 1) and numbers, then text by bytes, then
 * arrays and objects, all alike. */
int32_t fedn__match_compare(const json_t *a, const json_t *b);
int32_t fedn__match_filter(const json_t *document, const fedn__filter *filter);
int32_t fedn__match_query(const json_t *document, const fedn__query *query); /* NULL: all */

#endif
