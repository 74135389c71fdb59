/* SPDX-License-Identifier: Apache-2.0
 * Files of a combiner: whose update it is, what is in progress, what is let go. */
#include "test.h"

#include "core/fs.h"
#include "roles/combiner/shelf.h"
#include <unistd.h>

#define ID_1 "11111111-1111-4111-8111-111111111111"
#define ID_2 "22222222-2222-4222-8222-222222222222"
#define ID_3 "33333333-3333-4333-8333-333333333333"
#define ID_4 "44444444-4444-4444-8444-444444444444"

static const fedn__shelf_limits limits = {
    .max_model_bytes = 1000, .max_uploads = 2, .max_waiting = 2};

static fedn__shelf *open_shelf(const char *dir)
{
    fedn_error err;
    fedn__shelf *shelf = NULL;

    assert_ok(fedn__shelf_open(dir, &limits, &shelf, &err), &err);
    return shelf;
}

/* An upload from its first chunk to its last. */
static void upload(fedn__shelf *shelf, const char *id, const char *owner)
{
    fedn_error err;
    char *path = NULL;

    assert_ok(fedn__shelf_accept(shelf, id, owner, &path, &err), &err);
    test_write_file(path, "model", 5);
    fedn__free(path);
    fedn__shelf_stored(shelf, id, 1, 5);
}

static void an_update_is_there_for_its_owner_until_dropped(void **state)
{
    char *dir = test_scratch();
    fedn__shelf *shelf = open_shelf(dir);
    fedn_error err;
    const char *path = NULL;

    (void)state;
    upload(shelf, ID_1, "ann");
    assert_ok(fedn__shelf_update(shelf, ID_1, "ann", &path, &err), &err);
    assert_int_equal(access(path, R_OK), 0);
    assert_fails(fedn__shelf_update(shelf, ID_1, "bob", &path, &err), FEDN_ERR_DENIED, &err,
                 ID_1 " another_client");
    char *kept = fedn__fs_join(dir, "updates/" ID_1);
    fedn__shelf_drop(shelf, ID_1);
    assert_int_not_equal(access(kept, R_OK), 0);
    fedn__free(kept);
    assert_fails(fedn__shelf_update(shelf, ID_1, "ann", &path, &err), FEDN_ERR_NOT_FOUND, &err,
                 ID_1 " was_not_uploaded");
    fedn__shelf_close(shelf);
    test_scratch_done(dir);
}

static void nobody_uploads_under_the_id_of_another(void **state)
{
    char *dir = test_scratch();
    fedn__shelf *shelf = open_shelf(dir);
    fedn_error err;
    char *path = NULL;

    (void)state;
    upload(shelf, ID_1, "ann");
    assert_fails(fedn__shelf_accept(shelf, ID_1, "bob", &path, &err), FEDN_ERR_DENIED, &err,
                 ID_1 " belongs_to_another_client");
    assert_null(path);
    upload(shelf, ID_1, "ann"); /* its owner may send it again */
    fedn__shelf_close(shelf);
    test_scratch_done(dir);
}

static void an_upload_that_was_cut_leaves_nothing(void **state)
{
    char *dir = test_scratch();
    fedn__shelf *shelf = open_shelf(dir);
    fedn_error err;
    char *path = NULL;
    const char *found = NULL;

    (void)state;
    assert_ok(fedn__shelf_accept(shelf, ID_1, "ann", &path, &err), &err);
    assert_fails(fedn__shelf_update(shelf, ID_1, "ann", &found, &err), FEDN_ERR_STATE, &err,
                 "still_being_uploaded");
    char *again = NULL;
    assert_fails(fedn__shelf_accept(shelf, ID_1, "ann", &again, &err), FEDN_ERR_STATE, &err,
                 "being_uploaded_already");
    fedn__shelf_stored(shelf, ID_1, 0, 0);
    fedn__free(path);
    assert_fails(fedn__shelf_update(shelf, ID_1, "ann", &found, &err), FEDN_ERR_NOT_FOUND, &err,
                 "was_not_uploaded");
    upload(shelf, ID_1, "ann");
    fedn__shelf_close(shelf);
    test_scratch_done(dir);
}

