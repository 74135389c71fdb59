/* SPDX-License-Identifier: Apache-2.0
 * What a reducer needs to go on after a restart: one member of the records of a session and of its
 * open round, which REST does not show. Nothing here waits or writes; NULL means out of memory. */
#ifndef FEDN__ROLES_REDUCER_RESUMPTION_H
#define FEDN__ROLES_REDUCER_RESUMPTION_H

#include "roles/reducer/trail.h"

#define FEDN__RESUMPTION "resume" /* the member; null once there is nothing to resume */

/* How far the session has come with its round (NULL: none yet), which is `committed` or not. */
json_t *fedn__resumption_of_session(const fedn__course *course,
                                    const fedn__reducer_session *session,
                                    const fedn__reducer_round *round, int32_t committed);
/* Who was asked, and what of it is to be merged in which order. */
json_t *fedn__resumption_of_round(const fedn__reducer_round *round);

/* Fills in what the engine counts; 0: the record has no such member. */
int32_t fedn__resumption_session(const json_t *record, fedn__reducer_session *ret);
/* Id of the session's newest round; 0: it has none. */
uint64_t fedn__resumption_round_id(const json_t *session);
/* 1 and what the engine takes of it if the round is still open. */
int32_t fedn__resumption_round(const json_t *record, fedn__reducer_round *ret);
/* Everyone who has a part in the round (open or not; NULL: none), or was there before. Texts are
 * the records'; the caller frees the list. */
fedn__restored_part *fedn__resumption_parts(const json_t *session, const json_t *round,
                                            uint32_t *ret_count);

#endif
