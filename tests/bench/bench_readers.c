/* SPDX-License-Identifier: Apache-2.0
 * Many clients that fetch one model at the same time: bytes a second, and how much the server
 * grows.
 *
 *   bench_readers [MiB=100] [readers=20] [rounds=3] [directory=TMPDIR or /tmp] */
#include "bench_rpc.h"

static uint64_t resident_kib(pid_t process)
{
    char path[64];
    char line[256];
    uint64_t kib = 0;

    (void)snprintf(path, sizeof path, "/proc/%ld/status", (long)process);
    FILE *file = fopen(path, "r");
    bench_check(file != NULL);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtoull(line + 6, NULL, 10);
    (void)fclose(file);
    return kib;
}

typedef struct reader {
    bench_peer peer;
    char *path;
} reader;

/* All readers in one process, each with a connection of its own. */
static double read_all(int32_t port, const char *directory, int count, uint64_t bytes)
{
    reader *readers = fedn__alloc_array((uint64_t)count, sizeof *readers);

    bench_check(readers != NULL);
    for (int i = 0; i < count; i++) {
        bench_peer_dial(&readers[i].peer, port);
        readers[i].path = fedn__strf("%s/reader-%d", directory, i);
        readers[i].peer.id = BENCH_ID;
        readers[i].peer.path = readers[i].path;
        readers[i].peer.max_bytes = bytes;
        fedn__flag_init(&readers[i].peer.done);
    }
    double start = bench_now();
    for (int i = 0; i < count; i++)
        fedn__loop_call(readers[i].peer.loop, bench_begin, &readers[i].peer);
    for (int i = 0; i < count; i++)
        (void)fedn__flag_wait(&readers[i].peer.done, INT64_MAX);
    double seconds = bench_now() - start;
    for (int i = 0; i < count; i++) {
        bench_peer_hang_up(&readers[i].peer);
        fedn__flag_done(&readers[i].peer.done);
        (void)unlink(readers[i].path);
        fedn__free(readers[i].path);
    }
    fedn__free(readers);
    return seconds;
}

int main(int argc, char **argv)
{
    uint64_t mib = bench_number(argc, argv, 1, 100);
    int count = (int)bench_number(argc, argv, 2, 20);
    int rounds = (int)bench_number(argc, argv, 3, 3);
    double rates[BENCH_ROUNDS];
    double growth[BENCH_ROUNDS];
    fedn_error err;
    char *directory = NULL;

    bench_check(mib > 0 && count > 0 && rounds > 0 && rounds <= BENCH_ROUNDS);
    uint64_t bytes = mib * FEDN__MIB;
    bench_ok(fedn__fs_temp_dir(argc > 4 ? argv[4] : NULL, "fedn-bench-", &directory, &err), &err);
    bench_make_model(directory, "model", bytes);
    for (int round = 0; round < rounds; round++) {
        int ports[2];
        int results[2];
        int32_t port = 0;
        double seconds = 0;
        bench_check(pipe(ports) == 0 && pipe(results) == 0);
        pid_t server = fork();
        if (server == 0)
            bench_serve_models(ports[1], directory, "model", NULL);
        bench_read(ports[0], &port, sizeof port);
        uint64_t before = resident_kib(server);
        pid_t client = fork();
        if (client == 0) {
            seconds = read_all(port, directory, count, bytes);
            bench_write(results[1], &seconds, sizeof seconds);
            _exit(0);
        }
        bench_read(results[0], &seconds, sizeof seconds);
        (void)bench_reap(client, 0);
        growth[round] = (double)(resident_kib(server) - before) / 1024;
        (void)bench_reap(server, 1);
        rates[round] = (double)bytes * count / seconds / 1e9;
        for (int i = 0; i < 2; i++) {
            close(ports[i]);
            close(results[i]);
        }
    }
    bench_range rate = bench_median(rates, rounds);
    bench_range grown = bench_median(growth, rounds);
    printf("%d readers of one model of %llu MiB, %d rounds\n", count, (unsigned long long)mib,
           rounds);
    printf("all together %.2f GB/s (%.2f..%.2f)\n", rate.median, rate.min, rate.max);
    printf("the server grew by at most %.0f MiB (%.0f..%.0f) = %.2f models\n", grown.median,
           grown.min, grown.max, grown.max / (double)mib);
    bench_ok(fedn__fs_remove_tree(directory, &err), &err);
    fedn__free(directory);
    return 0;
}
