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

static const fedn__shelf_limits limits = {.max_uploads = 2, .max_waiting = 2};

static fedn__shelf *open_shelf(const char *dir)
{
    fedn_error err;
    fedn__shelf *shelf = NULL;

    assert_ok(fedn__shelf_open(dir, &limits, &shelf, &err), &err);
    return shelf;
}

/* The file at the path is a complete model. */
static void stored(fedn__shelf *shelf, const char *id, const char *path)
{
    fedn_error err;
    fedn__blob *blob = NULL;

    assert_ok(fedn__blob_from_file(path, &blob, &err), &err);
    fedn__shelf_stored(shelf, id, blob);
    fedn__blob_unref(blob);
}

/* An upload from its first chunk to its last. */
static void upload(fedn__shelf *shelf, const char *id, const char *owner)
{
    fedn_error err;
    char *path = NULL;

    assert_ok(fedn__shelf_accept(shelf, id, owner, &path, &err), &err);
    test_write_file(path, "model", 5);
    stored(shelf, id, path);
    fedn__free(path);
}

static void an_update_is_there_for_its_owner_until_dropped(void **state)
{
    char *dir = test_scratch();
    fedn__shelf *shelf = open_shelf(dir);
    fedn_error err;

    (void)state;
    upload(shelf, ID_1, "ann");
    assert_ok(fedn__shelf_check(shelf, ID_1, "ann", &err), &err);
    assert_fails(fedn__shelf_check(shelf, ID_1, "bob", &err), FEDN_ERR_DENIED, &err,
                 ID_1 " another_client");
    char *kept = fedn__fs_join(dir, "updates/" ID_1);
    assert_int_equal(access(kept, R_OK), 0);
    fedn__shelf_drop(shelf, ID_1);
    assert_int_not_equal(access(kept, R_OK), 0);
    fedn__free(kept);
    assert_fails(fedn__shelf_check(shelf, ID_1, "ann", &err), FEDN_ERR_NOT_FOUND, &err,
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

    (void)state;
    assert_ok(fedn__shelf_accept(shelf, ID_1, "ann", &path, &err), &err);
    assert_fails(fedn__shelf_check(shelf, ID_1, "ann", &err), FEDN_ERR_STATE, &err,
                 "still_being_uploaded");
    fedn__shelf_stored(shelf, ID_1, NULL);
    fedn__free(path);
    assert_fails(fedn__shelf_check(shelf, ID_1, "ann", &err), FEDN_ERR_NOT_FOUND, &err,
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

    (void)state;
    assert_ok(fedn__shelf_accept(shelf, ID_1, "ann", &paths[0], &err), &err);
    assert_ok(fedn__shelf_accept(shelf, ID_2, "bob", &paths[1], &err), &err);
    assert_fails(fedn__shelf_accept(shelf, ID_3, "cy", &paths[2], &err), FEDN_ERR_UNAVAILABLE, &err,
                 "combiner.max_uploads_2");
    fedn__shelf_stored(shelf, ID_1, NULL);
    fedn__shelf_stored(shelf, ID_2, NULL);
    fedn__free(paths[0]);
    fedn__free(paths[1]);
    upload(shelf, ID_1, "ann");
    upload(shelf, ID_2, "ann");
    upload(shelf, ID_3, "ann"); /* nobody announced the first: it makes room */
    assert_fails(fedn__shelf_check(shelf, ID_1, "ann", &err), FEDN_ERR_NOT_FOUND, &err,
                 "was_not_uploaded");
    assert_ok(fedn__shelf_check(shelf, ID_3, "ann", &err), &err);
    fedn__shelf_close(shelf);
    test_scratch_done(dir);
}

static void the_same_upload_again_takes_the_place_of_one_that_hangs(void **state)
{
    char *dir = test_scratch();
    fedn__shelf *shelf = open_shelf(dir);
    fedn_error err;
    char *paths[3] = {NULL, NULL, NULL};

    (void)state;
    assert_ok(fedn__shelf_accept(shelf, ID_1, "ann", &paths[0], &err), &err);
    assert_ok(fedn__shelf_accept(shelf, ID_1, "ann", &paths[1], &err), &err);
    assert_string_equal(paths[0], paths[1]);
    assert_ok(fedn__shelf_accept(shelf, ID_2, "bob", &paths[2], &err), &err); /* counts as one */
    test_write_file(paths[1], "model", 5);
    stored(shelf, ID_1, paths[1]); /* nobody hears of the one that gave way */
    assert_ok(fedn__shelf_check(shelf, ID_1, "ann", &err), &err);
    fedn__shelf_stored(shelf, ID_1, NULL); /* a later one that failed leaves what is there */
    assert_ok(fedn__shelf_check(shelf, ID_1, "ann", &err), &err);
    for (int i = 0; i < 3; i++)
        fedn__free(paths[i]);
    fedn__shelf_close(shelf);
    test_scratch_done(dir);
}

static fedn_status put(fedn__shelf *shelf, const char *id, const char *owner, const char *text,
                       fedn_error *err)
{
    fedn__blob *blob = NULL;

    assert_ok(fedn__blob_copy(text, strlen(text), &blob, err), err);
    fedn_status rc = fedn__shelf_put(shelf, id, owner, blob, err);
    fedn__blob_unref(blob);
    return rc;
}

static void an_update_that_came_whole_is_as_good_as_an_uploaded_one(void **state)
{
    char *dir = test_scratch();
    fedn__shelf *shelf = open_shelf(dir);
    fedn_error err;
    uint8_t text[5];

    (void)state;
    assert_ok(put(shelf, ID_1, "ann", "first", &err), &err);
    assert_ok(fedn__shelf_check(shelf, ID_1, "ann", &err), &err);
    assert_fails(fedn__shelf_check(shelf, ID_1, "bob", &err), FEDN_ERR_DENIED, &err,
                 ID_1 " another_client");
    assert_fails(put(shelf, ID_1, "bob", "other", &err), FEDN_ERR_DENIED, &err,
                 ID_1 " another_client");
    assert_ok(put(shelf, ID_1, "ann", "again", &err), &err); /* its answer was lost */
    assert_ok(fedn__blob_read(fedn__shelf_take(shelf, ID_1), 0, text, 5, &err), &err);
    assert_memory_equal(text, "again", 5);
    assert_fails(put(shelf, ID_1, "ann", "later", &err), FEDN_ERR_STATE, &err, "being_folded");
    fedn__shelf_folded(shelf, ID_1);
    assert_fails(fedn__shelf_check(shelf, ID_1, "ann", &err), FEDN_ERR_NOT_FOUND, &err, ID_1);
    assert_ok(put(shelf, ID_1, "ann", "again", &err), &err);
    fedn__shelf_drop(shelf, ID_1);
    assert_fails(fedn__shelf_check(shelf, ID_1, "ann", &err), FEDN_ERR_NOT_FOUND, &err, ID_1);
    fedn__shelf_close(shelf);
    test_scratch_done(dir);
}

static void an_update_that_came_whole_shares_bounds_with_uploaded_ones(void **state)
{
    char *dir = test_scratch();
    fedn__shelf *shelf = open_shelf(dir);
    fedn_error err;
    char *paths[2] = {NULL, NULL};

    (void)state;
    upload(shelf, ID_1, "ann");
    char *replaced = fedn__fs_join(dir, "updates/" ID_1);
    assert_ok(put(shelf, ID_1, "ann", "whole", &err), &err); /* takes the place of the file */
    assert_int_not_equal(access(replaced, R_OK), 0);
    fedn__free(replaced);
    assert_ok(fedn__shelf_accept(shelf, ID_2, "bob", &paths[0], &err), &err);
    assert_fails(put(shelf, ID_2, "bob", "whole", &err), FEDN_ERR_STATE, &err,
                 ID_2 " still_being_uploaded");
    assert_ok(fedn__shelf_accept(shelf, ID_3, "bob", &paths[1], &err), &err);
    assert_ok(put(shelf, ID_4, "cy", "whole", &err), &err); /* no upload in progress more */
    fedn__shelf_stored(shelf, ID_2, NULL);
    fedn__shelf_stored(shelf, ID_3, NULL);
    assert_ok(put(shelf, ID_2, "cy", "whole", &err), &err); /* the oldest makes room */
    assert_fails(fedn__shelf_check(shelf, ID_1, "ann", &err), FEDN_ERR_NOT_FOUND, &err,
                 "was_not_uploaded");
    assert_ok(fedn__shelf_check(shelf, ID_4, "cy", &err), &err);
    assert_ok(fedn__shelf_check(shelf, ID_2, "cy", &err), &err);
    for (int i = 0; i < 2; i++)
        fedn__free(paths[i]);
    fedn__shelf_close(shelf);
    test_scratch_done(dir);
}

static void what_is_being_folded_stays_until_it_is_folded(void **state)
{
    char *dir = test_scratch();
    fedn__shelf *shelf = open_shelf(dir);
    fedn_error err;
    char *path = NULL;

    (void)state;
    upload(shelf, ID_1, "ann");
    char *folding = fedn__fs_join(dir, "updates/" ID_1);
    assert_non_null(fedn__shelf_take(shelf, ID_1));
    fedn__shelf_drop(shelf, ID_1);
    upload(shelf, ID_2, "bob");
    upload(shelf, ID_3, "bob");
    upload(shelf, ID_4, "bob"); /* more than may wait: but it does not wait */
    assert_int_equal(access(folding, R_OK), 0);
    assert_fails(fedn__shelf_accept(shelf, ID_1, "ann", &path, &err), FEDN_ERR_STATE, &err,
                 "being_folded");
    assert_fails(fedn__shelf_check(shelf, ID_1, "ann", &err), FEDN_ERR_STATE, &err, "folded");
    fedn__shelf_folded(shelf, ID_1);
    assert_int_not_equal(access(folding, R_OK), 0);
    assert_fails(fedn__shelf_check(shelf, ID_1, "ann", &err), FEDN_ERR_NOT_FOUND, &err, ID_1);
    test_write_file(folding, "stray", 5);
    stored(shelf, ID_1, folding); /* nobody asked for it */
    assert_int_not_equal(access(folding, R_OK), 0);
    fedn__free(folding);
    fedn__shelf_close(shelf);
    test_scratch_done(dir);
}

static void model_id(int n, char id[FEDN__UUID_TEXT])
{
    snprintf(id, FEDN__UUID_TEXT, "00000000-0000-4000-8000-%012d", n);
}

static void the_models_used_last_are_kept_and_readers_keep_theirs(void **state)
{
    char *dir = test_scratch();
    fedn__shelf *shelf = open_shelf(dir);
    fedn_error err;
    char id[FEDN__UUID_TEXT];
    fedn__blob *read = NULL;
    fedn__blob *second = NULL;
    fedn__blob *gone = NULL;
    uint8_t text[5];

    (void)state;
    for (int i = 0; i < 20; i++) {
        model_id(i, id);
        char *path = fedn__shelf_model_path(shelf, id);
        fedn__blob *blob = NULL;
        test_write_file(path, "model", 5);
        assert_ok(fedn__blob_from_file(path, &blob, &err), &err);
        fedn__free(path);
        assert_ok(fedn__shelf_add_model(shelf, id, blob, &err), &err);
        fedn__blob_unref(blob);
        model_id(0, id); /* asked for time and again */
        assert_ok(fedn__shelf_model(shelf, id, &read, &err), &err);
        fedn__blob_unref(read);
        model_id(1, id);
        if (i == 1)
            assert_ok(fedn__shelf_model(shelf, id, &second, &err), &err);
    }
    assert_fails(fedn__shelf_model(shelf, id, &gone, &err), FEDN_ERR_NOT_FOUND, &err, id);
    assert_ok(fedn__blob_read(second, 0, text, 5, &err), &err);
    assert_memory_equal(text, "model", 5);
    fedn__blob_unref(second);
    model_id(19, id);
    assert_ok(fedn__shelf_model(shelf, id, &read, &err), &err);
    fedn__blob_unref(read);
    fedn__shelf_close(shelf);
    test_scratch_done(dir);
}

static void pinned_models_stay_whatever_is_used_besides(void **state)
{
    char pins[1][FEDN__UUID_TEXT] = {ID_1};
    char *dir = test_scratch();
    fedn__shelf *shelf = open_shelf(dir);
    fedn__blob *blob = NULL;
    fedn__blob *found = NULL;
    fedn_error err;
    char id[FEDN__UUID_TEXT];

    (void)state;
    assert_ok(fedn__blob_copy("model", 5, &blob, &err), &err);
    assert_ok(fedn__shelf_add_model(shelf, ID_1, blob, &err), &err);
    fedn__shelf_pin_models(shelf, pins, 1);
    for (uint32_t i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "00000000-0000-4000-8000-%012u", (unsigned)i);
        assert_ok(fedn__shelf_add_model(shelf, id, blob, &err), &err);
    }
    assert_ok(fedn__shelf_model(shelf, ID_1, &found, &err), &err);
    fedn__blob_unref(found);
    assert_fails(fedn__shelf_model(shelf, "00000000-0000-4000-8000-000000000000", &found, &err),
                 FEDN_ERR_NOT_FOUND, &err, "not_here");
    fedn__blob_unref(blob);
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
    assert_ok(fedn__shelf_sweep(shelf, &err), &err);
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
    fedn__blob *blob = NULL;

    fedn_status rc = fedn__shelf_open(arg, &limits, &shelf, &err);
    if (rc == FEDN_OK)
        rc = fedn__shelf_accept(shelf, ID_1, "ann", &path, &err);
    if (rc == FEDN_OK)
        rc = fedn__blob_copy("model", 5, &blob, &err);
    if (rc == FEDN_OK) {
        fedn__shelf_stored(shelf, ID_1, blob);
        rc = fedn__shelf_check(shelf, ID_1, "ann", &err);
    }
    for (int i = 0; rc == FEDN_OK && i < 2; i++) {
        rc = fedn__shelf_put(shelf, ID_2, "ann", blob, &err);
        if (rc == FEDN_OK)
            rc = fedn__shelf_check(shelf, ID_2, "ann", &err);
    }
    fedn__free(path);
    fedn__blob_unref(blob);
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
        cmocka_unit_test(the_same_upload_again_takes_the_place_of_one_that_hangs),
        cmocka_unit_test(an_update_that_came_whole_is_as_good_as_an_uploaded_one),
        cmocka_unit_test(an_update_that_came_whole_shares_bounds_with_uploaded_ones),
        cmocka_unit_test(what_is_being_folded_stays_until_it_is_folded),
        cmocka_unit_test(the_models_used_last_are_kept_and_readers_keep_theirs),
        cmocka_unit_test(pinned_models_stay_whatever_is_used_besides),
        cmocka_unit_test(a_directory_in_use_is_refused_and_leftovers_are_removed),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
