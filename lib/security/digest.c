/* SPDX-License-Identifier: Apache-2.0
 * SHA-256 by mbedTLS. */
#include "security/digest.h"

#include "core/alloc.h"
#include "core/error.h"
#include <mbedtls/sha256.h>

enum { BLOCK = 256 * 1024, BYTES = 32 };

static void to_hex(const uint8_t sum[BYTES], char ret[FEDN__SHA256_TEXT])
{
    static const char digits[] = "0123456789abcdef";

    for (uint32_t i = 0; i < BYTES; i++) {
        *ret++ = digits[sum[i] >> 4];
        *ret++ = digits[sum[i] & 15];
    }
    *ret = 0;
}

fedn_status fedn__sha256_blob(const fedn__blob *blob, char ret[FEDN__SHA256_TEXT], fedn_error *err)
{
    uint64_t bytes = fedn__blob_bytes(blob);
    uint8_t *block = fedn__alloc(BLOCK);
    uint8_t sum[BYTES] = {0};
    mbedtls_sha256_context context;
    fedn_status rc = block ? FEDN_OK : fedn__error_nomem(err);
    int bad = 0;

    mbedtls_sha256_init(&context);
    bad = mbedtls_sha256_starts_ret(&context, 0);
    for (uint64_t at = 0; rc == FEDN_OK && bad == 0 && at < bytes; at += BLOCK) {
        uint64_t part = bytes - at < BLOCK ? bytes - at : BLOCK;
        rc = fedn__blob_read(blob, at, block, part, err);
        if (rc == FEDN_OK)
            bad = mbedtls_sha256_update_ret(&context, block, (size_t)part);
    }
    if (rc == FEDN_OK && bad == 0)
        bad = mbedtls_sha256_finish_ret(&context, sum);
    mbedtls_sha256_free(&context);
    fedn__free(block);
    to_hex(sum, ret);
    if (rc == FEDN_OK && bad != 0)
        return fedn__error(err, FEDN_ERR_INTERNAL, "SHA-256: mbedTLS says -0x%04x", (unsigned)-bad);
    return rc;
}
