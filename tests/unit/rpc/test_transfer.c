/* SPDX-License-Identifier: Apache-2.0
 * Models over ModelService, both directions, whole or not at all. */
#include "depot.h"

#include "core/fs.h"
#include "core/limits.h"
#include "rpc/parts.h"
#include <stdlib.h>
#include <unistd.h>

static void models_of_all_sizes_arrive_whole_both_ways(void **state)
{
    static const uint64_t sizes[] = {0,
                                     1,
                                     FEDN__LIMIT_CHUNK_BYTES - 1,
                                     FEDN__LIMIT_CHUNK_BYTES,
                                     FEDN__LIMIT_CHUNK_BYTES + 1,
                                     5 * FEDN__MIB + 3,
                                     20 * FEDN__MIB + 7};
    test_depot *depot = *state;
    char path[512];
    fedn_error err;

    snprintf(path, sizeof path, "%s/fetched", depot->dir);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *data = depot_pattern(sizes[i]);
        assert_ok(depot_upload(depot, ID, data, sizes[i], &err), &err);
        depot_assert_file(depot->dir, ID, data, sizes[i]);
        assert_ok(depot_download(depot, ID, path, sizes[i], &err), &err);
        depot_assert_file(depot->dir, "fetched", data, sizes[i]);
        assert_int_equal(depot_files(depot->dir, ID), 1);
        assert_int_equal(depot_files(depot->dir, "fetched"), 1);
        free(data);
    }
}

static void assert_blob(fedn__blob *blob, const uint8_t *data, uint64_t bytes, int32_t in_file)
{
    const uint8_t *got = NULL;
    uint8_t expected[FEDN__DIGEST_BYTES];
    uint8_t digest[FEDN__DIGEST_BYTES];
    fedn_error err;

    assert_non_null(blob);
    assert_ok(fedn__blob_digest(blob, digest, &err), &err);
    fedn__digest_of(data, bytes, expected);
    assert_memory_equal(digest, expected, sizeof digest);
    assert_int_equal(fedn__blob_fd(blob) >= 0, in_file);
    assert_int_equal(fedn__blob_bytes(blob), bytes);
    assert_ok(fedn__blob_map(blob, &got, &err), &err);
    if (bytes)
        assert_memory_equal(got, data, bytes);
    fedn__blob_unref(blob);
}

/* Both ways, with a bound of their own in memory; what is over it goes into a file from its start.
 */
static void small_models_stay_in_memory(void **state)
{
    static const uint64_t bound = FEDN__MIB + 1000;
    static const uint64_t sizes[] = {0, 1, FEDN__MIB, bound, bound + 1, 2 * bound, 5 * FEDN__MIB};
    test_depot *depot = *state;
    char path[512];
    fedn_error err;

    snprintf(path, sizeof path, "%s/fetched", depot->dir);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int32_t in_file = sizes[i] > bound;
        uint8_t *data = depot_pattern(sizes[i]);
        fedn__blob *kept = NULL;
        depot_keep(depot, bound, &kept);
        assert_ok(depot_upload(depot, ID, data, sizes[i], &err), &err);
        rig_wait_count(&depot->rig.notes, "stored0", (int)i + 1);
        assert_int_equal(depot_files(depot->dir, ID), in_file);
        assert_blob(kept, data, sizes[i], in_file);
        char *stored = fedn__fs_join(depot->dir, ID);
        test_write_file(stored, data, sizes[i]);
        test_move down = {.depot = depot,
                          .id = ID,
                          .path = path,
                          .max_bytes = sizes[i],
                          .memory_bytes = bound,
                          .keep = &kept};
        depot_move_begin(&down);
        depot_move_wait(&down);
        assert_ok(down.rc, &down.err);
        assert_int_equal(depot_files(depot->dir, "fetched"), in_file);
        assert_blob(kept, data, sizes[i], in_file);
        unlink(stored);
        unlink(path);
        fedn__free(stored);
        free(data);
    }
}

