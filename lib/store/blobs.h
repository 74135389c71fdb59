/* SPDX-License-Identifier: Apache-2.0
 * The blob store: immutable files by UUID. Any thread. */
#ifndef FEDN__STORE_BLOBS_H
#define FEDN__STORE_BLOBS_H

#include "core/blob.h"
#include "core/uuid.h"

typedef struct fedn__blobs fedn__blobs;

/* Files "<dir>/<uuid>"; the directory is made if absent, parts left by a crash are removed. */
fedn_status fedn__blobs_open(const char *dir, fedn__blobs **ret, fedn_error *err);
void fedn__blobs_close(fedn__blobs *blobs);

/* Where to write a file that fedn__blobs_adopt() will take: same file system. Caller frees. */
char *fedn__blobs_incoming(fedn__blobs *blobs, const fedn__uuid *id);
/* So many bytes at most, of all together; 0: as many as the disk takes. Before anything is adopted.
 */
void fedn__blobs_set_limit(fedn__blobs *blobs, uint64_t max_bytes);
/* Moves a finished file in: fsync, rename, fsync of the directory. FEDN_ERR_EXISTS; FEDN_ERR_LIMIT:
 * there would be too many bytes, the file stays where it is. */
fedn_status fedn__blobs_adopt(fedn__blobs *blobs, const fedn__uuid *id, const char *path,
                              fedn_error *err);
/* One mapping per id and process as long as somebody holds it. FEDN_ERR_NOT_FOUND. */
fedn_status fedn__blobs_get(fedn__blobs *blobs, const fedn__uuid *id, fedn__blob **ret,
                            fedn_error *err);
fedn_status fedn__blobs_remove(fedn__blobs *blobs, const fedn__uuid *id, fedn_error *err);
int32_t fedn__blobs_has(fedn__blobs *blobs, const fedn__uuid *id);
/* Bytes and number of what is stored. */
fedn_status fedn__blobs_usage(fedn__blobs *blobs, uint64_t *ret_count, uint64_t *ret_bytes,
                              fedn_error *err);

#endif
