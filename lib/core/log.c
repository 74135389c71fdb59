/* SPDX-License-Identifier: Apache-2.0
 * Formatting a log line and handing it to its sink. */
#include "core/log.h"

#include "core/clock.h"
#include "core/text.h"
#include <stdarg.h>
#include <stdio.h>

static const char *const level_names[] = {"error", "warning", "info", "debug"};

int32_t fedn__log_level(const char *name)
{
    for (int32_t i = 0; i < 4; i++)
        if (fedn__text_equal(name, level_names[i]))
            return i;
    return -1;
}

static void to_stderr(int32_t level, const char *component, const char *message)
{
    char when[FEDN__TIME_TEXT];
    fedn__text_iso_time(fedn__clock_wall_us(), when);
    fprintf(stderr, "%s %s %s: %s\n", when, level_names[level & 3], component, message);
}

void fedn__log_write(const fedn__log *log, int32_t level, const char *component, const char *format,
                     ...)
{
    char message[1024];
    va_list args;

    int32_t most = log ? log->level : FEDN_LOG_WARNING;
    if (!(log && log->fn) && most > FEDN_LOG_WARNING)
        most = FEDN_LOG_WARNING; /* an application that set no sink hears of trouble only */
    if (level > most)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fedn__text_to_line(message);
    if (log && log->fn)
        log->fn(level, component, message, log->user_data);
    else
        to_stderr(level, component, message);
}
