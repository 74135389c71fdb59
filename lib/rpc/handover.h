/* SPDX-License-Identifier: Apache-2.0
 * What goes through gRPC to another thread, shown to ThreadSanitizer: it cannot see through the
 * library, whose own locks order the two sides. */
#ifndef FEDN__RPC_HANDOVER_H
#define FEDN__RPC_HANDOVER_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FEDN__TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define FEDN__TSAN 1
#endif

/* Before the address is given to gRPC; after it has come back. */
#ifdef FEDN__TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define FEDN__GIVEN(address) __tsan_release(address)
#define FEDN__TAKEN(address) __tsan_acquire(address)
#else
#define FEDN__GIVEN(address) ((void)(address))
#define FEDN__TAKEN(address) ((void)(address))
#endif

#endif
