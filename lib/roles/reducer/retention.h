/* SPDX-License-Identifier: Apache-2.0
 * Which files of models are kept: those of the newest of each session, pinned ones, and all that
 * did not come from a round. Records of models stay, all of them. */
#ifndef FEDN__ROLES_REDUCER_RETENTION_H
#define FEDN__ROLES_REDUCER_RETENTION_H

#include "roles/reducer/service.h"

/* A model of the session was made: `newest`, which stays. On the loop; the work is done on the
 * pool. */
void fedn__retention_apply(fedn__reducer_service *service, const char *newest);

#endif
