/* SPDX-License-Identifier: Apache-2.0
 * A cable between two peers; see proxy.h. One thread with poll(); a connection whose data the other
 * end does not take is not read. */
#include "proxy.h"

#include "core/clock.h"
#include "core/thread.h"
#include "test.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAIRS = 32, BLOCK = 1 << 16 };

typedef struct stretch {
    uint64_t passed;
    size_t from; /* of the block, waiting for the other end */
    size_t to;
    uint8_t block[BLOCK];
} stretch;

typedef struct pair {
    int fds[2]; /* the dialling side, the other; -1: free */
    stretch ways[2];
} pair;

struct test_proxy {
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the next six */
    pthread_cond_t cond;   /* it is frozen */
    int32_t target;
    uint64_t most[2];
    int32_t freezes; /* instead of cutting */
    uint64_t total[2];
    int32_t frozen;
    int32_t stop;
    int32_t port;
    int listener;
    int wake[2];
    pair pairs[PAIRS];
};

static struct sockaddr_in loopback(int32_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    return address;
}

static void cut(pair *p)
{
    for (int i = 0; i < 2; i++) {
        struct linger now = {1, 0};
        (void)setsockopt(p->fds[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(p->fds[i]);
        p->fds[i] = -1;
        p->ways[i].passed = p->ways[i].from = p->ways[i].to = 0;
    }
}

static void connect_pair(test_proxy *proxy, int32_t target)
{
    struct sockaddr_in address = loopback(target);
    int fd = accept(proxy->listener, NULL, NULL);
    int other = socket(AF_INET, SOCK_STREAM, 0);
    pair *free_pair = NULL;

    for (int i = 0; i < PAIRS && !free_pair; i++)
        if (proxy->pairs[i].fds[0] < 0)
            free_pair = &proxy->pairs[i];
    if (fd < 0 || !free_pair || connect(other, (struct sockaddr *)&address, sizeof address) != 0) {
        if (fd >= 0)
            close(fd);
        close(other);
        return;
    }
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)fcntl(other, F_SETFL, O_NONBLOCK);
    free_pair->fds[0] = fd;
    free_pair->fds[1] = other;
}

/* Moves what it can; 0 when the connection is over. */
static int32_t move(test_proxy *proxy, pair *p, int32_t way)
{
    stretch *s = &p->ways[way];

    if (s->from == s->to) {
        ssize_t n = recv(p->fds[way], s->block, BLOCK, 0);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        s->from = 0;
        s->to = (size_t)n;
    }
    pthread_mutex_lock(&proxy->mutex);
    uint64_t left = proxy->most[way] > s->passed ? proxy->most[way] - s->passed : 0;
    pthread_mutex_unlock(&proxy->mutex);
    size_t bytes = s->to - s->from < left ? s->to - s->from : (size_t)left;
    ssize_t n = bytes ? send(p->fds[!way], s->block + s->from, bytes, MSG_NOSIGNAL) : 0;
    if (n < 0)
        return errno == EAGAIN;
    s->from += (size_t)n;
    s->passed += (uint64_t)n;
    pthread_mutex_lock(&proxy->mutex);
    proxy->total[way] += (uint64_t)n;
    int32_t over = s->passed >= proxy->most[way];
    if (over && proxy->freezes) {
        proxy->frozen = 1;
        over = 0;
        pthread_cond_broadcast(&proxy->cond);
    }
    pthread_mutex_unlock(&proxy->mutex);
    return !over;
}

static nfds_t list(const test_proxy *proxy, struct pollfd fds[2 * PAIRS + 2], int32_t frozen)
{
    nfds_t count = 2;

    fds[0] = (struct pollfd){proxy->wake[0], POLLIN, 0};
    fds[1] = (struct pollfd){frozen ? -1 : proxy->listener, POLLIN, 0};
    for (int i = 0; i < PAIRS; i++)
        for (int end = 0; end < 2; end++, count++) {
            const pair *p = &proxy->pairs[i];
            int events = 0;
            if (p->ways[end].from == p->ways[end].to)
                events |= POLLIN;
            if (p->ways[!end].from < p->ways[!end].to)
                events |= POLLOUT;
            fds[count] = (struct pollfd){frozen ? -1 : p->fds[end], (short)events, 0};
        }
    return count;
}

static void *run(void *arg)
{
    test_proxy *proxy = arg;
    struct pollfd fds[2 * PAIRS + 2];

    for (;;) {
        char word;
        pthread_mutex_lock(&proxy->mutex);
        int32_t stop = proxy->stop;
        int32_t frozen = proxy->frozen;
        int32_t target = proxy->target;
        pthread_mutex_unlock(&proxy->mutex);
        if (stop)
            return NULL;
        (void)poll(fds, list(proxy, fds, frozen), -1);
        if (fds[0].revents && read(proxy->wake[0], &word, 1) == 1)
            continue; /* something was set */
        for (int i = 0; i < PAIRS; i++) {
            pair *p = &proxy->pairs[i];
            if (p->fds[0] < 0 || !(fds[2 + 2 * i].revents || fds[3 + 2 * i].revents))
                continue;
            if (!move(proxy, p, PROXY_UP) || !move(proxy, p, PROXY_DOWN))
                cut(p);
        }
        if (fds[1].revents)
            connect_pair(proxy, target);
    }
}

test_proxy *proxy_new(int32_t port)
{
    test_proxy *proxy = calloc(1, sizeof *proxy);
    struct sockaddr_in address = loopback(0);
    socklen_t bytes = sizeof address;

    proxy->target = port;
    proxy->most[0] = proxy->most[1] = UINT64_MAX;
    for (int i = 0; i < PAIRS; i++)
        proxy->pairs[i].fds[0] = proxy->pairs[i].fds[1] = -1;
    pthread_mutex_init(&proxy->mutex, NULL);
    fedn__cond_init(&proxy->cond);
    proxy->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(proxy->listener, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(listen(proxy->listener, PAIRS), 0);
    assert_int_equal(getsockname(proxy->listener, (struct sockaddr *)&address, &bytes), 0);
    proxy->port = ntohs(address.sin_port);
    assert_int_equal(pipe(proxy->wake), 0);
    assert_int_equal(pthread_create(&proxy->thread, NULL, run, proxy), 0);
    return proxy;
}

static void wake(test_proxy *proxy)
{
    pthread_mutex_unlock(&proxy->mutex);
    assert_int_equal(write(proxy->wake[1], "w", 1), 1);
}

void proxy_free(test_proxy *proxy)
{
    pthread_mutex_lock(&proxy->mutex);
    proxy->stop = 1;
    wake(proxy);
    pthread_join(proxy->thread, NULL);
    for (int i = 0; i < PAIRS; i++)
        if (proxy->pairs[i].fds[0] >= 0)
            cut(&proxy->pairs[i]);
    close(proxy->listener);
    close(proxy->wake[0]);
    close(proxy->wake[1]);
    pthread_cond_destroy(&proxy->cond);
    pthread_mutex_destroy(&proxy->mutex);
    free(proxy);
}

int32_t proxy_port(const test_proxy *proxy)
{
    return proxy->port;
}

void proxy_turn(test_proxy *proxy, int32_t port)
{
    pthread_mutex_lock(&proxy->mutex);
    proxy->target = port;
    wake(proxy);
}

void proxy_cut_after(test_proxy *proxy, int32_t direction, uint64_t bytes)
{
    pthread_mutex_lock(&proxy->mutex);
    proxy->most[direction] = bytes;
    wake(proxy);
}

void proxy_freeze_after(test_proxy *proxy, int32_t direction, uint64_t bytes)
{
    pthread_mutex_lock(&proxy->mutex);
    proxy->most[direction] = bytes;
    proxy->freezes = 1;
    proxy->frozen = bytes == 0;
    wake(proxy);
}

void proxy_wait_frozen(test_proxy *proxy)
{
    int64_t deadline = fedn__clock_ns() + 20000000000;
    int32_t in_time = 1;

    pthread_mutex_lock(&proxy->mutex);
    while (!proxy->frozen && in_time)
        in_time = fedn__cond_wait(&proxy->cond, &proxy->mutex, deadline);
    pthread_mutex_unlock(&proxy->mutex);
    if (!in_time)
        fail_msg("the cable does not freeze");
}

uint64_t proxy_bytes(test_proxy *proxy, int32_t direction)
{
    pthread_mutex_lock(&proxy->mutex);
    uint64_t bytes = proxy->total[direction];
    pthread_mutex_unlock(&proxy->mutex);
    return bytes;
}
