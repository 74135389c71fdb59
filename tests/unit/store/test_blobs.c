/* SPDX-License-Identifier: Apache-2.0
 * The blob store: whole files only, one mapping for all readers, many threads. */
#include "store/blobs.h"

#include "core/fs.h"
#include "core/thread.h"
#include "test.h"
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct shelf {
    char *scratch;
    char *dir;
    fedn__blobs *blobs;
} shelf;

static int setup(void **state)
{
    shelf *s = calloc(1, sizeof *s);
    fedn_error err;

    s->scratch = test_scratch();
    s->dir = fedn__strf("%s/a/b", s->scratch);
    assert_ok(fedn__blobs_open(s->dir, &s->blobs, &err), &err);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    shelf *s = *state;

    fedn__blobs_close(s->blobs);
    fedn__free(s->dir);
    test_scratch_done(s->scratch);
    free(s);
    return 0;
}

static fedn_status add(fedn__blobs *blobs, const fedn__uuid *id, const char *text, fedn_error *err)
{
    char *path = fedn__blobs_incoming(blobs, id);

    if (!path)
        return FEDN_ERR_NOMEM;
    test_write_file(path, text, strlen(text));
    fedn_status rc = fedn__blobs_adopt(blobs, id, path, err);
    unlink(path);
    fedn__free(path);
    return rc;
}

static fedn__uuid add_new(shelf *s, const char *text)
{
    fedn__uuid id;
    fedn_error err;

    fedn__uuid_new(&id);
    assert_ok(add(s->blobs, &id, text, &err), &err);
    return id;
}

static void adopted_file_is_read_back(void **state)
{
    shelf *s = *state;
    fedn__uuid id = add_new(s, "content");
    fedn__blob *blob = NULL;
    const uint8_t *bytes = NULL;
    fedn_error err;

    assert_true(fedn__blobs_has(s->blobs, &id));
    assert_ok(fedn__blobs_get(s->blobs, &id, &blob, &err), &err);
    assert_int_equal(fedn__blob_bytes(blob), 7);
    assert_ok(fedn__blob_map(blob, &bytes, &err), &err);
    assert_memory_equal(bytes, "content", 7);
    fedn__blob_unref(blob);
}

static void readers_share_one_mapping(void **state)
{
    shelf *s = *state;
    fedn__uuid id = add_new(s, "one");
    fedn__uuid other = add_new(s, "two");
    fedn__blob *first = NULL;
    fedn__blob *second = NULL;
    fedn__blob *between = NULL;
    fedn_error err;

    assert_ok(fedn__blobs_get(s->blobs, &id, &first, &err), &err);
    assert_ok(fedn__blobs_get(s->blobs, &other, &between, &err), &err);
    between = fedn__blob_unref(between);
    assert_ok(fedn__blobs_get(s->blobs, &id, &second, &err), &err);
    assert_ptr_equal(first, second);
    fedn__blob_unref(first);
    fedn__blob_unref(second);
}

static void blobs_that_nobody_holds_are_closed(void **state)
{
    shelf *s = *state;
    fedn_error err;
    int64_t after_two = 0;

    for (int i = 0; i < 10; i++) {
        fedn__uuid id = add_new(s, "x");
        fedn__blob *blob = NULL;
        assert_ok(fedn__blobs_get(s->blobs, &id, &blob, &err), &err);
        fedn__blob_unref(blob);
        if (i == 1)
            after_two = fedn__alloc_outstanding();
    }
    assert_int_equal(fedn__alloc_outstanding(), after_two);
}

static void id_is_taken_once(void **state)
{
    shelf *s = *state;
    fedn__uuid id = add_new(s, "first");
    fedn__blob *blob = NULL;
    fedn_error err;

    assert_fails(add(s->blobs, &id, "second", &err), FEDN_ERR_EXISTS, &err, s->dir);
    assert_ok(fedn__blobs_get(s->blobs, &id, &blob, &err), &err);
    assert_int_equal(fedn__blob_bytes(blob), 5);
    fedn__blob_unref(blob);
}

static void removed_blob_stays_readable_for_its_holder(void **state)
{
    shelf *s = *state;
    fedn__uuid id = add_new(s, "still here");
    fedn__blob *blob = NULL;
    fedn__blob *again = NULL;
    const uint8_t *bytes = NULL;
    char name[FEDN__UUID_TEXT];
    fedn_error err;

    fedn__uuid_format(&id, name);
    assert_ok(fedn__blobs_get(s->blobs, &id, &blob, &err), &err);
    assert_ok(fedn__blobs_remove(s->blobs, &id, &err), &err);
    assert_false(fedn__blobs_has(s->blobs, &id));
    assert_fails(fedn__blobs_get(s->blobs, &id, &again, &err), FEDN_ERR_NOT_FOUND, &err, name);
    assert_fails(fedn__blobs_remove(s->blobs, &id, &err), FEDN_ERR_NOT_FOUND, &err, name);
    assert_null(again);
    assert_ok(fedn__blob_map(blob, &bytes, &err), &err);
    assert_memory_equal(bytes, "still here", 10);
    fedn__blob_unref(blob);
    assert_ok(add(s->blobs, &id, "anew", &err), &err);
    assert_ok(fedn__blobs_get(s->blobs, &id, &blob, &err), &err);
    assert_int_equal(fedn__blob_bytes(blob), 4);
    fedn__blob_unref(blob);
}

