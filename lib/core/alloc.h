/* SPDX-License-Identifier: Apache-2.0
 * Allocation through the process-wide allocator. All return NULL when out of memory. */
#ifndef FEDN__CORE_ALLOC_H
#define FEDN__CORE_ALLOC_H

#include <fedn/alloc.h>
#include <stdint.h>

void *fedn__alloc(uint64_t bytes);                         /* uninitialised */
void *fedn__alloc_zero(uint64_t bytes);                    /* zeroed */
void *fedn__alloc_array(uint64_t count, uint64_t element); /* zeroed; overflow is NULL */
void *fedn__realloc_array(void *memory, uint64_t count, uint64_t element);
char *fedn__strdup(const char *text);                  /* NULL for NULL */
char *fedn__strndup(const char *text, uint64_t bytes); /* adds the NUL */
char *fedn__strf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fedn__free(void *memory); /* NULL is allowed */

/* Allocations outstanding; tests compare it before and after. */
int64_t fedn__alloc_outstanding(void);

/* Memory for tensors: 64-byte aligned, huge pages advised when large, zeroed. It comes from the
 * kernel or the C library whatever fedn_alloc_set() says; `bytes` must be given back unchanged. */
void *fedn__alloc_pages(uint64_t bytes);
void fedn__free_pages(void *memory, uint64_t bytes);
/* What they hold is no longer needed: large ones take no memory until they are written again. */
void fedn__forget_pages(void *memory, uint64_t bytes);

/* Tests: the nth allocation from now (1 is the next) fails, once; 0 switches it off. Returns how
 * many allocations were asked for since the last call. */
uint64_t fedn__alloc_fail_at(uint64_t nth);

#endif
