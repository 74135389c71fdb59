/* SPDX-License-Identifier: Apache-2.0
 * Walking through a compute package's archive. */
#include "package/archive.h"

#include "core/error.h"
#include "core/fs.h"
#include "core/map.h"
#include "core/text.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { BLOCK_BYTES = 64 * 1024 };

typedef struct walk {
    struct archive *archive;
    const fedn__package_visitor *visitor;
    const char *name; /* of the archive, for texts */
    uint64_t packed;  /* bytes of the archive */
    uint64_t members; /* and the folders above them */
    uint64_t total;   /* bytes unpacked so far */
    fedn__map names;  /* of both, to what they are */
    char path[FEDN__LIMIT_PACKAGE_PATH + 1];
    fedn__package_member member;
    fedn_error *err;
} walk;

/* What libarchive says, or that memory was short. */
static fedn_status broken(const walk *self, const char *what)
{
    const char *text = archive_error_string(self->archive);

    if (archive_errno(self->archive) == ENOMEM)
        return fedn__error_nomem(self->err);
    return fedn__error(self->err, FEDN_ERR_FORMAT, "package %.200s %s: %.200s", self->name, what,
                       text ? text : "it is cut short");
}

static fedn_status refuse(const walk *self, const char *why)
{
    char member[128];

    snprintf(member, sizeof member, "%.*s", (int)sizeof member - 1, self->path);
    fedn__text_to_line(member);
    return fedn__error(self->err, FEDN_ERR_FORMAT, "package %.200s: member \"%s\" %s", self->name,
                       member, why);
}

/* Copies a path without its "." segments. NULL: it is fine; else what it is not. */
static const char *clean_path(const char *from, char to[FEDN__LIMIT_PACKAGE_PATH + 1])
{
    size_t used = 0;
    uint32_t depth = 0;

    to[0] = 0;
    if (*from == '/')
        return "has an absolute path";
    while (*from) {
        size_t len = strcspn(from, "/");
        if (len == 2 && from[0] == '.' && from[1] == '.')
            return "leads out of the package";
        if (len > 0 && !(len == 1 && *from == '.')) {
            if (len > FEDN__LIMIT_NAME_BYTES || used + len + 2 > FEDN__LIMIT_PACKAGE_PATH ||
                ++depth > FEDN__LIMIT_PACKAGE_DEPTH)
                return "has too long a path";
            used += (size_t)snprintf(to + used, FEDN__LIMIT_PACKAGE_PATH + 1 - used, "%s%.*s",
                                     used ? "/" : "", (int)len, from);
        }
        from += len + strspn(from + len, "/");
    }
    return used == 0 || fedn__text_is_line(to, FEDN__LIMIT_PACKAGE_PATH)
               ? NULL
               : "has a name that is no printable UTF-8";
}

static fedn_status take_path(walk *self, struct archive_entry *entry)
{
    const char *path = archive_entry_pathname_utf8(entry);

    if (!path)
        path = archive_entry_pathname(entry);
    if (!path)
        return fedn__error(self->err, FEDN_ERR_FORMAT,
                           "package %.200s: member %llu has a name that is no printable UTF-8",
                           self->name, (unsigned long long)self->members);
    const char *why = clean_path(path, self->path);
    if (why) {
        snprintf(self->path, sizeof self->path, "%s", path);
        return refuse(self, why);
    }
    return FEDN_OK;
}

static fedn_status count_member(walk *self)
{
    if (++self->members > FEDN__LIMIT_PACKAGE_MEMBERS)
        return fedn__error(self->err, FEDN_ERR_LIMIT, "package %.200s has more than %d members",
                           self->name, FEDN__LIMIT_PACKAGE_MEMBERS);
    return FEDN_OK;
}

/* Notes what a name is; the same folder may come more than once. */
static fedn_status note_name(walk *self, int32_t directory)
{
    static const char folder[] = "folder";
    static const char file[] = "file";
    const char *known = fedn__map_get(&self->names, self->path);

    if (known && !(directory && known == folder))
        return refuse(self, directory ? "is a file, and has members below it" : "is there twice");
    if (known)
        return FEDN_OK;
    return fedn__map_set(&self->names, self->path,
                         (char *)(uintptr_t)(directory ? folder : file)) == FEDN_OK
               ? FEDN_OK
               : fedn__error_nomem(self->err);
}

/* A path makes the folders above it. */
static fedn_status note_path(walk *self, int32_t directory)
{
    fedn_status rc = FEDN_OK;

    for (char *slash = strchr(self->path, '/'); rc == FEDN_OK && slash;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (!fedn__map_get(&self->names, self->path))
            rc = count_member(self);
        if (rc == FEDN_OK)
            rc = note_name(self, 1);
        *slash = '/';
    }
    return rc == FEDN_OK ? note_name(self, directory) : rc;
}

