/* SPDX-License-Identifier: Apache-2.0
 * What the benchmarks of model transfer share: a peer that serves one model, one that dials, and
 * numbers over rounds. Header only: each program is one file. */
#ifndef FEDN__BENCH_RPC_H
#define FEDN__BENCH_RPC_H

#include "core/alloc.h"
#include "core/blob.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/limits.h"
#include "core/text.h"
#include "core/thread.h"
#include "rpc/transfer.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define BENCH_ID     "0b5c2f0e-9d3a-4c8f-8e7a-1f2e3d4c5b6a"
#define BENCH_ROUNDS 64

#define bench_check(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

#define bench_ok(call, err)                                                                        \
    do {                                                                                           \
        if ((call) < 0) {                                                                          \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, (err)->message);                    \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static inline double bench_now(void)
{
    return (double)fedn__clock_ns() / 1e9;
}

typedef struct bench_range {
    double median;
    double min;
    double max;
} bench_range;

static int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static inline bench_range bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, bench_compare);
    bench_range range = {values[count / 2], values[0], values[count - 1]};
    if (count % 2 == 0)
        range.median = (values[count / 2 - 1] + values[count / 2]) / 2;
    return range;
}

/* An argument of the program, if it is there. */
static inline uint64_t bench_number(int argc, char **argv, int place, uint64_t otherwise)
{
    uint64_t number = otherwise;

    bench_check(argc <= place || fedn__text_to_u64(argv[place], &number));
    return number;
}

static inline void bench_write(int fd, const void *data, size_t bytes)
{
    bench_check(write(fd, data, bytes) == (ssize_t)bytes);
}

static inline void bench_read(int fd, void *data, size_t bytes)
{
    bench_check(read(fd, data, bytes) == (ssize_t)bytes);
}

