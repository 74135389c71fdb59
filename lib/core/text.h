/* SPDX-License-Identifier: Apache-2.0
 * Checking and converting text that came from outside. */
#ifndef FEDN__CORE_TEXT_H
#define FEDN__CORE_TEXT_H

#include <fedn/error.h>

/* 1 if `bytes` at `text` are UTF-8 without NUL. */
int32_t fedn__text_is_utf8(const void *text, uint64_t bytes);
/* 1 for 1..limit bytes of UTF-8 without control characters. NULL gives 0. */
int32_t fedn__text_is_line(const char *text, uint64_t limit);
/* Makes a line of any text, in place: each control character becomes a space, each byte that is not
 * UTF-8 a '?'; a sequence that was cut at the end is dropped. */
void fedn__text_to_line(char *text);
/* 1 for [A-Za-z0-9_-]{1,limit}: names that may become keys (combiners, plug-ins). */
int32_t fedn__text_is_name(const char *text, uint64_t limit);

/* Whole text as a number; 1 if it was one and nothing follows. */
int32_t fedn__text_to_i64(const char *text, int64_t *ret);
int32_t fedn__text_to_u64(const char *text, uint64_t *ret);
int32_t fedn__text_to_f64(const char *text, double *ret); /* locale-independent; finite only */

int32_t fedn__text_equal(const char *a, const char *b); /* NULL equals NULL only */
int32_t fedn__text_starts(const char *text, const char *prefix);
/* Levenshtein distance, at most 64 bytes of each count. */
uint32_t fedn__text_distance(const char *a, const char *b);

/* Milliseconds since 1970 as "2026-11-24T02:40:45.884622Z", "2026-11-24 02:40:45.884622",
 * "Tue, 24 Nov 2026 02:39:55 GMT". */
#define FEDN__TIME_TEXT 40
void fedn__text_iso_time(int64_t unix_us, char text[FEDN__TIME_TEXT]);
void fedn__text_space_time(int64_t unix_us, char text[FEDN__TIME_TEXT]);
void fedn__text_http_time(int64_t unix_us, char text[FEDN__TIME_TEXT]);

/* "1.5 GiB", "312 B". */
#define FEDN__BYTES_TEXT 24
void fedn__text_bytes(uint64_t bytes, char text[FEDN__BYTES_TEXT]);

/* Splits "host:port", "[::1]:port" or ":port". host_bytes counts the room at `host`. */
fedn_status fedn__text_host_port(const char *text, char *host, uint64_t host_bytes, uint16_t *port,
                                 fedn_error *err);

#endif
