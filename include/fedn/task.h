/* SPDX-License-Identifier: Apache-2.0
 * What a client's callback is asked to do, and how it answers. */
#ifndef FEDN_TASK_H
#define FEDN_TASK_H

#include <fedn/model.h>

/** One task of one round; exists only while its callback runs. */
typedef struct fedn_task fedn_task;

typedef int32_t fedn_task_type;
enum { FEDN_TASK_TRAIN = 1, FEDN_TASK_VALIDATE = 2, FEDN_TASK_PREDICT = 3 };

/**
 * Does one task. A train callback must set a model and the number of examples; a validate callback
 * sets metrics; a predict callback sets data. Returning a failure with a text in `err` reports the
 * failure to the combiner, where it shows in the round's record.
 *
 * @return FEDN_OK, or FEDN_ERR_CALLBACK / FEDN_ERR_CANCELLED with err filled in
 * Thread: one at a time per client: its worker, or the thread inside fedn_client_poll(); never the
 * I/O loop, so it may take days. Must not unwind through the library.
 */
typedef fedn_status (*fedn_task_fn)(fedn_task *task, fedn_error *err, void *user_data);

FEDN_BEGIN_DECLS

/* Facts of the task; texts live as long as the task. Thread: callback. Since: 0.1 */
FEDN_API fedn_task_type fedn_task_get_type(const fedn_task *task);
FEDN_API const char *fedn_task_session_id(const fedn_task *task);
FEDN_API const char *fedn_task_round_id(const fedn_task *task);
FEDN_API const char *fedn_task_model_id(const fedn_task *task);
/** The round's configuration, a JSON object; its `client_settings` are meant for the callback. */
FEDN_API const char *fedn_task_config(const fedn_task *task);

/**
 * The global model as tensors, decoded at the first call.
 *
 * @param ret  borrowed from the task
 * @return FEDN_OK; FEDN_ERR_FORMAT; FEDN_ERR_LIMIT; FEDN_ERR_NOMEM
 * Owns: the task's; fedn_model_ref() keeps it longer.   Thread: callback.   Since: 0.1
 */
FEDN_API fedn_status fedn_task_model(fedn_task *task, fedn_model **ret, fedn_error *err);

/**
 * The global model as it came over the wire: a read-only mapping, and the file behind it.
 *
 * Owns: the task's.   Thread: callback.   Since: 0.1
 */
FEDN_API fedn_status fedn_task_model_bytes(fedn_task *task, const void **ret_data,
                                           uint64_t *ret_bytes, fedn_error *err);
FEDN_API const char *fedn_task_model_path(fedn_task *task);

/* The trained model: as tensors (encoded in the session's format), as encoded bytes (copied), or as
 * a file (moved away by the library if it lies in fedn_task_dir(), else copied). The last one set
 * counts. Thread: callback. Since: 0.1 */
FEDN_API fedn_status fedn_task_set_model(fedn_task *task, fedn_model *model, fedn_error *err);
FEDN_API fedn_status fedn_task_set_model_bytes(fedn_task *task, const void *data, uint64_t bytes,
                                               fedn_error *err);
FEDN_API fedn_status fedn_task_set_model_file(fedn_task *task, const char *path, fedn_error *err);

/** A directory of this task alone, removed after it. Thread: callback. Since: 0.1 */
FEDN_API const char *fedn_task_dir(fedn_task *task);

/**
 * Number of examples trained on: the update's weight. Above 0, at most 1e15.
 *
 * @return FEDN_OK; FEDN_ERR_INVALID
 * Thread: callback.   Since: 0.1
 */
FEDN_API fedn_status fedn_task_set_num_examples(fedn_task *task, double num_examples,
                                                fedn_error *err);

/**
 * A number by name. Of a validation it is part of the result; of a training it goes into the
 * update's metadata and to the reducer as a metric of the round.
 *
 * @param name   1 to 255 bytes of UTF-8
 * @param value  must be finite
 * @return FEDN_OK; FEDN_ERR_INVALID; FEDN_ERR_LIMIT more than 256 names; FEDN_ERR_NOMEM
 * Thread: callback.   Since: 0.1
 */
FEDN_API fedn_status fedn_task_set_metric(fedn_task *task, const char *name, double value,
                                          fedn_error *err);

/**
 * A number by name, sent while the callback goes on: a loss of every epoch. It becomes a metric of
 * the task's model, session and round, and is neither part of the result nor of the update.
 *
 * @param name   1 to 255 bytes of UTF-8
 * @param value  must be finite; sent as a 32-bit number
 * @param step   the caller's own count: epoch, batch
 * @return FEDN_OK taken, sent as fedn_client_log_metric() says; FEDN_ERR_INVALID; FEDN_ERR_LIMIT
 *         4096 wait for a combiner already; FEDN_ERR_NOMEM
 * Thread: callback.   Blocks: no.   Since: 0.1
 */
FEDN_API fedn_status fedn_task_log_metric(fedn_task *task, const char *name, double value,
                                          uint32_t step, fedn_error *err);

/** The answer of a prediction (or of a validation, in place of metrics) as JSON text.
 * Thread: callback. Since: 0.1 */
FEDN_API fedn_status fedn_task_set_data(fedn_task *task, const char *json, fedn_error *err);

/**
 * How far the callback is; sent to the combiner at most once a second.
 *
 * @param done   steps done
 * @param total  steps in all, above 0
 * Thread: callback.   Blocks: no.   Since: 0.1
 */
FEDN_API void fedn_task_progress(fedn_task *task, uint64_t done, uint64_t total);

/**
 * 1 once the task is no longer wanted (client stopping, round over); ask between training steps and
 * return FEDN_ERR_CANCELLED.
 *
 * Thread: callback.   Blocks: no.   Since: 0.1
 */
FEDN_API int32_t fedn_task_is_cancelled(const fedn_task *task);

/**
 * A descriptor that becomes readable when the task is no longer wanted: for callbacks that wait
 * with poll(), for a process of theirs or for a device.
 *
 * @return the descriptor; -1 if the process has no more of them
 * Owns: the task's; not to be read or closed.   Thread: callback.   Blocks: no.   Since: 0.1
 */
FEDN_API int32_t fedn_task_cancel_fd(fedn_task *task);

FEDN_END_DECLS
#endif
