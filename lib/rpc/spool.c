/* SPDX-License-Identifier: Apache-2.0
 * Received blocks into a file, off the loop; see spool.h. */
#include "rpc/spool.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/limits.h"
#include "rpc/parts.h"
#include "rpc/tag.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { VECTORS = 64 };

void fedn__load_done(fedn__load *load)
{
    fedn__block_done(&load->block);
    fedn__free(load->data);
    memset(load, 0, sizeof *load);
}

void fedn__spool_init(fedn__spool *spool)
{
    spool->fd = -1;
    fedn__buffer_init(&spool->memory, 0);
}

void fedn__spool_go_on(fedn__spool *spool, uint64_t from)
{
    spool->from = from;
    spool->bytes = from;
    spool->in_file = from > 0;
}

void fedn__spool_done(fedn__spool *spool)
{
    assert(!spool->busy && spool->fd < 0);
    fedn__load_done(&spool->next);
    fedn__load_done(&spool->load);
    fedn__buffer_done(&spool->memory);
    fedn__digest_free(spool->sums);
    spool->blob = fedn__blob_unref(spool->blob);
    fedn__free(spool->path);
    fedn__free(spool->part);
    fedn__free(spool->parts);
    spool->path = spool->part = spool->parts = NULL;
}

/* On a worker: all pieces in order, several with one call. */
static fedn_status write_pieces(fedn__spool *spool)
{
    struct iovec vectors[VECTORS];
    uint64_t index = 0;
    uint64_t offset = 0; /* into the piece at index */

    while (index < spool->load.count) {
        int count = 0;
        uint64_t skipped = offset;
        for (uint64_t i = index; i < spool->load.count && count < VECTORS; i++, count++) {
            const fedn__piece *piece = &spool->load.data[i];
            vectors[count].iov_base = (void *)(uintptr_t)(piece->data + skipped);
            vectors[count].iov_len = piece->bytes - skipped;
            skipped = 0;
        }
        ssize_t wrote = writev(spool->fd, vectors, count);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return fedn__error_errno(&spool->job_err, errno, "cannot write %s", spool->path);
        offset += (uint64_t)wrote;
        while (index < spool->load.count && offset >= spool->load.data[index].bytes)
            offset -= spool->load.data[index++].bytes;
    }
    return FEDN_OK;
}

static fedn_status write_load(fedn__spool *spool)
{
    for (uint64_t i = 0; i < spool->load.count; i++)
        fedn__digest_add(spool->sums, spool->load.data[i].data, spool->load.data[i].bytes);
    return write_pieces(spool);
}

/* The file, with what was taken before there was one. */
static fedn_status create(fedn__spool *spool)
{
    fedn_error *err = &spool->job_err;

    if (!spool->part)
        spool->part = fedn__strf("%s.part", spool->path);
    if (!spool->sums)
        spool->sums = fedn__digest_new();
    fedn_status rc = spool->part && spool->sums ? FEDN_OK : fedn__error_nomem(err);
    if (rc == FEDN_OK)
        rc = fedn__part_open(spool->part, spool->from, spool->sums, &spool->fd, err);
    if (rc == FEDN_OK)
        rc = fedn__fs_write(spool->fd, spool->memory.data, spool->memory.len, err);
    if (rc == FEDN_OK)
        fedn__digest_add(spool->sums, spool->memory.data, spool->memory.len);
    fedn__buffer_done(&spool->memory);
    return rc;
}

static fedn_status check_digest(const fedn__spool *spool, const uint8_t digest[FEDN__DIGEST_BYTES],
                                fedn_error *err)
{
    if (!spool->has_expected || memcmp(digest, spool->expected, FEDN__DIGEST_BYTES) == 0)
        return FEDN_OK;
    return fedn__error(err, FEDN_ERR_FORMAT,
                       "the %llu bytes that arrived are not what was sent: their digest differs",
                       (unsigned long long)spool->bytes);
}

/* The file becomes the model. */
static fedn_status commit(fedn__spool *spool)
{
    fedn_error *err = &spool->job_err;
    uint8_t digest[FEDN__DIGEST_BYTES];

    fedn__digest_value(spool->sums, digest);
    fedn_status rc = check_digest(spool, digest, err);
    if (close(spool->fd) != 0 && rc == FEDN_OK)
        rc = fedn__error_errno(err, errno, "cannot write %s", spool->part);
    spool->fd = -1;
    if (rc == FEDN_OK)
        rc = fedn__fs_move(spool->part, spool->path, spool->durable, err);
    if (rc < 0)
        unlink(spool->part);
    if (rc == FEDN_OK)
        rc = fedn__blob_from_file(spool->path, &spool->blob, err);
    if (rc == FEDN_OK)
        fedn__blob_set_digest(spool->blob, digest);
    return rc;
}

/* What was written stays for another try, or nothing of it does. */
static void leave(fedn__spool *spool)
{
    close(spool->fd);
    spool->fd = -1;
    if (spool->status < 0 || !spool->job_keep)
        unlink(spool->part);
    else if (spool->parts)
        fedn__parts_sweep(spool->parts, FEDN__LIMIT_PARTS);
}

