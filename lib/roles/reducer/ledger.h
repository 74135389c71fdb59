/* SPDX-License-Identifier: Apache-2.0
 * What has become of sessions and rounds, added to tickets of the recorder. On the loop. */
#ifndef FEDN__ROLES_REDUCER_LEDGER_H
#define FEDN__ROLES_REDUCER_LEDGER_H

#include "roles/reducer/service.h"

/* The session as it runs: its newest model, its round (NULL: none yet), `committed` or not. */
void fedn__ledger_session(fedn__reducer_service *service, fedn__ticket *ticket,
                          const char *model_id, const fedn__reducer_round *round,
                          int32_t committed);
/* The session as it has ended. */
void fedn__ledger_session_end(fedn__reducer_service *service, fedn__ticket *ticket);
/* The round in the state that it has, or is to have. */
void fedn__ledger_round(fedn__reducer_service *service, fedn__ticket *ticket,
                        const fedn__reducer_round *round, int32_t state);
/* Its start (model_id NULL) or end. */
void fedn__ledger_run(fedn__reducer_service *service, fedn__ticket *ticket, const char *model_id);
/* A ticket for a session's end, which the event follows. */
fedn__ticket *fedn__ledger_farewell(fedn__reducer_service *service,
                                    const fedn__reducer_session *session, json_t *event);

#endif
