/* SPDX-License-Identifier: Apache-2.0
 * Programs run for tasks: real ones, by /bin/sh. */
#include "test.h"

#include "core/fs.h"
#include "runner.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static fedn_status run(const char *text, const char *arg, int cancel_fd, fedn_error *err)
{
    const char *args[] = {arg, NULL};
    const char *env[] = {"FEDN_TASK_ROUND_ID=12", NULL};
    runner_call call = {args, env, cancel_fd, 100};
    runner_command *command = NULL;

    fedn_status rc = runner_split(text, &command, err);
    if (rc == FEDN_OK)
        rc = runner_run(command, &call, err);
    runner_free(command);
    return rc;
}

static int set_up(void **state)
{
    *state = test_scratch();
    return 0;
}

static int tear_down(void **state)
{
    test_scratch_done(*state);
    return 0;
}

static void words_are_split_as_a_shell_would(void **state)
{
    static const char *const texts[] = {
        "sh -c 'printf %s:%s:%s \"$0\" \"$FEDN_TASK_ROUND_ID\" \"$2\" >\"$1\"'",
        "  sh\t-c  'printf '%s:%s:%s' \"$0\" $FEDN_TASK_ROUND_ID \"$2\" >\"$1\"' ",
        "sh -c \"printf %s:%s:%s \\\"\\$0\\\" \\$FEDN_TASK_ROUND_ID \\\"\\$2\\\" >\\\"\\$1\\\"\"",
    };
    char *path = fedn__fs_join(*state, "a file with blanks");

    for (uint32_t i = 0; i < 3; i++) {
        char text[512];
        fedn_error err;
        snprintf(text, sizeof text, "%s 'zero th' '%s'", texts[i], path);
        assert_ok(run(text, "an argument", -1, &err), &err);
        char *data = test_read_file(path, NULL);
        assert_string_equal(data, "zero th:12:an argument");
        free(data);
    }
    fedn__free(path);
}

static void an_unusable_command_is_refused(void **state)
{
    fedn_error err;

    (void)state;
    assert_fails(run("", "", -1, &err), FEDN_ERR_INVALID, &err, "empty");
    assert_fails(run("  \t", "", -1, &err), FEDN_ERR_INVALID, &err, "empty");
    assert_fails(run("sh -c 'exit", "", -1, &err), FEDN_ERR_INVALID, &err, "quote exit");
    assert_fails(run("/nowhere/train --fast", "", -1, &err), FEDN_ERR_CALLBACK, &err,
                 "cannot_start_/nowhere/train No_such_file");
}

static void a_failure_is_told_with_its_last_line(void **state)
{
    static const struct {
        const char *script, *words;
    } cases[] = {
        {"exit 3", "sh_exited_with_3"},
        {"echo first >&2; echo 'out of examples' >&2; exit 1", "sh_exited_with_1:_out_of_examples"},
        {"echo whole >&2; printf 'no line feed' >&2; exit 1", "1:_no_line_feed"},
        {"echo said >&2; echo >&2; exit 2", "2:_said"},
        {"kill -9 $$", "killed_by_signal_9"},
        {"i=0; while [ $i -lt 3000 ]; do echo 'a line to fill the pipe with' >&2; i=$((i+1)); "
         "done; "
         "echo the end >&2; exit 7",
         "7:_the_end"},
    };
    char text[512];
    fedn_error err;

    (void)state;
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, "sh -c \"%s\"", cases[i].script);
        assert_fails(run(text, "", -1, &err), FEDN_ERR_CALLBACK, &err, cases[i].words);
    }
}

static void what_a_program_leaves_running_is_not_waited_for(void **state)
{
    char *path = fedn__fs_join(*state, "fifo");
    char text[512];
    fedn_error err;

    /* the one left behind keeps stderr open until it can open the pipe, which nobody lets it */
    snprintf(text, sizeof text, "sh -c '{ : <%s; } & exit 0'", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_ok(run(text, "", -1, &err), &err);
    close(open(path, O_WRONLY)); /* lets it go, when it has come so far */
    fedn__free(path);
}

/* Cancels once the program has opened the pipe. */
typedef struct canceller {
    const char *fifo;
    int cancel[2];
} canceller;

static void *cancel_when_started(void *arg)
{
    canceller *self = arg;
    char byte = 0;
    int fd = open(self->fifo, O_RDONLY);

    while (read(fd, &byte, 1) == 1)
        continue;
    close(fd);
    close(self->cancel[1]);
    return NULL;
}

static void cancel_script(const char *dir, const char *before, const char *after)
{
    canceller self = {.fifo = fedn__fs_join(dir, "started")};
    pthread_t thread;
    char text[512];
    fedn_error err;

    assert_int_equal(mkfifo(self.fifo, 0600), 0);
    assert_int_equal(pipe(self.cancel), 0);
    fcntl(self.cancel[0], F_SETFD, FD_CLOEXEC);
    fcntl(self.cancel[1], F_SETFD, FD_CLOEXEC);
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_started, &self), 0);
    snprintf(text, sizeof text, "sh -c '%secho x >%s; %s'", before, self.fifo, after);
    assert_fails(run(text, "", self.cancel[0], &err), FEDN_ERR_CANCELLED, &err, "no_longer_wanted");
    pthread_join(thread, NULL);
    close(self.cancel[0]);
    unlink(self.fifo);
    fedn__free((char *)(uintptr_t)self.fifo);
}

static void a_cancelled_program_is_ended(void **state)
{
    cancel_script(*state, "", "exec tail -f /dev/null");
}

static void a_program_that_ignores_it_is_killed(void **state)
{
    cancel_script(*state, "trap : TERM; ", "while :; do tail -f /dev/null; done");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(words_are_split_as_a_shell_would),
        TEST(an_unusable_command_is_refused),
        TEST(a_failure_is_told_with_its_last_line),
        TEST(what_a_program_leaves_running_is_not_waited_for),
        TEST(a_cancelled_program_is_ended),
        TEST(a_program_that_ignores_it_is_killed),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
