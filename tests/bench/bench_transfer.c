/* SPDX-License-Identifier: Apache-2.0
 * How fast a model moves between two processes over loopback, from a file that is in the page cache
 * into a new file, beside plain TCP doing the same in the same round.
 *
 *   bench_transfer [MiB=1024] [rounds=5] [directory=TMPDIR or /tmp] */
#include "bench_rpc.h"

#include "core/error.h"
#include "core/fs.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { TCP_UP, TCP_DOWN, RPC_UP, RPC_DOWN, KINDS };

static const char *const names[KINDS] = {"tcp up", "tcp down", "rpc up", "rpc down"};

static uint64_t model_bytes;
static const char *directory;

static char *in_directory(const char *name)
{
    return fedn__fs_join(directory, name);
}

/* The two ends of plain TCP: the mapped model goes out, what comes is written to a file. */
static void tcp_send(int fd)
{
    char *path = in_directory("model");
    int file = open(path, O_RDONLY);
    uint8_t *data = mmap(NULL, model_bytes, PROT_READ, MAP_SHARED, file, 0);

    for (uint64_t at = 0; at < model_bytes;) {
        uint64_t left = model_bytes - at;
        ssize_t sent = send(fd, data + at, left < FEDN__MIB ? left : FEDN__MIB, MSG_NOSIGNAL);
        bench_check(sent > 0);
        at += (uint64_t)sent;
    }
    munmap(data, model_bytes);
    close(file);
    fedn__free(path);
}

static void tcp_receive(int fd)
{
    static uint8_t buffer[1 << 20];
    char *path = in_directory("received");
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    bench_check(file >= 0);
    for (uint64_t at = 0; at < model_bytes;) {
        ssize_t got = recv(fd, buffer, sizeof buffer, 0);
        bench_check(got > 0 && write(file, buffer, (size_t)got) == got);
        at += (uint64_t)got;
    }
    close(file);
    fedn__free(path);
}

static void tcp_move(int fd, int32_t sending)
{
    if (sending)
        tcp_send(fd);
    else
        tcp_receive(fd);
}

static void tcp_serve(int out, int kind)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    bench_check(bind(listener, (struct sockaddr *)&address, bytes) == 0 &&
                listen(listener, 1) == 0);
    bench_check(getsockname(listener, (struct sockaddr *)&address, &bytes) == 0);
    int32_t port = ntohs(address.sin_port);
    bench_write(out, &port, sizeof port);
    int fd = accept(listener, NULL, NULL);
    char word = 0;
    bench_check(fd >= 0);
    tcp_move(fd, kind == TCP_DOWN);
    /* up: the word says that it is stored; down: it comes from the other side */
    if (kind == TCP_UP)
        bench_check(send(fd, "k", 1, 0) == 1);
    else
        bench_check(recv(fd, &word, 1, 0) == 1);
    _exit(0);
}

static double tcp_dial(int32_t port, int kind)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;
    char word = 0;

    double start = bench_now();
    bench_check(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    tcp_move(fd, kind == TCP_UP);
    if (kind == TCP_UP)
        bench_check(recv(fd, &word, 1, 0) == 1);
    else
        bench_check(send(fd, "k", 1, 0) == 1);
    return bench_now() - start;
}

static double rpc_dial(int32_t port, int kind)
{
    char *model = in_directory("model");
    char *received = in_directory("received");
    bench_peer peer;
    fedn_error err;

    bench_peer_dial(&peer, port);
    double start = bench_now();
    if (kind == RPC_UP) {
        fedn__blob *blob = NULL;
        bench_ok(fedn__blob_from_file(model, &blob, &err), &err);
        bench_upload(&peer, BENCH_ID, blob);
        fedn__blob_unref(blob);
    } else {
        bench_download(&peer, BENCH_ID, received, model_bytes);
    }
    double seconds = bench_now() - start;
    bench_peer_hang_up(&peer);
    fedn__free(model);
    fedn__free(received);
    return seconds;
}

/* GB/s; *ret_cpu: seconds of CPU for a GiB, both sides. */
static double run_once(int kind, double *ret_cpu)
{
    int ports[2];
    int results[2];
    int32_t port = 0;
    double seconds = 0;

    bench_check(pipe(ports) == 0 && pipe(results) == 0);
    pid_t server = fork();
    if (server == 0) {
        if (kind == TCP_UP || kind == TCP_DOWN)
            tcp_serve(ports[1], kind);
        bench_serve_models(ports[1], directory, kind == RPC_DOWN ? "model" : "received", NULL);
    }
    bench_read(ports[0], &port, sizeof port);
    pid_t client = fork();
    if (client == 0) {
        seconds = kind == TCP_UP || kind == TCP_DOWN ? tcp_dial(port, kind) : rpc_dial(port, kind);
        bench_write(results[1], &seconds, sizeof seconds);
        _exit(0);
    }
    bench_read(results[0], &seconds, sizeof seconds);
    *ret_cpu = bench_reap(client, 0) + bench_reap(server, 1);
    *ret_cpu *= (double)FEDN__GIB / (double)model_bytes;
    for (int i = 0; i < 2; i++) {
        close(ports[i]);
        close(results[i]);
    }
    char *received = in_directory("received");
    bench_same(directory, "model", "received");
    (void)unlink(received);
    fedn__free(received);
    return (double)model_bytes / seconds / 1e9;
}

int main(int argc, char **argv)
{
    uint64_t mib = bench_number(argc, argv, 1, 1024);
    int rounds = (int)bench_number(argc, argv, 2, 5);
    double rates[KINDS][BENCH_ROUNDS];
    double ratios[KINDS][BENCH_ROUNDS];
    double cpu[KINDS][BENCH_ROUNDS];
    fedn_error err;
    char *scratch = NULL;

    bench_check(mib > 0 && rounds > 0 && rounds <= BENCH_ROUNDS);
    model_bytes = mib * FEDN__MIB;
    bench_ok(fedn__fs_temp_dir(argc > 3 ? argv[3] : NULL, "fedn-bench-", &scratch, &err), &err);
    directory = scratch;
    bench_make_model(directory, "model", model_bytes);
    for (int round = 0; round < rounds; round++)
        for (int kind = 0; kind < KINDS; kind++) {
            rates[kind][round] = run_once(kind, &cpu[kind][round]);
            ratios[kind][round] = rates[kind][round] / rates[kind % 2][round];
        }
    printf("%llu MiB, %d rounds, file to file over 127.0.0.1\n", (unsigned long long)mib, rounds);
    for (int kind = 0; kind < KINDS; kind++) {
        bench_range rate = bench_median(rates[kind], rounds);
        bench_range ratio = bench_median(ratios[kind], rounds);
        printf("%-9s %6.2f GB/s (%.2f..%.2f)   %.2f of tcp (%.2f..%.2f)   %.2f CPU s/GiB\n",
               names[kind], rate.median, rate.min, rate.max, ratio.median, ratio.min, ratio.max,
               bench_median(cpu[kind], rounds).median);
    }
    bench_ok(fedn__fs_remove_tree(directory, &err), &err);
    fedn__free(scratch);
    return 0;
}
