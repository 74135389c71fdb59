/* SPDX-License-Identifier: Apache-2.0
 * Running a program for a task, and ending it when the task is no longer wanted. */
#include "runner.h"

#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 256, EXTRA_ENV = 8, LAST_LINE = 320, KILL_AFTER_MS = 5000, PATH_BYTES = 4096 };

extern char **environ;

struct runner_command {
    uint32_t count;
    char *words[WORDS + 1];
    char text[]; /* the words, each with its NUL */
};

/* Copies one word, unquoted; *text moves behind it. 0: a quote is not closed. */
static int32_t copy_word(const char **text, char **to)
{
    const char *from = *text;
    char quote = 0;

    for (; *from && (quote || !strchr(" \t\n", *from)); from++) {
        if (*from == quote)
            quote = 0;
        else if (!quote && (*from == '\'' || *from == '"'))
            quote = *from;
        else if (*from == '\\' && quote != '\'' && from[1])
            *(*to)++ = *++from;
        else
            *(*to)++ = *from;
    }
    *(*to)++ = 0;
    *text = from;
    return quote == 0;
}

fedn_status runner_split(const char *text, runner_command **ret, fedn_error *err)
{
    runner_command *command = calloc(1, sizeof *command + 2 * strlen(text) + 2);
    const char *from = text;

    *ret = NULL;
    if (!command)
        return cli_error(err, FEDN_ERR_NOMEM, "out of memory");
    char *to = command->text;
    for (from += strspn(from, " \t\n"); *from; from += strspn(from, " \t\n")) {
        if (command->count == WORDS - 3) {
            free(command);
            return cli_error(err, FEDN_ERR_LIMIT, "a command of more than %d words", WORDS - 3);
        }
        command->words[command->count++] = to;
        if (!copy_word(&from, &to)) {
            free(command);
            return cli_error(err, FEDN_ERR_INVALID, "a quote is not closed: %s", text);
        }
    }
    if (command->count == 0) {
        free(command);
        return cli_error(err, FEDN_ERR_INVALID, "the command of a task is empty");
    }
    *ret = command;
    return FEDN_OK;
}

fedn_status runner_shell(const char *script, runner_command **ret, fedn_error *err)
{
    const char *const words[] = {"bash", "-c", script, "fednctl"};
    size_t bytes = 0;

    for (int32_t i = 0; i < 4; i++)
        bytes += strlen(words[i]) + 1;
    *ret = calloc(1, sizeof **ret + bytes);
    if (!*ret)
        return cli_error(err, FEDN_ERR_NOMEM, "out of memory");
    char *to = (*ret)->text;
    for (int32_t i = 0; i < 4; i++) {
        size_t length = strlen(words[i]) + 1;
        (*ret)->words[(*ret)->count++] = memcpy(to, words[i], length);
        to += length;
    }
    return FEDN_OK;
}

