/* SPDX-License-Identifier: Apache-2.0
 * The index of a .npz file: a ZIP directory whose members are .npy files. */
#include "core/alloc.h"
#include "core/error.h"
#include "model/npy.h"
#include "model/source_impl.h"
#include "model/zip.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USUAL_HEADER 128 /* numpy pads to a multiple of 64, and this holds most */

/* Cuts ".npy" off. */
static fedn_status tensor_name(const fedn__zip_item *item, char name[FEDN__ZIP_NAME_BYTES + 1],
                               fedn_error *err)
{
    uint64_t bytes = strlen(item->name);

    if (bytes < 4 || strcmp(item->name + bytes - 4, ".npy") != 0)
        return fedn__error(err, FEDN_ERR_FORMAT, "npz: member \"%s\" is not a .npy file",
                           item->name);
    memcpy(name, item->name, bytes - 4);
    name[bytes - 4] = 0;
    return FEDN_OK;
}

/* The header of the member, of any length that is allowed. */
static fedn_status read_header(fedn__source *source, fedn__member *member, const char *name,
                               fedn__npy *ret, fedn_error *err)
{
    uint8_t usual[USUAL_HEADER];
    uint8_t *header = NULL;
    uint64_t got = member->bytes < USUAL_HEADER ? member->bytes : USUAL_HEADER;
    uint64_t length = 0;
    char what[FEDN__ZIP_NAME_BYTES + 16];

    fedn_status rc = fedn__member_read(&source->reader, member, name, 0, usual, got, err);
    if (rc != FEDN_OK)
        return rc;
    snprintf(what, sizeof what, "tensor \"%s\"", name);
    rc = fedn__npy_length(usual, got, &length, err);
    if (rc == FEDN_OK && length > member->bytes)
        rc = fedn__error(err, FEDN_ERR_FORMAT, "its member ends inside its .npy header");
    if (rc != FEDN_OK)
        return fedn__error_prefix(err, rc, what);
    if (length > got) {
        header = fedn__alloc(length);
        if (!header)
            return fedn__error_nomem(err);
        memcpy(header, usual, got);
        rc = fedn__member_read(&source->reader, member, name, got, header + got, length - got, err);
        if (rc != FEDN_OK)
            goto out;
    }
    rc = fedn__npy_parse(header ? header : usual, length, ret, err);
    if (rc != FEDN_OK)
        fedn__error_prefix(err, rc, what);
out:
    fedn__free(header);
    return rc;
}

/* 1 if column-major differs from row-major: two sizes or more are over 1 */
static int32_t order_matters(const fedn__npy *npy)
{
    uint32_t wide = 0;

    for (uint32_t i = 0; i < npy->rank; i++) {
        if (npy->shape[i] == 0)
            return 0;
        wide += npy->shape[i] > 1;
    }
    return wide > 1;
}

static fedn_status add_member(fedn__source *source, const fedn__zip_item *item, fedn_error *err)
{
    char name[FEDN__ZIP_NAME_BYTES + 1];
    fedn__entry *entry = NULL;
    fedn__npy npy = {.rank = 0};
    fedn__member member = {.offset = item->data_offset,
                           .packed = item->packed,
                           .bytes = item->bytes,
                           .crc = item->crc,
                           .deflated = item->method == FEDN__ZIP_DEFLATED};

    fedn_status rc = tensor_name(item, name, err);
    if (rc == FEDN_OK)
        rc = read_header(source, &member, name, &npy, err);
    if (rc == FEDN_OK)
        rc = fedn__index_add(&source->index, name, npy.dtype, npy.rank, npy.shape, &entry, err);
    if (rc != FEDN_OK)
        return rc;
    if (entry->info.bytes != member.bytes - npy.header_bytes)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "tensor \"%s\": its shape needs %llu bytes, the member has %llu", name,
                           (unsigned long long)entry->info.bytes,
                           (unsigned long long)(member.bytes - npy.header_bytes));
    entry->member = member;
    entry->skip = npy.header_bytes;
    entry->header_offset = item->header_offset;
    entry->fortran = npy.fortran && order_matters(&npy);
    entry->big = npy.big;
    return FEDN_OK;
}

typedef struct span {
    uint64_t start;
    uint64_t end;
    uint32_t entry;
} span;

static int compare(const void *a, const void *b)
{
    uint64_t left = ((const span *)a)->start;
    uint64_t right = ((const span *)b)->start;
    return (left > right) - (left < right);
}

/* No two members may share bytes: a small file could otherwise stand for a huge model. */
static fedn_status check_overlaps(const fedn__index *index, fedn_error *err)
{
    fedn_status rc = FEDN_OK;
    span *spans = fedn__alloc_array(index->count, sizeof *spans);

    if (!spans)
        return fedn__error_nomem(err);
    for (uint32_t i = 0; i < index->count; i++) {
        const fedn__entry *entry = &index->entries[i];
        spans[i] = (span){entry->header_offset, entry->member.offset + entry->member.packed, i};
    }
    if (index->count)
        qsort(spans, index->count, sizeof *spans, compare);
    for (uint32_t i = 1; i < index->count && rc == FEDN_OK; i++)
        if (spans[i].start < spans[i - 1].end)
            rc = fedn__error(err, FEDN_ERR_FORMAT, "npz: \"%s\" and \"%s\" overlap at offset %llu",
                             index->entries[spans[i - 1].entry].info.name,
                             index->entries[spans[i].entry].info.name,
                             (unsigned long long)spans[i].start);
    fedn__free(spans);
    return rc;
}

fedn_status fedn__npz_open(fedn__source *source, const fedn__format *format, fedn_error *err)
{
    (void)format;
    fedn__zip_reader zip;
    fedn__zip_item item;

    fedn_status rc = fedn__zip_open(&source->input, &zip, err);
    if (rc != FEDN_OK)
        return rc;
    while (rc == FEDN_OK && zip.next < zip.count) {
        rc = fedn__zip_next(&zip, &item, err);
        if (rc == FEDN_OK)
            rc = fedn__zip_locate(&zip, &item, err);
        if (rc == FEDN_OK)
            rc = add_member(source, &item, err);
    }
    if (rc == FEDN_OK)
        rc = check_overlaps(&source->index, err);
    if (rc == FEDN_OK)
        rc = fedn__index_sort_numbers(&source->index, err);
    fedn__zip_done(&zip);
    return rc;
}
