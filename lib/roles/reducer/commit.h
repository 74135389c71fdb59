/* SPDX-License-Identifier: Apache-2.0
 * Partials into a model, a model into the trail. On the loop; each is what an action of the engine
 * says. */
#ifndef FEDN__ROLES_REDUCER_COMMIT_H
#define FEDN__ROLES_REDUCER_COMMIT_H

#include "roles/reducer/service.h"

void fedn__commit_merge(fedn__reducer_service *service, const fedn__reducer_action *action);
void fedn__commit_drop(fedn__reducer_service *service, const char *partial_id);
void fedn__commit_begin(fedn__reducer_service *service, const fedn__reducer_round *round);

#endif
