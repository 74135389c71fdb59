/* SPDX-License-Identifier: Apache-2.0
 * What the files of the reducer's side of the links share. */
#ifndef FEDN__ROLES_REDUCER_TIER_STATE_H
#define FEDN__ROLES_REDUCER_TIER_STATE_H

#include "roles/health.h"
#include "roles/reducer/tier_server.h"

struct fedn__tier {
    fedn__tier_options options;
    fedn__tier_events events;
    void *user_data;
    fedn__transfer_host host;
    fedn__health health;
    fedn__tier_link *links;
    int32_t closed;
};

fedn__tier_link *fedn__tier_find_name(const fedn__tier *tier, const char *name);
void fedn__tier_host_init(fedn__tier *tier); /* tier_models.c */
/* tier_global.c: "/fedn.Reducer/GetGlobalModel", with the tier as its service. */
void fedn__tier_global_model(void *service, fedn__call *call, const ProtobufCMessage *request);

#endif
