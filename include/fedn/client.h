/* SPDX-License-Identifier: Apache-2.0
 * The client role: dials out, waits for tasks, runs the application's callbacks. */
#ifndef FEDN_CLIENT_H
#define FEDN_CLIENT_H

#include <fedn/config.h>
#include <fedn/log.h>
#include <fedn/task.h>

typedef struct fedn_client fedn_client;

FEDN_BEGIN_DECLS

/**
 * A client; nothing is dialled yet.
 *
 * @param config  borrowed, copied; its client.* properties count
 * @param ret     one client; NULL on failure
 * @return FEDN_OK; FEDN_ERR_INVALID a property; FEDN_ERR_IO client.state_dir; FEDN_ERR_NOMEM;
 *         what reading client.tls_ca gives
 * Owns: caller frees with fedn_client_free().   Thread: owner.   Since: 0.1
 */
FEDN_API FEDN_NODISCARD fedn_status fedn_client_new(const fedn_config *config, fedn_client **ret,
                                                    fedn_error *err);

/* Set before start, once each; FEDN_ERR_STATE afterwards. A task without a callback is answered as
 * failed. Thread: owner. Since: 0.1 */
FEDN_API fedn_status fedn_client_set_train(fedn_client *client, fedn_task_fn fn, void *user_data);
FEDN_API fedn_status fedn_client_set_validate(fedn_client *client, fedn_task_fn fn,
                                              void *user_data);
FEDN_API fedn_status fedn_client_set_predict(fedn_client *client, fedn_task_fn fn, void *user_data);
FEDN_API fedn_status fedn_client_set_log(fedn_client *client, fedn_log_fn fn, void *user_data);

/**
 * Connect and serve on the library's own threads; returns once they run. Connection losses are
 * retried for ever, with growing, jittered pauses.
 *
 * @return FEDN_OK; FEDN_ERR_STATE started before; FEDN_ERR_NOMEM; FEDN_ERR_INTERNAL
 * Thread: owner.   Since: 0.1
 */
FEDN_API fedn_status fedn_client_start(fedn_client *client, fedn_error *err);

/**
 * Start, then wait on the calling thread until fedn_client_stop() or a failure that no retry mends.
 *
 * @return FEDN_OK stopped; FEDN_ERR_AUTH, FEDN_ERR_DENIED, FEDN_ERR_INVALID refused for good by
 *         the reducer; else as fedn_client_start()
 * Thread: owner.   Blocks: yes.   Since: 0.1
 */
FEDN_API fedn_status fedn_client_run(fedn_client *client, fedn_error *err);

/**
 * Run callbacks on the calling thread, from the application's own loop: the first call connects,
 * each call runs at most one waiting task. Not to be mixed with start or run.
 *
 * @param timeout_ms  how long to wait for a task; 0 looks only
 * @return FEDN_OK a task was done; FEDN_ERR_TIMEOUT none came; FEDN_ERR_CANCELLED stopped; else as
 *         fedn_client_run()
 * Thread: owner.   Blocks: up to timeout_ms plus the callback.   Since: 0.1
 */
FEDN_API fedn_status fedn_client_poll(fedn_client *client, int64_t timeout_ms, fedn_error *err);

/**
 * Tell the network a number by name, outside of any task: it becomes a metric of this client. With
 * fedn_task_log_metric() it is one of the task.
 *
 * Notes of this and the next two are stamped with the present time, wait for a combiner, also
 * before the start, and are sent again after a lost connection; those that still wait when the
 * client ends are lost.
 *
 * @param name   1 to 255 bytes of UTF-8
 * @param value  must be finite; sent as a 32-bit number
 * @return FEDN_OK taken; FEDN_ERR_INVALID; FEDN_ERR_LIMIT 4096 wait already; FEDN_ERR_NOMEM
 * Thread: any, also in callbacks.   Blocks: no.   Since: 0.1
 */
FEDN_API fedn_status fedn_client_log_metric(fedn_client *client, const char *name, double value,
                                            fedn_error *err);

/**
 * Tell the network a fact about this client: a site, a kind of device. The latest value of a name
 * counts.
 *
 * @param value  up to 4096 bytes of UTF-8
 * @return as fedn_client_log_metric()
 * Thread: any, also in callbacks.   Blocks: no.   Since: 0.1
 */
FEDN_API fedn_status fedn_client_log_attribute(fedn_client *client, const char *name,
                                               const char *value, fedn_error *err);

/**
 * Tell the network a measurement that soon is worth nothing, as a temperature: kept for minutes.
 * The use of processor and memory is told without it, every client.telemetry_ms.
 *
 * @return as fedn_client_log_metric()
 * Thread: any, also in callbacks.   Blocks: no.   Since: 0.1
 */
FEDN_API fedn_status fedn_client_log_telemetry(fedn_client *client, const char *name, double value,
                                               fedn_error *err);

/**
 * Ask the client to stop: a running callback sees fedn_task_is_cancelled(), run returns. Does not
 * wait; idempotent; allowed in callbacks and in signal-handling threads (not in handlers).
 *
 * Thread: any.   Blocks: no.   Since: 0.1
 */
FEDN_API void fedn_client_stop(fedn_client *client);

/** Stop, join the threads, release. NULL is allowed; never inside a callback. Thread: owner. */
FEDN_API void fedn_client_free(fedn_client *client);

FEDN_END_DECLS
#endif
