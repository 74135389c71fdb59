/* SPDX-License-Identifier: Apache-2.0
 * Tensors that cannot be read in place: column-major ones are turned, and big-endian ones swapped,
 * a bounded window at a time. */
#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "model/dtype.h"
#include "model/source_impl.h"
#include <string.h>

#define SWAP_WINDOW (256 * FEDN__KIB)
#define RUN_CHUNK   (64 * FEDN__KIB)
#define RUN_LEAST   256 /* bytes: shorter reads cost more than what they fetch */

/* Walks the elements of a column-major file and knows where each belongs in a window of rows, where
 * a row is all elements that share the first coordinate. */
typedef struct walk {
    const fedn__tensor_info *info;
    uint64_t element;                     /* bytes of one */
    uint64_t row;                         /* elements in one row */
    uint64_t stride[FEDN_MODEL_MAX_RANK]; /* in elements of a row */
    uint64_t place[FEDN_MODEL_MAX_RANK];  /* coordinates but the first */
    uint64_t column;                      /* element of the row that the coordinates mean */
} walk;

void fedn__window_done(fedn__window *window)
{
    fedn__free_pages(window->data, window->room);
    memset(window, 0, sizeof *window);
}

static fedn_status need_room(fedn__window *window, uint64_t bytes, const char *name,
                             fedn_error *err)
{
    window->bytes = 0;
    if (window->room >= bytes)
        return FEDN_OK;
    fedn__window_done(window);
    window->data = fedn__alloc_pages(bytes);
    if (!window->data)
        return fedn__error(err, FEDN_ERR_NOMEM, "out of memory: %llu bytes to turn tensor \"%s\"",
                           (unsigned long long)bytes, name);
    window->room = bytes;
    return FEDN_OK;
}

static void walk_begin(walk *at, const fedn__tensor_info *info)
{
    memset(at, 0, sizeof *at);
    at->info = info;
    at->element = info->bytes / info->elements;
    at->row = 1;
    for (uint32_t i = info->rank; i-- > 1;) {
        at->stride[i] = at->row;
        at->row *= info->shape[i];
    }
}

/* To the next column in the file's order: the second coordinate is the fastest. */
static void walk_next(walk *at)
{
    for (uint32_t i = 1; i < at->info->rank; i++) {
        at->column += at->stride[i];
        if (++at->place[i] < at->info->shape[i])
            return;
        at->column -= at->stride[i] * at->info->shape[i];
        at->place[i] = 0;
    }
}

/* n elements of one column go to rows from `first` on. */
static void scatter(const walk *at, uint8_t *rows, uint64_t first, const uint8_t *from, uint64_t n)
{
    uint64_t step = at->row * at->element;
    uint8_t *to = rows + first * step + at->column * at->element;

#define SCATTER(bytes)                                                                             \
    case (bytes):                                                                                  \
        for (uint64_t i = 0; i < n; i++, to += step, from += (bytes))                              \
            memcpy(to, from, (bytes));                                                             \
        break
    switch (at->element) {
        SCATTER(1);
        SCATTER(2);
        SCATTER(4);
        SCATTER(8);
    default:
        break;
    }
#undef SCATTER
}

/* All of the tensor, front to back as the file has it. */
static fedn_status turn_whole(fedn__source *source, fedn__entry *entry, uint8_t *chunk,
                              fedn_error *err)
{
    uint64_t height = entry->info.shape[0];
    uint64_t first = 0;
    walk at;

    walk_begin(&at, &entry->info);
    for (uint64_t offset = 0; offset < entry->info.bytes;) {
        uint64_t left = entry->info.bytes - offset;
        uint64_t piece = left < RUN_CHUNK ? left : RUN_CHUNK;
        fedn_status rc = fedn__member_read(&source->reader, &entry->member, entry->info.name,
                                           entry->skip + offset, chunk, piece, err);
        if (rc != FEDN_OK)
            return rc;
        offset += piece;
        for (const uint8_t *from = chunk; from < chunk + piece;) {
            uint64_t n = (uint64_t)(chunk + piece - from) / at.element;
            if (n > height - first)
                n = height - first;
            scatter(&at, source->window.data, first, from, n);
            from += n * at.element;
            first += n;
            if (first == height) {
                first = 0;
                walk_next(&at);
            }
        }
    }
    return FEDN_OK;
}

/* Rows [first, first + rows): a run of every column. */
static fedn_status turn_rows(fedn__source *source, fedn__entry *entry, uint64_t first,
                             uint64_t rows, uint8_t *chunk, fedn_error *err)
{
    walk at;

    walk_begin(&at, &entry->info);
    fedn_status rc = fedn__member_check(&source->reader, &entry->member, entry->info.name, err);
    for (uint64_t column = 0; rc == FEDN_OK && column < at.row; column++, walk_next(&at)) {
        uint64_t start = (column * entry->info.shape[0] + first) * at.element;
        for (uint64_t done = 0; rc == FEDN_OK && done < rows;) {
            uint64_t n = RUN_CHUNK / at.element;
            if (n > rows - done)
                n = rows - done;
            rc = fedn__member_read(&source->reader, &entry->member, entry->info.name,
                                   entry->skip + start + done * at.element, chunk, n * at.element,
                                   err);
            if (rc == FEDN_OK)
                scatter(&at, source->window.data, done, chunk, n);
            done += n;
        }
    }
    return rc;
}

