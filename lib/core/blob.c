/* SPDX-License-Identifier: Apache-2.0
 * Immutable bytes, ref-counted: in memory or in a file. */
#include "core/blob.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct fedn__blob {
    atomic_uint refs;
    atomic_uint uses;
    int fd; /* -1: in memory */
    uint64_t bytes;
    void *memory; /* owned, when in memory */
    pthread_mutex_t map_mutex;
    void *map; /* guarded by map_mutex until set */
    pthread_mutex_t digest_mutex;
    int32_t digest_known; /* guarded by it, as is the digest */
    uint8_t digest[FEDN__DIGEST_BYTES];
};

static fedn__blob *blob_new(uint64_t bytes)
{
    fedn__blob *blob = fedn__alloc_zero(sizeof *blob);
    if (!blob)
        return NULL;
    atomic_init(&blob->refs, 1);
    atomic_init(&blob->uses, 0);
    blob->fd = -1;
    blob->bytes = bytes;
    pthread_mutex_init(&blob->map_mutex, NULL);
    pthread_mutex_init(&blob->digest_mutex, NULL);
    return blob;
}

fedn_status fedn__blob_from_memory(void *data, uint64_t bytes, fedn__blob **ret, fedn_error *err)
{
    fedn__blob *blob = blob_new(bytes);

    *ret = blob;
    if (!blob)
        return fedn__error_nomem(err);
    blob->memory = data;
    return FEDN_OK;
}

fedn_status fedn__blob_copy(const void *data, uint64_t bytes, fedn__blob **ret, fedn_error *err)
{
    *ret = NULL;
    void *copy = fedn__alloc(bytes);
    if (!copy)
        return fedn__error_nomem(err);
    if (bytes)
        memcpy(copy, data, (size_t)bytes);
    fedn_status rc = fedn__blob_from_memory(copy, bytes, ret, err);
    if (rc != FEDN_OK)
        fedn__free(copy);
    return rc;
}

fedn_status fedn__blob_from_file(const char *path, fedn__blob **ret, fedn_error *err)
{
    struct stat info;
    fedn_status rc = FEDN_OK;

    *ret = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fedn__error_errno(err, errno, "cannot open %s", path);
    if (fstat(fd, &info) != 0) {
        rc = fedn__error_errno(err, errno, "cannot look at %s", path);
        goto out;
    }
    if (!S_ISREG(info.st_mode)) {
        rc = fedn__error(err, FEDN_ERR_INVALID, "%s is not a regular file", path);
        goto out;
    }
    fedn__blob *blob = blob_new((uint64_t)info.st_size);
    if (!blob) {
        rc = fedn__error_nomem(err);
        goto out;
    }
    blob->fd = fd;
    fd = -1;
    *ret = blob;
out:
    if (fd >= 0)
        close(fd);
    return rc;
}

fedn__blob *fedn__blob_ref(fedn__blob *blob)
{
    if (blob)
        atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
    return blob;
}

