/* SPDX-License-Identifier: Apache-2.0
 * Models of which a part has arrived, as files; see parts.h. */
#include "rpc/parts.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/limits.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SUFFIX     ".part"
#define NAME_BYTES 128 /* a UUID, a digest, the suffix: 74 */

char *fedn__part_path(const char *dir, const char *id, const char *owner)
{
    uint8_t digest[FEDN__DIGEST_BYTES];
    char text[2 * FEDN__DIGEST_BYTES + 1];

    if (!owner)
        return fedn__strf("%s/%s" SUFFIX, dir, id);
    fedn__digest_of(owner, strlen(owner), digest);
    for (uint32_t i = 0; i < FEDN__DIGEST_BYTES; i++)
        snprintf(text + (size_t)2 * i, 3, "%02x", digest[i]);
    return fedn__strf("%s/%s-%s" SUFFIX, dir, id, text);
}

/* All of the file from where it stands; *ret_bytes counts it. */
static fedn_status read_into(int fd, const char *path, fedn__digest *sums, uint64_t *ret_bytes,
                             fedn_error *err)
{
    const uint64_t most = FEDN__MIB / 4;
    uint8_t *block = fedn__alloc(most);
    fedn_status rc = block ? FEDN_OK : fedn__error_nomem(err);

    *ret_bytes = 0;
    while (rc == FEDN_OK) {
        ssize_t n = read(fd, block, most);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = fedn__error_errno(err, errno, "cannot read %s", path);
        if (n <= 0)
            break;
        fedn__digest_add(sums, block, (uint64_t)n);
        *ret_bytes += (uint64_t)n;
    }
    fedn__free(block);
    return rc;
}

fedn_status fedn__part_look(const char *path, uint64_t *ret_bytes,
                            uint8_t ret_digest[FEDN__DIGEST_BYTES], fedn_error *err)
{
    *ret_bytes = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return FEDN_OK;
    if (fd < 0)
        return fedn__error_errno(err, errno, "cannot open %s", path);
    fedn__digest *sums = fedn__digest_new();
    fedn_status rc = sums ? read_into(fd, path, sums, ret_bytes, err) : fedn__error_nomem(err);
    if (rc == FEDN_OK)
        fedn__digest_value(sums, ret_digest);
    fedn__digest_free(sums);
    close(fd);
    return rc;
}

/* The descriptor stands behind what is there. */
static fedn_status go_behind(int fd, const char *path, uint64_t from, fedn__digest *sums,
                             fedn_error *err)
{
    uint64_t bytes = 0;

    if (from == 0)
        return ftruncate(fd, 0) == 0 ? FEDN_OK
                                     : fedn__error_errno(err, errno, "cannot empty %s", path);
    fedn_status rc = read_into(fd, path, sums, &bytes, err);
    if (rc == FEDN_OK && bytes != from)
        rc = fedn__error(err, FEDN_ERR_UNAVAILABLE,
                         "the transfer goes on at byte %llu, but %llu bytes of the model are here: "
                         "ask how many",
                         (unsigned long long)from, (unsigned long long)bytes);
    return rc;
}

fedn_status fedn__part_open(const char *path, uint64_t from, fedn__digest *sums, int *ret_fd,
                            fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    *ret_fd = -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fedn__error_errno(err, errno, "cannot write %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        rc =
            fedn__error(err, FEDN_ERR_UNAVAILABLE, "%s is being written by another transfer", path);
    if (rc == FEDN_OK)
        rc = go_behind(fd, path, from, sums, err);
    if (rc == FEDN_OK)
        *ret_fd = fd;
    else
        close(fd);
    return rc;
}

typedef struct part {
    int64_t written_ms;
    char name[NAME_BYTES];
} part;

static int newest_first(const void *a, const void *b)
{
    const part *left = a;
    const part *right = b;

    return (left->written_ms < right->written_ms) - (left->written_ms > right->written_ms);
}

static int32_t is_part(int dir, const char *name, part *ret)
{
    size_t bytes = strlen(name);
    struct stat info;

    if (bytes <= strlen(SUFFIX) || bytes >= sizeof ret->name ||
        strcmp(name + bytes - strlen(SUFFIX), SUFFIX) != 0 ||
        fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode))
        return 0;
    ret->written_ms = (int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000;
    memcpy(ret->name, name, bytes + 1);
    return 1;
}

/* Newest first; NULL when there are none, or no memory to look at them. */
static part *list_parts(DIR *stream, uint64_t *ret_count)
{
    const struct dirent *entry;
    part *all = NULL;
    uint64_t room = 0;

    *ret_count = 0;
    while ((entry = readdir(stream))) {
        if (*ret_count == room) {
            part *more = fedn__realloc_array(all, room + 64, sizeof *all);
            if (!more)
                break;
            all = more;
            room += 64;
        }
        *ret_count += (uint64_t)is_part(dirfd(stream), entry->d_name, &all[*ret_count]);
    }
    if (*ret_count)
        qsort(all, *ret_count, sizeof *all, newest_first);
    return all;
}

fedn_status fedn__parts_open(const char *dir, uint32_t most, fedn_error *err)
{
    fedn_status rc = fedn__fs_mkdirs(dir, err);

    if (rc == FEDN_OK)
        fedn__parts_sweep(dir, most);
    return rc;
}

void fedn__parts_sweep(const char *dir, uint32_t most)
{
    struct timespec now;
    uint64_t count = 0;
    uint32_t kept = 0;

    DIR *stream = opendir(dir);
    if (!stream)
        return;
    part *all = list_parts(stream, &count);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    int64_t oldest_ms = (int64_t)now.tv_sec * 1000 - FEDN__LIMIT_PART_MS;
    for (uint64_t i = 0; i < count; i++) {
        int fd = openat(dirfd(stream), all[i].name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            continue;
        /* one that is being written has its lock */
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && (all[i].written_ms < oldest_ms || kept++ >= most))
            (void)unlinkat(dirfd(stream), all[i].name, 0);
        close(fd);
    }
    fedn__free(all);
    closedir(stream);
}
