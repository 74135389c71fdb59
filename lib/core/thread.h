/* SPDX-License-Identifier: Apache-2.0
 * Starting a named thread, and a flag to wait for. */
#ifndef FEDN__CORE_THREAD_H
#define FEDN__CORE_THREAD_H

#include <fedn/error.h>
#include <pthread.h>

/* A thread with all signals but its own faults blocked, so that the application's handlers stay on
 * the application's threads. `name` is used during the call only. */
fedn_status fedn__thread_start(pthread_t *ret, const char *name, void *(*fn)(void *), void *arg,
                               fedn_error *err);

/* A condition on the monotonic clock. */
void fedn__cond_init(pthread_cond_t *cond);
/* Waits with the mutex held; 1 = woken, 0 = the deadline passed. INT64_MAX waits for ever. */
int32_t fedn__cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns);

/* Set once, waited for by many. */
typedef struct fedn__flag {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int32_t set;
} fedn__flag;

void fedn__flag_init(fedn__flag *flag);
void fedn__flag_done(fedn__flag *flag);
void fedn__flag_set(fedn__flag *flag);
int32_t fedn__flag_wait(fedn__flag *flag, int64_t deadline_ns); /* 1 if it is set */

#endif
