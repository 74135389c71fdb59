/* SPDX-License-Identifier: Apache-2.0
 * A log sink as roles hold it. */
#ifndef FEDN__CORE_LOG_H
#define FEDN__CORE_LOG_H

#include <fedn/log.h>

typedef struct fedn__log {
    fedn_log_fn fn; /* NULL: warnings and errors to stderr */
    void *user_data;
    int32_t level; /* lines above it are dropped */
} fedn__log;

/* One line; control characters in it are replaced. `log` NULL is as one without a sink. */
void fedn__log_write(const fedn__log *log, int32_t level, const char *component, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));

/* "error", "warning", "info", "debug" to a level; -1 for anything else. */
int32_t fedn__log_level(const char *name);

#endif