fedn__blob *fedn__blob_unref(fedn__blob *blob)
{
    if (!blob || atomic_fetch_sub_explicit(&blob->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    if (blob->map)
        munmap(blob->map, (size_t)blob->bytes);
    if (blob->fd >= 0)
        close(blob->fd);
    pthread_mutex_destroy(&blob->map_mutex);
    pthread_mutex_destroy(&blob->digest_mutex);
    fedn__free(blob->memory);
    fedn__free(blob);
    return NULL;
}

int32_t fedn__blob_is_shared(const fedn__blob *blob)
{
    return atomic_load_explicit(&blob->refs, memory_order_acquire) > 1;
}

uint64_t fedn__blob_bytes(const fedn__blob *blob)
{
    return blob->bytes;
}

int fedn__blob_fd(const fedn__blob *blob)
{
    return blob->fd;
}

fedn_status fedn__blob_map(fedn__blob *blob, const uint8_t **ret, fedn_error *err)
{
    static const uint8_t nothing[1];
    fedn_status rc = FEDN_OK;

    *ret = NULL;
    if (blob->bytes == 0) {
        *ret = nothing;
        return FEDN_OK;
    }
    if (blob->fd < 0) {
        *ret = blob->memory;
        return FEDN_OK;
    }
    pthread_mutex_lock(&blob->map_mutex);
    if (!blob->map) {
        void *map = mmap(NULL, (size_t)blob->bytes, PROT_READ, MAP_SHARED, blob->fd, 0);
        if (map == MAP_FAILED)
            rc = fedn__error_errno(err, errno, "cannot map %llu bytes",
                                   (unsigned long long)blob->bytes);
        else
            blob->map = map;
    }
    *ret = blob->map;
    pthread_mutex_unlock(&blob->map_mutex);
    return rc;
}

void fedn__blob_forget(fedn__blob *blob, uint64_t from, uint64_t to)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    from = (from + page - 1) / page * page;
    to = to < blob->bytes ? to : blob->bytes;
    pthread_mutex_lock(&blob->map_mutex);
    if (blob->map && from < to)
        (void)madvise((uint8_t *)blob->map + from, (size_t)(to - from), MADV_DONTNEED);
    pthread_mutex_unlock(&blob->map_mutex);
}

void fedn__blob_use(fedn__blob *blob)
{
    atomic_fetch_add_explicit(&blob->uses, 1, memory_order_relaxed);
}

void fedn__blob_rest(fedn__blob *blob)
{
    if (atomic_fetch_sub_explicit(&blob->uses, 1, memory_order_acq_rel) == 1)
        fedn__blob_forget(blob, 0, blob->bytes);
}

fedn_status fedn__blob_read(const fedn__blob *blob, uint64_t offset, void *to, uint64_t bytes,
                            fedn_error *err)
{
    if (bytes > blob->bytes || offset > blob->bytes - bytes)
        return fedn__error(
            err, FEDN_ERR_FORMAT, "%llu bytes at %llu are beyond the end of %llu bytes",
            (unsigned long long)bytes, (unsigned long long)offset, (unsigned long long)blob->bytes);
    if (blob->fd < 0) {
        if (bytes)
            memcpy(to, (const uint8_t *)blob->memory + offset, (size_t)bytes);
        return FEDN_OK;
    }
    for (uint64_t done = 0; done < bytes;) {
        ssize_t n =
            pread(blob->fd, (uint8_t *)to + done, (size_t)(bytes - done), (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fedn__error_errno(err, errno, "cannot read %llu bytes at %llu",
                                     (unsigned long long)bytes, (unsigned long long)offset);
        if (n == 0)
            return fedn__error(err, FEDN_ERR_IO, "the file became shorter than %llu bytes",
                               (unsigned long long)blob->bytes);
        done += (uint64_t)n;
    }
    return FEDN_OK;
}

fedn_status fedn__blob_start_digest(const fedn__blob *blob, uint64_t bytes,
                                    uint8_t ret[FEDN__DIGEST_BYTES], fedn_error *err)
{
    const uint64_t most = FEDN__MIB / 4;
    fedn__digest *sums = fedn__digest_new();
    uint8_t *block = fedn__alloc(most);
    fedn_status rc = sums && block ? FEDN_OK : fedn__error_nomem(err);

    for (uint64_t at = 0; rc == FEDN_OK && at < bytes; at += most) {
        uint64_t run = bytes - at < most ? bytes - at : most;
        rc = fedn__blob_read(blob, at, block, run, err);
        if (rc == FEDN_OK)
            fedn__digest_add(sums, block, run);
    }
    if (rc == FEDN_OK)
        fedn__digest_value(sums, ret);
    fedn__free(block);
    fedn__digest_free(sums);
    return rc;
}

fedn_status fedn__blob_digest(fedn__blob *blob, uint8_t ret[FEDN__DIGEST_BYTES], fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    pthread_mutex_lock(&blob->digest_mutex);
    if (!blob->digest_known && blob->fd < 0)
        fedn__digest_of(blob->memory, blob->bytes, blob->digest);
    else if (!blob->digest_known)
        rc = fedn__blob_start_digest(blob, blob->bytes, blob->digest, err);
    blob->digest_known = rc == FEDN_OK;
    memcpy(ret, blob->digest, FEDN__DIGEST_BYTES);
    pthread_mutex_unlock(&blob->digest_mutex);
    return rc;
}

int32_t fedn__blob_known_digest(fedn__blob *blob, uint8_t ret[FEDN__DIGEST_BYTES])
{
    pthread_mutex_lock(&blob->digest_mutex);
    int32_t known = blob->digest_known;
    memcpy(ret, blob->digest, FEDN__DIGEST_BYTES);
    pthread_mutex_unlock(&blob->digest_mutex);
    return known;
}

void fedn__blob_set_digest(fedn__blob *blob, const uint8_t digest[FEDN__DIGEST_BYTES])
{
    memcpy(blob->digest, digest, FEDN__DIGEST_BYTES);
    blob->digest_known = 1;
}
