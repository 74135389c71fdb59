/* SPDX-License-Identifier: Apache-2.0
 * Archives: what comes out of good ones, and that nothing comes out of hostile ones. */
#include "core/alloc.h"
#include "core/fs.h"
#include "core/limits.h"
#include "test.h"
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fedn/package.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct member {
    const char *path;
    unsigned int type; /* AE_IFREG, ... */
    const char *text;  /* contents; of a link: where it leads to */
    int32_t hard;
    int32_t mode;
} member;

static void pack(const char *path, const member *members, uint32_t count)
{
    struct archive *archive = archive_write_new();

    archive_write_set_format_pax_restricted(archive);
    archive_write_add_filter_gzip(archive);
    assert_int_equal(archive_write_open_filename(archive, path), ARCHIVE_OK);
    for (uint32_t i = 0; i < count; i++) {
        const member *m = &members[i];
        size_t bytes = m->type == AE_IFREG && m->text ? strlen(m->text) : 0;
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, m->path);
        archive_entry_set_filetype(entry, m->type);
        archive_entry_set_perm(entry, (mode_t)(m->mode ? m->mode : 0644));
        archive_entry_set_size(entry, (la_int64_t)(m->hard ? 0 : bytes));
        if (m->hard)
            archive_entry_set_hardlink(entry, m->text);
        else if (m->type == AE_IFLNK)
            archive_entry_set_symlink(entry, m->text);
        assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
        if (bytes > 0 && !m->hard)
            assert_int_equal(archive_write_data(archive, m->text, bytes), bytes);
        archive_entry_free(entry);
    }
    assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
    archive_write_free(archive);
}

static int32_t is_there(const char *dir, const char *name)
{
    char *path = fedn__fs_join(dir, name);
    struct stat info;
    int32_t found = lstat(path, &info) == 0;

    fedn__free(path);
    return found;
}

static void assert_mode(const char *dir, const char *name, unsigned int mode)
{
    char *path = fedn__fs_join(dir, name);
    struct stat info;

    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, mode);
    fedn__free(path);
}

static void files_and_folders_come_out_with_modes_of_their_owner(void **state)
{
    const member members[] = {{"./", AE_IFDIR, NULL, 0, 0777},
                              {"./fedn.yaml", AE_IFREG, "entry_points: {}"},
                              {"./bin/run", AE_IFREG, "#!/bin/sh\n", 0, 06777},
                              {"./empty/", AE_IFDIR, NULL, 0, 07777},
                              {"empty", AE_IFDIR, NULL}};
    char *archive = fedn__fs_join(*state, "good.tgz");
    char *dir = fedn__fs_join(*state, "out");
    fedn_error err;

    pack(archive, members, 5);
    assert_ok(fedn_package_extract(archive, dir, &err), &err);
    assert_mode(dir, "fedn.yaml", 0600);
    assert_mode(dir, "bin/run", 0700);
    assert_mode(dir, "empty", 0700);
    assert_fails(fedn_package_extract(archive, dir, &err), FEDN_ERR_EXISTS, &err, "out");
    fedn__free(dir);
    fedn__free(archive);
}

typedef struct hostile {
    member members[2];
    const char *said;
} hostile;

