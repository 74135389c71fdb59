/* SPDX-License-Identifier: Apache-2.0
 * The completion queue's thread: events, posts from other threads, timers; see loop.h. */
#include "rpc/loop.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/thread.h"
#include "rpc/handover.h"
#include "rpc/runtime.h"
#include "rpc/tag.h"
#include <assert.h>

struct fedn__loop {
    const fedn__log *log;
    fedn__runtime_user runtime;
    grpc_completion_queue *queue;
    grpc_channel *lame; /* carries the call below, dials nowhere */
    grpc_call *waker;   /* never started: an empty batch on it wakes the thread */
    fedn__tag wake;
    fedn__post end;
    pthread_t thread;
    fedn__timers timers; /* the thread's own */

    pthread_mutex_t mutex; /* guards what follows */
    fedn__post *first;
    fedn__post **last;
    uint64_t holds;
    int32_t waking; /* an empty batch is on its way */
    int32_t ending;
    int32_t closed;
};

static _Thread_local const fedn__loop *current_loop;

grpc_call_error fedn__tag_start(fedn__tag *tag, grpc_call *call, const grpc_op *ops, size_t count)
{
    FEDN__GIVEN(tag);
    return grpc_call_start_batch(call, ops, count, tag, NULL);
}

grpc_completion_queue *fedn__loop_queue(fedn__loop *loop)
{
    return loop->queue;
}

const fedn__log *fedn__loop_log(const fedn__loop *loop)
{
    return loop->log;
}

int32_t fedn__loop_is_current(const fedn__loop *loop)
{
    return current_loop == loop;
}

void fedn__loop_hold(fedn__loop *loop)
{
    (void)pthread_mutex_lock(&loop->mutex);
    loop->holds++;
    (void)pthread_mutex_unlock(&loop->mutex);
}

void fedn__loop_release(fedn__loop *loop)
{
    assert(fedn__loop_is_current(loop));
    (void)pthread_mutex_lock(&loop->mutex);
    assert(loop->holds > 0);
    loop->holds--;
    (void)pthread_mutex_unlock(&loop->mutex);
}

void fedn__loop_post(fedn__loop *loop, fedn__post *post)
{
    post->next = NULL;
    (void)pthread_mutex_lock(&loop->mutex);
    assert(!loop->closed);
    *loop->last = post;
    loop->last = &post->next;
    if (!loop->waking) {
        loop->waking = 1;
        grpc_call_error started = fedn__tag_start(&loop->wake, loop->waker, NULL, 0);
        assert(started == GRPC_CALL_OK);
        (void)started;
    }
    (void)pthread_mutex_unlock(&loop->mutex);
}

static void woken(fedn__tag *tag, int32_t ok)
{
    fedn__loop *loop = FEDN__OWNER(tag, fedn__loop, wake);

    (void)ok;
    (void)pthread_mutex_lock(&loop->mutex);
    fedn__post *list = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    loop->waking = 0;
    (void)pthread_mutex_unlock(&loop->mutex);
    while (list) {
        fedn__post *post = list;
        list = post->next;
        post->fn(post);
    }
}

/* What one loop call waits for. */
typedef struct loop_visit {
    fedn__post post;
    fedn__flag done;
    void (*fn)(void *arg);
    void *arg;
} loop_visit;

static void visit(fedn__post *post)
{
    loop_visit *call = FEDN__OWNER(post, loop_visit, post);

    call->fn(call->arg);
    fedn__flag_set(&call->done);
}

void fedn__loop_call(fedn__loop *loop, void (*fn)(void *arg), void *arg)
{
    loop_visit call = {.post.fn = visit, .fn = fn, .arg = arg};

    assert(!fedn__loop_is_current(loop));
    fedn__flag_init(&call.done);
    fedn__loop_post(loop, &call.post);
    (void)fedn__flag_wait(&call.done, INT64_MAX);
    fedn__flag_done(&call.done);
}

fedn_status fedn__loop_timer_set(fedn__loop *loop, fedn__timer *timer, int64_t due_ns)
{
    assert(fedn__loop_is_current(loop));
    return fedn__timers_set(&loop->timers, timer, due_ns);
}

void fedn__loop_timer_cancel(fedn__loop *loop, fedn__timer *timer)
{
    assert(fedn__loop_is_current(loop));
    fedn__timers_cancel(&loop->timers, timer);
}

static void fire_timers(fedn__loop *loop)
{
    if (fedn__timers_next(&loop->timers) == INT64_MAX)
        return;
    /* the time is taken once, so that a timer which sets itself again cannot keep events out */
    int64_t now = fedn__clock_ns();
    for (fedn__timer *timer; (timer = fedn__timers_pop(&loop->timers, now)) != NULL;)
        timer->fn(timer, timer->user_data);
}

