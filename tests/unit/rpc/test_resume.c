/* SPDX-License-Identifier: Apache-2.0
 * Transfers that break and go on where they were: both directions, cut anywhere, and what keeps two
 * contents from becoming one. */
#include "depot.h"

#include "core/fs.h"
#include "core/limits.h"
#include "proxy.h"
#include "rpc/parts.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES (12 * FEDN__MIB + 345)
#define LEAST (FEDN__MIB * 2) /* of what is on its way */

typedef struct cable {
    test_depot *depot;
    test_proxy *proxy;
    uint8_t *data;
    char *fetched;
} cable;

static void keep_parts(void *arg)
{
    test_depot *depot = arg;

    depot->host.parts = depot->parts;
    depot->host.owner_key = "client";
}

static void dial(cable *line, const char *client)
{
    const char *metadata[] = {"client", client, NULL};
    test_rig *rig = &line->depot->rig;
    char target[64];
    fedn_error err;

    snprintf(target, sizeof target, "127.0.0.1:%d", (int)proxy_port(line->proxy));
    const fedn__channel_options options = {
        .target = target, .metadata = metadata, .backoff_max_ms = 300};
    rig_hang_up(rig);
    assert_ok(fedn__channel_new(rig->dialling, &options, &rig->channel, &err), &err);
}

static int lay(void **state)
{
    cable *line = calloc(1, sizeof *line);

    depot_setup((void **)&line->depot);
    rig_serving(&line->depot->rig, keep_parts, line->depot);
    line->proxy = proxy_new(fedn__server_port(line->depot->rig.server));
    line->data = depot_pattern(BYTES);
    line->fetched = fedn__fs_join(line->depot->dir, "fetched");
    dial(line, "client-1");
    *state = line;
    return 0;
}

static int take_up(void **state)
{
    cable *line = *state;
    void *depot = line->depot;

    rig_hang_up(&line->depot->rig);
    proxy_free(line->proxy);
    depot_teardown(&depot);
    fedn__free(line->fetched);
    free(line->data);
    free(line);
    return 0;
}

static fedn_status upload(cable *line, const void *data, uint64_t bytes, int32_t resume,
                          fedn_error *err)
{
    test_move move = {.depot = line->depot, .id = ID, .resume = resume};

    assert_ok(fedn__blob_copy(data, bytes, &move.blob, err), err);
    depot_move_begin(&move);
    depot_move_wait(&move);
    fedn__blob_unref(move.blob);
    *err = move.err;
    return move.rc;
}

static fedn_status download(cable *line, fedn_error *err)
{
    test_move move = {.depot = line->depot,
                      .id = ID,
                      .path = line->fetched,
                      .parts = line->depot->parts,
                      .max_bytes = BYTES};

    depot_move_begin(&move);
    depot_move_wait(&move);
    *err = move.err;
    return move.rc;
}

static char *part_of(cable *line, const char *owner)
{
    return fedn__part_path(line->depot->parts, ID, owner);
}

static uint64_t part_bytes(cable *line, const char *owner)
{
    char *path = part_of(line, owner);
    struct stat info;

    uint64_t bytes = stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
    fedn__free(path);
    return bytes;
}

static void store(cable *line, const void *data, uint64_t bytes)
{
    char *path = fedn__fs_join(line->depot->dir, ID);

    test_write_file(path, data, bytes);
    fedn__free(path);
}

/* One cut after so many bytes in the direction, then the line holds. The listener may not have
 * noticed yet: who goes on ends what hangs there. */
static void break_upload(cable *line, uint64_t after)
{
    fedn_error err;

    dial(line, "client-1");
    proxy_cut_after(line->proxy, PROXY_UP, after);
    assert_true(upload(line, line->data, BYTES, 0, &err) < 0);
    assert_true(fedn_status_is_retryable(err.code));
    proxy_cut_after(line->proxy, PROXY_UP, UINT64_MAX);
    dial(line, "client-1");
}

static void break_download(cable *line, uint64_t after)
{
    fedn_error err;

    dial(line, "client-1");
    proxy_cut_after(line->proxy, PROXY_DOWN, after);
    assert_true(download(line, &err) < 0);
    assert_true(fedn_status_is_retryable(err.code));
    proxy_cut_after(line->proxy, PROXY_DOWN, UINT64_MAX);
    dial(line, "client-1");
}

static void an_upload_goes_on_where_it_was_cut(void **state)
{
    static const uint64_t cuts[] = {6 * FEDN__MIB + 1, 9 * FEDN__MIB + 77777, 12 * FEDN__MIB};
    cable *line = *state;
    fedn_error err;

    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        break_upload(line, cuts[i]);
        uint64_t before = proxy_bytes(line->proxy, PROXY_UP);
        uint64_t there = part_bytes(line, "client-1"); /* at least: a worker may be writing */
        assert_in_range(there, 1, cuts[i]);
        assert_ok(upload(line, line->data, BYTES, 1, &err), &err);
        depot_assert_file(line->depot->dir, ID, line->data, BYTES);
        assert_int_equal(part_bytes(line, "client-1"), 0);
        /* only the rest travelled */
        assert_in_range(proxy_bytes(line->proxy, PROXY_UP) - before, BYTES - cuts[i],
                        BYTES - there + FEDN__MIB / 8);
    }
}

