/* SPDX-License-Identifier: Apache-2.0
 * SHA-256 of a package. */
#include <fedn/package.h>

#include "core/alloc.h"
#include "core/error.h"
#include "security/digest.h"

fedn_status fedn_package_checksum(const char *path, char **ret, fedn_error *err)
{
    char text[FEDN__SHA256_TEXT];
    fedn__blob *blob = NULL;

    if (!path || !ret)
        return fedn__error(err, FEDN_ERR_INVALID, "path and ret must not be NULL");
    *ret = NULL;
    fedn_status rc = fedn__blob_from_file(path, &blob, err);
    if (rc == FEDN_OK)
        rc = fedn__sha256_blob(blob, text, err);
    if (rc == FEDN_OK && !(*ret = fedn__strdup(text)))
        rc = fedn__error_nomem(err);
    fedn__blob_unref(blob);
    return rc;
}
