/* SPDX-License-Identifier: Apache-2.0
 * Models of which a part has arrived, as files: what is there of one, going on with it, and how
 * long and how many are kept. They may wait for a disk: on the pool. */
#ifndef FEDN__RPC_PARTS_H
#define FEDN__RPC_PARTS_H

#include "core/digest.h"
#include <fedn/error.h>

/* The file of a part in `dir`: of what `owner` sends, whose name nobody else's comes to, or, for
 * NULL, of what is fetched. Caller frees; NULL out of memory. */
char *fedn__part_path(const char *dir, const char *id, const char *owner);
/* How much is there and the digest of that; 0 bytes if nothing is. */
fedn_status fedn__part_look(const char *path, uint64_t *ret_bytes,
                            uint8_t ret_digest[FEDN__DIGEST_BYTES], fedn_error *err);
/* Opens it for writing behind its first `from` bytes, which must be all there are and which `sums`
 * is told of; anew if `from` is 0. As long as it is open nobody removes or opens it.
 * FEDN_ERR_UNAVAILABLE when it is open, or there is less or more. */
fedn_status fedn__part_open(const char *path, uint64_t from, fedn__digest *sums, int *ret_fd,
                            fedn_error *err);
/* Makes the directory and sweeps it. */
fedn_status fedn__parts_open(const char *dir, uint32_t most, fedn_error *err);
/* Removes what was not written to for FEDN__LIMIT_PART_MS, and all but the `most` newest; what is
 * open stays. */
void fedn__parts_sweep(const char *dir, uint32_t most);

#endif