static void a_line_that_is_cut_again_and_again_still_carries_it(void **state)
{
    cable *line = *state;
    int32_t tries = 0;
    fedn_error err;

    proxy_cut_after(line->proxy, PROXY_UP, 4 * FEDN__MIB);
    while (upload(line, line->data, BYTES, tries++ > 0, &err) < 0)
        assert_true(tries < 20);
    assert_in_range(tries, 4, 12);
    depot_assert_file(line->depot->dir, ID, line->data, BYTES);
    proxy_cut_after(line->proxy, PROXY_UP, UINT64_MAX);
    proxy_cut_after(line->proxy, PROXY_DOWN, 4 * FEDN__MIB);
    for (tries = 0; download(line, &err) < 0; tries++)
        assert_true(tries < 20);
    assert_in_range(tries, 3, 12);
    depot_assert_file(line->depot->dir, "fetched", line->data, BYTES);
}

static void a_download_goes_on_where_it_was_cut(void **state)
{
    static const uint64_t cuts[] = {6 * FEDN__MIB + 1, 9 * FEDN__MIB + 77777, 12 * FEDN__MIB};
    cable *line = *state;
    fedn_error err;

    store(line, line->data, BYTES);
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        break_download(line, cuts[i]);
        uint64_t there = part_bytes(line, NULL);
        uint64_t before = proxy_bytes(line->proxy, PROXY_DOWN);
        assert_in_range(there, FEDN__MIB, cuts[i]); /* what is on its way is lost */
        assert_ok(download(line, &err), &err);
        depot_assert_file(line->depot->dir, "fetched", line->data, BYTES);
        assert_int_equal(part_bytes(line, NULL), 0);
        assert_in_range(proxy_bytes(line->proxy, PROXY_DOWN) - before, BYTES - there,
                        BYTES - there + FEDN__MIB / 8);
    }
}

/* Everything is there but the word that it is everything. */
static void what_is_whole_already_needs_only_to_be_confirmed(void **state)
{
    cable *line = *state;
    char *part = part_of(line, "client-1");
    char *fetched = part_of(line, NULL);
    fedn_error err;

    test_write_file(part, line->data, BYTES);
    assert_ok(upload(line, line->data, BYTES, 1, &err), &err);
    depot_assert_file(line->depot->dir, ID, line->data, BYTES);
    test_write_file(fetched, line->data, BYTES);
    assert_ok(download(line, &err), &err);
    depot_assert_file(line->depot->dir, "fetched", line->data, BYTES);
    assert_in_range(proxy_bytes(line->proxy, PROXY_UP), 1, FEDN__MIB / 8);
    assert_in_range(proxy_bytes(line->proxy, PROXY_DOWN), 1, FEDN__MIB / 8);
    fedn__free(part);
    fedn__free(fetched);
}

/* One bit in what is there, or in what is to come, or a tail that another process has torn. */
static void another_content_begins_anew(void **state)
{
    cable *line = *state;
    char *part = part_of(line, "client-1");
    char *fetched = part_of(line, NULL);
    fedn_error err;

    for (int32_t kind = 0; kind < 3; kind++) {
        uint64_t there = kind == 2 ? BYTES + 7 : 7 * FEDN__MIB + 3;
        uint8_t *damaged = depot_pattern(BYTES + 7);
        damaged[kind == 0 ? 0 : 7 * FEDN__MIB + 2] ^= 1;
        test_write_file(part, damaged, there);
        assert_ok(upload(line, line->data, BYTES, 1, &err), &err);
        depot_assert_file(line->depot->dir, ID, line->data, BYTES);
        test_write_file(fetched, damaged, there);
        assert_ok(download(line, &err), &err);
        depot_assert_file(line->depot->dir, "fetched", line->data, BYTES);
        free(damaged);
    }
    assert_true(proxy_bytes(line->proxy, PROXY_UP) > 3 * BYTES);
    assert_true(proxy_bytes(line->proxy, PROXY_DOWN) > 3 * BYTES);
    fedn__free(part);
    fedn__free(fetched);
}

static int32_t has_it(void *service, fedn__call *call, const char *id,
                      uint8_t ret_digest[FEDN__DIGEST_BYTES])
{
    const test_depot *depot = service;

    (void)call;
    (void)id;
    memcpy(ret_digest, depot->whole, FEDN__DIGEST_BYTES);
    return 1;
}

/* What is there whole under this id is not sent again, unless it is another. */
static void an_upload_that_is_there_already_is_not_made(void **state)
{
    cable *line = *state;
    fedn_error err;

    line->depot->host.whole = has_it; /* no call has been made yet */
    fedn__digest_of(line->data, BYTES, line->depot->whole);
    assert_ok(upload(line, line->data, BYTES, 1, &err), &err);
    assert_int_equal(rig_count(&line->depot->rig.notes, "accept"), 0);
    assert_in_range(proxy_bytes(line->proxy, PROXY_UP), 1, FEDN__MIB / 8);
    assert_ok(upload(line, line->data, BYTES - 1, 1, &err), &err);
    depot_assert_file(line->depot->dir, ID, line->data, BYTES - 1);
}

