/* SPDX-License-Identifier: Apache-2.0
 * Null rounds: one reducer, two combiners, many clients whose callbacks return at once. Prints from
 * round start to committed model, as the reducer's own events say.
 *
 * usage: bench_round [rounds=200] [clients=100] [combiners=2] [clients in a process=1] [MB=0]
 *
 * With MB above 0 the model has that size, and the combiners' peak memory is printed as well. */
#include <fedn/fedn.h>

#include "core/alloc.h"
#include "core/fs.h"
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_COMBINERS = 16, MOST_PROCESSES = 1024 };

/* the numbers on the command line */
enum { ROUNDS, CLIENTS, COMBINERS, TOGETHER, MEGABYTES, NUMBERS };

static pid_t children[MOST_PROCESSES];
static int child_count;

static void die(const char *what, const fedn_error *err)
{
    fprintf(stderr, "bench_round: %s: %s\n", what, err->message);
    for (int i = 0; i < child_count; i++)
        kill(children[i], SIGKILL);
    exit(1);
}

static void must(fedn_status rc, const char *what, const fedn_error *err)
{
    if (rc != FEDN_OK)
        die(what, err);
}

static void set(fedn_config *config, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void set(fedn_config *config, const char *name, const char *format, ...)
{
    char value[512];
    fedn_error err = {0};
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    must(fedn_config_set(config, name, value, &err), name, &err);
}

/* Runs `serve` in a process of its own; returns the numbers that it wrote to its pipe when ready.
 */
static void spawn(void (*serve)(int ready, void *arg), void *arg, int32_t *numbers, size_t count)
{
    int ends[2];
    fedn_error err = {.message = "cannot start a process"};

    if (pipe(ends) != 0)
        die("pipe", &err);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        fedn_tune_process();
        serve(ends[1], arg);
        _exit(0);
    }
    close(ends[1]);
    children[child_count++] = pid;
    if (read(ends[0], numbers, count * sizeof *numbers) != (ssize_t)(count * sizeof *numbers))
        die("a process did not get ready", &err);
    close(ends[0]);
}

/* User and system time of a child so far. */
static double cpu_seconds(pid_t pid)
{
    char path[64];
    char text[1024] = "";
    unsigned long user = 0;
    unsigned long kernel = 0;

    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "r");
    if (file && fgets(text, sizeof text, file)) {
        const char *rest = strrchr(text, ')');
        if (rest)
            sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                   &kernel);
    }
    if (file)
        fclose(file);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

/* Until the parent kills us. */
static void stay(int ready, const int32_t *numbers, size_t count)
{
    if (write(ready, numbers, count * sizeof *numbers) < 0)
        _exit(1);
    close(ready);
    for (;;)
        pause();
}

static void serve_reducer(int ready, void *arg)
{
    fedn_error err = {0};
    fedn_config *config = arg;
    fedn_reducer *reducer = NULL;

    must(fedn_reducer_new(config, &reducer, &err), "reducer", &err);
    must(fedn_reducer_start(reducer, &err), "reducer", &err);
    int32_t ports[2] = {fedn_reducer_port(reducer), fedn_reducer_http_port(reducer)};
    stay(ready, ports, 2);
}

static void serve_combiner(int ready, void *arg)
{
    fedn_error err = {0};
    fedn_config *config = arg;
    fedn_combiner *combiner = NULL;

    must(fedn_combiner_new(config, &combiner, &err), "combiner", &err);
    must(fedn_combiner_start(combiner, &err), "combiner", &err);
    int32_t port = fedn_combiner_port(combiner);
    stay(ready, &port, 1);
}

/* All clients of all processes, so that large updates are sent at the same time. */
static pthread_barrier_t *together;

