/* SPDX-License-Identifier: Apache-2.0
 * Status codes and the caller-owned error that explains one. */
#ifndef FEDN_ERROR_H
#define FEDN_ERROR_H

#include <fedn/common.h>

/** Outcome of a call: FEDN_OK or one of the negative FEDN_ERR_* constants, never a count. */
typedef int32_t fedn_status;

/* name, value, text; values never change once released */
#define FEDN_STATUS_MAP(X)                                                                         \
    X(OK, 0, "success")                                                                            \
    X(ERR_NOMEM, -1, "out of memory")                                                              \
    X(ERR_INVALID, -2, "invalid argument or property")                                             \
    X(ERR_STATE, -3, "not possible in this state")                                                 \
    X(ERR_UNSUPPORTED, -4, "not supported")                                                        \
    X(ERR_NOT_FOUND, -5, "not found")                                                              \
    X(ERR_EXISTS, -6, "already exists")                                                            \
    X(ERR_IO, -7, "input or output failed")                                                        \
    X(ERR_FORMAT, -8, "malformed data")                                                            \
    X(ERR_LIMIT, -9, "over a limit")                                                               \
    X(ERR_TIMEOUT, -10, "timed out")                                                               \
    X(ERR_CANCELLED, -11, "cancelled")                                                             \
    X(ERR_UNAVAILABLE, -12, "peer unavailable")                                                    \
    X(ERR_AUTH, -13, "not authenticated")                                                          \
    X(ERR_DENIED, -14, "not permitted")                                                            \
    X(ERR_PROTOCOL, -15, "protocol violation")                                                     \
    X(ERR_STORE, -16, "record store failed")                                                       \
    X(ERR_CALLBACK, -17, "application callback failed")                                            \
    X(ERR_INTERNAL, -18, "internal error")

#define FEDN__STATUS_ENUM(name, value, text) FEDN_##name = (value),
enum { FEDN_STATUS_MAP(FEDN__STATUS_ENUM) };
#undef FEDN__STATUS_ENUM

#define FEDN_ERROR_MESSAGE_BYTES 504

/**
 * Why a call failed. The caller's memory; passing NULL instead is always allowed; written only on
 * failure. `detail` is the foreign number behind it (errno, gRPC, HTTP, SQLite) or 0; `message` is
 * one line of UTF-8, NUL-terminated, that names the thing, the value and the bound.
 */
typedef struct fedn_error {
    int32_t code;
    int32_t detail;
    char message[FEDN_ERROR_MESSAGE_BYTES];
} fedn_error;

FEDN_BEGIN_DECLS

/**
 * Short text of a status code; "unknown status" for a number that is none.
 *
 * Owns: static text.   Thread: any.   Blocks: no.   Since: 0.1
 */
FEDN_API const char *fedn_status_string(fedn_status status);

/**
 * 1 if the same call may succeed later without a change by the caller, else 0.
 *
 * Owns: nothing.   Thread: any.   Blocks: no.   Since: 0.1
 */
FEDN_API int32_t fedn_status_is_retryable(fedn_status status);

/**
 * Fill an error from a callback or a binding: code and one line of text (cut at 503 bytes).
 *
 * @param err      optional
 * @param code     one of FEDN_ERR_*
 * @param message  borrowed UTF-8; NULL means the code's own text
 * @return code, so that `return fedn_error_set(err, FEDN_ERR_CALLBACK, "no data");` reads well
 * Owns: nothing.   Thread: any.   Blocks: no.   Since: 0.1
 */
FEDN_API fedn_status fedn_error_set(fedn_error *err, fedn_status code, const char *message);

FEDN_END_DECLS
#endif
