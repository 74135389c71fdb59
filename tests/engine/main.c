/* SPDX-License-Identifier: Apache-2.0
 * simulate: runs schedules from seeds, in several processes, and says what was violated.
 *
 * usage: simulate --seed N [--trace] [--mistake NAME]
 *        simulate --seeds FROM COUNT [--jobs N] [--mistake NAME [--must-fail]] */
#include "schedule.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_JOBS = 64, TOLD_EVERY = 50, FAILURES_KEPT = 10 };

typedef struct order {
    uint64_t from;
    uint64_t count;
    uint32_t jobs;
    int32_t single;
    int32_t tracing;
    int32_t mistake;
    int32_t must_fail;
} order;

/* Of one process; its parent reads it. */
typedef struct tally {
    counts counts;
    uint64_t seed; /* that it is at */
    uint64_t failures;
    uint64_t failed_seeds[FAILURES_KEPT];
    char failed[FAILURES_KEPT][300];
} tally;

static tally *present; /* for the handler of signals */

static void on_abort(int signal_number)
{
    fprintf(stderr, "simulate: seed %llu: signal %d\n",
            present ? (unsigned long long)present->seed : 0ull, signal_number);
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

static void run_one(const order *o, tally *t)
{
    const world_options options = {t->seed, o->tracing, o->mistake};
    char failure[300];

    if (schedule_run(&options, &t->counts, failure, sizeof failure))
        return;
    if (t->failures < FAILURES_KEPT) {
        t->failed_seeds[t->failures] = t->seed;
        memcpy(t->failed[t->failures], failure, sizeof failure);
    }
    t->failures++;
}

static void run_share(const order *o, tally *t, uint32_t job, int tell_fd)
{
    uint64_t done = 0;

    present = t;
    for (uint64_t i = job; i < o->count; i += o->jobs) {
        t->seed = o->from + i;
        run_one(o, t);
        if (o->must_fail && t->failures > 0)
            break;
        if (++done % TOLD_EVERY == 0 && write(tell_fd, ".", 1) != 1)
            break;
    }
}

static void draw_bar(const order *o, uint64_t done)
{
    uint64_t percent = o->count ? done * 100 / o->count : 100;

    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r[%-50.*s] %3llu%% %llu of %llu", (int)(percent / 2),
            "##################################################", (unsigned long long)percent,
            (unsigned long long)done, (unsigned long long)o->count);
}

static void watch(const order *o, int fd)
{
    char bytes[256];
    uint64_t done = 0;
    ssize_t got = 0;

    while ((got = read(fd, bytes, sizeof bytes)) > 0) {
        done += (uint64_t)got * TOLD_EVERY;
        draw_bar(o, done < o->count ? done : o->count);
    }
    draw_bar(o, o->count);
    if (isatty(STDERR_FILENO))
        fputc('\n', stderr);
}

/* 1: every process came to its end. */
static int32_t run_all(const order *o, tally *tallies)
{
    int fds[2];
    int32_t good = 1;
    int status = 0;

    if (pipe(fds) != 0)
        return 0;
    for (uint32_t job = 0; job < o->jobs; job++) {
        pid_t child = fork();
        if (child < 0)
            return 0;
        if (child == 0) {
            run_share(o, &tallies[job], job, fds[1]);
            fflush(stdout);
            _exit(0);
        }
    }
    close(fds[1]);
    watch(o, fds[0]);
    close(fds[0]);
    while (wait(&status) > 0)
        good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return good;
}

static int32_t report(const order *o, const tally *tallies, int32_t good)
{
    counts all = {0};
    uint64_t failures = 0;

    for (uint32_t job = 0; job < o->jobs; job++) {
        counts_add(&all, &tallies[job].counts);
        failures += tallies[job].failures;
    }
    counts_print(&all);
    for (uint32_t job = 0; job < o->jobs; job++)
        for (uint64_t i = 0; i < tallies[job].failures && i < FAILURES_KEPT; i++)
            printf("seed %llu: %s\n", (unsigned long long)tallies[job].failed_seeds[i],
                   tallies[job].failed[i]);
    printf("%llu of %llu schedules violate what must hold\n", (unsigned long long)failures,
           (unsigned long long)all.schedules);
    if (!good)
        printf("a process did not come to its end\n");
    return good && (failures > 0) == o->must_fail;
}

static int32_t find_mistake(const char *name)
{
    static const char *const names[] = {"none",        "early-reply", "merge-twice", "early-ack",
                                        "late-record", "give-up",     "reopen"};

    for (int32_t i = 0; i < (int32_t)(sizeof names / sizeof names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return i;
    fprintf(stderr, "simulate: mistake \"%s\" is none that README.rst lists\n", name);
    exit(2);
}

static void read_options(order *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            o->from = strtoull(argv[++i], NULL, 10);
            o->count = 1;
            o->single = 1;
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 2 < argc) {
            o->from = strtoull(argv[++i], NULL, 10);
            o->count = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc) {
            o->jobs = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--mistake") == 0 && i + 1 < argc) {
            o->mistake = find_mistake(argv[++i]);
        } else if (strcmp(argv[i], "--trace") == 0) {
            o->tracing = 1;
        } else if (strcmp(argv[i], "--must-fail") == 0) {
            o->must_fail = 1;
        } else {
            fprintf(stderr, "simulate: \"%s\" is not understood; see tests/engine/README.rst\n",
                    argv[i]);
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    order o = {.from = 1, .count = 1000, .jobs = 1};

    read_options(&o, argc, argv);
    if (o.jobs < 1 || o.jobs > MOST_JOBS) {
        fprintf(stderr, "simulate: %u jobs are not 1..%d\n", (unsigned)o.jobs, MOST_JOBS);
        return 2;
    }
    tally *tallies = mmap(NULL, o.jobs * sizeof *tallies, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tallies == MAP_FAILED)
        return 2;
    (void)signal(SIGABRT, on_abort);
    (void)signal(SIGSEGV, on_abort);
    int32_t good = 1;
    if (o.single) {
        tallies->seed = o.from;
        present = tallies;
        run_one(&o, tallies);
    } else {
        good = run_all(&o, tallies);
    }
    return report(&o, tallies, good) ? 0 : 1;
}
