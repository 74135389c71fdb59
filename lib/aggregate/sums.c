/* SPDX-License-Identifier: Apache-2.0
 * Weighted sums of models: folded, saved, merged. How they are kept wider than the data:
 * model/kernels.h.
 *
 * A partial holds after its description, for each tensor i, "sum.<i>" and if it is of a 64-bit type
 * "low.<i>", as float64 of the tensor's shape. */
#include "aggregate/sums.h"

#include "aggregate/layout.h"
#include "core/alloc.h"
#include "core/error.h"
#include <stdio.h>
#include <string.h>

/* Each array begins at a multiple of 64 bytes. */
static uint64_t padded(uint64_t elements)
{
    return (elements + 7) & ~(uint64_t)7;
}

fedn__tensor_sums fedn__sums_of(const fedn__tensor_info *info, double *place)
{
    fedn__tensor_sums s = {info->dtype, place, NULL, place + padded(info->elements)};

    if (fedn__kernel_is_wide(info->dtype)) {
        s.low = s.next;
        s.next += padded(info->elements);
    }
    return s;
}

static fedn_status make_room(fedn__sums *self, const fedn__index *layout, fedn_error *err)
{
    uint64_t bytes = 0;
    int32_t over = 0;

    for (uint32_t i = 0; i < layout->count; i++) {
        const fedn__tensor_info *info = &layout->entries[i].info;
        uint64_t arrays = fedn__kernel_is_wide(info->dtype) ? 2 : 1;
        over |= info->elements > UINT64_MAX / 64 ||
                __builtin_add_overflow(bytes, padded(info->elements) * arrays * 8, &bytes);
    }
    if (over)
        return fedn__error_nomem(err);
    if (self->pages && self->bytes == bytes)
        return FEDN_OK;
    fedn__free_pages(self->pages, self->bytes);
    self->bytes = bytes;
    self->pages = fedn__alloc_pages(bytes);
    return self->pages ? FEDN_OK : fedn__error_nomem(err);
}

void fedn__sums_done(fedn__sums *self)
{
    fedn__free_pages(self->pages, self->bytes);
}

void fedn__sums_reset(void *of)
{
    fedn__sums *self = of;

    self->filled = 0;
    fedn__forget_pages(self->pages, self->bytes);
}

/* A read that fails now leaves some sums with the update and some without it. */
static fedn_status folded(fedn__sums *self, fedn__round *round, fedn_status rc)
{
    if (rc != FEDN_OK && self->filled)
        round->broken = 1;
    if (rc == FEDN_OK)
        self->filled = 1;
    return rc;
}

typedef struct fold {
    const fedn__sums *self;
    fedn__tensor_sums to;
    double weight;
} fold;

static fedn_status fold_block(void *arg, uint64_t first, const void *x, uint64_t n, fedn_error *err)
{
    const fold *f = arg;
    double *low = f->to.low ? f->to.low + first : NULL;

    (void)err;
    if (f->self->filled)
        fedn__kernel_add(f->to.dtype, f->to.sum + first, low, x, f->weight, n);
    else
        fedn__kernel_set(f->to.dtype, f->to.sum + first, low, x, f->weight, n);
    return FEDN_OK;
}

fedn_status fedn__sums_add(void *of, fedn__round *round, const fedn__reader *update, double weight,
                           fedn_error *err)
{
    fedn__sums *self = of;
    fedn_status rc = self->filled ? FEDN_OK : make_room(self, &round->layout, err);
    fold f = {self, {.next = self->pages}, weight};

    if (rc != FEDN_OK)
        return rc;
    for (uint32_t i = 0; rc == FEDN_OK && i < round->layout.count; i++) {
        f.to = fedn__sums_of(&round->layout.entries[i].info, f.to.next);
        rc = fedn__reader_each(update, i, fold_block, &f, err);
    }
    return folded(self, round, rc);
}

/* partials -------------------------------------------------------------------------------------*/

static fedn_status add_sums_entry(fedn__index *to, const char *kind, uint32_t i,
                                  const fedn__tensor_info *info, fedn_error *err)
{
    char name[32];
    fedn__entry *entry = NULL;

    snprintf(name, sizeof name, "%s.%u", kind, i);
    return fedn__index_add(to, name, FEDN_DTYPE_F64, info->rank, info->shape, &entry, err);
}

/* What a partial of these tensors holds behind its description. */
static fedn_status partial_layout(const fedn__index *layout, fedn__index *ret, fedn_error *err)
{
    fedn_status rc = FEDN_OK;

    fedn__index_init(ret, 1);
    for (uint32_t i = 0; rc == FEDN_OK && i < layout->count; i++) {
        const fedn__tensor_info *info = &layout->entries[i].info;
        rc = add_sums_entry(ret, "sum", i, info, err);
        if (rc == FEDN_OK && fedn__kernel_is_wide(info->dtype))
            rc = add_sums_entry(ret, "low", i, info, err);
    }
    return rc;
}

fedn_status fedn__sums_save(void *of, const fedn__round *round, fedn__output *output,
                            fedn_error *err)
{
    const fedn__sums *self = of;
    fedn__tensor_sums s = {.next = self->pages};
    fedn__index layout;
    fedn_status rc = partial_layout(&round->layout, &layout, err);

    if (rc == FEDN_OK)
        rc = fedn__output_begin(output, &layout, err);
    for (uint32_t i = 0; rc == FEDN_OK && i < round->layout.count; i++) {
        const fedn__tensor_info *info = &round->layout.entries[i].info;
        s = fedn__sums_of(info, s.next);
        rc = fedn__output_write(output, s.sum, info->elements * 8, err);
        if (rc == FEDN_OK && s.low)
            rc = fedn__output_write(output, s.low, info->elements * 8, err);
    }
    fedn__index_done(&layout);
    return rc;
}