static const hostile cases[] = {
    {{{"fine", AE_IFREG, "x"}, {"/tmp/fedn-absolute", AE_IFREG, "x"}}, "fedn-absolute absolute"},
    {{{"fine", AE_IFREG, "x"}, {"../escaped", AE_IFREG, "x"}}, "escaped out"},
    {{{"fine", AE_IFREG, "x"}, {"a/../../escaped", AE_IFREG, "x"}}, "escaped out"},
    {{{"fine", AE_IFREG, "x"}, {"..", AE_IFDIR, NULL}}, "out"},
    {{{"door", AE_IFLNK, "/tmp"}, {"door/escaped", AE_IFREG, "x"}}, "door link"},
    {{{"fine", AE_IFREG, "x"}, {"door", AE_IFLNK, "fine"}}, "door link"},
    {{{"fine", AE_IFREG, "x"}, {"hard", AE_IFREG, "fine", 1}}, "hard link"},
    {{{"fine", AE_IFREG, "x"}, {"outside", AE_IFREG, "/etc/passwd", 1}}, "outside link"},
    {{{"fine", AE_IFREG, "x"}, {"pipe", AE_IFIFO, NULL}}, "pipe neither"},
    {{{"fine", AE_IFREG, "x"}, {"null", AE_IFCHR, NULL}}, "null neither"},
    {{{"fine", AE_IFREG, "x"}, {"disk", AE_IFBLK, NULL}}, "disk neither"},
    {{{"fine", AE_IFREG, "x"}, {"fine", AE_IFREG, "y"}}, "fine twice"},
    {{{"fine", AE_IFREG, "x"}, {"fine/below", AE_IFREG, "y"}}, "fine below"},
    {{{"fine", AE_IFREG, "x"}, {"fine", AE_IFDIR, NULL}}, "fine below"},
    {{{"fine/below", AE_IFREG, "x"}, {"fine", AE_IFREG, "y"}}, "fine twice"},
    {{{"fine", AE_IFREG, "x"}, {"two\nlines", AE_IFREG, "y"}}, "lines printable"},
};

static void nothing_comes_out_of_hostile_archives(void **state)
{
    char *archive = fedn__fs_join(*state, "hostile.tgz");
    char *dir = fedn__fs_join(*state, "inner/out");
    char *inner = fedn__fs_join(*state, "inner");

    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fedn_error err = {0};
        pack(archive, cases[i].members, 2);
        fedn_status rc = fedn_package_extract(archive, dir, &err);
        assert_int_not_equal(rc, FEDN_OK);
        test_assert_words(err.message, cases[i].said);
        assert_int_equal(rmdir(inner), 0); /* not even a part is left */
        assert_false(is_there(*state, "escaped"));
    }
    assert_false(is_there("/tmp", "fedn-absolute"));
    assert_false(is_there("/tmp", "escaped"));
    fedn__free(inner);
    fedn__free(dir);
    fedn__free(archive);
}

static void what_is_no_archive_or_cut_is_refused(void **state)
{
    const member members[] = {{"fedn.yaml", AE_IFREG, "entry_points: {train: {command: run}}"}};
    char *archive = fedn__fs_join(*state, "cut.tgz");
    char *dir = fedn__fs_join(*state, "out");
    char *text = NULL;
    uint64_t bytes = 0;
    fedn_error err;

    test_write_file(archive, "no tar at all", 13);
    assert_fails(fedn_package_extract(archive, dir, &err), FEDN_ERR_FORMAT, &err, "cut.tgz tar");
    test_write_file(archive, "", 0);
    assert_fails(fedn_package_extract(archive, dir, &err), FEDN_ERR_FORMAT, &err, "cut.tgz");
    pack(archive, members, 1);
    assert_ok(fedn__fs_read(archive, FEDN__MIB, &text, &bytes, &err), &err);
    test_write_file(archive, text, bytes / 2);
    assert_fails(fedn_package_extract(archive, dir, &err), FEDN_ERR_FORMAT, &err, "cut.tgz");
    assert_false(is_there(*state, "out"));
    fedn__free(text);
    fedn__free(dir);
    fedn__free(archive);
}

static void a_bomb_stops_at_its_ratio(void **state)
{
    uint64_t bytes = FEDN__LIMIT_PACKAGE_SMALL + 1;
    char *zeros = malloc(bytes + 1);
    char *archive = fedn__fs_join(*state, "bomb.tgz");
    char *dir = fedn__fs_join(*state, "out");
    fedn_error err;

    memset(zeros, '0', bytes);
    zeros[bytes] = 0;
    const member members[] = {{"fedn.yaml", AE_IFREG, zeros}};
    pack(archive, members, 1);
    assert_fails(fedn_package_extract(archive, dir, &err), FEDN_ERR_LIMIT, &err, "bomb.tgz 200");
    assert_false(is_there(*state, "out"));
    free(zeros);
    fedn__free(dir);
    fedn__free(archive);
}

