/* SPDX-License-Identifier: Apache-2.0
 * What people read: tables that fit the window, blocks, bars, times; and JSON for programs. Texts
 * from the network lose their control characters here. */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

enum { OUT_TEXT = 256 };

typedef struct out_column {
    const char *title;
    int32_t whole; /* 1: never cut (ids, numbers) */
    int32_t right; /* 1: set to the right */
} out_column;

typedef struct out_table out_table;

/* Takes the locale and the colours of the terminal; once, first thing. */
void out_init(void);
int32_t out_is_terminal(FILE *file);
/* Columns of the window; 80 where there is none. */
int32_t out_width(FILE *file);

out_table *out_table_new(const out_column *columns, uint32_t count);
/* The next cell of the present row; rows end by themselves. NULL counts as "-". */
void out_cell(out_table *table, const char *text);
void out_cellf(out_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints it, or `empty` if it has no rows; releases it. */
void out_table_print(out_table *table, const char *empty);

/* "  title: text" of a block; nothing if the text is NULL or empty. */
void out_field(const char *title, const char *text);
/* The same with titles of another width. */
void out_member(const char *title, int32_t width, const char *text);
void out_fieldf(const char *title, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text and a line feed, where the cursor stands in column `indent`; broken at blanks so that it
 * fits the window. */
void out_wrapped(const char *text, int32_t indent);
/* One JSON value and a line feed. */
void out_json(const json_t *value);

/* A copy without control characters, cut to `columns` of the window (0: not cut). */
void out_clean(const char *text, int32_t columns, char *to, size_t bytes);
/* "[██████────]", `columns` wide in all. */
void out_bar(double share, int32_t columns, char *to, size_t bytes);
/* "12.5 MiB" */
void out_bytes(uint64_t bytes, char *to, size_t size);
/* "0.41 s", "3 min 20 s", "2 d 4 h" */
void out_seconds(double seconds, char *to, size_t size);
/* "2026-11-24 02:39:55" from any of the reducer's forms; what it is not is copied. */
void out_time(const char *text, char *to, size_t bytes);

/* A line that is rewritten in place on a terminal; `final` ends it. Elsewhere only final lines are
 * printed. */
void out_live(FILE *file, const char *line, int32_t final);

#endif
