/* SPDX-License-Identifier: Apache-2.0
 * The blob store: a directory of immutable files by UUID. */
#include "store/blobs.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/map.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fedn__blobs {
    char *dir;
    int dir_fd;
    char *incoming;              /* "<dir>/incoming": files that are still being written */
    int lock_fd;                 /* of `incoming` */
    pthread_mutex_t adopt_mutex; /* one adoption at a time: looking and moving are two steps */
    pthread_mutex_t mutex;       /* guards all below; never held over a wait for the disk to sync */
    fedn__map open;              /* id -> fedn__blob, one reference each */
    uint64_t max_bytes;          /* set before use; 0: no limit */
    fedn__blob *latest; /* not counted: stays open when nobody holds it, for the next one */
};

typedef void (*visit_fn)(int dir_fd, const char *name, void *user_data);

static fedn_status walk(const char *path, visit_fn fn, void *user_data, fedn_error *err)
{
    DIR *dir = opendir(path);

    if (!dir)
        return fedn__error_errno(err, errno, "cannot list %s", path);
    for (const struct dirent *entry; (entry = readdir(dir));)
        fn(dirfd(dir), entry->d_name, user_data);
    closedir(dir);
    return FEDN_OK;
}

static void remove_part(int dir_fd, const char *name, void *user_data)
{
    size_t len = strlen(name);

    (void)user_data;
    if (len > 5 && strcmp(name + len - 5, ".part") == 0)
        unlinkat(dir_fd, name, 0);
}

static void remove_incoming(int dir_fd, const char *name, void *user_data)
{
    (void)user_data;
    if (strcmp(name, "lock") != 0)
        unlinkat(dir_fd, name, 0); /* fails on "." and "..", which is right */
}

