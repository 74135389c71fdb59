/* SPDX-License-Identifier: Apache-2.0
 * The reducer role: owns sessions, rounds and the model trail, merges partial models, serves REST.
 */
#ifndef FEDN_REDUCER_H
#define FEDN_REDUCER_H

#include <fedn/config.h>
#include <fedn/log.h>

typedef struct fedn_reducer fedn_reducer;

FEDN_BEGIN_DECLS

/**
 * A reducer; nothing listens yet.
 *
 * @param config  borrowed, copied; its reducer.* properties count
 * @param ret     one reducer; NULL on failure
 * @return FEDN_OK; FEDN_ERR_INVALID a property; FEDN_ERR_NOMEM
 * Owns: caller frees with fedn_reducer_free().   Thread: owner.   Since: 0.1
 */
FEDN_API FEDN_NODISCARD fedn_status fedn_reducer_new(const fedn_config *config, fedn_reducer **ret,
                                                     fedn_error *err);

/** Where log lines go; before start only, else FEDN_ERR_STATE. Thread: owner. Since: 0.1 */
FEDN_API fedn_status fedn_reducer_set_log(fedn_reducer *reducer, fedn_log_fn fn, void *user_data);

/**
 * Start on the library's own threads; on return it listens for combiners and for HTTP.
 *
 * @return FEDN_OK; FEDN_ERR_STATE started before; FEDN_ERR_IO a directory or the port (the text
 *         names it); FEDN_ERR_STORE; FEDN_ERR_NOMEM
 * Thread: owner.   Since: 0.1
 */
FEDN_API fedn_status fedn_reducer_start(fedn_reducer *reducer, fedn_error *err);

/**
 * Start, then wait on the calling thread until fedn_reducer_stop() or a failure.
 *
 * Thread: owner.   Blocks: yes.   Since: 0.1
 */
FEDN_API fedn_status fedn_reducer_run(fedn_reducer *reducer, fedn_error *err);

/** Ask it to stop; idempotent, does not wait. Thread: any. Since: 0.1 */
FEDN_API void fedn_reducer_stop(fedn_reducer *reducer);

/** Stop, join the threads, release. NULL is allowed. Thread: owner. Since: 0.1 */
FEDN_API void fedn_reducer_free(fedn_reducer *reducer);

/** The port it listens on for combiners (gRPC); 0 before start. Thread: any. Since: 0.1 */
FEDN_API int32_t fedn_reducer_port(const fedn_reducer *reducer);

/** The port it serves REST on; 0 before start. Thread: any. Since: 0.1 */
FEDN_API int32_t fedn_reducer_http_port(const fedn_reducer *reducer);

FEDN_END_DECLS
#endif
