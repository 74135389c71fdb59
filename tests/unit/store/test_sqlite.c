/* SPDX-License-Identifier: Apache-2.0
 * What only the SQLite store has: the file, its lock, its schema, a full or read-only disk. */
#include "store/records.h"

#include "core/fs.h"
#include "test.h"
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct place {
    char *scratch;
    char *file;
    char *url;
} place;

static int setup(void **state)
{
    place *p = calloc(1, sizeof *p);

    p->scratch = test_scratch();
    p->file = fedn__fs_join(p->scratch, "store.db");
    p->url = fedn__strf("sqlite:%s", p->file);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    place *p = *state;

    fedn__free(p->file);
    fedn__free(p->url);
    test_scratch_done(p->scratch);
    free(p);
    return 0;
}

static fedn__store *open_store(const place *p)
{
    fedn__store *store = NULL;
    fedn_error err;

    assert_ok(fedn__store_open(p->url, &store, &err), &err);
    return store;
}

static fedn_status put(fedn__store *store, const char *id, const char *text, fedn_error *err)
{
    json_t *document = json_pack("{s:s}", "text", text);
    fedn__change change = {FEDN__KIND_MODEL, id, document};
    fedn_status rc = fedn__store_apply(store, &change, 1, err);

    json_decref(document);
    return rc;
}