/* Of a file and of all, as was announced or has come. */
static fedn_status check_bytes(const walk *self, uint64_t file, uint64_t total)
{
    if (file > FEDN__LIMIT_PACKAGE_FILE || total > FEDN__LIMIT_PACKAGE_BYTES)
        return fedn__error(self->err, FEDN_ERR_LIMIT,
                           "package %.200s would be over %llu bytes for a file or %llu in all",
                           self->name, (unsigned long long)FEDN__LIMIT_PACKAGE_FILE,
                           (unsigned long long)FEDN__LIMIT_PACKAGE_BYTES);
    if (total > FEDN__LIMIT_PACKAGE_SMALL && total / FEDN__LIMIT_PACKAGE_RATIO > self->packed)
        return fedn__error(self->err, FEDN_ERR_LIMIT,
                           "package %.200s of %llu bytes would unpack to more than %d times that",
                           self->name, (unsigned long long)self->packed, FEDN__LIMIT_PACKAGE_RATIO);
    return FEDN_OK;
}

static fedn_status take_contents(walk *self)
{
    const void *data = NULL;
    size_t bytes = 0;
    la_int64_t at = 0;
    uint64_t come = 0;
    fedn_status rc = FEDN_OK;

    while (rc == FEDN_OK) {
        int got = archive_read_data_block(self->archive, &data, &bytes, &at);
        if (got == ARCHIVE_EOF)
            break;
        if (got != ARCHIVE_OK)
            return broken(self, "cannot be unpacked");
        come += bytes;
        if (at < 0 || (uint64_t)at + bytes > self->member.bytes || come > self->member.bytes)
            return refuse(self, "is larger than it says");
        if (self->visitor->data)
            rc = self->visitor->data(self->visitor->self, (uint64_t)at, data, bytes, self->err);
    }
    return rc;
}

static fedn_status take_member(walk *self, struct archive_entry *entry)
{
    mode_t type = archive_entry_filetype(entry);
    fedn_status rc = count_member(self);

    if (rc == FEDN_OK)
        rc = take_path(self, entry);
    if (rc != FEDN_OK)
        return rc;
    if (archive_entry_hardlink(entry) || archive_entry_hardlink_utf8(entry) || type == AE_IFLNK)
        return refuse(self, "is a link: a package holds files and directories");
    if (type != AE_IFREG && type != AE_IFDIR)
        return refuse(self, "is neither a file nor a directory");
    if (type == AE_IFREG && (!self->path[0] || archive_entry_size(entry) < 0))
        return refuse(self, "has no name or no size");
    if (!self->path[0])
        return FEDN_OK; /* the folder itself */
    self->member = (fedn__package_member){
        .path = self->path,
        .directory = type == AE_IFDIR,
        .executable = (archive_entry_perm(entry) & 0111) != 0,
        .bytes = type == AE_IFDIR ? 0 : (uint64_t)archive_entry_size(entry),
    };
    self->total += self->member.bytes;
    rc = check_bytes(self, self->member.bytes, self->total);
    if (rc == FEDN_OK)
        rc = note_path(self, self->member.directory);
    if (rc == FEDN_OK && self->visitor->member)
        rc = self->visitor->member(self->visitor->self, &self->member, self->err);
    return rc == FEDN_OK && !self->member.directory ? take_contents(self) : rc;
}

static fedn_status open_archive(walk *self, const char *path)
{
    self->archive = archive_read_new();
    if (!self->archive)
        return fedn__error_nomem(self->err);
    archive_read_support_filter_gzip(self->archive);
    archive_read_support_filter_bzip2(self->archive);
    archive_read_support_filter_xz(self->archive);
    archive_read_support_format_tar(self->archive);
    if (archive_read_open_filename(self->archive, path, BLOCK_BYTES) != ARCHIVE_OK)
        return broken(self, "is no tar archive (.tgz)");
    if (archive_filter_count(self->archive) > 2) /* the last one is the file */
        return fedn__error(self->err, FEDN_ERR_FORMAT,
                           "package %.200s is compressed more than once: a .tgz is once",
                           self->name);
    return FEDN_OK;
}

fedn_status fedn__package_walk(const char *path, const fedn__package_visitor *visitor,
                               fedn_error *err)
{
    const char *slash = strrchr(path, '/');
    walk self = {.visitor = visitor, .name = slash ? slash + 1 : path, .err = err};
    struct archive_entry *entry = NULL;
    fedn_status rc = fedn__fs_size(path, &self.packed, err);

    fedn__map_init(&self.names);
    if (rc == FEDN_OK)
        rc = open_archive(&self, path);
    while (rc == FEDN_OK) {
        int got = archive_read_next_header(self.archive, &entry);
        if (got == ARCHIVE_EOF)
            break;
        /* a warning is about names that could not be converted: take_path() judges them */
        if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
            rc = broken(&self, self.members ? "cannot be unpacked" : "is no tar archive (.tgz)");
        else /* headers may be as large as files */
            rc = check_bytes(&self, 0, (uint64_t)archive_filter_bytes(self.archive, 0));
        if (rc == FEDN_OK)
            rc = take_member(&self, entry);
    }
    if (rc == FEDN_OK && self.members == 0)
        rc = fedn__error(err, FEDN_ERR_FORMAT, "package %.200s is empty or no tar archive (.tgz)",
                         self.name);
    archive_read_free(self.archive);
    fedn__map_done(&self.names);
    return rc;
}
