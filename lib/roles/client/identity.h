/* SPDX-License-Identifier: Apache-2.0
 * Who a client is: the configured id, the one kept in its directory, or a fresh one. */
#ifndef FEDN__CLIENT_IDENTITY_H
#define FEDN__CLIENT_IDENTITY_H

#include <fedn/error.h>

typedef struct fedn__identity {
    char *id;   /* printable ASCII: it travels as metadata */
    char *name; /* for people */
} fedn__identity;

/* `id` and `name` "" if not configured; `state_dir` NULL: nothing is kept. FEDN_ERR_INVALID an id
 * or a name; FEDN_ERR_FORMAT the kept one; FEDN_ERR_IO and its like: the file. */
fedn_status fedn__identity_load(const char *id, const char *name, const char *state_dir,
                                fedn__identity *ret, fedn_error *err);
void fedn__identity_done(fedn__identity *identity);

/* 1 for 1..FEDN__LIMIT_ID_BYTES printable ASCII characters. */
int32_t fedn__identity_is_id(const char *text);

#endif
