/* SPDX-License-Identifier: Apache-2.0
 * What making a session and changing one share. */
#ifndef FEDN__ROLES_REDUCER_API_SESSION_CHANGE_H
#define FEDN__ROLES_REDUCER_API_SESSION_CHANGE_H

#include "roles/reducer/api/api.h"

/* Keys of a session in a body; NULL at the end. */
extern const char *const fedn__session_keys[];

/* Answers with the session as it is stored. */
void fedn__api_reply_session(fedn__reducer_service *service, fedn__http_response *response,
                             int32_t status, const char *id);

#endif
