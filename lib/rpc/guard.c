/* SPDX-License-Identifier: Apache-2.0
 * Watches the descriptors of the process and shuts the port in time; see guard.h. The port is shut
 * by a packet filter that drops what would open a connection: those open already go on, and a peer
 * that waits gets in by its own retransmission once there is room. */
#include "rpc/guard.h"

#include "core/clock.h"
#include "rpc/runtime.h"
#include "rpc/tag.h"
#include <dirent.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#ifdef __linux__
#include <linux/filter.h>
#endif

enum {
    RESERVE_MIN = 16,
    RESERVE_MAX = 2048,
    CHECK_MIN_MS = 10,
    CHECK_MAX_MS = 1000,
    CONNECTIONS_PER_MS = 16, /* more than a listener has been seen to accept */
    FRESH_NS = 2000000       /* a count younger than this is not taken again */
};

uint64_t fedn__guard_descriptors(void)
{
    struct stat st;

    /* new kernels tell the number as the size of the directory, old ones say 0 */
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
        return (uint64_t)st.st_size;
    DIR *dir = opendir("/proc/self/fd");
    uint64_t count = 0;
    if (!dir)
        return 0;
    while (readdir(dir)) /* NOLINT(concurrency-mt-unsafe): the directory is our own */
        count++;
    (void)closedir(dir);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the directory itself */
}

static int32_t listens_on(int fd, int32_t port)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    socklen_t flag_bytes = sizeof(int);
    int flag = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &flag, &flag_bytes) != 0 || !flag)
        return 0;
    if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
        return 0;
    if (address.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&address)->sin_port) == port;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port) == port;
    return 0;
}

static void find_listeners(fedn__guard *guard, int32_t port)
{
    DIR *dir = opendir("/proc/self/fd");

    guard->count = 0;
    if (!dir)
        return;
    for (struct dirent *entry;
         (entry = readdir(dir)) != NULL;) { /* NOLINT(concurrency-mt-unsafe) */
        char *end = NULL;
        long fd = strtol(entry->d_name, &end, 10);
        if (end == entry->d_name || guard->count == FEDN__GUARD_LISTENERS)
            continue;
        if (listens_on((int)fd, port)) {
            /* a burst that is accepted in one go must fit into the reserve */
            (void)listen((int)fd, (int)(guard->reserve / 2));
            guard->listeners[guard->count++] = (int)fd;
        }
    }
    (void)closedir(dir);
}

static void set_gate(fedn__guard *guard, int32_t shut)
{
    guard->shut = shut;
#ifdef __linux__
    struct sock_filter drop = {BPF_RET | BPF_K, 0, 0, 0};
    struct sock_fprog program = {1, &drop};
    int unused = 0;
    for (uint32_t i = 0; i < guard->count; i++)
        if (shut)
            (void)setsockopt(guard->listeners[i], SOL_SOCKET, SO_ATTACH_FILTER, &program,
                             sizeof program);
        else
            (void)setsockopt(guard->listeners[i], SOL_SOCKET, SO_DETACH_FILTER, &unused,
                             sizeof unused);
#endif
}

static uint64_t check(fedn__guard *guard)
{
    uint64_t used = fedn__guard_descriptors();
    uint64_t shut_at = guard->limit - guard->reserve;
    int32_t shut = guard->shut ? used >= shut_at - guard->reserve / 4 : used >= shut_at;

    guard->checked_ns = fedn__clock_ns();
    if (shut != guard->shut) {
        set_gate(guard, shut);
        fedn__log_write(fedn__loop_log(guard->loop), FEDN_LOG_WARNING, "rpc",
                        "%llu of %llu descriptors in use: %s", (unsigned long long)used,
                        (unsigned long long)guard->limit,
                        shut ? "new connections wait until some are free"
                             : "new connections are taken again");
    }
    uint64_t failures = fedn__runtime_accept_failures();
    if (failures != guard->accept_failures) {
        guard->accept_failures = failures;
        fedn__log_write(fedn__loop_log(guard->loop), FEDN_LOG_ERROR, "rpc",
                        "a listener of this process has run out of descriptors (limit %llu) and "
                        "takes no more connections: restart it with a higher limit",
                        (unsigned long long)guard->limit);
    }
    return used;
}

static fedn_status watch(fedn__guard *guard)
{
    uint64_t used = check(guard);
    uint64_t room = guard->limit > used ? guard->limit - used : 0;
    uint64_t wait_ms = room / CONNECTIONS_PER_MS;

    wait_ms = wait_ms < CHECK_MIN_MS ? CHECK_MIN_MS : wait_ms;
    wait_ms = wait_ms > CHECK_MAX_MS ? CHECK_MAX_MS : wait_ms;
    return fedn__loop_timer_set(guard->loop, &guard->timer,
                                fedn__clock_ns() + (int64_t)wait_ms * 1000000);
}

static void on_timer(fedn__timer *timer, void *user_data)
{
    (void)timer;
    (void)watch(user_data); /* its place in the heap has just become free: no memory is needed */
}

fedn_status fedn__guard_start(fedn__guard *guard, fedn__loop *loop, int32_t port)
{
    struct rlimit limit = {1024, 1024};

    memset(guard, 0, sizeof *guard);
    guard->loop = loop;
    guard->timer.fn = on_timer;
    guard->timer.user_data = guard;
    guard->accept_failures = fedn__runtime_accept_failures();
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    guard->limit = limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > 1u << 30
                       ? 1u << 30
                       : (uint64_t)limit.rlim_cur;
    guard->reserve = guard->limit / 4;
    guard->reserve = guard->reserve < RESERVE_MIN ? RESERVE_MIN : guard->reserve;
    guard->reserve = guard->reserve > RESERVE_MAX ? RESERVE_MAX : guard->reserve;
    if (guard->limit < (uint64_t)2 * RESERVE_MIN)
        guard->limit = (uint64_t)2 * RESERVE_MIN;
    find_listeners(guard, port);
    return watch(guard);
}

void fedn__guard_stop(fedn__guard *guard)
{
    if (!guard->loop)
        return;
    fedn__loop_timer_cancel(guard->loop, &guard->timer);
    guard->count = 0; /* the sockets are about to be closed by their owner */
    guard->loop = NULL;
}

int32_t fedn__guard_is_tight(fedn__guard *guard)
{
    if (guard->loop && fedn__clock_ns() - guard->checked_ns > FRESH_NS)
        (void)check(guard);
    return guard->shut;
}
