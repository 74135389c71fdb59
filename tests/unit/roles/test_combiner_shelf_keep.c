/* SPDX-License-Identifier: Apache-2.0
 * Updates that stay on a combiner's shelf as long as their round, and across a restart. */
#include "test.h"

#include "core/alloc.h"
#include "core/digest.h"
#include "core/fs.h"
#include "roles/combiner/shelf.h"
#include <unistd.h>

#define ID    "11111111-1111-4111-8111-111111111111"
#define MODEL "22222222-2222-4222-8222-222222222222"

typedef struct rig {
    char *dir;
    fedn__shelf *shelf;
} rig;

static void open_shelf(rig *r)
{
    static const fedn__shelf_limits limits = {.max_uploads = 1, .max_waiting = 2};
    fedn_error err;

    assert_ok(fedn__shelf_open(r->dir, &limits, &r->shelf, &err), &err);
}

static rig rig_new(void)
{
    rig r = {.dir = test_scratch()};

    open_shelf(&r);
    return r;
}

static void rig_done(rig *r)
{
    fedn__shelf_close(r->shelf);
    test_scratch_done(r->dir);
}

static int32_t is_there(const rig *r, const char *name)
{
    char *path = fedn__fs_join(r->dir, name);
    int32_t there = access(path, F_OK) == 0;

    fedn__free(path);
    return there;
}

/* An upload of `text` into the file that the shelf names. */
static void upload(rig *r, const char *text)
{
    fedn_error err;
    fedn__blob *blob = NULL;
    char *path = NULL;

    assert_ok(fedn__shelf_accept(r->shelf, ID, "ann", &path, &err), &err);
    test_write_file(path, text, strlen(text));
    assert_ok(fedn__blob_from_file(path, &blob, &err), &err);
    fedn__shelf_stored(r->shelf, ID, blob);
    fedn__blob_unref(blob);
    fedn__free(path);
}

static void fold_and_keep(rig *r)
{
    fedn__shelf_take(r->shelf, ID);
    fedn__shelf_keep(r->shelf, ID);
    fedn__shelf_folded(r->shelf, ID);
}

static void what_is_kept_goes_when_its_round_is_over(void **state)
{
    rig r = rig_new();
    fedn_error err;

    (void)state;
    upload(&r, "update");
    fold_and_keep(&r);
    fedn__shelf_drop(r.shelf, ID); /* not what is kept */
    assert_true(is_there(&r, "updates/" ID));
    uint64_t retired = fedn__shelf_retire(r.shelf);
    assert_true(is_there(&r, "updates/" ID));
    fedn__shelf_forget(r.shelf, retired);
    assert_false(is_there(&r, "updates/" ID));
    assert_fails(fedn__shelf_check(r.shelf, ID, "ann", &err), FEDN_ERR_NOT_FOUND, &err, ID);
    rig_done(&r);
}

static void what_is_kept_for_the_next_round_stays(void **state)
{
    rig r = rig_new();

    (void)state;
    uint64_t before = fedn__shelf_retire(r.shelf);
    upload(&r, "update");
    fold_and_keep(&r);
    fedn__shelf_forget(r.shelf, before); /* told late */
    assert_true(is_there(&r, "updates/" ID));
    rig_done(&r);
}

static void one_that_comes_again_is_compared_and_changes_nothing(void **state)
{
    rig r = rig_new();
    fedn_error err;
    uint8_t first[FEDN__DIGEST_BYTES];
    uint8_t again[FEDN__DIGEST_BYTES];

    (void)state;
    upload(&r, "update");
    assert_ok(fedn__shelf_digest(r.shelf, ID, first, &err), &err);
    fold_and_keep(&r);
    upload(&r, "update");
    assert_ok(fedn__shelf_check(r.shelf, ID, "ann", &err), &err);
    assert_ok(fedn__shelf_digest(r.shelf, ID, again, &err), &err);
    assert_memory_equal(first, again, sizeof first);
    upload(&r, "other!");
    assert_ok(fedn__shelf_digest(r.shelf, ID, again, &err), &err);
    assert_memory_not_equal(first, again, sizeof first);
    char *path = fedn__fs_join(r.dir, "updates/" ID);
    char *text = NULL;
    uint64_t bytes = 0;
    assert_ok(fedn__fs_read(path, 100, &text, &bytes, &err), &err);
    assert_string_equal(text, "update");
    assert_false(is_there(&r, "updates/" ID ".again"));
    fedn__free(text);
    fedn__free(path);
    rig_done(&r);
}

static void another_client_does_not_send_it_again(void **state)
{
    rig r = rig_new();
    fedn_error err;
    char *path = NULL;

    (void)state;
    upload(&r, "update");
    fold_and_keep(&r);
    assert_fails(fedn__shelf_accept(r.shelf, ID, "bob", &path, &err), FEDN_ERR_DENIED, &err, ID);
    rig_done(&r);
}

