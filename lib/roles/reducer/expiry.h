/* SPDX-License-Identifier: Apache-2.0
 * Telemetry is of now: its records go when nothing has taken their place for five minutes. */
#ifndef FEDN__ROLES_REDUCER_EXPIRY_H
#define FEDN__ROLES_REDUCER_EXPIRY_H

#include "roles/reducer/service.h"

/* Looks at once and then every minute, until the timer is cancelled. On the loop. */
void fedn__expiry_start(void *service);
/* Ids of telemetry that is older, at most so many. The caller json_decref()s. */
fedn_status fedn__expiry_find(fedn__store *store, int64_t before_us, uint64_t most, json_t **ret,
                              fedn_error *err);

#endif