static fedn_status prepare_dir(fedn__blobs *blobs, const char *dir, fedn_error *err)
{
    blobs->dir = fedn__strdup(dir);
    blobs->incoming = fedn__fs_join(dir, "incoming");
    if (!blobs->dir || !blobs->incoming)
        return fedn__error_nomem(err);
    fedn_status rc = fedn__fs_mkdirs(blobs->incoming, err);
    /* another process's uploads must not be swept away */
    if (rc == FEDN_OK)
        rc = fedn__fs_lock(blobs->incoming, &blobs->lock_fd, err);
    if (rc == FEDN_OK) {
        blobs->dir_fd = open(blobs->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (blobs->dir_fd < 0)
            rc = fedn__error_errno(err, errno, "cannot open %s", blobs->dir);
    }
    if (rc == FEDN_OK)
        rc = walk(blobs->incoming, remove_incoming, NULL, err);
    if (rc == FEDN_OK)
        rc = walk(blobs->dir, remove_part, NULL, err);
    return rc;
}

fedn_status fedn__blobs_open(const char *dir, fedn__blobs **ret, fedn_error *err)
{
    *ret = NULL;
    fedn__blobs *blobs = fedn__alloc_zero(sizeof *blobs);
    if (!blobs)
        return fedn__error_nomem(err);
    blobs->dir_fd = -1;
    blobs->lock_fd = -1;
    pthread_mutex_init(&blobs->adopt_mutex, NULL);
    pthread_mutex_init(&blobs->mutex, NULL);
    fedn__map_init(&blobs->open);
    fedn_status rc = prepare_dir(blobs, dir, err);
    if (rc != FEDN_OK) {
        fedn__blobs_close(blobs);
        return rc;
    }
    *ret = blobs;
    return FEDN_OK;
}

void fedn__blobs_close(fedn__blobs *blobs)
{
    void *value = NULL;

    if (!blobs)
        return;
    for (uint64_t place = 0; fedn__map_next(&blobs->open, &place, NULL, &value);)
        fedn__blob_unref(value);
    fedn__map_done(&blobs->open);
    if (blobs->lock_fd >= 0)
        close(blobs->lock_fd);
    if (blobs->dir_fd >= 0)
        close(blobs->dir_fd);
    pthread_mutex_destroy(&blobs->mutex);
    pthread_mutex_destroy(&blobs->adopt_mutex);
    fedn__free(blobs->incoming);
    fedn__free(blobs->dir);
    fedn__free(blobs);
}

static char *path_of(const char *dir, const fedn__uuid *id)
{
    char name[FEDN__UUID_TEXT];

    fedn__uuid_format(id, name);
    return fedn__fs_join(dir, name);
}

char *fedn__blobs_incoming(fedn__blobs *blobs, const fedn__uuid *id)
{
    return path_of(blobs->incoming, id);
}

void fedn__blobs_set_limit(fedn__blobs *blobs, uint64_t max_bytes)
{
    blobs->max_bytes = max_bytes;
}

static fedn_status check_room(fedn__blobs *blobs, const char *path, fedn_error *err)
{
    uint64_t count = 0;
    uint64_t used = 0;
    uint64_t more = 0;

    if (blobs->max_bytes == 0)
        return FEDN_OK;
    fedn_status rc = fedn__blobs_usage(blobs, &count, &used, err);
    if (rc == FEDN_OK)
        rc = fedn__fs_size(path, &more, err);
    if (rc != FEDN_OK || (more <= blobs->max_bytes && used <= blobs->max_bytes - more))
        return rc;
    return fedn__error(err, FEDN_ERR_LIMIT,
                       "%llu bytes more than the %llu of %llu models would be over "
                       "reducer.max_store_bytes %llu: remove models or raise it",
                       (unsigned long long)more, (unsigned long long)used,
                       (unsigned long long)count, (unsigned long long)blobs->max_bytes);
}

fedn_status fedn__blobs_adopt(fedn__blobs *blobs, const fedn__uuid *id, const char *path,
                              fedn_error *err)
{
    fedn_status rc = FEDN_OK;
    char *to = path_of(blobs->dir, id);

    if (!to)
        return fedn__error_nomem(err);
    pthread_mutex_lock(&blobs->adopt_mutex);
    if (access(to, F_OK) == 0)
        rc = fedn__error(err, FEDN_ERR_EXISTS, "%s exists already", to);
    else
        rc = check_room(blobs, path, err);
    if (rc == FEDN_OK)
        rc = fedn__fs_move(path, to, 1, err);
    pthread_mutex_unlock(&blobs->adopt_mutex);
    fedn__free(to);
    return rc;
}

/* Lets go of what only the cache holds. Nobody can take such a blob meanwhile: that is done here
 * only, with the mutex held. */
static void sweep(fedn__blobs *blobs)
{
    const char *name = NULL;
    void *value = NULL;
    uint64_t place = 0;

    while (fedn__map_next(&blobs->open, &place, &name, &value)) {
        if (value == blobs->latest || fedn__blob_is_shared(value))
            continue;
        fedn__map_remove(&blobs->open, name);
        fedn__blob_unref(value);
        place = 0;
    }
}

/* With the mutex held. */
static fedn_status open_and_keep(fedn__blobs *blobs, const char *name, const char *path,
                                 fedn__blob **ret, fedn_error *err)
{
    fedn_status rc = fedn__blob_from_file(path, ret, err);

    if (rc == FEDN_ERR_NOT_FOUND)
        return fedn__error(err, rc, "there is no blob %s", name);
    if (rc != FEDN_OK)
        return rc;
    if (fedn__map_set(&blobs->open, name, *ret) != FEDN_OK) {
        *ret = fedn__blob_unref(*ret);
        return fedn__error_nomem(err);
    }
    blobs->latest = *ret;
    fedn__blob_ref(*ret);
    return FEDN_OK;
}

fedn_status fedn__blobs_get(fedn__blobs *blobs, const fedn__uuid *id, fedn__blob **ret,
                            fedn_error *err)
{
    char name[FEDN__UUID_TEXT];
    fedn_status rc = FEDN_OK;

    *ret = NULL;
    fedn__uuid_format(id, name);
    char *path = fedn__fs_join(blobs->dir, name);
    if (!path)
        return fedn__error_nomem(err);
    pthread_mutex_lock(&blobs->mutex);
    fedn__blob *there = fedn__map_get(&blobs->open, name);
    if (there) {
        blobs->latest = there;
        *ret = fedn__blob_ref(there);
    } else {
        rc = open_and_keep(blobs, name, path, ret, err);
    }
    sweep(blobs);
    pthread_mutex_unlock(&blobs->mutex);
    fedn__free(path);
    return rc;
}

fedn_status fedn__blobs_remove(fedn__blobs *blobs, const fedn__uuid *id, fedn_error *err)
{
    char name[FEDN__UUID_TEXT];
    fedn_status rc = FEDN_OK;

    fedn__uuid_format(id, name);
    char *path = fedn__fs_join(blobs->dir, name);
    if (!path)
        return fedn__error_nomem(err);
    pthread_mutex_lock(&blobs->mutex);
    if (unlink(path) == 0) {
        fedn__blob *there = fedn__map_remove(&blobs->open, name);
        if (there == blobs->latest)
            blobs->latest = NULL;
        fedn__blob_unref(there);
    } else if (errno == ENOENT) {
        rc = fedn__error(err, FEDN_ERR_NOT_FOUND, "there is no blob %s", name);
    } else {
        rc = fedn__error_errno(err, errno, "cannot remove %s", path);
    }
    pthread_mutex_unlock(&blobs->mutex);
    fedn__free(path);
    return rc;
}

int32_t fedn__blobs_has(fedn__blobs *blobs, const fedn__uuid *id)
{
    char name[FEDN__UUID_TEXT];

    fedn__uuid_format(id, name);
    return faccessat(blobs->dir_fd, name, F_OK, 0) == 0;
}

typedef struct usage {
    uint64_t count;
    uint64_t bytes;
} usage;

static void add_usage(int dir_fd, const char *name, void *user_data)
{
    usage *sum = user_data;
    fedn__uuid id;
    struct stat info;

    if (fedn__uuid_parse(name, &id) && fstatat(dir_fd, name, &info, 0) == 0) {
        sum->count++;
        sum->bytes += (uint64_t)info.st_size;
    }
}

fedn_status fedn__blobs_usage(fedn__blobs *blobs, uint64_t *ret_count, uint64_t *ret_bytes,
                              fedn_error *err)
{
    usage sum = {0};
    fedn_status rc = walk(blobs->dir, add_usage, &sum, err);

    if (rc == FEDN_OK) {
        *ret_count = sum.count;
        *ret_bytes = sum.bytes;
    }
    return rc;
}
