/* SPDX-License-Identifier: Apache-2.0
 * A client of a running reducer: everything fednctl does goes through it. */
#ifndef FEDN_CONTROL_H
#define FEDN_CONTROL_H

#include <fedn/config.h>

typedef struct fedn_control fedn_control;

/**
 * Takes one event of fedn_control_watch().
 *
 * @param json  one JSON object, valid during the call
 * @return FEDN_OK to go on; anything else ends the watching with that status
 */
typedef fedn_status (*fedn_control_event_fn)(const char *json, void *user_data);

/** Bytes moved so far and in all (0 if unknown); for progress bars. */
typedef void (*fedn_control_progress_fn)(uint64_t done, uint64_t total, void *user_data);

FEDN_BEGIN_DECLS

/**
 * A control handle; nothing is dialled yet.
 *
 * @param config  borrowed, copied; control.url, control.token, control.tls_ca and
 * control.timeout_ms count
 * @return FEDN_OK; FEDN_ERR_INVALID; FEDN_ERR_NOMEM; what reading control.tls_ca gives
 * Owns: caller frees with fedn_control_free().   Thread: owner.   Since: 0.1
 */
FEDN_API FEDN_NODISCARD fedn_status fedn_control_new(const fedn_config *config, fedn_control **ret,
                                                     fedn_error *err);

/** Release it; NULL is allowed. Thread: owner. Since: 0.1 */
FEDN_API void fedn_control_free(fedn_control *control);

/**
 * End the call that runs, and every later one at once, with FEDN_ERR_CANCELLED: how a watch without
 * an end is left from outside.
 *
 * Thread: any.   Blocks: no.   Since: 0.1
 */
FEDN_API void fedn_control_cancel(fedn_control *control);

/**
 * One REST request with a JSON answer.
 *
 * @param method    "GET", "POST", "PATCH", "PUT" or "DELETE"
 * @param path      below /api/v1/, without a leading slash: "sessions/?status=Started"; parts that
 *                  are not fixed text go through fedn_control_escape()
 * @param body      JSON text or NULL
 * @param ret_json  the answer's text, whatever its status; NULL when there was none; may be NULL
 * @return FEDN_OK for a 2xx answer; FEDN_ERR_NOT_FOUND 404; FEDN_ERR_INVALID 400; FEDN_ERR_AUTH
 * 401; FEDN_ERR_DENIED 403; FEDN_ERR_LIMIT 413; FEDN_ERR_UNAVAILABLE no connection or 5xx;
 *         FEDN_ERR_TIMEOUT; FEDN_ERR_PROTOCOL not a reducer; err.detail is the HTTP status
 * Owns: caller frees *ret_json with fedn_free().   Thread: owner.   Blocks: yes.   Since: 0.1
 */
FEDN_API fedn_status fedn_control_request(fedn_control *control, const char *method,
                                          const char *path, const char *body, char **ret_json,
                                          fedn_error *err);

/**
 * A text as one segment of a path or one value of a query: everything but letters, digits, '-', '_'
 * and '~' becomes %XX.
 *
 * @return the text; NULL out of memory
 * Owns: caller frees with fedn_free().   Thread: any.   Blocks: no.   Since: 0.1
 */
FEDN_API char *fedn_control_escape(const char *text);

/**
 * One page of the reducer's records of a kind, newest first: {"count": all, "result": [...]}.
 *
 * @param kind    "clients", "combiners", "models", "rounds", "sessions", "validations", ...
 * @param filter  query text, "session_id=...&status__ne=Failed" (already percent-encoded); may be
 *                NULL
 * @param skip    records to leave out at the beginning
 * @param limit   records at most; 0 for all
 * @return as fedn_control_request()
 * Owns: caller frees *ret_json with fedn_free().   Thread: owner.   Blocks: yes.   Since: 0.1
 */
FEDN_API fedn_status fedn_control_list(fedn_control *control, const char *kind, const char *filter,
                                       uint32_t skip, uint32_t limit, char **ret_json,
                                       fedn_error *err);

/**
 * Upload a model file; it becomes the newest model of the trail.
 *
 * @param path          file to send, streamed
 * @param format        helper name of the file, NULL to recognise it
 * @param name          display name, NULL for none
 * @param progress      optional
 * @param ret_model_id  the new model's id; NULL on failure
 * Owns: caller frees *ret_model_id with fedn_free().   Thread: owner.   Blocks: yes.   Since: 0.1
 */
FEDN_API fedn_status fedn_control_model_push(fedn_control *control, const char *path,
                                             const char *format, const char *name,
                                             fedn_control_progress_fn progress, void *user_data,
                                             char **ret_model_id, fedn_error *err);

/**
 * Download a model into a file: whole or not at all. `model_id` NULL means the newest.
 *
 * Thread: owner.   Blocks: yes.   Since: 0.1
 */
FEDN_API fedn_status fedn_control_model_pull(fedn_control *control, const char *model_id,
                                             const char *path, fedn_control_progress_fn progress,
                                             void *user_data, fedn_error *err);

/**
 * Upload a compute package; it becomes the active one, which remote clients run.
 *
 * @param path         file to send, streamed
 * @param helper       format of its models ("numpyhelper"); NULL: as it is
 * @param name         display name; NULL: the file's
 * @param description  for people; NULL: none
 * @param progress     optional
 * @return FEDN_OK; FEDN_ERR_INVALID it was refused; FEDN_ERR_LIMIT it is too large; else as
 *         fedn_control_request()
 * Thread: owner.   Blocks: yes.   Since: 0.1
 */
FEDN_API fedn_status fedn_control_package_push(fedn_control *control, const char *path,
                                               const char *helper, const char *name,
                                               const char *description,
                                               fedn_control_progress_fn progress, void *user_data,
                                               fedn_error *err);

/**
 * Download the active compute package into a file: whole or not at all. FEDN_ERR_NOT_FOUND: there
 * is none.
 *
 * Thread: owner.   Blocks: yes.   Since: 0.1
 */
FEDN_API fedn_status fedn_control_package_pull(fedn_control *control, const char *path,
                                               fedn_control_progress_fn progress, void *user_data,
                                               fedn_error *err);

/**
 * Follow the reducer's events as they happen, until `fn` ends it or the reducer goes away.
 *
 * @param session_id  only this session's; NULL for all
 * @param after       sequence number after which to begin; 0 begins with the present state
 * @return what fn returned; FEDN_ERR_UNAVAILABLE the reducer went away
 * Thread: owner; fn is called on it.   Blocks: yes.   Since: 0.1
 */
FEDN_API fedn_status fedn_control_watch(fedn_control *control, const char *session_id,
                                        uint64_t after, fedn_control_event_fn fn, void *user_data,
                                        fedn_error *err);

FEDN_END_DECLS
#endif