static void a_refused_model_leaves_nothing(void **state)
{
    test_depot *depot = *state;
    uint8_t *data = depot_pattern(3 * FEDN__MIB);
    fedn_error err;

    assert_fails(depot_upload(depot, OTHER_ID, data, 3 * FEDN__MIB, &err), FEDN_ERR_DENIED, &err,
                 "DENIED not_yours 1b5c2f0e");
    assert_int_equal(err.detail, FEDN__RPC_PERMISSION_DENIED);
    assert_fails(depot_upload(depot, "../../etc/passwd", data, 100, &err), FEDN_ERR_INVALID, &err,
                 "passwd not_a_UUID");
    assert_int_equal(rig_count(&depot->rig.notes, "accept"), 0);
    assert_int_equal(depot_files(depot->dir, OTHER_ID), 0);
    free(data);
}

static void a_model_over_the_ceiling_is_refused_and_removed(void **state)
{
    test_depot *depot = *state;
    uint8_t *data = depot_pattern(4 * FEDN__MIB);
    char path[512];
    fedn_error err;

    depot_limit(depot, 3 * FEDN__MIB + 5);
    assert_fails(depot_upload(depot, ID, data, 4 * FEDN__MIB, &err), FEDN_ERR_LIMIT, &err,
                 "3145733");
    rig_wait(&depot->rig.notes, "stored-9");
    assert_int_equal(depot_files(depot->dir, ID), 0);
    depot_limit(depot, 10);
    assert_fails(depot_upload(depot, ID, data, 11, &err), FEDN_ERR_LIMIT, &err, "10");
    rig_wait_count(&depot->rig.notes, "stored-9", 2);
    depot_limit(depot, 4 * FEDN__MIB);
    assert_ok(depot_upload(depot, ID, data, 4 * FEDN__MIB, &err), &err);
    snprintf(path, sizeof path, "%s/fetched", depot->dir);
    assert_fails(depot_download(depot, ID, path, 2 * FEDN__MIB, &err), FEDN_ERR_LIMIT, &err,
                 "2097152");
    assert_int_equal(depot_files(depot->dir, "fetched"), 0);
    free(data);
}

static void a_model_the_peer_lacks_is_not_found(void **state)
{
    test_depot *depot = *state;
    char path[512];
    fedn_error err;

    snprintf(path, sizeof path, "%s/fetched", depot->dir);
    assert_fails(depot_download(depot, ID, path, 100, &err), FEDN_ERR_NOT_FOUND, &err, ID);
    assert_fails(depot_download(depot, "no-uuid", path, 100, &err), FEDN_ERR_NOT_FOUND, &err,
                 "no-uuid");
    depot_find(depot, FEDN_ERR_STATE);
    assert_fails(depot_download(depot, ID, path, 100, &err), FEDN_ERR_UNAVAILABLE, &err, ID);
    depot_find(depot, FEDN_ERR_AUTH);
    assert_fails(depot_download(depot, ID, path, 100, &err), FEDN_ERR_AUTH, &err, "find_says_no");
    assert_int_equal(depot_files(depot->dir, "fetched"), 0);
}

static void a_file_that_cannot_be_written_fails_the_transfer(void **state)
{
    test_depot *depot = *state;
    fedn_error err;

    depot->store_in = "/nowhere/at/all";
    assert_fails(depot_upload(depot, ID, "abc", 3, &err), FEDN_ERR_NOT_FOUND, &err,
                 "/nowhere/at/all");
    char path[512];
    snprintf(path, sizeof path, "%s/" ID, depot->dir);
    test_write_file(path, "abc", 3);
    assert_fails(depot_download(depot, ID, "/nowhere/at/all", 100, &err), FEDN_ERR_NOT_FOUND, &err,
                 "/nowhere/at/all");
}

static void cancel_move(void *arg)
{
    test_move *move = arg;

    if (!move->done.set)
        fedn__transfer_cancel(move->transfer);
}

