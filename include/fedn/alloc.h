/* SPDX-License-Identifier: Apache-2.0
 * The process-wide allocator and the one function that releases what the library hands out. */
#ifndef FEDN_ALLOC_H
#define FEDN_ALLOC_H

#include <fedn/error.h>
#include <stddef.h>

/** As malloc, realloc and free, with `user_data` last; called from any thread. */
typedef void *(*fedn_malloc_fn)(size_t bytes, void *user_data);
typedef void *(*fedn_realloc_fn)(void *memory, size_t bytes, void *user_data);
typedef void (*fedn_release_fn)(void *memory, void *user_data);

FEDN_BEGIN_DECLS

/**
 * Replace the allocator of the whole library, once, before any other call. gRPC, SQLite, jansson
 * and mbedTLS keep their own.
 *
 * @return FEDN_OK; FEDN_ERR_INVALID a function is NULL; FEDN_ERR_STATE something was allocated
 * Owns: functions and user_data must live as long as the process.
 * Thread: before all others.   Blocks: no.   Since: 0.1
 */
FEDN_API fedn_status fedn_alloc_set(fedn_malloc_fn malloc_fn, fedn_realloc_fn realloc_fn,
                                    fedn_release_fn free_fn, void *user_data);

/**
 * Release memory that a function of this library handed out ("caller frees"); NULL is allowed.
 *
 * Owns: takes the memory.   Thread: any.   Blocks: no.   Since: 0.1
 */
FEDN_API void fedn_free(void *memory);

/**
 * Tune the C library's malloc, the descriptor limit and SIGPIPE for a daemon that moves models:
 * without it every freed block goes back to the kernel and is faulted in again (9-17 times slower
 * transfers were measured). Call it first thing in main, before any thread exists; a library must
 * not do this on its user's behalf.
 *
 * Owns: nothing.   Thread: before all others.   Blocks: no.   Since: 0.1
 */
FEDN_API void fedn_tune_process(void);

FEDN_END_DECLS
#endif
