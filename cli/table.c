/* SPDX-License-Identifier: Apache-2.0
 * Tables whose columns are cut so that a row fits the window. */
#include "out.h"

#include "text.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2, LEAST_WIDTH = 6, COLUMNS_MOST = 12 };

struct out_table {
    const out_column *columns;
    uint32_t count;
    uint32_t shown; /* of the columns, from the left */
    uint32_t used;
    uint32_t room;
    char (*cells)[OUT_TEXT];
};

/* One character of UTF-8 at `text`, and how many bytes it has; a byte that is none counts alone. */
static uint32_t next_char(const char *text, uint32_t *ret_bytes)
{
    unsigned char c = (unsigned char)*text;
    uint32_t bytes = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
    uint32_t code = bytes == 1 ? c : c & (0x7fU >> bytes);

    *ret_bytes = 1;
    if (bytes == 0)
        return '?';
    for (uint32_t i = 1; i < bytes; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return '?';
        code = code << 6 | ((unsigned char)text[i] & 0x3f);
    }
    *ret_bytes = bytes;
    return code;
}

/* Control characters would drive the terminal, marks of direction would reorder the line. */
static int32_t is_printable(uint32_t code)
{
    return code >= 0x20 && (code < 0x7f || code > 0x9f) && (code < 0x200b || code > 0x200f) &&
           (code < 0x2028 || code > 0x202e) && (code < 0x2066 || code > 0x2069) && code != 0xfeff;
}

/* East Asian wide characters and most pictures take two columns. */
static int32_t char_columns(uint32_t code)
{
    return (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
                   (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
                   (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
                   (code >= 0x1f300 && code <= 0x1faff) || (code >= 0x20000 && code <= 0x3fffd)
               ? 2
               : 1;
}

int32_t text_columns(const char *text)
{
    int32_t columns = 0;

    while (*text) {
        uint32_t bytes = 0;
        columns += char_columns(next_char(text, &bytes));
        text += bytes;
    }
    return columns;
}

void out_clean(const char *text, int32_t columns, char *to, size_t size)
{
    const char *mark = out_is_utf8() ? "…" : "~";
    int32_t cut = columns > 0 && text_columns(text) > columns;
    int32_t room = cut ? columns - 1 : INT32_MAX;
    size_t used = 0;

    while (*text) {
        uint32_t bytes = 0;
        uint32_t code = next_char(text, &bytes);
        room -= char_columns(code);
        if (room < 0 || used + bytes + strlen(mark) >= size)
            break;
        if (code == '?' || !is_printable(code) || (code > 0x7f && !out_is_utf8()))
            to[used++] = '?';
        else
            for (uint32_t i = 0; i < bytes; i++)
                to[used++] = text[i];
        text += bytes;
    }
    if (*text)
        for (const char *c = mark; *c; c++)
            to[used++] = *c;
    to[used] = 0;
}

out_table *out_table_new(const out_column *columns, uint32_t count)
{
    out_table *table = calloc(1, sizeof *table);

    if (!table || count == 0 || count > COLUMNS_MOST)
        abort();
    table->columns = columns;
    table->count = count;
    return table;
}

void out_cell(out_table *table, const char *text)
{
    if (table->used == table->room) {
        table->room = table->room ? table->room * 2 : 64;
        table->cells = realloc(table->cells, table->room * sizeof *table->cells);
        if (!table->cells) {
            fprintf(stderr, "fednctl: out of memory\n");
            exit(1);
        }
    }
    out_clean(text && *text ? text : "-", 0, table->cells[table->used++], OUT_TEXT);
}

void out_cellf(out_table *table, const char *format, ...)
{
    char text[OUT_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    out_cell(table, text);
}

/* Takes columns of the window away from the widest cells that may be cut, one by one, until a row
 * fits; on a terminal, what still does not fit is left out from the right. */
static void fit(out_table *table, int32_t *widths)
{
    int32_t over = -out_width(stdout) - GAP;

    for (uint32_t i = 0; i < table->count; i++)
        over += widths[i] + GAP;
    for (; over > 0; over--) {
        int32_t widest = -1;
        for (uint32_t i = 0; i < table->count; i++)
            if (!table->columns[i].whole && widths[i] > LEAST_WIDTH &&
                (widest < 0 || widths[i] > widths[widest]))
                widest = (int32_t)i;
        if (widest < 0)
            break;
        widths[widest]--;
    }
    table->shown = table->count;
    while (over > 0 && table->shown > 1 && out_is_terminal(stdout))
        over -= widths[--table->shown] + GAP;
}

static void print_cell(const out_table *table, uint32_t column, const char *text, int32_t width)
{
    char cut[OUT_TEXT + 4];
    const char *colour = out_colour_of(text);
    int32_t last = column + 1 == table->shown;

    out_clean(text, width, cut, sizeof cut);
    int32_t pad = width - text_columns(cut);
    if (table->columns[column].right)
        printf("%*s", pad, "");
    if (colour)
        printf("\033[%sm%s\033[0m", colour, cut);
    else
        fputs(cut, stdout);
    if (last)
        putchar('\n');
    else
        printf("%*s", (table->columns[column].right ? 0 : pad) + GAP, "");
}

void out_table_print(out_table *table, const char *empty)
{
    int32_t widths[COLUMNS_MOST] = {0};

    for (uint32_t i = 0; i < table->count; i++) {
        widths[i] = text_columns(table->columns[i].title);
        for (uint32_t at = i; at < table->used; at += table->count) {
            int32_t columns = text_columns(table->cells[at]);
            widths[i] = columns > widths[i] ? columns : widths[i];
        }
    }
    fit(table, widths);
    if (table->used == 0)
        printf("%s\n", empty);
    for (uint32_t i = 0; table->used && i < table->shown; i++)
        print_cell(table, i, table->columns[i].title, widths[i]);
    for (uint32_t at = 0; at + table->count <= table->used; at += table->count)
        for (uint32_t i = 0; i < table->shown; i++)
            print_cell(table, i, table->cells[at + i], widths[i]);
    free(table->cells);
    free(table);
}
