/* SPDX-License-Identifier: Apache-2.0
 * Appending, flushing in groups, and reading a journal back. A record is its length, the digest of
 * its bytes, and they. */
#include "roles/combiner/journal.h"

#include "core/alloc.h"
#include "core/blob.h"
#include "core/clock.h"
#include "core/digest.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/limits.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define RETRY_MS     INT64_C(1000) /* after a disk that could not be written */
#define LENGTH_BYTES 4             /* little-endian */
#define HEADER_BYTES (LENGTH_BYTES + FEDN__DIGEST_BYTES)

/* One step of the file: a record, or with no bytes the end of all. */
typedef struct entry {
    struct entry *next;
    fedn__journal_fn fn;
    void *user_data;
    char *key;
    int32_t anew; /* all before it is dropped */
    uint64_t bytes;
    uint8_t data[]; /* header and record */
} entry;

struct fedn__journal {
    fedn__work work;
    fedn__journal_options options;
    char *path;
    fedn__lane lane;
    fedn__timer retry;
    int fd;
    int32_t busy;
    int32_t stopped;
    int32_t complained;
    entry *queue; /* not handed to the worker yet */
    entry **tail;
    /* the worker's while it is busy */
    entry *batch;
    uint64_t durable; /* bytes of the file that are on disk */
    fedn_status status;
    fedn_error err;
};

static void entry_free(entry *e)
{
    fedn__free(e->key);
    fedn__free(e);
}

static void put_header(uint8_t to[HEADER_BYTES], const void *record, uint64_t bytes)
{
    for (uint32_t i = 0; i < LENGTH_BYTES; i++)
        to[i] = (uint8_t)(bytes >> (8 * i));
    fedn__digest_of(record, bytes, to + LENGTH_BYTES);
}

static uint64_t get_length(const uint8_t header[HEADER_BYTES])
{
    uint64_t value = 0;

    for (uint32_t i = LENGTH_BYTES; i > 0; i--)
        value = value << 8 | header[i - 1];
    return value;
}

/* ---- reading ---- */

/* The record at `at`; *ret_bytes 0: there is no whole one. */
static fedn_status read_record(const fedn__blob *file, uint64_t at, uint8_t **ret,
                               uint64_t *ret_bytes, fedn_error *err)
{
    uint8_t header[HEADER_BYTES];
    uint8_t found[HEADER_BYTES];
    uint64_t bytes = fedn__blob_bytes(file);
    uint64_t length = 0;

    *ret = NULL;
    *ret_bytes = 0;
    if (bytes - at < HEADER_BYTES)
        return FEDN_OK;
    fedn_status rc = fedn__blob_read(file, at, header, HEADER_BYTES, err);
    if (rc == FEDN_OK)
        length = get_length(header);
    if (rc != FEDN_OK || length == 0 || length > FEDN__LIMIT_JOURNAL_RECORD ||
        length > bytes - at - HEADER_BYTES)
        return rc;
    *ret = fedn__alloc(length);
    if (!*ret)
        return fedn__error_nomem(err);
    rc = fedn__blob_read(file, at + HEADER_BYTES, *ret, length, err);
    put_header(found, *ret, length);
    if (rc == FEDN_OK && memcmp(found, header, sizeof found) == 0)
        *ret_bytes = length;
    return rc;
}

static fedn_status read_records(fedn__journal *journal, fedn__journal_record_fn fn, void *user_data,
                                uint64_t *ret_cut, fedn_error *err)
{
    fedn__blob *file = NULL;
    uint64_t at = 0;
    uint64_t length = 1;
    fedn_status rc = fedn__blob_from_file(journal->path, &file, err);

    while (rc == FEDN_OK && length > 0) {
        uint8_t *record = NULL;
        rc = read_record(file, at, &record, &length, err);
        if (rc == FEDN_OK && length > 0) {
            rc = fn(record, length, user_data, err);
            at += HEADER_BYTES + length;
        }
        fedn__free(record);
    }
    *ret_cut = rc == FEDN_OK ? fedn__blob_bytes(file) - at : 0;
    journal->durable = at;
    if (*ret_cut > 0 && ftruncate(journal->fd, (off_t)at) != 0)
        rc = fedn__error_errno(err, errno, "cannot cut %s", journal->path);
    fedn__blob_unref(file);
    return rc;
}

/* ---- writing, on the pool ---- */

static fedn_status write_batch(fedn__journal *journal, uint64_t *ret_length, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    *ret_length = journal->durable;
    if (ftruncate(journal->fd, (off_t)journal->durable) != 0)
        return fedn__error_errno(err, errno, "cannot cut %s", journal->path);
    for (const entry *e = journal->batch; e && rc == FEDN_OK; e = e->next) {
        if (e->anew) {
            *ret_length = 0;
            if (ftruncate(journal->fd, 0) != 0)
                return fedn__error_errno(err, errno, "cannot empty %s", journal->path);
        }
        rc = fedn__fs_write_at(journal->fd, *ret_length, e->data, e->bytes, err);
        *ret_length += e->bytes;
    }
    if (rc != FEDN_OK)
        fedn__error_prefix(err, rc, journal->path);
    return rc;
}

/* A beginning may wait for what is worth a flush. */
static int32_t must_flush(const entry *batch)
{
    for (; batch; batch = batch->next)
        if (!batch->anew)
            return 1;
    return 0;
}