static void a_cancelled_transfer_says_so_and_leaves_nothing(void **state)
{
    test_depot *depot = *state;
    uint64_t bytes = 48 * FEDN__MIB;
    uint8_t *data = depot_pattern(bytes);
    test_move up = {.depot = depot, .id = ID};
    char path[512];
    fedn_error err;

    assert_ok(fedn__blob_copy(data, bytes, &up.blob, &err), &err);
    depot_move_begin(&up);
    rig_wait(&depot->rig.notes, "accept");
    rig_dialling(&depot->rig, cancel_move, &up);
    depot_move_wait(&up);
    assert_int_equal(up.rc, FEDN_ERR_CANCELLED);
    rig_wait(&depot->rig.notes, "stored-11");
    assert_int_equal(depot_files(depot->dir, ID), 0);
    assert_ok(depot_upload(depot, ID, data, bytes, &err), &err);
    snprintf(path, sizeof path, "%s/fetched", depot->dir);
    test_move down = {.depot = depot, .id = ID, .path = path, .max_bytes = bytes};
    depot_move_begin(&down);
    rig_dialling(&depot->rig, cancel_move, &down);
    depot_move_wait(&down);
    assert_int_equal(down.rc, FEDN_ERR_CANCELLED);
    assert_int_equal(depot_files(depot->dir, "fetched"), 0);
    fedn__blob_unref(up.blob);
    free(data);
}

enum { READERS = 8 };

static void many_readers_share_one_model(void **state)
{
    test_depot *depot = *state;
    uint64_t bytes = 6 * FEDN__MIB + 11;
    uint8_t *data = depot_pattern(bytes);
    test_move moves[READERS];
    char paths[READERS][512];
    fedn_error err;

    assert_ok(depot_upload(depot, ID, data, bytes, &err), &err);
    memset(moves, 0, sizeof moves);
    for (int i = 0; i < READERS; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/r%d", depot->dir, i);
        moves[i].depot = depot;
        moves[i].id = ID;
        moves[i].path = paths[i];
        moves[i].max_bytes = bytes;
        depot_move_begin(&moves[i]);
    }
    for (int i = 0; i < READERS; i++) {
        char name[8];
        depot_move_wait(&moves[i]);
        assert_ok(moves[i].rc, &moves[i].err);
        snprintf(name, sizeof name, "r%d", i);
        depot_assert_file(depot->dir, name, data, bytes);
    }
    free(data);
}

/* What failed for the want of memory on the other side comes back as one of these. */
static fedn_status as_nomem(fedn_status rc, const fedn_error *err)
{
    if (rc == FEDN_OK || rc == FEDN_ERR_NOMEM)
        return rc;
    if (rc == FEDN_ERR_LIMIT && err->detail == FEDN__RPC_RESOURCE_EXHAUSTED)
        return FEDN_ERR_NOMEM;
    if (rc == FEDN_ERR_UNAVAILABLE &&
        (strstr(err->message, "out of memory") || strstr(err->message, "nothing of it is kept")))
        return FEDN_ERR_NOMEM;
    fprintf(stderr, "%d: %s\n", (int)rc, err->message);
    return rc;
}

static char *left[2]; /* by earlier tries: of an upload, of a download; NULL: nothing */

static void leave_parts(void)
{
    static const uint8_t zeros[1000];

    for (int i = 0; i < 2; i++)
        test_write_file(left[i], zeros, sizeof zeros);
}

static fedn_status move_both_ways(test_depot *depot)
{
    uint64_t bytes = FEDN__LIMIT_CHUNK_BYTES + 5;
    test_move up = {.depot = depot, .id = ID};
    test_move down = {.depot = depot, .id = ID, .max_bytes = bytes};
    void *data = fedn__alloc_zero(bytes);
    char *path = fedn__fs_join(depot->dir, "fetched");
    fedn_status rc = data && path ? FEDN_OK : FEDN_ERR_NOMEM;

    if (depot->parts)
        leave_parts();
    up.resume = depot->parts != NULL;
    down.parts = depot->parts;
    if (rc == FEDN_OK)
        rc = fedn__blob_copy(data, bytes, &up.blob, &up.err);
    if (rc == FEDN_OK) {
        depot_move_begin(&up);
        depot_move_wait(&up);
        rc = as_nomem(up.rc, &up.err);
    }
    if (rc == FEDN_OK) {
        down.path = path;
        depot_move_begin(&down);
        depot_move_wait(&down);
        rc = as_nomem(down.rc, &down.err);
    }
    fedn__blob_unref(up.blob);
    fedn__free(path);
    fedn__free(data);
    return rc;
}