static void on_worker(fedn__work *work)
{
    fedn__spool *spool = FEDN__OWNER(work, fedn__spool, work);

    if (spool->status == FEDN_OK && spool->fd < 0 && spool->job_ending >= 0)
        spool->status = create(spool);
    if (spool->status == FEDN_OK && spool->job_ending >= 0)
        spool->status = write_load(spool);
    fedn__load_done(&spool->load);
    if (spool->status == FEDN_OK && spool->job_ending > 0)
        spool->status = commit(spool);
    if ((spool->status < 0 || spool->job_ending < 0) && spool->fd >= 0)
        leave(spool);
}

static void back(fedn__work *work);

static void submit(fedn__spool *spool)
{
    if (spool->busy)
        return;
    spool->load = spool->next;
    memset(&spool->next, 0, sizeof spool->next);
    spool->waiting = 0;
    spool->job_ending = spool->ending;
    spool->job_keep = spool->keep;
    spool->busy = 1;
    spool->work.work = on_worker;
    spool->work.done = back;
    fedn__work_submit(&spool->work, spool->loop, spool->pool, NULL);
}

static void back(fedn__work *work)
{
    fedn__spool *spool = FEDN__OWNER(work, fedn__spool, work);

    spool->busy = 0;
    spool->ended = spool->status < 0 || spool->job_ending;
    if (spool->ended) {
        int32_t abandoned = spool->job_ending < 0;
        fedn__load_done(&spool->next);
        spool->over(spool, abandoned ? spool->reason : spool->status,
                    abandoned ? &spool->err : &spool->job_err);
        return;
    }
    int32_t was_full = spool->waiting;
    if (spool->waiting || spool->ending)
        submit(spool);
    if (was_full && !spool->ending)
        spool->room(spool);
}

/* Without a file it is over on the loop's next turn: the caller is not called back from inside. */
static void on_post(fedn__post *post)
{
    fedn__spool *spool = FEDN__OWNER(post, fedn__spool, post);
    int32_t abandoned = spool->ending < 0;

    spool->ended = 1;
    spool->busy = 0;
    spool->over(spool, abandoned ? spool->reason : spool->status,
                abandoned ? &spool->err : &spool->job_err);
}

static void end_in_memory(fedn__spool *spool)
{
    uint64_t bytes = spool->memory.len;
    uint8_t digest[FEDN__DIGEST_BYTES];
    void *data = NULL;

    spool->busy = 1;
    if (spool->ending > 0) {
        data = fedn__buffer_take(&spool->memory);
        spool->status = data ? FEDN_OK : fedn__error_nomem(&spool->job_err);
        if (spool->status == FEDN_OK && spool->has_expected) {
            fedn__digest_of(data, bytes, digest);
            spool->status = check_digest(spool, digest, &spool->job_err);
        }
        if (spool->status == FEDN_OK)
            spool->status = fedn__blob_from_memory(data, bytes, &spool->blob, &spool->job_err);
        if (spool->status != FEDN_OK)
            fedn__free(data);
    }
    spool->job_ending = spool->ending;
    spool->post.fn = on_post;
    fedn__loop_post(spool->loop, &spool->post);
}

static int32_t needs_file(const fedn__spool *spool)
{
    return spool->in_file || spool->memory_bytes == 0;
}

static fedn_status keep_in_memory(fedn__spool *spool, fedn__load *load, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    spool->memory.limit = spool->memory_bytes;
    for (uint64_t i = 0; rc == FEDN_OK && i < load->count; i++)
        rc = fedn__buffer_add(&spool->memory, load->data[i].data, load->data[i].bytes);
    fedn__load_done(load);
    return rc == FEDN_OK ? rc : fedn__error_nomem(err);
}

fedn_status fedn__spool_add(fedn__spool *spool, fedn__load *load, int32_t *ret_room,
                            fedn_error *err)
{
    assert(!spool->waiting && !spool->ending && !spool->ended);
    if (load->bytes > spool->max_bytes - spool->bytes) {
        fedn_status rc =
            fedn__error(err, FEDN_ERR_LIMIT, "the model is over the limit of %llu bytes",
                        (unsigned long long)spool->max_bytes);
        fedn__load_done(load);
        return rc;
    }
    spool->bytes += load->bytes;
    *ret_room = 1;
    if (!spool->in_file && spool->bytes <= spool->memory_bytes)
        return keep_in_memory(spool, load, err);
    spool->in_file = 1;
    spool->next = *load;
    memset(load, 0, sizeof *load);
    spool->waiting = 1;
    if (!spool->busy)
        submit(spool);
    *ret_room = !spool->waiting;
    return FEDN_OK;
}

void fedn__spool_commit(fedn__spool *spool)
{
    if (spool->ending || spool->ended)
        return;
    spool->ending = 1;
    if (needs_file(spool))
        submit(spool);
    else
        end_in_memory(spool);
}

void fedn__spool_abandon(fedn__spool *spool, fedn_status reason, const fedn_error *err)
{
    if (spool->ended || spool->ending < 0 || (spool->busy && spool->job_ending > 0))
        return;
    spool->ending = -1;
    spool->reason = reason;
    spool->err = *err;
    fedn__load_done(&spool->next);
    if (needs_file(spool))
        submit(spool);
    else if (!spool->busy)
        end_in_memory(spool);
}
