/* SPDX-License-Identifier: Apache-2.0
 * Starting a named thread, and waiting on the monotonic clock. */
#include "core/thread.h"

#include "core/clock.h"
#include "core/error.h"
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>

typedef struct start_args {
    void *(*fn)(void *);
    void *arg;
    const char *name;
    fedn__flag taken;
} start_args;

static void *begin(void *arg)
{
    start_args *args = arg;
    void *(*fn)(void *) = args->fn;
    void *fn_arg = args->arg;

    prctl(PR_SET_NAME, args->name, 0, 0, 0);
    fedn__flag_set(&args->taken);
    return fn(fn_arg);
}

/* What a thread's own instructions raise stays deliverable: runtimes that call us (Java, Go) handle
 * it, and a blocked fault kills the process unseen. */
static const int own_faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

fedn_status fedn__thread_start(pthread_t *ret, const char *name, void *(*fn)(void *), void *arg,
                               fedn_error *err)
{
    start_args args = {.fn = fn, .arg = arg, .name = name};
    sigset_t blocked;
    sigset_t before;

    fedn__flag_init(&args.taken);
    sigfillset(&blocked);
    for (uint32_t i = 0; i < sizeof own_faults / sizeof own_faults[0]; i++)
        sigdelset(&blocked, own_faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int rc = pthread_create(ret, NULL, begin, &args);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        fedn__flag_wait(&args.taken, INT64_MAX);
    fedn__flag_done(&args.taken);
    if (rc == 0)
        return FEDN_OK;
    fedn__error_errno(err, rc, "cannot start thread %s", name);
    if (err)
        err->code = FEDN_ERR_INTERNAL;
    return FEDN_ERR_INTERNAL;
}

void fedn__cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

int32_t fedn__cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns)
{
    if (deadline_ns == INT64_MAX) {
        pthread_cond_wait(cond, mutex);
        return 1;
    }
    struct timespec when = fedn__clock_timespec(deadline_ns > 0 ? deadline_ns : 0);
    return pthread_cond_timedwait(cond, mutex, &when) != ETIMEDOUT;
}

void fedn__flag_init(fedn__flag *flag)
{
    pthread_mutex_init(&flag->mutex, NULL);
    fedn__cond_init(&flag->cond);
    flag->set = 0;
}

void fedn__flag_done(fedn__flag *flag)
{
    pthread_mutex_lock(&flag->mutex); /* the setter has left its critical section */
    pthread_mutex_unlock(&flag->mutex);
    pthread_cond_destroy(&flag->cond);
    pthread_mutex_destroy(&flag->mutex);
}

void fedn__flag_set(fedn__flag *flag)
{
    pthread_mutex_lock(&flag->mutex);
    flag->set = 1;
    pthread_cond_broadcast(&flag->cond);
    pthread_mutex_unlock(&flag->mutex);
}

int32_t fedn__flag_wait(fedn__flag *flag, int64_t deadline_ns)
{
    pthread_mutex_lock(&flag->mutex);
    while (!flag->set && fedn__cond_wait(&flag->cond, &flag->mutex, deadline_ns))
        ;
    int32_t set = flag->set;
    pthread_mutex_unlock(&flag->mutex);
    return set;
}
