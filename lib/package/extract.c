/* SPDX-License-Identifier: Apache-2.0
 * Unpacking a package: the whole of it or nothing. */
#include <fedn/package.h>

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "package/archive.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct extraction {
    const char *dir; /* a fresh one */
    int fd;          /* of the file in work; -1: none */
} extraction;

static fedn_status close_file(extraction *self, fedn_error *err)
{
    int fd = self->fd;

    self->fd = -1;
    if (fd >= 0 && close(fd) != 0)
        return fedn__error_errno(err, errno, "cannot write below %s", self->dir);
    return FEDN_OK;
}

/* The folders above the last segment of `path`. */
static fedn_status make_parents(char *path, size_t from, fedn_error *err)
{
    for (char *slash = strchr(path + from, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return fedn__error_errno(err, errno, "cannot make %s", path);
        *slash = '/';
    }
    return FEDN_OK;
}

static fedn_status take_member(void *opaque, const fedn__package_member *member, fedn_error *err)
{
    extraction *self = opaque;
    char *path = fedn__fs_join(self->dir, member->path);

    if (!path)
        return fedn__error_nomem(err);
    fedn_status rc = close_file(self, err);
    if (rc == FEDN_OK)
        rc = make_parents(path, strlen(self->dir) + 1, err);
    if (rc == FEDN_OK && member->directory) {
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            rc = fedn__error_errno(err, errno, "cannot make %s", path);
    } else if (rc == FEDN_OK) {
        self->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                        member->executable ? 0700 : 0600);
        /* where an archive leaves holes, nothing is written */
        if (self->fd < 0 || ftruncate(self->fd, (off_t)member->bytes) != 0)
            rc = fedn__error_errno(err, errno, "cannot write %s", path);
    }
    fedn__free(path);
    return rc;
}

static fedn_status take_data(void *opaque, uint64_t at, const void *data, uint64_t bytes,
                             fedn_error *err)
{
    const extraction *self = opaque;

    return fedn__fs_write_at(self->fd, at, data, bytes, err);
}

static fedn_status unpack(const char *path, const char *dir, fedn_error *err)
{
    extraction self = {dir, -1};
    fedn__package_visitor visitor = {take_member, take_data, &self};
    fedn_status rc = fedn__package_walk(path, &visitor, err);

    if (rc != FEDN_OK) {
        (void)close_file(&self, NULL);
        return rc;
    }
    return close_file(&self, err);
}

/* The folder that `dir` is to stand in. */
static char *parent_of(const char *dir)
{
    const char *slash = strrchr(dir, '/');

    return slash == dir ? fedn__strdup("/")
           : slash      ? fedn__strf("%.*s", (int)(slash - dir), dir)
                        : fedn__strdup(".");
}

fedn_status fedn_package_extract(const char *path, const char *dir, fedn_error *err)
{
    char *parent = NULL;
    char *fresh = NULL;

    if (!path || !dir || !*dir || dir[strlen(dir) - 1] == '/')
        return fedn__error(err, FEDN_ERR_INVALID,
                           "an archive and the name of a new directory must be given");
    if (access(dir, F_OK) == 0)
        return fedn__error(err, FEDN_ERR_EXISTS, "%s exists already", dir);
    parent = parent_of(dir);
    fedn_status rc = parent ? fedn__fs_mkdirs(parent, err) : fedn__error_nomem(err);
    if (rc == FEDN_OK)
        rc = fedn__fs_temp_dir(parent, "package-part-", &fresh, err);
    if (rc == FEDN_OK)
        rc = unpack(path, fresh, err);
    if (rc == FEDN_OK && rename(fresh, dir) != 0)
        rc = fedn__error_errno(err, errno, "cannot rename %s to %s", fresh, dir);
    if (rc != FEDN_OK && fresh)
        (void)fedn__fs_remove_tree(fresh, NULL);
    fedn__free(fresh);
    fedn__free(parent);
    return rc;
}
