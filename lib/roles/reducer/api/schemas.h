/* SPDX-License-Identifier: Apache-2.0
 * The bodies of requests and answers, by the names that the table of routes gives them; those of
 * records have the names of their kinds. */
#ifndef FEDN__ROLES_REDUCER_API_SCHEMAS_H
#define FEDN__ROLES_REDUCER_API_SCHEMAS_H

#include "store/records.h"

typedef struct fedn__schema {
    const char *name;
    const fedn__kind_field *fields; /* a NULL name at the end */
} fedn__schema;

const fedn__schema *fedn__schema_get(uint32_t index); /* NULL behind the last */
/* 1 for a schema's name and for a kind's. */
int32_t fedn__schema_exists(const char *name);

#endif
