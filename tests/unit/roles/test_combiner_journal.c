/* SPDX-License-Identifier: Apache-2.0
 * The journal: what is told of is there after a restart, whatever the end of the file looks like.
 */
#include "test.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/thread.h"
#include "roles/combiner/journal.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct rig {
    char *dir;
    char *path;
    fedn__loop *loop;
    fedn__pool *pool;
    fedn__log log;
    fedn__journal *journal;
    char read[4096]; /* records of the last opening, a line each */
    uint64_t cut;

    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t cond;
    char told[4096]; /* keys */
    uint32_t count;
    char lines[4096];
} rig;

static void on_line(int32_t level, const char *component, const char *line, void *user_data)
{
    rig *r = user_data;

    (void)level;
    (void)component;
    pthread_mutex_lock(&r->mutex);
    strncat(r->lines, line, sizeof r->lines - strlen(r->lines) - 1);
    pthread_cond_broadcast(&r->cond);
    pthread_mutex_unlock(&r->mutex);
}

static fedn_status on_record(const uint8_t *record, uint64_t bytes, void *user_data,
                             fedn_error *err)
{
    rig *r = user_data;

    (void)err;
    strncat(r->read, (const char *)record, (size_t)bytes);
    strcat(r->read, "\n");
    return FEDN_OK;
}

static fedn_status open_journal(rig *r, fedn_error *err)
{
    const fedn__journal_options options = {
        .path = r->path, .loop = r->loop, .pool = r->pool, .log = &r->log};

    r->read[0] = 0;
    return fedn__journal_open(&options, on_record, r, &r->cut, &r->journal, err);
}

static void start(rig *r)
{
    fedn_error err;

    assert_ok(fedn__loop_new("test", &r->log, &r->loop, &err), &err);
    assert_ok(fedn__pool_new(1, "test", &r->pool, &err), &err);
    assert_ok(open_journal(r, &err), &err);
}

static void stop(rig *r)
{
    fedn__pool_free(r->pool);
    fedn__loop_free(r->loop);
    fedn__journal_close(r->journal);
}

static rig *rig_new(void)
{
    rig *r = calloc(1, sizeof *r);

    assert_non_null(r);
    pthread_mutex_init(&r->mutex, NULL);
    fedn__cond_init(&r->cond);
    r->log.fn = on_line;
    r->log.user_data = r;
    r->log.level = FEDN_LOG_DEBUG;
    r->dir = test_scratch();
    r->path = fedn__fs_join(r->dir, "journal");
    start(r);
    return r;
}

