/* SPDX-License-Identifier: Apache-2.0
 * What clients send besides updates, through their combiners, as records and events. */
#ifndef FEDN__ROLES_REDUCER_MESSAGES_H
#define FEDN__ROLES_REDUCER_MESSAGES_H

#include "roles/reducer/service.h"

/* An event for when what it speaks of is stored: nobody hears of a record before it can be read.
 * `session` "": of none. Takes `event` over; `told` is an array, NULL: nothing is told. */
void fedn__messages_tell_later(json_t *told, const char *session, json_t *event);
void fedn__messages_tell(fedn__reducer_service *service, const json_t *told);
/* Puts the record into the ticket, and what is to be told of it into `told`. What is none is
 * dropped with a line that names the combiner. On the loop.
 */
void fedn__messages_take(fedn__reducer_service *service, const char *combiner,
                         const Fedn__Tier__V1__Event *event, fedn__ticket *ticket, json_t *told);
/* Telemetry comes for ever: its records take turns in a fixed number of places. Any thread. */
void fedn__messages_telemetry_id(const json_t *record, char id[FEDN__LIMIT_NAME_BYTES + 1]);

#endif
