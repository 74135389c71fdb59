/* SPDX-License-Identifier: Apache-2.0
 * The clients that a round or a task is for: all, or those of a list. Pure. */
#ifndef FEDN__ROLES_SELECTION_H
#define FEDN__ROLES_SELECTION_H

#include <fedn/error.h>

typedef struct fedn__selection {
    char **ids;     /* owned, sorted */
    uint32_t count; /* 0: all clients */
} fedn__selection;

/* FEDN_ERR_NOMEM, FEDN_ERR_LIMIT over FEDN__LIMIT_ROUND_CLIENTS: *ret is empty. */
fedn_status fedn__selection_copy(const char *const *ids, uint64_t count, fedn__selection *ret);
void fedn__selection_done(fedn__selection *selection);
int32_t fedn__selection_has(const fedn__selection *selection, const char *client_id);

#endif
