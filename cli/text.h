/* SPDX-License-Identifier: Apache-2.0
 * Widths and colours of text in a window, between out.c and table.c. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>

int32_t out_is_utf8(void);
/* The number of the colour of a status word ("32"); NULL: none. */
const char *out_colour_of(const char *text);
/* Columns that a text takes in the window. */
int32_t text_columns(const char *text);

#endif
