/* SPDX-License-Identifier: Apache-2.0
 * What a client tells its combiner: one function per message. All on the loop. */
#ifndef FEDN__CLIENT_REPORT_H
#define FEDN__CLIENT_REPORT_H

#include "roles/client/task.h"
#include "rpc/channel.h"

/* Who speaks, and over what. */
typedef struct fedn__reporter {
    fedn__channel *channel;
    const char *id;
    const char *name;
    int64_t timeout_ms;
} fedn__reporter;

/* Seconds that the steps of a task took; the callback's own are in the task. */
typedef struct fedn__timings {
    double fetch_s;
    double upload_s;
} fedn__timings;

/* Whether a trained model fits into its announcement, beside what else that says. */
int32_t fedn__report_has_room(const fedn_task *task);

/* Each failure means: nothing was sent and fn is not called. fn NULL: the answer does not matter.
 */
/* `inline_bytes`: up to which a model may come with its task. */
fedn_status fedn__report_open(const fedn__reporter *reporter, uint64_t inline_bytes,
                              const fedn__stream_events *events, void *user_data,
                              fedn__stream **ret, fedn_error *err);
fedn_status fedn__report_heartbeat(const fedn__reporter *reporter, fedn__unary_fn fn,
                                   void *user_data);
fedn_status fedn__report_failure(const fedn__reporter *reporter, const fedn__order *order,
                                 const char *reason, fedn__unary_fn fn, void *user_data);
fedn_status fedn__report_progress(const fedn__reporter *reporter, const fedn__order *order,
                                  uint64_t done, uint64_t total, fedn__unary_fn fn,
                                  void *user_data);
/* Nothing to do for a task without metrics. `step` counts a client's reports. */
fedn_status fedn__report_metrics(const fedn__reporter *reporter, const fedn_task *task,
                                 uint32_t step);
/* The result of a task: the update, validation or prediction. update_id names what was uploaded, or
 * travels along in `model` (NULL: it was uploaded). */
fedn_status fedn__report_result(const fedn__reporter *reporter, const fedn_task *task,
                                const char *update_id, fedn__blob *model,
                                const fedn__timings *timings, fedn__unary_fn fn, void *user_data);

#endif
