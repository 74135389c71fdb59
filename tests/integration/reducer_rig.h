/* SPDX-License-Identifier: Apache-2.0
 * One reducer in a scratch directory that takes models of up to 100000 bytes, and requests to its
 * REST API as any HTTP client makes them.
 */
#ifndef FEDN__REDUCER_RIG_H
#define FEDN__REDUCER_RIG_H

#include <fedn/reducer.h>
#include <jansson.h>
#include <pthread.h>

typedef struct reducer_rig {
    char *dir;
    fedn_reducer *reducer;
    pthread_mutex_t mutex; /* guards the lines */
    pthread_cond_t said;
    char lines[16384]; /* what it said that is an error */
} reducer_rig;

int reducer_rig_setup(void **state);
int reducer_rig_teardown(void **state);
/* Ends the reducer and starts one anew on the same directory. */
void reducer_rig_restart(reducer_rig *rig);
/* Waits until it has said this as an error. */
void reducer_rig_await_error(reducer_rig *rig, const char *text);
fedn_config *reducer_rig_config(const reducer_rig *rig);

/* A request; `header` ("Name: value") and `body` may be NULL. The answer must have this status;
 * its JSON, or the text as a JSON string if it is none. */
json_t *reducer_rig_send(reducer_rig *rig, const char *method, const char *path, const char *header,
                         const char *body, int32_t status);
/* The exact text of an answer; free() it. */
char *reducer_rig_text(reducer_rig *rig, const char *path, int32_t status);
/* What a download brings; free() it. */
char *reducer_rig_file(reducer_rig *rig, const char *path, uint64_t *ret_bytes);
/* Follows events?<query> until one has this type and, at a dotted name, this text; it. */
json_t *reducer_rig_await(reducer_rig *rig, const char *query, const char *type, const char *member,
                          const char *text);
/* Uploads a file and form fields (names and values, NULL at the end); the answer, which must have
 * this status. */
json_t *reducer_rig_upload(reducer_rig *rig, const char *to, const char *path,
                           const char *const *fields, int32_t wanted);
/* Pushes a model's file; its answer, which must have this status. */
json_t *reducer_rig_push_file(reducer_rig *rig, const char *path, int32_t wanted);
/* Pushes a model of four float32 with this value; its id. */
char *reducer_rig_push(reducer_rig *rig, float value);
/* Creates and starts a session with extra members of its session_config; its id. */
char *reducer_rig_session(reducer_rig *rig, const char *extra, int rounds);

#endif
