/* SPDX-License-Identifier: Apache-2.0
 * What a role needs to run as a process: signals, saying that it is ready, log lines. */
#include "daemon.h"

#include "out.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const cli_option daemon_options[] = {
    {"port-file", "FILE", "write address and real ports as JSON once it listens"},
    {"ready-fd", "N", "write a line to this descriptor once it listens"},
    {NULL, NULL, NULL},
};

/* What the next signal does. Starting and ending: it ends the process, and nothing is lost by that,
 * see kill -9. Running: it is told, and the one after it ends the process. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int32_t runs;
    int32_t told;
    void (*stop)(void *handle); /* NULL: somebody waits */
    void *handle;
} self = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static const struct {
    int number;
    const char *name;
} stop_signals[] = {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGHUP, "SIGHUP"}};

enum { STOP_SIGNALS = sizeof stop_signals / sizeof stop_signals[0] };

/* nohup ignores SIGHUP for what it starts, and so it stays. A shell ignores SIGINT for what runs in
 * the background, where it is still meant when it comes. */
static int32_t is_wanted(int number)
{
    struct sigaction action;

    return number != SIGHUP || sigaction(number, NULL, &action) != 0 ||
           action.sa_handler != SIG_IGN;
}

static const char *signal_name(int number)
{
    for (int32_t i = 0; i < STOP_SIGNALS; i++)
        if (stop_signals[i].number == number)
            return stop_signals[i].name;
    return "a signal";
}

static int wait_for_signal(const sigset_t *set)
{
    int number = 0;

    while (sigwait(set, &number) != 0)
        continue;
    return number;
}

static void end_at_once(int number)
{
    fprintf(stderr, "ended at once by %s\n", signal_name(number));
    _exit(128 + number);
}

static void *attend_signals(void *arg)
{
    const sigset_t *set = arg;
    int number = wait_for_signal(set);

    pthread_mutex_lock(&self.mutex);
    if (!self.runs)
        end_at_once(number);
    fprintf(stderr, "stopping on %s; a second one ends it at once\n", signal_name(number));
    self.told = 1;
    if (self.stop)
        self.stop(self.handle);
    pthread_cond_signal(&self.cond);
    pthread_mutex_unlock(&self.mutex);
    end_at_once(wait_for_signal(set));
    return NULL;
}

fedn_status daemon_begin(fedn_error *err)
{
    static sigset_t set; /* the thread has it for good */
    pthread_t thread;

    sigemptyset(&set);
    for (int32_t i = 0; i < STOP_SIGNALS; i++)
        if (is_wanted(stop_signals[i].number))
            sigaddset(&set, stop_signals[i].number);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (pthread_create(&thread, NULL, attend_signals, &set) != 0)
        return cli_error(err, FEDN_ERR_INTERNAL, "cannot start a thread");
    pthread_detach(thread);
    return FEDN_OK;
}

void daemon_wait(void)
{
    pthread_mutex_lock(&self.mutex);
    self.runs = 1;
    while (!self.told)
        pthread_cond_wait(&self.cond, &self.mutex);
    pthread_mutex_unlock(&self.mutex);
}

void daemon_stop_on_signal(void (*stop)(void *handle), void *handle)
{
    pthread_mutex_lock(&self.mutex);
    self.runs = 1;
    self.stop = stop;
    self.handle = handle;
    pthread_mutex_unlock(&self.mutex);
}

void daemon_end(void)
{
    pthread_mutex_lock(&self.mutex);
    self.runs = 0;
    self.stop = NULL;
    pthread_mutex_unlock(&self.mutex);
}

/* Whole or not at all: a script may read it the moment it appears. */
static fedn_status write_ports(const char *path, const json_t *ports, fedn_error *err)
{
    char part[1024];

    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part)
        return cli_error(err, FEDN_ERR_INVALID, "--port-file \"%.64s...\" is too long", path);
    FILE *file = fopen(part, "w");
    int failed = !file || json_dumpf(ports, file, JSON_SORT_KEYS) != 0 || fputc('\n', file) == EOF;
    if (file && fclose(file) != 0)
        failed = 1;
    if (failed || rename(part, path) != 0)
        return cli_error(err, FEDN_ERR_IO, "cannot write --port-file %s: %s", path,
                         strerror(errno)); /* NOLINT(concurrency-mt-unsafe) */
    return FEDN_OK;
}

static fedn_status tell_descriptor(const cli_line *cli, const char *line, fedn_error *err)
{
    uint32_t fd = 0;

    fedn_status rc = cli_number(cli, "ready-fd", 1048576, 0, &fd, err);
    if (rc != FEDN_OK)
        return rc;
    /* at once: who has read a part of it may have gone */
    if (dprintf((int)fd, "%s\n", line) < 0)
        return cli_error(err, FEDN_ERR_IO, "cannot write to --ready-fd %u: %s", (unsigned)fd,
                         strerror(errno)); /* NOLINT(concurrency-mt-unsafe) */
    if (fd > STDERR_FILENO)
        close((int)fd);
    return FEDN_OK;
}

fedn_status daemon_ready(const cli_line *cli, const char *line, json_t *ports, fedn_error *err)
{
    const char *path = cli_value(cli, "port-file");
    fedn_status rc = FEDN_OK;

    json_object_set_new(ports, "pid", json_integer(getpid()));
    fprintf(stderr, "%s\n", line);
    if (path)
        rc = write_ports(path, ports, err);
    if (rc == FEDN_OK && cli_value(cli, "ready-fd"))
        rc = tell_descriptor(cli, line, err);
    if (cli->json) {
        out_json(ports);
        fflush(stdout);
    }
    json_decref(ports);
    return rc;
}

void daemon_host(const char *listen, char *host, size_t bytes)
{
    const char *colon = strrchr(listen, ':');
    int length = colon ? (int)(colon - listen) : (int)strlen(listen);

    snprintf(host, bytes, "%.*s", length, listen);
    if (!*host || strcmp(host, "0.0.0.0") == 0)
        snprintf(host, bytes, "127.0.0.1");
    else if (strcmp(host, "[::]") == 0)
        snprintf(host, bytes, "[::1]");
}

void daemon_log(int32_t level, const char *component, const char *message, void *user_data)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char clock[24];
    struct timespec now;
    struct tm parts;

    (void)user_data;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(clock, sizeof clock, "%Y-%m-%dT%H:%M:%S", &parts);
    /* one call, so that lines of several threads stay whole */
    fprintf(stderr, "%s.%03dZ %s %s: %s\n", clock, (int)(now.tv_nsec / 1000000),
            level >= 0 && level <= FEDN_LOG_DEBUG ? names[level] : "log", component, message);
}
