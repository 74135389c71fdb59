/* SPDX-License-Identifier: Apache-2.0
 * Asking the reducer, with answers as JSON values. */
#ifndef CLI_API_H
#define CLI_API_H

#include "cli.h"

/* A request; `body` may be NULL and stays the caller's; *ret may be asked for or not (NULL). */
fedn_status api_call(fedn_control *control, const char *method, const char *path,
                     const json_t *body, json_t **ret, fedn_error *err);
/* GET "<kind>/<id>", the id escaped; a failure names both. */
fedn_status api_get(fedn_control *control, const char *kind, const char *id, json_t **ret,
                    fedn_error *err);
/* PATCH of the same. */
fedn_status api_patch(fedn_control *control, const char *kind, const char *id, const json_t *body,
                      json_t **ret, fedn_error *err);
/* GET "status". */
fedn_status api_status(const cli_line *cli, json_t **ret, fedn_error *err);
/* The {"count", "result"} of a kind. `field` and `value` filter it (NULL: no filter). */
fedn_status api_list(fedn_control *control, const char *kind, const char *field, const char *value,
                     uint32_t limit, json_t **ret, fedn_error *err);
/* List, and print it as JSON if that was asked for: *ret is then NULL. */
fedn_status api_list_or_print(cli_line *cli, const char *kind, const char *field, const char *value,
                              json_t **ret, fedn_error *err);

/* Members; a wrong type is the same as none: "", 0. */
const char *api_text(const json_t *object, const char *key);
int64_t api_integer(const json_t *object, const char *key);
double api_number(const json_t *object, const char *key);
/* Down a path of members, NULL at the end. */
const json_t *api_member(const json_t *object, const char *key, const char *below);

#endif
