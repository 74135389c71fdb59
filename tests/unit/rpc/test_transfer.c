/* SPDX-License-Identifier: Apache-2.0
 * Models over ModelService, both directions, whole or not at all. */
#include "rig.h"

#include "core/blob.h"
#include "core/fs.h"
#include "core/limits.h"
#include "core/thread.h"
#include "core/uuid.h"
#include "rpc/chunk.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID       "0b5c2f0e-9d3a-4c8f-8e7a-1f2e3d4c5b6a"
#define OTHER_ID "1b5c2f0e-9d3a-4c8f-8e7a-1f2e3d4c5b6a"

/* A host that keeps uploads in a directory. */
typedef struct test_depot {
    test_rig rig;
    fedn__transfer_host host;
    char *dir;
    uint64_t max_bytes;
    fedn_status find_rc; /* instead of looking */
    int32_t quiet;       /* notes nothing */
    uint64_t wanted_bytes;
    fedn_status wanted_rc;
    const char *store_in; /* instead of the directory; set before the first call */
} test_depot;

static fedn_status accept_model(void *service, fedn__call *call, const char *id, char **ret_path,
                                uint64_t *ret_max_bytes, fedn_error *err)
{
    test_depot *depot = service;

    (void)call;
    if (strcmp(id, OTHER_ID) == 0)
        return fedn_error_set(err, FEDN_ERR_DENIED, "this model is not yours");
    if (!depot->quiet)
        rig_note(&depot->rig.notes, "accept");
    *ret_max_bytes = depot->max_bytes;
    *ret_path = fedn__fs_join(depot->store_in ? depot->store_in : depot->dir, id);
    return *ret_path ? FEDN_OK : fedn_error_set(err, FEDN_ERR_NOMEM, NULL);
}

static void stored_model(void *service, const char *id, fedn_status status, uint64_t bytes,
                         const fedn_error *err)
{
    test_depot *depot = service;

    (void)err;
    if (depot->quiet)
        return;
    rig_note(&depot->rig.notes, "stored%d:%llu:%s", (int)status, (unsigned long long)bytes, id);
    rig_note(&depot->rig.notes, "stored%d", (int)status);
}

static fedn_status find_model(void *service, fedn__call *call, const char *id, fedn__blob **ret,
                              fedn_error *err)
{
    test_depot *depot = service;

    (void)call;
    if (depot->find_rc < 0)
        return fedn_error_set(err, depot->find_rc, "find says no");
    char *path = fedn__fs_join(depot->dir, id);
    if (!path)
        return fedn_error_set(err, FEDN_ERR_NOMEM, NULL);
    fedn_status rc = fedn__blob_from_file(path, ret, err);
    fedn__free(path);
    return rc;
}

static void set_max_bytes(void *arg)
{
    test_depot *depot = arg;

    depot->max_bytes = depot->wanted_bytes;
}

static void set_find(void *arg)
{
    test_depot *depot = arg;

    depot->find_rc = depot->wanted_rc;
}

static void depot_limit(test_depot *depot, uint64_t max_bytes)
{
    depot->wanted_bytes = max_bytes;
    rig_serving(&depot->rig, set_max_bytes, depot);
}

static void depot_find(test_depot *depot, fedn_status rc)
{
    depot->wanted_rc = rc;
    rig_serving(&depot->rig, set_find, depot);
}

static int setup(void **state)
{
    test_depot *depot = calloc(1, sizeof *depot);
    fedn__method rows[2];

    depot->dir = test_scratch();
    depot->max_bytes = 64 * FEDN__MIB;
    depot->host.accept = accept_model;
    depot->host.stored = stored_model;
    depot->host.find = find_model;
    depot->host.service = depot;
    fedn__transfer_methods(&depot->host, rows);
    rig_start(&depot->rig, rows, 2);
    depot->host.loop = depot->rig.serving;
    depot->host.pool = depot->rig.pool;
    *state = depot;
    return 0;
}

static int teardown(void **state)
{
    test_depot *depot = *state;

    rig_stop(&depot->rig);
    test_scratch_done(depot->dir);
    free(depot);
    return 0;
}

/* Files in the directory, parts included. */
static int files(const char *dir, const char *name)
{
    char path[512];
    struct stat st;
    int count = 0;

    for (int part = 0; part < 2; part++) {
        snprintf(path, sizeof path, "%s/%s%s", dir, name, part ? ".part" : "");
        count += stat(path, &st) == 0;
    }
    return count;
}

static uint8_t *pattern(uint64_t bytes)
{
    uint8_t *data = malloc(bytes + 1);
    uint32_t x = 88172645;

    for (uint64_t i = 0; i < bytes; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        data[i] = (uint8_t)x;
    }
    return data;
}