static void make_barrier(int clients)
{
    fedn_error err = {.message = "no shared memory"};
    pthread_barrierattr_t shared;

    together =
        mmap(NULL, sizeof *together, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (together == MAP_FAILED)
        die("mmap", &err);
    pthread_barrierattr_init(&shared);
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(together, &shared, (unsigned)clients);
}

static fedn_status train(fedn_task *task, fedn_error *err, void *user_data)
{
    fedn_model *model = NULL;

    fedn_status rc = fedn_task_set_num_examples(task, 10, err);
    if (rc == FEDN_OK && *(const int *)user_data > 0) { /* large: no copy in memory */
        pthread_barrier_wait(together);
        return fedn_task_set_model_file(task, fedn_task_model_path(task), err);
    }
    if (rc == FEDN_OK)
        rc = fedn_task_model(task, &model, err);
    return rc == FEDN_OK ? fedn_task_set_model(task, model, err) : rc;
}

typedef struct fleet {
    fedn_config *config;
    const char *dir;
    int clients;
    int megabytes;
} fleet;

static void serve_clients(int ready, void *arg)
{
    fleet *f = arg;
    fedn_error err = {0};
    int32_t started = 0;

    for (; started < f->clients; started++) {
        fedn_client *client = NULL;
        set(f->config, "client.state_dir", "%s/client-%d-%d", f->dir, (int)getpid(), (int)started);
        set(f->config, "client.keep_after_ms", "1000"); /* sooner trained again than written down */
        must(fedn_client_new(f->config, &client, &err), "client", &err);
        fedn_client_set_train(client, train, &f->megabytes);
        must(fedn_client_start(client, &err), "client", &err);
    }
    stay(ready, &started, 1);
}

typedef struct result {
    double *seconds;
    int count;
    int wanted;
} result;

static fedn_status on_event(const char *text, void *user_data)
{
    result *r = user_data;
    json_t *event = json_loads(text, 0, NULL);
    const char *type = json_string_value(json_object_get(event, "type"));
    const char *status = json_string_value(json_object_get(event, "status"));

    if (type && status && strcmp(type, "round") == 0) {
        if (strcmp(status, "Finished") == 0)
            r->seconds[r->count++] = json_number_value(json_object_get(event, "seconds"));
        if (strcmp(status, "Failed") == 0)
            fprintf(stderr, "a round failed: %s\n", text);
    }
    int ended = type && status && strcmp(type, "session") == 0 &&
                (strcmp(status, "Finished") == 0 || strcmp(status, "Failed") == 0);
    json_decref(event);
    return ended || r->count == r->wanted ? FEDN_ERR_CANCELLED : FEDN_OK;
}

static fedn_status on_active(const char *text, void *user_data)
{
    int wanted = *(int *)user_data;
    static int active[MOST_COMBINERS];
    static char names[MOST_COMBINERS][64];
    json_t *event = json_loads(text, 0, NULL);
    const char *type = json_string_value(json_object_get(event, "type"));
    int sum = 0;

    if (type && strcmp(type, "combiner") == 0) {
        const char *name = json_string_value(json_object_get(event, "name"));
        int i = 0;
        while (names[i][0] && strcmp(names[i], name) != 0)
            i++;
        snprintf(names[i], sizeof names[i], "%s", name);
        active[i] = (int)json_integer_value(json_object_get(event, "active_clients"));
    }
    for (int i = 0; i < MOST_COMBINERS; i++)
        sum += active[i];
    json_decref(event);
    return sum >= wanted ? FEDN_ERR_CANCELLED : FEDN_OK;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void write_seed(const char *path, int megabytes)
{
    fedn_error err = {0};
    fedn_model *model = NULL;
    const uint64_t shape[1] = {megabytes > 0 ? (uint64_t)megabytes * 250000 : 100};

    must(fedn_model_new(&model, &err), "seed", &err);
    must(fedn_model_add(model, NULL, FEDN_DTYPE_F32, 1, shape, NULL, NULL, &err), "seed", &err);
    must(fedn_model_save(model, path, "npz", &err), "seed", &err);
    fedn_model_unref(model);
}

static void run_session(fedn_control *control, int rounds)
{
    fedn_error err = {0};
    char body[512];
    char *answer = NULL;

    must(
        fedn_control_request(control, "POST", "sessions/",
                             "{\"session_config\": {\"aggregator\": \"fedavg\", \"round_timeout\": "
                             "600, \"buffer_size\": -1, \"delete_models_storage\": true, "
                             "\"clients_required\": 1, \"validate\": false, \"helper_type\": "
                             "\"numpyhelper\", \"model_id\": null}}",
                             &answer, &err),
        "session", &err);
    json_t *session = json_loads(answer, 0, NULL);
    snprintf(body, sizeof body, "{\"session_id\": \"%s\", \"rounds\": %d}",
             json_string_value(json_object_get(session, "session_id")), rounds);
    json_decref(session);
    fedn_free(answer);
    must(fedn_control_request(control, "POST", "sessions/start", body, &answer, &err),
         "session start", &err);
    fedn_free(answer);
}

static void start_all(const char *dir, const int *wanted, int32_t *http_port)
{
    fedn_error err = {0};
    fedn_config *config = NULL;
    int32_t ports[2] = {0, 0};
    int32_t port = 0;
    int clients = wanted[CLIENTS];

    must(fedn_config_new(&config, &err), "config", &err);
    set(config, "log.level", "warning");
    set(config, "reducer.listen", "127.0.0.1:0");
    set(config, "reducer.http_listen", "127.0.0.1:0");
    set(config, "reducer.state_dir", "%s/reducer", dir);
    spawn(serve_reducer, config, ports, 2);
    *http_port = ports[1];
    set(config, "combiner.reducer", "127.0.0.1:%d", (int)ports[0]);
    set(config, "combiner.listen", "127.0.0.1:0");
    set(config, "client.api_url", "http://127.0.0.1:%d", (int)ports[1]);
    for (int i = 0; i < wanted[COMBINERS]; i++) {
        set(config, "combiner.name", "combiner-%d", i);
        set(config, "combiner.state_dir", "%s/combiner-%d", dir, i);
        spawn(serve_combiner, config, &port, 1);
    }
    set(config, "control.url", "http://127.0.0.1:%d", (int)ports[1]);
    fedn_control *control = NULL;
    must(fedn_control_new(config, &control, &err), "control", &err);
    for (int left = clients; left > 0; left -= wanted[TOGETHER]) {
        fleet f = {.config = config,
                   .dir = dir,
                   .clients = left < wanted[TOGETHER] ? left : wanted[TOGETHER],
                   .megabytes = wanted[MEGABYTES]};
        int32_t started = 0;
        spawn(serve_clients, &f, &started, 1);
    }
    fedn_status rc = fedn_control_watch(control, NULL, 0, on_active, &clients, &err);
    if (rc != FEDN_ERR_CANCELLED)
        die("waiting for the clients", &err);
    fedn_control_free(control);
    fedn_config_free(config);
}

/* CPU time of the reducer, the combiners and the clients. */
static void add_cpu(const int *wanted, double sums[3])
{
    for (int i = 0; i < child_count; i++)
        sums[i == 0 ? 0 : i <= wanted[COMBINERS] ? 1 : 2] += cpu_seconds(children[i]);
}

static void print_memory(const int *wanted)
{
    for (int i = 1; i <= wanted[COMBINERS]; i++) {
        char path[64];
        char line[256];
        snprintf(path, sizeof path, "/proc/%ld/status", (long)children[i]);
        FILE *file = fopen(path, "r");
        while (file && fgets(line, sizeof line, file))
            if (strncmp(line, "VmHWM:", 6) == 0)
                printf("  peak memory of combiner %d: %.0f MiB, %.2f times the model\n", i,
                       strtod(line + 6, NULL) / 1024,
                       strtod(line + 6, NULL) * 1024 / (wanted[MEGABYTES] * 1e6));
        if (file)
            fclose(file);
    }
}

static void print_results(const int *wanted, result *r, const double before[3])
{
    double after[3] = {0, 0, 0};

    add_cpu(wanted, after);
    qsort(r->seconds, (size_t)r->count, sizeof(double), compare);
    printf("null round, %d combiners, %d clients (%d in a process), %d rounds: p50 %.2f ms, "
           "p99 %.2f ms, min %.2f, max %.2f\n",
           wanted[COMBINERS], wanted[CLIENTS], wanted[TOGETHER], r->count,
           r->seconds[r->count / 2] * 1e3, r->seconds[(r->count - 1) * 99 / 100] * 1e3,
           r->seconds[0] * 1e3, r->seconds[r->count - 1] * 1e3);
    printf("  CPU a round: reducer %.2f ms, combiners %.2f ms, clients %.2f ms\n",
           (after[0] - before[0]) * 1e3 / r->count, (after[1] - before[1]) * 1e3 / r->count,
           (after[2] - before[2]) * 1e3 / r->count);
    if (wanted[MEGABYTES] > 0)
        print_memory(wanted);
}

int main(int argc, char **argv)
{
    int wanted[NUMBERS] = {200, 100, 2, 1, 0};
    char *dir = NULL;
    char *path = NULL;
    fedn_error err = {0};
    int32_t http_port = 0;
    char *model_id = NULL;
    fedn_control *control = NULL;
    fedn_config *config = NULL;

    for (int i = 0; i < NUMBERS && i + 1 < argc; i++)
        wanted[i] = atoi(argv[i + 1]);
    if (wanted[ROUNDS] < 1 || wanted[CLIENTS] < 1 || wanted[COMBINERS] < 1 ||
        wanted[COMBINERS] > MOST_COMBINERS || wanted[TOGETHER] < 1 ||
        wanted[CLIENTS] / wanted[TOGETHER] > MOST_PROCESSES - MOST_COMBINERS - 2)
        return 2;
    must(fedn__fs_temp_dir(NULL, "fedn-bench-", &dir, &err), "scratch", &err);
    path = fedn__fs_join(dir, "seed.npz");
    setenv("TMPDIR", dir, 1); /* for what the clients leave when they are killed */
    write_seed(path, wanted[MEGABYTES]);
    make_barrier(wanted[CLIENTS]);
    start_all(dir, wanted, &http_port);
    must(fedn_config_new(&config, &err), "config", &err);
    set(config, "control.url", "http://127.0.0.1:%d", (int)http_port);
    must(fedn_control_new(config, &control, &err), "control", &err);
    must(fedn_control_model_push(control, path, NULL, "seed", NULL, NULL, &model_id, &err), "push",
         &err);
    fedn_free(model_id);
    double cpu[3] = {0, 0, 0};
    add_cpu(wanted, cpu);
    run_session(control, wanted[ROUNDS]);
    result r = {.seconds = calloc((size_t)wanted[ROUNDS], sizeof(double)),
                .wanted = wanted[ROUNDS]};
    fedn_control_watch(control, NULL, 0, on_event, &r, &err);
    if (r.count > 0)
        print_results(wanted, &r, cpu);
    for (int i = 0; i < child_count; i++)
        kill(children[i], SIGKILL);
    while (wait(NULL) > 0)
        ;
    fedn_control_free(control);
    fedn_config_free(config);
    free(r.seconds);
    must(fedn__fs_remove_tree(dir, &err), "clean-up", &err);
    fedn__free(path);
    fedn__free(dir);
    return r.count > 0 ? 0 : 1;
}
