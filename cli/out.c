/* SPDX-License-Identifier: Apache-2.0
 * What people read: lines, blocks, bars, times; and JSON for programs. */
#include "out.h"

#include "text.h"
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH_DEFAULT = 80, WIDTH_LEAST = 20, WIDTH_MOST = 400, TITLE_WIDTH = 12 };

static int32_t is_utf8;
static int32_t is_colourful;

void out_init(void)
{
    const char *none = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    setlocale(LC_CTYPE, "");
    is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    is_colourful = isatty(STDOUT_FILENO) && !(none && *none) && term && strcmp(term, "dumb") != 0;
}

int32_t out_is_utf8(void)
{
    return is_utf8;
}

int32_t out_is_terminal(FILE *file)
{
    return isatty(fileno(file));
}

int32_t out_width(FILE *file)
{
    struct winsize size = {0};
    int32_t width = WIDTH_DEFAULT;

    if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        width = size.ws_col;
    if (width < WIDTH_LEAST)
        width = WIDTH_LEAST;
    return width > WIDTH_MOST ? WIDTH_MOST : width;
}

const char *out_colour_of(const char *text)
{
    static const char *const words[][2] = {
        {"Finished", "32"},   {"online", "32"},  {"accepted", "32"}, {"available", "32"},
        {"Failed", "31"},     {"failed", "31"},  {"offline", "31"},  {"refused", "31"},
        {"Terminated", "33"}, {"lost", "33"},    {"late", "33"},     {"Running", "36"},
        {"Started", "36"},    {"Pending", "36"}, {NULL, NULL},
    };

    for (uint32_t i = 0; is_colourful && words[i][0]; i++)
        if (strcmp(words[i][0], text) == 0)
            return words[i][1];
    return NULL;
}

void out_wrapped(const char *text, int32_t indent)
{
    char word[OUT_TEXT];
    int32_t column = indent;

    while (*text) {
        size_t bytes = strcspn(text, " ");
        snprintf(word, sizeof word, "%.*s", (int)bytes, text);
        int32_t columns = text_columns(word);
        if (column > indent && column + 1 + columns > out_width(stdout)) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        printf("%s%s", column > indent ? " " : "", word);
        column += columns + (column > indent);
        text += bytes + strspn(text + bytes, " ");
    }
    putchar('\n');
}

void out_member(const char *title, int32_t width, const char *text)
{
    char clean[4 * OUT_TEXT];

    if (!text || !*text)
        return;
    out_clean(text, 0, clean, sizeof clean);
    const char *colour = out_colour_of(clean);
    printf("%-*s", width, title);
    if (colour)
        printf("\033[%sm%s\033[0m\n", colour, clean);
    else
        out_wrapped(clean, width);
}

void out_field(const char *title, const char *text)
{
    out_member(title, TITLE_WIDTH, text);
}

void out_fieldf(const char *title, const char *format, ...)
{
    char text[4 * OUT_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    out_field(title, text);
}

void out_json(const json_t *value)
{
    json_dumpf(value, stdout,
               JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    putchar('\n');
}

void out_bar(double share, int32_t columns, char *to, size_t bytes)
{
    const char *full = is_utf8 ? "█" : "#";
    const char *rest = is_utf8 ? "─" : "-";
    int32_t cells = columns - 2;
    int32_t done = share <= 0 ? 0 : share >= 1 ? cells : (int32_t)(share * cells);
    size_t used = 0;

    if (cells < 1 || (size_t)cells * 3 + 3 > bytes) {
        *to = 0;
        return;
    }
    to[used++] = '[';
    for (int32_t i = 0; i < cells; i++) {
        const char *cell = i < done ? full : rest;
        memcpy(to + used, cell, strlen(cell));
        used += strlen(cell);
    }
    to[used++] = ']';
    to[used] = 0;
}

void out_bytes(uint64_t bytes, char *to, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    uint32_t unit = 0;

    while (value >= 1024 && unit < 6) {
        value /= 1024;
        unit++;
    }
    snprintf(to, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void out_seconds(double seconds, char *to, size_t size)
{
    int64_t whole = seconds > 0 && seconds < 1e15 ? (int64_t)seconds : 0;

    if (whole < 10)
        snprintf(to, size, "%.2f s", seconds > 0 ? seconds : 0);
    else if (whole < 60)
        snprintf(to, size, "%.1f s", seconds);
    else if (whole < 3600)
        snprintf(to, size, "%d min %d s", (int)(whole / 60), (int)(whole % 60));
    else if (whole < 86400)
        snprintf(to, size, "%d h %d min", (int)(whole / 3600), (int)(whole / 60 % 60));
    else
        snprintf(to, size, "%lld d %d h", (long long)(whole / 86400), (int)(whole / 3600 % 24));
}

/* "Tue, 24 Nov 2026 02:39:55 GMT" */
static int32_t http_time(const char *text, char *to, size_t bytes)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int day = 0;
    int year = 0;
    char month[4] = "";
    char clock[9] = "";

    if (sscanf(text, "%*3c, %2d %3c %4d %8c", &day, month, &year, clock) != 4) /* NOLINT */
        return 0;
    const char *at = strstr(months, month);
    if (!at || (at - months) % 3 != 0)
        return 0;
    snprintf(to, bytes, "%04d-%02d-%02d %s", year, (int)(at - months) / 3 + 1, day, clock);
    return 1;
}

void out_time(const char *text, char *to, size_t bytes)
{
    if (!text || !*text) {
        snprintf(to, bytes, "-");
        return;
    }
    if (http_time(text, to, bytes))
        return;
    out_clean(text, 0, to, bytes);
    if (strlen(to) > 19 && to[4] == '-' && to[13] == ':')
        to[19] = 0;
    if (strlen(to) == 19 && to[10] == 'T')
        to[10] = ' ';
}

void out_live(FILE *file, const char *line, int32_t final)
{
    char clean[4 * OUT_TEXT];

    if (!out_is_terminal(file)) {
        if (final)
            fprintf(file, "%s\n", line);
        fflush(file);
        return;
    }
    /* one column stays free: the cursor must not wrap */
    out_clean(line, out_width(file) - 1, clean, sizeof clean);
    fprintf(file, "\r\033[K%s%s", clean, final ? "\n" : "");
    fflush(file);
}
