/* SPDX-License-Identifier: Apache-2.0
 * Idle clients: one combiner, many clients that hold a task stream each on a connection of its own
 * and send heartbeats. Prints the combiner's resident memory per client and its CPU share.
 *
 * usage: bench_idle [clients=5000] [heartbeat_ms=10000] [window_s=20] */
#include <fedn/fedn.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/thread.h"
#include "fedn.pb-c.h"
#include "rpc/channel.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIALLERS = 4 };

typedef struct idle_client {
    fedn__channel *channel;
    char id[40];
} idle_client;

typedef struct dialler {
    fedn__loop *loop;
    fedn__timer timer;
    idle_client *clients;
    int count;
    int next;
    int wanted;
    int heartbeat_ms;
    int port;
    int beat;
} dialler;

static long status_kib(pid_t pid, const char *field)
{
    char path[64];
    char line[256];
    long kib = -1;

    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, field, strlen(field)) == 0)
            kib = strtol(line + strlen(field), NULL, 10);
    if (file)
        fclose(file);
    return kib;
}

static double cpu_seconds(pid_t pid)
{
    char path[64];
    char text[1024] = "";
    unsigned long user = 0;
    unsigned long system_time = 0;

    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "r");
    if (file) {
        if (!fgets(text, sizeof text, file))
            text[0] = 0;
        fclose(file);
    }
    char *rest = strrchr(text, ')');
    if (rest)
        sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system_time);
    return (double)(user + system_time) / (double)sysconf(_SC_CLK_TCK);
}

static void on_message(fedn__stream *stream, const ProtobufCMessage *message, void *user_data)
{
    (void)stream;
    (void)message;
    (void)user_data;
}

static void on_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    (void)stream;
    fprintf(stderr, "client %s: %s %s\n", ((idle_client *)user_data)->id, fedn__rpc_name(rpc),
            details);
}

static void on_beat(int32_t rpc, const char *details, const ProtobufCMessage *response,
                    void *user_data)
{
    (void)response;
    if (rpc != FEDN__RPC_OK)
        fprintf(stderr, "heartbeat of %s: %s\n", ((idle_client *)user_data)->id, details);
}

static void dial(dialler *d, idle_client *client)
{
    static const fedn__stream_events events = {.message = on_message, .closed = on_closed};
    Fedn__Client sender = FEDN__CLIENT__INIT;
    Fedn__ClientAvailableMessage hello = FEDN__CLIENT_AVAILABLE_MESSAGE__INIT;
    char target[64];
    const char *const metadata[] = {"client", client->id, NULL};
    fedn__stream *stream = NULL;
    fedn_error err = {0};

    snprintf(target, sizeof target, "127.0.0.1:%d", d->port);
    fedn__channel_options options = {.target = target, .metadata = metadata};
    sender.role = FEDN__ROLE__CLIENT;
    sender.name = client->id;
    sender.client_id = client->id;
    hello.sender = &sender;
    if (fedn__channel_new(d->loop, &options, &client->channel, &err) != FEDN_OK ||
        fedn__channel_stream(client->channel, "/fedn.Combiner/TaskStream", &hello.base,
                             &fedn__task_request__descriptor, &events, client, &stream,
                             &err) != FEDN_OK)
        fprintf(stderr, "dialling: %s\n", err.message);
}

static void beat(idle_client *client)
{
    Fedn__Client sender = FEDN__CLIENT__INIT;
    Fedn__Heartbeat message = FEDN__HEARTBEAT__INIT;
    fedn__unary_options options = {.timeout_ms = 30000};

    sender.role = FEDN__ROLE__CLIENT;
    sender.name = client->id;
    sender.client_id = client->id;
    message.sender = &sender;
    fedn__channel_unary(client->channel, "/fedn.Connector/SendHeartbeat", &message.base,
                        &fedn__response__descriptor, &options, on_beat, client);
}

/* Every 10 ms: some more clients until all are there, and the heartbeats that are due. */
static void on_timer(fedn__timer *timer, void *user_data)
{
    dialler *d = user_data;

    for (int i = 0; i < 5 && d->count < d->wanted; i++) {
        idle_client *client = &d->clients[d->count];
        snprintf(client->id, sizeof client->id, "idle-%d-%d", (int)getpid(), d->count);
        dial(d, client);
        d->count++;
    }
    d->beat += d->count * 10;
    while (d->count > 0 && d->beat >= d->heartbeat_ms) {
        d->beat -= d->heartbeat_ms;
        d->next = (d->next + 1) % d->count;
        beat(&d->clients[d->next]);
    }
    fedn__loop_timer_set(d->loop, timer, fedn__clock_ns() + 10000000);
}

static void arm(void *arg)
{
    dialler *d = arg;
    fedn__loop_timer_set(d->loop, &d->timer, fedn__clock_ns());
}

static void run_dialler(int port, int wanted, int heartbeat_ms)
{
    static dialler d;
    fedn_error err = {0};

    fedn_tune_process();
    d.port = port;
    d.wanted = wanted;
    d.heartbeat_ms = heartbeat_ms;
    d.clients = calloc((size_t)wanted, sizeof *d.clients);
    d.timer.fn = on_timer;
    d.timer.user_data = &d;
    if (fedn__loop_new("idle", NULL, &d.loop, &err) != FEDN_OK)
        _exit(1);
    fedn__loop_call(d.loop, arm, &d);
    for (;;)
        pause();
}

