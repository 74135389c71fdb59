/* SPDX-License-Identifier: Apache-2.0
 * Log levels and the sink type that handles take. */
#ifndef FEDN_LOG_H
#define FEDN_LOG_H

#include <fedn/common.h>

enum { FEDN_LOG_ERROR = 0, FEDN_LOG_WARNING = 1, FEDN_LOG_INFO = 2, FEDN_LOG_DEBUG = 3 };

/**
 * Receives one ready line without its line feed. The default sink writes warnings and errors to
 * stderr; nothing ever writes to stdout.
 *
 * @param level      one of FEDN_LOG_*
 * @param component  "client", "combiner", "reducer", "rpc", "store", "http"; static text
 * @param message    valid during the call
 * @param user_data  as given with the sink
 * Thread: any of the library's, several at once; must not call back into the handle.
 */
typedef void (*fedn_log_fn)(int32_t level, const char *component, const char *message,
                            void *user_data);

#endif
