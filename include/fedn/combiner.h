/* SPDX-License-Identifier: Apache-2.0
 * The combiner role: serves clients, folds their updates into one partial model a round. */
#ifndef FEDN_COMBINER_H
#define FEDN_COMBINER_H

#include <fedn/config.h>
#include <fedn/log.h>

typedef struct fedn_combiner fedn_combiner;

FEDN_BEGIN_DECLS

/**
 * A combiner; nothing listens yet.
 *
 * @param config  borrowed, copied; its combiner.* properties count
 * @param ret     one combiner; NULL on failure
 * @return FEDN_OK; FEDN_ERR_INVALID a property; FEDN_ERR_NOMEM
 * Owns: caller frees with fedn_combiner_free().   Thread: owner.   Since: 0.1
 */
FEDN_API FEDN_NODISCARD fedn_status fedn_combiner_new(const fedn_config *config,
                                                      fedn_combiner **ret, fedn_error *err);

/** Where log lines go; before start only, else FEDN_ERR_STATE. Thread: owner. Since: 0.1 */
FEDN_API fedn_status fedn_combiner_set_log(fedn_combiner *combiner, fedn_log_fn fn,
                                           void *user_data);

/**
 * Start on the library's own threads; on return it listens and dials its reducer.
 *
 * @return FEDN_OK; FEDN_ERR_STATE started before; FEDN_ERR_IO a directory or the port (the text
 *         names it); FEDN_ERR_STORE; FEDN_ERR_NOMEM
 * Thread: owner.   Since: 0.1
 */
FEDN_API fedn_status fedn_combiner_start(fedn_combiner *combiner, fedn_error *err);

/**
 * Start, then wait on the calling thread until fedn_combiner_stop() or a failure.
 *
 * Thread: owner.   Blocks: yes.   Since: 0.1
 */
FEDN_API fedn_status fedn_combiner_run(fedn_combiner *combiner, fedn_error *err);

/** Ask it to stop; idempotent, does not wait. Thread: any. Since: 0.1 */
FEDN_API void fedn_combiner_stop(fedn_combiner *combiner);

/** Stop, join the threads, release. NULL is allowed. Thread: owner. Since: 0.1 */
FEDN_API void fedn_combiner_free(fedn_combiner *combiner);

/** The port it listens on for clients and tools (gRPC); 0 before start. Thread: any. Since: 0.1 */
FEDN_API int32_t fedn_combiner_port(const fedn_combiner *combiner);

FEDN_END_DECLS
#endif