typedef struct test_move {
    test_depot *depot;
    fedn__blob *blob; /* upload */
    const char *path; /* download */
    const char *id;
    uint64_t max_bytes;
    fedn_status rc;
    fedn_error err;
    uint64_t bytes;
    fedn__transfer *transfer;
    fedn__flag done;
} test_move;

static void moved(fedn_status status, const fedn_error *err, uint64_t bytes, void *user_data)
{
    test_move *move = user_data;

    move->rc = status;
    if (err)
        move->err = *err;
    move->bytes = bytes;
    fedn__flag_set(&move->done);
}

static void begin_move(void *arg)
{
    test_move *move = arg;
    test_rig *rig = &move->depot->rig;

    move->rc = move->blob ? fedn__transfer_upload(rig->channel, move->id, "client-1", move->blob,
                                                  moved, move, &move->transfer, &move->err)
                          : fedn__transfer_download(rig->channel, rig->pool, move->id, "client-1",
                                                    move->path, move->max_bytes, moved, move,
                                                    &move->transfer, &move->err);
}

static void move_begin(test_move *move)
{
    memset(&move->err, 0, sizeof move->err);
    fedn__flag_init(&move->done);
    rig_dialling(&move->depot->rig, begin_move, move);
    if (!move->transfer)
        fedn__flag_set(&move->done);
}

static void move_wait(test_move *move)
{
    assert_true(fedn__flag_wait(&move->done, INT64_MAX));
    fedn__flag_done(&move->done);
}

static fedn_status upload(test_depot *depot, const char *id, const void *data, uint64_t bytes,
                          fedn_error *err)
{
    test_move move = {.depot = depot, .id = id};

    assert_ok(fedn__blob_copy(data, bytes, &move.blob, err), err);
    move_begin(&move);
    move_wait(&move);
    fedn__blob_unref(move.blob);
    *err = move.err;
    if (move.rc == FEDN_OK)
        assert_int_equal(move.bytes, bytes);
    return move.rc;
}

static fedn_status download(test_depot *depot, const char *id, const char *path, uint64_t max_bytes,
                            fedn_error *err)
{
    test_move move = {.depot = depot, .id = id, .path = path, .max_bytes = max_bytes};

    move_begin(&move);
    move_wait(&move);
    *err = move.err;
    return move.rc;
}

static void assert_file(const char *dir, const char *name, const void *data, uint64_t bytes)
{
    char path[512];
    uint64_t got = 0;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    char *content = test_read_file(path, &got);
    assert_int_equal(got, bytes);
    assert_memory_equal(content, data, bytes);
    free(content);
}

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
        uint8_t *data = pattern(sizes[i]);
        assert_ok(upload(depot, ID, data, sizes[i], &err), &err);
        assert_file(depot->dir, ID, data, sizes[i]);
        assert_ok(download(depot, ID, path, sizes[i], &err), &err);
        assert_file(depot->dir, "fetched", data, sizes[i]);
        assert_int_equal(files(depot->dir, ID), 1);
        assert_int_equal(files(depot->dir, "fetched"), 1);
        free(data);
    }
}

static void a_refused_model_leaves_nothing(void **state)
{
    test_depot *depot = *state;
    uint8_t *data = pattern(3 * FEDN__MIB);
    fedn_error err;

    assert_fails(upload(depot, OTHER_ID, data, 3 * FEDN__MIB, &err), FEDN_ERR_DENIED, &err,
                 "DENIED not_yours 1b5c2f0e");
    assert_int_equal(err.detail, FEDN__RPC_PERMISSION_DENIED);
    assert_fails(upload(depot, "../../etc/passwd", data, 100, &err), FEDN_ERR_INVALID, &err,
                 "passwd not_a_UUID");
    assert_int_equal(rig_count(&depot->rig.notes, "accept"), 0);
    assert_int_equal(files(depot->dir, OTHER_ID), 0);
    free(data);
}

