/* SPDX-License-Identifier: Apache-2.0
 * Walking through a compute package's archive: what is in it, within bounds, before a byte of it is
 * written anywhere. */
#ifndef FEDN__PACKAGE_ARCHIVE_H
#define FEDN__PACKAGE_ARCHIVE_H

#include "core/limits.h"
#include <fedn/error.h>

/* One member: a file or a directory; nothing else gets here. */
typedef struct fedn__package_member {
    const char *path; /* relative, without "." and "..", '/' between segments */
    int32_t directory;
    int32_t executable;
    uint64_t bytes;
} fedn__package_member;

/* What is done with the members, in the order of the archive; NULL: nothing. */
typedef struct fedn__package_visitor {
    fedn_status (*member)(void *self, const fedn__package_member *member, fedn_error *err);
    /* Pieces of the last member, `at` where they belong; NULL: the contents are skipped. */
    fedn_status (*data)(void *self, uint64_t at, const void *data, uint64_t bytes, fedn_error *err);
    void *self;
} fedn__package_visitor;

/* A tar, plain or compressed by gzip, bzip2 or xz. FEDN_ERR_FORMAT: it is none, it is cut, or a
 * member is a link, a device, no path inside of a folder or there twice; FEDN_ERR_LIMIT. The text
 * names the member. Every byte comes once, in pieces; what no piece covers is zeros. */
fedn_status fedn__package_walk(const char *path, const fedn__package_visitor *visitor,
                               fedn_error *err);

#endif
