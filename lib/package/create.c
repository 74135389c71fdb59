/* SPDX-License-Identifier: Apache-2.0
 * Making a package of a folder: the same files give the same bytes. */
#include <fedn/package.h>

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "package/archive.h"
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 * 1024 };

typedef struct packing {
    struct archive *archive;
    char *patterns; /* lines of .fednignore; NULL: none */
    struct stat output;
    uint64_t files;
    uint8_t *block;
    fedn_error *err;
} packing;

/* 1 if a line of .fednignore matches the relative path or its last segment. */
static int32_t is_ignored(const packing *self, const char *relative)
{
    const char *slash = strrchr(relative, '/');
    const char *base = slash ? slash + 1 : relative;

    for (const char *line = self->patterns; line && *line;) {
        size_t len = strcspn(line, "\n");
        char pattern[FEDN__LIMIT_PACKAGE_PATH];
        size_t blank = strspn(line, " \t\r");
        size_t end = len;
        while (end > blank && strchr(" \t\r", line[end - 1]))
            end--;
        if (*line != '#' && end > blank && end - blank < sizeof pattern) {
            snprintf(pattern, sizeof pattern, "%.*s", (int)(end - blank), line + blank);
            if (fnmatch(pattern, relative, FNM_NOESCAPE) == 0 ||
                fnmatch(pattern, base, FNM_NOESCAPE) == 0)
                return 1;
        }
        line += len + (line[len] == '\n');
    }
    return 0;
}

static fedn_status archive_failed(const packing *self, const char *path)
{
    const char *text = archive_error_string(self->archive);

    if (archive_errno(self->archive) == ENOMEM)
        return fedn__error_nomem(self->err);
    return fedn__error(self->err, FEDN_ERR_IO, "cannot pack %.300s: %.200s", path,
                       text ? text : "unknown reason");
}

static fedn_status copy_contents(packing *self, const char *path, int fd, uint64_t size)
{
    uint64_t done = 0;

    while (done < size) {
        ssize_t bytes = read(fd, self->block, BLOCK_BYTES);
        if (bytes < 0 && errno == EINTR)
            continue;
        if (bytes < 0)
            return fedn__error_errno(self->err, errno, "cannot read %s", path);
        if (bytes == 0 || (uint64_t)bytes > size - done)
            return fedn__error(self->err, FEDN_ERR_IO, "%s changes while it is packed", path);
        if (archive_write_data(self->archive, self->block, (size_t)bytes) != bytes)
            return archive_failed(self, path);
        done += (uint64_t)bytes;
    }
    return FEDN_OK;
}

static fedn_status add_file(packing *self, const char *path, const char *relative)
{
    struct stat info = {0};
    struct archive_entry *entry = archive_entry_new();
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    fedn_status rc = FEDN_OK;

    if (!entry)
        rc = fedn__error_nomem(self->err);
    else if (fd < 0 || fstat(fd, &info) != 0)
        rc = fedn__error_errno(self->err, errno, "cannot read %s", path);
    if (rc != FEDN_OK || !S_ISREG(info.st_mode) ||
        (info.st_dev == self->output.st_dev && info.st_ino == self->output.st_ino))
        goto out;
    archive_entry_set_pathname(entry, relative);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, info.st_mode & 0111 ? 0755 : 0644);
    archive_entry_set_size(entry, info.st_size);
    archive_entry_set_mtime(entry, 0, 0);
    self->files++;
    rc = archive_write_header(self->archive, entry) == ARCHIVE_OK
             ? copy_contents(self, path, fd, (uint64_t)info.st_size)
             : archive_failed(self, path);
out:
    if (fd >= 0)
        close(fd);
    archive_entry_free(entry);
    return rc;
}

static int32_t is_environment(const char *dir)
{
    char *mark = fedn__fs_join(dir, "pyvenv.cfg");
    int32_t found = mark && access(mark, F_OK) == 0;

    fedn__free(mark);
    return found;
}

static fedn_status add_folder(packing *self, const char *dir, const char *relative, uint32_t depth);

/* One entry of a folder: a file, what a link to one leads to, or a folder that is no link. */
static fedn_status add_entry(packing *self, const char *dir, const char *relative, const char *name,
                             uint32_t depth)
{
    char *path = fedn__fs_join(dir, name);
    char *below = *relative ? fedn__fs_join(relative, name) : fedn__strdup(name);
    fedn_status rc = FEDN_OK;
    struct stat info;

    if (!path || !below) {
        rc = fedn__error_nomem(self->err);
        goto out;
    }
    if (is_ignored(self, below))
        goto out;
    if (lstat(path, &info) != 0)
        rc = fedn__error_errno(self->err, errno, "cannot read %s", path);
    else if (S_ISDIR(info.st_mode))
        rc = is_environment(path) ? FEDN_OK : add_folder(self, path, below, depth + 1);
    else if (S_ISREG(info.st_mode) || S_ISLNK(info.st_mode))
        rc = add_file(self, path, below);
out:
    fedn__free(path);
    fedn__free(below);
    return rc;
}

