/* SPDX-License-Identifier: Apache-2.0
 * Starts and stops gRPC and takes its log lines; see runtime.h. */
#include "rpc/runtime.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <pthread.h>
#include <string.h>

static pthread_mutex_t runtime_mutex = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static fedn__runtime_user *runtime_users;
static uint64_t accept_failures;

static void take_line(gpr_log_func_args *line)
{
    int32_t level = FEDN_LOG_DEBUG;

    (void)pthread_mutex_lock(&runtime_mutex);
    if (strstr(line->message, "Failed accept")) {
        accept_failures++;
        level = FEDN_LOG_ERROR;
    }
    if (runtime_users)
        fedn__log_write(runtime_users->log, level, "rpc", "grpc: %s", line->message);
    (void)pthread_mutex_unlock(&runtime_mutex);
}

void fedn__runtime_start(fedn__runtime_user *user)
{
    (void)pthread_mutex_lock(&runtime_mutex);
    if (!runtime_users)
        gpr_set_log_function(take_line);
    user->next = runtime_users;
    runtime_users = user;
    (void)pthread_mutex_unlock(&runtime_mutex);
    /* gRPC counts its own starts; it may log, so the mutex is free here */
    grpc_init();
}

void fedn__runtime_stop(fedn__runtime_user *user)
{
    grpc_shutdown();
    (void)pthread_mutex_lock(&runtime_mutex);
    fedn__runtime_user **link = &runtime_users;
    while (*link != user)
        link = &(*link)->next;
    *link = user->next;
    if (!runtime_users)
        gpr_set_log_function(NULL);
    (void)pthread_mutex_unlock(&runtime_mutex);
}

uint64_t fedn__runtime_accept_failures(void)
{
    (void)pthread_mutex_lock(&runtime_mutex);
    uint64_t count = accept_failures;
    (void)pthread_mutex_unlock(&runtime_mutex);
    return count;
}
