/* SPDX-License-Identifier: Apache-2.0
 * Errors of the command line's own, and the exit code of each status. */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>

fedn_status cli_error(fedn_error *err, fedn_status code, const char *format, ...)
{
    char text[FEDN_ERROR_MESSAGE_BYTES];
    va_list args;

    va_start(args, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() has done it */
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return fedn_error_set(err, code, text);
}

int32_t cli_exit_code(fedn_status status)
{
    switch (status) {
    case FEDN_OK:
        return CLI_EXIT_OK;
    case FEDN_ERR_NOT_FOUND:
        return CLI_EXIT_NOT_FOUND;
    case FEDN_ERR_UNAVAILABLE:
    case FEDN_ERR_TIMEOUT:
        return CLI_EXIT_UNAVAILABLE;
    case FEDN_ERR_AUTH:
    case FEDN_ERR_DENIED:
        return CLI_EXIT_DENIED;
    default:
        return CLI_EXIT_FAILED;
    }
}
