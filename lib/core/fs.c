/* SPDX-License-Identifier: Apache-2.0
 * Files: whole or not at all. */
#include "core/fs.h"

#include "core/alloc.h"
#include "core/error.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

fedn_status fedn__fs_mkdirs(const char *path, fedn_error *err)
{
    char *copy = fedn__strdup(path);
    fedn_status rc = FEDN_OK;
    struct stat info;

    if (!copy)
        return fedn__error_nomem(err);
    for (char *c = copy + 1; rc == FEDN_OK && *path; c++) {
        int32_t end = *c == 0;
        if (!end && *c != '/')
            continue;
        *c = 0;
        if (mkdir(copy, 0700) != 0 && errno != EEXIST)
            rc = fedn__error_errno(err, errno, "cannot make directory %s", copy);
        if (end)
            break;
        *c = '/';
    }
    if (rc == FEDN_OK && (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)))
        rc = fedn__error(err, FEDN_ERR_IO, "%s is not a directory", path);
    fedn__free(copy);
    return rc;
}

char *fedn__fs_join(const char *dir, const char *name)
{
    uint64_t len = strlen(dir);
    return fedn__strf("%s%s%s", dir, len && dir[len - 1] == '/' ? "" : "/", name);
}

fedn_status fedn__fs_temp_dir(const char *parent, const char *prefix, char **ret, fedn_error *err)
{
    *ret = NULL;
    if (!parent)
        parent = getenv("TMPDIR");
    if (!parent || !*parent)
        parent = "/tmp";
    char *path = fedn__strf("%s/%sXXXXXX", parent, prefix);
    if (!path)
        return fedn__error_nomem(err);
    if (!mkdtemp(path)) {
        fedn_status rc = fedn__error_errno(err, errno, "cannot make a directory in %s", parent);
        fedn__free(path);
        return rc;
    }
    *ret = path;
    return FEDN_OK;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path) != 0 && errno != ENOENT ? -1 : 0;
}

fedn_status fedn__fs_remove_tree(const char *path, fedn_error *err)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return fedn__error_errno(err, errno, "cannot remove %s", path);
    return FEDN_OK;
}

fedn_status fedn__fs_unlink(const char *path, fedn_error *err)
{
    if (unlink(path) != 0 && errno != ENOENT)
        return fedn__error_errno(err, errno, "cannot remove %s", path);
    return FEDN_OK;
}

/* On the stack, so that cleaning up needs no memory. 0 if the path is too long. */
static int32_t part_of(const char *path, char part[PATH_MAX])
{
    int len = snprintf(part, PATH_MAX, "%s.part", path);
    return len > 0 && len < PATH_MAX;
}

fedn_status fedn__fs_create(const char *path, int *ret_fd, fedn_error *err)
{
    *ret_fd = -1;
    char part[PATH_MAX];
    if (!part_of(path, part))
        return fedn__error_errno(err, ENAMETOOLONG, "cannot write %.200s", path);
    int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fedn__error_errno(err, errno, "cannot write %s", part);
    *ret_fd = fd;
    return FEDN_OK;
}

