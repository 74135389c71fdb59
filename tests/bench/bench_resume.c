/* SPDX-License-Identifier: Apache-2.0
 * What a model that is cut in its middle costs: the bytes on the line, of the try that broke and of
 * the one that went on, up and down.
 *
 *   bench_resume [MiB=1024] [directory=TMPDIR or /tmp] */
#include "bench_rpc.h"

#include "core/error.h"
#include "core/fs.h"
#include "proxy.h"

static fedn_status outcome;

static void moved(fedn_status status, const fedn_error *err, fedn__blob *blob, void *user_data)
{
    bench_peer *peer = user_data;

    (void)err;
    (void)blob;
    outcome = status;
    fedn__flag_set(&peer->done);
}

typedef struct moving {
    bench_peer *peer;
    fedn__blob *blob; /* up */
    const char *path; /* down */
    const char *parts;
    uint64_t bytes;
    int32_t again;
} moving;

static void begin(void *arg)
{
    const moving *m = arg;
    fedn__transfer *transfer = NULL;
    fedn_error err;
    const fedn__sending up = {.id = BENCH_ID, .blob = m->blob, .resume = m->again};
    const fedn__download down = {
        .id = BENCH_ID, .path = m->path, .parts = m->parts, .max_bytes = m->bytes};

    if (m->blob)
        bench_ok(fedn__transfer_upload(m->peer->channel, m->peer->pool, &up, moved, m->peer,
                                       &transfer, &err),
                 &err);
    else
        bench_ok(fedn__transfer_download(m->peer->channel, m->peer->pool, &down, moved, m->peer,
                                         &transfer, &err),
                 &err);
}

/* MiB that passed the cable. */
static double try_once(moving *m, test_proxy *proxy, int32_t way, uint64_t most)
{
    bench_peer peer;
    uint64_t before = proxy_bytes(proxy, way);

    proxy_cut_after(proxy, way, most);
    m->peer = &peer;
    bench_peer_dial(&peer, proxy_port(proxy));
    fedn__flag_init(&peer.done);
    fedn__loop_call(peer.loop, begin, m);
    (void)fedn__flag_wait(&peer.done, INT64_MAX);
    fedn__flag_done(&peer.done);
    bench_peer_hang_up(&peer);
    bench_check((outcome == FEDN_OK) == (most == UINT64_MAX));
    return (double)(proxy_bytes(proxy, way) - before) / (double)FEDN__MIB;
}

static void measure(moving *m, test_proxy *proxy, int32_t way, const char *name)
{
    m->again = 0;
    double first = try_once(m, proxy, way, m->bytes / 2);
    m->again = 1;
    double second = try_once(m, proxy, way, UINT64_MAX);
    printf("%-5s %.1f MiB: cut after %.1f, went on with %.1f, together %.1f\n", name,
           (double)m->bytes / (double)FEDN__MIB, first, second, first + second);
}

int main(int argc, char **argv)
{
    uint64_t bytes = bench_number(argc, argv, 1, 1024) * FEDN__MIB;
    const char *parent = argc > 2 ? argv[2] : NULL;
    int ports[2];
    int32_t port = 0;
    char *directory = NULL;
    fedn_error err;

    bench_ok(fedn__fs_temp_dir(parent, "bench-", &directory, &err), &err);
    char *received = fedn__fs_join(directory, "received");
    char *parts = fedn__fs_join(directory, "parts");
    bench_ok(fedn__fs_mkdirs(parts, &err), &err);
    bench_make_model(directory, "model", bytes);
    bench_check(pipe(ports) == 0);
    pid_t server = fork();
    if (server == 0)
        bench_serve_models(ports[1], directory, "stored", parts);
    bench_read(ports[0], &port, sizeof port);
    test_proxy *proxy = proxy_new(port);
    moving up = {.bytes = bytes};
    char *model = fedn__fs_join(directory, "model");
    bench_ok(fedn__blob_from_file(model, &up.blob, &err), &err);
    measure(&up, proxy, PROXY_UP, "up");
    bench_same(directory, "model", "stored");
    fedn__blob_unref(up.blob);
    moving down = {.path = received, .parts = parts, .bytes = bytes};
    measure(&down, proxy, PROXY_DOWN, "down");
    bench_same(directory, "model", "received");
    proxy_free(proxy);
    (void)bench_reap(server, 1);
    (void)fedn__fs_remove_tree(directory, NULL);
    fedn__free(parts);
    fedn__free(received);
    fedn__free(model);
    fedn__free(directory);
    return 0;
}