static void run_sql(const place *p, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(p->file, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void records_are_there_after_reopening_in_the_same_order(void **state)
{
    static const char *const expected[] = {"3", "2", "1"};
    const place *p = *state;
    fedn_error err;
    json_t *list = NULL;
    fedn__store *store = open_store(p);

    assert_ok(put(store, "b", "1", &err), &err);
    assert_ok(put(store, "a", "2", &err), &err);
    fedn__store_close(store);
    store = open_store(p);
    assert_ok(put(store, "0", "3", &err), &err);
    assert_ok(fedn__store_list(store, FEDN__KIND_MODEL, NULL, &list, NULL, &err), &err);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(json_string_value(json_object_get(json_array_get(list, i), "text")),
                            expected[i]);
    json_decref(list);
    fedn__store_close(store);
}

/* The exit status of `fn` in a process of its own. */
static int in_child(int (*fn)(const place *p), const place *p)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(fn(p));
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int put_and_die(const place *p)
{
    fedn__store *store = NULL;

    if (fedn__store_open(p->url, &store, NULL) != FEDN_OK)
        return 1;
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%d", i);
        if (put(store, id, "text", NULL) != FEDN_OK)
            return 2;
    }
    raise(SIGKILL);
    return 3;
}

static void acknowledged_records_survive_a_killed_process(void **state)
{
    const place *p = *state;
    fedn_error err;
    uint64_t count = 0;

    assert_int_equal(in_child(put_and_die, p), 1000 + SIGKILL);
    fedn__store *store = open_store(p);
    assert_ok(fedn__store_list(store, FEDN__KIND_MODEL, NULL, NULL, &count, &err), &err);
    assert_int_equal(count, 20);
    fedn__store_close(store);
}

static int try_to_open(const place *p)
{
    char words[32];
    fedn__store *store = NULL;
    fedn_error err;

    snprintf(words, sizeof words, "process %ld", (long)getppid());
    fedn_status rc = fedn__store_open(p->url, &store, &err);
    return rc == FEDN_ERR_STATE && !store && strstr(err.message, words) &&
                   strstr(err.message, p->file)
               ? 0
               : 1;
}

static void one_process_has_the_file(void **state)
{
    const place *p = *state;
    fedn__store *store = open_store(p);
    fedn__store *second = NULL;
    fedn_error err;

    assert_int_equal(in_child(try_to_open, p), 0);
    assert_fails(fedn__store_open(p->url, &second, &err), FEDN_ERR_STATE, &err, p->file);
    fedn__store_close(store);
    store = open_store(p);
    fedn__store_close(store);
}

static void file_is_for_its_owner_only(void **state)
{
    const place *p = *state;
    struct stat info;
    fedn__store *store = open_store(p);

    assert_int_equal(stat(p->file, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    fedn__store_close(store);
}

static void newer_schema_is_refused_and_left_alone(void **state)
{
    const place *p = *state;
    fedn__store *store = open_store(p);
    fedn_error err;

    fedn__store_close(store);
    run_sql(p, "PRAGMA user_version=2");
    for (int i = 0; i < 2; i++)
        assert_fails(fedn__store_open(p->url, &store, &err), FEDN_ERR_UNSUPPORTED, &err,
                     "version_2 up_to_1 newer_release");
}

static void other_files_are_refused(void **state)
{
    const place *p = *state;
    fedn__store *store = NULL;
    fedn_error err;

    run_sql(p, "CREATE TABLE other(x)");
    assert_fails(fedn__store_open(p->url, &store, &err), FEDN_ERR_STORE, &err, "another_program");
    char text[4096];
    memset(text, 'x', sizeof text);
    test_write_file(p->file, text, sizeof text);
    assert_fails(fedn__store_open(p->url, &store, &err), FEDN_ERR_STORE, &err, "not_a_database");
    assert_int_equal(unlink(p->file), 0);
    assert_int_equal(mkdir(p->file, 0700), 0);
    assert_true(fedn__store_open(p->url, &store, &err) != FEDN_OK);
    assert_null(store);
}

static void absent_directory_is_named(void **state)
{
    fedn__store *store = NULL;
    fedn_error err;

    (void)state;
    assert_fails(fedn__store_open("sqlite:/nonexistent/store.db", &store, &err), FEDN_ERR_NOT_FOUND,
                 &err, "/nonexistent/store.db");
}

static void stored_text_that_is_damaged_is_an_error(void **state)
{
    const place *p = *state;
    fedn__store *store = open_store(p);
    json_t *back = NULL;
    fedn_error err;

    assert_ok(put(store, "a", "text", &err), &err);
    fedn__store_close(store);
    run_sql(p, "DROP INDEX record_committed; DROP INDEX record_session;"
               "UPDATE record SET doc = '{\"cut\":'");
    store = open_store(p);
    assert_fails(fedn__store_get(store, FEDN__KIND_MODEL, "a", &back, &err), FEDN_ERR_FORMAT, &err,
                 "store.db JSON");
    assert_fails(fedn__store_list(store, FEDN__KIND_MODEL, NULL, &back, NULL, &err), FEDN_ERR_STORE,
                 &err, "store.db JSON");
    assert_null(back);
    fedn__store_close(store);
}

/* A bound on file sizes is as good as a full disk: writes fail half-way. */
static int fill_up(const place *p)
{
    const struct rlimit bound = {300000, 300000};
    fedn__store *store = NULL;
    fedn_error err = {0};
    char text[8192];
    fedn_status rc = FEDN_OK;
    int stored = 0;
    uint64_t count = 0;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    signal(SIGXFSZ, SIG_IGN);
    if (fedn__store_open(p->url, &store, NULL) != FEDN_OK || setrlimit(RLIMIT_FSIZE, &bound) != 0)
        return 1;
    while (rc == FEDN_OK && stored < 1000) {
        char id[16];
        snprintf(id, sizeof id, "m%d", stored);
        rc = put(store, id, text, &err);
        stored += rc == FEDN_OK;
    }
    if (rc != FEDN_ERR_LIMIT || !strstr(err.message, p->file) || !strstr(err.message, "free space"))
        return 2;
    /* what was acknowledged is there, the rest is not, and reading goes on */
    if (fedn__store_list(store, FEDN__KIND_MODEL, NULL, NULL, &count, NULL) != FEDN_OK ||
        count != (uint64_t)stored || stored == 0)
        return 3;
    fedn__store_close(store);
    return 0;
}

static void full_disk_is_a_limit_and_loses_nothing(void **state)
{
    const place *p = *state;

    assert_int_equal(in_child(fill_up, p), 0);
}

static int open_as_nobody(const place *p)
{
    fedn__store *store = NULL;
    fedn_error err = {0};

    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 1;
    return fedn__store_open(p->url, &store, &err) == FEDN_ERR_DENIED && strstr(err.message, p->file)
               ? 0
               : 2;
}

static void unwritable_file_is_denied(void **state)
{
    const place *p = *state;
    fedn__store *store = open_store(p);

    fedn__store_close(store);
    assert_int_equal(chmod(p->scratch, 0555), 0);
    assert_int_equal(chmod(p->file, 0444), 0);
    assert_int_equal(in_child(open_as_nobody, p), 0);
    assert_int_equal(chmod(p->scratch, 0700), 0);
}

static void lists_by_time_and_by_session_use_an_index(void **state)
{
    const place *p = *state;
    static const char *const queries[] = {
        "EXPLAIN QUERY PLAN SELECT doc FROM record WHERE kind = 'models' "
        "ORDER BY json_extract(doc, '$.\"committed_at\"') DESC, seq DESC LIMIT 1",
        "EXPLAIN QUERY PLAN SELECT doc FROM record WHERE kind = 'models' AND "
        "(json_extract(doc, '$.\"session_id\"') = 's' AND "
        "json_type(doc, '$.\"session_id\"') = 'text') ORDER BY seq",
    };
    static const char *const indexes[] = {"record_committed", "record_session"};
    fedn__store *store = open_store(p);
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(p->file, &db), SQLITE_OK);
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *plan = NULL;
        assert_int_equal(sqlite3_prepare_v2(db, queries[i], -1, &plan, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(plan), SQLITE_ROW);
        const char *line = (const char *)sqlite3_column_text(plan, 3);
        if (!strstr(line, indexes[i]))
            fail_msg("%s", line);
        if (i == 0)
            assert_int_equal(sqlite3_step(plan), SQLITE_DONE); /* no sorting besides */
        sqlite3_finalize(plan);
    }
    sqlite3_close(db);
    fedn__store_close(store);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(records_are_there_after_reopening_in_the_same_order),
        CASE(acknowledged_records_survive_a_killed_process),
        CASE(one_process_has_the_file),
        CASE(file_is_for_its_owner_only),
        CASE(newer_schema_is_refused_and_left_alone),
        CASE(other_files_are_refused),
        CASE(absent_directory_is_named),
        CASE(stored_text_that_is_damaged_is_an_error),
        CASE(full_disk_is_a_limit_and_loses_nothing),
        CASE(unwritable_file_is_denied),
        CASE(lists_by_time_and_by_session_use_an_index),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