static void run_combiner(int ready, const char *dir)
{
    fedn_error err = {0};
    fedn_config *config = NULL;
    fedn_combiner *combiner = NULL;

    fedn_tune_process();
    if (fedn_config_new(&config, &err) != FEDN_OK ||
        fedn_config_set(config, "combiner.listen", "127.0.0.1:0", &err) != FEDN_OK ||
        fedn_config_set(config, "combiner.reducer", "127.0.0.1:1", &err) != FEDN_OK ||
        fedn_config_set(config, "combiner.liveness_ms", "60s", &err) != FEDN_OK ||
        fedn_config_set(config, "log.level", "error", &err) != FEDN_OK ||
        fedn_config_set(config, "combiner.state_dir", dir, &err) != FEDN_OK ||
        fedn_combiner_new(config, &combiner, &err) != FEDN_OK ||
        fedn_combiner_start(combiner, &err) != FEDN_OK) {
        fprintf(stderr, "bench_idle: %s\n", err.message);
        _exit(1);
    }
    int port = fedn_combiner_port(combiner);
    if (write(ready, &port, sizeof port) != sizeof port)
        _exit(1);
    for (;;)
        pause();
}

typedef struct asking {
    fedn__loop *loop;
    fedn__channel *channel;
    int port;
    int active;
} asking;

static void on_list(int32_t rpc, const char *details, const ProtobufCMessage *response,
                    void *user_data)
{
    (void)rpc;
    (void)details;
    if (response)
        ((asking *)user_data)->active = (int)((const Fedn__ClientList *)response)->n_client;
    fedn__channel_free(((asking *)user_data)->channel);
}

static void ask(void *arg)
{
    asking *a = arg;
    Fedn__ListClientsRequest request = FEDN__LIST_CLIENTS_REQUEST__INIT;
    fedn__unary_options options = {.timeout_ms = 10000};
    char target[64];
    fedn_error err = {0};

    snprintf(target, sizeof target, "127.0.0.1:%d", a->port);
    fedn__channel_options channel = {.target = target};
    request.channel = FEDN__QUEUE__TASK_QUEUE;
    if (fedn__channel_new(a->loop, &channel, &a->channel, &err) == FEDN_OK)
        fedn__channel_unary(a->channel, "/fedn.Connector/ListActiveClients", &request.base,
                            &fedn__client_list__descriptor, &options, on_list, a);
}

static int active_clients(int port)
{
    asking a = {.port = port, .active = -1};
    fedn_error err = {0};

    if (fedn__loop_new("ask", NULL, &a.loop, &err) != FEDN_OK)
        return -1;
    fedn__loop_call(a.loop, ask, &a);
    fedn__loop_free(a.loop); /* returns when the call has ended */
    return a.active;
}

/* A window of time to measure over: nothing is waited for but its end. */
static void pass_time(int64_t ms)
{
    fedn__flag never;

    fedn__flag_init(&never);
    fedn__flag_wait(&never, fedn__clock_ns() + ms * 1000000);
    fedn__flag_done(&never);
}

int main(int argc, char **argv)
{
    int clients = argc > 1 ? atoi(argv[1]) : 5000;
    int heartbeat_ms = argc > 2 ? atoi(argv[2]) : 10000;
    int window_s = argc > 3 ? atoi(argv[3]) : 20;
    char *dir = NULL;
    fedn_error err;
    pid_t pids[DIALLERS + 1];
    int ends[2];
    int port = 0;

    if (clients < DIALLERS || pipe(ends) != 0)
        return 2;
    if (fedn__fs_temp_dir(NULL, "fedn-bench-", &dir, &err) != FEDN_OK)
        return 1;
    pids[0] = fork();
    if (pids[0] == 0)
        run_combiner(ends[1], dir);
    if (read(ends[0], &port, sizeof port) != sizeof port)
        return 1;
    long empty_kib = status_kib(pids[0], "VmRSS:");
    for (int i = 1; i <= DIALLERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            run_dialler(port, clients / DIALLERS, heartbeat_ms);
    }
    while (active_clients(port) < clients / DIALLERS * DIALLERS)
        pass_time(500);
    double cpu = cpu_seconds(pids[0]);
    int64_t start = fedn__clock_ns();
    pass_time((int64_t)window_s * 1000);
    double seconds = (double)(fedn__clock_ns() - start) * 1e-9;
    cpu = cpu_seconds(pids[0]) - cpu;
    long kib = status_kib(pids[0], "VmRSS:");
    int active = active_clients(port);
    printf("idle: %d active clients, a heartbeat each every %.1f s: %.1f KiB of memory each "
           "(%.1f MiB in all, %.1f when empty), %.1f %% of a core\n",
           active, heartbeat_ms / 1000.0, (double)(kib - empty_kib) / (active > 0 ? active : 1),
           (double)kib / 1024, (double)empty_kib / 1024, 100 * cpu / seconds);
    for (int i = 0; i <= DIALLERS; i++)
        kill(pids[i], SIGKILL);
    while (wait(NULL) > 0)
        ;
    fedn_status removed = fedn__fs_remove_tree(dir, &err);
    fedn__free(dir);
    return removed == FEDN_OK && active > 0 ? 0 : 1;
}
