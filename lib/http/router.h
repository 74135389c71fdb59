/* SPDX-License-Identifier: Apache-2.0
 * Taking a request target apart and finding its route; pure. */
#ifndef FEDN__HTTP_ROUTER_H
#define FEDN__HTTP_ROUTER_H

#include "core/limits.h"
#include "http/server.h"

typedef struct fedn__pair {
    const char *name;
    const char *value; /* "" when there is no '=' */
} fedn__pair;

/* A request target, decoded. Everything points into `text`. */
typedef struct fedn__target {
    char *text;
    const char *path; /* as it was sent, without the query */
    const char *segments[FEDN__LIMIT_HTTP_SEGMENTS];
    uint32_t segment_count; /* over the limit: the path matches nothing */
    fedn__pair query[FEDN__LIMIT_HTTP_PAIRS];
    uint32_t query_count;
} fedn__target;

/* FEDN_ERR_FORMAT: a broken escape, NUL, no UTF-8; FEDN_ERR_LIMIT: too many parameters. */
fedn_status fedn__target_parse(const char *text, fedn__target *ret, fedn_error *err);
void fedn__target_done(fedn__target *target);

/* Takes "a=1&b=%20" apart in place; of a query or of a form. */
fedn_status fedn__pairs_parse(char *text, fedn__pair *pairs, uint32_t *ret_count, fedn_error *err);

typedef struct fedn__route_found {
    const fedn__http_route *route; /* NULL: none */
    const char *const *segments;   /* those that it matched */
    char allow[64];                /* methods of the path, if only the method is wrong; else "" */
} fedn__route_found;

/* The route of a method and a path, with or without the prefix (NULL: none). HEAD finds GET. */
void fedn__router_find(const fedn__http_route *routes, uint32_t count, const char *prefix,
                       const char *method, const fedn__target *target, fedn__route_found *ret);
/* The segment that "{name}" took; NULL: the route has none. */
const char *fedn__router_param(const fedn__route_found *found, const char *name);

#endif