static void too_many_members_are_refused(void **state)
{
    uint32_t count = FEDN__LIMIT_PACKAGE_MEMBERS + 1;
    member *members = calloc(count, sizeof *members);
    char *archive = fedn__fs_join(*state, "many.tgz");
    char *dir = fedn__fs_join(*state, "out");
    fedn_error err;

    for (uint32_t i = 0; i < count; i++)
        members[i] = (member){"d", AE_IFDIR, NULL};
    pack(archive, members, count);
    assert_fails(fedn_package_extract(archive, dir, &err), FEDN_ERR_LIMIT, &err, "many.tgz 10000");
    free(members);
    fedn__free(dir);
    fedn__free(archive);
}

/* One whose paths make folders that are no members. */
static void folders_above_members_are_counted(void **state)
{
    enum { COUNT = FEDN__LIMIT_PACKAGE_MEMBERS / 20 };
    member *members = calloc(COUNT, sizeof *members);
    char *archive = fedn__fs_join(*state, "deep.tgz");
    char *dir = fedn__fs_join(*state, "out");
    char paths[COUNT][64];
    fedn_error err;

    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(paths[i], sizeof paths[i], "%u/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/f", i);
        members[i] = (member){paths[i], AE_IFREG, "x"};
    }
    pack(archive, members, COUNT);
    assert_fails(fedn_package_extract(archive, dir, &err), FEDN_ERR_LIMIT, &err, "deep.tgz 10000");
    free(members);
    fedn__free(dir);
    fedn__free(archive);
}

/* Members are small; it is what stands before them that is not. */
static void headers_count_as_bytes(void **state)
{
    char *archive = fedn__fs_join(*state, "headers.tgz");
    char *dir = fedn__fs_join(*state, "out");
    struct archive *writer = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    char *value = calloc(1, 300 * 1024);
    fedn_error err;

    archive_write_set_format_pax(writer);
    archive_write_add_filter_gzip(writer);
    assert_int_equal(archive_write_open_filename(writer, archive), ARCHIVE_OK);
    archive_entry_set_filetype(entry, AE_IFDIR);
    archive_entry_xattr_add_entry(entry, "user.large", value, 300 * 1024);
    for (uint32_t i = 0; i < 110; i++) {
        archive_entry_set_pathname(entry, "d");
        assert_int_equal(archive_write_header(writer, entry), ARCHIVE_OK);
    }
    assert_int_equal(archive_write_close(writer), ARCHIVE_OK);
    assert_fails(fedn_package_extract(archive, dir, &err), FEDN_ERR_LIMIT, &err, "headers.tgz 200");
    archive_entry_free(entry);
    archive_write_free(writer);
    free(value);
    fedn__free(dir);
    fedn__free(archive);
}

static void what_is_compressed_twice_is_refused(void **state)
{
    const member members[] = {{"fedn.yaml", AE_IFREG, "entry_points: {}"}};
    char *archive = fedn__fs_join(*state, "twice.tgz");
    char *dir = fedn__fs_join(*state, "out");
    char command[2048];
    fedn_error err;

    pack(archive, members, 1);
    snprintf(command, sizeof command, "gzip -c %s >%s.2 && mv %s.2 %s", archive, archive, archive,
             archive);
    assert_int_equal(system(command), 0);
    assert_fails(fedn_package_extract(archive, dir, &err), FEDN_ERR_FORMAT, &err,
                 "twice.tgz compressed");
    fedn__free(dir);
    fedn__free(archive);
}

enum { SPARSE_BYTES = 10000 };