static gpr_timespec next_deadline(const fedn__loop *loop)
{
    int64_t due_ns = fedn__timers_next(&loop->timers);

    if (due_ns == INT64_MAX)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    gpr_timespec deadline = {due_ns / 1000000000, (int32_t)(due_ns % 1000000000),
                             GPR_CLOCK_MONOTONIC};
    return deadline;
}

/* Once it says yes nothing may be posted any more. */
static int32_t may_close(fedn__loop *loop)
{
    (void)pthread_mutex_lock(&loop->mutex);
    loop->closed = loop->ending && !loop->waking && !loop->first && loop->holds == 0;
    int32_t closed = loop->closed;
    (void)pthread_mutex_unlock(&loop->mutex);
    return closed;
}

static void *run(void *arg)
{
    fedn__loop *loop = arg;

    current_loop = loop;
    while (!may_close(loop)) {
        grpc_event event = grpc_completion_queue_next(loop->queue, next_deadline(loop), NULL);
        if (event.type == GRPC_OP_COMPLETE) {
            fedn__tag *tag = event.tag;
            FEDN__TAKEN(tag);
            tag->fn(tag, event.success);
        }
        fire_timers(loop);
    }
    grpc_completion_queue_shutdown(loop->queue);
    while (
        grpc_completion_queue_next(loop->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
        GRPC_QUEUE_SHUTDOWN)
        ;
    return NULL;
}

static void begin_end(fedn__post *post)
{
    fedn__loop *loop = FEDN__OWNER(post, fedn__loop, end);

    (void)pthread_mutex_lock(&loop->mutex);
    loop->ending = 1;
    (void)pthread_mutex_unlock(&loop->mutex);
}

static void release_all(fedn__loop *loop)
{
    grpc_call_unref(loop->waker);
    grpc_channel_destroy(loop->lame);
    grpc_completion_queue_destroy(loop->queue);
    fedn__runtime_stop(&loop->runtime);
    fedn__timers_done(&loop->timers);
    (void)pthread_mutex_destroy(&loop->mutex);
    fedn__free(loop);
}

fedn_status fedn__loop_new(const char *name, const fedn__log *log, fedn__loop **ret,
                           fedn_error *err)
{
    *ret = NULL;
    fedn__loop *loop = fedn__alloc_zero(sizeof *loop);
    if (!loop)
        return fedn__error_nomem(err);
    loop->log = log;
    loop->runtime.log = log;
    loop->wake.fn = woken;
    loop->end.fn = begin_end;
    loop->last = &loop->first;
    fedn__timers_init(&loop->timers);
    (void)pthread_mutex_init(&loop->mutex, NULL);
    fedn__runtime_start(&loop->runtime);
    loop->queue = grpc_completion_queue_create_for_next(NULL);
    loop->lame = grpc_lame_client_channel_create("wake", GRPC_STATUS_UNAVAILABLE, "never called");
    loop->waker = grpc_channel_create_call(loop->lame, NULL, GRPC_PROPAGATE_DEFAULTS, loop->queue,
                                           grpc_slice_from_static_string("/wake"), NULL,
                                           gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    fedn_status rc = fedn__thread_start(&loop->thread, name, run, loop, err);
    if (rc < 0) {
        grpc_completion_queue_shutdown(loop->queue);
        release_all(loop);
        return rc;
    }
    *ret = loop;
    return FEDN_OK;
}

void fedn__loop_free(fedn__loop *loop)
{
    if (!loop)
        return;
    assert(!fedn__loop_is_current(loop));
    fedn__loop_post(loop, &loop->end);
    (void)pthread_join(loop->thread, NULL);
    release_all(loop);
}

static void work_done(fedn__post *post)
{
    fedn__work *work = FEDN__OWNER(post, fedn__work, post);
    fedn__loop *loop = work->loop;

    work->done(work); /* may have released or submitted the work again */
    fedn__loop_release(loop);
}

static void run_work(fedn__job *job)
{
    fedn__work *work = FEDN__OWNER(job, fedn__work, job);

    work->work(work);
    fedn__loop_post(work->loop, &work->post);
}

void fedn__work_submit(fedn__work *work, fedn__loop *loop, fedn__pool *pool, fedn__lane *lane)
{
    work->loop = loop;
    work->job.fn = run_work;
    work->post.fn = work_done;
    fedn__loop_hold(loop);
    if (lane)
        fedn__lane_submit(pool, lane, &work->job);
    else
        fedn__pool_submit(pool, &work->job);
}