static void a_model_over_the_ceiling_is_refused_and_removed(void **state)
{
    test_depot *depot = *state;
    uint8_t *data = pattern(4 * FEDN__MIB);
    char path[512];
    fedn_error err;

    depot_limit(depot, 3 * FEDN__MIB + 5);
    assert_fails(upload(depot, ID, data, 4 * FEDN__MIB, &err), FEDN_ERR_LIMIT, &err, "3145733");
    rig_wait(&depot->rig.notes, "stored-9");
    assert_int_equal(files(depot->dir, ID), 0);
    depot_limit(depot, 10);
    assert_fails(upload(depot, ID, data, 11, &err), FEDN_ERR_LIMIT, &err, "10");
    rig_wait_count(&depot->rig.notes, "stored-9", 2);
    depot_limit(depot, 4 * FEDN__MIB);
    assert_ok(upload(depot, ID, data, 4 * FEDN__MIB, &err), &err);
    snprintf(path, sizeof path, "%s/fetched", depot->dir);
    assert_fails(download(depot, ID, path, 2 * FEDN__MIB, &err), FEDN_ERR_LIMIT, &err, "2097152");
    assert_int_equal(files(depot->dir, "fetched"), 0);
    free(data);
}

static void a_model_the_peer_lacks_is_not_found(void **state)
{
    test_depot *depot = *state;
    char path[512];
    fedn_error err;

    snprintf(path, sizeof path, "%s/fetched", depot->dir);
    assert_fails(download(depot, ID, path, 100, &err), FEDN_ERR_NOT_FOUND, &err, ID);
    assert_fails(download(depot, "no-uuid", path, 100, &err), FEDN_ERR_NOT_FOUND, &err, "no-uuid");
    depot_find(depot, FEDN_ERR_STATE);
    assert_fails(download(depot, ID, path, 100, &err), FEDN_ERR_UNAVAILABLE, &err, ID);
    depot_find(depot, FEDN_ERR_AUTH);
    assert_fails(download(depot, ID, path, 100, &err), FEDN_ERR_AUTH, &err, "find_says_no");
    assert_int_equal(files(depot->dir, "fetched"), 0);
}

static void a_file_that_cannot_be_written_fails_the_transfer(void **state)
{
    test_depot *depot = *state;
    fedn_error err;

    depot->store_in = "/nowhere/at/all";
    assert_fails(upload(depot, ID, "abc", 3, &err), FEDN_ERR_NOT_FOUND, &err, "/nowhere/at/all");
    char path[512];
    snprintf(path, sizeof path, "%s/" ID, depot->dir);
    test_write_file(path, "abc", 3);
    assert_fails(download(depot, ID, "/nowhere/at/all", 100, &err), FEDN_ERR_NOT_FOUND, &err,
                 "/nowhere/at/all");
}

/* A hand-made upload: the test says which messages go out. */
typedef struct test_sender {
    test_depot *depot;
    fedn__stream *stream;
    const char *id;
    int32_t status;
    uint64_t bytes;
    fedn__blob *blob;
} test_sender;

static void sender_closed(fedn__stream *stream, int32_t rpc, const char *details, void *user_data)
{
    test_sender *sender = user_data;

    (void)stream;
    (void)details;
    sender->stream = NULL;
    rig_note(&sender->depot->rig.notes, "rpc%d", (int)rpc);
}

static void open_sender(void *arg)
{
    static const fedn__stream_events events = {.closed = sender_closed};
    test_sender *sender = arg;

    (void)fedn__channel_stream(sender->depot->rig.channel, "/fedn.ModelService/Upload", NULL,
                               &fedn__model_response__descriptor, &events, sender, &sender->stream,
                               NULL);
}

static void send_one(void *arg)
{
    test_sender *sender = arg;
    uint8_t head[FEDN__CHUNK_HEAD_BYTES];
    uint64_t head_bytes = fedn__chunk_head(FEDN__CHUNK_REQUEST, sender->id, NULL, sender->status,
                                           sender->bytes, head);

    if (sender->stream)
        (void)fedn__stream_send_blob(sender->stream, head, head_bytes, sender->blob, 0,
                                     sender->bytes, NULL, NULL);
}

static void end_sender(void *arg)
{
    test_sender *sender = arg;

    if (sender->stream)
        fedn__stream_end_sending(sender->stream);
}

static void cancel_sender(void *arg)
{
    test_sender *sender = arg;

    if (sender->stream)
        fedn__stream_cancel(sender->stream);
}

static void sender_start(test_sender *sender, test_depot *depot)
{
    uint8_t *data = pattern(FEDN__MIB);
    fedn_error err;

    memset(sender, 0, sizeof *sender);
    sender->depot = depot;
    assert_ok(fedn__blob_copy(data, FEDN__MIB, &sender->blob, &err), &err);
    free(data);
    rig_dialling(&depot->rig, open_sender, sender);
}

static void sender_send(test_sender *sender, const char *id, int32_t status, uint64_t bytes)
{
    sender->id = id;
    sender->status = status;
    sender->bytes = bytes;
    rig_dialling(&sender->depot->rig, send_one, sender);
}

