/* SPDX-License-Identifier: Apache-2.0
 * A journal with anything in it: what is read has the right digest, the rest is cut off, and
 * reading it once more gives the same. */
#define _GNU_SOURCE /* memfd_create */
#include "fuzz.h"

#include "core/alloc.h"
#include "core/digest.h"
#include "roles/combiner/journal.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LENGTH_BYTES = 4, HEADER_BYTES = LENGTH_BYTES + FEDN__DIGEST_BYTES };

typedef struct reading {
    const uint8_t *data; /* where the next record must stand */
    uint64_t bytes;
    uint64_t at;
} reading;

static fedn_status on_record(const uint8_t *record, uint64_t bytes, void *user_data,
                             fedn_error *err)
{
    reading *r = user_data;
    uint8_t digest[FEDN__DIGEST_BYTES];

    (void)err;
    FUZZ_CHECK(bytes > 0 && r->at + HEADER_BYTES + bytes <= r->bytes);
    FUZZ_CHECK(memcmp(r->data + r->at + HEADER_BYTES, record, bytes) == 0);
    fedn__digest_of(record, bytes, digest);
    FUZZ_CHECK(memcmp(r->data + r->at + LENGTH_BYTES, digest, sizeof digest) == 0);
    r->at += HEADER_BYTES + bytes;
    return FEDN_OK;
}

/* Bytes that were read; the others are gone from the file. */
static uint64_t read_journal(int fd, const uint8_t *data, size_t bytes)
{
    char path[64];
    fedn__journal *journal = NULL;
    fedn_error err;
    uint64_t cut = 0;
    reading r = {data, bytes, 0};

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const fedn__journal_options options = {.path = path};
    FUZZ_CHECK(fedn__journal_open(&options, on_record, &r, &cut, &journal, &err) == FEDN_OK);
    fedn__journal_close(journal);
    FUZZ_CHECK(r.at + cut == bytes);
    FUZZ_CHECK(lseek(fd, 0, SEEK_END) == (off_t)r.at);
    return r.at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    int64_t before = fedn__alloc_outstanding();
    int fd = memfd_create("journal", MFD_CLOEXEC);

    FUZZ_CHECK(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes);
    uint64_t whole = read_journal(fd, data, bytes);
    FUZZ_CHECK(read_journal(fd, data, whole) == whole);
    close(fd);
    FUZZ_CHECK(fedn__alloc_outstanding() == before);
    return 0;
}

static size_t put(uint8_t *to, const char *text)
{
    size_t bytes = strlen(text);

    memset(to, 0, LENGTH_BYTES);
    to[0] = (uint8_t)bytes;
    fedn__digest_of(text, bytes, to + LENGTH_BYTES);
    memcpy(to + HEADER_BYTES, text, bytes);
    return HEADER_BYTES + bytes;
}

size_t fuzz_seed(uint32_t nth, uint8_t to[FUZZ_SEED_BYTES])
{
    size_t bytes = 0;

    if (nth > 2)
        return 0;
    for (uint32_t i = 0; i <= 2 * nth; i++)
        bytes += put(to + bytes, i % 2 ? "an update" : "the beginning of a round");
    return bytes;
}
