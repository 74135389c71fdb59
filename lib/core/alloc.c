/* SPDX-License-Identifier: Apache-2.0
 * The process-wide allocator: hook, counting, failing on demand, pages for tensors. */
#include "core/alloc.h"

#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define HUGE_PAGE ((uint64_t)2 << 20)

static fedn_malloc_fn hook_malloc;
static fedn_realloc_fn hook_realloc;
static fedn_release_fn hook_free;
static void *hook_data;

static atomic_int_least64_t outstanding;
static atomic_uint_least64_t fail_countdown; /* 0: off */
static atomic_uint_least64_t asked;
static atomic_int any_allocated;

/* 1 when this allocation is the one that has to fail */
static int32_t fails_now(void)
{
    atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
    uint64_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    while (left > 0) {
        if (atomic_compare_exchange_weak(&fail_countdown, &left, left - 1))
            return left == 1;
    }
    return 0;
}

uint64_t fedn__alloc_fail_at(uint64_t nth)
{
    atomic_store(&fail_countdown, nth);
    return atomic_exchange(&asked, 0);
}

int64_t fedn__alloc_outstanding(void)
{
    return atomic_load(&outstanding);
}

fedn_status fedn_alloc_set(fedn_malloc_fn malloc_fn, fedn_realloc_fn realloc_fn,
                           fedn_release_fn free_fn, void *user_data)
{
    if (!malloc_fn || !realloc_fn || !free_fn)
        return FEDN_ERR_INVALID;
    if (atomic_load(&any_allocated))
        return FEDN_ERR_STATE;
    hook_malloc = malloc_fn;
    hook_realloc = realloc_fn;
    hook_free = free_fn;
    hook_data = user_data;
    return FEDN_OK;
}

void *fedn__alloc(uint64_t bytes)
{
    if (bytes > SIZE_MAX / 2 || fails_now())
        return NULL;
    if (!atomic_load_explicit(&any_allocated, memory_order_relaxed))
        atomic_store(&any_allocated, 1);
    size_t size = bytes ? (size_t)bytes : 1;
    void *memory = hook_malloc ? hook_malloc(size, hook_data) : malloc(size);
    if (memory)
        atomic_fetch_add_explicit(&outstanding, 1, memory_order_relaxed);
    return memory;
}

void *fedn__alloc_zero(uint64_t bytes)
{
    void *memory = fedn__alloc(bytes);
    if (memory)
        memset(memory, 0, bytes ? (size_t)bytes : 1);
    return memory;
}

void *fedn__alloc_array(uint64_t count, uint64_t element)
{
    uint64_t bytes = 0;
    if (__builtin_mul_overflow(count, element, &bytes))
        return NULL;
    return fedn__alloc_zero(bytes);
}

void *fedn__realloc_array(void *memory, uint64_t count, uint64_t element)
{
    uint64_t bytes = 0;
    if (__builtin_mul_overflow(count, element, &bytes))
        return NULL;
    if (!memory)
        return fedn__alloc(bytes);
    if (bytes > SIZE_MAX / 2 || fails_now())
        return NULL;
    size_t size = bytes ? (size_t)bytes : 1;
    return hook_realloc ? hook_realloc(memory, size, hook_data) : realloc(memory, size);
}

char *fedn__strndup(const char *text, uint64_t bytes)
{
    char *copy = bytes < SIZE_MAX / 2 ? fedn__alloc(bytes + 1) : NULL;
    if (copy) {
        memcpy(copy, text, (size_t)bytes);
        copy[bytes] = 0;
    }
    return copy;
}

char *fedn__strdup(const char *text)
{
    return text ? fedn__strndup(text, strlen(text)) : NULL;
}

char *fedn__strf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = bytes < 0 ? NULL : fedn__alloc((uint64_t)bytes + 1);
    if (text) {
        va_start(args, format);
        vsnprintf(text, (size_t)bytes + 1, format, args);
        va_end(args);
    }
    return text;
}

void fedn__free(void *memory)
{
    if (!memory)
        return;
    atomic_fetch_sub_explicit(&outstanding, 1, memory_order_relaxed);
    if (hook_free)
        hook_free(memory, hook_data);
    else
        free(memory);
}

void fedn_free(void *memory)
{
    fedn__free(memory);
}

void *fedn__alloc_pages(uint64_t bytes)
{
    if (bytes == 0)
        bytes = 1;
    if (bytes > SIZE_MAX / 2 || fails_now())
        return NULL;
    if (bytes < HUGE_PAGE) {
        void *small = NULL;
        if (posix_memalign(&small, 64, (size_t)bytes) != 0)
            return NULL;
        memset(small, 0, (size_t)bytes);
        atomic_fetch_add_explicit(&outstanding, 1, memory_order_relaxed);
        return small;
    }
    void *memory =
        mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, (size_t)bytes, MADV_HUGEPAGE); /* advice: a refusal changes speed only */
    atomic_fetch_add_explicit(&outstanding, 1, memory_order_relaxed);
    return memory;
}

void fedn__free_pages(void *memory, uint64_t bytes)
{
    if (!memory)
        return;
    atomic_fetch_sub_explicit(&outstanding, 1, memory_order_relaxed);
    if (bytes < HUGE_PAGE)
        free(memory);
    else
        munmap(memory, (size_t)bytes);
}

void fedn__forget_pages(void *memory, uint64_t bytes)
{
    if (memory && bytes >= HUGE_PAGE)
        madvise(memory, (size_t)bytes, MADV_DONTNEED);
}

void fedn_tune_process(void)
{
    /* Without both settings glibc returns every large freed block to the kernel, and faulting it in
     * again costs more than all other work of a transfer. */
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
}