static void uploads_are_bounded_in_number(void **state)
{
    char *dir = test_scratch();
    fedn__shelf *shelf = open_shelf(dir);
    fedn_error err;
    char *paths[3] = {NULL, NULL, NULL};
    const char *found = NULL;

    (void)state;
    assert_ok(fedn__shelf_accept(shelf, ID_1, "ann", &paths[0], &err), &err);
    assert_ok(fedn__shelf_accept(shelf, ID_2, "bob", &paths[1], &err), &err);
    assert_fails(fedn__shelf_accept(shelf, ID_3, "cy", &paths[2], &err), FEDN_ERR_UNAVAILABLE, &err,
                 "combiner.max_uploads_2");
    fedn__shelf_stored(shelf, ID_1, 0, 0);
    fedn__shelf_stored(shelf, ID_2, 0, 0);
    fedn__free(paths[0]);
    fedn__free(paths[1]);
    upload(shelf, ID_1, "ann");
    upload(shelf, ID_2, "ann");
    upload(shelf, ID_3, "ann"); /* nobody announced the first: it makes room */
    assert_fails(fedn__shelf_update(shelf, ID_1, "ann", &found, &err), FEDN_ERR_NOT_FOUND, &err,
                 "was_not_uploaded");
    assert_ok(fedn__shelf_update(shelf, ID_3, "ann", &found, &err), &err);
    fedn__shelf_close(shelf);
    test_scratch_done(dir);
}

static void the_newest_models_are_kept_and_readers_keep_theirs(void **state)
{
    static const char *const ids[4] = {ID_1, ID_2, ID_3, ID_4};
    char *dir = test_scratch();
    fedn__shelf *shelf = open_shelf(dir);
    fedn_error err;
    fedn__blob *first = NULL;
    fedn__blob *gone = NULL;
    uint8_t text[5];

    (void)state;
    for (int i = 0; i < 4; i++) {
        char *path = fedn__shelf_model_path(shelf, ids[i]);
        test_write_file(path, "model", 5);
        fedn__free(path);
        assert_ok(fedn__shelf_add_model(shelf, ids[i], &err), &err);
        if (i == 0)
            assert_ok(fedn__shelf_model(shelf, ID_1, &first, &err), &err);
    }
    assert_fails(fedn__shelf_model(shelf, ID_1, &gone, &err), FEDN_ERR_NOT_FOUND, &err, ID_1);
    assert_ok(fedn__blob_read(first, 0, text, 5, &err), &err);
    assert_memory_equal(text, "model", 5);
    fedn__blob_unref(first);
    fedn__shelf_close(shelf);
    test_scratch_done(dir);
}

static void a_directory_in_use_is_refused_and_leftovers_are_removed(void **state)
{
    char *dir = test_scratch();
    fedn_error err;
    fedn__shelf *second = NULL;

    (void)state;
    fedn__shelf *shelf = open_shelf(dir);
    assert_fails(fedn__shelf_open(dir, &limits, &second, &err), FEDN_ERR_STATE, &err,
                 "in_use_by_process");
    fedn__shelf_close(shelf);
    char *left = fedn__fs_join(dir, "updates/left");
    test_write_file(left, "x", 1);
    shelf = open_shelf(dir);
    assert_int_not_equal(access(left, F_OK), 0);
    fedn__free(left);
    fedn__shelf_close(shelf);
    test_scratch_done(dir);
}

static fedn_status one_upload(void *arg)
{
    fedn__shelf *shelf = NULL;
    fedn_error err;
    char *path = NULL;
    const char *found = NULL;

    fedn_status rc = fedn__shelf_open(arg, &limits, &shelf, &err);
    if (rc == FEDN_OK)
        rc = fedn__shelf_accept(shelf, ID_1, "ann", &path, &err);
    if (rc == FEDN_OK) {
        fedn__shelf_stored(shelf, ID_1, 1, 0);
        rc = fedn__shelf_update(shelf, ID_1, "ann", &found, &err);
    }
    fedn__free(path);
    fedn__shelf_close(shelf);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    char *dir = test_scratch();

    (void)state;
    test_fail_each_allocation(one_upload, dir);
    test_scratch_done(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_is_there_for_its_owner_until_dropped),
        cmocka_unit_test(nobody_uploads_under_the_id_of_another),
        cmocka_unit_test(an_upload_that_was_cut_leaves_nothing),
        cmocka_unit_test(uploads_are_bounded_in_number),
        cmocka_unit_test(the_newest_models_are_kept_and_readers_keep_theirs),
        cmocka_unit_test(a_directory_in_use_is_refused_and_leftovers_are_removed),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