static void sender_done(test_sender *sender)
{
    rig_dialling(&sender->depot->rig, cancel_sender, sender);
    fedn__blob_unref(sender->blob);
}

static void an_upload_that_turns_to_another_model_is_refused(void **state)
{
    test_depot *depot = *state;
    test_sender sender;

    sender_start(&sender, depot);
    sender_send(&sender, ID, 1, FEDN__MIB);
    sender_send(&sender, OTHER_ID, 1, FEDN__MIB);
    rig_wait(&depot->rig.notes, "rpc3");
    rig_wait(&depot->rig.notes, "stored-15");
    assert_int_equal(files(depot->dir, ID), 0);
    sender_done(&sender);
}

static void an_upload_without_its_last_message_is_refused(void **state)
{
    test_depot *depot = *state;
    test_sender sender;

    sender_start(&sender, depot);
    sender_send(&sender, ID, 1, FEDN__MIB);
    rig_dialling(&depot->rig, end_sender, &sender);
    rig_wait(&depot->rig.notes, "rpc3");
    rig_wait(&depot->rig.notes, "stored-15");
    assert_int_equal(files(depot->dir, ID), 0);
    sender_done(&sender);
    sender_start(&sender, depot);
    rig_dialling(&depot->rig, end_sender, &sender); /* nothing at all */
    rig_wait_count(&depot->rig.notes, "rpc3", 2);
    sender_done(&sender);
}

static void a_message_of_a_wrong_status_is_refused(void **state)
{
    test_depot *depot = *state;
    test_sender sender;

    sender_start(&sender, depot);
    sender_send(&sender, ID, 3, 10);
    rig_wait(&depot->rig.notes, "rpc3");
    assert_int_equal(rig_count(&depot->rig.notes, "accept"), 0);
    sender_done(&sender);
}

static void an_upload_that_breaks_off_leaves_nothing_and_may_be_repeated(void **state)
{
    test_depot *depot = *state;
    uint8_t *data = pattern(2 * FEDN__MIB);
    test_sender sender;
    fedn_error err;

    sender_start(&sender, depot);
    for (int i = 0; i < 3; i++)
        sender_send(&sender, ID, 1, FEDN__MIB);
    rig_wait(&depot->rig.notes, "accept");
    sender_done(&sender);
    rig_wait(&depot->rig.notes, "rpc1");
    rig_wait(&depot->rig.notes, "stored-11");
    assert_int_equal(files(depot->dir, ID), 0);
    assert_ok(upload(depot, ID, data, 2 * FEDN__MIB, &err), &err);
    assert_file(depot->dir, ID, data, 2 * FEDN__MIB);
    free(data);
}

static void a_second_upload_takes_the_place_of_one_that_hangs(void **state)
{
    test_depot *depot = *state;
    uint8_t *data = pattern(3 * FEDN__MIB);
    test_sender sender;
    fedn_error err;

    sender_start(&sender, depot);
    sender_send(&sender, ID, 1, FEDN__MIB);
    rig_wait(&depot->rig.notes, "accept");
    assert_ok(upload(depot, ID, data, 3 * FEDN__MIB, &err), &err);
    rig_wait(&depot->rig.notes, "rpc10");
    assert_file(depot->dir, ID, data, 3 * FEDN__MIB);
    assert_int_equal(files(depot->dir, ID), 1);
    assert_int_equal(rig_count(&depot->rig.notes, "stored0"), 1);
    assert_int_equal(rig_count(&depot->rig.notes, "stored-11"), 0);
    sender_done(&sender);
    free(data);
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
    uint8_t *data = pattern(bytes);
    test_move up = {.depot = depot, .id = ID};
    char path[512];
    fedn_error err;

    assert_ok(fedn__blob_copy(data, bytes, &up.blob, &err), &err);
    move_begin(&up);
    rig_wait(&depot->rig.notes, "accept");
    rig_dialling(&depot->rig, cancel_move, &up);
    move_wait(&up);
    assert_int_equal(up.rc, FEDN_ERR_CANCELLED);
    rig_wait(&depot->rig.notes, "stored-11");
    assert_int_equal(files(depot->dir, ID), 0);
    assert_ok(upload(depot, ID, data, bytes, &err), &err);
    snprintf(path, sizeof path, "%s/fetched", depot->dir);
    test_move down = {.depot = depot, .id = ID, .path = path, .max_bytes = bytes};
    move_begin(&down);
    rig_dialling(&depot->rig, cancel_move, &down);
    move_wait(&down);
    assert_int_equal(down.rc, FEDN_ERR_CANCELLED);
    assert_int_equal(files(depot->dir, "fetched"), 0);
    fedn__blob_unref(up.blob);
    free(data);
}

