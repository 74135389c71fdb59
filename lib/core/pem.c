/* SPDX-License-Identifier: Apache-2.0
 * Reading files of certificates. What is in them is judged by who uses them, at the first
 * connection; that a file is none is said at once. */
#include "core/pem.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/limits.h"
#include <string.h>

fedn_status fedn__pem_read(const char *property, const char *path, char **ret, fedn_error *err)
{
    fedn_error why = {0};

    *ret = NULL;
    fedn_status rc = fedn__fs_read(path, FEDN__LIMIT_PEM_FILE, ret, NULL, &why);
    if (rc == FEDN_ERR_NOMEM)
        return fedn__error_nomem(err);
    if (rc != FEDN_OK)
        return fedn__error(err, rc, "%s: %s", property, why.message);
    if (strstr(*ret, "-----BEGIN CERTIFICATE-----"))
        return FEDN_OK;
    fedn__free(*ret);
    *ret = NULL;
    return fedn__error(err, FEDN_ERR_FORMAT,
                       "%s: %.200s has no certificate in PEM form (BEGIN CERTIFICATE)", property,
                       path);
}