/* One file, of which only a piece is in the archive. */
static void pack_sparse(const char *path, const char text[SPARSE_BYTES], uint32_t at,
                        uint32_t bytes)
{
    struct archive *archive = archive_write_new();
    struct archive_entry *entry = archive_entry_new();

    archive_write_set_format_pax(archive);
    archive_write_add_filter_gzip(archive);
    assert_int_equal(archive_write_open_filename(archive, path), ARCHIVE_OK);
    archive_entry_set_pathname(entry, "sparse");
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_size(entry, SPARSE_BYTES);
    archive_entry_sparse_add_entry(entry, at, bytes);
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(archive, text, SPARSE_BYTES), SPARSE_BYTES);
    assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
    archive_entry_free(entry);
    archive_write_free(archive);
}

static void holes_come_out_as_zeros(void **state)
{
    static const uint32_t pieces[][2] = {{0, 0}, {0, 512}, {4096, 512}, {9488, 512}};
    char *archive = fedn__fs_join(*state, "sparse.tgz");
    fedn_error err;

    for (uint32_t i = 0; i < 4; i++) {
        char text[SPARSE_BYTES] = {0};
        char name[16];
        uint64_t bytes = 0;
        memset(text + pieces[i][0], 'x', pieces[i][1]);
        pack_sparse(archive, text, pieces[i][0], pieces[i][1]);
        snprintf(name, sizeof name, "out%u", i);
        char *dir = fedn__fs_join(*state, name);
        char *path = fedn__fs_join(dir, "sparse");
        assert_ok(fedn_package_extract(archive, dir, &err), &err);
        char *found = test_read_file(path, &bytes);
        assert_int_equal(bytes, SPARSE_BYTES);
        assert_memory_equal(found, text, SPARSE_BYTES);
        free(found);
        fedn__free(path);
        fedn__free(dir);
    }
    fedn__free(archive);
}

static fedn_status extract_once(void *state)
{
    char path[4096];
    char dir[4096];

    snprintf(path, sizeof path, "%s/good.tgz", (const char *)state);
    snprintf(dir, sizeof dir, "%s/oom", (const char *)state);
    fedn_status rc = fedn_package_extract(path, dir, NULL);
    fedn_status removed = fedn__fs_remove_tree(dir, NULL);
    return rc == FEDN_OK ? removed : rc;
}

static void each_allocation_may_fail(void **state)
{
    const member members[] = {{"a/fedn.yaml", AE_IFREG, "x"}};
    char *archive = fedn__fs_join(*state, "good.tgz");

    pack(archive, members, 1);
    fedn__free(archive);
    test_fail_each_allocation(extract_once, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_and_folders_come_out_with_modes_of_their_owner,
                                        test_scratch_setup, test_scratch_teardown),
        cmocka_unit_test_setup_teardown(nothing_comes_out_of_hostile_archives, test_scratch_setup,
                                        test_scratch_teardown),
        cmocka_unit_test_setup_teardown(what_is_no_archive_or_cut_is_refused, test_scratch_setup,
                                        test_scratch_teardown),
        cmocka_unit_test_setup_teardown(a_bomb_stops_at_its_ratio, test_scratch_setup,
                                        test_scratch_teardown),
        cmocka_unit_test_setup_teardown(too_many_members_are_refused, test_scratch_setup,
                                        test_scratch_teardown),
        cmocka_unit_test_setup_teardown(folders_above_members_are_counted, test_scratch_setup,
                                        test_scratch_teardown),
        cmocka_unit_test_setup_teardown(headers_count_as_bytes, test_scratch_setup,
                                        test_scratch_teardown),
        cmocka_unit_test_setup_teardown(what_is_compressed_twice_is_refused, test_scratch_setup,
                                        test_scratch_teardown),
        cmocka_unit_test_setup_teardown(holes_come_out_as_zeros, test_scratch_setup,
                                        test_scratch_teardown),
        cmocka_unit_test_setup_teardown(each_allocation_may_fail, test_scratch_setup,
                                        test_scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
