/* SPDX-License-Identifier: Apache-2.0
 * A moving window of a mapped file.
 *
 * Bytes that the system has in its cache are read up to a third faster in place than by a copy; the
 * window bounds what of them counts as this process's memory. */
#include "model/mapping.h"

#include "core/limits.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WINDOW     FEDN__LIMIT_MAP_WINDOW
#define LEAST_PAGE 4096

void fedn__mapping_done(fedn__mapping *mapping)
{
    if (mapping->address)
        munmap(mapping->address, (size_t)mapping->bytes);
    memset(mapping, 0, sizeof *mapping);
}

static int32_t is_cached(void *address, uint64_t bytes, uint64_t page)
{
    unsigned char state[WINDOW / LEAST_PAGE]; /* 8 KiB */
    uint64_t pages = (bytes + page - 1) / page;

    if (pages > sizeof state || mincore(address, (size_t)bytes, state) != 0)
        return 0;
    for (uint64_t i = 0; i < pages; i++)
        if (!(state[i] & 1))
            return 0;
    return 1;
}

static void move(fedn__mapping *mapping, int fd, uint64_t start, uint64_t bytes, uint64_t page)
{
    fedn__mapping_done(mapping);
    mapping->start = start;
    mapping->bytes = bytes;
    void *address = mmap(NULL, (size_t)bytes, PROT_READ, MAP_SHARED, fd, (off_t)start);
    if (address == MAP_FAILED)
        return;
    if (is_cached(address, bytes, page))
        mapping->address = address;
    else
        munmap(address, (size_t)bytes);
}

const uint8_t *fedn__mapping_at(fedn__mapping *mapping, int fd, uint64_t file_bytes,
                                uint64_t offset, uint64_t bytes)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t start = offset - offset % page;

    if (fd < 0 || offset > file_bytes || bytes > file_bytes - offset ||
        offset - start + bytes > WINDOW)
        return NULL;
    if (offset < mapping->start || offset + bytes > mapping->start + mapping->bytes) {
        uint64_t left = file_bytes - start;
        move(mapping, fd, start, left < WINDOW ? left : WINDOW, page);
    }
    if (!mapping->address)
        return NULL;
    return (const uint8_t *)mapping->address + (offset - mapping->start);
}
