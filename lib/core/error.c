/* SPDX-License-Identifier: Apache-2.0
 * Status texts and filling in errors. */
#include "core/error.h"

#include "core/text.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(fedn_error) == 512, "fedn_error is part of the ABI");

const char *fedn_status_string(fedn_status status)
{
    switch (status) {
#define TEXT(name, value, text)                                                                    \
    case (value):                                                                                  \
        return text;
        FEDN_STATUS_MAP(TEXT)
#undef TEXT
    default:
        return "unknown status";
    }
}

int32_t fedn_status_is_retryable(fedn_status status)
{
    return status == FEDN_ERR_TIMEOUT || status == FEDN_ERR_UNAVAILABLE ||
           status == FEDN_ERR_CANCELLED || status == FEDN_ERR_NOMEM || status == FEDN_ERR_IO ||
           status == FEDN_ERR_STORE;
}

static void fill(fedn_error *err, fedn_status code, int32_t detail, const char *format,
                 va_list args) __attribute__((format(printf, 4, 0)));

static void fill(fedn_error *err, fedn_status code, int32_t detail, const char *format,
                 va_list args)
{
    err->code = code;
    err->detail = detail;
    vsnprintf(err->message, sizeof err->message, format, args);
    fedn__text_to_line(err->message);
}

fedn_status fedn__error(fedn_error *err, fedn_status code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        fill(err, code, 0, format, args);
        va_end(args);
    }
    return code;
}

fedn_status fedn__error_detail(fedn_error *err, fedn_status code, int32_t detail,
                               const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        fill(err, code, detail, format, args);
        va_end(args);
    }
    return code;
}

static fedn_status errno_status(int32_t number)
{
    switch (number) {
    case ENOENT:
        return FEDN_ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return FEDN_ERR_DENIED;
    case ENOMEM:
        return FEDN_ERR_NOMEM;
    default:
        return FEDN_ERR_IO;
    }
}

fedn_status fedn__error_errno(fedn_error *err, int32_t number, const char *format, ...)
{
    fedn_status code = errno_status(number);
    if (err) {
        char reason[128];
        va_list args;
        va_start(args, format);
        fill(err, code, number, format, args);
        va_end(args);
        if (strerror_r(number, reason, sizeof reason) != 0)
            snprintf(reason, sizeof reason, "error %d", (int)number);
        size_t len = strlen(err->message);
        snprintf(err->message + len, sizeof err->message - len, ": %s", reason);
    }
    return code;
}

fedn_status fedn__error_nomem(fedn_error *err)
{
    return fedn__error(err, FEDN_ERR_NOMEM, "out of memory");
}

fedn_status fedn__error_prefix(fedn_error *err, fedn_status code, const char *what)
{
    if (err) {
        char message[FEDN_ERROR_MESSAGE_BYTES];
        memcpy(message, err->message, sizeof message);
        message[sizeof message - 1] = 0;
        snprintf(err->message, sizeof err->message, "%s: ", what);
        size_t len = strlen(err->message);
        snprintf(err->message + len, sizeof err->message - len, "%s", message);
        err->code = code;
        fedn__text_to_line(err->message);
    }
    return code;
}

fedn_status fedn_error_set(fedn_error *err, fedn_status code, const char *message)
{
    return fedn__error(err, code, "%s", message ? message : fedn_status_string(code));
}