/* No sum may be larger than the largest element times the weight: then every mean is finite in its
 * own type, and sums of sums are finite as well. */
typedef struct bound {
    const char *what;
    const char *name;
    double largest;
} bound;

static fedn_status bound_block(void *arg, uint64_t first, const void *x, uint64_t n,
                               fedn_error *err)
{
    const bound *b = arg;
    uint64_t over = fedn__kernel_first_over(x, n, b->largest);
    uint64_t element = first + over;

    if (over == n)
        return FEDN_OK;
    return fedn__error(err, FEDN_ERR_FORMAT,
                       "'%s' of the %s: element %llu is %g, the largest possible is %g", b->name,
                       b->what, (unsigned long long)element,
                       fedn__kernel_value(FEDN_DTYPE_F64, x, over), b->largest);
}

static fedn_status check_sums(const fedn__reader *partial, const fedn__round *more, fedn_error *err)
{
    uint32_t place = 1;
    fedn_status rc = FEDN_OK;

    for (uint32_t i = 0; rc == FEDN_OK && i < more->layout.count; i++) {
        fedn_dtype dtype = more->layout.entries[i].info.dtype;
        uint32_t arrays = fedn__kernel_is_wide(dtype) ? 2 : 1;
        for (uint32_t k = 0; rc == FEDN_OK && k < arrays; k++, place++) {
            bound b = {partial->what, fedn__source_info(partial->source, place)->name,
                       fedn__kernel_largest(dtype) * more->weight.high * (1 + 1e-9)};
            rc = fedn__reader_each(partial, place, bound_block, &b, err);
        }
    }
    return rc;
}

typedef struct merging {
    int32_t overwrite;
    double *to;
    double *low; /* takes what rounding loses */
} merging;

static fedn_status merge_block(void *arg, uint64_t first, const void *x, uint64_t n,
                               fedn_error *err)
{
    const merging *m = arg;

    (void)err;
    if (m->overwrite)
        memcpy(m->to + first, x, (size_t)(n * 8));
    else
        fedn__kernel_merge(m->to + first, m->low ? m->low + first : NULL, x, n);
    return FEDN_OK;
}

static fedn_status merge_sums(fedn__sums *self, const fedn__index *layout,
                              const fedn__reader *partial, fedn_error *err)
{
    fedn__tensor_sums s = {.next = self->pages};
    uint32_t place = 1;
    fedn_status rc = FEDN_OK;

    for (uint32_t i = 0; rc == FEDN_OK && i < layout->count; i++) {
        s = fedn__sums_of(&layout->entries[i].info, s.next);
        merging m = {!self->filled, s.sum, s.low};
        rc = fedn__reader_each(partial, place++, merge_block, &m, err);
        if (rc == FEDN_OK && s.low) {
            m = (merging){!self->filled, s.low, NULL};
            rc = fedn__reader_each(partial, place++, merge_block, &m, err);
        }
    }
    return rc;
}

fedn_status fedn__sums_merge(void *of, fedn__round *round, const fedn__reader *partial,
                             const fedn__round *more, fedn_error *err)
{
    fedn__sums *self = of;
    fedn__index layout;
    fedn_status rc = partial_layout(&round->layout, &layout, err);

    if (rc == FEDN_OK)
        rc = fedn__layout_check_source(&layout, "its description", partial->source, 1,
                                       partial->what, err);
    if (rc == FEDN_OK)
        rc = check_sums(partial, more, err);
    if (rc == FEDN_OK && !self->filled)
        rc = make_room(self, &round->layout, err);
    if (rc == FEDN_OK)
        rc = folded(self, round, merge_sums(self, &round->layout, partial, err));
    fedn__index_done(&layout);
    return rc;
}

/* the result -----------------------------------------------------------------------------------*/

static fedn_status write_mean(const fedn__tensor_sums *s, uint64_t elements, fedn__weight weight,
                              void *block, fedn__output *output, fedn_error *err)
{
    const uint64_t most = FEDN__BLOCK_BYTES / 8; /* elements */
    fedn_status rc = FEDN_OK;

    for (uint64_t done = 0; rc == FEDN_OK && done < elements; done += most) {
        uint64_t n = elements - done < most ? elements - done : most;
        fedn__kernel_mean(s->dtype, s->sum + done, s->low ? s->low + done : NULL, weight, block, n);
        rc = fedn__output_write(output, block, n * fedn_dtype_bytes(s->dtype), err);
    }
    return rc;
}

fedn_status fedn__sums_write(const fedn__sums *self, const fedn__round *round, fedn__weight weight,
                             fedn__output *output, fedn_error *err)
{
    fedn__tensor_sums s = {.next = self->pages};
    void *block = fedn__alloc_pages(FEDN__BLOCK_BYTES);
    fedn_status rc = block ? FEDN_OK : fedn__error_nomem(err);

    if (rc == FEDN_OK)
        rc = fedn__output_begin(output, &round->layout, err);
    for (uint32_t i = 0; rc == FEDN_OK && i < round->layout.count; i++) {
        const fedn__tensor_info *info = &round->layout.entries[i].info;
        s = fedn__sums_of(info, s.next);
        rc = write_mean(&s, info->elements, weight, block, output, err);
    }
    fedn__free_pages(block, FEDN__BLOCK_BYTES);
    return rc;
}