fedn_status fedn__fs_write(int fd, const void *data, uint64_t bytes, fedn_error *err)
{
    for (uint64_t done = 0; done < bytes;) {
        ssize_t n = write(fd, (const uint8_t *)data + done, (size_t)(bytes - done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fedn__error_errno(err, n < 0 ? errno : ENOSPC, "cannot write %llu bytes",
                                     (unsigned long long)bytes);
        done += (uint64_t)n;
    }
    return FEDN_OK;
}

fedn_status fedn__fs_write_at(int fd, uint64_t offset, const void *data, uint64_t bytes,
                              fedn_error *err)
{
    for (uint64_t done = 0; done < bytes;) {
        ssize_t n = pwrite(fd, (const uint8_t *)data + done, (size_t)(bytes - done),
                           (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fedn__error_errno(err, n < 0 ? errno : ENOSPC, "cannot write %llu bytes at %llu",
                                     (unsigned long long)bytes, (unsigned long long)offset);
        done += (uint64_t)n;
    }
    return FEDN_OK;
}

fedn_status fedn__fs_sync(int fd, const char *path, fedn_error *err)
{
    if (fsync(fd) != 0)
        return fedn__error_errno(err, errno, "cannot make %s durable", path);
    return FEDN_OK;
}

static fedn_status sync_parent(const char *path, fedn_error *err)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? fedn__strndup(path, slash == path ? 1 : (uint64_t)(slash - path))
                      : fedn__strdup(".");
    if (!dir)
        return fedn__error_nomem(err);
    fedn_status rc = FEDN_OK;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        rc = fedn__error_errno(err, errno, "cannot make directory %s durable", dir);
    if (fd >= 0)
        close(fd);
    fedn__free(dir);
    return rc;
}

fedn_status fedn__fs_commit(int fd, const char *path, int32_t durable, fedn_error *err)
{
    fedn_status rc = FEDN_OK;
    char part[PATH_MAX];

    if (!part_of(path, part)) {
        close(fd);
        return fedn__error_errno(err, ENAMETOOLONG, "cannot write %.200s", path);
    }
    if (durable)
        rc = fedn__fs_sync(fd, part, err);
    if (close(fd) != 0 && rc == FEDN_OK)
        rc = fedn__error_errno(err, errno, "cannot write %s", path);
    if (rc == FEDN_OK && rename(part, path) != 0)
        rc = fedn__error_errno(err, errno, "cannot put %s in place", path);
    if (rc == FEDN_OK && durable)
        rc = sync_parent(path, err);
    if (rc != FEDN_OK)
        unlink(part);
    return rc;
}

void fedn__fs_abandon(int fd, const char *path)
{
    char part[PATH_MAX];

    if (fd >= 0)
        close(fd);
    if (part_of(path, part))
        unlink(part);
}

static fedn_status copy_bytes(int from, const char *name, int to, fedn_error *err)
{
    enum { BLOCK = 1 << 18 };
    uint8_t *block = fedn__alloc(BLOCK);
    fedn_status rc = block ? FEDN_OK : fedn__error_nomem(err);

    while (rc == FEDN_OK) {
        ssize_t n = read(from, block, BLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = fedn__error_errno(err, errno, "cannot read %s", name);
        if (n <= 0)
            break;
        rc = fedn__fs_write(to, block, (uint64_t)n, err);
    }
    fedn__free(block);
    return rc;
}

static fedn_status copy_durably(const char *from, const char *to, int32_t durable, fedn_error *err)
{
    int out = -1;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return fedn__error_errno(err, errno, "cannot open %s", from);
    fedn_status rc = fedn__fs_create(to, &out, err);
    if (rc == FEDN_OK) {
        rc = copy_bytes(in, from, out, err);
        if (rc == FEDN_OK)
            rc = fedn__fs_commit(out, to, durable, err);
        else
            fedn__fs_abandon(out, to);
    }
    close(in);
    return rc;
}

fedn_status fedn__fs_copy(const char *from, const char *to, fedn_error *err)
{
    return copy_durably(from, to, 0, err);
}

fedn_status fedn__fs_move(const char *from, const char *to, int32_t durable, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    if (durable) {
        int fd = open(from, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return fedn__error_errno(err, errno, "cannot open %s", from);
        rc = fedn__fs_sync(fd, from, err);
        close(fd);
    }
    if (rc == FEDN_OK && rename(from, to) != 0) {
        if (errno != EXDEV)
            return fedn__error_errno(err, errno, "cannot move %s to %s", from, to);
        rc = copy_durably(from, to, durable, err);
        if (rc == FEDN_OK)
            rc = fedn__fs_unlink(from, err);
        return rc;
    }
    if (rc == FEDN_OK && durable)
        rc = sync_parent(to, err);
    return rc;
}

fedn_status fedn__fs_size(const char *path, uint64_t *ret, fedn_error *err)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return fedn__error_errno(err, errno, "cannot look at %s", path);
    *ret = (uint64_t)info.st_size;
    return FEDN_OK;
}

/* Reads to the end rather than trusting a size: /proc and pipes have none. */
static fedn_status read_all(int fd, const char *path, uint64_t limit, char **ret,
                            uint64_t *ret_bytes, fedn_error *err)
{
    uint64_t capacity = limit < 4096 ? limit : 4096;
    uint64_t len = 0;
    char *data = fedn__alloc(capacity + 1);
    fedn_status rc = FEDN_OK;

    if (!data)
        return fedn__error_nomem(err);
    while (rc == FEDN_OK) {
        if (len == capacity) {
            char *more = fedn__realloc_array(data, capacity * 2 + 2, 1);
            if (!more) {
                fedn__free(data);
                return fedn__error_nomem(err);
            }
            data = more;
            capacity = capacity * 2 + 1;
        }
        ssize_t n = read(fd, data + len, (size_t)(capacity - len));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = fedn__error_errno(err, errno, "cannot read %s", path);
        if (n <= 0)
            break;
        len += (uint64_t)n;
        if (len > limit)
            rc = fedn__error(err, FEDN_ERR_LIMIT, "%s is over %llu bytes", path,
                             (unsigned long long)limit);
    }
    if (rc != FEDN_OK) {
        fedn__free(data);
        return rc;
    }
    data[len] = 0;
    *ret = data;
    *ret_bytes = len;
    return FEDN_OK;
}

fedn_status fedn__fs_read(const char *path, uint64_t limit, char **ret, uint64_t *ret_bytes,
                          fedn_error *err)
{
    uint64_t bytes = 0;

    *ret = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fedn__error_errno(err, errno, "cannot open %s", path);
    fedn_status rc = read_all(fd, path, limit, ret, &bytes, err);
    close(fd);
    if (rc == FEDN_OK && ret_bytes)
        *ret_bytes = bytes;
    return rc;
}

fedn_status fedn__fs_write_file(const char *path, const void *data, uint64_t bytes, int32_t durable,
                                fedn_error *err)
{
    int fd = -1;
    fedn_status rc = fedn__fs_create(path, &fd, err);
    if (rc != FEDN_OK)
        return rc;
    rc = fedn__fs_write(fd, data, bytes, err);
    if (rc == FEDN_OK)
        return fedn__fs_commit(fd, path, durable, err);
    fedn__fs_abandon(fd, path);
    return rc;
}

/* Who holds the lock wrote its pid into the file; for people only. */
static long lock_owner(int fd)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

static fedn_status lock_file(const char *dir, int fd, fedn_error *err)
{
    char text[32];

    int number = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    if (number != 0 && number != EWOULDBLOCK)
        return fedn__error_errno(err, number, "cannot lock %s", dir);
    if (number != 0)
        return fedn__error(err, FEDN_ERR_STATE,
                           "%s is in use by process %ld: stop it or choose another directory", dir,
                           lock_owner(fd));
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
        return fedn__error_errno(err, errno, "cannot write the lock of %s", dir);
    return FEDN_OK;
}

fedn_status fedn__fs_lock(const char *dir, int *ret_fd, fedn_error *err)
{
    *ret_fd = -1;
    char *path = fedn__fs_join(dir, "lock");
    if (!path)
        return fedn__error_nomem(err);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    fedn_status rc =
        fd < 0 ? fedn__error_errno(err, errno, "cannot open %s", path) : lock_file(dir, fd, err);
    fedn__free(path);
    if (rc == FEDN_OK)
        *ret_fd = fd;
    else if (fd >= 0)
        close(fd);
    return rc;
}
