/* SPDX-License-Identifier: Apache-2.0
 * Log lines: levels, one line each, the default sink. */
#include "test.h"

#include "core/log.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct heard {
    uint32_t lines;
    int32_t level;
    char component[32];
    char message[2048];
} heard;

static void hear(int32_t level, const char *component, const char *message, void *user_data)
{
    heard *h = user_data;
    h->lines++;
    h->level = level;
    snprintf(h->component, sizeof h->component, "%s", component);
    snprintf(h->message, sizeof h->message, "%s", message);
}

static void lines_up_to_the_level_reach_the_sink(void **state)
{
    (void)state;
    heard h = {0};
    fedn__log log = {.fn = hear, .user_data = &h, .level = FEDN_LOG_INFO};

    fedn__log_write(&log, FEDN_LOG_DEBUG, "rpc", "dropped");
    assert_int_equal(h.lines, 0);
    fedn__log_write(&log, FEDN_LOG_INFO, "rpc", "client %s", "c1");
    assert_int_equal(h.lines, 1);
    assert_int_equal(h.level, FEDN_LOG_INFO);
    assert_string_equal(h.component, "rpc");
    assert_string_equal(h.message, "client c1");
    fedn__log_write(&log, FEDN_LOG_ERROR, "rpc", "e");
    assert_int_equal(h.lines, 2);
}

static void a_peers_text_cannot_forge_a_second_line(void **state)
{
    (void)state;
    heard h = {0};
    fedn__log log = {.fn = hear, .user_data = &h, .level = FEDN_LOG_INFO};
    char text[3000];

    fedn__log_write(&log, FEDN_LOG_INFO, "rpc", "%s", "name\n2026 error forged\x1b[2J\xff");
    assert_string_equal(h.message, "name 2026 error forged [2J?");
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    fedn__log_write(&log, FEDN_LOG_INFO, "rpc", "%s", text);
    assert_int_equal(strlen(h.message), 1023);
}

static void names_of_levels_are_known(void **state)
{
    (void)state;
    assert_int_equal(fedn__log_level("error"), FEDN_LOG_ERROR);
    assert_int_equal(fedn__log_level("warning"), FEDN_LOG_WARNING);
    assert_int_equal(fedn__log_level("info"), FEDN_LOG_INFO);
    assert_int_equal(fedn__log_level("debug"), FEDN_LOG_DEBUG);
    assert_int_equal(fedn__log_level("Info"), -1);
    assert_int_equal(fedn__log_level(""), -1);
    assert_int_equal(fedn__log_level(NULL), -1);
}

static void without_a_sink_warnings_go_to_stderr_and_nothing_to_stdout(void **state)
{
    (void)state;
    char *dir = test_scratch();
    char *path = fedn__strf("%s/err", dir);

    fflush(stderr);
    fflush(stdout);
    int saved[2] = {dup(1), dup(2)};
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    dup2(fd, 2);
    dup2(open("/dev/null", O_RDONLY), 1); /* a write to stdout would fail */
    fedn__log_write(NULL, FEDN_LOG_INFO, "rpc", "hidden");
    fedn__log_write(&(fedn__log){.level = FEDN_LOG_DEBUG}, FEDN_LOG_INFO, "rpc", "hidden");
    fedn__log_write(&(fedn__log){.level = FEDN_LOG_ERROR}, FEDN_LOG_WARNING, "rpc", "hidden");
    fedn__log_write(NULL, FEDN_LOG_WARNING, "rpc", "shown");
    int32_t stdout_failed = fflush(stdout) != 0;
    fflush(stderr);
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    char *text = test_read_file(path, NULL);
    assert_false(stdout_failed);
    assert_null(strstr(text, "hidden"));
    assert_non_null(strstr(text, " warning rpc: shown\n"));
    free(text);
    fedn__free(path);
    test_scratch_done(dir);
    close(fd);
    close(saved[0]);
    close(saved[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_up_to_the_level_reach_the_sink),
        cmocka_unit_test(a_peers_text_cannot_forge_a_second_line),
        cmocka_unit_test(names_of_levels_are_known),
        cmocka_unit_test(without_a_sink_warnings_go_to_stderr_and_nothing_to_stdout),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
