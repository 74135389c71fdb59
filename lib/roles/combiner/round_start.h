/* SPDX-License-Identifier: Apache-2.0
 * A round's plan as the message that orders it, and as the journal keeps it. */
#ifndef FEDN__ROLES_COMBINER_ROUND_START_H
#define FEDN__ROLES_COMBINER_ROUND_START_H

#include "fedn_tier.pb-c.h"
#include "roles/round.h"

/* Checked and copied; on failure what was copied is the plan's, to be given up with it.
 * FEDN_ERR_PROTOCOL: an id that is none; FEDN_ERR_LIMIT, FEDN_ERR_NOMEM. */
fedn_status fedn__round_start_read(const Fedn__Tier__V1__RoundStart *start, fedn__round_plan *plan);
/* Points into the plan, and to `recent`. */
void fedn__round_start_write(const fedn__round_plan *plan, char *recent[FEDN__LIMIT_STALENESS + 1],
                             Fedn__Tier__V1__RoundStart *ret);

/* An id into its field; FEDN_ERR_PROTOCOL if it is too long or none. */
fedn_status fedn__copy_id(const char *from, char *to, size_t room);
fedn_status fedn__copy_model_id(const char *from, char to[FEDN__UUID_TEXT]);

#endif
