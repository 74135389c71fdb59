/* SPDX-License-Identifier: Apache-2.0
 * SHA-256 (FIPS 180-4): names contents so that nobody can make others of the same name. */
#ifndef FEDN__SECURITY_DIGEST_H
#define FEDN__SECURITY_DIGEST_H

#include "core/blob.h"

enum { FEDN__SHA256_TEXT = 65 };

/* Of the whole blob, read block by block: 64 lower-case hexadecimal digits. Any thread. */
fedn_status fedn__sha256_blob(const fedn__blob *blob, char ret[FEDN__SHA256_TEXT], fedn_error *err);

#endif
