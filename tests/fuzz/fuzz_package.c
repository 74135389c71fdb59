/* SPDX-License-Identifier: Apache-2.0
 * Archives of packages: whatever the bytes are, what is let through is a path inside of a folder.
 */
#include "fuzz.h"

#include "package/archive.h"
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>

static fedn_status check_member(void *self, const fedn__package_member *member, fedn_error *err)
{
    (void)self;
    (void)err;
    FUZZ_CHECK(member->path[0] && member->path[0] != '/');
    FUZZ_CHECK(strlen(member->path) <= FEDN__LIMIT_PACKAGE_PATH);
    for (const char *at = member->path; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL) {
        size_t bytes = strcspn(at, "/");
        FUZZ_CHECK(bytes > 0 && !(bytes == 1 && at[0] == '.'));
        FUZZ_CHECK(!(bytes == 2 && at[0] == '.' && at[1] == '.'));
    }
    return FEDN_OK;
}

static fedn_status check_data(void *self, uint64_t at, const void *data, uint64_t bytes,
                              fedn_error *err)
{
    (void)self;
    (void)data;
    (void)err;
    FUZZ_CHECK(at + bytes <= FEDN__LIMIT_PACKAGE_FILE);
    return FEDN_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const fedn__package_visitor visitor = {check_member, check_data, NULL};
    char path[64];
    fedn_error err = {0};
    FILE *file = tmpfile();

    FUZZ_CHECK(file && fwrite(data, 1, bytes, file) == bytes && fflush(file) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(file));
    fedn_status rc = fedn__package_walk(path, &visitor, &err);
    FUZZ_CHECK(rc == FEDN_OK || err.message[0]);
    fclose(file);
    return 0;
}

size_t fuzz_seed(uint32_t nth, uint8_t to[FUZZ_SEED_BYTES])
{
    static const char text[] = "entry_points:\n  train:\n    command: python train.py\n";
    struct archive *archive = archive_write_new();
    size_t used = 0;

    if (nth > 2) {
        archive_write_free(archive);
        return 0;
    }
    if (nth == 0)
        archive_write_set_format_ustar(archive);
    else
        archive_write_set_format_pax(archive);
    if (nth == 2)
        archive_write_add_filter_gzip(archive);
    archive_write_open_memory(archive, to, FUZZ_SEED_BYTES, &used);
    for (uint32_t i = 0; i < 3; i++) {
        static const char *const paths[] = {"client", "client/fedn.yaml", "client/link"};
        static const unsigned int types[] = {AE_IFDIR, AE_IFREG, AE_IFLNK};
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, paths[i]);
        archive_entry_set_filetype(entry, types[i]);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_size(entry, i == 1 ? (la_int64_t)sizeof text - 1 : 0);
        if (i == 2)
            archive_entry_set_symlink(entry, "fedn.yaml");
        archive_write_header(archive, entry);
        if (i == 1)
            archive_write_data(archive, text, sizeof text - 1);
        archive_entry_free(entry);
    }
    archive_write_close(archive);
    archive_write_free(archive);
    return used;
}
