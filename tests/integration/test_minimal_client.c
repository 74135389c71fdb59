/* SPDX-License-Identifier: Apache-2.0
 * The example client as a process of its own: takes part in a round, says why it is refused. */
#include "client_rig.h"

#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

static char *program;

/* What it leaves behind when it is killed goes with the rig's directory. */
static pid_t start_program(const rig *r)
{
    const char *before = getenv("TMPDIR");
    char *kept = before ? strdup(before) : NULL;
    char *url = strdup(fake_reducer_url(r->reducer));
    char *args[] = {program, url, NULL};
    pid_t pid = 0;

    assert_int_equal(setenv("TMPDIR", r->dir, 1), 0);
    assert_int_equal(posix_spawn(&pid, program, NULL, NULL, args, environ), 0);
    (void)(kept ? setenv("TMPDIR", kept, 1) : unsetenv("TMPDIR"));
    free(kept);
    free(url);
    return pid;
}

static void example_takes_part_in_a_round(void **state)
{
    int status = 0;
    rig r;

    (void)state;
    rig_init(&r);
    rig_put_model(&r, MODEL_A, 3);
    pid_t pid = start_program(&r);
    fake_combiner_task(r.combiner, TRAIN, "c1", MODEL_A, ROUND_1);
    const json_t *update = fake_combiner_wait(r.combiner, "SendModelUpdate", 0);
    assert_string_equal(rig_text(update, "model_id"), MODEL_A);
    json_t *meta = rig_json(update, "meta");
    assert_int_equal(rig_number(meta, "training_metadata.num_examples"), 100);
    json_decref(meta);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    rig_done(&r);
}

static void example_ends_when_it_is_refused(void **state)
{
    int status = 0;
    rig r;

    (void)state;
    rig_init(&r);
    fake_reducer_answer(r.reducer, 401, "{\"message\":\"who are you\"}");
    pid_t pid = start_program(&r);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    rig_done(&r);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_takes_part_in_a_round),
        cmocka_unit_test(example_ends_when_it_is_refused),
    };

    if (argc != 2)
        return 2;
    program = argv[1];
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