static int32_t may_run(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

fedn_status runner_find(const runner_command *command, fedn_error *err)
{
    const char *program = command->words[0];
    const char *path = getenv("PATH"); /* NOLINT(concurrency-mt-unsafe) */
    int32_t found = strchr(program, '/') != NULL && may_run(program);

    for (const char *at = path ? path : "/bin:/usr/bin"; at && !found && !strchr(program, '/');) {
        char file[PATH_BYTES];
        int length = (int)strcspn(at, ":");
        int bytes = snprintf(file, sizeof file, "%.*s%s%s", length, at, length ? "/" : "", program);
        found = bytes < (int)sizeof file && may_run(file);
        at = at[length] ? at + length + 1 : NULL;
    }
    return found ? FEDN_OK
                 : cli_error(err, FEDN_ERR_NOT_FOUND, "there is no program %.200s that may be run",
                             program);
}

void runner_free(runner_command *command)
{
    free(command);
}

/* A program that runs. */
typedef struct running {
    pid_t pid;
    const char *name;
    int errors_fd; /* what it writes to its stderr */
    int ended_fd;  /* readable once it has ended */
    int ended_in;  /* the waiting thread's side */
    pthread_t waiter;
    char line[LAST_LINE];
    char last_line[LAST_LINE];
    size_t used;
} running;

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int open_pipe(int ends[2])
{
    if (pipe(ends) != 0)
        return -1;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    return 0;
}

/* Sees the end of the program without taking it away, so that its number stays ours. */
static void *wait_for_end(void *arg)
{
    running *self = arg;
    siginfo_t info;

    while (waitid(P_PID, (id_t)self->pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        continue;
    close_fd(&self->ended_in);
    return NULL;
}

/* A process group of its own with no signal blocked; stdout and stderr end in ours. */
static int spawn(running *self, char **words, char **env, int errors_in)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t usual;

    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGTERM);
    sigaddset(&usual, SIGINT);
    sigaddset(&usual, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors_in, STDERR_FILENO);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    int failed = posix_spawnp(&self->pid, words[0], &actions, &attributes, words, env);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static fedn_status start(running *self, char **words, char **env, fedn_error *err)
{
    int errors[2] = {-1, -1};
    int ended[2] = {-1, -1};
    fedn_status rc = FEDN_OK;

    if (open_pipe(errors) != 0 || open_pipe(ended) != 0) {
        rc = cli_error(err, FEDN_ERR_CALLBACK, "cannot open a pipe: errno %d", errno);
        goto out;
    }
    int failed = spawn(self, words, env, errors[1]);
    if (failed) {
        rc = cli_error(err, FEDN_ERR_CALLBACK, "cannot start %s: %s", words[0],
                       strerror(failed)); /* NOLINT(concurrency-mt-unsafe) */
        goto out;
    }
    self->name = words[0];
    self->errors_fd = errors[0];
    self->ended_fd = ended[0];
    self->ended_in = ended[1];
    errors[0] = ended[0] = ended[1] = -1;
    fcntl(self->errors_fd, F_SETFL, O_NONBLOCK);
    if (pthread_create(&self->waiter, NULL, wait_for_end, self) != 0) {
        kill(-self->pid, SIGKILL);
        waitpid(self->pid, NULL, 0);
        rc = cli_error(err, FEDN_ERR_CALLBACK, "cannot start a thread");
        close_fd(&self->errors_fd);
        close_fd(&self->ended_fd);
        close_fd(&self->ended_in);
    }
out:
    for (int i = 0; i < 2; i++) {
        close_fd(&errors[i]);
        close_fd(&ended[i]);
    }
    return rc;
}

/* Remembers the last line that says something. */
static void remember(running *self, const char *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (data[i] != '\n') {
            if (self->used < LAST_LINE - 1)
                self->line[self->used++] = data[i];
            continue;
        }
        self->line[self->used] = 0;
        if (self->used > 0)
            memcpy(self->last_line, self->line, sizeof self->line);
        self->used = 0;
    }
}

/* Passes on what is there. */
static void drain(running *self)
{
    char data[4096];
    ssize_t bytes = 0;

    while (self->errors_fd >= 0 && (bytes = read(self->errors_fd, data, sizeof data)) > 0) {
        remember(self, data, (size_t)bytes);
        if (write(STDERR_FILENO, data, (size_t)bytes) < 0)
            continue; /* nobody listens: the program goes on all the same */
    }
    if (bytes == 0 && self->errors_fd >= 0)
        close_fd(&self->errors_fd);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until it has ended. 1: it was told to. */
static int32_t attend(running *self, int cancel_fd, int32_t kill_after_ms)
{
    int64_t kill_at = 0;
    int32_t cancelled = 0;

    for (;;) {
        struct pollfd fds[3] = {{self->ended_fd, POLLIN, 0},
                                {self->errors_fd, POLLIN, 0},
                                {cancelled ? -1 : cancel_fd, POLLIN, 0}};
        int64_t left = kill_at - now_ms();
        int timeout = kill_at == 0 ? -1 : left > 0 ? (int)left : 0;
        int ready = poll(fds, 3, timeout);
        if (ready < 0 && errno != EINTR)
            return cancelled;
        if (ready == 0) {
            kill(-self->pid, SIGKILL);
            kill_at = 0;
        }
        if (ready > 0 && fds[1].revents)
            drain(self);
        if (ready > 0 && fds[2].revents) {
            cancelled = 1;
            kill(-self->pid, SIGTERM);
            kill_at = now_ms() + kill_after_ms;
        }
        if (ready > 0 && fds[0].revents)
            return cancelled;
    }
}

static fedn_status judge(const running *self, int status, fedn_error *err)
{
    const char *said = self->last_line;

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return FEDN_OK;
    if (WIFSIGNALED(status))
        return cli_error(err, FEDN_ERR_CALLBACK, "%s was killed by signal %d%s%s", self->name,
                         WTERMSIG(status), *said ? ": " : "", said);
    return cli_error(err, FEDN_ERR_CALLBACK, "%s exited with %d%s%s", self->name,
                     WEXITSTATUS(status), *said ? ": " : "", said);
}

static fedn_status finish(running *self, int32_t cancelled, fedn_error *err)
{
    int status = 0;

    pthread_join(self->waiter, NULL);
    drain(self);
    remember(self, "\n", 1);
    if (cancelled)
        kill(-self->pid, SIGKILL); /* what it left behind in its group */
    while (waitpid(self->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    close_fd(&self->errors_fd);
    close_fd(&self->ended_fd);
    if (cancelled)
        return cli_error(err, FEDN_ERR_CANCELLED, "%s was ended: the task is no longer wanted",
                         self->name);
    return judge(self, status, err);
}

fedn_status runner_run(const runner_command *command, const runner_call *call, fedn_error *err)
{
    running self = {.errors_fd = -1, .ended_fd = -1, .ended_in = -1};
    char *words[WORDS + 1] = {NULL};
    int32_t patience = call->kill_after_ms > 0 ? call->kill_after_ms : KILL_AFTER_MS;
    size_t inherited = 0;
    size_t added = 0;

    memcpy(words, command->words, command->count * sizeof *words);
    for (size_t i = 0; call->args[i] && command->count + i < WORDS; i++)
        words[command->count + i] = (char *)(uintptr_t)call->args[i];
    while (environ[inherited])
        inherited++;
    while (call->env[added])
        added++;
    char **env = calloc(inherited + added + 1, sizeof *env);
    if (!env)
        return cli_error(err, FEDN_ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < added; i++)
        env[i] = (char *)(uintptr_t)call->env[i];
    memcpy(env + added, environ, inherited * sizeof *env);
    fedn_status rc = start(&self, words, env, err);
    free(env);
    if (rc == FEDN_OK)
        rc = finish(&self, attend(&self, call->cancel_fd, patience), err);
    return rc;
}
