/* SPDX-License-Identifier: Apache-2.0
 * Orders to combiners. On the loop; each is what an action of the engine says. */
#ifndef FEDN__ROLES_REDUCER_ORDERS_H
#define FEDN__ROLES_REDUCER_ORDERS_H

#include "roles/reducer/service.h"

/* Is sent after fedn__orders_flush(), which writes the record of a round that was opened and of who
 * is asked, and once that is durable. */
void fedn__orders_start(fedn__reducer_service *service, const fedn__reducer_action *action);
void fedn__orders_flush(fedn__reducer_service *service);
void fedn__orders_cancel(fedn__reducer_service *service, const fedn__reducer_action *action);
void fedn__orders_validate(fedn__reducer_service *service, const fedn__reducer_action *action);

#endif
