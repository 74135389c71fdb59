/* SPDX-License-Identifier: Apache-2.0
 * Immutable bytes, ref-counted: in memory or in a file. What passes between model, store, http,
 * rpc. */
#ifndef FEDN__CORE_BLOB_H
#define FEDN__CORE_BLOB_H

#include "core/digest.h"
#include <fedn/error.h>

typedef struct fedn__blob fedn__blob;

/* Takes over `data` (from fedn__alloc) on success. */
fedn_status fedn__blob_from_memory(void *data, uint64_t bytes, fedn__blob **ret, fedn_error *err);
fedn_status fedn__blob_copy(const void *data, uint64_t bytes, fedn__blob **ret, fedn_error *err);
/* Opens the file; it may be unlinked or renamed afterwards, but must not be changed. */
fedn_status fedn__blob_from_file(const char *path, fedn__blob **ret, fedn_error *err);

fedn__blob *fedn__blob_ref(fedn__blob *blob);
fedn__blob *fedn__blob_unref(fedn__blob *blob); /* NULL allowed; returns NULL; any thread */
/* 1 if anybody but the caller holds a reference; a cache whose reference is the only one, and which
 * alone hands out further ones, may let go of it. */
int32_t fedn__blob_is_shared(const fedn__blob *blob);

uint64_t fedn__blob_bytes(const fedn__blob *blob);
/* Descriptor of a file blob, -1 for one in memory; the blob's own. */
int fedn__blob_fd(const fedn__blob *blob);
/* The bytes in place: a file is mapped at the first call (thread-safe) and stays mapped. */
fedn_status fedn__blob_map(fedn__blob *blob, const uint8_t **ret, fedn_error *err);
/* Leaves what is mapped of [from, to) to the page cache; what is read again is mapped again. */
void fedn__blob_forget(fedn__blob *blob, uint64_t from, uint64_t to);
/* Between the two, what has been read of the mapping stays; when the last use is over, all of it is
 * forgotten. Any thread. */
void fedn__blob_use(fedn__blob *blob);
void fedn__blob_rest(fedn__blob *blob);
/* Copies out [offset, offset + bytes): pread for a file, which leaves RSS alone. FEDN_ERR_FORMAT
 * when the range is outside. Any thread. */
fedn_status fedn__blob_read(const fedn__blob *blob, uint64_t offset, void *to, uint64_t bytes,
                            fedn_error *err);

/* XXH3-128 of the bytes. What is not known yet is read, once, without mapping it. Any thread. */
fedn_status fedn__blob_digest(fedn__blob *blob, uint8_t ret[FEDN__DIGEST_BYTES], fedn_error *err);
/* 1 if it is known already. */
int32_t fedn__blob_known_digest(fedn__blob *blob, uint8_t ret[FEDN__DIGEST_BYTES]);
/* Of its first `bytes`, which are read. */
fedn_status fedn__blob_start_digest(const fedn__blob *blob, uint64_t bytes,
                                    uint8_t ret[FEDN__DIGEST_BYTES], fedn_error *err);
/* Whoever wrote the bytes knows it already. Before the blob is shared. */
void fedn__blob_set_digest(fedn__blob *blob, const uint8_t digest[FEDN__DIGEST_BYTES]);

#endif
