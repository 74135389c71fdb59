/* SPDX-License-Identifier: Apache-2.0
 * What the handlers of a combiner's RPCs share; methods.c has the table. Loop thread only. */
#ifndef FEDN__ROLES_COMBINER_METHODS_H
#define FEDN__ROLES_COMBINER_METHODS_H

#include "roles/combiner/service.h"

typedef void fedn__combiner_handler(void *service, fedn__call *call,
                                    const ProtobufCMessage *request);

/* Who calls: the metadata that FEDn's clients attach, else what the message says. NULL: nobody that
 * could be named. */
const char *fedn__combiner_caller(const fedn__call *call, const Fedn__Client *sender);
void fedn__combiner_no_caller(fedn__call *call);
void fedn__combiner_answer(fedn__combiner_service *service, fedn__call *call, const char *text);
/* A call that the engine knows; `update_id` NULL: a stream. NULL: it was rejected. */
fedn__held_call *fedn__combiner_hold(fedn__combiner_service *service, fedn__call *call,
                                     const char *client_id, const char *update_id);

/* announce.c */
fedn__combiner_handler fedn__combiner_model_update;
/* messages.c: what becomes records */
fedn__combiner_handler fedn__combiner_status, fedn__combiner_validation, fedn__combiner_prediction,
    fedn__combiner_backward, fedn__combiner_metric, fedn__combiner_attribute,
    fedn__combiner_telemetry;
/* moves.c: clients that are sent elsewhere */
fedn__combiner_handler fedn__combiner_reassign, fedn__combiner_reconnect;
/* Whether a client may be, from what it says when it opens its stream. */
int32_t fedn__combiner_read_moves(const char *data);
/* control.c: what is asked of a combiner that is the reducer's to say */
fedn__combiner_handler fedn__combiner_global_model, fedn__combiner_control;

#endif
