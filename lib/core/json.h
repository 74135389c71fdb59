/* SPDX-License-Identifier: Apache-2.0
 * jansson with our bounds: foreign JSON is parsed here and nowhere else. */
#ifndef FEDN__CORE_JSON_H
#define FEDN__CORE_JSON_H

#include <fedn/error.h>
#include <jansson.h>

/* An object (or any value when `any`) from `bytes` of text, at most FEDN__LIMIT_JSON_DEPTH deep,
 * no duplicate keys. `what` names it in the error. Caller json_decref()s. */
fedn_status fedn__json_parse(const char *text, uint64_t bytes, int32_t any, const char *what,
                             json_t **ret, fedn_error *err);
/* The same of what Python's json.dumps() wrote, which has more than JSON: NaN and infinities (null
 * here), whole numbers of any size (then all are reals), keys that come twice (the last counts) and
 * texts with NUL. */
fedn_status fedn__json_parse_python(const char *text, uint64_t bytes, int32_t any, const char *what,
                                    json_t **ret, fedn_error *err);
/* Compact text, keys sorted; caller frees with fedn__free(); NULL out of memory. */
char *fedn__json_text(const json_t *value);
/* Members with a default; wrong type gives the default. Texts live as long as the object. */
const char *fedn__json_string(const json_t *object, const char *key, const char *otherwise);
int64_t fedn__json_integer(const json_t *object, const char *key, int64_t otherwise);
double fedn__json_number(const json_t *object, const char *key, double otherwise);
int32_t fedn__json_boolean(const json_t *object, const char *key, int32_t otherwise);

#endif
