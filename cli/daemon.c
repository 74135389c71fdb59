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

static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
}

void daemon_block_signals(void)
{
    sigset_t set;

    stop_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int wait_for_signal(void)
{
    sigset_t set;
    int number = 0;

    stop_signals(&set);
    while (sigwait(&set, &number) != 0)
        continue;
    return number;
}

/* The impatient second signal. */
static void *exit_on_signal(void *unused)
{
    (void)unused;
    _exit(128 + wait_for_signal());
}

static fedn_status start_thread(void *(*fn)(void *), void *arg, fedn_error *err)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, fn, arg) != 0)
        return cli_error(err, FEDN_ERR_INTERNAL, "cannot start a thread");
    pthread_detach(thread);
    return FEDN_OK;
}

fedn_status daemon_wait(fedn_error *err)
{
    fprintf(stderr, "stopping on signal %d\n", wait_for_signal());
    return start_thread(exit_on_signal, NULL, err);
}

typedef struct stopper {
    void (*stop)(void *handle);
    void *handle;
} stopper;

static void *stop_then_exit(void *arg)
{
    stopper self = *(stopper *)arg;

    free(arg);
    fprintf(stderr, "stopping on signal %d\n", wait_for_signal());
    self.stop(self.handle);
    return exit_on_signal(NULL);
}

fedn_status daemon_stop_on_signal(void (*stop)(void *handle), void *handle, fedn_error *err)
{
    stopper *self = malloc(sizeof *self);

    if (!self)
        return cli_error(err, FEDN_ERR_NOMEM, "out of memory");
    *self = (stopper){stop, handle};
    fedn_status rc = start_thread(stop_then_exit, self, err);
    if (rc != FEDN_OK)
        free(self);
    return rc;
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
    if (write((int)fd, line, strlen(line)) < 0 || write((int)fd, "\n", 1) < 0)
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