static void rig_free(rig *r)
{
    stop(r);
    fedn__free(r->path);
    test_scratch_done(r->dir);
    pthread_cond_destroy(&r->cond);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

static void on_told(const char *key, void *user_data)
{
    rig *r = user_data;

    pthread_mutex_lock(&r->mutex);
    strcat(r->told, key);
    r->count++;
    pthread_cond_broadcast(&r->cond);
    pthread_mutex_unlock(&r->mutex);
}

typedef struct order {
    rig *r;
    const char *text; /* NULL: clear */
    int32_t anew;
    fedn_status rc;
} order;

static void give(void *arg)
{
    order *o = arg;
    uint64_t bytes = o->text ? strlen(o->text) : 0;

    o->rc = o->anew ? fedn__journal_begin(o->r->journal, o->text, bytes, o->text ? o->text : "-",
                                          on_told, o->r)
                    : fedn__journal_add(o->r->journal, o->text, bytes, o->text, on_told, o->r);
}

static void do_order(rig *r, const char *text, int32_t anew)
{
    order o = {.r = r, .text = text, .anew = anew};

    fedn__loop_call(r->loop, give, &o);
    assert_int_equal(o.rc, FEDN_OK);
}

static void await_told(rig *r, uint32_t count)
{
    int64_t deadline = fedn__clock_ns() + 20 * INT64_C(1000000000);

    pthread_mutex_lock(&r->mutex);
    while (r->count < count)
        if (!fedn__cond_wait(&r->cond, &r->mutex, deadline))
            fail_msg("told of %u, not %u", (unsigned)r->count, (unsigned)count);
    pthread_mutex_unlock(&r->mutex);
}

static void restart(rig *r)
{
    stop(r);
    start(r);
}

static void records_are_read_back_in_their_order(void **state)
{
    rig *r = rig_new();

    (void)state;
    do_order(r, "begin", 1);
    do_order(r, "one", 0);
    do_order(r, "two", 0);
    await_told(r, 3);
    assert_string_equal(r->told, "beginonetwo");
    restart(r);
    assert_string_equal(r->read, "begin\none\ntwo\n");
    assert_int_equal(r->cut, 0);
    do_order(r, "three", 0); /* it goes on behind them */
    await_told(r, 4);
    restart(r);
    assert_string_equal(r->read, "begin\none\ntwo\nthree\n");
    rig_free(r);
}

static void a_new_beginning_drops_what_was_before(void **state)
{
    rig *r = rig_new();

    (void)state;
    do_order(r, "begin", 1);
    do_order(r, "one", 0);
    do_order(r, "again", 1);
    await_told(r, 3);
    restart(r);
    assert_string_equal(r->read, "again\n");
    do_order(r, NULL, 1);
    await_told(r, 4);
    restart(r);
    assert_string_equal(r->read, "");
    rig_free(r);
}

static uint64_t file_bytes(const rig *r)
{
    uint64_t bytes = 0;
    fedn_error err;

    assert_ok(fedn__fs_size(r->path, &bytes, &err), &err);
    return bytes;
}

static void a_tail_that_was_not_written_whole_is_cut_off(void **state)
{
    rig *r = rig_new();

    (void)state;
    do_order(r, "begin", 1);
    do_order(r, "one", 0);
    await_told(r, 2);
    uint64_t whole = file_bytes(r);
    do_order(r, "two", 0);
    await_told(r, 3);
    uint64_t all = file_bytes(r);
    for (uint64_t length = all - 1; length > whole; length--) {
        stop(r);
        assert_int_equal(truncate(r->path, (off_t)length), 0);
        start(r);
        assert_string_equal(r->read, "begin\none\n");
        assert_int_equal(r->cut, length - whole);
        assert_int_equal(file_bytes(r), whole);
        do_order(r, "two", 0);
        await_told(r, 4 + (uint32_t)(all - 1 - length));
    }
    rig_free(r);
}

static void a_record_with_a_wrong_byte_ends_the_reading(void **state)
{
    rig *r = rig_new();
    char *data = NULL;
    uint64_t bytes = 0;
    fedn_error err;

    (void)state;
    do_order(r, "begin", 1);
    do_order(r, "one", 0);
    await_told(r, 2);
    uint64_t before = file_bytes(r);
    do_order(r, "two", 0);
    do_order(r, "three", 0);
    await_told(r, 4);
    stop(r);
    assert_ok(fedn__fs_read(r->path, 4096, &data, &bytes, &err), &err);
    for (uint64_t at = before; at < before + 8; at++) {
        data[at] ^= 1;
        assert_ok(fedn__fs_write_file(r->path, data, bytes, 0, &err), &err);
        start(r);
        assert_string_equal(r->read, "begin\none\n");
        assert_int_equal(r->cut, bytes - before);
        stop(r);
        data[at] ^= 1;
    }
    fedn__free(data);
    start(r);
    rig_free(r);
}

/* A file size limit stands for a full disk: a write beyond it fails. */
static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void a_full_disk_is_said_once_and_waited_out(void **state)
{
    rig *r = rig_new();
    struct rlimit before;
    int64_t deadline = fedn__clock_ns() + 20 * INT64_C(1000000000);

    (void)state;
    getrlimit(RLIMIT_FSIZE, &before);
    do_order(r, "begin", 1);
    do_order(r, "one", 0);
    await_told(r, 2);
    set_file_limit((rlim_t)file_bytes(r) + 5);
    do_order(r, "two", 0);
    pthread_mutex_lock(&r->mutex);
    while (!r->lines[0])
        if (!fedn__cond_wait(&r->cond, &r->mutex, deadline))
            fail_msg("nothing is said");
    assert_int_equal(r->count, 2); /* not told of */
    test_assert_words(r->lines, "no_update is_acknowledged");
    pthread_mutex_unlock(&r->mutex);
    do_order(r, "three", 0);
    set_file_limit(before.rlim_cur);
    await_told(r, 4);
    assert_string_equal(r->told, "beginonetwothree");
    restart(r);
    assert_string_equal(r->read, "begin\none\ntwo\nthree\n");
    rig_free(r);
}

static void many_that_come_together_are_all_told_of(void **state)
{
    enum { MANY = 500 };
    rig *r = rig_new();

    (void)state;
    do_order(r, "begin", 1);
    for (uint32_t i = 0; i < MANY; i++)
        do_order(r, "x", 0);
    await_told(r, MANY + 1);
    restart(r);
    assert_int_equal(strlen(r->read), strlen("begin\n") + 2 * MANY);
    rig_free(r);
}

static void a_path_that_cannot_be_opened_is_named(void **state)
{
    rig *r = rig_new();
    fedn__journal *kept = r->journal;
    char *path = r->path;
    fedn_error err;

    (void)state;
    r->path = fedn__fs_join(r->dir, "absent/journal");
    assert_fails(open_journal(r, &err), FEDN_ERR_NOT_FOUND, &err, "absent/journal");
    fedn__free(r->path);
    r->path = path;
    r->journal = kept;
    rig_free(r);
}

static fedn_status open_and_close(void *arg)
{
    rig *r = arg;
    fedn__journal *kept = r->journal;
    fedn_error err;

    r->journal = NULL;
    fedn_status rc = open_journal(r, &err);
    fedn__journal_close(r->journal);
    r->journal = kept;
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    rig *r = rig_new();

    (void)state;
    do_order(r, "begin", 1);
    do_order(r, "one", 0);
    await_told(r, 2);
    test_fail_each_allocation(open_and_close, r);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_read_back_in_their_order),
        cmocka_unit_test(a_new_beginning_drops_what_was_before),
        cmocka_unit_test(a_tail_that_was_not_written_whole_is_cut_off),
        cmocka_unit_test(a_record_with_a_wrong_byte_ends_the_reading),
        cmocka_unit_test(a_full_disk_is_said_once_and_waited_out),
        cmocka_unit_test(many_that_come_together_are_all_told_of),
        cmocka_unit_test(a_path_that_cannot_be_opened_is_named),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
