/* SPDX-License-Identifier: Apache-2.0
 * A host of models in a directory, and moving one to it and from it; see depot.h. */
#include "depot.h"

#include "core/fs.h"
#include "core/limits.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static fedn_status accept_into(void *service, fedn__call *call, const char *id, char **ret_path,
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

static void note_stored(void *service, const char *id, fedn_status status, fedn__blob *blob,
                        const fedn_error *err)
{
    test_depot *depot = service;

    (void)err;
    if (depot->keep)
        *depot->keep = fedn__blob_ref(blob);
    if (depot->quiet)
        return;
    rig_note(&depot->rig.notes, "stored%d:%llu:%s", (int)status,
             (unsigned long long)(blob ? fedn__blob_bytes(blob) : 0), id);
    rig_note(&depot->rig.notes, "stored%d", (int)status);
}

static fedn_status find_in(void *service, fedn__call *call, const char *id, fedn__blob **ret,
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

static void set_keep(void *arg)
{
    test_depot *depot = arg;

    depot->keep = depot->wanted_keep;
    depot->host.memory_bytes = depot->wanted_bytes;
}

void depot_limit(test_depot *depot, uint64_t max_bytes)
{
    depot->wanted_bytes = max_bytes;
    rig_serving(&depot->rig, set_max_bytes, depot);
}

void depot_keep(test_depot *depot, uint64_t memory_bytes, fedn__blob **keep)
{
    depot->wanted_bytes = memory_bytes;
    depot->wanted_keep = keep;
    rig_serving(&depot->rig, set_keep, depot);
}

void depot_find(test_depot *depot, fedn_status rc)
{
    depot->wanted_rc = rc;
    rig_serving(&depot->rig, set_find, depot);
}

void depot_host(test_depot *depot)
{
    depot->host.accept = accept_into;
    depot->host.stored = note_stored;
    depot->host.find = find_in;
    depot->host.service = depot;
}

int depot_setup(void **state)
{
    test_depot *depot = calloc(1, sizeof *depot);
    fedn__method rows[FEDN__TRANSFER_METHODS];
    fedn_error err;

    depot->dir = test_scratch();
    depot->max_bytes = 64 * FEDN__MIB;
    depot_host(depot);
    depot->parts = fedn__fs_join(depot->dir, "parts");
    assert_ok(fedn__fs_mkdirs(depot->parts, &err), &err);
    fedn__transfer_methods(&depot->host, rows);
    rig_start(&depot->rig, rows, FEDN__TRANSFER_METHODS);
    depot->host.loop = depot->rig.serving;
    depot->host.pool = depot->rig.pool;
    *state = depot;
    return 0;
}

int depot_teardown(void **state)
{
    test_depot *depot = *state;

    rig_stop(&depot->rig);
    test_scratch_done(depot->dir);
    fedn__free(depot->parts);
    free(depot);
    return 0;
}

/* Files in the directory, parts included. */
int depot_files(const char *dir, const char *name)
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

uint8_t *depot_pattern(uint64_t bytes)
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

static void moved(fedn_status status, const fedn_error *err, fedn__blob *blob, void *user_data)
{
    test_move *move = user_data;

    move->rc = status;
    if (err)
        move->err = *err;
    if (move->keep)
        *move->keep = fedn__blob_ref(blob);
    if (!blob && status == FEDN_OK)
        blob = move->blob; /* what was sent */
    move->bytes = blob ? fedn__blob_bytes(blob) : 0;
    fedn__flag_set(&move->done);
}

static void begin_move(void *arg)
{
    test_move *move = arg;
    test_rig *rig = &move->depot->rig;
    const fedn__download what = {.id = move->id,
                                 .client_id = "client-1",
                                 .path = move->path,
                                 .parts = move->parts,
                                 .max_bytes = move->max_bytes,
                                 .memory_bytes = move->memory_bytes};
    const fedn__sending up = {
        .id = move->id, .client_id = "client-1", .blob = move->blob, .resume = move->resume};

    move->transfer = NULL;
    move->rc = move->blob ? fedn__transfer_upload(rig->channel, rig->pool, &up, moved, move,
                                                  &move->transfer, &move->err)
                          : fedn__transfer_download(rig->channel, rig->pool, &what, moved, move,
                                                    &move->transfer, &move->err);
}

void depot_move_begin(test_move *move)
{
    memset(&move->err, 0, sizeof move->err);
    fedn__flag_init(&move->done);
    rig_dialling(&move->depot->rig, begin_move, move);
    if (!move->transfer)
        fedn__flag_set(&move->done);
}

void depot_move_wait(test_move *move)
{
    assert_true(fedn__flag_wait(&move->done, INT64_MAX));
    fedn__flag_done(&move->done);
}

fedn_status depot_upload(test_depot *depot, const char *id, const void *data, uint64_t bytes,
                         fedn_error *err)
{
    test_move move = {.depot = depot, .id = id};

    assert_ok(fedn__blob_copy(data, bytes, &move.blob, err), err);
    depot_move_begin(&move);
    depot_move_wait(&move);
    fedn__blob_unref(move.blob);
    *err = move.err;
    if (move.rc == FEDN_OK)
        assert_int_equal(move.bytes, bytes);
    return move.rc;
}

fedn_status depot_download(test_depot *depot, const char *id, const char *path, uint64_t max_bytes,
                           fedn_error *err)
{
    test_move move = {.depot = depot, .id = id, .path = path, .max_bytes = max_bytes};

    depot_move_begin(&move);
    depot_move_wait(&move);
    *err = move.err;
    return move.rc;
}

void depot_assert_file(const char *dir, const char *name, const void *data, uint64_t bytes)
{
    char path[512];
    uint64_t got = 0;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    char *content = test_read_file(path, &got);
    assert_int_equal(got, bytes);
    assert_memory_equal(content, data, bytes);
    free(content);
}