/* Whatever the locale's order is. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static fedn_status add_folder(packing *self, const char *dir, const char *relative, uint32_t depth)
{
    struct dirent **entries = NULL;
    fedn_status rc = FEDN_OK;

    if (depth > FEDN__LIMIT_PACKAGE_DEPTH)
        return fedn__error(self->err, FEDN_ERR_LIMIT, "%.300s is more than %d folders deep", dir,
                           FEDN__LIMIT_PACKAGE_DEPTH);
    int count = scandir(dir, &entries, NULL, by_bytes);
    if (count < 0)
        return fedn__error_errno(self->err, errno, "cannot list %s", dir);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (rc == FEDN_OK && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            rc = add_entry(self, dir, relative, name, depth);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static fedn_status open_writer(packing *self, int fd)
{
    self->archive = archive_write_new();
    if (!self->archive || fstat(fd, &self->output) != 0)
        return fedn__error_nomem(self->err);
    /* has names as bytes: the other formats convert them, and fail in a locale without UTF-8 */
    if (archive_write_set_format_gnutar(self->archive) != ARCHIVE_OK ||
        archive_write_add_filter_gzip(self->archive) != ARCHIVE_OK ||
        archive_write_set_filter_option(self->archive, "gzip", "timestamp", NULL) != ARCHIVE_OK ||
        archive_write_open_fd(self->archive, fd) != ARCHIVE_OK)
        return archive_failed(self, "the folder");
    return FEDN_OK;
}

static fedn_status read_patterns(packing *self, const char *dir)
{
    uint64_t bytes = 0;
    char *path = fedn__fs_join(dir, ".fednignore");
    fedn_status rc =
        path ? fedn__fs_read(path, FEDN__LIMIT_PACKAGE_YAML, &self->patterns, &bytes, self->err)
             : fedn__error_nomem(self->err);

    fedn__free(path);
    return rc == FEDN_ERR_NOT_FOUND ? FEDN_OK : rc;
}

static fedn_status check_manifest(const char *dir, fedn_error *err)
{
    char *path = fedn__fs_join(dir, "fedn.yaml");
    fedn_status rc = FEDN_OK;

    if (!path)
        return fedn__error_nomem(err);
    if (access(path, R_OK) != 0)
        rc = fedn__error(err, FEDN_ERR_NOT_FOUND, "there is no %s", path);
    fedn__free(path);
    return rc;
}

/* What nobody could unpack is not made. */
static fedn_status check_archive(const char *path, fedn_error *err)
{
    static const fedn__package_visitor nothing = {NULL, NULL, NULL};
    char *part = fedn__strf("%s.part", path);
    fedn_status rc = part ? fedn__package_walk(part, &nothing, err) : fedn__error_nomem(err);

    fedn__free(part);
    return rc;
}

fedn_status fedn_package_create(const char *dir, const char *path, uint64_t *ret_files,
                                fedn_error *err)
{
    packing self = {.err = err};
    int fd = -1;

    if (!dir || !path)
        return fedn__error(err, FEDN_ERR_INVALID, "a folder and an archive must be given");
    fedn_status rc = check_manifest(dir, err);
    if (rc == FEDN_OK)
        rc = read_patterns(&self, dir);
    self.block = fedn__alloc(BLOCK_BYTES);
    if (rc == FEDN_OK && !self.block)
        rc = fedn__error_nomem(err);
    if (rc == FEDN_OK)
        rc = fedn__fs_create(path, &fd, err);
    if (rc == FEDN_OK)
        rc = open_writer(&self, fd);
    if (rc == FEDN_OK)
        rc = add_folder(&self, dir, "", 0);
    if (rc == FEDN_OK && archive_write_close(self.archive) != ARCHIVE_OK)
        rc = archive_failed(&self, path);
    archive_write_free(self.archive);
    if (rc == FEDN_OK)
        rc = check_archive(path, err);
    if (rc == FEDN_OK)
        rc = fedn__fs_commit(fd, path, 1, err);
    else if (fd >= 0)
        fedn__fs_abandon(fd, path);
    if (rc == FEDN_OK && ret_files)
        *ret_files = self.files;
    fedn__free(self.patterns);
    fedn__free(self.block);
    return rc;
}