static void usage_counts_blobs_only(void **state)
{
    shelf *s = *state;
    fedn_error err;
    uint64_t count = 7;
    uint64_t bytes = 7;
    char *other = fedn__fs_join(s->dir, "readme");

    assert_ok(fedn__blobs_usage(s->blobs, &count, &bytes, &err), &err);
    assert_int_equal(count + bytes, 0);
    add_new(s, "12345");
    add_new(s, "");
    test_write_file(other, "not counted", 11);
    assert_ok(fedn__blobs_usage(s->blobs, &count, &bytes, &err), &err);
    assert_int_equal(count, 2);
    assert_int_equal(bytes, 5);
    fedn__free(other);
}

static void parts_of_a_crash_are_removed_and_blobs_kept(void **state)
{
    shelf *s = *state;
    fedn__uuid kept = add_new(s, "kept");
    fedn__uuid lost;
    fedn_error err;

    fedn__uuid_new(&lost);
    char *incoming = fedn__blobs_incoming(s->blobs, &lost);
    char *part = fedn__fs_join(s->dir, "11111111-2222-4333-8444-555555555555.part");
    test_write_file(incoming, "half", 4);
    test_write_file(part, "half", 4);
    fedn__blobs_close(s->blobs);
    s->blobs = NULL;
    assert_ok(fedn__blobs_open(s->dir, &s->blobs, &err), &err);
    assert_int_equal(access(incoming, F_OK), -1);
    assert_int_equal(access(part, F_OK), -1);
    assert_true(fedn__blobs_has(s->blobs, &kept));
    assert_false(fedn__blobs_has(s->blobs, &lost));
    fedn__free(incoming);
    fedn__free(part);
}

static void other_process_is_refused(void **state)
{
    shelf *s = *state;
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        fedn__blobs *blobs = NULL;
        _exit(fedn__blobs_open(s->dir, &blobs, NULL) == FEDN_ERR_STATE ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void impossible_directory_is_named(void **state)
{
    shelf *s = *state;
    fedn__blobs *blobs = NULL;
    char *file = fedn__fs_join(s->scratch, "file");
    fedn_error err;

    test_write_file(file, "", 0);
    memset(&err, 0, sizeof err);
    assert_true(fedn__blobs_open(file, &blobs, &err) != FEDN_OK);
    assert_non_null(strstr(err.message, file));
    assert_null(blobs);
    fedn__free(file);
}

typedef struct reader {
    shelf *shelf;
    fedn__uuid *ids;
    pthread_t thread;
    int32_t wrong;
    int32_t writes;
} reader;

enum { IDS = 4 };

/* Whatever the others do meanwhile: a blob is there whole, or not at all. */
static void *get_add_remove(void *arg)
{
    reader *r = arg;

    for (int i = 0; i < 300; i++) {
        const fedn__uuid *id = &r->ids[i % IDS];
        fedn__blob *blob = NULL;
        char text[8] = "";
        fedn_status rc = fedn__blobs_get(r->shelf->blobs, id, &blob, NULL);
        if (rc == FEDN_OK)
            r->wrong += fedn__blob_bytes(blob) != 7 ||
                        fedn__blob_read(blob, 0, text, 7, NULL) != FEDN_OK ||
                        strcmp(text, "content") != 0;
        else
            r->wrong += rc != FEDN_ERR_NOT_FOUND;
        fedn__blob_unref(blob);
        if (!r->writes || i % 7)
            continue;
        rc = fedn__blobs_remove(r->shelf->blobs, id, NULL);
        if (rc == FEDN_OK)
            rc = add(r->shelf->blobs, id, "content", NULL);
        r->wrong += rc != FEDN_OK;
    }
    return NULL;
}

static void threads_get_and_remove_at_once(void **state)
{
    shelf *s = *state;
    fedn__uuid ids[IDS];
    reader readers[4];
    fedn_error err;

    for (int i = 0; i < IDS; i++)
        ids[i] = add_new(s, "content");
    for (int i = 0; i < 4; i++) {
        readers[i] = (reader){.shelf = s, .ids = ids, .writes = i == 0};
        assert_ok(
            fedn__thread_start(&readers[i].thread, "reader", get_add_remove, &readers[i], &err),
            &err);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].wrong, 0);
    }
}

static fedn_status use_once(void *arg)
{
    char *dir = arg;
    fedn__blobs *blobs = NULL;
    fedn__blob *blob = NULL;
    fedn__uuid id;
    uint64_t count = 0;
    uint64_t bytes = 0;
    fedn_error err;

    fedn__uuid_new(&id);
    fedn_status rc = fedn__blobs_open(dir, &blobs, &err);
    if (rc == FEDN_OK)
        rc = add(blobs, &id, "text", &err);
    if (rc == FEDN_OK)
        rc = fedn__blobs_get(blobs, &id, &blob, &err);
    if (rc == FEDN_OK)
        rc = fedn__blobs_usage(blobs, &count, &bytes, &err);
    fedn__blob_unref(blob);
    if (rc == FEDN_OK)
        rc = fedn__blobs_remove(blobs, &id, &err);
    fedn__blobs_close(blobs);
    return rc;
}

static void failed_allocations_are_survived(void **state)
{
    shelf *s = *state;
    char *dir = fedn__fs_join(s->scratch, "memory");

    test_fail_each_allocation(use_once, dir);
    fedn__free(dir);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(adopted_file_is_read_back),
        CASE(readers_share_one_mapping),
        CASE(blobs_that_nobody_holds_are_closed),
        CASE(id_is_taken_once),
        CASE(removed_blob_stays_readable_for_its_holder),
        CASE(usage_counts_blobs_only),
        CASE(parts_of_a_crash_are_removed_and_blobs_kept),
        CASE(other_process_is_refused),
        CASE(impossible_directory_is_named),
        CASE(threads_get_and_remove_at_once),
        CASE(failed_allocations_are_survived),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