/* Waits for a child, after asking it to stop if it would not by itself; its seconds of CPU. */
static inline double bench_reap(pid_t child, int stop)
{
    struct rusage used;
    int how = 0;

    if (stop)
        (void)kill(child, SIGTERM);
    bench_check(wait4(child, &how, 0, &used) == child);
    bench_check(stop || (WIFEXITED(how) && WEXITSTATUS(how) == 0));
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static inline void bench_make_model(const char *directory, const char *name, uint64_t bytes)
{
    char *path = fedn__fs_join(directory, name);
    static uint64_t block[1 << 17];
    uint64_t x = 88172645463325252u;
    FILE *file = fopen(path, "wb");

    bench_check(file != NULL);
    for (uint64_t at = 0; at < bytes; at += sizeof block) {
        for (size_t i = 0; i < sizeof block / sizeof block[0]; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            block[i] = x;
        }
        uint64_t left = bytes - at;
        size_t part = left < sizeof block ? (size_t)left : sizeof block;
        bench_check(fwrite(block, 1, part, file) == part);
    }
    bench_check(fclose(file) == 0);
    fedn__free(path);
}

static inline void bench_same(const char *directory, const char *a, const char *b)
{
    char *command = fedn__strf("cmp -s %s/%s %s/%s", directory, a, directory, b);
    bench_check(system(command) == 0); /* NOLINT(cert-env33-c): a tool run by hand */
    fedn__free(command);
}

typedef struct bench_depot {
    fedn__transfer_host host;
    char *path;
    fedn__blob *blob; /* one mapping for all readers, as a role has it */
} bench_depot;

static fedn_status bench_accept(void *service, fedn__call *call, const char *id, char **ret_path,
                                uint64_t *ret_max_bytes, fedn_error *err)
{
    bench_depot *depot = service;

    (void)call;
    (void)id;
    *ret_path = fedn__strdup(depot->path);
    *ret_max_bytes = 64 * FEDN__GIB;
    return *ret_path ? FEDN_OK : fedn_error_set(err, FEDN_ERR_NOMEM, NULL);
}

static void bench_stored(void *service, const char *id, fedn_status status, fedn__blob *blob,
                         const fedn_error *err)
{
    (void)service;
    (void)id;
    (void)blob;
    if (status < 0)
        fprintf(stderr, "not stored: %s\n", err->message);
}

static fedn_status bench_find(void *service, fedn__call *call, const char *id, fedn__blob **ret,
                              fedn_error *err)
{
    bench_depot *depot = service;

    (void)call;
    (void)id;
    if (!depot->blob) {
        fedn_status rc = fedn__blob_from_file(depot->path, &depot->blob, err);
        if (rc < 0)
            return rc;
    }
    *ret = fedn__blob_ref(depot->blob);
    return FEDN_OK;
}

/* In a child: serves until it is killed. */
static inline void bench_serve_models(int out, const char *directory, const char *name,
                                      const char *parts)
{
    fedn_tune_process();
    static bench_depot depot;
    fedn__server_options options = {.listen = "127.0.0.1:0"};
    fedn__method rows[FEDN__TRANSFER_METHODS];
    fedn__server *server = NULL;
    fedn_error err;

    depot.path = fedn__fs_join(directory, name);
    depot.host.accept = bench_accept;
    depot.host.stored = bench_stored;
    depot.host.find = bench_find;
    depot.host.parts = parts;
    depot.host.owner_key = "user-agent";
    depot.host.service = &depot;
    bench_ok(fedn__loop_new("serving", NULL, &depot.host.loop, &err), &err);
    bench_ok(fedn__pool_new(2, "worker", &depot.host.pool, &err), &err);
    fedn__transfer_methods(&depot.host, rows);
    bench_ok(
        fedn__server_new(depot.host.loop, &options, rows, FEDN__TRANSFER_METHODS, &server, &err),
        &err);
    int32_t port = fedn__server_port(server);
    bench_write(out, &port, sizeof port);
    for (;;)
        (void)pause();
}

typedef struct bench_peer {
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__channel *channel;
    const char *id;
    const char *path;
    fedn__blob *blob;
    uint64_t max_bytes;
    fedn__flag done;
} bench_peer;

static inline void bench_peer_dial(bench_peer *peer, int32_t port)
{
    char target[32];
    fedn__channel_options options = {.target = target};
    fedn_error err;

    fedn_tune_process();
    memset(peer, 0, sizeof *peer);
    (void)snprintf(target, sizeof target, "127.0.0.1:%d", (int)port);
    bench_ok(fedn__loop_new("dialling", NULL, &peer->loop, &err), &err);
    bench_ok(fedn__pool_new(2, "worker", &peer->pool, &err), &err);
    bench_ok(fedn__channel_new(peer->loop, &options, &peer->channel, &err), &err);
}

static void bench_free_channel(void *channel)
{
    fedn__channel_free(channel);
}

static inline void bench_peer_hang_up(bench_peer *peer)
{
    fedn__loop_call(peer->loop, bench_free_channel, peer->channel);
    fedn__loop_free(peer->loop);
    fedn__pool_free(peer->pool);
}

static void bench_moved(fedn_status status, const fedn_error *err, fedn__blob *blob,
                        void *user_data)
{
    bench_peer *peer = user_data;

    (void)blob;
    bench_ok(status, err);
    fedn__flag_set(&peer->done);
}

static void bench_begin(void *arg)
{
    bench_peer *peer = arg;
    fedn__transfer *transfer = NULL;
    const fedn__download what = {
        .id = peer->id, .client_id = "bench", .path = peer->path, .max_bytes = peer->max_bytes};
    fedn_error err;

    const fedn__sending up = {.id = peer->id, .client_id = "bench", .blob = peer->blob};
    if (peer->blob)
        bench_ok(fedn__transfer_upload(peer->channel, peer->pool, &up, bench_moved, peer, &transfer,
                                       &err),
                 &err);
    else
        bench_ok(fedn__transfer_download(peer->channel, peer->pool, &what, bench_moved, peer,
                                         &transfer, &err),
                 &err);
}

static inline void bench_move(bench_peer *peer)
{
    fedn__flag_init(&peer->done);
    fedn__loop_call(peer->loop, bench_begin, peer);
    (void)fedn__flag_wait(&peer->done, INT64_MAX);
    fedn__flag_done(&peer->done);
}

static inline void bench_upload(bench_peer *peer, const char *id, fedn__blob *blob)
{
    peer->id = id;
    peer->blob = blob;
    bench_move(peer);
}

static inline void bench_download(bench_peer *peer, const char *id, const char *path,
                                  uint64_t max_bytes)
{
    peer->id = id;
    peer->blob = NULL;
    peer->path = path;
    peer->max_bytes = max_bytes;
    bench_move(peer);
}

#endif