static void a_server_that_stops_ends_transfers_cleanly(void **state)
{
    test_depot *depot = *state;
    test_sender sender;

    sender_start(&sender, depot);
    sender_send(&sender, ID, 1, FEDN__MIB);
    rig_wait(&depot->rig.notes, "accept");
    fedn__server_free(depot->rig.server, 0);
    depot->rig.server = NULL;
    assert_int_equal(rig_count(&depot->rig.notes, "stored-11"), 1);
    assert_int_equal(files(depot->dir, ID), 0);
    rig_wait(&depot->rig.notes, "rpc14");
    sender_done(&sender);
}

enum { READERS = 8 };

static void many_readers_share_one_model(void **state)
{
    test_depot *depot = *state;
    uint64_t bytes = 6 * FEDN__MIB + 11;
    uint8_t *data = pattern(bytes);
    test_move moves[READERS];
    char paths[READERS][512];
    fedn_error err;

    assert_ok(upload(depot, ID, data, bytes, &err), &err);
    memset(moves, 0, sizeof moves);
    for (int i = 0; i < READERS; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/r%d", depot->dir, i);
        moves[i].depot = depot;
        moves[i].id = ID;
        moves[i].path = paths[i];
        moves[i].max_bytes = bytes;
        move_begin(&moves[i]);
    }
    for (int i = 0; i < READERS; i++) {
        char name[8];
        move_wait(&moves[i]);
        assert_ok(moves[i].rc, &moves[i].err);
        snprintf(name, sizeof name, "r%d", i);
        assert_file(depot->dir, name, data, bytes);
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
    if (rc == FEDN_ERR_UNAVAILABLE && strstr(err->message, "out of memory"))
        return FEDN_ERR_NOMEM;
    fprintf(stderr, "%d: %s\n", (int)rc, err->message);
    return rc;
}

static fedn_status move_both_ways(test_depot *depot)
{
    uint64_t bytes = FEDN__LIMIT_CHUNK_BYTES + 5;
    test_move up = {.depot = depot, .id = ID};
    test_move down = {.depot = depot, .id = ID, .max_bytes = bytes};
    void *data = fedn__alloc_zero(bytes);
    char *path = fedn__fs_join(depot->dir, "fetched");
    fedn_status rc = data && path ? FEDN_OK : FEDN_ERR_NOMEM;

    if (rc == FEDN_OK)
        rc = fedn__blob_copy(data, bytes, &up.blob, &up.err);
    if (rc == FEDN_OK) {
        move_begin(&up);
        move_wait(&up);
        rc = as_nomem(up.rc, &up.err);
    }
    if (rc == FEDN_OK) {
        down.path = path;
        move_begin(&down);
        move_wait(&down);
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
    fedn__channel_options dial = {.target = rig->target};
    fedn__method rows[2];
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
        rc = fedn__server_new(rig->serving, &options, rows, 2, &rig->server, &err);
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

    (void)state;
    memset(&depot, 0, sizeof depot);
    rig_notes_init(&depot.rig.notes);
    depot.quiet = 1;
    depot.dir = test_scratch();
    depot.max_bytes = 64 * FEDN__MIB;
    depot.host.accept = accept_model;
    depot.host.stored = stored_model;
    depot.host.find = find_model;
    depot.host.service = &depot;
    test_fail_each_allocation(world_turns, &depot);
    assert_int_equal(files(depot.dir, ID), 1);
    assert_int_equal(files(depot.dir, "fetched"), 1);
    test_scratch_done(depot.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(models_of_all_sizes_arrive_whole_both_ways),
        TEST(a_refused_model_leaves_nothing),
        TEST(a_model_over_the_ceiling_is_refused_and_removed),
        TEST(a_model_the_peer_lacks_is_not_found),
        TEST(a_file_that_cannot_be_written_fails_the_transfer),
        TEST(an_upload_that_turns_to_another_model_is_refused),
        TEST(an_upload_without_its_last_message_is_refused),
        TEST(a_message_of_a_wrong_status_is_refused),
        TEST(an_upload_that_breaks_off_leaves_nothing_and_may_be_repeated),
        TEST(a_second_upload_takes_the_place_of_one_that_hangs),
        TEST(a_cancelled_transfer_says_so_and_leaves_nothing),
        TEST(a_server_that_stops_ends_transfers_cleanly),
        TEST(many_readers_share_one_model),
        cmocka_unit_test(no_allocation_of_a_network_is_lost),
    };

    return cmocka_run_group_tests_name("rpc transfer", tests, test_count_setup,
                                       test_count_teardown);
}
