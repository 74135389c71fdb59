/* SPDX-License-Identifier: Apache-2.0
 * Filling in errors. Each returns its code, so that `return fedn__error(...)` reads well. */
#ifndef FEDN__CORE_ERROR_H
#define FEDN__CORE_ERROR_H

#include <fedn/error.h>

fedn_status fedn__error(fedn_error *err, fedn_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with a foreign number in err->detail. */
fedn_status fedn__error_detail(fedn_error *err, fedn_status code, int32_t detail,
                               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* FEDN_ERR_IO from errno's value: the text gets ": <strerror>" appended. ENOENT gives NOT_FOUND,
 * a full disk gives IO as others do: it may have room later; EACCES and EPERM give DENIED, ENOMEM
 * gives NOMEM. */
fedn_status fedn__error_errno(fedn_error *err, int32_t number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

fedn_status fedn__error_nomem(fedn_error *err);

/* Put "what: " before the message of an error that a lower layer filled in. Returns err's code. */
fedn_status fedn__error_prefix(fedn_error *err, fedn_status code, const char *what);

#endif
