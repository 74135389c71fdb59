/* SPDX-License-Identifier: Apache-2.0
 * The filters and the order of a list, from a query or a body and from headers. */
#ifndef FEDN__ROLES_REDUCER_API_FILTERS_H
#define FEDN__ROLES_REDUCER_API_FILTERS_H

#include "core/limits.h"
#include "http/server.h"
#include "store/records.h"

/* `kind` and `err` are the caller's; the rest is zero. The query points into it. */
typedef struct fedn__filter_set {
    const fedn__kind *kind;
    fedn__query query;
    fedn__filter list[FEDN__LIMIT_FILTERS];
    char *fields[FEDN__LIMIT_FILTERS];
    json_t *values[FEDN__LIMIT_FILTERS];
    fedn_status status;
    fedn_error *err;
} fedn__filter_set;

/* `by_body` 1: the filters are in the body, as JSON or a form. */
fedn_status fedn__filters_read(fedn__filter_set *filters, const fedn__http_request *request,
                               int32_t by_body);
void fedn__filters_done(fedn__filter_set *filters);

/* A header that holds a number; as in FEDn, one below 1, or none, is 0. */
fedn_status fedn__api_number(const fedn__http_request *request, const char *name, uint64_t *ret,
                             fedn_error *err);

#endif
