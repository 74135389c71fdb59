/* SPDX-License-Identifier: Apache-2.0
 * One completion queue and the one thread that runs it. All other headers of this folder call back
 * on that thread and, unless they say otherwise, must be called on it. */
#ifndef FEDN__RPC_LOOP_H
#define FEDN__RPC_LOOP_H

#include "core/log.h"
#include "core/pool.h"
#include "core/timer.h"

typedef struct fedn__loop fedn__loop;

/* Embedded in what is to be done on the loop: posting cannot fail. */
typedef struct fedn__post {
    struct fedn__post *next;
    void (*fn)(struct fedn__post *post);
} fedn__post;

/* Starts gRPC (counted) and the thread. `log` is borrowed and outlives the loop; NULL is allowed.
 */
fedn_status fedn__loop_new(const char *name, const fedn__log *log, fedn__loop **ret,
                           fedn_error *err);
/* Waits until all calls, servers and channels of the loop are gone (they must have been freed or
 * asked to end), runs what was posted, joins the thread. Not on the loop. NULL allowed. */
void fedn__loop_free(fedn__loop *loop);

/* Any thread. Posts run in order. */
void fedn__loop_post(fedn__loop *loop, fedn__post *post);
/* Any thread but the loop's: run fn(arg) on the loop and wait until it has returned. */
void fedn__loop_call(fedn__loop *loop, void (*fn)(void *arg), void *arg);
int32_t fedn__loop_is_current(const fedn__loop *loop);

/* Timers fire on the loop: timer->fn(timer, timer->user_data). */
fedn_status fedn__loop_timer_set(fedn__loop *loop, fedn__timer *timer, int64_t due_ns);
void fedn__loop_timer_cancel(fedn__loop *loop, fedn__timer *timer);

/* Work on a pool's thread, then back here: work(w) runs on a worker, done(w) on the loop. */
typedef struct fedn__work {
    fedn__job job;
    fedn__post post;
    fedn__loop *loop;
    void (*work)(struct fedn__work *w);
    void (*done)(struct fedn__work *w);
} fedn__work;

void fedn__work_submit(fedn__work *work, fedn__loop *loop, fedn__pool *pool, fedn__lane *lane);

#endif