static void a_restart_keeps_what_is_adopted_and_sweeps_the_rest(void **state)
{
    rig r = rig_new();
    fedn_error err;
    char *left = fedn__fs_join(r.dir, "updates/left");

    (void)state;
    upload(&r, "update");
    fold_and_keep(&r);
    fedn__shelf_close(r.shelf);
    test_write_file(left, "x", 1);
    fedn__free(left);
    open_shelf(&r);
    assert_ok(fedn__shelf_adopt(r.shelf, ID, "ann", NULL, &err), &err);
    assert_fails(fedn__shelf_adopt(r.shelf, MODEL, "ann", NULL, &err), FEDN_ERR_NOT_FOUND, &err,
                 MODEL);
    assert_ok(fedn__shelf_sweep(r.shelf, &err), &err);
    assert_true(is_there(&r, "updates/" ID));
    assert_false(is_there(&r, "updates/left"));
    assert_int_equal(fedn__blob_bytes(fedn__shelf_take(r.shelf, ID)), 6);
    fedn__shelf_folded(r.shelf, ID); /* kept without being asked once more */
    assert_ok(fedn__shelf_check(r.shelf, ID, "ann", &err), &err);
    fedn__shelf_forget(r.shelf, fedn__shelf_retire(r.shelf));
    assert_false(is_there(&r, "updates/" ID));
    rig_done(&r);
}

static void a_model_that_is_not_what_it_was_is_not_adopted(void **state)
{
    rig r = rig_new();
    fedn_error err;
    uint8_t digest[FEDN__DIGEST_BYTES];
    char *path = fedn__fs_join(r.dir, "models/" MODEL);
    fedn__blob *blob = NULL;

    (void)state;
    test_write_file(path, "model", 5);
    fedn__digest_of("model", 5, digest);
    assert_ok(fedn__shelf_adopt_model(r.shelf, MODEL, NULL, digest, &err), &err);
    assert_ok(fedn__shelf_model(r.shelf, MODEL, &blob, &err), &err);
    fedn__blob_unref(blob);
    digest[3] ^= 1;
    assert_fails(fedn__shelf_adopt_model(r.shelf, ID, NULL, digest, &err), FEDN_ERR_NOT_FOUND, &err,
                 ID);
    assert_fails(fedn__shelf_adopt_model(r.shelf, MODEL, NULL, digest, &err), FEDN_ERR_FORMAT, &err,
                 "not_what_it_was");
    fedn__free(path);
    rig_done(&r);
}

static void a_full_quota_refuses_until_there_is_room(void **state)
{
    static const fedn__shelf_limits few = {.max_uploads = 1, .max_waiting = 2, .max_bytes = 6};
    rig r = {.dir = test_scratch()};
    fedn_error err;
    char *path = NULL;

    (void)state;
    assert_ok(fedn__shelf_open(r.dir, &few, &r.shelf, &err), &err);
    upload(&r, "update");
    assert_fails(fedn__shelf_accept(r.shelf, MODEL, "bob", &path, &err), FEDN_ERR_UNAVAILABLE, &err,
                 "combiner.max_spool_bytes 6");
    fold_and_keep(&r);
    assert_fails(fedn__shelf_accept(r.shelf, MODEL, "bob", &path, &err), FEDN_ERR_UNAVAILABLE, &err,
                 "combiner.max_spool_bytes");
    assert_int_equal(fedn__shelf_kept_bytes(r.shelf), 6);
    fedn__shelf_forget(r.shelf, fedn__shelf_retire(r.shelf));
    assert_int_equal(fedn__shelf_kept_bytes(r.shelf), 0);
    assert_ok(fedn__shelf_accept(r.shelf, MODEL, "bob", &path, &err), &err);
    fedn__free(path);
    rig_done(&r);
}

static void one_that_comes_again_when_its_round_is_over_leaves_nothing(void **state)
{
    rig r = rig_new();
    fedn_error err;
    fedn__blob *blob = NULL;
    char *path = NULL;

    (void)state;
    upload(&r, "update");
    fold_and_keep(&r);
    assert_ok(fedn__shelf_accept(r.shelf, ID, "ann", &path, &err), &err);
    test_write_file(path, "update", 6);
    assert_ok(fedn__blob_from_file(path, &blob, &err), &err);
    fedn__shelf_forget(r.shelf, fedn__shelf_retire(r.shelf));
    fedn__shelf_stored(r.shelf, ID, blob);
    assert_int_equal(access(path, F_OK), -1);
    fedn__blob_unref(blob);
    fedn__free(path);
    rig_done(&r);
}

static void one_that_comes_once_more_cannot_be_taken(void **state)
{
    rig r = rig_new();
    fedn_error err;
    char *path = NULL;

    (void)state;
    assert_null(fedn__shelf_take(r.shelf, ID));
    upload(&r, "update");
    assert_ok(fedn__shelf_accept(r.shelf, ID, "ann", &path, &err), &err);
    assert_null(fedn__shelf_take(r.shelf, ID));
    fedn__free(path);
    upload(&r, "update");
    assert_non_null(fedn__shelf_take(r.shelf, ID));
    fedn__shelf_folded(r.shelf, ID);
    rig_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_goes_when_its_round_is_over),
        cmocka_unit_test(what_is_kept_for_the_next_round_stays),
        cmocka_unit_test(one_that_comes_again_is_compared_and_changes_nothing),
        cmocka_unit_test(another_client_does_not_send_it_again),
        cmocka_unit_test(a_restart_keeps_what_is_adopted_and_sweeps_the_rest),
        cmocka_unit_test(a_full_quota_refuses_until_there_is_room),
        cmocka_unit_test(a_model_that_is_not_what_it_was_is_not_adopted),
        cmocka_unit_test(one_that_comes_again_when_its_round_is_over_leaves_nothing),
        cmocka_unit_test(one_that_comes_once_more_cannot_be_taken),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
