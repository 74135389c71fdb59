/* SPDX-License-Identifier: Apache-2.0
 * Certificates in files, as properties name them. */
#ifndef FEDN__CORE_PEM_H
#define FEDN__CORE_PEM_H

#include <fedn/error.h>

/* The text of a file that holds at least one certificate in PEM form; caller frees. `property` is
 * who named it. FEDN_ERR_NOT_FOUND, FEDN_ERR_DENIED, FEDN_ERR_IO, FEDN_ERR_LIMIT, FEDN_ERR_FORMAT.
 */
fedn_status fedn__pem_read(const char *property, const char *path, char **ret, fedn_error *err);

#endif