static void a_part_is_found_only_by_who_began_it(void **state)
{
    cable *line = *state;
    fedn_error err;

    break_upload(line, 8 * FEDN__MIB);
    uint64_t there = part_bytes(line, "client-1");
    assert_true(there > 0);
    dial(line, "client-2");
    uint64_t before = proxy_bytes(line->proxy, PROXY_UP);
    assert_ok(upload(line, line->data, BYTES, 1, &err), &err);
    assert_true(proxy_bytes(line->proxy, PROXY_UP) - before > BYTES);
    assert_true(part_bytes(line, "client-1") >= there);
}

static void without_a_place_for_parts_nothing_stays(void **state)
{
    cable *line = *state;
    fedn_error err;

    line->depot->host.parts = NULL; /* no call has been made yet */
    break_upload(line, 8 * FEDN__MIB);
    assert_int_equal(part_bytes(line, "client-1"), 0);
    assert_ok(upload(line, line->data, BYTES, 1, &err), &err);
    depot_assert_file(line->depot->dir, ID, line->data, BYTES);
}

/* The old upload is not known to be dead: asking ends it, and what it brought counts. */
static void an_upload_whose_peer_went_unnoticed_is_gone_on_with(void **state)
{
    cable *line = *state;
    fedn_error err;
    test_move move = {.depot = line->depot, .id = ID};
    test_rig *rig = &line->depot->rig;
    fedn__channel *frozen = rig->channel;

    assert_ok(fedn__blob_copy(line->data, BYTES, &move.blob, &err), &err);
    proxy_freeze_after(line->proxy, PROXY_UP, 6 * FEDN__MIB);
    depot_move_begin(&move);
    proxy_wait_frozen(line->proxy);
    test_proxy *other = proxy_new(fedn__server_port(rig->server));
    test_proxy *first = line->proxy;
    line->proxy = other;
    rig->channel = NULL;
    dial(line, "client-1");
    assert_ok(upload(line, line->data, BYTES, 1, &err), &err);
    depot_assert_file(line->depot->dir, ID, line->data, BYTES);
    assert_in_range(proxy_bytes(other, PROXY_UP), BYTES - 6 * FEDN__MIB,
                    BYTES - 6 * FEDN__MIB + LEAST);
    fedn__channel *second = rig->channel;
    rig->channel = frozen;
    rig_hang_up(rig);
    rig->channel = second;
    depot_move_wait(&move);
    assert_true(move.rc < 0);
    fedn__blob_unref(move.blob);
    proxy_free(first);
}

/* As FEDn's combiner, which would append a second upload to what it has. */
static void a_peer_that_cannot_say_what_it_has_is_sent_nothing(void **state)
{
    cable *line = *state;
    test_rig *rig = &line->depot->rig;
    fedn__server_options options = {.listen = "127.0.0.1:0"};
    fedn__method rows[FEDN__TRANSFER_METHODS];
    fedn__server *plain = NULL;
    fedn_error err;

    fedn__transfer_methods(&line->depot->host, rows);
    assert_ok(fedn__server_new(rig->serving, &options, rows, 2, &plain, &err), &err);
    proxy_turn(line->proxy, fedn__server_port(plain));
    assert_fails(upload(line, line->data, BYTES, 1, &err), FEDN_ERR_UNSUPPORTED, &err,
                 "UNIMPLEMENTED");
    assert_in_range(proxy_bytes(line->proxy, PROXY_UP), 1, FEDN__MIB / 8);
    assert_ok(upload(line, line->data, BYTES, 0, &err), &err);
    rig_hang_up(rig);
    fedn__server_free(plain, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_upload_goes_on_where_it_was_cut, lay, take_up),
        cmocka_unit_test_setup_teardown(a_line_that_is_cut_again_and_again_still_carries_it, lay,
                                        take_up),
        cmocka_unit_test_setup_teardown(a_download_goes_on_where_it_was_cut, lay, take_up),
        cmocka_unit_test_setup_teardown(what_is_whole_already_needs_only_to_be_confirmed, lay,
                                        take_up),
        cmocka_unit_test_setup_teardown(another_content_begins_anew, lay, take_up),
        cmocka_unit_test_setup_teardown(an_upload_that_is_there_already_is_not_made, lay, take_up),
        cmocka_unit_test_setup_teardown(a_part_is_found_only_by_who_began_it, lay, take_up),
        cmocka_unit_test_setup_teardown(without_a_place_for_parts_nothing_stays, lay, take_up),
        cmocka_unit_test_setup_teardown(a_peer_that_cannot_say_what_it_has_is_sent_nothing, lay,
                                        take_up),
        cmocka_unit_test_setup_teardown(an_upload_whose_peer_went_unnoticed_is_gone_on_with, lay,
                                        take_up),
    };
    return cmocka_run_group_tests(tests, test_count_setup, test_count_teardown);
}