/* A whole network that moves one model up and down, with everything made anew. */
static fedn_status world_turns(void *arg)
{
    test_depot *depot = arg;
    test_rig *rig = &depot->rig;
    fedn__server_options options = {.listen = "127.0.0.1:0"};
    static const char *const metadata[] = {"client", "me", NULL};
    fedn__channel_options dial = {.target = rig->target, .metadata = metadata};
    fedn__method rows[FEDN__TRANSFER_METHODS];
    fedn_error err;

    rig->serving = rig->dialling = NULL;
    rig->pool = NULL;
    rig->server = NULL;
    rig->channel = NULL;
    memset(&err, 0, sizeof err);
    fedn__transfer_methods(&depot->host, rows);
    fedn_status rc = fedn__loop_new("serving", NULL, &rig->serving, &err);
    if (rc == FEDN_OK)
        rc = fedn__loop_new("dialling", NULL, &rig->dialling, &err);
    if (rc == FEDN_OK)
        rc = fedn__pool_new(1, "worker", &rig->pool, &err);
    depot->host.loop = rig->serving;
    depot->host.pool = rig->pool;
    if (rc == FEDN_OK)
        rc = fedn__server_new(rig->serving, &options, rows, FEDN__TRANSFER_METHODS, &rig->server,
                              &err);
    if (rc == FEDN_OK) {
        snprintf(rig->target, sizeof rig->target, "127.0.0.1:%d",
                 (int)fedn__server_port(rig->server));
        rc = fedn__channel_new(rig->dialling, &dial, &rig->channel, &err);
    }
    if (rc == FEDN_OK)
        rc = move_both_ways(depot);
    rig_stop(rig);
    return rc;
}

static void no_allocation_of_a_network_is_lost(void **state)
{
    test_depot depot;
    fedn_error err;

    (void)state;
    memset(&depot, 0, sizeof depot);
    rig_notes_init(&depot.rig.notes);
    depot.quiet = 1;
    depot.dir = test_scratch();
    depot.max_bytes = 64 * FEDN__MIB;
    depot_host(&depot);
    test_fail_each_allocation(world_turns, &depot);
    assert_int_equal(depot_files(depot.dir, ID), 1);
    assert_int_equal(depot_files(depot.dir, "fetched"), 1);
    /* and with what was left by an earlier try */
    depot.parts = fedn__fs_join(depot.dir, "parts");
    assert_ok(fedn__fs_mkdirs(depot.parts, &err), &err);
    depot.host.parts = depot.parts;
    depot.host.owner_key = "client";
    left[0] = fedn__part_path(depot.parts, ID, "me");
    left[1] = fedn__part_path(depot.parts, ID, NULL);
    test_fail_each_allocation(world_turns, &depot);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(access(left[i], F_OK), -1);
        fedn__free(left[i]);
    }
    fedn__free(depot.parts);
    test_scratch_done(depot.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, depot_setup, depot_teardown)
        TEST(models_of_all_sizes_arrive_whole_both_ways),
        TEST(small_models_stay_in_memory),
        TEST(a_refused_model_leaves_nothing),
        TEST(a_model_over_the_ceiling_is_refused_and_removed),
        TEST(a_model_the_peer_lacks_is_not_found),
        TEST(a_file_that_cannot_be_written_fails_the_transfer),
        TEST(a_cancelled_transfer_says_so_and_leaves_nothing),
        TEST(many_readers_share_one_model),
        cmocka_unit_test(no_allocation_of_a_network_is_lost),
    };

    return cmocka_run_group_tests_name("rpc transfer", tests, test_count_setup,
                                       test_count_teardown);
}