static void on_work(fedn__work *work)
{
    fedn__journal *journal = (fedn__journal *)work;
    uint64_t length = 0;

    journal->status = write_batch(journal, &length, &journal->err);
    if (journal->status == FEDN_OK && must_flush(journal->batch) && fdatasync(journal->fd) != 0)
        journal->status = fedn__error_errno(&journal->err, errno, "cannot flush %s", journal->path);
    if (journal->status == FEDN_OK)
        journal->durable = length;
}

/* ---- on the loop ---- */

static void flush(fedn__journal *journal)
{
    if (journal->busy || journal->stopped || journal->retry.place != 0)
        return;
    entry **end = &journal->batch; /* what failed before comes first */
    while (*end)
        end = &(*end)->next;
    *end = journal->queue;
    journal->queue = NULL;
    journal->tail = &journal->queue;
    if (!journal->batch)
        return;
    journal->busy = 1;
    fedn__work_submit(&journal->work, journal->options.loop, journal->options.pool, &journal->lane);
}

static void tell(fedn__journal *journal)
{
    entry *e = journal->batch;

    journal->batch = NULL;
    while (e) {
        entry *next = e->next;
        if (e->fn)
            e->fn(e->key, e->user_data);
        entry_free(e);
        e = next;
    }
}

static void on_done(fedn__work *work)
{
    fedn__journal *journal = (fedn__journal *)work;

    journal->busy = 0;
    if (journal->status != FEDN_OK && journal->stopped)
        return;
    if (journal->status != FEDN_OK) {
        if (!journal->complained)
            fedn__log_write(journal->options.log, FEDN_LOG_ERROR, "combiner",
                            "%s: no update is acknowledged until it can be written; trying again "
                            "every second",
                            journal->err.message);
        journal->complained = 1;
        if (fedn__loop_timer_set(journal->options.loop, &journal->retry,
                                 fedn__clock_ns() + RETRY_MS * 1000000) != FEDN_OK)
            flush(journal);
        return;
    }
    if (journal->complained)
        fedn__log_write(journal->options.log, FEDN_LOG_INFO, "combiner", "%s is written again",
                        journal->path);
    journal->complained = 0;
    tell(journal);
    flush(journal);
}

static void on_retry(fedn__timer *timer, void *user_data)
{
    (void)timer;
    flush(user_data);
}

static fedn_status enqueue(fedn__journal *journal, const void *record, uint64_t bytes, int32_t anew,
                           const char *key, fedn__journal_fn fn, void *user_data)
{
    uint64_t length = bytes > 0 ? HEADER_BYTES + bytes : 0;

    if (bytes > FEDN__LIMIT_JOURNAL_RECORD)
        return FEDN_ERR_LIMIT;
    entry *e = fedn__alloc(sizeof *e + length);
    if (!e)
        return FEDN_ERR_NOMEM;
    *e = (entry){.fn = fn, .user_data = user_data, .anew = anew, .bytes = length};
    e->key = fedn__strdup(key);
    if (key && !e->key) {
        entry_free(e);
        return FEDN_ERR_NOMEM;
    }
    if (bytes > 0) {
        put_header(e->data, record, bytes);
        memcpy(e->data + HEADER_BYTES, record, (size_t)bytes);
    }
    *journal->tail = e;
    journal->tail = &e->next;
    flush(journal);
    return FEDN_OK;
}

fedn_status fedn__journal_begin(fedn__journal *journal, const void *record, uint64_t bytes,
                                const char *key, fedn__journal_fn fn, void *user_data)
{
    return enqueue(journal, record, record ? bytes : 0, 1, key, fn, user_data);
}

fedn_status fedn__journal_add(fedn__journal *journal, const void *record, uint64_t bytes,
                              const char *key, fedn__journal_fn fn, void *user_data)
{
    return enqueue(journal, record, bytes, 0, key, fn, user_data);
}

/* ---- life ---- */

fedn_status fedn__journal_open(const fedn__journal_options *options, fedn__journal_record_fn fn,
                               void *user_data, uint64_t *ret_cut, fedn__journal **ret,
                               fedn_error *err)
{
    fedn__journal *journal = fedn__alloc_zero(sizeof *journal);

    *ret = NULL;
    *ret_cut = 0;
    if (!journal)
        return fedn__error_nomem(err);
    journal->options = *options;
    journal->fd = -1;
    journal->tail = &journal->queue;
    journal->work.work = on_work;
    journal->work.done = on_done;
    journal->retry.fn = on_retry;
    journal->retry.user_data = journal;
    fedn__lane_init(&journal->lane);
    journal->path = fedn__strdup(options->path);
    fedn_status rc = FEDN_ERR_NOMEM;
    if (journal->path) {
        journal->fd = open(journal->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        rc = journal->fd < 0 ? fedn__error_errno(err, errno, "cannot open %s", journal->path)
                             : FEDN_OK;
    } else {
        fedn__error_nomem(err);
    }
    if (rc == FEDN_OK)
        rc = read_records(journal, fn, user_data, ret_cut, err);
    if (rc == FEDN_OK)
        *ret = journal;
    else
        fedn__journal_close(journal);
    return rc;
}

static void entries_free(entry *e)
{
    while (e) {
        entry *next = e->next;
        entry_free(e);
        e = next;
    }
}

void fedn__journal_stop(fedn__journal *journal)
{
    if (!journal)
        return;
    journal->stopped = 1;
    fedn__loop_timer_cancel(journal->options.loop, &journal->retry);
}

void fedn__journal_close(fedn__journal *journal)
{
    if (!journal)
        return;
    entries_free(journal->batch);
    entries_free(journal->queue);
    if (journal->fd >= 0)
        close(journal->fd);
    fedn__free(journal->path);
    fedn__free(journal);
}