/* How many rows a window takes; all of them when only the whole can be turned. */
static fedn_status window_rows(const fedn__entry *entry, uint64_t *ret, fedn_error *err)
{
    const fedn__tensor_info *info = &entry->info;
    uint64_t row_bytes = info->bytes / info->shape[0];
    uint64_t rows = FEDN__LIMIT_COLUMN_WINDOW / row_bytes;

    *ret = info->shape[0];
    if (rows >= info->shape[0])
        return FEDN_OK;
    if (!entry->member.deflated && rows * (info->bytes / info->elements) >= RUN_LEAST) {
        *ret = rows;
        return FEDN_OK;
    }
    if (info->bytes > FEDN__LIMIT_COLUMN_TENSOR)
        return fedn__error(err, FEDN_ERR_LIMIT,
                           "tensor \"%s\": %llu bytes in column-major (Fortran) order are over "
                           "%llu; store it row-major",
                           info->name, (unsigned long long)info->bytes,
                           (unsigned long long)FEDN__LIMIT_COLUMN_TENSOR);
    return FEDN_OK;
}

static fedn_status fill_columns(fedn__source *source, fedn__entry *entry, uint64_t offset,
                                fedn_error *err)
{
    fedn__window *window = &source->window;
    uint64_t row_bytes = entry->info.bytes / entry->info.shape[0];
    uint64_t rows = 0;
    uint8_t *chunk = NULL;

    fedn_status rc = window_rows(entry, &rows, err);
    if (rc != FEDN_OK)
        return rc;
    int32_t whole = rows == entry->info.shape[0];
    uint64_t first = whole ? 0 : offset / row_bytes;
    if (rows > entry->info.shape[0] - first)
        rows = entry->info.shape[0] - first;
    rc = need_room(window, rows * row_bytes, entry->info.name, err);
    if (rc != FEDN_OK)
        return rc;
    chunk = fedn__alloc(RUN_CHUNK);
    if (!chunk)
        return fedn__error_nomem(err);
    rc = whole ? turn_whole(source, entry, chunk, err)
               : turn_rows(source, entry, first, rows, chunk, err);
    fedn__free(chunk);
    if (rc != FEDN_OK)
        return rc;
    window->start = first * row_bytes;
    window->bytes = rows * row_bytes;
    return FEDN_OK;
}

static fedn_status fill_rows(fedn__source *source, fedn__entry *entry, uint64_t offset,
                             fedn_error *err)
{
    fedn__window *window = &source->window;
    uint64_t start = offset - offset % SWAP_WINDOW;
    uint64_t left = entry->info.bytes - start;
    uint64_t bytes = left < SWAP_WINDOW ? left : SWAP_WINDOW;

    fedn_status rc = need_room(window, bytes, entry->info.name, err);
    if (rc == FEDN_OK)
        rc = fedn__member_read(&source->reader, &entry->member, entry->info.name,
                               entry->skip + start, window->data, bytes, err);
    if (rc != FEDN_OK)
        return rc;
    window->start = start;
    window->bytes = bytes;
    return FEDN_OK;
}

static fedn_status fill(fedn__source *source, uint32_t index, uint64_t offset, fedn_error *err)
{
    fedn__window *window = &source->window;
    fedn__entry *entry = &source->index.entries[index];
    uint32_t element = (uint32_t)fedn_dtype_bytes(entry->info.dtype);

    fedn_status rc = entry->fortran ? fill_columns(source, entry, offset, err)
                                    : fill_rows(source, entry, offset, err);
    if (rc != FEDN_OK)
        return rc;
    window->index = index;
    if (entry->big)
        fedn__dtype_swap(window->data, window->bytes / element, element);
    return FEDN_OK;
}

fedn_status fedn__window_read(fedn__source *source, uint32_t index, uint64_t offset, uint8_t *to,
                              uint64_t bytes, fedn_error *err)
{
    fedn__window *window = &source->window;

    while (bytes) {
        if (!window->bytes || window->index != index || offset < window->start ||
            offset - window->start >= window->bytes) {
            fedn_status rc = fill(source, index, offset, err);
            if (rc != FEDN_OK)
                return rc;
        }
        uint64_t at = offset - window->start;
        uint64_t piece = window->bytes - at;
        if (piece > bytes)
            piece = bytes;
        memcpy(to, window->data + at, piece);
        to += piece;
        offset += piece;
        bytes -= piece;
    }
    return FEDN_OK;
}
